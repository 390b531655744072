# SPDX-License-Identifier: Apache-2.0
"""Continuing the surface on the far side of a torn edge behind what hides it.

Each far pixel at an edge gets the plane that fits its surroundings; the hidden pixels start on the plane of their nearest far pixel, and
a membrane evens out where planes disagree: it keeps every plane's slope, holds on to the far sides, and joins those on both sides of a
thin object. In disparity, where planes of the scene are affine in the picture, so that a plane is continued exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .torn_edges import BoolArray, FloatArray, HiddenBand, IndexArray, TornGrid

_Doubles = npt.NDArray[np.float64]

_WINDOW_PX = 9
"""Planes are fitted to far pixels up to this far away: wide enough for the soft edges that networks draw."""
_EDGE_WEIGHT = 0.01
"""Of pixels at a torn edge, which often mix both surfaces: they count when there is nothing else."""
_RESIDUAL = 0.02
"""A pixel this share off the plane counts half."""
_RIDGE_PX2 = 1e-3
"""Against slopes of surfaces too small to have one."""
_MOST = 2.0
"""A surface is continued to at most this many times, and not nearer than one such part of, the depth it has at the edge."""
_BEYOND = 1.05
"""Nor is it continued further than this many times the farthest depth that is seen anywhere."""
_ROUNDS = 40


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """The plane that each pixel of a band continues, float64: ``slopes`` (K,2), of its disparity per column and per row; ``here`` (K,), its
    disparity at the pixel itself."""

    slopes: _Doubles
    here: _Doubles


def planes_behind(grid: TornGrid, band: HiddenBand) -> Planes:
    """The plane of the far side at each pixel's rim, continued to the pixel; 0 and level for sky."""
    rims, which = np.unique(band.rim, return_inverse=True)
    planes = _planes_at(grid, band, rims)[which.reshape(-1)]
    rows, columns = grid.place(band.pixels)
    rim_rows, rim_columns = grid.place(band.rim)
    here = planes[:, 0] + planes[:, 1] * (columns - rim_columns) + planes[:, 2] * (rows - rim_rows)
    return Planes(planes[:, 1:], here)


def continued(grid: TornGrid, band: HiddenBand, planes: Planes) -> FloatArray:
    """Disparity float32 (K,) of the hidden surface at each pixel of ``band``; 0 where sky continues. Not yet held behind the front."""
    at_rim = grid.disparity.ravel()[band.rim]
    sky = at_rim == 0
    joined = _membrane(grid, band, planes.here, planes.slopes, sky)
    # Nothing hidden is likely to lie far beyond all that is seen: a noisy slope would run out of the scene.
    seen = grid.disparity[grid.disparity > 0]
    horizon = float(np.min(seen)) / _BEYOND if seen.size else 0.0
    bounded = np.clip(joined, np.maximum(at_rim / _MOST, np.minimum(horizon, at_rim)), at_rim * _MOST)
    return np.where(sky, 0.0, bounded).astype(np.float32)


def _planes_at(grid: TornGrid, band: HiddenBand, rims: IndexArray) -> _Doubles:
    """(S,3): disparity at each rim pixel, and its slopes per column and per row, of the plane through the far pixels around it."""
    values = grid.disparity.ravel()
    here = values[rims].astype(np.float64)
    trust = np.where((grid.near | grid.far).ravel(), _EDGE_WEIGHT, 1.0)
    trust[band.pixels] = np.minimum(trust[band.pixels], _EDGE_WEIGHT)
    rows, columns = grid.place(rims)
    planes = np.zeros((len(rims), 3))
    planes[:, 0] = here
    factor = (1 + grid.tear) ** 2
    for attempt in range(2):
        normal = np.zeros((len(rims), 3, 3))
        right = np.zeros((len(rims), 3))
        for dy in range(-_WINDOW_PX, _WINDOW_PX + 1, 2):
            for dx in range(-_WINDOW_PX, _WINDOW_PX + 1, 2):
                inside = (rows + dy >= 0) & (rows + dy < grid.disparity.shape[0]) & (columns + dx >= 0) & (columns + dx < grid.width)
                at = np.where(inside, rims + dy * grid.width + dx, 0)
                there = values[at].astype(np.float64)
                same = inside & (there * factor >= here) & (there <= here * factor)
                weight = np.where(same, trust[at], 0.0)
                there = np.where(same, there, 0.0)
                if attempt:
                    off = (there - planes @ (1.0, dx, dy)) / np.maximum(_RESIDUAL * here, 1e-30)
                    weight = weight / (1 + off**2)
                _accumulate(normal, right, weight, there, dx, dy)
        planes = _solved(normal, right, here)
    return planes


