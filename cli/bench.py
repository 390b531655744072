# SPDX-License-Identifier: Apache-2.0
"""``depthbridge bench``: frames per second of every runtime on this machine, from one run that takes them in turns."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..engines.errors import OutputError

if TYPE_CHECKING:
    from ..engines.tuning.benchmark import BenchReport, TargetReport, Workload


def _parse_size(context: click.Context, parameter: click.Parameter, value: str) -> tuple[int, int]:
    """``1920x1080``: width and height."""
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", value.strip().lower())
    if match is None or int(match[1]) < 14 or int(match[2]) < 14 or int(match[1]) * int(match[2]) > 100_000_000:
        raise click.BadParameter(f"{value!r} is no picture size; write it as WIDTHxHEIGHT, such as 1920x1080.")
    return int(match[1]), int(match[2])


def _parse_runtimes(context: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    """``all``, or runtimes with commas between them."""
    words = tuple(dict.fromkeys(word.strip().lower() for word in value.split(",") if word.strip()))
    if not words:
        raise click.BadParameter("name a runtime, or all.")
    return words


@click.command()
@click.option("--model", default="depthbridge-mini", show_default=True, metavar="ID|FILE", help="Catalogue id, or an ONNX file.")
@click.option("--size", callback=_parse_size, default="1920x1080", show_default=True, metavar="WxH", help="Of the picture, in pixels.")
@click.option(
    "--runtime", "runtimes", callback=_parse_runtimes, default="all", show_default=True, metavar="LIST",
    help="all that are installed, or some: onnxruntime,openvino,onnxruntime-tensorrt,tensorrt; auto is what is compared when one is chosen.",
)  # fmt: skip
@click.option("--device", default="auto", show_default=True, help="Only this device: cpu, cuda, cuda:1, directml, coreml.")
@click.option("--precision", default="auto", show_default=True, help="Only this one: fp32, bf16, fp16, int8.")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads; the runtime's choice by default.")
@click.option("--frames", type=click.IntRange(min=3), default=20, show_default=True, help="Rounds; each takes every runtime in turn.")
@click.option("--no-first-frame", is_flag=True, help="Leave out the new program for each runtime that tells first frame and memory.")
@click.option("--json", "json_to", metavar="FILE|-", help="Also as JSON, into a new file; or, with -, as JSON alone on stdout.")
def command(
    model: str,
    size: tuple[int, int],
    runtimes: tuple[str, ...],
    device: str,
    precision: str,
    threads: int | None,
    frames: int,
    no_first_frame: bool,
    json_to: str | None,
) -> None:
    """Measure every runtime that is installed, side by side.

    All are opened, and then a picture goes through each of them in turn, so that whatever else the machine does slows all alike: compare
    figures of one run, not of two. Medians, in milliseconds: the whole of a picture (total), its parts, the runtime alone on the same tensor
    (bare), and how many times the bare runtime the whole takes (overhead).
    """
    from ..engines.model_store import resolve
    from ..engines.prepared.engine_cache import EngineCache
    from ..engines.recognise import recognise
    from ..engines.tuning.benchmark import Workload, run_benchmark, wanted_targets

    target_file = None if json_to in (None, "-") else Path(str(json_to))
    if target_file is not None and target_file.exists():
        raise OutputError(f"Cannot write {target_file}: it exists already; choose another name.")
    if target_file is not None and not target_file.parent.is_dir():
        raise OutputError(f"Cannot write {target_file}: the folder does not exist; create it or check the path.")
    resolved = resolve(model)
    targets = wanted_targets(resolved.path, runtimes, device, precision)
    recognised = recognise(resolved.path, resolved.spec)
    work = Workload(model, resolved.path, recognised, recognised.spec.input, size, frames, threads)
    report = run_benchmark(work, targets, cache=EngineCache.default(), fresh=not no_first_frame, progress=_say)
    facts = json.dumps(_facts(work, report), indent=2, allow_nan=False)
    if json_to == "-":
        click.echo(facts)
        return
    _print(work, report)
    if target_file is not None:
        from ..engines.atomic import atomic_path

        with atomic_path(target_file) as temporary:
            temporary.write_text(facts + "\n", encoding="utf-8")


def _say(sentence: str) -> None:
    click.echo(f"depthbridge: {sentence}", err=True)


def _print(work: Workload, report: BenchReport) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    first = report.targets[0]
    networks = sorted({f"{width}x{height}" for width, height in (each.network_size for each in report.targets)})
    console.print(
        f"{work.recognised.spec.id}, pictures of {work.size[0]}x{work.size[1]}, network input {' and '.join(networks)}, "
        f"{work.frames} rounds; milliseconds, medians", markup=False, soft_wrap=True,
    )  # fmt: skip
    table = Table(box=None, pad_edge=False)
    table.add_column("runtime", no_wrap=True)
    for title in ("frames/s", "total", "±", "preprocess", "infer", "postprocess", "bare", "overhead", "of fastest", "first frame", "memory"):
        table.add_column(title, justify="right")
    for each in report.targets:
        table.add_row(*_row(each, first))
    console.print(table)
    for each in report.targets:
        if each.first is not None and each.first.error is not None:
            _say(f"{each.target} in a new program: {each.first.error}")
        for note in each.notes:
            _say(f"{each.target}: {note}")
    for target, reason in report.failed:
        _say(f"{target} failed: {reason}")


def _row(each: TargetReport, fastest: TargetReport) -> list[str]:
    first = each.first
    return [
        f"{each.library} {each.target.device} {each.target.precision}",
        f"{each.frames_per_s:.3g}",
        *(f"{value:.2f}" for value in (each.total_ms, each.spread_ms, each.preprocess_ms, each.infer_ms, each.postprocess_ms, each.bare_ms)),
        f"{each.overhead:.3f} x",
        f"{each.total_ms / fastest.total_ms:.2f} x",
        "-" if first is None or first.seconds is None else f"{first.seconds:.2f} s",
        "-" if first is None or first.memory_mb is None else f"{first.memory_mb:.0f} MB",
    ]


def _facts(work: Workload, report: BenchReport) -> dict[str, Any]:
    """The report as JSON has it; durations in milliseconds unless the name says otherwise."""
    from ..engines.runtimes.hardware import gpus
    from ..engines.tuning.libraries import library_versions
    from ..engines.tuning.machine import this_processor

    return {
        "model": work.recognised.spec.id,
        "picture": list(work.size),
        "rounds": work.frames,
        "threads": work.threads,
        "processor": str(this_processor()),
        "graphics": [str(gpu) for gpu in gpus()],
        "libraries": library_versions(),
        "targets": [_target_facts(each) for each in report.targets],
        "failed": [{**_words(target), "reason": reason} for target, reason in report.failed],
    }


def _words(target: Any) -> dict[str, str]:
    return {"runtime": str(target.runtime), "device": target.device, "precision": str(target.precision)}


def _target_facts(each: TargetReport) -> dict[str, Any]:
    first = each.first
    return {
        **_words(each.target),
        "library": each.library,
        "network_input": list(each.network_size),
        "frames_per_s": each.frames_per_s,
        "total_ms": each.total_ms,
        "total_spread_ms": each.spread_ms,
        "preprocess_ms": each.preprocess_ms,
        "infer_ms": each.infer_ms,
        "postprocess_ms": each.postprocess_ms,
        "bare_ms": each.bare_ms,
        "overhead": each.overhead,
        "first_frame_s": None if first is None else first.seconds,
        "open_s": None if first is None else first.open_s,
        "memory_mb": None if first is None else first.memory_mb,
        "first_frame_error": None if first is None else first.error,
        "notes": list(each.notes),
    }
