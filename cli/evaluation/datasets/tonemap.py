# SPDX-License-Identifier: Apache-2.0
"""Hypersim's own tone mapping: what its previews were made with."""

from __future__ import annotations

import numpy as np

from ..samples import BoolArray, FloatArray, UInt8Array

_GAMMA = 1 / 2.2
_PERCENTILE, _BRIGHTNESS = 90, 0.8
_LUMA = (0.3, 0.59, 0.11)
_DARK = 1e-4


def tonemapped(colour: FloatArray, surface: BoolArray) -> UInt8Array:
    """uint8 (H, W, 3) of linear light, float32 (H, W, 3): the 90th percentile of the brightness of what is ``surface`` becomes 0.8, gamma 1/2.2.

    The numbers are those of ``scene_generate_images_tonemap.py`` of the data set's repository.
    """
    light: FloatArray = np.where(np.isfinite(colour), colour, np.float32(0))
    scale = 1.0
    if surface.any():
        bright = float(np.percentile((light @ np.array(_LUMA, np.float32))[surface], _PERCENTILE))
        scale = 0.0 if bright < _DARK else _BRIGHTNESS ** (1 / _GAMMA) / bright
    with np.errstate(over="ignore"):
        shown = np.clip(np.maximum(light * np.float32(scale), 0) ** np.float32(_GAMMA), 0, 1)
    return np.asarray(np.rint(shown * 255), np.uint8)
