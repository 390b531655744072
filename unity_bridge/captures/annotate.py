# SPDX-License-Identifier: Apache-2.0
"""Distances for every object of a capture folder, as a copy of its ``annotations.json`` with fields added."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...engines.atomic import atomic_path, make_folder
from ...engines.depth_map import DepthKind, DepthMap
from ...engines.errors import CameraError, CaptureError, ImageError, OutputError
from ...engines.estimator import Estimator
from ..measuring.measure import measure_objects
from ..results import ObjectResult
from .capture import ANNOTATIONS, Capture, CaptureFrame, LoadedFrame

OBJECT_FIELDS = (
    "pixel_count",
    "valid_fraction",
    "distance",
    "range",
    "position",
    "center_px",
    "reason",
    "distance_true",
    "distance_error",
    "distance_error_relative",
)
"""What is written into an object. Everything else in it stays as it is."""
FRAME_FIELDS = ("unit", "model", "camera_source", "error")
"""What is written into a picture's entry."""


@dataclass(frozen=True, slots=True)
class FrameOutcome:
    """What became of one picture. ``error``: the sentence of why it has no distances, or None. ``relative_errors``: of the median
    distances of its objects against the truth, signed, where there is truth."""

    image: str
    objects: int = 0
    without_distance: int = 0
    error: str | None = None
    notes: tuple[str, ...] = ()
    relative_errors: tuple[float, ...] = ()
    model: str = ""


@dataclass(frozen=True, slots=True)
class AnnotateSummary:
    """All pictures, in the order of the file, and where the result is."""

    written: Path
    frames: tuple[FrameOutcome, ...]

    @property
    def failed(self) -> tuple[FrameOutcome, ...]:
        return tuple(frame for frame in self.frames if frame.error is not None)

    def to_json(self) -> dict[str, Any]:
        """The summary as one mapping; ``abs_rel`` is the mean over objects of \\|error\\| / truth, null without truth."""
        errors = [abs(value) for frame in self.frames for value in frame.relative_errors]
        notes = dict.fromkeys(note for frame in self.frames for note in frame.notes)
        return {
            "written": str(self.written),
            "model": next((frame.model for frame in self.frames if frame.model), None),
            "unit": DepthKind.METRIC.unit,
            "frames": len(self.frames),
            "annotated": len(self.frames) - len(self.failed),
            "objects": sum(frame.objects for frame in self.frames),
            "objects_without_distance": sum(frame.without_distance for frame in self.frames),
            "abs_rel": round(float(np.mean(errors)), 6) if errors else None,
            "failed": [{"image": frame.image, "error": frame.error} for frame in self.failed],
            "notes": list(notes),
        }


