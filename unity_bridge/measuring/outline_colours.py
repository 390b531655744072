# SPDX-License-Identifier: Apache-2.0
"""A colour for each object, the same wherever it is drawn."""

from __future__ import annotations

import colorsys
from zlib import crc32

from ..results import ObjectId

Colour = tuple[int, int, int]

# The golden section: hues of consecutive numbers lie far apart, however many there are.
_HUE_STEP = 0.6180339887498949
_LEVELS = ((0.95, 1.0), (0.6, 1.0), (0.9, 0.75))
"""Saturation and value, in turn, so that objects of one hue still differ."""


def object_colour(object_id: ObjectId) -> Colour:
    """Red, green and blue (0..255), bright enough to be seen on dark and dark enough on light; of the id alone."""
    number = object_id if isinstance(object_id, int) else crc32(object_id.encode("utf-8", "surrogatepass"))
    saturation, value = _LEVELS[number % len(_LEVELS)]
    red, green, blue = colorsys.hsv_to_rgb((number * _HUE_STEP) % 1.0, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)
