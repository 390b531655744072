# SPDX-License-Identifier: Apache-2.0
"""``depthbridge evaluate``: how far models are from the truth of a data set."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .engine_options import EngineOptions, engine_options, open_engine

if TYPE_CHECKING:
    from ..engines.engine import DepthEngine
    from ..engines.model_spec import InputPolicy
    from .evaluation.candidates import Candidate
    from .evaluation.run import Row

_AUTO = "auto"


def _parse_size(context: click.Context, parameter: click.Parameter, value: int | None) -> int | None:
    """A resolution that networks of this family take."""
    if value is not None and (value % 14 or not 14 <= value <= 4032):
        raise click.BadParameter(f"{value} is no multiple of 14 from 14 to 4032, which this family of models takes.")
    return value


@click.command()
@click.argument("dataset", type=click.Path(path_type=Path), metavar="DATASET")
@click.option("--model", "models", multiple=True, metavar="ID|FILE", help="A model; may be given again. By default depthbridge-mini.")
@click.option(
    "--align",
    type=click.Choice([_AUTO, "none", "scale", "scale-shift"]),
    default=_AUTO,
    show_default=True,
    help="What is fitted to the truth, once per picture. auto: what each model lacks: nothing for metres, a scale for relative depth, scale "
    "and shift for disparity.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Folder for the results; made if missing.")
@click.option("--layout", metavar="NAME", help="How DATASET is laid out, where that is not recognised.")
@click.option("--fov-v", type=float, metavar="DEG", help="Vertical field of view of pictures whose camera the data set does not say.")
@click.option("--size", callback=_parse_size, type=int, metavar="PX", help="Network resolution, a multiple of 14; the model's own by default.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N pictures.")
@engine_options
@click.option("--force", is_flag=True, help="Start anew and replace what is already in DIR.")
def command(
    dataset: Path,
    models: tuple[str, ...],
    align: str,
    out: Path,
    layout: str | None,
    fov_v: float | None,
    size: int | None,
    limit: int | None,
    options: EngineOptions,
    force: bool,
) -> None:
    """Measure models on DATASET, pictures with true depth, side by side.

    DATASET is a folder of pictures and depth, a capture folder, or NYU Depth v2, KITTI, Virtual KITTI 2, Hypersim or SUN RGB-D as their
    owners distribute them; docs/evaluate.md says what each needs. Prints a table; DIR gets evaluation.json, pictures.csv and
    evaluation.html, a page with plots and the pictures that went worst and best.

    Pictures that cannot be used are passed over and listed, and the exit status is 2 when any was. Stopped with Ctrl+C, or killed, the same
    command goes on where it was.
    """
    warnings.filterwarnings("ignore", module="PIL")  # what matters of a picture comes as a sentence of our own
    from ..engines.camera import CameraIntrinsics
    from ..engines.depth_metrics import Alignment
    from .evaluation.candidates import find_candidates
    from .evaluation.datasets.opening import open_dataset
    from .evaluation.evaluation import Order, evaluation
    from .evaluation.interrupt import remembering_interrupts
    from .evaluation.samples import DatasetError
    from .evaluation.terminal import Watch, print_table, say_what_it_is

    def opened(model: str) -> DepthEngine:
        return open_engine(model, options, policy=_policy(model, size))

    if fov_v is not None:
        CameraIntrinsics.from_vertical_fov(fov_v, 1000, 1000)  # a wrong angle is wrong for every picture
    wanted = None if align == _AUTO else Alignment(align)
    candidates = find_candidates(models or ("depthbridge-mini",), wanted, opened)
    data = open_dataset(dataset, layout)
    order = Order(data, dataset, candidates, _words(options, size), fov_v, limit, force)

    def seen(candidate: Candidate, row: Row) -> None:
        watch.see(candidate, row)
        check()

    watch = Watch(len(data.names()[:limit]) * len(candidates))
    try:
        with remembering_interrupts() as check, watch.bar, evaluation(order, out, opened, seen) as (run, totals):
            watch.bar.stop()
            print_table(run, totals, dataset.resolve().name)
            say_what_it_is(run, totals)
            failed = len({name for _, name in run.failed})
    except KeyboardInterrupt:
        watch.say_stopped(out)
        click.get_current_context().exit(130)
    click.echo(f"depthbridge: results are in {out}; open {out / 'evaluation.html'} in a browser.", err=True)
    if failed:
        raise DatasetError(
            f"{failed} of {len(run.names)} pictures could not be used; mend them and run the same command: only they are done again."
        )


def _words(options: EngineOptions, size: int | None) -> dict[str, str | int | None]:
    return {"device": options.device, "runtime": options.runtime, "precision": options.precision, "size": size}


def _policy(model: str, size: int | None) -> InputPolicy | None:
    """The model's own way of resizing, at another resolution."""
    if size is None:
        return None
    from ..engines.model_paths import is_engine_file
    from ..engines.model_spec import InputPolicy
    from ..engines.model_store import resolve
    from ..engines.recognise import recognise

    resolved = resolve(model)
    if is_engine_file(resolved.path):
        return None  # compiled for its sizes
    return InputPolicy(recognise(resolved.path, resolved.spec).spec.input.method, size)