def annotate_capture(
    capture_folder: Path,
    out_folder: Path,
    estimator: Estimator,
    *,
    overwrite: bool = False,
    on_frame: Callable[[FrameOutcome], None] | None = None,
) -> AnnotateSummary:
    """Write ``out_folder/annotations.json``: the capture's own list, every field kept with its value and in its order, and beside
    them :data:`OBJECT_FIELDS` and :data:`FRAME_FIELDS`.

    A picture that cannot be used keeps its entry, with the sentence in ``error``, and the others go on; ``on_frame`` hears of each.
    The file appears whole, at the end. Raises :class:`OutputError` when ``out_folder`` is the capture or lies in it, cannot be written,
    or already holds the file and ``overwrite`` is False; :class:`CaptureError` when the folder is no capture, or when not one picture
    could be used; ``NoMetricDepthError``, ``ModelError`` and the like at once, as they would come for every picture.
    """
    capture = Capture.open(capture_folder)
    _refuse_inside(Path(out_folder), capture.folder)
    existed = Path(out_folder).exists()
    target = Path(out_folder) / ANNOTATIONS
    make_folder(Path(out_folder))
    try:
        with atomic_path(target, overwrite=overwrite) as temporary:
            outcomes, records = [], []
            for frame in capture.frames:
                outcome, record = _annotate_frame(capture, frame, estimator)
                outcomes.append(outcome)
                records.append(record)
                if on_frame is not None:
                    on_frame(outcome)
            if all(outcome.error is not None for outcome in outcomes):
                raise CaptureError(
                    f"Not one of the {len(outcomes)} pictures of {capture.folder} could be used; "
                    f"{outcomes[0].image}: {outcomes[0].error}"
                )
            temporary.write_text(json.dumps(records, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    except BaseException:
        if not existed:
            with suppress(OSError):
                Path(out_folder).rmdir()
        raise
    return AnnotateSummary(target, tuple(outcomes))


def _annotate_frame(capture: Capture, frame: CaptureFrame, estimator: Estimator) -> tuple[FrameOutcome, dict[str, Any]]:
    kept = _without(frame.record, FRAME_FIELDS)
    try:
        loaded = capture.load(frame)
        depth_map = estimator.estimate(loaded.image, loaded.camera)
    except (CaptureError, ImageError, CameraError) as error:
        return FrameOutcome(frame.name, error=str(error)), {**kept, "error": str(error)}
    measured = {item.id: item for item in measure_objects(depth_map, loaded.mask)}
    truth = measure_truth(loaded)
    records = []
    errors = []
    without = 0
    for item in loaded.objects:
        fields = _object_fields(measured.get(item.mask_value), item.mask_value)
        if truth is not None:
            fields |= _truth_fields(measured.get(item.mask_value), truth.get(item.mask_value))
        relative = fields.get("distance_error_relative")
        errors += [relative] if relative is not None else []
        without += fields["distance"] is None
        records.append({**_without(item.record, OBJECT_FIELDS), **fields})
    outcome = FrameOutcome(
        image=frame.name,
        objects=len(records),
        without_distance=without,
        notes=(*loaded.notes, *_replaced(frame.record, FRAME_FIELDS), *_replaced_in(loaded)),
        relative_errors=tuple(errors),
        model=depth_map.model_id,
    )
    # Assigning to an existing key keeps its place.
    kept["objects"] = records
    about = {"unit": depth_map.kind.unit, "model": depth_map.model_id, "camera_source": str(depth_map.camera_source)}
    return outcome, {**kept, **about}


def _object_fields(measured: ObjectResult | None, mask_value: int) -> dict[str, Any]:
    if measured is None:
        reason = f"No pixel of the mask has the value {mask_value}."
        measured = ObjectResult(mask_value, 0, 0.0, None, None, None, None, reason)
    return measured.measured_json()


def measure_truth(loaded: LoadedFrame) -> dict[int, ObjectResult] | None:
    """The objects of a frame by mask value, measured on its true depth; None where the capture has none."""
    if loaded.depth_true_m is None:
        return None
    truth = DepthMap.exact(loaded.depth_true_m, loaded.camera, "truth")
    return {item.id: item for item in measure_objects(truth, loaded.mask)}


def _truth_fields(measured: ObjectResult | None, truth: ObjectResult | None) -> dict[str, Any]:
    """The truth, estimated minus true for each of its numbers in metres, and the error of the median as a part of the true median."""
    true = truth.distance.to_json() if truth is not None and truth.distance is not None else None
    if true is None or measured is None or measured.distance is None:
        return {"distance_true": true, "distance_error": None, "distance_error_relative": None}
    estimated = measured.distance.to_json()
    return {
        "distance_true": true,
        "distance_error": {name: round(estimated[name] - true[name], 6) for name in true},
        "distance_error_relative": round((estimated["median"] - true["median"]) / true["median"], 6),
    }


def _without(record: Mapping[str, Any], owned: Iterable[str]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in owned}


def _replaced(record: Mapping[str, Any], owned: Iterable[str]) -> list[str]:
    return [f"the capture's own {name!r} is replaced in the output" for name in record if name in owned]


def _replaced_in(loaded: LoadedFrame) -> list[str]:
    return [note for item in loaded.objects for note in _replaced(item.record, OBJECT_FIELDS)]


def _refuse_inside(out_folder: Path, capture_folder: Path) -> None:
    """A capture is never written into, whatever links or letter case its name is given by."""
    out = out_folder.resolve()
    for folder in (out, *out.parents):
        if folder.exists() and folder.samefile(capture_folder):
            raise OutputError(f"The output folder {out_folder} lies in the capture {capture_folder}, which stays as it is; give another.")
