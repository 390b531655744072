# SPDX-License-Identifier: Apache-2.0
"""True depth beside the pictures: OpenEXR files of planar metres, or of Unity Perception with its alpha and its ranges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...engines.camera import CameraIntrinsics
from ...engines.errors import CaptureError
from .files import first_line

FloatArray = npt.NDArray[np.float32]


def read_depth_exr(path: Path, width: int, height: int, name: str | None = None, *, alpha: bool = False) -> FloatArray:
    """True depth from an OpenEXR file, float32 (H,W); 0 where there is none, which non-finite and negative values become, too.

    Of several channels the red one counts: writers put one-channel textures there. ``alpha``: pixels with an alpha of 0 hold nothing. Raises
    :class:`CaptureError`.
    """
    import cv2

    from ...engines.export.exr import decode_exr

    name = name or f"depth/{path.name}"
    try:
        depth: npt.NDArray[Any] | None = decode_exr(path.read_bytes())
    except (OSError, cv2.error) as error:
        raise CaptureError(f"{name} cannot be read as OpenEXR ({first_line(error)}); write float32 planar metres.") from error
    if depth is None:
        raise CaptureError(f"{name} is empty, damaged or no OpenEXR file; write float32 planar metres.")
    values = np.asarray(depth if depth.ndim == 2 else depth[..., 2], dtype=np.float32)  # OpenCV's order is blue, green, red
    if values.shape != (height, width):
        raise CaptureError(f"{name} is {values.shape[1]}x{values.shape[0]} and the picture {width}x{height}; render both at one size.")
    known = np.isfinite(values) & (values > 0)
    if alpha and depth.ndim == 3 and depth.shape[2] == 4:
        known &= depth[..., 3] > 0
    return np.where(known, values, np.float32(0))


def planar_from_range(range_m: FloatArray, camera: CameraIntrinsics) -> FloatArray:
    """Planar depth (H,W) of distances along the ray: ``z = range / sqrt(1 + x^2 + y^2)`` with the ray (x, y, 1)."""
    return (range_m / camera.range_factor()).astype(np.float32)
