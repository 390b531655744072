# SPDX-License-Identifier: Apache-2.0
"""Several ways to do one thing, timed side by side: in turns, so that what else the machine does meanwhile slows all of them alike."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from ..cancel import CancelToken
from ..errors import first_line

_MAD_TO_SIGMA = 1.4826
_MEDIAN_TO_MEAN_ERROR = math.sqrt(math.pi / 2)
"""The standard error of a median is that of the mean times this, for normal noise (Kendall and Stuart, Advanced Theory of Statistics, 1)."""
_SURE = 2.0
"""Standard errors that two medians must be apart to be told apart; twice that while there are few rounds to tell the error from."""
_FEW = 6
_EQUAL = 0.01
"""Medians known to this fraction are known well enough."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the ways. ``run`` does the thing once."""

    name: str
    run: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Timing:
    """How long one side took, in milliseconds. ``first_ms``: the very first run, which counts for nothing else; ``spread_ms``: the standard
    error of ``median_ms``; ``rounds``: how many turns it is the median of."""

    name: str
    first_ms: float
    median_ms: float
    spread_ms: float
    rounds: int


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to go on measuring. Rounds are run until the two fastest sides can be told apart, or are known to be equal, but at least
    ``least_rounds``, and no new one after ``most_rounds`` or ``budget_s``. A side's turn is one run, or as many as fit into ``turn_s``;
    then one more before them is not counted, for a side finds caches and threads as the other has left them."""

    budget_s: float
    least_rounds: int = 3
    most_rounds: int = 1000
    turn_s: float = 0.03


@dataclass(frozen=True, slots=True)
class Measured:
    """``timings`` in the order of the sides; ``failed``: name and reason of those that raised, which are in no timing; ``settled``: whether the
    fastest is known."""

    timings: tuple[Timing, ...]
    failed: dict[str, str]
    settled: bool


@dataclass(slots=True)
class _Record:
    side: Side
    first_s: float = 0.0
    turns_s: list[float] = field(default_factory=list)

    def timing(self) -> Timing:
        return Timing(self.side.name, self.first_s * 1e3, self.median_s * 1e3, self.error_s * 1e3, len(self.turns_s))

    @property
    def median_s(self) -> float:
        return statistics.median(self.turns_s)

    @property
    def error_s(self) -> float:
        return standard_error(self.turns_s)


def measure(sides: Sequence[Side], effort: Effort, *, cancel: CancelToken | None = None) -> Measured:
    """Times ``sides`` in turns; every other round goes through them backwards, so that none always follows the same one.

    A side that raises drops out and is named in ``failed``. Raises ``CancelledError`` once ``cancel`` was called.
    """
    records: list[_Record] = []
    failed: dict[str, str] = {}
    for side in sides:
        record = _Record(side)
        if _attempt(record, failed, cancel, partial(_first, record)):
            records.append(record)
    started = time.perf_counter()
    done = 0
    while records and done < effort.most_rounds:
        if done >= effort.least_rounds and (time.perf_counter() - started > effort.budget_s or settled([record.turns_s for record in records])):
            break
        for record in records if done % 2 == 0 else records[::-1]:
            _attempt(record, failed, cancel, partial(_turn, record, effort.turn_s))
        records = [record for record in records if record.side.name not in failed]
        done += 1
    sure = bool(records) and settled([record.turns_s for record in records])
    return Measured(tuple(record.timing() for record in records), failed, sure)


def settled(turns_s: Sequence[Sequence[float]]) -> bool:
    """Whether the fastest of several sides is known, given the turns of each: it is apart from the second, or both are known closely."""
    ranked = sorted((statistics.median(turns), standard_error(turns)) for turns in turns_s)
    best, best_error = ranked[0]
    if len(ranked) == 1:
        return best_error <= _EQUAL * best
    second, second_error = ranked[1]
    sure = _SURE if min(map(len, turns_s)) >= _FEW else 2 * _SURE
    apart = second - best > sure * math.hypot(best_error, second_error)
    return apart or max(best_error, second_error) <= _EQUAL * best


def standard_error(values: Sequence[float]) -> float:
    """Of their median, from the median absolute deviation, which a few interrupted runs do not move; half of what they are apart for
    fewer than three values."""
    if len(values) < 3:
        return (max(values) - min(values)) / 2
    middle = statistics.median(values)
    deviation = statistics.median(abs(value - middle) for value in values)
    return _MEDIAN_TO_MEAN_ERROR * _MAD_TO_SIGMA * deviation / math.sqrt(len(values))


def _attempt(record: _Record, failed: dict[str, str], cancel: CancelToken | None, step: Callable[[], None]) -> bool:
    if cancel is not None:
        cancel.check()
    try:
        step()
    except Exception as error:  # a library's own, of whatever class
        if cancel is not None:
            cancel.check()
        failed[record.side.name] = first_line(error)
        return False
    return True


def _first(record: _Record) -> None:
    record.first_s = _once(record.side.run)


def _turn(record: _Record, turn_s: float) -> None:
    once = _once(record.side.run)
    if once >= turn_s:
        record.turns_s.append(once)
        return
    runs: list[float] = []
    left = turn_s
    while left > 0:
        runs.append(_once(record.side.run))
        left -= max(runs[-1], 1e-6)
    record.turns_s.append(statistics.median(runs))


def _once(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started
