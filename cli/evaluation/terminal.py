# SPDX-License-Identifier: Apache-2.0
"""What the command says: the table, what it is of, and which pictures are not in it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .candidates import ALIGNMENTS, Candidate
from .figures import FIGURES, KEYS
from .run import Row, Run
from .totals import Totals

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_MAX_SAID = 20
_NONE = "-"
_PIPED_WIDTH, _ENOUGH = 200, 10_000
_TITLES = [f"{figure.title} {'↓' if figure.less else '↑'}" for figure in FIGURES]
NOT_ALIKE = "These models are aligned differently, so their errors say nothing about which is better; --align scale-shift takes all alike."


def print_table(run: Run, totals: Mapping[str, Totals], data_set: str) -> None:
    """Totals and medians of every model, side by side, on stdout; below them what they are of. Models are the columns where the terminal
    is too narrow for one model a line; no figure is ever cut."""
    from rich.console import Console, ConsoleDimensions

    console = Console(width=None if sys.stdout.isatty() else _PIPED_WIDTH, highlight=False)
    console.print(f"{data_set}: {run.dataset.layout}. {run.dataset.protocol}", markup=False, soft_wrap=True)
    table = _wide_table(run, totals)
    if _width(console, table) > console.width:
        table = _tall_table(run, totals)
    console.size = ConsoleDimensions(max(console.width, _width(console, table)), console.height)
    console.print(table)


def _width(console: Console, table: Table) -> int:
    from rich.measure import Measurement

    return Measurement.get(console, console.options.update(max_width=_ENOUGH), table).maximum


def _wide_table(run: Run, totals: Mapping[str, Totals]) -> Table:
    """Two lines a model."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("model", "", "aligned"):
        table.add_column(title, no_wrap=True)
    for title in _TITLES:
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("pictures", justify="right", no_wrap=True)
    for candidate in run.candidates:
        mine = totals[candidate.label]
        for word, cells in (("total", [mine.total(key) for key in KEYS]), ("median", [mine.median(key) for key in KEYS])):
            first = word == "total"
            head = (candidate.label if first else "", word, str(candidate.alignment) if first else "")
            table.add_row(*map(_plain, head), *map(figure_text, cells), f"{mine.pictures:,}" if first else "")
    return table


def _tall_table(run: Run, totals: Mapping[str, Totals]) -> Table:
    """Two columns a model, its name above the first."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    for candidate in run.candidates:
        table.add_column(_plain(candidate.label), justify="right", no_wrap=True)
        table.add_column("median", justify="right", no_wrap=True)
    mine = [totals[candidate.label] for candidate in run.candidates]
    table.add_row("aligned", *(cell for candidate in run.candidates for cell in (str(candidate.alignment), "")))
    for key, title in zip(KEYS, _TITLES, strict=True):
        table.add_row(title, *(figure_text(value) for each in mine for value in (each.total(key), each.median(key))))
    table.add_row("pictures", *(cell for each in mine for cell in (f"{each.pictures:,}", "")))
    return table


def say_what_it_is(run: Run, totals: Mapping[str, Totals]) -> None:
    """On stderr: the alignment of each model, figures that only some pictures have, pictures that have none, and what was assumed."""
    for candidate in run.candidates:
        mine = totals[candidate.label]
        _say(f"{candidate.label}, {candidate.kind}, {ALIGNMENTS[candidate.alignment]}.")
        for note in run.notes(candidate):
            _say(f"{candidate.label}: {note}")
        partial = [f"{figure.title} {mine.count(figure.key):,}" for figure in FIGURES if 0 < mine.count(figure.key) < mine.pictures]
        if partial:
            _say(f"{candidate.label}: of {mine.pictures:,} pictures, these figures exist for: {', '.join(partial)}.")
        if mine.coverage_least < 1:
            most = f"{1 - mine.coverage_least:.1%}"
            _say(f"{candidate.label} says no depth for some of the counted pixels (at most {most} of a picture); they are left out.")
    if len({candidate.alignment for candidate in run.candidates}) > 1:
        _say(NOT_ALIKE[0].lower() + NOT_ALIKE[1:])
    _say_of_pictures(run)
    if run.fov_vertical_deg is not None:
        _say(f"where the data set says no camera, {run.fov_vertical_deg:g} degrees vertical were taken.")


def _say_of_pictures(run: Run) -> None:
    """Pictures whose truth has no pixel that counts, and what the data set says of others."""
    empty: list[str] = []
    notes: dict[str, int] = {}
    for row in run.rows(run.candidates[0]):
        if row.score is not None and not row.counted:
            empty.append(row.name)
        for note in row.notes:
            notes[note] = notes.get(note, 0) + 1
    if empty:
        names = ", ".join(empty[:3]) + (", ..." if len(empty) > 3 else "")
        _say(f"without a pixel that counts, and so in no figure of depth: {len(empty):,} of {len(run.names):,} pictures: {names}")
    for note, count in list(notes.items())[:_MAX_SAID]:
        _say(f"{note} ({count:,} of {len(run.names):,} pictures)")


def figure_text(value: float | None) -> str:
    """Three decimals; four digits of what is larger than a thousand."""
    return _NONE if value is None else f"{value:.3f}" if abs(value) < 1000 else f"{value:.4g}"


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _say(sentence: str) -> None:
    click.echo(f"depthbridge: {sentence}", err=True)


class Watch:
    """The progress bar, on a terminal, and what failed while it ran."""

    def __init__(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True, highlight=False)
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self.bar = Progress(
            *columns, console=console, transient=True, disable=not console.is_terminal, redirect_stdout=False, redirect_stderr=False
        )
        self._task = self.bar.add_task("Evaluating", total=total)
        self._total, self._kept, self._failed = total, 0, 0

    def see(self, candidate: Candidate, row: Row) -> None:
        """One more picture is done."""
        if row.error is None:
            self._kept += 1
        else:
            self._failed += 1
            if self._failed <= _MAX_SAID:
                self._print(f"{row.name} with {candidate.label}: {row.error}")
            elif self._failed == _MAX_SAID + 1:
                self._print("further pictures failed; evaluation.json lists all of them.")
        self.bar.update(self._task, advance=1, description=candidate.label)

    def say_stopped(self, out: Path) -> None:
        """What an interruption leaves."""
        kept = f" after {self._kept} of {self._total} estimates, kept in {out}; the same command goes on from there."
        self._print("stopped" + (kept if self._kept else "; nothing was written."))

    def _print(self, sentence: str) -> None:
        self.bar.console.print(f"depthbridge: {sentence}", markup=False, soft_wrap=True)
