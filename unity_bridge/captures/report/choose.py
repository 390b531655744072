# SPDX-License-Identifier: Apache-2.0
"""Which frames are worth a picture, found while they pass by: of many thousand only a few hundred are held."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from .frames import ReportFrame
from .markup import number
from .tables import objects_of

WORST, SPREAD, ALL = "among the largest errors", "evenly spaced", ""
"""Why a frame is shown with pictures; without a reason all are."""

_HELD_PER_SHOWN = 8
"""So many evenly spaced frames are held for each that is shown: the gaps between those shown then differ by a quarter at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A frame of which there are pictures, and its place in the run."""

    order: int
    frame: ReportFrame


def urgency(frame: ReportFrame) -> float:
    """How much a frame should be looked at: its AbsRel, else the largest relative error of its objects; a suspected mask before all."""
    mean = number(frame.accuracy.abs_rel) if frame.accuracy is not None else None
    errors = [abs(error) for item in objects_of(frame.record) if (error := number(item.get("distance_error_relative"))) is not None]
    return (mean if mean is not None else max(errors, default=0.0)) + (1e6 if frame.record.get("mask_flip_suspected") is True else 0.0)


class Shortlist:
    """At most ``most`` frames of a run: half of them the most urgent, if any are, the others evenly spaced over the rest."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.count = 0
        self._worst: list[tuple[float, int, Candidate]] = []
        self._spaced: list[Candidate] = []
        self._stride = 1
        self._last: Candidate | None = None

    def offer(self, order: int, frame: ReportFrame) -> None:
        """Frames are offered in the order of the run."""
        self._last = candidate = Candidate(order, frame)
        score = urgency(frame)
        if score > 0:
            heapq.heappush(self._worst, (score, -order, candidate))
            if len(self._worst) > self.most // 2:
                heapq.heappop(self._worst)
        if self.count % self._stride == 0:
            self._spaced.append(candidate)
        if len(self._spaced) > _HELD_PER_SHOWN * self.most:
            self._spaced = self._spaced[::2]
            self._stride *= 2
        self.count += 1

    def chosen(self) -> list[tuple[Candidate, str]]:
        """The frames with why: all in the order of the run where they are few enough; else by turns the urgent, the worst before
        all, and those evenly spaced from the first to the last of the rest."""
        if self.count <= self.most:
            return [(candidate, ALL) for candidate in self._spaced]
        worst = [candidate for *_, candidate in sorted(self._worst, key=lambda item: item[:2], reverse=True)]
        taken = {candidate.order for candidate in worst}
        rest = {candidate.order: candidate for candidate in (*self._spaced, self._last) if candidate and candidate.order not in taken}
        places = np.linspace(0, len(rest) - 1, self.most - len(worst)).round().astype(int)
        held = list(rest.values())
        turns = zip_longest([(candidate, WORST) for candidate in worst], [(held[place], SPREAD) for place in places])
        return [chosen for turn in turns for chosen in turn if chosen is not None]
