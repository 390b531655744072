# SPDX-License-Identifier: Apache-2.0
"""What is to be measured of objects, pixel by pixel and in double precision, straight from the definitions in docs/protocol.md."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from depthbridge.engines import DepthMap


def neighbours(row: int, column: int, shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """The up to 8 neighbours that are in the picture."""
    around = [(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
    return [(r, c) for r, c in around if 0 <= r < shape[0] and 0 <= c < shape[1]]


def is_valid(depth_map: DepthMap, pixel: tuple[int, int]) -> bool:
    value = float(depth_map.values[pixel])
    return bool(depth_map.valid[pixel]) and math.isfinite(value) and value > 0


def reference(depth_map: DepthMap, mask: np.ndarray[Any, Any], value: int) -> dict[str, Any]:
    """One object: counts, fractions, eroded_px, the measured ``pixels``, and where there are any the statistics (mean, median, min, max) of
    distance and range, the ``centroid``, and the ``points`` (N,3)."""
    shape = mask.shape
    own = [(r, c) for r in range(shape[0]) for c in range(shape[1]) if mask[r, c] == value]
    core = [p for p in own if all(mask[n] == value for n in neighbours(*p, shape))]
    outline = [p for p in own if p not in core or len(neighbours(*p, shape)) < 8]
    border = [p for p in own if p[0] in (0, shape[0] - 1) or p[1] in (0, shape[1] - 1)]
    valid = [p for p in own if is_valid(depth_map, p)]
    core_valid = [p for p in core if is_valid(depth_map, p)]
    eroded = len(core_valid) >= 9 and len(core_valid) >= len(valid) / 4
    pixels = core_valid if eroded else valid
    answer: dict[str, Any] = {
        "pixel_count": len(own),
        "valid_fraction": len(valid) / len(own),
        "border_fraction": len(border) / len(outline),
        "measured_pixel_count": len(pixels),
        "eroded_px": int(eroded) if valid else 0,
        "pixels": pixels,
        "centroid": (sum(r for r, _ in own) / len(own), sum(c for _, c in own) / len(own)),
    }
    if pixels and depth_map.camera is not None:
        camera = depth_map.camera
        z = [float(depth_map.values[p]) for p in pixels]
        rays = [((c + 0.5 - camera.cx) / camera.fx, (r + 0.5 - camera.cy) / camera.fy) for r, c in pixels]
        answer["distance"] = statistics(z)
        answer["range"] = statistics([depth * math.sqrt(1 + x * x + y * y) for depth, (x, y) in zip(z, rays, strict=True)])
        answer["points"] = np.array([(x * depth, y * depth, depth) for depth, (x, y) in zip(z, rays, strict=True)])
    return answer


def statistics(values: list[float]) -> tuple[float, float, float, float]:
    """Mean, median, least, largest."""
    ordered, half = sorted(values), len(values) // 2
    median = ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2
    return math.fsum(values) / len(values), median, ordered[0], ordered[-1]
