# SPDX-License-Identifier: Apache-2.0
"""``depthbridge annotate``: distances for the objects of a capture folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .engine_options import EngineOptions, engine_options, open_engine

if TYPE_CHECKING:
    from rich.console import Console

    from ..unity_bridge.captures.annotate import AnnotateSummary
    from ..unity_bridge.captures.measured import FrameOutcome


_MAX_SAID = 20


@click.command(name="annotate")
@click.argument("capture", type=click.Path(path_type=Path))
@click.option("--out", "out_folder", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Folder for the results.")
@click.option("--model", default="depthbridge-mini", show_default=True, metavar="ID|FILE", help="A metric model, or a file.")
@engine_options
@click.option("--report", is_flag=True, help="Also write DIR/report.html: pictures, errors, a table of all objects.")
@click.option("--fov-v", type=float, metavar="DEG", help="Vertical field of view of all pictures, where the capture says no camera.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N pictures.")
@click.option("--force", is_flag=True, help="Start anew and replace what is already in DIR.")
def command(
    capture: Path,
    out_folder: Path,
    model: str,
    options: EngineOptions,
    report: bool,
    fov_v: float | None,
    limit: int | None,
    force: bool,
) -> None:
    """Add distances to the annotations of CAPTURE, which itself is never changed.

    CAPTURE is a folder of ours (annotations.json, images/, masks/), of Unity Perception (SOLO), or of COCO, or a COCO file. DIR gets
    annotations.json with fields added to each object, for COCO annotations_coco.json, too, and where there is true depth accuracy.json and
    accuracy.csv. One JSON line of summary is printed.

    Bad pictures are passed over and listed, and the exit status is 2 when any was. Stopped with Ctrl+C, or killed, the same command goes on
    where it was; run again after it is done, it tries only what failed or changed.
    """
    from rich.console import Console

    from ..engines.camera import CameraIntrinsics
    from ..engines.errors import CaptureError
    from ..unity_bridge.captures.annotate import annotate_capture
    from ..unity_bridge.captures.layouts import open_capture

    if fov_v is not None:
        CameraIntrinsics.from_vertical_fov(fov_v, 1000, 1000)  # a wrong angle is wrong for every picture
    reader = open_capture(capture, fov_vertical_deg=fov_v)  # before a model is loaded for nothing
    total = len(reader.frames[:limit])
    console = Console(stderr=True, highlight=False)
    with open_engine(model, options) as engine:
        watch = _Watch(console, total)
        try:
            with watch.bar:
                summary = annotate_capture(
                    reader, out_folder, engine,
                    overwrite=force, limit=limit, report=report, model_file=Path(engine.info.path), on_frame=watch.see,
                )  # fmt: skip
        except KeyboardInterrupt:
            watch.say_stopped(out_folder)
            click.get_current_context().exit(130)
    _say(summary)
    click.echo(json.dumps(summary.to_json(), ensure_ascii=False))
    if summary.failed:
        raise CaptureError(
            f"{len(summary.failed)} of {total} pictures could not be used, the others are in {summary.written}. Mend them and run the same "
            "command: only they are done again."
        )


class _Watch:
    """The progress bar, and what failed while it ran."""

    def __init__(self, console: Console, total: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        # Only on a terminal: in a log, a bar is noise. stdout belongs to the summary.
        shown = console.is_terminal
        self.bar = Progress(*columns, console=console, transient=True, disable=not shown, redirect_stdout=False, redirect_stderr=False)
        self._task = self.bar.add_task("Measuring", total=total)
        self._total, self._kept, self._failed = total, 0, 0

    def see(self, outcome: FrameOutcome) -> None:
        """One more picture is done."""
        if outcome.error is None:
            self._kept += 1
        else:
            self._failed += 1
            if self._failed <= _MAX_SAID:
                self._print(f"{outcome.image}: {outcome.error}")
            elif self._failed == _MAX_SAID + 1:
                self._print("further pictures failed; the summary lists all of them.")
        self.bar.update(self._task, advance=1, description=outcome.image)

    def say_stopped(self, out_folder: Path) -> None:
        """What an interruption leaves."""
        kept = f"after {self._kept} of {self._total} pictures, kept in {out_folder}; the same command goes on from there" if self._kept else ""
        self._print(f"stopped {kept}." if kept else "stopped; nothing was written.")

    def _print(self, sentence: str) -> None:
        self.bar.console.print(f"depthbridge: {sentence}", markup=False, soft_wrap=True)


def _say(summary: AnnotateSummary) -> None:
    """What a user should read, on stderr, a line each."""
    if summary.resumed:
        click.echo(f"depthbridge: {summary.resumed} of {len(summary.frames)} pictures were done before.", err=True)
    flipped = summary.flipped
    if flipped:
        names = ", ".join(frame.image for frame in flipped[:3]) + (", ..." if len(flipped) > 3 else "")
        click.echo(f"depthbridge: the masks of {len(flipped)} pictures seem to be upside down: {names}", err=True)
    data = summary.to_json()
    if data["objects_without_distance"]:
        text = f"{data['objects_without_distance']} of {data['objects']} objects have no distance; each says its reason in {summary.written}."
        click.echo(f"depthbridge: {text}", err=True)
    objects, whole = summary.totals.of_objects, summary.totals.whole
    if summary.totals.known:
        parts = [f"{name} AbsRel {each.abs_rel:.3f}, RMSE {each.rmse_m:.3g} m, delta1 {each.delta1:.1%} ({each.pixels:,} pixels)"
                 for name, each in (("objects", objects), ("whole pictures", whole)) if each.pixels]  # fmt: skip
        click.echo(f"depthbridge: against the true depth: {'; '.join(parts)}.", err=True)
