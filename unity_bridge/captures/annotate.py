# SPDX-License-Identifier: Apache-2.0
"""Distances for every object of a capture: read, estimated and measured one picture at a time, and written when all are done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ... import __version__
from ...engines.atomic import atomic_folder_contents
from ...engines.depth_map import DepthKind
from ...engines.errors import CameraError, CaptureError, ImageError
from ...engines.estimator import Estimator
from ..errors import NoMetricDepthError
from .capture import ANNOTATIONS
from .layouts import open_capture
from .measured import FrameOutcome, measure
from .output_folder import output_folder, refuse_inside, refuse_taken
from .outputs import ACCURACY_CSV, ACCURACY_JSON, ANNOTATIONS_COCO, Totals, totals_of, write_outputs
from .previews import PreviewStore
from .reader import CaptureFrame, CaptureReader, Layout, LoadedFrame
from .reporting import PICTURES, REPORT, write_run_report
from .run import Run, describe_model_file

_MAX_NOTES = 20
# Read while the one before is estimated; more would only be held longer.
_AHEAD = 2


@dataclass(frozen=True, slots=True)
class AnnotateSummary:
    """All pictures, in the order of the file, and where the result is. ``resumed`` of them were done by an earlier run; ``in_capture``: how
    many pictures the capture has. ``report``: the HTML page, or None."""

    written: Path
    frames: tuple[FrameOutcome, ...]
    totals: Totals
    in_capture: int
    resumed: int = 0
    report: Path | None = None

    @property
    def failed(self) -> tuple[FrameOutcome, ...]:
        return tuple(frame for frame in self.frames if frame.error is not None)

    @property
    def flipped(self) -> tuple[FrameOutcome, ...]:
        """Pictures whose mask seems to be upside down."""
        return tuple(frame for frame in self.frames if frame.flipped)

    @property
    def notes(self) -> tuple[str, ...]:
        """All notes, each once."""
        return tuple(dict.fromkeys(note for frame in self.frames for note in frame.notes))

    def to_json(self) -> dict[str, Any]:
        """The summary as one mapping; ``abs_rel`` is the mean over objects of \\|error\\| / truth of their medians, null without truth;
        ``accuracy`` counts pixels. Of many notes the first are here; each is in its picture's ``warnings``."""
        errors = [abs(value) for frame in self.frames for value in frame.relative_errors]
        notes = self.notes
        cut = [f"and {len(notes) - _MAX_NOTES} more, in annotations.json"] if len(notes) > _MAX_NOTES else []
        return {
            "written": str(self.written),
            "report": None if self.report is None else str(self.report),
            "model": next((frame.model for frame in self.frames if frame.model), None),
            "unit": next((frame.unit for frame in self.frames if frame.model), None),
            "pictures_in_capture": self.in_capture,
            "frames": len(self.frames),
            "annotated": len(self.frames) - len(self.failed),
            "done_before": self.resumed,
            "objects": sum(frame.objects for frame in self.frames),
            "objects_without_distance": sum(frame.without_distance for frame in self.frames),
            "abs_rel": round(float(np.mean(errors)), 6) if errors else None,
            "accuracy": {"all_objects": self.totals.of_objects.to_json(), "whole_frames": self.totals.whole.to_json()},
            "mask_flip_suspected": len(self.flipped),
            "failed": [{"image": frame.image, "error": frame.error} for frame in self.failed],
            "notes": [*notes[:_MAX_NOTES], *cut],
        }


def annotate_capture(
    capture: Path | CaptureReader,
    out_folder: Path,
    estimator: Estimator,
    *,
    overwrite: bool = False,
    limit: int | None = None,
    report: bool = False,
    model_file: Path | None = None,
    on_frame: Callable[[FrameOutcome], None] | None = None,
) -> AnnotateSummary:
    """Write ``out_folder/annotations.json``: a list of the capture's pictures, every field of theirs kept with its value and in its order,
    and beside them :data:`~.measured.OBJECT_FIELDS` and :data:`~.measured.FRAME_FIELDS`; of a COCO dataset ``annotations_coco.json``, too,
    and where there is true depth ``accuracy.json`` and ``accuracy.csv``. ``report`` adds ``report.html``.

    Only the first ``limit`` pictures are looked at, if given. A picture that cannot be used keeps its entry, with the sentence in ``error``,
    and the others go on; ``on_frame`` hears of each. The files appear together, at the end. What is done stands in ``progress.jsonl`` at
    once: after an interruption the same call goes on from there, tries again what failed, and does nothing twice. ``overwrite`` forgets it,
    and replaces files that are not of this run. ``model_file`` is a part of what makes two runs the same.

    Raises :class:`OutputError` when ``out_folder`` is the capture or lies in it, cannot be written, is in use by another run, or holds the
    result of another run or file and ``overwrite`` is False; :class:`CaptureError` when the folder is no capture, or when not one picture
    could be used; ``NoMetricDepthError``, ``ModelError`` and the like at once, as they would come for every picture.
    """
    reader = open_capture(capture) if isinstance(capture, (str, Path)) else capture
    out = Path(out_folder)
    refuse_inside(out, reader.folder, "capture")
    frames = reader.frames[:limit]
    _refuse_disparity(reader, frames, estimator)
    head = _head(reader, estimator, model_file)
    with output_folder(out, "annotate", head, _files(reader, report), overwrite=overwrite) as progress:
        run = Run(reader, frames, [reader.fingerprint(frame) for frame in frames], progress)
        return _go(run, out, estimator, overwrite=overwrite, report=report, on_frame=on_frame)


