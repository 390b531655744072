# SPDX-License-Identifier: Apache-2.0
"""The numbers of objects' pixels: statistics of depth and range, and boxes around their points.

Objects are taken in blocks of so many pixels that all their arrays stay in a processor's own cache: over a whole frame at once the memory
would cost more than the arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...engines.camera import CameraIntrinsics
from ..results import Extent, Spread
from .extents import Doubles, Floats, Indices, principal_boxes
from .pixels import Runs, Selection

_BLOCK_PIXELS = 32768
_SAMPLE = 1000
_SAMPLED_FROM = 4 * _SAMPLE


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """Mean, median, least and largest value of each object, (K,) each."""

    mean: Doubles
    median: Doubles
    low: Doubles
    high: Doubles

    @classmethod
    def of(cls, values: Floats, bounds: Indices) -> Statistics:
        """Object i has ``values[bounds[i]:bounds[i + 1]]``, at least one. Sums are taken in double precision."""
        starts = bounds[:-1]
        mean = np.add.reduceat(values, starts, dtype=np.float64) / np.diff(bounds)
        median = np.array([_median(values[start:end]) for start, end in zip(starts.tolist(), bounds[1:].tolist(), strict=True)])
        low, high = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
        return cls(mean, median, low.astype(np.float64), high.astype(np.float64))

    @classmethod
    def joined(cls, parts: list[Statistics]) -> Statistics:
        """All objects of all parts."""
        none = [np.empty(0)]
        mean, median, low, high = (np.concatenate(none + [getattr(part, name) for part in parts]) for name in ("mean", "median", "low", "high"))
        return cls(mean, median, low, high)

    def spread(self, place: int, center: float) -> Spread:
        """Of one object, whose centre pixel has ``center``."""
        return Spread(center, float(self.mean[place]), float(self.median[place]), float(self.low[place]), float(self.high[place]))


def _median(values: Floats) -> float:
    """Of an even count the mean of the middle two."""
    count = len(values)
    upper = count // 2
    lower = (count - 1) // 2
    if count >= _SAMPLED_FROM:
        # The middle lies between two values of a sample, and few pixels lie there (Floyd and Rivest 1975): numpy's selection is at its
        # slowest where neighbours are noisy, and never sees most of them.
        sample = np.sort(values[:: count // _SAMPLE])
        low, high = sample[len(sample) * 9 // 20], sample[len(sample) * 11 // 20]
        below = int(np.count_nonzero(values < low))
        middle = values[(values >= low) & (values <= high)]
        if below <= lower and upper < below + len(middle):
            values, lower, upper = middle, lower - below, upper - below
    # For both neighbours of the middle even where they are one: numpy 2 is three times as fast at two.
    ordered = np.partition(values, (lower, upper))
    return (float(ordered[lower]) + float(ordered[upper])) / 2


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """Of the objects that have measured pixels: ``place`` tells, for each object of the mask, where among those it stands. Without a camera
    there are no ``ranges`` and no ``boxes``."""

    place: Indices
    values: Statistics
    ranges: Statistics | None
    boxes: list[Extent]

    @classmethod
    def of(cls, values: Floats, selection: Selection, camera: CameraIntrinsics | None) -> Numbers:
        """``values``: float32 (H,W), contiguous."""
        flat = values.reshape(-1)
        place = np.cumsum(selection.measured > 0) - 1
        counter = np.arange(max(_BLOCK_PIXELS, max(selection.measured.tolist(), default=0)), dtype=np.intp)
        doubles = counter.astype(np.float64)
        own: list[Statistics] = []
        ranges: list[Statistics] = []
        boxes: list[Extent] = []
        for runs, bounds in _blocks(selection):
            steps = counter[: bounds[-1]]
            pixels = np.repeat(runs.rows * values.shape[1] + runs.columns - (np.cumsum(runs.lengths) - runs.lengths), runs.lengths)
            pixels += steps
            depth = flat[pixels]
            own.append(Statistics.of(depth, bounds))
            if camera is not None:
                points, along_ray = _unproject(depth, runs, doubles[: bounds[-1]], camera)
                ranges.append(Statistics.of(along_ray, bounds))
                boxes += principal_boxes(points, bounds)
        return cls(place, Statistics.joined(own), None if camera is None else Statistics.joined(ranges), boxes)


def _blocks(selection: Selection) -> Iterator[tuple[Runs, Indices]]:
    """The selection's runs, and the bounds of each object among their pixels, block by block; no object is without pixels."""
    seen = np.flatnonzero(selection.measured > 0)
    bounds = np.concatenate(([0], np.cumsum(selection.measured[seen])))
    run_bounds = np.append(selection.run_bounds[:-1][seen], selection.run_bounds[-1])
    first = 0
    while first < len(seen):
        last = max(int(np.searchsorted(bounds, bounds[first] + _BLOCK_PIXELS, side="right")) - 1, first + 1)
        yield selection.runs.chosen(slice(run_bounds[first], run_bounds[last])), bounds[first : last + 1] - bounds[first]
        first = last


def _unproject(depth: Floats, runs: Runs, steps: Doubles, camera: CameraIntrinsics) -> tuple[Floats, Floats]:
    """Camera-frame points (3,N) and ranges (N,) of runs' pixels. Rays are reckoned in double precision, in as few and as short passes as it
    takes; ``steps``: 0, 1, ... (N,)."""
    before = np.cumsum(runs.lengths) - runs.lengths
    x = np.repeat(runs.columns - before + (0.5 - camera.cx), runs.lengths)
    x += steps
    x *= 1.0 / camera.fx
    y = (runs.rows + (0.5 - camera.cy)) / camera.fy
    points = np.empty((3, len(depth)), dtype=np.float32)
    np.multiply(x.astype(np.float32), depth, out=points[0])
    np.multiply(np.repeat(y.astype(np.float32), runs.lengths), depth, out=points[1])
    points[2] = depth
    # range = depth * sqrt(1 + x^2 + y^2)
    x *= x
    x += np.repeat(1.0 + y * y, runs.lengths)
    return points, np.sqrt(x.astype(np.float32)) * depth
