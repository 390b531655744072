# SPDX-License-Identifier: Apache-2.0
"""``depthbridge doctor``: what runs models here, what is chosen and why, and what would be faster."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pathlib import Path

    from ..engines.tuning.diagnosis import Diagnosis, ModelChoice


@click.command()
@click.option("--model", default="depthbridge-mini", show_default=True, metavar="ID|FILE", help="For which model.")
@click.option("--measure", is_flag=True, help="Measure which runtime is fastest for it now, and remember that.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable, on stdout.")
@click.pass_context
def command(context: click.Context, model: str, measure: bool, as_json: bool) -> None:
    """Tell what runs models on this machine, and what would make it faster.

    Exit status 2 when nothing here can run the model.
    """
    from ..engines.prepared.engine_cache import EngineCache
    from ..engines.tuning.diagnosis import diagnose

    found = diagnose(model, cache=EngineCache.default(), measure=measure, progress=_say)
    if as_json:
        click.echo(json.dumps(_facts(found), indent=2, allow_nan=False))
    else:
        _print(found)
    # Several candidates that nobody has measured yet are no failure.
    if found.choice.problem is not None or not found.targets:
        context.exit(2)


def _say(sentence: str) -> None:
    click.echo(f"depthbridge: {sentence}", err=True)


# ---- for people ---------------------------------------------------------------------------------------------------------


def _print(found: Diagnosis) -> None:
    _section("Machine", _machine_lines(found))
    _section("Libraries", _library_lines(found))
    _section(f"Model {found.choice.model}", _choice_lines(found))
    if found.choice.measured:
        _print_measured(found.choice)
    _section("What would be faster" if found.targets else "What to install", [f"{each.missing.remedy} {each.why}" for each in found.faster])
    _section("Never executed by this project", list(found.untried))
    _section("Folders", _folder_lines(found))


def _section(title: str, lines: list[str]) -> None:
    if lines:
        click.echo(click.style(title, bold=True))
        for line in lines:
            click.echo(f"  {line}")


def _machine_lines(found: Diagnosis) -> list[str]:
    lines = [str(found.processor)]
    if found.processor.features is not None:
        has = "multiplies in BF16" if "BF16" in found.processor.features else "has no BF16"
        lines.append(f"The processor {has} and {'has' if 'VNNI' in found.processor.features else 'has no'} VNNI (for INT8).")
    lines += [str(gpu) for gpu in found.graphics] or ["No driver for an NVIDIA graphics card answers."]
    return [*lines, f"Python {sys.version.split()[0]}"]


def _library_lines(found: Diagnosis) -> list[str]:
    lines = [f"{name} {version}" for name, version in {**found.libraries, **found.helpers}.items()]
    lines = lines or ["No library that runs models is installed."]
    for module, why in found.broken.items():
        package = next((name for name in found.libraries if name.partition("-")[0] == module), module)  # onnxruntime-gpu loads as onnxruntime
        lines.append(f"{package} is installed but does not load: {why.rstrip('.')}.")
        lines.append(f"  Installing it again may mend that: pip install --force-reinstall {package}")
    return [*lines, *found.troubles]


def _choice_lines(found: Diagnosis) -> list[str]:
    choice = found.choice
    if choice.problem is not None:
        return [choice.problem]
    lines = [f"Can be run by: {', '.join(map(str, found.targets)) or 'nothing that is installed'}."]
    if choice.chosen is not None:
        lines.append(f"`auto` is {choice.chosen}. {choice.reason}")
    elif found.targets:
        lines.append(f"`auto` is not settled. {choice.reason}")
    lines += [f"{each.target} was passed over: {each.reason}" for each in choice.failed]
    return [*lines, *(["Once that is mended, --measure tries it again."] if choice.failed else [])]


def _print_measured(choice: ModelChoice) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=True)
    table.add_column("  runtime", no_wrap=True)
    for title in ("ms a run", "of fastest", "first run"):
        table.add_column(title, justify="right")
    fastest = min(each.timing.median_ms for each in choice.measured)
    for each in choice.measured:
        timing = each.timing
        told = (f"  {each.target}", f"{timing.median_ms:.1f}", f"{timing.median_ms / max(fastest, 1e-9):.2f} x", f"{timing.first_ms:.0f} ms")
        table.add_row(*told)
    Console(width=None if sys.stdout.isatty() else 120, highlight=False).print(table)


def _folder_lines(found: Diagnosis) -> list[str]:
    kept = "No cache folder is known here" if found.cache_folder is None else f"Compiled engines and measurements: {found.cache_folder}"
    size = "" if found.cache_bytes is None else f" ({found.cache_bytes / 1e6:.1f} MB)"
    lines = [kept + size]
    models = _models_folder()
    lines += [] if models is None else [f"Models: {models}"]
    return [*lines, *(f"{name}={value}" for name, value in found.environment.items())]


def _models_folder() -> Path | None:
    from ..engines.errors import ModelError
    from ..engines.model_paths import default_models_dir

    try:
        return default_models_dir()
    except ModelError:
        return None


# ---- for machines -------------------------------------------------------------------------------------------------------


def _facts(found: Diagnosis) -> dict[str, Any]:
    choice = found.choice
    models = _models_folder()
    return {
        "processor": {
            "name": found.processor.name,
            "threads": found.processor.threads,
            "features": None if found.processor.features is None else list(found.processor.features),
        },
        "graphics": [str(gpu) for gpu in found.graphics],
        "libraries": {**found.libraries, **found.helpers},
        "broken": found.broken,
        "troubles": list(found.troubles),
        "targets": [_target(target) for target in found.targets],
        "untried": list(found.untried),
        "model": {
            "id": choice.model,
            "path": None if choice.path is None else str(choice.path),
            "problem": choice.problem,
            "auto": None if choice.chosen is None else _target(choice.chosen),
            "reason": choice.reason,
            "measured": [
                {**_target(each.target), "median_ms": each.timing.median_ms, "first_ms": each.timing.first_ms} for each in choice.measured
            ],
            "failed": [{**_target(each.target), "reason": each.reason} for each in choice.failed],
        },
        "faster": [
            {"runtime": str(each.missing.runtime), "device": each.missing.device, "remedy": each.missing.remedy, "why": each.why}
            for each in found.faster
        ],
        "cache": None if found.cache_folder is None else {"folder": str(found.cache_folder), "bytes": found.cache_bytes},
        "models": None if models is None else str(models),
        "environment": found.environment,
    }


def _target(target: Any) -> dict[str, str]:
    return {"runtime": str(target.runtime), "device": target.device, "precision": str(target.precision)}