def _go(
    run: Run, out: Path, estimator: Estimator, *, overwrite: bool, report: bool, on_frame: Callable[[FrameOutcome], None] | None
) -> AnnotateSummary:
    resumed = sum(key in run.progress for key in run.keys)
    previews = PreviewStore(len(run.frames), PICTURES) if report else None
    outcomes = []
    for outcome in _outcomes(run, estimator, previews):
        outcomes.append(outcome)
        if on_frame is not None:
            on_frame(outcome)
    if len(run.failed) == len(run.frames):
        first = outcomes[0]
        raise CaptureError(f"Not one of the {len(outcomes)} pictures of {run.reader.folder} could be used; {first.image}: {first.error}")
    totals = _write(run, out, overwrite, everything_done=resumed == len(run.frames))
    summary = AnnotateSummary(out / ANNOTATIONS, tuple(outcomes), totals, len(run.reader.frames), resumed)
    if not report:
        return summary
    page = out / REPORT
    if not run.progress.wrote(page) or resumed < len(run.frames):
        write_run_report(page, run, totals, estimator, previews, overwrite=overwrite or run.progress.wrote(page))
        run.progress.note_written([page])
    return replace(summary, report=page)


def _outcomes(run: Run, estimator: Estimator, previews: PreviewStore | None) -> Iterator[FrameOutcome]:
    """Each picture's, in order; while one is estimated, the next are read."""
    done = [key in run.progress for key in run.keys]
    pending = iter([frame for frame, known in zip(run.frames, done, strict=True) if not known])
    queue: list[Future[tuple[dict[str, Any], LoadedFrame]]] = []
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="depthbridge-read") as pool:
        try:
            for place, key in enumerate(run.keys):
                if not done[place]:
                    while len(queue) < _AHEAD and (frame := next(pending, None)) is not None:
                        queue.append(pool.submit(_read, run.reader, frame))
                    _do(run, place, key, queue.pop(0), estimator, previews)
                yield run.outcome(place)
        finally:
            for future in queue:
                future.cancel()


def _read(reader: CaptureReader, frame: CaptureFrame) -> tuple[dict[str, Any], LoadedFrame]:
    return reader.entry(frame), reader.load(frame)


def _do(
    run: Run,
    place: int,
    key: str,
    reading: Future[tuple[dict[str, Any], LoadedFrame]],
    estimator: Estimator,
    previews: PreviewStore | None,
) -> None:
    """Measure one picture and note it as done, or why it cannot be."""
    try:
        entry, loaded = reading.result()
        if loaded.camera is None and estimator.needs_camera and all(item.known_distance_m is None for item in loaded.objects):
            raise CaptureError(
                f"nothing says its camera, and {estimator.model_id} has metres only with the focal length; add a camera_intrinsics.json, or "
                "give --fov-v."
            )
        measured = measure(entry, loaded, estimator)
    except (CaptureError, ImageError, CameraError) as error:
        run.failed[place] = str(error)
        return
    except NoMetricDepthError as error:
        # Of known distances that make no sense the picture is to blame, of anything else the model.
        if all(item.known_distance_m is None for item in loaded.objects):
            raise
        run.failed[place] = str(error)
        return
    run.progress.add(key, measured.to_json())
    if previews is not None:
        worst = None if measured.accuracy is None else measured.accuracy.of_objects.abs_rel
        previews.add(place, measured.depth_map, worst)


def _write(run: Run, out: Path, overwrite: bool, *, everything_done: bool) -> Totals:
    """The files, all at once; nothing when an earlier run wrote them and not one picture was new."""
    if everything_done and run.progress.wrote(out / ANNOTATIONS) and run.progress.is_current(run.keys):
        return totals_of(run)
    with atomic_folder_contents(out, overwrite=True) as staging:
        totals = write_outputs(run, staging)
        files = [path for path in staging.iterdir() if path.is_file()]
        if not overwrite:
            refuse_taken((out / path.name for path in files), run.progress)
        run.progress.note_written(files, run.keys)
    return totals


def _head(reader: CaptureReader, estimator: Estimator, model_file: Path | None) -> dict[str, Any]:
    return {
        "capture": str(reader.folder.resolve()),
        "layout": str(reader.layout),
        "model": estimator.model_id,
        "model_file": describe_model_file(model_file),
        "depthbridge": __version__,
    }


def _refuse_disparity(reader: CaptureReader, frames: Sequence[CaptureFrame], estimator: Estimator) -> None:
    """A model without lengths would go through the whole capture for nothing."""
    if estimator.kind is not DepthKind.DISPARITY:
        return
    known = (item for frame in frames for item in reader.entry(frame).get("objects") or () if isinstance(item, Mapping))
    if not any(item.get("known_distance_m") is not None for item in known):
        raise NoMetricDepthError(
            f"Model {estimator.model_id} gives disparity, which has no distances; choose a metric model (depthbridge models list), or give "
            "known_distance_m to two objects of each picture, one near and one far."
        )


def _files(reader: CaptureReader, report: bool) -> list[str]:
    names = [ANNOTATIONS, ACCURACY_JSON, ACCURACY_CSV]
    names += [ANNOTATIONS_COCO] if reader.layout is Layout.COCO else []
    return names + ([REPORT] if report else [])
