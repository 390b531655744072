# SPDX-License-Identifier: Apache-2.0
"""How far estimated depth is from the truth: the numbers of Eigen, Puhrsch and Fergus, "Depth Map Prediction from a Single Image using a
Multi-Scale Deep Network" (NIPS 2014), section 4.3, over the pixels where both have a depth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...engines.depth_map import DepthMap
from ...engines.depth_metrics import DELTA
from .reader import LoadedFrame

FORMULAS = {
    "pixels": "pixels that have both an estimated and a true depth (planar, metres); d: estimated, t: true, n: pixels",
    "abs_rel": "sum(|d - t| / t) / n",
    "rmse_m": "sqrt(sum((d - t)^2) / n)",
    "delta1": f"part of the pixels with max(d / t, t / d) < {DELTA}",
    "source": "Eigen, Puhrsch, Fergus: Depth Map Prediction from a Single Image using a Multi-Scale Deep Network, NIPS 2014, section 4.3",
    "pooling": "over all pixels together, not averaged over pictures; no scale is fitted beforehand and no depth is capped",
}


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Sums over pixels, so that those of objects and frames add up: of \\|d - t\\| / t, of squared errors in square metres, and how many pixels
    are within :data:`DELTA`."""

    pixels: int = 0
    abs_rel_sum: float = 0.0
    squared_sum_m2: float = 0.0
    within: int = 0

    @property
    def abs_rel(self) -> float:
        """Mean of \\|d - t\\| / t; NaN without pixels, likewise the other two."""
        return self.abs_rel_sum / self.pixels if self.pixels else math.nan

    @property
    def rmse_m(self) -> float:
        """Root of the mean squared error, metres."""
        return math.sqrt(self.squared_sum_m2 / self.pixels) if self.pixels else math.nan

    @property
    def delta1(self) -> float:
        """Part of the pixels, 0..1, where the larger of d / t and t / d is below :data:`DELTA`."""
        return self.within / self.pixels if self.pixels else math.nan

    def __add__(self, other: Accuracy) -> Accuracy:
        return Accuracy(
            self.pixels + other.pixels,
            self.abs_rel_sum + other.abs_rel_sum,
            self.squared_sum_m2 + other.squared_sum_m2,
            self.within + other.within,
        )

    def to_json(self) -> dict[str, Any] | None:
        """The four numbers, rounded; None without pixels."""
        if not self.pixels:
            return None
        return {"pixels": self.pixels, "abs_rel": round(self.abs_rel, 6), "rmse_m": round(self.rmse_m, 6), "delta1": round(self.delta1, 6)}

    def sums(self) -> list[float]:
        """What :meth:`from_sums` reads back, exactly."""
        return [self.pixels, self.abs_rel_sum, self.squared_sum_m2, self.within]

    @classmethod
    def from_sums(cls, sums: Sequence[float]) -> Accuracy:
        return cls(int(sums[0]), float(sums[1]), float(sums[2]), int(sums[3]))


@dataclass(frozen=True, slots=True)
class FrameAccuracy:
    """Of one picture: each object in the frame's order, the pixels of all of them together (each once), and all pixels with truth."""

    objects: tuple[Accuracy, ...]
    of_objects: Accuracy
    whole: Accuracy

    def to_json(self) -> dict[str, Any]:
        return {"objects": [each.sums() for each in self.objects], "of_objects": self.of_objects.sums(), "whole": self.whole.sums()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> FrameAccuracy:
        objects = tuple(Accuracy.from_sums(each) for each in data["objects"])
        return cls(objects, Accuracy.from_sums(data["of_objects"]), Accuracy.from_sums(data["whole"]))


def compare(depth_map: DepthMap, loaded: LoadedFrame) -> FrameAccuracy:
    """The errors of a map in metres against the frame's truth, which it must have."""
    assert loaded.depth_true_m is not None
    both = depth_map.valid & np.isfinite(depth_map.values) & (depth_map.values > 0) & (loaded.depth_true_m > 0)
    estimated, true = depth_map.values[both].astype(np.float64), loaded.depth_true_m[both].astype(np.float64)
    errors = np.abs(estimated - true)
    relative, squared = errors / true, errors * errors
    within = (np.maximum(estimated, true) < DELTA * np.minimum(estimated, true)).astype(np.float64)
    whole = _sum(relative, squared, within)
    objects = [Accuracy()] * len(loaded.objects)
    some_object = np.zeros(true.shape, dtype=np.bool_)
    for number, layer in enumerate(loaded.layers):
        labels = layer[both]
        size = max((item.mask_value for item in loaded.objects if item.layer == number), default=0) + 1
        labels = np.where(labels < size, labels, 0).astype(np.intp)
        named = np.zeros(size, dtype=np.bool_)
        counts = np.bincount(labels, minlength=size)
        totals = [np.bincount(labels, weights=each, minlength=size) for each in (relative, squared, within)]
        for place, item in enumerate(loaded.objects):
            if item.layer == number:
                value = item.mask_value
                named[value] = True
                objects[place] = Accuracy(int(counts[value]), float(totals[0][value]), float(totals[1][value]), int(totals[2][value]))
        named[0] = False
        some_object |= named[labels]
    of_objects = _sum(relative[some_object], squared[some_object], within[some_object])
    return FrameAccuracy(tuple(objects), of_objects, whole)


def _sum(relative: npt.NDArray[np.float64], squared: npt.NDArray[np.float64], within: npt.NDArray[np.float64]) -> Accuracy:
    return Accuracy(len(relative), float(relative.sum()), float(squared.sum()), int(within.sum()))
