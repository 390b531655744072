# SPDX-License-Identifier: Apache-2.0
"""Colours of finishes at points of a surface: the patterns of `textures`, some of their own, and photographs.

Photographs are those of public domain or CC0 that scikit-image ships inside its wheel; where it is not installed a
"photo:" pattern is drawn as blotches. Places that are evaluated never use them, so nothing depends on that package.
"""

from __future__ import annotations

import functools
import importlib.util
import math
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from .. import textures
from ..scenes import FloatArray
from .description import Finish

PICTURES = ("astronaut.png", "chelsea.png", "rocket.jpg", "hubble_deep_field.jpg", "camera.png")
GROUNDS = ("brick.png", "grass.png", "gravel.png")
_TILE = 256


@functools.cache
def _folder() -> Path | None:
    found = importlib.util.find_spec("skimage")
    return None if found is None or found.origin is None else Path(found.origin).parent / "data"


def photographs_at_hand() -> bool:
    folder = _folder()
    return folder is not None and all((folder / name).is_file() for name in PICTURES + GROUNDS)


@functools.cache
def photograph(name: str) -> FloatArray | None:
    """A shipped photograph as (256, 256, 3) linear RGB around a mean of 0.35; None where the package is missing."""
    folder = _folder()
    pixels = None if folder is None else cv2.imread(str(folder / name))
    if pixels is None:
        return None
    small = cv2.resize(pixels, (_TILE, _TILE), interpolation=cv2.INTER_AREA)[..., ::-1].astype(np.float32) / 255
    linear = small**2.2
    return np.asarray(linear * (0.35 / max(float(linear.mean()), 1e-3)), np.float32).clip(0, 1)


def _hash(cell: FloatArray) -> FloatArray:
    return np.asarray((np.sin(cell * 12.9898 + 4.1) * 43758.547) % 1, np.float32)


def _noise(uv: FloatArray, octaves: int, per_period: float, stretch: int = 1) -> FloatArray:
    found: FloatArray = textures.look_up(textures.noise_tile(octaves, stretch), uv, per_period)
    return found


def _weave(uv: FloatArray) -> FloatArray:
    u, v = uv[0] * 8, uv[1] * 8
    return np.asarray(0.5 + 0.35 * np.sin(6.2832 * u) * np.sin(6.2832 * v) + 0.3 * (_noise(uv, 6, 0.5) - 0.5), np.float32)


def _leaves(uv: FloatArray) -> FloatArray:
    return np.asarray((_noise(uv, 6, 0.5) * 0.6 + _noise(uv * np.float32(2.7), 5, 0.5) * 0.5).clip(0, 1), np.float32)


def _facade(uv: FloatArray) -> FloatArray:
    u, v = uv[0] % 1, uv[1] % 1
    return np.asarray((u > 0.3) & (u < 0.72) & (v > 0.35) & (v < 0.85) & ~((np.abs(u - 0.51) < 0.02) | (np.abs(v - 0.62) < 0.015)), np.float32)


def _doors(uv: FloatArray) -> FloatArray:
    """Cabinet fronts: dark seams, one knob each."""
    u, v = uv[0] % 1, uv[1] % 1
    return np.asarray((u < 0.025) | (v < 0.02) | (np.hypot(u - 0.88, v - 0.8) < 0.03), np.float32)


def _lines(uv: FloatArray) -> FloatArray:
    """A printed page: rows of words."""
    row, line = np.floor(uv[1] * 14), uv[1] * 14 % 1
    word = _hash(np.floor(uv[0] * 18 + row * 7.3) + row * 31)
    return np.asarray((line > 0.35) & (line < 0.75) & (word > 0.22) & (_hash(row) > 0.12), np.float32)


