# SPDX-License-Identifier: Apache-2.0
"""Pictures that Cycles has rendered, in a folder: `SEED.png` the colour, `SEED.npy` planar metres."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ..shading import Picture


def read_picture(seed: int, focal_px: float, cache: Path) -> Picture:
    """A rendered picture; its colour is black where only depth was rendered."""
    depth = np.load(cache / f"{seed}.npy")
    path = cache / f"{seed}.png"
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR) if path.exists() else None
    rgb = np.zeros((*depth.shape, 3), np.uint8) if pixels is None else np.asarray(pixels[..., ::-1], np.uint8)
    return Picture(rgb, depth, depth <= 0, focal_px)


def read_whole_picture(seed: int, focal_px: float, cache: Path) -> Picture:
    """A rendered picture with its colour. Raises FileNotFoundError that tells how to render it."""
    if not (cache / f"{seed}.png").exists():
        raise FileNotFoundError(f"no picture of Cycles scene {seed} in {cache}: run cycles_render render --cache")
    return read_picture(seed, focal_px, cache)
