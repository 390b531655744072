# SPDX-License-Identifier: Apache-2.0
"""The picture of a scene: materials, soft shadows, ambient light, sky, haze, film. Plain NumPy and OpenCV."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from . import textures
from .array_library import Values, as_float32, library_of
from .raycast import (
    CEILING,
    FIRST_SOLID,
    FLOOR,
    MISS,
    SKY,
    WALLS,
    Hits,
    cast,
    dot,
    intersect_unit,
    length,
    to_local,
    world_normals,
)
from .scenes import FloatArray, Light, Scene, Vector

HORIZON_CANONICAL = 1200.0
"""Ground seen farther than this (in units of 300 px focal length; about a kilometre) counts as sky: less than a pixel high."""
FAR_M = np.float32(5000)
DITHER = 4
"""Soft shadows: pixels of a 4x4 block look at 16 different points of the light, then the blocks are averaged."""


@dataclass(frozen=True)
class Picture:
    """A rendered scene at the size of its camera."""

    rgb: npt.NDArray[np.uint8]
    """(H, W, 3) sRGB."""
    depth_m: FloatArray
    """(H, W) exact planar depth; 0 on sky."""
    sky: npt.NDArray[np.bool_]
    """(H, W)."""
    focal_px: float


def _surfaces(
    scene: Scene, hits: Hits, points: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Albedo (3, N), normals (3, N), gloss (N,) and glow (N,) of every pixel; zeros on sky."""
    count = points.shape[1]
    albedo, normals = np.zeros((3, count), np.float32), np.zeros((3, count), np.float32)
    gloss, glow = np.zeros(count, np.float32), np.zeros(count, np.float32)
    distance = np.where(np.isfinite(hits.depth), hits.depth, 1)
    footprint = distance / np.float32(scene.camera.focal_px)
    for surface in np.unique(hits.surface):
        if surface == SKY:
            continue
        at = np.flatnonzero(hits.surface == surface)
        here = points[:, at]
        if surface >= FIRST_SOLID:
            solid = scene.solids[surface - FIRST_SOLID]
            material = solid.material
            normals[:, at], local = world_normals(solid, here)
            uv = _solid_uv(solid.shape, local)
        else:
            around = scene.surroundings
            material = {FLOOR: around.floor, CEILING: around.ceiling}.get(int(surface), around.walls)
            axis = 1 if surface < WALLS else (0 if surface < WALLS + 2 else 2)
            toward = 1.0 if surface in (FLOOR, WALLS, WALLS + 2) else -1.0
            normals[axis, at] = toward
            uv = here[[i for i in (0, 2, 1) if i != axis]]
        slant = np.abs(dot(normals[:, at], hits.directions[:, at])) / length(hits.directions[:, at])
        albedo[:, at] = textures.colours(material, uv, footprint[at] / np.maximum(slant, 0.05))
        gloss[at], glow[at] = material.gloss, material.glow
    return albedo, normals, gloss, glow


def _solid_uv(shape: str, local: FloatArray) -> FloatArray:
    """Surface coordinates in metres, (2, N), from points in a solid's own metric frame."""
    if shape == "box":
        extent = np.abs(local).max(axis=1, keepdims=True)
        axis = (np.abs(local) / np.maximum(extent, 1e-6)).argmax(axis=0)
        return np.stack([np.where(axis == 0, local[2], local[0]), np.where(axis == 1, local[2], local[1])])
    radius = max(float(np.hypot(local[0], local[2]).max()), 1e-3)
    return np.stack([np.arctan2(local[0], local[2]) * np.float32(radius), local[1]])


