# SPDX-License-Identifier: Apache-2.0
"""What a server has done since its start, and how long the last frames took."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..results import STAGES

WINDOW = 1000
"""How many frames the times of the stages are over: the last ones."""
TIMED = (*STAGES, "total")


@dataclass(slots=True)
class Counters:
    """What has happened since the start; the stats request answers them."""

    received: int = 0
    answered: int = 0
    errors: int = 0
    garbage: int = 0
    overloaded: int = 0
    cancelled: int = 0
    expired: int = 0
    unauthorized: int = 0
    client_gone: int = 0


class Observer(Protocol):
    """Who wants to hear of everything that happens, in the I/O thread, and must be quick about it."""

    def request(self, kind: int, status: str) -> None:
        """A request was answered: ``ok``, or the error's code."""
        ...

    def frame(self, timing_ms: Mapping[str, float], batch: int | None) -> None:
        """An accepted frame was answered: the stages that it reached, and how many shared its inference."""
        ...


@dataclass(frozen=True, slots=True)
class StageSummary:
    """One stage over the last frames that reached it: milliseconds, None when there were none."""

    count: int
    mean_ms: float | None
    p50_ms: float | None
    p99_ms: float | None


class Statistics:
    """Written by the I/O thread, read by any. ``frames``: accepted frames that were answered."""

    def __init__(self, observer: Observer | None = None) -> None:
        self.counters = Counters()
        self.frames = 0
        self._observer = observer
        self._lock = threading.Lock()
        self._times: dict[str, deque[float]] = {name: deque(maxlen=WINDOW) for name in TIMED}

    def request(self, kind: int, status: str) -> None:
        """A request was answered: ``ok``, or the error's code."""
        if self._observer is not None:
            self._observer.request(kind, status)

    def frame(self, timing_ms: Mapping[str, float], batch: int | None) -> None:
        """An accepted frame was answered: the stages that it reached, and how many shared its inference."""
        with self._lock:
            self.frames += 1
            for name, value in timing_ms.items():
                self._times[name].append(value)
        if self._observer is not None:
            self._observer.frame(timing_ms, batch)

    def stages(self) -> dict[str, StageSummary]:
        """Each stage, and ``total``."""
        with self._lock:
            copies = {name: list(times) for name, times in self._times.items()}
        return {name: _summary(times) for name, times in copies.items()}


def _summary(times: list[float]) -> StageSummary:
    if not times:
        return StageSummary(0, None, None, None)
    p50, p99 = (round(float(value), 3) for value in np.percentile(times, (50, 99)))
    return StageSummary(len(times), round(sum(times) / len(times), 3), p50, p99)
