# SPDX-License-Identifier: Apache-2.0
"""Surface patterns: how much of a material's second colour shows at a point of its surface.

Every pattern maps surface coordinates in periods, (2, N), to weights (N,) in [0, 1]. Contrast fades where a pixel covers
a period or more, so that far surfaces do not sparkle. Patterns take arrays of NumPy or torch.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import cv2
import numpy as np

from .array_library import Values, as_float32, as_int64, beside, library_of
from .scenes import FloatArray, Material

_TILE = 256


@functools.cache
def noise_tile(octaves: int, stretch: int) -> FloatArray:
    """A (256, 256) tileable noise in [0, 1]: octaves of blurred white noise, `stretch` times longer along v."""
    generator = np.random.Generator(np.random.PCG64(1000 + 10 * octaves + stretch))
    total = np.zeros((_TILE, _TILE), np.float32)
    for octave in range(octaves):
        white = generator.random((_TILE, _TILE)).astype(np.float32)
        sigma = _TILE / 10 / 2**octave
        wide = cv2.copyMakeBorder(white, _TILE, _TILE, _TILE, _TILE, cv2.BORDER_WRAP)
        soft = cv2.GaussianBlur(wide, (0, 0), sigmaX=max(sigma / stretch, 0.5), sigmaY=max(sigma, 0.5))
        soft = soft[_TILE:-_TILE, _TILE:-_TILE]
        total += (soft - soft.mean()) / soft.std() * 0.6**octave
    low, high = np.percentile(total, (2, 98))
    return np.asarray(np.clip((total - low) / (high - low), 0, 1), np.float32)


def look_up(tile: FloatArray, uv: Values, tiles_per_period: float) -> Values:
    scaled = as_int64(uv * (_TILE * tiles_per_period)) & (_TILE - 1)
    return beside(uv, tile)[scaled[1], scaled[0]]


def _plain(uv: Values) -> Values:
    return 0 * uv[0]


def _checker(uv: Values) -> Values:
    lib = library_of(uv)
    return (lib.floor(uv[0]) + lib.floor(uv[1])) % 2


def _stripes(uv: Values) -> Values:
    return as_float32(uv[0] % 1 < 0.4)


def _waves(uv: Values) -> Values:
    lib = library_of(uv)
    return 0.5 + 0.5 * lib.sin(math.tau * (uv[0] + 0.3 * lib.sin(uv[1] * 2)))


def _tiles(uv: Values) -> Values:
    return as_float32((uv[0] % 1 < 0.06) | (uv[1] % 1 < 0.06))


def _bricks(uv: Values) -> Values:
    row = library_of(uv).floor(uv[1] * 2)
    return as_float32((uv[1] * 2 % 1 < 0.12) | ((uv[0] + 0.5 * (row % 2)) % 1 < 0.06))


def _planks(uv: Values) -> Values:
    lib = library_of(uv)
    row = lib.floor(uv[0] * 4)
    tone = (lib.sin(row * 12.9898 + lib.floor(uv[1] + row * 0.37) * 78.233) * 43758.547) % 1
    seam = (uv[0] * 4 % 1 < 0.05) | ((uv[1] + row * 0.37) % 1 < 0.02)
    return as_float32(lib.where(seam, 1, 0.6 * tone * (0.5 + look_up(noise_tile(3, 6), uv, 0.5))))


def _clouds(uv: Values) -> Values:
    return look_up(noise_tile(5, 1), uv, 0.125)


def _speckle(uv: Values) -> Values:
    return as_float32(look_up(noise_tile(6, 1), uv, 0.5) > 0.6)


def _patches(uv: Values) -> Values:
    return library_of(uv).floor(look_up(noise_tile(2, 1), uv, 0.15) * 4) / 3


def _wood(uv: Values) -> Values:
    return (look_up(noise_tile(4, 8), uv, 0.2) * 4) % 1


def _dots(uv: Values) -> Values:
    return as_float32(library_of(uv).hypot(uv[0] % 1 - 0.5, uv[1] % 1 - 0.5) < 0.28)


PATTERNS: dict[str, Callable[[Values], Values]] = {
    "plain": _plain, "checker": _checker, "stripes": _stripes, "waves": _waves, "tiles": _tiles, "bricks": _bricks,
    "planks": _planks, "clouds": _clouds, "speckle": _speckle, "patches": _patches, "wood": _wood, "dots": _dots,
}  # fmt: skip


def colours(material: Material, uv_m: FloatArray, footprint_m: FloatArray) -> FloatArray:
    """Linear RGB (3, N) of a material at surface coordinates `uv_m` (2, N) in metres.

    `footprint_m` (N,) is the size of a pixel on the surface.
    """
    a = math.radians(material.angle_deg)
    turned = np.array([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]], np.float32) @ uv_m
    uv = turned / np.float32(material.period_m) + np.float32(material.angle_deg)
    keep = 1 / (1 + (2 * footprint_m / np.float32(material.period_m)) ** 2)
    weight = PATTERNS[material.pattern](uv) * keep + np.float32(0.3) * (1 - keep)
    first = np.array(material.colour, np.float32)[:, None]
    second = np.array(material.second_colour, np.float32)[:, None]
    base = (
        first + (second - first) * weight if material.pattern != "plain" else np.repeat(first, uv.shape[1], 1)
    )
    if material.grime > 0:
        dirt = look_up(noise_tile(5, 1), turned, 0.4) - np.float32(0.5)
        base = base * (1 + np.float32(material.grime) * dirt)
    return np.asarray(base, np.float32)
