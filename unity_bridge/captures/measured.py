# SPDX-License-Identifier: Apache-2.0
"""One picture of a capture, measured: its entry with our fields beside the user's own, and how far it is from the truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ...engines.camera import CameraSource
from ...engines.depth_map import DepthKind, DepthMap
from ...engines.estimator import Estimator
from ..measuring.frame import FrameMeasure, measure_frame
from ..measuring.records import ObjectRecord
from ..results import MEASURED, ObjectResult
from .accuracy import FrameAccuracy, compare
from .reader import CaptureObject, LoadedFrame

OBJECT_FIELDS = (*MEASURED, "distance_true", "distance_error", "distance_error_relative", "accuracy")
"""What is written into an object. Everything else in it stays as it is."""
FRAME_FIELDS = ("unit", "kind", "model", "camera_source", "fit", "mask_flip_suspected", "warnings", "error")
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
    unit: str = DepthKind.METRIC.unit
    flipped: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredFrame:
    """``entry`` is what ``annotations.json`` gets; ``depth_map`` is the map that was measured, fitted to known distances if there are any."""

    outcome: FrameOutcome
    entry: dict[str, Any]
    depth_map: DepthMap
    accuracy: FrameAccuracy | None = field(default=None)

    def to_json(self) -> dict[str, Any]:
        """What the progress keeps: all but the map."""
        outcome = {name: getattr(self.outcome, name) for name in FrameOutcome.__slots__}
        return {"outcome": outcome, "entry": self.entry, "accuracy": None if self.accuracy is None else self.accuracy.to_json()}


def outcome_from_json(data: Mapping[str, Any]) -> FrameOutcome:
    """Read back what :meth:`MeasuredFrame.to_json` wrote."""
    values: dict[str, Any] = {name: value for name, value in data["outcome"].items() if name in FrameOutcome.__slots__}
    values |= {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return FrameOutcome(**values)


def accuracy_from_json(data: Mapping[str, Any]) -> FrameAccuracy | None:
    """Read back what :meth:`MeasuredFrame.to_json` wrote."""
    return None if data["accuracy"] is None else FrameAccuracy.from_json(data["accuracy"])


def estimate(loaded: LoadedFrame, estimator: Estimator) -> tuple[DepthMap, FrameMeasure]:
    """The map that was measured, and its answer, the objects in the frame's order.

    Raises what the estimator raises, and :class:`~..errors.NoMetricDepthError`.
    """
    depth_map = estimator.estimate(loaded.image, loaded.camera)
    if loaded.camera is not None and depth_map.camera_source is CameraSource.GIVEN:
        depth_map = replace(depth_map, camera_source=loaded.camera_source)
    records = [[_request(item) for item in loaded.objects if item.layer == number] for number in range(len(loaded.layers))]
    first = measure_frame(depth_map, loaded.mask, records[0], extrinsics=loaded.extrinsics, image=loaded.image)
    results = {result.mask_value: result for result in first.objects}
    for layer, wanted in zip(loaded.layers[1:], records[1:], strict=True):
        further = measure_frame(first.depth_map, layer, wanted, extrinsics=loaded.extrinsics)
        results |= {result.mask_value: result for result in further.objects}
    return first.depth_map, replace(first, objects=tuple(results[item.mask_value] for item in loaded.objects))


def measure(entry: Mapping[str, Any], loaded: LoadedFrame, estimator: Estimator) -> MeasuredFrame:
    """Estimate one picture and measure its objects; ``entry`` is its own, which stays as it is. Raises as :func:`estimate`."""
    depth_map, answer = estimate(loaded, estimator)
    compared = compare(depth_map, loaded) if loaded.depth_true_m is not None and depth_map.kind is DepthKind.METRIC else None
    truth = measure_truth(loaded)
    records, errors, without = [], [], 0
    for place, (item, result) in enumerate(zip(loaded.objects, answer.objects, strict=True)):
        if result.pixel_count == 0 and item.reason is not None:
            result = replace(result, reason=item.reason)
        fields = result.measured_json()
        if truth is not None:
            fields |= _truth_fields(result, truth[place], answer.unit)
            fields["accuracy"] = None if compared is None else compared.objects[place].to_json()
        relative = fields.get("distance_error_relative")
        errors += [relative] if relative is not None else []
        without += fields["distance"] is None
        records.append({**without_fields(item.record, OBJECT_FIELDS), **fields})
    notes = (*loaded.notes, *answer.warnings, *_truth_notes(loaded, depth_map))
    outcome = FrameOutcome(
        image=str(entry.get("image")),
        objects=len(records),
        without_distance=without,
        notes=(*notes, *_replaced(entry, loaded)),
        relative_errors=tuple(errors),
        model=depth_map.model_id,
        unit=answer.unit,
        flipped=answer.mask_flip_suspected is True,
    )
    return MeasuredFrame(outcome, _entry(entry, records, depth_map, answer, notes), depth_map, compared)


def measure_truth(loaded: LoadedFrame) -> tuple[ObjectResult, ...] | None:
    """The objects of a frame, in its order, measured on its true depth; None where the capture has none."""
    if loaded.depth_true_m is None:
        return None
    valid = DepthKind.METRIC.holds(loaded.depth_true_m)
    truth = DepthMap(loaded.depth_true_m, DepthKind.METRIC, valid, None, None, loaded.camera, "truth", CameraSource.GIVEN)
    results: dict[int | None, ObjectResult] = {}
    for number, layer in enumerate(loaded.layers):
        wanted = [replace(_request(item), known_distance_m=None) for item in loaded.objects if item.layer == number]
        results |= {result.mask_value: result for result in measure_frame(truth, layer, wanted).objects}
    return tuple(results[item.mask_value] for item in loaded.objects)


def without_fields(record: Mapping[str, Any], owned: Iterable[str]) -> dict[str, Any]:
    """A record without those fields."""
    return {name: value for name, value in record.items() if name not in owned}


def _request(item: CaptureObject) -> ObjectRecord:
    own = item.record.get("id")
    identity = own if isinstance(own, (int, str)) and not isinstance(own, bool) else item.mask_value
    return ObjectRecord(identity, item.mask_value, {}, item.known_distance_m)


def _entry(
    entry: Mapping[str, Any], records: list[dict[str, Any]], depth_map: DepthMap, answer: FrameMeasure, notes: Sequence[str]
) -> dict[str, Any]:
    kept = without_fields(entry, FRAME_FIELDS)
    # Assigning to an existing key keeps its place.
    kept["objects"] = records
    kept |= {
        "unit": answer.unit,
        "kind": answer.kind.value,
        "model": depth_map.model_id,
        "camera_source": str(depth_map.camera_source),
        "mask_flip_suspected": answer.mask_flip_suspected,
    }
    if answer.fit is not None:
        kept["fit"] = answer.fit.to_json()
    if notes:
        kept["warnings"] = list(notes)
    return kept


def _truth_fields(result: ObjectResult, truth: ObjectResult, unit: str) -> dict[str, Any]:
    """The truth, estimated minus true for each of its numbers in metres, and the error of the median as a part of the true median."""
    true = truth.distance.to_json() if truth.distance is not None else None
    if true is None or result.distance is None or unit != DepthKind.METRIC.unit:
        return {"distance_true": true, "distance_error": None, "distance_error_relative": None}
    estimated = result.distance.to_json()
    return {
        "distance_true": true,
        "distance_error": {name: round(estimated[name] - true[name], 6) for name in true},
        "distance_error_relative": round((estimated["median"] - true["median"]) / true["median"], 6),
    }


def _truth_notes(loaded: LoadedFrame, depth_map: DepthMap) -> list[str]:
    if loaded.depth_true_m is None or depth_map.kind is DepthKind.METRIC:
        return []
    return [f"{depth_map.model_id} gives {depth_map.kind} depth, which is not compared with the true depth in metres"]


def _replaced(entry: Mapping[str, Any], loaded: LoadedFrame) -> list[str]:
    names = [name for name in entry if name in FRAME_FIELDS]
    names += [name for item in loaded.objects for name in item.record if name in OBJECT_FIELDS]
    return [f"the capture's own {name!r} is replaced in the output" for name in dict.fromkeys(names)]
