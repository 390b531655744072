# SPDX-License-Identifier: Apache-2.0
"""From light to a photograph: exposure, vignetting, softness, camera shake, tone, sharpening, noise, compression."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from ..scenes import FloatArray
from .description import Lens

_WIDTH = 504


def _shake(image: FloatArray, length_px: float, angle_deg: float) -> FloatArray:
    """A straight camera movement during the exposure, `length_px` pixels long."""
    side = 2 * math.ceil(length_px / 2) + 1
    kernel = np.zeros((side, side), np.float32)
    for t in np.linspace(-0.5, 0.5, 8 * side):
        x = side / 2 + t * length_px * math.cos(math.radians(angle_deg))
        y = side / 2 + t * length_px * math.sin(math.radians(angle_deg))
        kernel[min(side - 1, int(y)), min(side - 1, int(x))] += 1
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE), np.float32)


def _exposed(linear: FloatArray, lens: Lens) -> FloatArray:
    """Scaled so that the mean, very bright places counted as four times the median, is the wanted level."""
    luminance = linear @ np.array([0.25, 0.6, 0.15], np.float32)
    middle = float(np.median(luminance))
    mean = float(np.minimum(luminance, max(4 * middle, 1e-3)).mean())
    return np.asarray(linear * (lens.level / max(mean, 1e-4)) * np.array(lens.gains, np.float32), np.float32)


def _toned(linear: FloatArray, lens: Lens) -> FloatArray:
    """Linear light to display values in [0, 1]: a soft shoulder, gamma, and an S of strength `contrast`."""
    x = np.maximum(linear, 0)
    shoulder = x * (1 + x / 9) / (1 + 0.55 * x)
    shown = np.clip(shoulder, 0, 1) ** np.float32(lens.tone / 2.2)
    smooth = shown * shown * (3 - 2 * shown)
    return np.asarray(shown + (smooth - shown) * np.float32(lens.contrast), np.float32)


def photograph_of(linear: FloatArray, lens: Lens, seed: int) -> npt.NDArray[np.uint8]:
    """(H, W, 3) sRGB bytes from (H, W, 3) linear light; the noise comes from the seed."""
    height, width = linear.shape[:2]
    scale = max(height, width) / _WIDTH
    image = _exposed(linear, lens)
    if lens.vignette > 0:
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
        image = image / (1 + np.float32(lens.vignette) * (x * x + y * y) / 2)[..., None] ** 2
    image = np.minimum(image, 6)
    if lens.motion_px * scale > 0.7:
        image = _shake(image, lens.motion_px * scale, lens.motion_deg)
    if lens.blur_px * scale > 0.25:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), lens.blur_px * scale), np.float32)
    if lens.noise > 0:
        generator = np.random.Generator(np.random.PCG64(seed + 1))
        grain = generator.standard_normal(image.shape, np.float32)
        image = image + grain * np.float32(lens.noise) * np.sqrt(np.maximum(image, 0) * 0.25 + 0.004)
    shown = _toned(image, lens)
    if lens.sharpen > 0:
        shown = shown + np.float32(lens.sharpen) * (shown - cv2.GaussianBlur(shown, (0, 0), 1.2))
    pixels = np.asarray(np.clip(shown * 255 + 0.5, 0, 255), np.uint8)
    if lens.quality > 0:
        ok, data = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, lens.quality])
        pixels = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[..., ::-1] if ok else pixels
    return np.ascontiguousarray(pixels)
