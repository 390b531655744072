# SPDX-License-Identifier: Apache-2.0
"""``depthbridge models``: list, fetch, verify and add models."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..engines.catalog import load_catalog
from ..engines.errors import DownloadError, ModelError
from ..engines.model_paths import ENVIRONMENT_VARIABLE, default_models_dir
from ..engines.model_spec import Family, ModelSpec

if TYPE_CHECKING:
    from ..engines.download import Progress
    from ..engines.fetch import FetchPlan
    from ..engines.model_store import InstalledModel

_FREE_LICENCES = ("Apache-2.0", "CC0-1.0", "MIT")


@click.group()
@click.option(
    "--models-dir",
    type=click.Path(path_type=Path),
    help=f"Folder of the models; otherwise the environment's {ENVIRONMENT_VARIABLE}, otherwise your data folder.",
)
@click.pass_context
def command(context: click.Context, models_dir: Path | None) -> None:
    """List, fetch, verify and add models. Only `fetch` uses the network."""
    context.obj = default_models_dir() if models_dir is None else models_dir


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable, on stdout.")
@click.pass_obj
def list_models(models_dir: Path, as_json: bool) -> None:
    """The known models and those you added; which are installed, and under which licence."""
    from ..engines.model_store import installed

    here = {model.id: model for model in installed(models_dir)}
    known = [spec for spec in load_catalog()]
    own = [model for model in here.values() if model.id not in {spec.id for spec in known}]
    if as_json:
        rows = [_facts(spec, here.get(spec.id)) for spec in known] + [_own_facts(model) for model in own]
        click.echo(json.dumps(rows, indent=2))
        return
    _print_table(known, own, here)
    click.echo(f"Models are kept in {models_dir}. `depthbridge models info ID` tells more.", err=True)


@command.command()
@click.argument("model_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable, on stdout.")
@click.pass_obj
def info(models_dir: Path, model_id: str, as_json: bool) -> None:
    """Everything known of one model: output, licence, source, where it lies."""
    from ..engines.model_store import installed

    wanted = model_id.strip().lower()
    here = next((model for model in installed(models_dir) if model.id == wanted), None)
    catalog = load_catalog()
    facts = _own_facts(here) if here is not None and wanted not in catalog else _facts(catalog.get(model_id), here)
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        if value in (None, "", []):
            continue
        for number, line in enumerate(value if isinstance(value, list) else [value]):
            text = ", ".join(f"{key} {item}" for key, item in line.items() if item is not None) if isinstance(line, dict) else line
            click.echo(f"{name.replace('_', ' ') if number == 0 else '':<{width}}  {text}")


@command.command()
@click.argument("model_id", metavar="ID")
@click.option("--yes", is_flag=True, help="Do not ask: you have read the licence.")
@click.option("--accept-change", is_flag=True, help="Take a content that differs from the one pinned at the first download.")
@click.pass_obj
def fetch(models_dir: Path, model_id: str, yes: bool, accept_change: bool) -> None:
    """Download a model, after showing its licence and size. A broken download is resumed by fetching again."""
    from ..engines.fetch import fetch as fetch_planned
    from ..engines.fetch import plan_fetch

    spec = load_catalog().get(model_id)
    plan = plan_fetch(spec, models_dir, accept_change=accept_change)
    _print_plan(plan)
    if plan.missing and not yes:
        _ask(spec)
    with _progress_bar(spec.id) as progress:
        result = fetch_planned(plan, progress=progress)
    for note in result.notes:
        click.echo(note, err=True)
    said = "is installed" if plan.missing else "is installed already, and is what was pinned"
    click.echo(f"{spec.id} {said}: {result.path}")


@command.command()
@click.argument("model_id", metavar="[ID]", required=False)
@click.pass_obj
def verify(models_dir: Path, model_id: str | None) -> None:
    """Compare installed files with what was pinned when they arrived. Exit status 2 when one differs."""
    from ..engines.model_store import FileState
    from ..engines.model_store import verify as verify_files

    checks = verify_files(model_id, models_dir)
    for check in checks:
        how = "ships with Depthbridge, not pinned" if check.pin is None else check.pin.checksum_source
        click.echo(f"{check.state.upper():<8} {check.model_id}  {check.path.name}  ({how})")
    bad = [check for check in checks if check.state is not FileState.OK]
    if bad:
        names = ", ".join(f"{check.model_id} ({check.path.name} {check.state})" for check in bad)
        raise ModelError(f"Not as installed: {names}. Fetch or add these models again (the embedded one comes with a reinstallation).")


@command.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--id", "model_id", help="Under which name to use it; the file's own name otherwise. An id of `list` takes its meaning too.")
@click.option("--family", type=click.Choice([str(family) for family in Family]), help="What its numbers mean, when the file does not tell.")
@click.option("--canonical-focal", type=float, metavar="PX", help="Focal length its depth is for (da3-metric; 300 otherwise).")
@click.option("--max-depth", type=float, metavar="M", help="Largest depth in metres (da2-metric).")
@click.option("--force", is_flag=True, help="Replace an installed model of the same id.")
@click.pass_obj
def add(
    models_dir: Path,
    file: Path,
    model_id: str | None,
    family: str | None,
    canonical_focal: float | None,
    max_depth: float | None,
    force: bool,
) -> None:
    """Copy an ONNX file of your own (and its external weights) into the store."""
    from ..engines.model_import import AddRequest, add_model

    request = AddRequest(file, model_id, None if family is None else Family(family), canonical_focal, max_depth, force)
    added = add_model(request, models_dir)
    for note in added.notes:
        click.echo(note, err=True)
    click.echo(f"{added.spec.id} is installed: {added.path} (family {added.spec.family}, by its {added.evidence})".replace("its --", "--"))


def _print_table(known: list[ModelSpec], own: list[InstalledModel], here: dict[str, InstalledModel]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("id", "here", "gives", "parameters", "licence", "download"):
        table.add_column(title, justify="right" if title in ("parameters", "download") else "left", no_wrap=True)
    for spec in known:
        count = f"{spec.parameters / 1e6:,.1f} M" if spec.parameters else "-"
        download = "comes with it" if spec.embedded else _about(spec) if spec.files else "bring your own"
        table.add_row(spec.id, here[spec.id].origin if spec.id in here else "-", spec.kind, count, _plainly(spec.licence), download)
    for model in own:
        kind, licence = ("-", "-") if model.spec is None else (model.spec.kind, model.spec.licence)
        table.add_row(model.id, model.origin, kind, "-", licence, "your file")
    # A pipe or file has no width to obey; a cut id would be of no use there.
    Console(width=None if sys.stdout.isatty() else 140).print(table)


def _plainly(licence: str) -> str:
    return f"{licence} (non-commercial)" if "-NC" in licence else licence


def _about(spec: ModelSpec) -> str:
    sizes = [file.about_bytes for file in spec.files if file.about_bytes is not None]
    return f"~{sum(sizes) / 1e6:.0f} MB" if sizes else "size unknown"


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count} bytes"


def _facts(spec: ModelSpec, here: InstalledModel | None) -> dict[str, Any]:
    return {
        "id": spec.id,
        "title": spec.title,
        "family": str(spec.family),
        "kind": str(spec.kind),
        "output": spec.output,
        "input": f"{spec.input.method} {spec.input.process_res}",
        "parameters": spec.parameters,
        "parameters_note": spec.parameters_note,
        "canonical_focal_px": spec.canonical_focal_px,
        "max_depth_m": spec.max_depth_m,
        "licence": _plainly(spec.licence),
        "licence_note": spec.licence_note,
        "source_note": spec.source_note,
        "files": [_file_facts(file.path, file.url, file.about_bytes, file.checked) for file in spec.files],
        "how_to_get": spec.how_to_get,
        **_installed_facts(here),
    }


def _file_facts(path: str, url: str, about_bytes: int | None, checked: bool) -> dict[str, Any]:
    return {"path": path, "url": url, "about_bytes": about_bytes, "checked": checked}


def _own_facts(model: InstalledModel) -> dict[str, Any]:
    known = {"id": model.id} if model.spec is None else {key: value for key, value in _facts(model.spec, None).items() if value}
    return known | {"id": model.id, **_installed_facts(model)}


def _installed_facts(here: InstalledModel | None) -> dict[str, Any]:
    if here is None:
        return {"installed": None}
    pins = [{"path": pin.path, "sha256": pin.sha256, "size": pin.size, "checksum": pin.checksum_source} for pin in here.pins]
    return {"installed": str(here.origin), "path": str(here.path), "pins": pins}


def _print_plan(plan: FetchPlan) -> None:
    """Licence and size, before anything is downloaded."""
    spec = plan.spec
    lines = [f"{spec.title} ({spec.id})", f"licence   {_plainly(spec.licence)}"]
    if spec.licence not in _FREE_LICENCES:
        lines.append("          Read it before you use the model or its results for anything commercial.")
    lines += [f"          {spec.licence_note}"] * bool(spec.licence_note)
    lines += [f"source    {spec.source_note}"] * bool(spec.source_note)
    for planned in plan.files:
        size = "size unknown" if planned.published.size is None else _size(planned.published.size)
        checksum = planned.published.checksum
        lines.append(f"file      {planned.file.url} ({size}{', here already' if planned.present else ''})")
        lines.append(f"checksum  {f'{checksum} by {checksum.source}' if checksum is not None else planned.published.note}")
        if not planned.file.checked:
            lines.append("          Depthbridge's makers have not seen this file; its address comes from public documentation.")
    total = plan.bytes_to_download
    if plan.missing:
        lines.append(f"download  {'size unknown' if total is None else _size(total)} into {plan.folder}")
    for line in lines:
        click.echo(line, err=True)


def _ask(spec: ModelSpec) -> None:
    if not sys.stdin.isatty():
        raise DownloadError(f"Nobody is here to agree to the licence of {spec.id}; add --yes once you have read it.")
    click.confirm("Download it?", abort=True, err=True)


@contextmanager
def _progress_bar(title: str) -> Iterator[Progress]:
    """A bar with size, speed and time left on stderr; silent where stderr is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Bars(*columns, console=console, disable=not console.is_terminal) as bars:
        task = bars.add_task(title, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
