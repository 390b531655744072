# SPDX-License-Identifier: Apache-2.0
"""Figures over all pictures of a data set: each picture counts once, as in the papers."""

from __future__ import annotations

import heapq
import math
from array import array
from dataclasses import dataclass, field

import numpy as np

from .figures import KEYS
from .scoring import DEPTH_STEPS_M, Score


@dataclass(frozen=True, slots=True)
class DepthRange:
    """Errors over all pixels whose true depth lies in ``near_m`` to ``far_m``: ``abs_rel`` the mean of |d - t| / t, ``bias`` of (d - t) / t."""

    near_m: float
    far_m: float
    pixels: int
    abs_rel: float
    bias: float


@dataclass(slots=True)
class Totals:
    """One model's figures; ``values`` hold a number for each picture that has the figure. ``keep``: how many of the worst and of the best
    pictures by AbsRel are remembered."""

    keep: int = 0
    pictures: int = 0
    coverage_least: float = math.nan
    values: dict[str, array[float]] = field(default_factory=lambda: {key: array("d") for key in KEYS})
    _sky: list[int] = field(default_factory=lambda: [0, 0])
    _profile: np.ndarray = field(default_factory=lambda: np.zeros((len(DEPTH_STEPS_M) - 1, 3)))
    _worst: list[tuple[float, int]] = field(default_factory=list)
    _best: list[tuple[float, int]] = field(default_factory=list)

    def add(self, place: int, score: Score) -> None:
        """One picture's; ``place``: its place in the data set. One that was compared nowhere tells at most of its sky."""
        if not math.isnan(score.sky_iou):
            self.values["sky_iou"].append(score.sky_iou)
            self._sky = [self._sky[0] + score.sky_both, self._sky[1] + score.sky_either]
        if not score.compared:
            return
        self.pictures += 1
        self.coverage_least = min(score.coverage, self.coverage_least) if self.pictures > 1 else score.coverage
        for key in KEYS:
            value = getattr(score, key)
            if key != "sky_iou" and not math.isnan(value):
                self.values[key].append(value)
        for step, *sums in score.profile:
            self._profile[step] += sums
        for kept, sign in ((self._worst, 1.0), (self._best, -1.0)):
            heapq.heappush(kept, (sign * score.abs_rel, -place))
            if len(kept) > self.keep:
                heapq.heappop(kept)

    def count(self, key: str) -> int:
        """How many pictures have the figure."""
        return len(self.values[key])

    def total(self, key: str) -> float | None:
        """Mean over the pictures that have the figure; None where none has. Of sky the union and intersection of all pictures together, as
        benchmarks of segmentation count (Everingham et al., IJCV 2010): a few wrong pixels indoors are no picture with an IoU of 0."""
        if key == "sky_iou":
            return self._sky[0] / self._sky[1] if self._sky[1] else None
        return float(np.mean(self.values[key])) if self.values[key] else None

    def median(self, key: str) -> float | None:
        """Median over the same pictures."""
        return float(np.median(self.values[key])) if self.values[key] else None

    def by_depth(self) -> list[DepthRange]:
        """From near to far, those ranges that have pixels."""
        return [
            DepthRange(float(DEPTH_STEPS_M[step]), float(DEPTH_STEPS_M[step + 1]), int(pixels), float(far / pixels), float(bias / pixels))
            for step, (pixels, far, bias) in enumerate(self._profile)
            if pixels
        ]

    def worst(self) -> list[int]:
        """Places of the pictures with the largest AbsRel, the worst first."""
        return [-place for _, place in sorted(self._worst, reverse=True)]

    def best(self) -> list[int]:
        """Those with the smallest, the best first."""
        return [-place for _, place in sorted(self._best, reverse=True)]
