# SPDX-License-Identifier: Apache-2.0
"""The picture with its objects outlined and their distances written beside them."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from ..results import ObjectResult
from .outline_colours import Colour, object_colour
from .pixels import Mask, MaskObjects

Bytes = npt.NDArray[np.uint8]
Boxes = npt.NDArray[np.intp]

MAX_LABELS = 200
"""More labels than this hide the picture: the nearest objects are labelled, all are outlined."""
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_LONGEST_NAME = 28
_JPEG_QUALITY = 90
# Rows for which text has this size (OpenCV's scale) and outlines are one pixel wide; both grow with the picture.
_TEXT_ROWS, _OUTLINE_ROWS = 1440.0, 480.0
_LEAST_TEXT = 0.33


def draw_overlay(
    image: Bytes,
    mask: Mask,
    objects: Sequence[ObjectResult],
    encoding: Literal["png", "jpeg"] = "jpeg",
    *,
    unit: str = "m",
    mask_values: Sequence[int] | None = None,
) -> bytes:
    """The bytes of a PNG or JPEG file: ``image`` with the outline of each of ``objects`` and a label "category 1.23 m".

    ``image``: upright uint8 RGB (H,W,3), left as it is; ``mask``: integers (H,W), whose values ``mask_values`` belong to the objects (default:
    their own, where they know them). ``unit``: ``m`` or ``relative``. The number is the median distance, or for disparity its median.
    Labels are placed nearest object first; where they would cover one another they move, with a line to their object. Raises
    :class:`ValueError` for an image and mask of different sizes.
    """
    if image.shape != (*mask.shape, 3):
        raise ValueError(f"an image of {(*mask.shape, 3)} is needed, not {image.shape}")
    values = [item.mask_value for item in objects] if mask_values is None else list(mask_values)
    picture = np.ascontiguousarray(image).copy()
    found = MaskObjects.of(mask)
    seen = [(value, item) for value, item in zip(values, objects, strict=True) if value is not None and item.pixel_count > 0]
    _draw_outlines(picture, found, [(value, object_colour(item.id)) for value, item in seen])
    labelled = [(value, item) for value, item in seen if item.center_px is not None]
    nearest = sorted(labelled, key=lambda pair: _nearness(pair[1]))[:MAX_LABELS]
    _draw_labels(picture, [item for _, item in nearest], _bounds(found, [value for value, _ in nearest]), unit)
    settings = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if encoding == "jpeg" else []
    done, data = cv2.imencode(f".{encoding}", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), settings)
    if not done:
        raise ValueError(f"no {encoding} could be made of an image of {image.shape}")
    return bytes(data)


def _nearness(item: ObjectResult) -> float:
    if item.distance is not None:
        return item.distance.median
    return -item.disparity.median if item.disparity is not None else math.inf


# ---- outlines -------------------------------------------------------------------------------------------------------


def _bounds(found: MaskObjects, values: Sequence[int]) -> Boxes:
    """Left, top, right and bottom of each value's pixels, (N,4), the ends exclusive; all of them are in the mask."""
    runs, many = found.runs, len(found.ids)
    boxes = np.empty((4, many), dtype=np.intp)
    for index, (low, edge) in enumerate(((True, runs.columns), (True, runs.rows), (False, runs.columns + runs.lengths), (False, runs.rows + 1))):
        boxes[index] = np.iinfo(np.intp).max if low else 0
        (np.minimum if low else np.maximum).at(boxes[index], runs.labels, edge)
    return boxes[:, np.searchsorted(found.ids, np.array(values, dtype=np.int64))].T


def _draw_outlines(picture: Bytes, found: MaskObjects, listed: Sequence[tuple[int, Colour]]) -> None:
    """In the objects' colours just inside of them, on a dark line just outside, so that they show on any ground."""
    if not listed:
        return
    mask = found.mask
    values, firsts = np.unique(np.array([value for value, _ in listed], dtype=np.int64), return_index=True)
    palette = np.array([listed[first][1] for first in firsts], dtype=np.uint8)
    thickness = max(1, round(mask.shape[0] / _OUTLINE_ROWS))
    edge = (~found.core()).astype(np.uint8)
    if thickness > 1:
        edge = np.asarray(cv2.dilate(edge, np.ones((3, 3), np.uint8), iterations=thickness - 1), dtype=np.uint8)
    rows, columns = np.nonzero(edge)
    there = mask[rows, columns].astype(np.int64)
    places = np.minimum(np.searchsorted(values, there), len(values) - 1)
    own = values[places] == there
    # Where the mask's edge has no listed object on this side, it has one on the other, or none.
    inside = np.zeros(mask.shape, dtype=np.uint8)
    inside[rows[own], columns[own]] = 1
    outside = (cv2.dilate(inside, np.ones((3, 3), np.uint8)) != 0) & ~np.isin(mask, values)
    picture[outside] //= 3
    picture[rows[own], columns[own]] = palette[places[own]]


