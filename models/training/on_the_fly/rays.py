# SPDX-License-Identifier: Apache-2.0
"""Where the rays of many scenes at once meet them: `raycast` for a batch, every ray against every slot of solids.

Pixels are flattened row by row (N = height * width): (3, B, N) and (B, N).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..raycast import CEILING, FIRST_SOLID, FLOOR, SKY, WALLS, intersect_unit
from .scene_batch import Around, SceneBatch, Solids

_INF = float("inf")


@dataclass(frozen=True)
class Hits:
    """What each pixel sees: planar depth in metres (B, N), inf for sky; surface id (B, N); world rays (3, B, N), forward component 1."""

    depth: Tensor
    surface: Tensor
    directions: Tensor


def turned(rotation: Tensor, vectors: Tensor) -> Tensor:
    """(3, 3, ...) times (3, ...), whatever else is broadcast."""
    return torch.stack([row[0] * vectors[0] + row[1] * vectors[1] + row[2] * vectors[2] for row in rotation])


def length(vectors: Tensor) -> Tensor:
    return (vectors * vectors).sum(0).sqrt()


def camera_rays(batch: SceneBatch) -> Tensor:
    """(3, B, N) world directions through the pixel centres."""
    columns = torch.arange(batch.width, device=batch.device) + 0.5 - batch.width / 2
    rows = torch.arange(batch.height, device=batch.device) + 0.5 - batch.height / 2
    v, u = torch.meshgrid(rows, columns, indexing="ij")
    across, down = u.reshape(1, -1) / batch.focal, v.reshape(1, -1) / batch.focal
    return turned(batch.turn, torch.stack([across, -down, torch.ones_like(across)]))


def into_slot(solids: Solids, slot: int, origin: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    """Origins and directions in the unit frame of a slot's solids."""
    frame, half = solids.turn[:, :, slot].transpose(0, 1), solids.half_size[:, slot]
    return turned(frame, origin - solids.centre[:, slot]) / half, turned(frame, directions) / half


def surroundings_hit(around: Around, origin: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
    """Depth and surface id of the inside of rooms, of open ground and sky."""
    down = d[1] < -1e-6
    ground = torch.where(down, -origin[1] / torch.where(down, d[1], -1.0), _INF)
    bounds = torch.where(d > 0, around.high, around.low)
    step = torch.where(d.abs() < 1e-9, torch.where(d > 0, 1e-9, -1e-9), d)
    leave, axis = ((bounds - origin) / step).min(0)
    up = d.gather(0, axis[None])[0] > 0
    sides = torch.where(axis == 0, WALLS, WALLS + 2) + up.long()
    inside = torch.where(axis == 1, torch.where(up, CEILING, FLOOR), sides)
    outside = torch.where(down, FLOOR, SKY)
    return torch.where(around.open, ground, leave), torch.where(around.open, outside, inside)


def cast(batch: SceneBatch) -> Hits:
    """Nearest hit of every pixel of every camera."""
    directions = camera_rays(batch)
    depth, surface = surroundings_hit(batch.around, batch.position, directions)
    solids = batch.solids
    for slot, shape in enumerate(solids.shape):
        met = intersect_unit(shape, *into_slot(solids, slot, batch.position, directions))
        closer = (met < depth) & solids.there[slot]
        depth = torch.where(closer, met, depth)
        surface = torch.where(closer, FIRST_SOLID + slot, surface)
    return Hits(depth, surface, directions)


def blocked(batch: SceneBatch, origin: Tensor, ray: Tensor, reach: Tensor) -> Tensor:
    """(B, N) bool: whether a solid that throws shadows stands between `origin` and `origin + ray * reach`."""
    found = torch.zeros(ray.shape[1:], dtype=torch.bool, device=ray.device)
    for slot, shape in enumerate(batch.solids.shape):
        met = intersect_unit(shape, *into_slot(batch.solids, slot, origin, ray))
        found |= (met < reach) & batch.solids.casts[slot]
    return found
