# SPDX-License-Identifier: GPL-3.0-or-later
"""The photo and the depth as the bytes of picture files, ready to be stored inside a .blend. Imports no bpy.

Encoding takes up to seconds for a large picture, and can be done in any thread; what Blender is given then is a finished file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from ..engines.depth_map import DepthMap
from ..engines.errors import ImageError, OutputError
from ..engines.export.exr import encode_exr

NO_DEPTH = -1.0
"""What the depth picture holds where there is no surface: 0 would be a disparity."""


@dataclass(frozen=True, slots=True)
class EncodedPicture:
    """The content of a picture file. ``suffix`` with its dot."""

    content: bytes
    suffix: str
    width: int
    height: int


def encode_photo(image: npt.NDArray[np.uint8], file: Path | None = None) -> EncodedPicture:
    """uint8 RGB (H,W,3), upright, without loss: the bytes of ``file``, which shows the very same picture, or else a PNG."""
    height, width = image.shape[:2]
    if file is not None:
        try:
            return EncodedPicture(file.read_bytes(), file.suffix.lower(), width, height)
        except OSError as error:
            raise ImageError(f"{file} could not be read ({error.strerror}); check that it is still there.") from error
    # Level 1 is five times as fast as the default and a tenth larger.
    done, content = cv2.imencode(".png", image[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise OutputError(f"OpenCV could not encode a picture of {width}x{height} pixels.")
    return EncodedPicture(content.tobytes(), ".png", width, height)


def encode_depth(depth: DepthMap) -> EncodedPicture:
    """The map as a 32-bit EXR: red the values, exact, -1 where there is no surface and no sky; green the sky, blue the confidence (1
    where the model gives none)."""
    layers = np.empty((depth.height, depth.width, 3), dtype=np.float32)
    layers[..., 2] = np.where(depth.known, depth.values, np.float32(NO_DEPTH))
    layers[..., 1] = 0.0 if depth.sky is None else depth.sky
    layers[..., 0] = 1.0 if depth.confidence is None else depth.confidence
    return EncodedPicture(encode_exr(layers), ".exr", depth.width, depth.height)
