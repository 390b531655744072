# SPDX-License-Identifier: Apache-2.0
"""Where the rays of many scenes at once meet them: `raycast` for a batch, every ray against every slot of solids.

Pixels are flattened row by row (N = height * width): (3, B, N) and (B, N).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..raycast import FIRST_SOLID, ground_hit, intersect_unit, room_hit
from .scene_batch import SceneBatch, Solids


@dataclass(frozen=True)
class Hits:
    """What each pixel sees: planar depth in metres (B, N), inf for sky; surface id (B, N); world rays (3, B, N), forward component 1."""

    depth: Tensor
    surface: Tensor
    directions: Tensor


def turned(rotation: Tensor, vectors: Tensor) -> Tensor:
    """(3, 3, ...) times (3, ...), whatever else is broadcast."""
    return torch.stack([row[0] * vectors[0] + row[1] * vectors[1] + row[2] * vectors[2] for row in rotation])


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


def cast(batch: SceneBatch) -> Hits:
    """Nearest hit of every pixel of every camera."""
    directions = camera_rays(batch)
    around, solids = batch.around, batch.solids
    ground, room = ground_hit(batch.position, directions), room_hit(around.low, around.high, batch.position, directions)
    depth, surface = (torch.where(around.open, outside, inside) for outside, inside in zip(ground, room, strict=True))
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
