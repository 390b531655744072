# SPDX-License-Identifier: Apache-2.0
"""The picture of a place and its exact planar depth, at the camera's size or directly at a fraction of it.

Two rays per pixel: one through its centre, which alone decides the depth, and one through each pixel corner, whose colour is
worked out along outlines only. A pixel's colour is half its centre and an eighth of each of its four corners. Glass has the depth
of the glass, a mirror that of its surface, as filled sensor data has it; what is seen through an opening is as far as it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..raycast import length
from ..scenes import FloatArray, SceneCamera
from ..shading import HORIZON_CANONICAL, Picture
from .description import Place
from .lens import photograph_of
from .lighting import lit, openness, shadow, sky_colour, with_haze
from .stage import OUTSIDE, SKY, Ids, Stage, first_hits, see, see_some, set_up
from .surfaces import Surfaces, surfaces

_FAR_M = np.float32(5000)


def pixel_rays(camera: SceneCamera, factor: float) -> FloatArray:
    """(3, 2, h, w) world directions of forward component 1: through pixel centres, and through their upper left corners."""
    height, width = round(camera.height * factor), round(camera.width * factor)
    focal = camera.focal_px * factor
    rays = np.empty((3, 2, height, width), np.float32)
    for which, shift in enumerate((0.5, 0.0)):
        u = (np.arange(width) + shift - width / 2) / focal
        v = (np.arange(height) + shift - height / 2) / focal
        rays[0, which], rays[1, which], rays[2, which] = u, -v[:, None], 1.0
    return np.asarray(camera.rotation() @ rays.reshape(3, -1), np.float32).reshape(rays.shape)


def _neighbours(centre: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], ...]:
    """The four pixels around each pixel's upper left corner, for arrays (..., H, W); the border repeats itself."""
    padded = np.pad(centre, [(0, 0)] * (centre.ndim - 2) + [(1, 0), (1, 0)], mode="edge")
    return padded[..., 1:, 1:], padded[..., :-1, :-1], padded[..., 1:, :-1], padded[..., :-1, 1:]


def _outlines(ids: Ids) -> npt.NDArray[np.int64]:
    """Flat indices of the corners whose four pixels do not all see one surface."""
    first, second, third, fourth = _neighbours(ids)
    return np.flatnonzero((first != second) | (first != third) | (first != fourth))


def _nearest_centres(ids: Ids, corners: npt.NDArray[np.int64], wanted: Ids) -> npt.NDArray[np.int64]:
    """For each of some corners a pixel next to it (flat index) that sees the surface `wanted`, if any of the four does."""
    first, *others = (n.ravel()[corners] for n in _neighbours(np.arange(ids.size).reshape(ids.shape)))
    chosen, flat = first.copy(), ids.ravel()
    for place in others:
        better = (flat[place] == wanted) & (flat[chosen] != wanted)
        chosen[better] = place[better]
    return chosen


def _beyond(stage: Stage, points: FloatArray, rays: FloatArray, found: Surfaces, ids: Ids) -> FloatArray:
    """The light (3, N) that mirrors and clear surfaces add: one further ray each."""
    mirrors, clears = np.flatnonzero(found.mirror > 0.02), np.flatnonzero(found.clear > 0.02)
    at = np.concatenate([mirrors, clears])
    if at.size == 0:
        return np.zeros_like(points)
    normal, away = found.normals[:, at], rays[:, at].copy()
    reflected = slice(0, mirrors.size)
    facing = (normal[:, reflected] * away[:, reflected]).sum(0)
    away[:, reflected] -= 2 * facing * normal[:, reflected]
    start = points[:, at] + np.where(np.arange(at.size) < mirrors.size, 3e-3, -3e-3).astype(np.float32) * normal
    skip = np.full(at.size, -2, np.int64)
    skip[mirrors.size :] = stage.owner(ids)[clears]
    depth, seen = first_hits(stage, start, away, skip)
    met = start + away * np.minimum(np.where(seen == SKY, 1, depth), _FAR_M)
    further = surfaces(stage, met, away, seen, np.minimum(depth, 100) * np.float32(0.004))
    light = lit(stage, met, away, further, [np.full(at.size, 0.6, np.float32)] * len(stage.place.lights), 0.75)
    light = with_haze(stage, light, np.where(seen == SKY, 0, depth)) if stage.place.enclosure.high is None else light
    light = np.where(seen == SKY, sky_colour(stage, away), light)
    share = np.concatenate([found.mirror[mirrors], found.clear[clears]])
    tint = found.albedo[:, at] / np.maximum(found.albedo[:, at].max(0), 1e-3)
    light = light * share * np.where(np.arange(at.size) < mirrors.size, 0.5 + 0.5 * tint, tint)
    added = np.zeros_like(points)
    added[:, mirrors] += light[:, : mirrors.size]
    added[:, clears] += light[:, mirrors.size :]
    return added


