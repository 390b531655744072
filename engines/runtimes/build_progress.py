# SPDX-License-Identifier: Apache-2.0
"""How far TensorRT's builder has come, from the phases that it reports, and the place where it is told to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from ..cancel import CancelToken

_STEP_PERCENT = 10


@dataclass(slots=True)
class _Phase:
    parent: str | None
    steps: int
    done: int = 0


class BuildProgress:
    """The three calls of TensorRT's ``IProgressMonitor``, which come from several threads at once.

    Phases nest: one counts its finished steps, and its children fill the step that it is at. ``say`` gets a sentence at the start of each
    outermost phase and each time it has come another tenth.
    """

    def __init__(self, what: str, say: Callable[[str], None] | None, cancel: CancelToken | None) -> None:
        self._what = what
        self._say = say
        self._cancel = cancel
        self._phases: dict[str, _Phase] = {}
        self._told: dict[str, int] = {}
        self._lock = threading.Lock()

    def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
        with self._lock:
            self._phases[phase_name] = _Phase(parent_phase, max(num_steps, 1))
        self._tell(phase_name)

    def step_complete(self, phase_name: str, step: int) -> bool:
        """Whether to go on."""
        with self._lock:
            phase = self._phases.get(phase_name)
            if phase is not None:
                phase.done = min(max(phase.done, step + 1), phase.steps)
        self._tell(phase_name)
        return self._cancel is None or not self._cancel.cancelled

    def phase_finish(self, phase_name: str) -> None:
        with self._lock:
            phase = self._phases.pop(phase_name, None)
            self._told.pop(phase_name, None)
        if phase is not None and phase.parent is not None:
            self._tell(phase.parent)

    def fraction(self, phase_name: str) -> float:
        """How much of an open phase is done, 0 to 1. Children that run at once count as their mean."""
        with self._lock:
            return self._fraction(phase_name)

    def _fraction(self, name: str) -> float:
        phase = self._phases[name]
        children = [child for child, each in self._phases.items() if each.parent == name and child != name]
        inside = sum(self._fraction(child) for child in children) / len(children) if children else 0.0
        return min((phase.done + inside) / phase.steps, 1.0)

    def _tell(self, name: str) -> None:
        with self._lock:
            while (phase := self._phases.get(name)) is not None and phase.parent in self._phases and phase.parent != name:
                name = phase.parent or name
            if phase is None:
                return
            percent = int(self._fraction(name) * 100) // _STEP_PERCENT * _STEP_PERCENT
            if percent <= self._told.get(name, -1):
                return
            self._told[name] = percent
        if self._say is not None:
            self._say(f"{self._what}: {name}, {percent} %")
