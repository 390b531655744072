# SPDX-License-Identifier: Apache-2.0
"""A run as the report sees it: each picture's numbers from the progress, and pixels only of those that are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from ...engines.estimator import Estimator
from .accuracy import Accuracy
from .measured import estimate
from .outputs import Totals
from .previews import PreviewStore, reduced
from .report import MAX_PICTURES, ReportAbout, ReportFrame, ReportPictures, write_report
from .run import AnnotatedFrame, Run

REPORT = "report.html"
PICTURES = MAX_PICTURES
"""How many frames the report shows with pictures."""


def write_run_report(path: Path, run: Run, totals: Totals, estimator: Estimator, previews: PreviewStore | None, *, overwrite: bool) -> None:
    """Write the page. Raises :class:`~....engines.errors.OutputError`."""
    about = ReportAbout(
        title=f"Distances in {run.reader.folder.name}",
        capture=run.reader.folder.name,
        layout=str(run.reader.layout),
        model=estimator.model_id,
        accuracy=_some(totals.of_objects),
        whole_frame=_some(totals.whole),
        classes={name: accuracy for name, (accuracy, _) in totals.classes.items()},
    )
    write_report(path, _frames(run, estimator, previews), about, max_pictures=PICTURES, overwrite=overwrite)


def _frames(run: Run, estimator: Estimator, previews: PreviewStore | None) -> Iterator[ReportFrame]:
    for place, result in enumerate(run.results()):
        yield ReportFrame(
            name=result.frame.name,
            record=result.entry,
            error=result.error,
            accuracy=None if result.accuracy is None else _some(result.accuracy.of_objects),
            object_accuracy=() if result.accuracy is None else tuple(_some(each) for each in result.accuracy.objects),
            pictures=None if result.error is not None else _pictures(run, result, place, estimator, previews),
        )


def _pictures(run: Run, result: AnnotatedFrame, place: int, estimator: Estimator, previews: PreviewStore | None) -> Callable[[], ReportPictures]:
    """Read the picture again; its depth is the preview that is still held, or estimated again."""
    frame = result.frame

    def pictures() -> ReportPictures:
        loaded = run.reader.load(frame)
        mask, values = loaded.flat_mask
        depth = None if previews is None else previews.get(place)
        if depth is None:
            depth = reduced(estimate(loaded, estimator)[0])
        return ReportPictures(loaded.image, mask, values, depth, loaded.depth_true_m)

    return pictures


def _some(accuracy: Accuracy) -> Accuracy | None:
    return accuracy if accuracy.pixels else None
