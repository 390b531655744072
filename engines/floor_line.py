# SPDX-License-Identifier: Apache-2.0
"""A level floor in a picture: the depth it has, and robust fits to pixels of which many are something else."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float64]

_MAX_PIXELS = 3000
_PAIRS = 600
_SEED = 20240
# From the median of absolute residuals to a standard deviation, for residuals of a normal distribution.
_MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True, slots=True)
class FloorLine:
    """``y = slope * x + offset``; ``spread`` is the median distance of the pixels from it, in y."""

    slope: float
    offset: float
    spread: float


def floor_inverse_depth(rays_y: _Floats, camera_height_m: float, pitch_deg: float) -> _Floats:
    """``1 / z`` of a level floor at rays (x, y, 1), in 1/m; not positive at and above the horizon.

    In the camera's frame (x right, y down, z forward) a camera that looks down by p has gravity along g = (0, cos p, sin p). The floor is where
    g . P = h with P = z (x, y, 1), hence ``1 / z = (y cos p + sin p) / h``.
    """
    pitch = math.radians(pitch_deg)
    return np.asarray((rays_y * math.cos(pitch) + math.sin(pitch)) / camera_height_m)


def robust_line(x: _Floats, y: _Floats) -> FloorLine:
    """The line that half of the points (x, y) lie closest to, then fitted to all points near it; float64 (N,) each.

    Least median of squares (Rousseeuw 1984) over lines through pairs of points, drawn with a fixed seed: up to almost half of the points may lie
    anywhere.
    """
    if x.size > _MAX_PIXELS:
        kept = np.linspace(0, x.size - 1, _MAX_PIXELS).astype(np.intp)
        x, y = x[kept], y[kept]
    random = np.random.default_rng(_SEED)
    first, second = random.integers(0, x.size, (2, 8 * _PAIRS))
    # Points close together tell no slope.
    apart = np.flatnonzero(np.abs(x[first] - x[second]) > 0.2 * np.subtract(*np.percentile(x, (95, 5))))[:_PAIRS]
    first, second = first[apart], second[apart]
    slopes = (y[first] - y[second]) / (x[first] - x[second])
    offsets = y[first] - slopes * x[first]
    medians = np.array([np.median(np.abs(y - slope * x - offset)) for slope, offset in zip(slopes, offsets, strict=True)])
    best = int(np.argmin(medians))
    slope, offset = float(slopes[best]), float(offsets[best])
    for _ in range(3):
        residuals = np.abs(y - slope * x - offset)
        reach = 2.5 * _MAD_TO_SIGMA * float(np.median(residuals))
        near = residuals <= max(reach, 1e-12 * float(np.abs(y).max()))
        centre_x, centre_y = x[near].mean(), y[near].mean()
        away = x[near] - centre_x
        if not away.any():
            break
        slope = float((away * (y[near] - centre_y)).sum() / (away * away).sum())
        offset = float(centre_y - slope * centre_x)
    return FloorLine(slope, offset, float(np.median(np.abs(y - slope * x - offset))))


def robust_centre(values: _Floats) -> tuple[float, float]:
    """The middle of the shortest interval that holds half of ``values``, moved to the mean of what lies near it; and half its width."""
    ordered = np.sort(values)
    half = ordered.size // 2
    widths = ordered[half:] - ordered[: ordered.size - half]
    start = int(np.argmin(widths))
    middle, half_width = float(ordered[start] + ordered[start + half]) / 2, float(widths[start]) / 2
    near = ordered[np.abs(ordered - middle) <= max(2.5 * _MAD_TO_SIGMA * half_width, 1e-12)]
    return (float(near.mean()) if near.size else middle), half_width
