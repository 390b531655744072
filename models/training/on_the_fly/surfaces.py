# SPDX-License-Identifier: Apache-2.0
"""What the pixels of many scenes at once show: colour, normal, gloss and glow of the surface that each of them sees."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..raycast import FIRST_SOLID, FLOOR, SKY, WALLS, length, unit_normals
from ..textures import PATTERNS, look_up, noise_tile
from .rays import Hits, turned
from .scene_batch import PATTERN_NAMES, SHAPES, SceneBatch


@dataclass(frozen=True)
class Surfaces:
    """`albedo`, `normals` (3, B, N), `gloss`, `glow` (B, N); zeros on sky."""

    albedo: Tensor
    normals: Tensor
    gloss: Tensor
    glow: Tensor


def per_pixel(table: Tensor, ids: Tensor) -> Tensor:
    """(..., B, M) read at (B, N) places of the last axis: (..., B, N)."""
    return torch.take_along_dim(table, ids.expand(*table.shape[:-2], *ids.shape), -1)


def surfaces(batch: SceneBatch, hits: Hits, points: Tensor) -> Surfaces:
    """Of `points` (3, B, N) on what `hits` says."""
    sky = hits.surface == SKY
    ids = hits.surface.clamp(min=0)
    on_solid = ids >= FIRST_SOLID
    normals, uv = _walls(ids, points)
    if batch.solids.shape:
        solid_normals, solid_uv = _solids(batch, (ids - FIRST_SOLID).clamp(min=0), on_solid, points)
        normals, uv = torch.where(on_solid, solid_normals, normals), torch.where(on_solid, solid_uv, uv)
    normals = torch.where(sky, 0.0, normals)
    distance = torch.where(sky, 1.0, hits.depth)
    slant = (normals * hits.directions).sum(0).abs() / length(hits.directions)
    albedo = _colours(batch, ids, uv, distance / batch.focal / slant.clamp(min=0.05))
    gloss, glow = (torch.where(sky, 0.0, per_pixel(table, ids)) for table in (batch.materials.gloss, batch.materials.glow))
    return Surfaces(torch.where(sky, 0.0, albedo), normals, gloss, glow)


def _walls(ids: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Normals (3, B, N) and metres along the surface (2, B, N) on a room's sides or the ground."""
    level, across = ids < WALLS, (ids >= WALLS) & (ids < WALLS + 2)
    toward = torch.where((ids == FLOOR) | (ids == WALLS) | (ids == WALLS + 2), 1.0, -1.0)
    normals = torch.stack([toward * across, toward * level, toward * ~(level | across)])
    return normals, torch.stack([torch.where(across, points[2], points[0]), torch.where(level, points[2], points[1])])


def _solids(batch: SceneBatch, slots: Tensor, on_solid: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """The same on the solids in `slots` (B, N), where a pixel is `on_solid`."""
    solids = batch.solids
    centre, half = (per_pixel(table[..., 0].transpose(-1, -2), slots) for table in (solids.centre, solids.half_size))
    turn = per_pixel(solids.turn[..., 0].transpose(-1, -2), slots)
    shape = torch.tensor([SHAPES.index(name) for name in solids.shape], device=batch.device)[slots]
    local = turned(turn.transpose(0, 1), points - centre)
    q = local / half
    unit = torch.zeros_like(q)
    for place, name in enumerate(SHAPES):
        unit = torch.where(shape == place, unit_normals(name, q), unit)
    normals = turned(turn, unit / half)
    # As `shading` has it: which face of a box, and how far around, is reckoned from the part that is seen.
    seen = torch.cat([local.abs(), torch.hypot(local[0], local[2])[None]])
    extent = torch.zeros(4, len(slots), len(solids.shape), device=batch.device)
    extent.scatter_reduce_(2, slots.expand_as(seen), torch.where(on_solid, seen, 0.0), "amax")
    reach = per_pixel(extent, slots)
    axis = (local.abs() / reach[:3].clamp(min=1e-6)).argmax(0)
    flat = torch.stack([torch.where(axis == 0, local[2], local[0]), torch.where(axis == 1, local[2], local[1])])
    round_about = torch.stack([torch.atan2(local[0], local[2]) * reach[3].clamp(min=1e-3), local[1]])
    return normals / length(normals).clamp(min=1e-9), torch.where(shape == SHAPES.index("box"), flat, round_about)


def _colours(batch: SceneBatch, ids: Tensor, uv_m: Tensor, footprint_m: Tensor) -> Tensor:
    """Linear RGB (3, B, N), as `textures.colours` has it of one material."""
    found = batch.materials
    angle, period = per_pixel(found.angle_deg, ids), per_pixel(found.period, ids)
    cos, sin = (angle * (math.pi / 180)).cos(), (angle * (math.pi / 180)).sin()
    about = torch.stack([cos * uv_m[0] - sin * uv_m[1], sin * uv_m[0] + cos * uv_m[1]])
    keep = 1 / (1 + (2 * footprint_m / period) ** 2)
    pattern = per_pixel(found.pattern, ids)
    weight = _pattern_weights(pattern, about / period + angle) * keep + 0.3 * (1 - keep)
    first, second = per_pixel(found.colour, ids), per_pixel(found.second, ids)
    base = torch.where(pattern == PATTERN_NAMES.index("plain"), first, first + (second - first) * weight)
    return base * (1 + per_pixel(found.grime, ids) * (look_up(noise_tile(5, 1), about, 0.4) - 0.5))


def _pattern_weights(pattern: Tensor, uv: Tensor) -> Tensor:
    """Each pixel by its own pattern; pixels of one pattern at a time."""
    flat, weight = uv.reshape(2, -1), torch.zeros(pattern.numel(), device=uv.device)
    for place, name in enumerate(PATTERN_NAMES):
        at = (pattern.reshape(-1) == place).nonzero()[:, 0]
        if len(at):
            weight[at] = PATTERNS[name](flat[:, at])
    return weight.reshape(pattern.shape)