def _light(stage: Stage, rays: FloatArray, depth: FloatArray, ids: Ids, factor: float) -> FloatArray:
    """(3, H, W) linear light of a picture: pixel centres everywhere, pixel corners along outlines."""
    camera, shape = stage.place.camera, (rays.shape[2], rays.shape[3])
    pixels = shape[0] * shape[1]
    corners = _outlines(ids)
    corner_depth, corner_ids = see_some(stage, rays[:, 1], factor, corners)
    source = _nearest_centres(ids, corners, corner_ids)
    d = np.concatenate([rays[:, 0].reshape(3, -1), rays[:, 1].reshape(3, -1)[:, corners]], axis=1)
    names = np.concatenate([ids.ravel(), corner_ids])
    sky = names == SKY
    reach = np.minimum(np.where(sky, 1, np.concatenate([depth.ravel(), corner_depth])), _FAR_M)
    points = np.array(camera.position, np.float32)[:, None] + d * reach
    stretch = length(d)
    view = d / stretch
    found = surfaces(stage, points, view, names, reach / np.float32(camera.focal_px * factor))
    p, n, i = points[:, :pixels], found.normals[:, :pixels], names[:pixels]
    seen = reach[:pixels][~sky[:pixels]]
    span = float(np.clip(0.5 * np.median(seen), 0.2, 4.0)) if seen.size else 1.0
    shares = [shadow(stage, light, p, n, i, shape) for light in stage.place.lights]
    unblocked = openness(stage, p, n, i, shape, span)
    colour = lit(stage, points, view, found, [np.concatenate([s, s[source]]) for s in shares], np.concatenate([unblocked, unblocked[source]]))
    colour = colour * (1 - found.clear) * (1 - 0.6 * found.mirror)
    centre = Surfaces(*(a[..., :pixels] for a in (found.albedo, found.normals, found.gloss, found.mirror, found.clear, found.glow)))
    added = _beyond(stage, p, view[:, :pixels], centre, i)
    colour += np.concatenate([added, added[:, source] * (found.mirror + found.clear > 0.02)[pixels:]], axis=1)
    haze = with_haze(stage, colour, np.where(sky, 0, reach * stretch))
    colour = haze if stage.place.enclosure.high is None else np.where(names == OUTSIDE, haze * 2, colour)
    if sky.any():
        colour[:, sky] = sky_colour(stage, view[:, sky])
    return _assembled(colour, corners, shape)


def _assembled(colour: FloatArray, corners: npt.NDArray[np.int64], shape: tuple[int, int]) -> FloatArray:
    """(3, H, W): half a pixel's centre, an eighth of each corner; a corner inside a surface is the mean of its four pixels."""
    centre = colour[:, : shape[0] * shape[1]].reshape(3, *shape)
    first, second, third, fourth = _neighbours(centre)
    corner = ((first + second + third + fourth) / 4).reshape(3, -1)
    corner[:, corners] = colour[:, shape[0] * shape[1] :]
    padded = np.pad(corner.reshape(3, *shape), ((0, 0), (0, 1), (0, 1)), mode="edge")
    around = padded[:, :-1, :-1] + padded[:, 1:, :-1] + padded[:, :-1, 1:] + padded[:, 1:, 1:]
    return np.asarray(0.5 * centre + 0.125 * around, np.float32)


def render_place(place: Place, factor: float = 1.0) -> Picture:
    """The picture, planar depth and sky of a place; `factor` 0.5 gives half the camera's size, with half its focal length."""
    stage = set_up(place)
    rays = pixel_rays(place.camera, factor)
    depth, ids = see(stage, rays[:, 0], factor)
    linear = np.ascontiguousarray(_light(stage, rays, depth, ids, factor).transpose(1, 2, 0))
    sky = (ids == SKY) | (depth * (300 / place.camera.focal_px) > HORIZON_CANONICAL)
    return Picture(
        photograph_of(linear, place.lens, place.seed),
        np.where(sky, 0, depth).astype(np.float32),
        sky,
        place.camera.focal_px * factor,
    )
