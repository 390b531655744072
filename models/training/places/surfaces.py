# SPDX-License-Identifier: Apache-2.0
"""What rays met: colours, normals and finishes at surface points, gathered one surface at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..raycast import dot, length
from ..scenes import FloatArray
from .description import Finish
from .facing import outward
from .looks import bumps, colours
from .stage import CEILING, FIRST_PART, FLOOR, OUTSIDE, SKY, WALLS, Ids, Stage


@dataclass(frozen=True)
class Surfaces:
    """N surface points; zeros on sky."""

    albedo: FloatArray
    """(3, N) linear RGB."""
    normals: FloatArray
    """(3, N) unit world normals, bumps included."""
    gloss: FloatArray
    mirror: FloatArray
    clear: FloatArray
    glow: FloatArray


def unit(vectors: FloatArray) -> FloatArray:
    return np.asarray(vectors / np.maximum(length(vectors), 1e-9), np.float32)


def _by_surface(ordered: Ids) -> Iterator[tuple[int, slice]]:
    """Each surface id with its stretch of the sorted ids."""
    starts = np.flatnonzero(np.diff(ordered, prepend=ordered[:1] - 1))
    for begin, end in zip(starts.tolist(), [*starts[1:].tolist(), ordered.size], strict=True):
        yield int(ordered[begin]), slice(begin, end)


def finish_of(stage: Stage, surface: int) -> Finish:
    around = stage.place.enclosure
    if surface >= FIRST_PART:
        return stage.parts[surface - FIRST_PART].finish
    if WALLS <= surface < OUTSIDE:
        return around.walls[surface - WALLS]
    return {FLOOR: around.floor, CEILING: around.ceiling, OUTSIDE: around.outside}[surface]


def _flat(surface: int, points: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Normal (3, 1), surface coordinates (2, N) and their directions (2, 3, 1) on floor, ceiling and walls."""
    axis = 0 if surface in (WALLS, WALLS + 1) else 2 if surface in (WALLS + 2, WALLS + 3) else 1
    normal = np.zeros((3, 1), np.float32)
    normal[axis] = 1.0 if surface in (FLOOR, OUTSIDE, WALLS, WALLS + 2) else -1.0
    axes = [i for i in (0, 2, 1) if i != axis]
    return normal, points[axes], np.eye(3, dtype=np.float32)[axes][..., None]


def _on_part(stage: Stage, index: int, points: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray | None]:
    """World normals (3, N), surface coordinates (2, N) and, where it is bumpy, the world direction of each of the two (2, 3, N)."""
    part, half, rotation = stage.parts[index], stage.halves[index][:, None], stage.rotations[index]
    local = rotation.T @ (points - stage.centres[index][:, None])
    flat_normal = outward(part, local / half) / half
    x, y, z = np.abs(flat_normal)
    sideways, upright = (x > y) & (x > z), (y >= x) & (y > z)
    uv = np.stack([np.where(sideways, local[2], local[0]), np.where(upright, local[2], local[1])]) + np.float32(0.618 * (index % 50))
    if part.finish.bump <= 0:
        return unit(rotation @ flat_normal), uv, None
    along = np.stack([rotation[:, np.where(sideways, 2, 0)], rotation[:, np.where(upright, 2, 1)]])
    return unit(rotation @ flat_normal), uv, along


def surfaces(stage: Stage, points: FloatArray, rays: FloatArray, ids: Ids, footprint: FloatArray) -> Surfaces:
    """Colours and normals at `points` (3, N) met by unit `rays` (3, N); `footprint` (N,) is a pixel's size there, face on."""
    order = np.argsort(ids, kind="stable")
    points, rays, footprint = points[:, order], rays[:, order], footprint[order]
    found = np.zeros((10, order.size), np.float32)
    for surface, at in _by_surface(ids[order]):
        if surface == SKY:
            continue
        finish, here = finish_of(stage, surface), points[:, at]
        on_part = surface >= FIRST_PART
        normal, uv, along = _on_part(stage, surface - FIRST_PART, here) if on_part else _flat(surface, here)
        slant = np.maximum(np.abs(dot(normal, rays[:, at])), 0.05)
        found[:3, at] = colours(finish, uv, footprint[at] / slant)
        if finish.bump > 0 and along is not None:
            tilt = bumps(finish, uv) / (1 + (4 * footprint[at] / finish.period_m) ** 2)
            normal = unit(normal + along[0] * tilt[0] + along[1] * tilt[1])
        found[3:6, at] = normal
        found[6:, at] = np.array([finish.gloss, finish.mirror, finish.clear, finish.glow], np.float32)[:, None]
    back = np.empty_like(found)
    back[:, order] = found
    return Surfaces(back[:3], back[3:6], back[6], back[7], back[8], back[9])
