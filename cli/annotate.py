# SPDX-License-Identifier: Apache-2.0
"""``depthbridge annotate``: distances for the objects of a capture folder."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command(name="annotate")
@click.argument("capture", type=click.Path(path_type=Path))
@click.option("--out", "out_folder", required=True, type=click.Path(path_type=Path), metavar="DIR", help="For annotations.json.")
@click.option("--model", default="depthbridge-mini", show_default=True, metavar="ID|FILE", help="A metric model, or a file.")
@click.option("--device", default="auto", show_default=True, help="Where the model runs.")
@click.option("--force", is_flag=True, help="Replace an annotations.json that is already in DIR.")
def command(capture: Path, out_folder: Path, model: str, device: str, force: bool) -> None:
    """Add distances to the annotations of the folder CAPTURE, which itself is never changed.

    DIR/annotations.json becomes a copy of the capture's with fields added; one JSON line of summary is printed. Bad pictures are
    passed over and listed: the exit status is 2 when any was, and when none was good nothing is written.
    """
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    from ..engines.engine import DepthEngine
    from ..engines.errors import CaptureError
    from ..unity_bridge.captures.annotate import FrameOutcome, annotate_capture
    from ..unity_bridge.captures.capture import Capture

    total = len(Capture.open(capture).frames)  # before a model is loaded for nothing
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn(), TimeRemainingColumn())
    with DepthEngine.open(model, device=device) as engine, Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("Measuring", total=total)

        def advance(outcome: FrameOutcome) -> None:
            progress.update(task, advance=1, description=outcome.image)

        summary = annotate_capture(capture, out_folder, engine, overwrite=force, on_frame=advance)
    click.echo(json.dumps(summary.to_json(), ensure_ascii=False))
    if summary.failed:
        first = summary.failed[0]
        raise CaptureError(
            f"{len(summary.failed)} of {total} pictures could not be used, the others are in {summary.written}; "
            f"{first.image}: {first.error}"
        )