def light_spread(height: int, width: int) -> FloatArray:
    """(3, H*W) where on a light of size 1 each pixel looks, dithered over 4x4 blocks."""
    index = np.arange(DITHER * DITHER)
    angle, radius = index * 2.39996, np.sqrt((index + 0.5) / index.size)
    spread = np.stack([radius * np.cos(angle), 0.3 * np.sin(angle * 1.7), radius * np.sin(angle)])
    offsets = spread.astype(np.float32).reshape(3, DITHER, DITHER)
    return np.tile(offsets, (1, height // DITHER + 1, width // DITHER + 1))[:, :height, :width].reshape(3, -1)


def _shadow(
    scene: Scene, light: Light, points: FloatArray, normals: FloatArray, lit: npt.NDArray[np.bool_]
) -> FloatArray:
    """(N,) share of the light that arrives, softened over 4x4 blocks."""
    height, width = scene.camera.height, scene.camera.width
    target = _column(light.vector) + light_spread(height, width) * np.float32(light.size)
    at = np.flatnonzero(lit)
    origin = points[:, at] + normals[:, at] * np.float32(2e-3)
    ray = target[:, at] - origin if light.kind == "lamp" else target[:, at]
    length2 = dot(ray, ray)
    open_sky = np.ones(at.size, np.bool_)
    for solid in scene.solids:
        if solid.material.glow > 0:
            continue
        centre = np.array(solid.centre, np.float32)[:, None] - origin
        along = dot(centre, ray)
        reach2 = np.float32(sum(h * h for h in solid.half_size))
        aside2 = dot(centre, centre) * length2 - along * along
        close = (aside2 < reach2 * length2) & (along > -np.sqrt(reach2 * length2)) & open_sky
        maybe = np.flatnonzero(close)
        if maybe.size == 0:
            continue
        t = intersect_unit(solid.shape, *to_local(solid, origin[:, maybe], ray[:, maybe]))
        open_sky[maybe[t < (1.0 if light.kind == "lamp" else MISS)]] = False
    share = np.ones(points.shape[1], np.float32)
    share[at] = open_sky
    return np.asarray(cv2.blur(share.reshape(height, width), (DITHER, DITHER)), np.float32).ravel()


def corner_darkening(low: Values, high: Values, points: Values, on_solid: Values) -> Values:
    """A cheap ambient occlusion: rooms, from `low` to `high`, are darker where their faces meet. For NumPy and torch."""
    lib = library_of(points)
    x, y, z = lib.minimum(points - low, high - points)
    least, most = lib.minimum(lib.minimum(x, y), z), lib.maximum(lib.maximum(x, y), z)
    gap = lib.where(on_solid, least, x + y + z - least - most)
    return as_float32(1 - 0.35 * lib.exp(-lib.clip(gap, 0, None) / 0.25))


def sky_colour(horizon: Values, zenith: Values, clouds: Values, directions: Values) -> Values:
    """Linear RGB of the sky seen in some `directions` (3, ...). For NumPy and torch."""
    lib = library_of(directions)
    unit = directions / length(directions)
    colour = horizon + (zenith - horizon) * lib.clip(unit[1], 0, 1) ** 0.6
    flat = unit[[0, 2]] / lib.clip(unit[1], 0.05, None) * (40 / 256)
    cover = lib.clip(textures.look_up(textures.noise_tile(5, 1), flat, 1.0) * 1.6 - 0.6, 0, 1) * clouds * lib.clip(unit[1] * 8, 0, 1)
    return as_float32(colour + (0.95 - colour) * cover)


def _column(vector: Vector) -> FloatArray:
    return np.array(vector, np.float32)[:, None]


def _lit(scene: Scene, hits: Hits, points: FloatArray) -> FloatArray:
    """(3, N) linear colour of every pixel, sky and haze included."""
    albedo, normals, gloss, glow = _surfaces(scene, hits, points)
    view = hits.directions / length(hits.directions)
    fill = np.float32(scene.ambient) * (0.75 + 0.25 * normals[1] - 0.15 * dot(normals, view))
    around = scene.surroundings
    if around.high is not None:
        fill = fill * corner_darkening(_column(around.low), _column(around.high), points, hits.surface >= FIRST_SOLID)
    light_sum = np.repeat(fill[None], 3, axis=0)
    shine: FloatArray = np.zeros((3, points.shape[1]), np.float32)
    for light in scene.lights:
        vector = _column(light.vector)
        ray = vector - points if light.kind == "lamp" else np.repeat(vector, points.shape[1], axis=1)
        distance = length(ray)
        ray = ray / np.maximum(distance, 1e-6)
        facing = dot(normals, ray)
        share = _shadow(scene, light, points, normals, (facing > 0) & (hits.surface != SKY))
        share = share * np.float32(light.strength)
        if light.kind == "lamp":
            share = share * 3 / (1.5 + distance * distance * 0.5)
        colour = _column(light.colour)
        light_sum += colour * (np.maximum(facing, 0) * share)
        half = ray - view
        half = half / np.maximum(length(half), 1e-6)
        shine += colour * (gloss * share * np.maximum(dot(normals, half), 0) ** 40)
    lit: FloatArray = albedo * (light_sum + glow) + shine
    sky = hits.surface == SKY
    if around.high is None:
        background = sky_colour(_column(around.sky_horizon), _column(around.sky_zenith), np.float32(around.clouds), hits.directions)
        if around.haze_m > 0:
            veil = 1 - np.exp(-np.where(sky, 0, hits.depth) / np.float32(around.haze_m))
            lit = lit + (_column(around.sky_horizon) - lit) * veil
        lit = np.where(sky, background, lit)
    return np.asarray(lit, np.float32)


def _develop(scene: Scene, linear: FloatArray) -> npt.NDArray[np.uint8]:
    """(H, W, 3) sRGB bytes from (3, N) linear light; noise comes from the scene's seed."""
    film, height, width = scene.film, scene.camera.height, scene.camera.width
    image: FloatArray = np.ascontiguousarray(linear.reshape(3, height, width).transpose(1, 2, 0))
    image = image * (film.mean_level / max(float(image.mean()), 1e-4)) * np.array(film.gains, np.float32)
    if film.vignette > 0:
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        image = image * (1 - film.vignette * (x * x + y * y) / 2)[..., None].astype(np.float32)
    if film.blur_px > 0:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), film.blur_px), np.float32)
    image = np.clip(image, 0, 1) ** np.float32(film.tone / 2.2)
    if film.noise > 0:
        generator = np.random.Generator(np.random.PCG64(scene.seed + 1))
        image = image + generator.standard_normal(image.shape, np.float32) * np.float32(film.noise)
    return np.asarray(np.clip(image * 255 + 0.5, 0, 255), np.uint8)


def render(scene: Scene) -> Picture:
    """The picture and exact planar depth of a scene, at its camera's size."""
    hits = cast(scene)
    size = (scene.camera.height, scene.camera.width)
    sky = (hits.surface == SKY) | (hits.depth * (300 / scene.camera.focal_px) > HORIZON_CANONICAL)
    reach = np.minimum(np.where(hits.surface == SKY, 1, hits.depth), FAR_M)
    points = _column(scene.camera.position) + hits.directions * reach
    rgb = _develop(scene, _lit(scene, hits, points))
    return Picture(
        rgb,
        np.where(sky, 0, hits.depth).astype(np.float32).reshape(size),
        sky.reshape(size),
        scene.camera.focal_px,
    )