# ---- labels ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Label:
    """A text with its size in pixels; the middle of the object that it belongs to, and that one's left, top, right and bottom."""

    text: str
    colour: Colour
    width: int
    height: int
    anchor: tuple[int, int]
    bounds: tuple[int, int, int, int]

    def places(self) -> Iterator[tuple[int, int]]:
        """Upper left corners, the best first: on the object where it can still be seen, beside it, around it, farther and farther."""
        x, y = self.anchor[0] - self.width // 2, self.anchor[1] - self.height // 2
        left, top, right, bottom = self.bounds
        if self.width <= right - left and 2 * self.height <= bottom - top:
            yield x, y
        yield x, top - self.height - 2
        yield x, bottom + 2
        yield right + 2, y
        yield left - self.width - 2, y
        for ring in range(1, 7):
            away_x, away_y = ring * (self.width // 2 + 4), ring * (self.height + 3)
            for turn_x, turn_y in ((0, -1), (0, 1), (1, 0), (-1, 0), (1, -1), (-1, -1), (1, 1), (-1, 1)):
                yield x + turn_x * away_x, y + turn_y * away_y


def _draw_labels(picture: Bytes, items: Sequence[ObjectResult], bounds: Boxes, unit: str) -> None:
    height, width = picture.shape[:2]
    scale = max(_LEAST_TEXT, height / _TEXT_ROWS)
    pad = max(2, round(5 * scale))
    labels = [_label(item, own, unit, scale, pad) for item, own in zip(items, bounds.tolist(), strict=True)]
    boxes: Boxes = np.empty((len(labels), 4), dtype=np.intp)
    for index, label in enumerate(labels):
        boxes[index] = _free_place(label, boxes[:index], width, height)
    for label, box in zip(labels, boxes.tolist(), strict=True):
        _draw_leader(picture, label, box)
    for label, box in zip(labels, boxes.tolist(), strict=True):
        left, top, right, bottom = box
        cv2.rectangle(picture, (left, top), (right - 1, bottom - 1), label.colour, cv2.FILLED)
        ink = (0, 0, 0) if _luminance(label.colour) > 110 else (255, 255, 255)
        cv2.rectangle(picture, (left, top), (right - 1, bottom - 1), (0, 0, 0), 1)
        thickness = 2 if scale > 0.75 else 1
        cv2.putText(picture, label.text, (left + pad, bottom - pad - round(3 * scale)), _FONT, scale, ink, thickness, cv2.LINE_AA)


def _label(item: ObjectResult, bounds: Sequence[int], unit: str, scale: float, pad: int) -> _Label:
    text = _text(item, unit)
    (width, height), _ = cv2.getTextSize(text, _FONT, scale, 2 if scale > 0.75 else 1)
    u, v = item.center_px or (0.0, 0.0)
    left, top, right, bottom = bounds
    size = width + 2 * pad, height + round(3 * scale) + 2 * pad
    return _Label(text, object_colour(item.id), *size, (int(u), int(v)), (left, top, right, bottom))


def _text(item: ObjectResult, unit: str) -> str:
    """ASCII, which is all that OpenCV's letters have: accents are left away, a name in another script gives way to the id."""
    name = _plain(item.category) or "#" + (_plain(item.id) or "?")
    if len(name) > _LONGEST_NAME:
        name = name[: _LONGEST_NAME - 3] + "..."
    if item.distance is not None:
        return f"{name} {_number(item.distance.median)} {'m' if unit == 'm' else 'rel.'}"
    return f"{name} disp. {_number(item.disparity.median)}" if item.disparity is not None else name


def _plain(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return ""
    letters = "".join(letter for letter in unicodedata.normalize("NFKD", str(value)) if not unicodedata.combining(letter))
    words = " ".join(letters.split())
    return words if words.isascii() and words.isprintable() else ""


def _number(value: float) -> str:
    return f"{value:.2f}" if value < 100 else f"{value:.1f}" if value < 10000 else f"{value:.3g}"


def _free_place(label: _Label, taken: Boxes, width: int, height: int) -> tuple[int, int, int, int]:
    """The first place that covers no other label, else the one that covers least of them; always inside the picture where it fits."""
    best, least = (0, 0, 0, 0), math.inf
    for x, y in label.places():
        left, top = max(0, min(x, width - label.width)), max(0, min(y, height - label.height))
        box = (left, top, left + label.width, top + label.height)
        across = np.minimum(taken[:, 2], box[2]) - np.maximum(taken[:, 0], left)
        down = np.minimum(taken[:, 3], box[3]) - np.maximum(taken[:, 1], top)
        covered = int((across.clip(0) * down.clip(0)).sum())
        if covered < least:
            best, least = box, covered
        if covered == 0:
            break
    return best


def _draw_leader(picture: Bytes, label: _Label, box: Sequence[int]) -> None:
    """A line from the label to its object, where it lies neither on nor beside it."""
    x, y = label.anchor
    left, top, right, bottom = box
    own = label.bounds
    if max(own[0] - right, left - own[2], own[1] - bottom, top - own[3]) <= 4:
        return
    nearest = (min(max(x, left), right - 1), min(max(y, top), bottom - 1))
    if nearest != (x, y):
        cv2.line(picture, nearest, (x, y), (0, 0, 0), 3, cv2.LINE_AA)
        cv2.line(picture, nearest, (x, y), label.colour, 1, cv2.LINE_AA)
        cv2.circle(picture, (x, y), 3, (0, 0, 0), cv2.FILLED, cv2.LINE_AA)
        cv2.circle(picture, (x, y), 2, label.colour, cv2.FILLED, cv2.LINE_AA)


def _luminance(colour: Colour) -> float:
    """Of 0..255, by the weights of ITU-R BT.601."""
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
