# SPDX-License-Identifier: Apache-2.0
"""``depthbridge engines``: what is compiled and converted for this machine; doing it ahead of time, listing it, clearing it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..engines.errors import DepthbridgeError, ModelError, OutputError
from ..engines.progress import Progress
from .engine_options import EngineOptions, engine_options, open_engine

if TYPE_CHECKING:
    from ..engines.prepared.engine_cache import CacheEntry, EngineCache
    from ..engines.prepared.int8 import Int8Result



@click.group()
def command() -> None:
    """Compile and convert models for this machine ahead of time; list and clear what is kept.

    Nothing here is needed: a model that is opened prepares what it lacks. It takes that wait to a time of your choosing.
    """


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable, on stdout.")
def list_engines(as_json: bool) -> None:
    """What is kept: for which model, library, device, precision and shapes, how large, and when it was last used."""
    cache = _cache()
    entries = cache.entries()
    if as_json:
        click.echo(json.dumps([_facts(entry) for entry in entries], indent=2))
        return
    if not entries:
        click.echo(f"Nothing is kept in {cache.folder}.")
        return
    _print_table(entries)
    total = sum(entry.size for entry in entries)
    click.echo(f"{_counted(len(entries))}, {_size(total)}, in {cache.folder}.", err=True)


@command.command()
@click.argument("model", metavar="MODEL")
@click.option("--sizes", metavar="LIST", help="Network inputs to prepare for: 308,364,518 (resolutions) or 504x280 (width x height).")
@click.option(
    "--int8",
    "int8_folder",
    metavar="FOLDER",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Make the INT8 form first, calibrated on the pictures in this folder; its loss is told.",
)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable, on stdout.")
@engine_options
def build(model: str, sizes: str | None, int8_folder: Path | None, as_json: bool, options: EngineOptions) -> None:
    """Prepare what opening MODEL (an id or an ONNX file) would prepare, so that the first picture does not wait for it.

    Ctrl-C leaves nothing half-built.
    """
    from ..engines.prepared.engine_cache import ENVIRONMENT_VARIABLE
    from ..engines.runtimes.targets import Precision

    wanted = _parse_sizes(sizes)
    options.wish  # noqa: B018 - a word nobody knows is told before anything is done
    if int8_folder is not None:
        if options.precision not in ("auto", Precision.INT8):
            raise click.UsageError(f"--int8 makes an INT8 form; leave out --precision {options.precision}.")
        options = EngineOptions(options.device, options.runtime, str(Precision.INT8), options.threads)
    cache = _cache()
    before = {entry.folder: entry.built for entry in cache.entries()}
    with _told(1 + len(wanted) + (int8_folder is not None)) as (say, step):
        int8 = {} if int8_folder is None else _make_int8(model, int8_folder, options, cache, say)
        if int8:
            step()
        runs_on, kept = _open_at(model, options, wanted, say, step)
    if not kept:
        raise OutputError(
            f"What {model} needs on {runs_on} could not be kept in {cache.folder}; mend that folder, or name another in the environment as "
            f"{ENVIRONMENT_VARIABLE}."
        )
    fresh = [entry for entry in cache.entries() if before.get(entry.folder) != entry.built]
    if as_json:
        losses = {name: _int8_facts(result) for name, result in int8.items()}
        click.echo(json.dumps({"runs_on": runs_on, "built": [_facts(entry) for entry in fresh], "int8": losses}, indent=2))
        return
    for name, result in int8.items():
        _print_int8(name, result)
    if fresh:
        _print_table(fresh)
        click.echo(f"{model} is ready on {runs_on}: {_counted(len(fresh))} made.")
    else:
        click.echo(f"{model} on {runs_on}: nothing had to be prepared (it needs nothing, or is kept already).")


@command.command()
@click.argument("model", metavar="[MODEL]", required=False)
@click.option("--stale", is_flag=True, help="Only of models that are gone or changed, and of libraries that were replaced.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable, on stdout.")
def clear(model: str | None, stale: bool, yes: bool, as_json: bool) -> None:
    """Remove what is kept: all of it, that of one MODEL (an id or an ONNX file), or what is stale. It is made again when needed."""
    from ..engines.prepared.stale import stale_entries

    cache = _cache()
    entries = stale_entries(cache) if stale else cache.entries()
    if model is not None:
        names = _names_of(model, cache)
        entries = [entry for entry in entries if names & {entry.key.model_name, entry.key.model_sha256}]
    chosen = {entry.folder for entry in entries}
    if entries and not yes:
        _ask(entries, as_json)
    everything = model is None and not stale
    removed = cache.clear() if everything else cache.clear(only=lambda entry: entry.folder in chosen)
    busy = len(entries) - removed
    if as_json:
        click.echo(json.dumps({"removed": removed, "in_use": max(0, busy), "bytes": sum(entry.size for entry in entries)}))
        return
    what = "stale " if stale else ""
    click.echo(f"Removed {removed} {what}{'entry' if removed == 1 else 'entries'} ({_size(sum(entry.size for entry in entries))}).")
    if busy > 0:
        click.echo(f"{_counted(busy)} stayed: another program is at work there.", err=True)


# ---- inside -------------------------------------------------------------------------------------------------------------


def _cache() -> EngineCache:
    from ..engines.prepared.engine_cache import ENVIRONMENT_VARIABLE, EngineCache

    cache = EngineCache.default()
    if cache is None:
        raise OutputError(f"The folder for prepared engines is not known here; name one in the environment as {ENVIRONMENT_VARIABLE}.")
    return cache


def _parse_sizes(text: str | None) -> list[tuple[int, int | None]]:
    """(resolution, None) or (width, height) for each word of the list."""
    from ..engines.preprocess import PATCH

    found: list[tuple[int, int | None]] = []
    for word in (text or "").replace("|", ",").split(","):
        if not word.strip():
            continue
        parts = word.strip().lower().split("x")
        if len(parts) > 2 or not all(part.strip().isascii() and part.strip().isdigit() for part in parts):
            raise click.UsageError(f"--sizes takes resolutions (308,518) or WIDTHxHEIGHT (504x280), not {word.strip()!r}.")
        numbers = [int(part) for part in parts]
        wrong = next((number for number in numbers if number % PATCH or not PATCH <= number <= 4032), None)
        if wrong is not None:
            raise click.UsageError(f"--sizes: {wrong} is no multiple of {PATCH} from {PATCH} to 4032, which this family of models takes.")
        found.append((numbers[0], numbers[1] if len(numbers) == 2 else None))
    return list(dict.fromkeys(found))


def _open_at(
    model: str, options: EngineOptions, sizes: Sequence[tuple[int, int | None]], say: Progress, step: Callable[[], None]
) -> tuple[str, bool]:
    """Opens the model as any command would, and runs it once at each size; what it runs on, and whether what that took is kept."""
    from ..engines.cancel import CancelToken
    from ..engines.model_spec import InputPolicy
    from ..engines.prepared.engine_cache import NOT_KEPT

    with open_engine(model, options, progress=say) as engine:
        info = engine.info
        for note in info.notes:
            say(note)
    step()
    if sizes and None not in info.fixed_size:
        say(f"{model} takes no size but {info.fixed_size[1]}x{info.fixed_size[0]}, which is ready; --sizes has no effect.")
        sizes = ()
    for width, height in sizes:
        say(f"{model} at {width if height is None else f'{width}x{height}'}")
        across, down = (width, width) if height is None else (width, height)
        lower = info.input_policy.method.value.startswith(("lower", "da2"))
        policy = InputPolicy(info.input_policy.method, (min if lower else max)(across, down))
        with open_engine(model, options, policy=policy, progress=say) as engine:
            engine.warm_up(across, down, cancel=CancelToken())
        step()
    return f"{info.runtime} {info.device} {info.precision}", not any(note.endswith(NOT_KEPT) for note in info.notes)


def _make_int8(model: str, folder: Path, options: EngineOptions, cache: EngineCache, say: Progress) -> dict[str, Int8Result]:
    """The INT8 forms for the runtimes asked for, by their names."""
    from ..engines.cancel import CancelToken, call_stoppable
    from ..engines.frames import PICTURE_SUFFIXES
    from ..engines.model_store import resolve
    from ..engines.prepared.int8 import int8_file
    from ..engines.runtimes.opening import candidates

    pictures = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith("."))
    if not pictures:
        raise ModelError(f"{folder} holds no pictures; INT8 is calibrated on pictures like those the model will see.")
    path, cancel = resolve(model).path, CancelToken()
    runtimes = dict.fromkeys(target.runtime for target in candidates(path, options.wish))

    def work() -> dict[str, Int8Result]:
        return {str(name): int8_file(path, pictures, cache, runtime=name, progress=say, cancel=cancel) for name in runtimes}

    return call_stoppable(work, cancel)


def _names_of(model: str, cache: EngineCache) -> set[str]:
    """What entries of ``model`` are called; a model that is gone is known by the name of its file alone."""
    from ..engines.model_store import resolve
    from ..engines.prepared.engine_cache import model_sha256

    try:
        path = resolve(model).path
    except DepthbridgeError:
        return {model, Path(model).name}
    return {path.name, model_sha256(path, cache)} if path.name != "model.onnx" else {model_sha256(path, cache)}


def _ask(entries: Sequence[CacheEntry], as_json: bool) -> None:
    if not sys.stdin.isatty():
        raise OutputError("Nobody is here to say yes; add --yes.")
    if not as_json:
        _print_table(entries)
    click.confirm(f"Remove {_counted(len(entries))} ({_size(sum(entry.size for entry in entries))})?", abort=True, err=True)


@contextmanager
def _told(total: int) -> Iterator[tuple[Progress, Callable[[], None]]]:
    """A way to say what is being done and one to say that a part is done: a bar on a terminal, lines elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    columns = (BarColumn(bar_width=20), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Bars(*columns, console=console, disable=not console.is_terminal) as bars:
        task = bars.add_task("", total=total)

        def say(text: str) -> None:
            if console.is_terminal:
                bars.update(task, description=text)
            else:
                click.echo(f"depthbridge: {text}", err=True)

        yield say, lambda: bars.advance(task)


def _print_table(entries: Sequence[CacheEntry]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("model", "runtime", "device", "precision", "shapes", "size", "built", "used"):
        table.add_column(title, justify="right" if title in ("size", "built", "used") else "left", overflow="fold")
    now = time.time()
    for entry in entries:
        key = entry.key
        ages = (_age(now - entry.built), _age(now - entry.used))
        table.add_row(key.model_name, key.runtime, key.device, key.precision, key.profile, _size(entry.size), *ages)
    # A pipe or file has no width to obey; a cut name would be of no use there.
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def _print_int8(runtime: str, result: Int8Result) -> None:
    for name, loss in result.by_picture:
        click.echo(f"{loss:8.2%}  {name}")
    click.echo(
        f"{result.loss:8.2%}  median deviation of INT8 in {runtime} from float32, on {len(result.by_picture)} pictures that were not among the "
        f"{result.calibrated_on} it was calibrated on"
    )


def _int8_facts(result: Int8Result) -> dict[str, Any]:
    return {"loss": result.loss, "by_picture": dict(result.by_picture), "calibrated_on": result.calibrated_on, "path": str(result.path)}


def _facts(entry: CacheEntry) -> dict[str, Any]:
    key = entry.key
    return {
        "model": key.model_name,
        "model_sha256": key.model_sha256,
        "runtime": key.runtime,
        "device": key.device,
        "precision": key.precision,
        "profile": key.profile,
        "bytes": entry.size,
        "built": entry.built,
        "used": entry.used,
        "took_s": entry.took_s,
        "folder": str(entry.folder),
    }


def _counted(count: int) -> str:
    return f"{count} prepared {'engine' if count == 1 else 'engines'}"


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count} bytes"


def _age(seconds: float) -> str:
    for unit, name in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= unit:
            return f"{seconds / unit:.0f} {name}"
    return "now"