def _herringbone(uv: FloatArray) -> FloatArray:
    row = np.floor(uv[0] * 3)
    slant = uv[1] * 3 + np.where(row % 2 == 0, 1, -1) * (uv[0] * 3 % 1)
    plank = np.floor(slant * 2)
    tone = _hash(plank * 3.1 + row * 17.7) * 0.7
    return np.asarray(np.where((slant * 2 % 1 < 0.05) | (uv[0] * 3 % 1 < 0.03), 1, tone), np.float32)


def _paving(uv: FloatArray) -> FloatArray:
    row = np.floor(uv[1])
    u = uv[0] + 0.5 * (row % 2)
    tone = _hash(np.floor(u) * 5.3 + row * 11.1) * 0.35
    return np.asarray(np.where((u % 1 < 0.03) | (uv[1] % 1 < 0.03), 1, tone + 0.2 * _noise(uv, 5, 0.3)), np.float32)


OWN: dict[str, Callable[[FloatArray], FloatArray]] = {
    "weave": _weave,
    "leaves": _leaves,
    "facade": _facade,
    "doors": _doors,
    "lines": _lines,
    "herringbone": _herringbone,
    "paving": _paving,
}


def _spines(finish: Finish, uv: FloatArray) -> FloatArray:
    """Rows of books: stripes of uneven width, each of its own colour."""
    u = uv[0] + 0.13 * np.sin(uv[0] * 5.1)
    book = np.floor(u * 5)
    tones = np.stack([_hash(book + shift) for shift in (0.0, 37.0, 91.0)]) * _hash(book + 13)
    mean = np.array(finish.colour, np.float32)[:, None]
    gap = (u * 5 % 1 < 0.06) | (uv[1] % 1 < 0.02)
    band = (np.abs(uv[1] * 3 % 1 - _hash(book + 5)) < 0.06) & (_hash(book + 7) > 0.5)
    return np.asarray(np.where(gap, 0.02, np.where(band, 0.6, 0.35 * mean + 0.75 * tones**1.5)), np.float32)


def colours(finish: Finish, uv_m: FloatArray, footprint_m: FloatArray) -> FloatArray:
    """Linear RGB (3, N) of a finish at surface coordinates `uv_m` (2, N); `footprint_m` (N,) is a pixel's size on the surface."""
    a = math.radians(finish.angle_deg)
    turned = np.array([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]], np.float32) @ uv_m
    uv = turned / np.float32(finish.period_m)
    keep = 1 / (1 + (2 * footprint_m / np.float32(finish.period_m)) ** 2)
    first, second = np.array(finish.colour, np.float32)[:, None], np.array(finish.second, np.float32)[:, None]
    picture = photograph(finish.pattern.removeprefix("photo:")) if finish.pattern.startswith("photo:") else None
    if picture is not None:
        cell = (uv * _TILE).astype(np.int64) & (_TILE - 1)
        base = picture[_TILE - 1 - cell[1], cell[0]].T * (first * 2)
    elif finish.pattern == "spines":
        base = _spines(finish, uv) * keep + (0.35 * first + 0.15) * (1 - keep)
    elif finish.pattern == "plain":
        base = np.repeat(first, uv.shape[1], 1)
    else:
        pattern = OWN.get(finish.pattern) or textures.PATTERNS.get(finish.pattern, textures.PATTERNS["clouds"])
        base = first + (second - first) * (pattern(uv + 0.37) * keep + np.float32(0.3) * (1 - keep))
    if finish.grime > 0:
        dirt = _noise(turned, 5, 0.4) - np.float32(0.5)
        base = base * (1 + np.float32(finish.grime) * dirt)
    return np.asarray(np.maximum(base, 0.002), np.float32)


def bumps(finish: Finish, uv_m: FloatArray) -> FloatArray:
    """(2, N) sideways tilt of the normal along both surface coordinates."""
    uv = uv_m / np.float32(max(finish.period_m * 0.5, 0.02))
    return np.stack([_noise(uv, 5, 0.4) - 0.5, _noise(uv + 0.41, 5, 0.4) - 0.5]) * np.float32(2 * finish.bump)
