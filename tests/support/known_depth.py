# SPDX-License-Identifier: Apache-2.0
"""Depth maps and pictures whose every value is known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from depthbridge.engines.camera import CameraIntrinsics, CameraSource
from depthbridge.engines.depth_map import DepthKind, DepthMap

CAMERAS = {
    "centred": CameraIntrinsics(150, 150, 80, 60, 160, 120),
    "off centre": CameraIntrinsics(150, 150, 97.3, 41.8, 160, 120),
    "portrait off centre": CameraIntrinsics(140, 140, 20.5, 101.2, 120, 160),
    "tall pixels": CameraIntrinsics(150, 210, 97.3, 41.8, 160, 120),
    "wide pixels, portrait": CameraIntrinsics(230, 150, 48.1, 93.7, 120, 160),
    "wide angle": CameraIntrinsics(31, 30, 71.0, 66.0, 160, 120),
    "wider than Blender's shortest lens": CameraIntrinsics(3.0, 3.2, 71.0, 66.0, 160, 120),
    "telephoto": CameraIntrinsics(4100, 4100, 77.0, 60.0, 160, 120),
}


def wavy_depth(camera: CameraIntrinsics, *, disc: bool = True) -> npt.NDArray[np.float32]:
    """Rolling depth around 3, with a disc that stands half in front: a jump that has to be torn."""
    y, x = np.mgrid[0 : camera.height, 0 : camera.width]
    depth = 3 + 0.5 * np.sin(x / 23) + 0.4 * np.cos(y / 17)
    if disc:
        depth[(x - camera.width / 2) ** 2 + (y - camera.height / 3) ** 2 < 24**2] -= 1.3
    return depth.astype(np.float32)


def depth_map(
    values: npt.NDArray[np.float32],
    camera: CameraIntrinsics | None,
    kind: DepthKind = DepthKind.METRIC,
    *,
    valid: npt.NDArray[np.bool_] | None = None,
    confidence: npt.NDArray[np.float32] | None = None,
) -> DepthMap:
    """``values`` as an engine would hand them over."""
    return DepthMap(
        values=values,
        kind=kind,
        valid=np.ones(values.shape, dtype=np.bool_) if valid is None else valid,
        sky=None,
        confidence=confidence,
        camera=camera,
        model_id="known depth",
        camera_source=CameraSource.NONE if camera is None else CameraSource.GIVEN,
    )


def picture(width: int, height: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Noise: no two neighbouring pixels alike, so that a shift by one shows."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def blocks(width: int, height: int, side: int = 20) -> npt.NDArray[np.uint8]:
    """Squares of one random colour each, ``side`` pixels wide."""
    small = picture(-(-width // side), -(-height // side), seed=7)
    return np.ascontiguousarray(np.kron(small, np.ones((side, side, 1), dtype=np.uint8))[:height, :width])
