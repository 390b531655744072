# SPDX-License-Identifier: Apache-2.0
"""What runs the model, as every command that runs one is told: device, library, precision, threads. All of it has a good default."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from ..engines.cancel import CancelToken
from ..engines.progress import Progress
from ..engines.runtimes.targets import AUTO, DEVICE_WORDS, Precision, RuntimeName, Wish

if TYPE_CHECKING:
    from ..engines.engine import DepthEngine
    from ..engines.model_spec import InputPolicy


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """The words given, ``auto`` where none were; ``threads`` None leaves them to the library."""

    device: str = AUTO
    runtime: str = AUTO
    precision: str = AUTO
    threads: int | None = None

    @property
    def wish(self) -> Wish:
        """What these words ask for. Raises :class:`RuntimeUnavailableError` for an unknown one, naming those that are known."""
        return Wish.parse(self.device, self.runtime, self.precision).or_environment()


_OPTIONS = (
    click.option("--device", default=AUTO, show_default=True, metavar="WORD", help=f"Where the model runs: {DEVICE_WORDS}."),
    click.option(
        "--runtime",
        default=AUTO,
        show_default=True,
        metavar="WORD",
        help=f"The library that runs it: {', '.join(RuntimeName)}. auto measures once what is fastest here (depthbridge doctor tells).",
    ),
    click.option(
        "--precision",
        default=AUTO,
        show_default=True,
        metavar="WORD",
        help=f"What it computes in: {', '.join(Precision)}. auto stays within 1 % of fp32.",
    ),
    click.option("--threads", type=click.IntRange(min=1), help="CPU threads; the library's choice by default."),
)


def engine_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a click command ``--device``, ``--runtime``, ``--precision`` and ``--threads``; it receives ``options: EngineOptions``."""

    @functools.wraps(function)
    def gathering(*args: Any, device: str, runtime: str, precision: str, threads: int | None, **others: Any) -> Any:
        return function(*args, options=EngineOptions(device, runtime, precision, threads), **others)

    command: Callable[..., Any] = gathering
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def open_engine(
    model: str, options: EngineOptions, *, policy: InputPolicy | None = None, progress: Progress | None = None
) -> DepthEngine:
    """The engine. What takes its time (compiling, measuring) is told to ``progress``, else on stderr; Ctrl-C stops it. Raises as
    :meth:`DepthEngine.open`."""
    from ..engines.engine import DepthEngine

    return DepthEngine.open(
        model,
        device=options.device,
        runtime=options.runtime,
        precision=options.precision,
        threads=options.threads,
        policy=policy,
        progress=progress or (lambda line: click.echo(f"depthbridge: {line}", err=True)),
        cancel=CancelToken(),
    )