def _accumulate(normal: _Doubles, right: _Doubles, weight: _Doubles, there: _Doubles, dx: int, dy: int) -> None:
    terms = (1.0, float(dx), float(dy))
    for i in range(3):
        right[:, i] += weight * there * terms[i]
        for j in range(i, 3):
            normal[:, i, j] += weight * (terms[i] * terms[j])


def _solved(normal: _Doubles, right: _Doubles, here: _Doubles) -> _Doubles:
    total = normal[:, 0, 0].copy()
    alone = total <= 0
    for i, j in ((1, 0), (2, 0), (2, 1)):
        normal[:, i, j] = normal[:, j, i]
    for i in (1, 2):
        normal[:, i, i] += _RIDGE_PX2 * total
    normal[alone] = np.eye(3)
    right[alone] = 0.0
    planes: _Doubles = np.linalg.solve(normal, right[..., None])[..., 0]
    planes[alone, 0] = here[alone]
    return planes


def _membrane(grid: TornGrid, band: HiddenBand, start: _Doubles, slopes: _Doubles, sky: BoolArray) -> FloatArray:
    """``start`` plus the correction ``u`` (K,) that makes neighbours agree: the least squares of ``d_p - d_q`` minus what the mean of their
    slopes makes of the step from q to p, over all neighbouring pixels, with those next to their far side held. By conjugate
    gradients with a diagonal preconditioner, a fixed number of rounds: the start is right but for where planes meet.
    """
    first = start.astype(np.float32)
    neighbours = _links(grid, band, sky)
    diagonal = np.where(band.distance2 <= 2, np.float32(4), np.float32(1e-6))
    right = np.zeros(len(first), dtype=np.float32)
    lean = slopes.astype(np.float32)
    for step, to in zip(grid.steps(), neighbours, strict=True):
        dy = round(step / grid.width)
        along = (lean[:, 0] * (step - dy * grid.width) + lean[:, 1] * dy) / 2
        linked = np.flatnonzero(to < len(first))
        other = to[linked]
        diagonal[linked] += 1
        right[linked] += first[other] - first[linked] - along[linked] - along[other]

    padded = np.zeros(len(first) + 1, dtype=np.float32)
    gathered = np.empty_like(first)

    def times(vector: FloatArray) -> FloatArray:
        padded[:-1] = vector
        result = diagonal * vector
        for to in neighbours:
            result -= np.take(padded, to, out=gathered, mode="clip")
        return result

    u = np.zeros_like(first)
    rest = right
    scaled: FloatArray = np.divide(rest, diagonal)
    direction: FloatArray = scaled
    size = float(rest @ scaled)
    enough = 1e-12 * float(first @ first)
    for _ in range(_ROUNDS):
        if size <= enough:
            break
        image = times(direction)
        length = np.float32(size / float(direction @ image))
        u += length * direction
        rest = rest - length * image
        scaled = np.divide(rest, diagonal)
        before, size = size, float(rest @ scaled)
        direction = scaled + np.float32(size / before) * direction
    return np.asarray(first + u, dtype=np.float32)


def _links(grid: TornGrid, band: HiddenBand, sky: BoolArray) -> list[IndexArray]:
    """For each of the eight directions the index into the band, int64 (K,), of the pixel there; K where none hangs together with it."""
    count = len(band.pixels)
    index = np.full(grid.disparity.size, count, dtype=np.int64)
    index[band.pixels] = np.arange(count)
    values, ramp = grid.disparity.ravel(), (grid.near & grid.far).ravel()
    factor = np.float32(1 + grid.tear)
    here, here_ramp = values[band.pixels], ramp[band.pixels]
    sky_there = np.append(sky, False)
    links = []
    for step in grid.steps():
        at = band.pixels + step
        to, there = index[at], values[at]
        # Two objects that hide the same wall are not one: a torn edge between them parts the membrane, unless it is a ramp's.
        whole = (here <= there * factor) & (there <= here * factor) | here_ramp | ramp[at]
        links.append(np.where(whole & (sky == sky_there[to]), to, count))
    return links
