# SPDX-License-Identifier: Apache-2.0
"""Pictures small enough for a page: the photo, outlines as vector paths over it, depth in colours with its scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ....engines.depth_map import DepthKind, DepthMap
from ....engines.export.color_map import NO_DEPTH_GREY, ColorScale, ramp
from .markup import data_uri, metres

MAX_PHOTO, MAX_DEPTH = 720, 400
"""Longest sides in pixels."""

_QUALITY = 82
_TICKS = 5
# Contours closer to the pixels than this look no different at the size of a photo and cost several times the text.
_TOLERANCE_PX = 0.75

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Outline:
    """One object on the photo: an SVG path and its box (left, top, right, bottom), both in the photo's pixels."""

    path: str
    box: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class DepthPicture:
    """A picture as data URI, its size, and the labels of its scale from near to far, evenly spaced on the colours; none without depth."""

    uri: str
    width: int
    height: int
    labels: tuple[str, ...]


def photo(image: Pixels) -> tuple[str, int, int]:
    """The picture as JPEG data URI, with the width and height it has there."""
    small = _shrunk(image, MAX_PHOTO)
    return _jpeg(small), small.shape[1], small.shape[0]


def outlines(mask: npt.NDArray[Any], mask_values: tuple[int, ...], width: int, height: int) -> list[Outline | None]:
    """The objects of a mask on a photo of that size, in the order of ``mask_values``; None for one without a pixel there."""
    # float64 holds every mask value, and cv2 resizes it; nearest pixels, as ids cannot be averaged.
    small = cv2.resize(mask.astype(np.float64), (width, height), interpolation=cv2.INTER_NEAREST_EXACT).astype(np.int64)
    return [_outline(small, value) for value in mask_values]


def _outline(mask: npt.NDArray[np.int64], value: int) -> Outline | None:
    own = np.asarray(mask == value, dtype=np.uint8)
    left, top, width, height = cv2.boundingRect(own)
    if width == 0:
        return None
    cut = np.ascontiguousarray(own[top : top + height, left : left + width])
    contours, _ = cv2.findContours(cut, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE, offset=(left, top))
    parts = []
    for contour in contours:
        points = cv2.approxPolyDP(contour, _TOLERANCE_PX, True)[:, 0, :]
        parts.append("M" + "L".join(f"{x} {y}" for x, y in points.tolist()) + "Z")
    return Outline("".join(parts), (left, top, left + width, top + height))


def depth_picture(values: npt.NDArray[np.float32], valid: npt.NDArray[np.bool_], scale: ColorScale | None) -> DepthPicture:
    """Depth in colours, near = bright, grey where there is none, on a scale that may be another map's."""
    stride = max(1, max(values.shape) // (2 * MAX_DEPTH))
    values, valid = values[::stride, ::stride], valid[::stride, ::stride]
    colours = np.full((*values.shape, 3), NO_DEPTH_GREY, dtype=np.uint8)
    if scale is not None and valid.any():
        colours[valid] = ramp(scale.place(values[valid]))
    small = _shrunk(colours, MAX_DEPTH)
    return DepthPicture(_jpeg(small), small.shape[1], small.shape[0], _labels(scale))


def truth_picture(depth_true_m: npt.NDArray[np.float32], scale: ColorScale | None) -> DepthPicture:
    """The truth on the scale of the estimate, where that is in metres; without one, on its own."""
    valid = np.isfinite(depth_true_m) & (depth_true_m > 0)
    if scale is None or scale.kind is not DepthKind.METRIC:
        exact = DepthMap(depth_true_m, DepthKind.METRIC, valid, None, None, None, "truth")
        scale = ColorScale.for_map(exact)
    return depth_picture(depth_true_m, valid, scale)


def _labels(scale: ColorScale | None) -> tuple[str, ...]:
    if scale is None:
        return ()
    unit = "m" if scale.kind is DepthKind.METRIC else ""
    places = np.linspace(1, 0, _TICKS) if scale.near > scale.far else np.full(1, 0.5)
    return tuple(metres(scale.value_at(float(place)), unit) for place in places)


def _shrunk(image: Pixels, most: int) -> Pixels:
    height, width = image.shape[:2]
    factor = most / max(height, width)
    if factor >= 1:
        return image
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _jpeg(image: Pixels) -> str:
    done, content = cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:  # only a picture without pixels cannot be encoded
        raise ValueError(f"a picture of shape {image.shape} cannot be encoded")
    return data_uri(content.tobytes(), "image/jpeg")
