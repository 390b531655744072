# SPDX-License-Identifier: Apache-2.0
"""Masks of COCO annotations: polygons and run lengths.

Polygons and compressed run lengths are drawn by pycocotools, the reference, so that areas equal COCO's own. What it is handed is checked
before: of run lengths that do not fill the picture it leaves pixels undefined, and a polygon with a NaN takes all memory (seen on 2.0.11).
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ...engines.errors import CaptureError

BoolArray = npt.NDArray[np.bool_]

# Six numbers are a triangle. Of four, pycocotools makes a box.
_SHORTEST_POLYGON = 6


def needs_pycocotools(segmentation: object) -> bool:
    """Whether :func:`decode_segmentation` of it takes pycocotools."""
    if isinstance(segmentation, Mapping):
        return isinstance(segmentation.get("counts"), (str, bytes))
    return isinstance(segmentation, list) and len(segmentation) > 0


def load_pycocotools() -> Any:
    """``pycocotools.mask``. Raises :class:`CaptureError` with the command that installs it."""
    try:
        return importlib.import_module("pycocotools.mask")
    except ImportError as error:
        raise CaptureError(
            "These annotations hold polygons or compressed run lengths, which pycocotools draws, and it is not installed; "
            "run: pip install 'depthbridge[coco]'"
        ) from error


def decode_segmentation(segmentation: object, width: int, height: int) -> BoolArray:
    """The mask, bool (H,W). Raises :class:`CaptureError` completing "its segmentation ..." when it is none of a picture of this size."""
    if isinstance(segmentation, Mapping):
        return _decode_runs(segmentation, width, height)
    if not isinstance(segmentation, list) or not segmentation:
        raise CaptureError("is missing or empty, and a box alone holds background, too")
    return _draw_polygons(segmentation, width, height)


def _decode_runs(segmentation: Mapping[str, Any], width: int, height: int) -> BoolArray:
    size, counts = segmentation.get("size"), segmentation.get("counts")
    if size != [height, width]:
        raise CaptureError(f"has the size {size!r} and the picture is {[height, width]} (height, width)")
    if isinstance(counts, str):
        text = counts.encode("ascii", "replace")
        if sum(_counts(text)) != width * height:
            raise CaptureError("has compressed run lengths that do not fill the picture")
        mask = load_pycocotools().decode({"size": [height, width], "counts": text})
        return np.asarray(mask, dtype=np.bool_)
    if not isinstance(counts, list) or not all(type(count) is int and 0 <= count <= width * height for count in counts):
        raise CaptureError("has run lengths that are no list of whole numbers")
    if sum(counts) != width * height:
        raise CaptureError(f"has run lengths for {sum(counts)} pixels and the picture has {width * height}")
    values = np.arange(len(counts)) % 2 == 1
    # COCO counts down the columns, background first.
    return np.repeat(values, counts).reshape((width, height)).T


def _counts(text: bytes) -> list[int]:
    """The run lengths of COCO's compressed notation: groups of six bits from character 48 on, five of number and one that says whether it
    goes on, lowest first; from the fourth number on each is the difference to the one before the last."""
    counts: list[int] = []
    place = 0
    while place < len(text):
        value, shift, more = 0, 0, True
        while more:
            if place >= len(text) or not 48 <= text[place] < 112 or shift > 60:
                raise CaptureError("has damaged compressed run lengths")
            group = text[place] - 48
            place += 1
            value |= (group & 31) << shift
            shift += 5
            more = bool(group & 32)
            if not more and group & 16:
                value -= 1 << shift
        if len(counts) > 2:
            value += counts[-2]
        if value < 0:
            raise CaptureError("has damaged compressed run lengths")
        counts.append(value)
    return counts


def _draw_polygons(segmentation: list[Any], width: int, height: int) -> BoolArray:
    polygons = [polygon for polygon in segmentation if isinstance(polygon, list) and len(polygon) >= _SHORTEST_POLYGON]
    if not polygons:
        raise CaptureError("holds no polygon of three corners")
    reach = 4.0 * max(width, height)
    for polygon in polygons:
        given = [value for value in polygon if isinstance(value, (int, float)) and not isinstance(value, bool)]
        numbers = [value for value in given if abs(value) <= sys.float_info.max]
        if len(numbers) != len(polygon) or len(polygon) % 2:
            raise CaptureError("has a polygon that is no list of x, y pairs")
        if max(map(abs, numbers)) > reach:
            raise CaptureError(f"has a polygon that reaches {max(map(abs, numbers)):g} px, far outside the picture")
    library = load_pycocotools()
    runs = library.merge(library.frPyObjects([[float(value) for value in polygon] for polygon in polygons], height, width))
    return np.asarray(library.decode(runs), dtype=np.bool_)
