# SPDX-License-Identifier: Apache-2.0
"""Whether a mask lies upside down on its picture: told by the picture's edges under the mask's outlines."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from .pixels import Mask

Bytes = npt.NDArray[np.uint8]

# Looked at is a picture of about so many pixels on its longer side.
_SIDE = 320
# Fewer steps of outline, in that picture, tell nothing.
_LEAST_OUTLINE = 40
# A step of the picture counts by what it has above the mean of its surroundings, a square of so many pixels: else a mask that lies on a busy
# part of the picture when turned over would seem to fit there.
_SURROUNDINGS = 21
# How much better, in ranks of 0 to 1, one way has to fit.
_CLEARLY = 0.1


def mask_is_flipped(image: Bytes, mask: Mask) -> bool | None:
    """True when the outlines fit the picture's edges clearly better turned over, False when they do as they are, None when neither.

    ``image``: uint8 RGB (H,W,3); ``mask``: integers (H,W). Where two neighbouring pixels differ in the mask, the picture's own step between
    them is looked up: its rank among all steps of that direction, less the mean rank around it. The mean over the outline is compared with that
    over the outline turned over; what both share counts for neither. Raises :class:`ValueError` when the sizes differ.
    """
    height, width = mask.shape
    if image.shape != (height, width, 3):
        raise ValueError(f"an image of {(height, width, 3)} is needed, not {image.shape}")
    step = max(1, round(max(height, width) / _SIDE))
    rows, columns = height // step, width // step
    if min(rows, columns) < 4:
        return None
    ids = mask[step // 2 :: step, step // 2 :: step][:rows, :columns]
    window = image[: rows * step, : columns * step]
    small = np.asarray(cv2.resize(window, (columns, rows), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    better, count = 0.0, 0
    for axis in (0, 1):
        outline = np.diff(ids, axis=axis) != 0
        # Turned over, the outline between rows r and r + 1 lies between rows H - 2 - r and the next.
        over = outline[::-1]
        upright, turned = outline & ~over, over & ~outline
        if not upright.any():
            continue
        edges = _edges(small, axis)
        better += float(edges[turned].sum(dtype=np.float64)) - float(edges[upright].sum(dtype=np.float64))
        count += int(np.count_nonzero(upright))
    if count < _LEAST_OUTLINE:
        return None
    better /= 255 * count
    return None if abs(better) < _CLEARLY else better > 0


def _edges(small: Bytes, axis: int) -> npt.NDArray[np.float32]:
    """How large the step from each pixel to the next along ``axis`` is among all such steps, 0 to 255, less the mean of that around it. A step
    counts for its neighbours, too, as an outline and its edge need not agree to the pixel."""
    first = (slice(None, -1), slice(None)) if axis == 0 else (slice(None), slice(None, -1))
    second = (slice(1, None), slice(None)) if axis == 0 else (slice(None), slice(1, None))
    red, green, blue = cv2.split(cv2.absdiff(small[first], small[second]))
    steps = cv2.max(cv2.max(red, green), blue)
    wide = cv2.dilate(steps, np.ones((3, 1) if axis == 0 else (1, 3), np.uint8))
    ranks = cv2.equalizeHist(wide).astype(np.float32)
    around = cv2.boxFilter(ranks, -1, (_SURROUNDINGS, _SURROUNDINGS), borderType=cv2.BORDER_REFLECT)
    return np.asarray(ranks - around, dtype=np.float32)
