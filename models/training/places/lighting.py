# SPDX-License-Identifier: Apache-2.0
"""How light reaches surfaces: area lights with soft shadows, skylight held off by what stands near, sky and haze.

Visibility is asked once per pixel with directions dithered over 4x4 blocks, then averaged over the same 4x4 pixels of the
same surface: many directions for less than the price of one, and no light leaks over an outline.
"""

from __future__ import annotations

import numpy as np

from .. import textures
from ..raycast import dot, length, surroundings_hit
from ..scenes import FloatArray
from .description import Source
from .stage import SKY, Ids, Mask, Stage, blocked, in_opening
from .surfaces import Surfaces, unit

_SIDE = 4
INDOOR_SKY = 3.0
"""What shows through a window is this much brighter than the sky of an outdoor picture, next to a room's light."""


def _dither(table: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """(3, H*W): one of sixteen vectors (3, 16) per pixel, repeating every 4x4 pixels."""
    height, width = shape
    order = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]])
    tile = table[:, order]
    full = np.tile(tile, (1, height // _SIDE + 1, width // _SIDE + 1))[:, :height, :width]
    return np.asarray(full.reshape(3, -1), np.float32)


def soften(share: FloatArray, asked: Mask, ids: Ids, shape: tuple[int, int]) -> FloatArray:
    """Mean of a (N,) share over those of each pixel's 4x4 neighbours of the same surface that were asked."""
    height, width = shape
    here = ids.reshape(shape)
    names = np.pad(np.where(asked.reshape(shape), here, -9), 2, constant_values=-9)
    values = np.pad(share.reshape(shape), 2)
    total, count = np.zeros(shape, np.float32), np.full(shape, 1e-6, np.float32)
    for y in range(_SIDE):
        for x in range(_SIDE):
            same = names[y : y + height, x : x + width] == here
            total += values[y : y + height, x : x + width] * same
            count += same
    return np.asarray((total / count).ravel(), np.float32)


def _every_other(shape: tuple[int, int]) -> Mask:
    """(N,) a chequerboard of pixels."""
    return np.asarray((np.add.outer(np.arange(shape[0]), np.arange(shape[1])) % 2 == 0).ravel())


def _targets(light: Source, shape: tuple[int, int]) -> FloatArray:
    """(3, N) the point of a lamp or panel, or the direction of a sun, that each pixel looks at."""
    index = np.arange(16)
    if light.kind == "panel":
        a, b = (index % 4 + 0.5) / 2 - 1, (index // 4 + 0.5) / 2 - 1
        offsets = np.array(light.u, np.float32)[:, None] * a + np.array(light.v, np.float32)[:, None] * b
    else:
        angle, radius = index * 2.39996, np.sqrt((index + 0.5) / 16)
        offsets = np.stack([radius * np.cos(angle), 0.5 * np.sin(angle * 1.7), radius * np.sin(angle)]) * light.size
    return _dither((np.array(light.place)[:, None] + offsets).astype(np.float32), shape)


def shadow(stage: Stage, light: Source, points: FloatArray, normals: FloatArray, ids: Ids, shape: tuple[int, int]) -> FloatArray:
    """(N,) share of a light that arrives at each pixel's surface."""
    target = _targets(light, shape)
    ray = target if light.kind == "sun" else target - points
    asked = (ids != SKY) & _every_other(shape)
    share = np.zeros(points.shape[1], np.float32)
    at = np.flatnonzero(asked & (dot(normals, ray) > 0))
    origin, ray = points[:, at] + normals[:, at] * np.float32(3e-3), ray[:, at]
    around = stage.place.enclosure
    if light.kind == "sun" and around.high is not None:
        depth, walls = surroundings_hit(around.low, around.high, origin, ray)
        through = np.flatnonzero(in_opening(around, origin + ray * depth, walls.astype(np.int16)))
        at, origin, ray = at[through], origin[:, through], ray[:, through]
    share[at] = ~blocked(stage, origin, ray, 1e4 if light.kind == "sun" else 1.0)
    return soften(share, asked, ids, shape)


def openness(stage: Stage, points: FloatArray, normals: FloatArray, ids: Ids, shape: tuple[int, int], reach_m: float) -> FloatArray:
    """(N,) share of surrounding light that nearby parts leave: sixteen rays of the half-sphere, `reach_m` long."""
    index = np.arange(16)
    y = (index + 0.5) / 8 - 1
    around = np.sqrt(1 - y * y)
    ball = np.stack([around * np.cos(index * 2.39996), y, around * np.sin(index * 2.39996)]).astype(np.float32)
    asked = (ids != SKY) & _every_other(shape)
    at = np.flatnonzero(asked)
    away = unit(normals[:, at] + np.float32(0.97) * _dither(ball, shape)[:, at])
    far = np.float32(reach_m) * (0.35 + 0.65 * _dither(np.abs(ball[[1, 2, 0]]), shape)[0, at])
    stopped = blocked(stage, points[:, at] + normals[:, at] * np.float32(4e-3), away * far)
    share = np.zeros(points.shape[1], np.float32)
    share[at] = 1 - 0.9 * stopped
    return soften(share, asked, ids, shape) * _corners(stage, points, normals, reach_m)


def _corners(stage: Stage, points: FloatArray, normals: FloatArray, reach_m: float) -> FloatArray:
    """Rooms are darker where their faces meet, and near a wall, the floor or the ceiling."""
    around = stage.place.enclosure
    if around.high is None:
        return np.asarray(1 - 0.3 * np.exp(-np.maximum(points[1], 0) / (0.3 * reach_m)) * (1 - np.maximum(normals[1], 0)), np.float32)
    share = np.ones(points.shape[1], np.float32)
    for axis in range(3):
        for face, sign in ((around.low[axis], 1.0), (around.high[axis], -1.0)):
            gap = np.maximum((points[axis] - np.float32(face)) * sign, 0)
            turned_to = np.clip(0.7 - normals[axis] * sign, 0, 1)  # nothing for the face itself
            share = share * (1 - 0.4 * turned_to * np.exp(-gap / np.float32(0.35 * reach_m)))
    return np.asarray(share, np.float32)


def sky_colour(stage: Stage, rays: FloatArray) -> FloatArray:
    """(3, N) colour of the sky along unit rays: a gradient, clouds, a glow around the sun."""
    around = stage.place.enclosure
    rise = np.clip(rays[1], 0, 1) ** 0.6
    horizon, zenith = (np.array(c, np.float32)[:, None] for c in (around.sky_horizon, around.sky_zenith))
    colour = horizon + (zenith - horizon) * rise
    if around.clouds > 0:
        flat = rays[[0, 2]] / np.maximum(rays[1] + 0.08, 0.05)
        turn = np.float32(stage.place.seed % 97)
        cover = textures.look_up(textures.noise_tile(5, 1), flat * np.float32(0.35) + turn, 0.25)
        cover = cover + 0.4 * (textures.look_up(textures.noise_tile(6, 1), flat * np.float32(0.9) + turn, 0.5) - 0.5)
        cover = np.clip((cover - 1 + around.clouds) * 2.5, 0, 1) * np.clip(rays[1] * 6, 0, 1)
        colour = colour + (np.float32(1.05) * (0.75 + 0.25 * rise) - colour) * cover
    for light in stage.place.lights:
        if light.kind == "sun":
            near = np.maximum(dot(unit(np.array(light.place, np.float32)[:, None]), rays), 0)
            colour = colour + np.array(light.colour, np.float32)[:, None] * (0.25 * near**12 + 0.9 * near**200)
    return np.asarray(colour * (INDOOR_SKY if around.high is not None else 1.0), np.float32)


def ambient(stage: Stage, normals: FloatArray) -> FloatArray:
    """(3, N) light from all around: from above as the place says, from below as the floor throws it back."""
    around = stage.place.enclosure
    above = np.array(stage.place.ambient, np.float32)[:, None]
    floor = np.array(around.floor.colour, np.float32)[:, None]
    below = above * (0.25 + 0.9 * floor)
    return np.asarray(below + (above - below) * (0.5 + 0.5 * normals[1]), np.float32)


def lit(
    stage: Stage, points: FloatArray, rays: FloatArray, found: Surfaces, shares: list[FloatArray], open_share: FloatArray | float
) -> FloatArray:
    """(3, N) light leaving surfaces towards the eye: skylight, every source, highlights, own glow."""
    total = ambient(stage, found.normals) * open_share
    shine: FloatArray = np.zeros_like(total)
    glossy = np.flatnonzero(found.gloss > 0.02)
    for light, share in zip(stage.place.lights, shares, strict=True):
        vector = np.array(light.place, np.float32)[:, None]
        ray = vector - points if light.kind != "sun" else np.broadcast_to(vector, points.shape)
        distance = length(ray)
        ray = ray / np.maximum(distance, 1e-6)
        arriving = share * np.float32(light.strength)
        if light.kind != "sun":
            arriving = arriving / (np.float32(0.25 + light.size**2) + 0.35 * distance * distance)
        if light.kind == "panel":
            face = np.cross(light.u, light.v)
            face = face / max(float(np.linalg.norm(face)), 1e-9)
            arriving = arriving * np.maximum(-dot(face.astype(np.float32)[:, None], ray), 0)
        colour = np.array(light.colour, np.float32)[:, None]
        total = total + colour * (np.maximum(dot(found.normals, ray), 0) * arriving)
        if glossy.size:
            half = unit(ray[:, glossy] - rays[:, glossy])
            sharp = 8 + 70 * found.gloss[glossy]
            spot = found.gloss[glossy] * np.maximum(dot(found.normals[:, glossy], half), 0) ** sharp
            shine[:, glossy] += colour * (spot * (arriving[glossy] if isinstance(arriving, np.ndarray) else arriving))
    return np.asarray(found.albedo * (total + found.glow) + shine * 1.2, np.float32)


def with_haze(stage: Stage, colour: FloatArray, distance: FloatArray) -> FloatArray:
    """Distance fades to the colour of the horizon."""
    around = stage.place.enclosure
    if around.haze_m <= 0:
        return colour
    veil = 1 - np.exp(-distance / np.float32(around.haze_m))
    horizon = np.array(around.sky_horizon, np.float32)[:, None] * np.float32(INDOOR_SKY if around.high is not None else 1.0)
    return np.asarray(colour + (horizon - colour) * veil, np.float32)
