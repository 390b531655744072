# SPDX-License-Identifier: Apache-2.0
"""A room whose every depth is known: a level floor below the camera, a box on it, a wall."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from depthbridge.engines.camera import CameraIntrinsics
from depthbridge.engines.depth_map import DepthKind, DepthMap

from .known_depth import depth_map

CAMERA = CameraIntrinsics(90, 90, 51.0, 33.0, 96, 72)
CAMERA_HEIGHT_M = 1.5
SCALE, SHIFT = 2.0, -0.1
"""Of the disparity: ``1 / metres = SCALE * disparity + SHIFT``."""
UNIT = 7.0
"""Metres in one unit of the relative depth."""


def room_m(pitch_deg: float = 0.0) -> npt.NDArray[np.float32]:
    """Planar depth in metres, float32 (72,96); the camera looks down by ``pitch_deg``."""
    rows, columns = np.mgrid[0 : CAMERA.height, 0 : CAMERA.width]
    rays_y = (rows + 0.5 - CAMERA.cy) / CAMERA.fy
    down = rays_y * math.cos(math.radians(pitch_deg)) + math.sin(math.radians(pitch_deg))
    depth = np.where(down > 1e-3, CAMERA_HEIGHT_M / np.maximum(down, 1e-3), np.inf)
    depth = np.minimum(depth, 6 + 0.5 * np.sin(columns / 14))
    depth[20:34, 30:52] = 2.2
    return depth.astype(np.float32)


def room(kind: DepthKind, pitch_deg: float = 0.0) -> DepthMap:
    """The room as a model of that kind would tell it."""
    depth = room_m(pitch_deg).astype(np.float64)
    values = {DepthKind.METRIC: depth, DepthKind.RELATIVE: depth / UNIT, DepthKind.DISPARITY: (1 / depth - SHIFT) / SCALE}[kind]
    return depth_map(values.astype(np.float32), CAMERA, kind)


def points_m(pitch_deg: float = 0.0) -> npt.NDArray[np.float64]:
    """Where every pixel truly lies, camera frame, metres, float64 (N,3), row by row."""
    return (CAMERA.ray_directions() * room_m(pitch_deg)[..., None]).reshape(-1, 3).astype(np.float64)


def pixel(row: int, column: int) -> int:
    """The index of a pixel, and of its vertex when nothing is left out."""
    return row * CAMERA.width + column


NEAR = (pixel(70, 8), pixel(70, 88))
"""Across the floor before the camera."""
FAR = (pixel(10, 4), pixel(12, 92))
"""Along the wall."""


def true_distance_m(pair: tuple[int, int], pitch_deg: float = 0.0) -> float:
    """Between two pixels' points."""
    points = points_m(pitch_deg)
    return float(np.linalg.norm(points[pair[0]] - points[pair[1]]))
