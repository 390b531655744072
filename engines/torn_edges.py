# SPDX-License-Identifier: Apache-2.0
"""Where a depth grid tears, and which of its pixels hide something: the near side of each torn edge, and the far pixel it hides.

Everything is told in *disparity* (one over depth; 0 is infinitely far, such as sky that is kept), because a plane's disparity is
affine in the picture, and on a grid with a border of one pixel that holds nothing, so that each pixel has eight neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
IndexArray = npt.NDArray[np.int64]
IntArray = npt.NDArray[np.int32]

_AROUND = ((-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))
_BLOCK = np.ones((3, 3), dtype=np.uint8)
_QUAD = np.ones((2, 2), dtype=np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class TornGrid:
    """The disparity of a grid and its torn edges.

    ``disparity``: float32 (H+2,W+2), NaN where nothing is. ``near``, ``far``: bool (H+2,W+2), whether a quad at the pixel tears with the
    pixel on its near, its far side; a pixel on a ramp between two surfaces is both. ``torn``: bool (H+2,W+2), whether it is a corner of a quad
    that tears, which it may be without being on either side. ``farthest``: float32 (H+2,W+2), the smallest disparity of a pixel and its
    neighbours. ``tear``: farthest over nearest, minus one, above which a quad tears.
    """

    disparity: FloatArray
    farthest: FloatArray
    near: BoolArray
    far: BoolArray
    torn: BoolArray
    tear: float

    @property
    def width(self) -> int:
        """Of a row with its border: the distance, in the flat arrays, from a pixel to the one below."""
        return int(self.disparity.shape[1])

    @property
    def rims(self) -> IndexArray:
        """Flat indices of the far sides' first pixels: what the near side hides begins here. Ramp pixels belong to no surface."""
        return np.flatnonzero(self.far & ~self.near)

    def steps(self) -> Iterator[int]:
        """What to add to a flat index to reach each of the eight neighbours."""
        for row, column in _AROUND:
            yield row * self.width + column

    def place(self, index: IndexArray) -> tuple[IndexArray, IndexArray]:
        """Row and column, the border included, of flat indices."""
        return np.divmod(index, self.width)


@dataclass(frozen=True, slots=True, eq=False)
class HiddenBand:
    """``pixels`` int64 (K,), flat indices of the near-side pixels within reach of a torn edge, ascending; ``rim`` int64 (K,), for each the
    far side's first pixel, across the nearest torn edge; ``distance2`` float32 (K,), squared pixels between the two; ``steps`` int32
    (K,), from the rim over the surface."""

    pixels: IndexArray
    rim: IndexArray
    distance2: FloatArray
    steps: IntArray


def torn_grid(disparity: FloatArray, tear: float) -> TornGrid:
    """``disparity`` float32 (H,W), NaN where nothing is, 0 infinitely far; a quad tears where its largest exceeds its smallest by more
    than the share ``tear``."""
    padded = np.pad(disparity, 1, constant_values=np.nan)
    there = np.isfinite(padded)
    low, high = np.where(there, padded, np.float32(np.inf)), np.where(there, padded, np.float32(-np.inf))
    # The eight neighbours of a pixel are those it shares a quad with.
    farthest = np.asarray(cv2.erode(low, _BLOCK), dtype=np.float32)
    nearest = cv2.dilate(high, _BLOCK)
    factor = np.float32(1 + tear)
    with np.errstate(invalid="ignore", over="ignore"):
        near = there & (padded > farthest * factor)
        far = there & (nearest > padded * factor)
        # Each quad stands at its bottom right corner.
        quads = cv2.dilate(high, _QUAD) > cv2.erode(low, _QUAD) * factor
    torn = there & (cv2.dilate(quads.astype(np.uint8), _QUAD, anchor=(0, 0)) > 0)
    return TornGrid(padded, farthest, near, far, torn, tear)


def hidden_band(grid: TornGrid, reach_px: float) -> HiddenBand:
    """The pixels on the near side of torn edges, up to ``reach_px`` from the far side, each with the far pixel it continues.

    Grows from the far rims across their torn edges, through ramps, then over the near surface without crossing another torn edge; each
    pixel belongs to the nearest rim that reached it (after Danielsson's distance transform).
    """
    values = grid.disparity.ravel()
    ramp = (grid.near & grid.far).ravel()
    is_rim = np.zeros(values.size, dtype=np.bool_)
    front = grid.rims
    is_rim[front] = True
    rim = np.full(values.size, -1, dtype=np.int64)
    rim[front] = front
    distance2 = np.full(values.size, np.inf, dtype=np.float32)
    steps = np.zeros(values.size, dtype=np.int32)
    factor = np.float32(1 + grid.tear)
    taken = 0
    while front.size:
        taken += 1
        reached = []
        for step in grid.steps():
            to = front + step
            here, there = values[front], values[to]
            nearer = there > here * factor
            # From a rim only across its own torn edge; from a hidden pixel never to what lies behind it, and to what lies torn off in
            # front of it only from a ramp, whose pixels are no surface that could hide anything.
            may = np.where(is_rim[front], nearer, (there * factor >= here) & (~nearer | ramp[front])) & ~is_rim[to]
            where, start = to[may], rim[front[may]]
            rows, columns = grid.place(where)
            rim_rows, rim_columns = grid.place(start)
            length2 = ((rows - rim_rows) ** 2 + (columns - rim_columns) ** 2).astype(np.float32)
            better = (length2 < distance2[where]) & (length2 <= reach_px**2)
            where = where[better]
            rim[where], distance2[where], steps[where] = start[better], length2[better], taken
            reached.append(where)
        front = np.unique(np.concatenate(reached))
    pixels = np.flatnonzero(np.isfinite(distance2))
    return HiddenBand(pixels, rim[pixels], distance2[pixels], steps[pixels])


def steps_beside(grid: TornGrid, start: IndexArray, rings: int) -> IntArray:
    """Flat int32: how many pixels each pixel is from ``start``, over the same surface; -1 where that is more than ``rings``, or never."""
    values = grid.disparity.ravel()
    steps = np.full(values.size, -1, dtype=np.int32)
    steps[start] = 0
    factor = np.float32(1 + grid.tear)
    front = start
    for ring in range(1, rings + 1):
        found = []
        for step in grid.steps():
            to = front + step
            here, there = values[front], values[to]
            reached = to[(here <= there * factor) & (there <= here * factor) & (steps[to] < 0)]
            steps[reached] = ring
            found.append(reached)
        front = np.concatenate(found)
    return steps
