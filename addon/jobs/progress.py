# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a job is, and how long it will take: from what earlier jobs were measured to take, and never from a guess. Imports no bpy."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

_TICK_S = 0.2


class Stage(StrEnum):
    """What a job is doing; the value is what the user reads."""

    READ = "Reading the picture"
    LOAD = "Loading the model"
    ESTIMATE = "Estimating depth"
    PREPARE = "Preparing the geometry"


@dataclass(frozen=True, slots=True)
class Progress:
    """``fraction``: of the whole job, 0..1, never falling. ``seconds_left`` is None while nobody can know: before a first job was measured,
    and when this one takes longer than those before."""

    stage: Stage
    fraction: float
    seconds_left: float | None


Report = Callable[[Progress], None]


# Of a first job, that nothing is known about: a bar that moves on when a stage is done.
_SHARES = {Stage.READ: 0.05, Stage.LOAD: 0.2, Stage.ESTIMATE: 0.6, Stage.PREPARE: 0.15}


class Pace:
    """What stages were measured to take, in seconds. Keep one for jobs of the same engine, and the next job knows its time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: dict[Stage, float] = {}

    def record(self, stage: Stage, seconds: float) -> None:
        """One more measurement; the last two count, so that a change of picture size is noticed soon and a hiccup is not believed."""
        with self._lock:
            known = self._seconds.get(stage)
            self._seconds[stage] = seconds if known is None else (known + seconds) / 2

    def expected_s(self, stage: Stage) -> float | None:
        """Seconds that ``stage`` is expected to take; None when it was never measured."""
        with self._lock:
            return self._seconds.get(stage)


class Course:
    """One job on its way through ``stages``, told to ``report``, from two threads one at a time."""

    def __init__(self, stages: Sequence[Stage], report: Report, pace: Pace) -> None:
        self._stages = tuple(stages)
        self._report = report
        self._pace = pace
        self._lock = threading.Lock()
        expected = [pace.expected_s(stage) for stage in self._stages]
        known = [seconds for seconds in expected if seconds is not None]
        weights = known if len(known) == len(expected) else [_SHARES[stage] for stage in self._stages]
        total = sum(weights) or 1.0
        self._expected = dict(zip(self._stages, expected, strict=True))
        self._shares = {stage: weight / total for stage, weight in zip(self._stages, weights, strict=True)}
        self._fraction = 0.0

    @contextmanager
    def stage(self, stage: Stage) -> Iterator[None]:
        """The block is ``stage``: told at its start and, when its pace is known, while it lasts; measured when it ends well."""
        started = time.perf_counter()
        done = threading.Event()
        self._tell(stage, 0.0)
        ticker: threading.Thread | None = None
        if self._expected[stage] is not None:
            ticker = threading.Thread(target=self._tick, args=(stage, started, done), name="depthbridge-progress", daemon=True)
            ticker.start()
        try:
            yield
            self._pace.record(stage, time.perf_counter() - started)
        finally:
            done.set()
            if ticker is not None:
                ticker.join()

    def _tick(self, stage: Stage, started: float, done: threading.Event) -> None:
        while not done.wait(_TICK_S):
            self._tell(stage, time.perf_counter() - started)

    def _tell(self, stage: Stage, elapsed_s: float) -> None:
        expected = self._expected[stage]
        before = sum(self._shares[earlier] for earlier in self._stages[: self._stages.index(stage)])
        within = 0.0 if not expected else min(1.0, elapsed_s / expected)
        with self._lock:
            self._fraction = min(1.0, max(self._fraction, before + self._shares[stage] * within))
            self._report(Progress(stage, self._fraction, self._seconds_left(stage, elapsed_s)))

    def _seconds_left(self, stage: Stage, elapsed_s: float) -> float | None:
        rest = [self._expected[later] for later in self._stages[self._stages.index(stage) :]]
        known = [seconds for seconds in rest if seconds is not None]
        if len(known) < len(rest) or elapsed_s > known[0]:
            return None
        return sum(known) - elapsed_s
