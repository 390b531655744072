# SPDX-License-Identifier: Apache-2.0
"""A depth map to look at: colours, near = bright, above a scale that says what they mean.

As in Depth Anything 3 (``utils/visualize.py``) the colour is linear in inverse depth between its 2nd and 98th percentile (in the value
itself for disparity), so that one outlier does not take all the contrast. Pixels without a depth are hatched.
"""

from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..atomic import atomic_path
from ..depth_map import DepthKind, DepthMap
from .color_map import NO_DEPTH_GREY, ColorArray, ColorScale, color_map, ramp

MAX_SIDE = 1600
"""Longest side of the coloured map in pixels."""

_MIN_SIDE = 240
_MIN_CANVAS_WIDTH = 360
_TICKS = 5
_BACKGROUND, _TEXT = (24, 24, 26), (236, 236, 236)
_HATCH_LIGHT = 128


def write_preview(path: Path, depth: DepthMap, *, overwrite: bool = False) -> None:
    """Writes an 8-bit RGB PNG: the coloured map, at most :data:`MAX_SIDE` pixels long, and the scale below it.

    Of a map more than twice as long as that, every 2nd, 3rd, ... pixel is looked at. Raises :class:`~..errors.OutputError`.
    """
    stride = max(1, max(depth.width, depth.height) // (2 * MAX_SIDE))
    if stride > 1:
        every = (slice(None, None, stride), slice(None, None, stride))
        depth = replace(depth, values=depth.values[every], valid=depth.valid[every], sky=None, confidence=None, camera=None)
    canvas = Image.fromarray(_with_scale(_colored(depth), ColorScale.for_map(depth), bool((~depth.valid).any())))
    buffer = io.BytesIO()
    canvas.save(buffer, "PNG")
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(buffer.getvalue())


def _colored(depth: DepthMap) -> ColorArray:
    """The coloured map at the size of the preview, hatched where not valid."""
    longest = max(depth.width, depth.height)
    factor = min(1.0, MAX_SIDE / longest) if longest >= _MIN_SIDE else _MIN_SIDE / longest
    size = (max(1, round(depth.width * factor)), max(1, round(depth.height * factor)))
    colors: ColorArray = color_map(depth)
    if size != (depth.width, depth.height):
        # Enlarged pixels stay squares: a preview of a tiny map should look like what it is.
        how = cv2.INTER_AREA if factor < 1 else cv2.INTER_NEAREST
        colors = np.asarray(cv2.resize(colors, size, interpolation=how), dtype=np.uint8)
    valid = cv2.resize(depth.valid.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST).astype(bool)
    colors[~valid] = _hatching(*size)[~valid]
    return colors


def _hatching(width: int, height: int) -> ColorArray:
    y, x = np.mgrid[0:height, 0:width]
    light = (x + y) % 12 < 4
    return np.repeat(np.where(light, _HATCH_LIGHT, NO_DEPTH_GREY).astype(np.uint8)[..., None], 3, axis=2)


def _with_scale(colors: ColorArray, scale: ColorScale | None, has_gaps: bool) -> ColorArray:
    height, width = colors.shape[:2]
    text_px = max(12, min(28, width // 45))
    margin, bar_px = text_px, text_px
    strip_px = margin + text_px + text_px // 2 + bar_px + text_px // 2 + text_px + margin
    canvas_width = max(width, _MIN_CANVAS_WIDTH)
    canvas = Image.new("RGB", (canvas_width, height + strip_px), _BACKGROUND)
    canvas.paste(Image.fromarray(colors), ((canvas_width - width) // 2, 0))
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(text_px)
    top = height + margin
    draw.text((margin, top), _title(scale), font=font, fill=_TEXT)
    if has_gaps:
        _draw_gap_legend(canvas, draw, font, (canvas_width - margin, top), text_px)
    if scale is not None:
        _draw_bar(canvas, draw, font, scale, (margin, top + text_px + text_px // 2, canvas_width - 2 * margin, bar_px))
    return np.asarray(canvas)


_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def _title(scale: ColorScale | None) -> str:
    if scale is None:
        return "no pixel has a depth"
    return {
        DepthKind.METRIC: "depth in metres",
        DepthKind.RELATIVE: "relative depth (no unit)",
        DepthKind.DISPARITY: "disparity (larger is nearer)",
    }[scale.kind]


def _draw_gap_legend(canvas: Image.Image, draw: ImageDraw.ImageDraw, font: _Font, right_top: tuple[int, int], text_px: int) -> None:
    right, top = right_top
    label = "sky or no depth"
    left = right - math.ceil(draw.textlength(label, font=font))
    draw.text((left, top), label, font=font, fill=_TEXT)
    canvas.paste(Image.fromarray(_hatching(text_px, text_px)), (left - text_px - text_px // 2, top))


def _draw_bar(canvas: Image.Image, draw: ImageDraw.ImageDraw, font: _Font, scale: ColorScale, box: tuple[int, int, int, int]) -> None:
    """The colours from near to far, with the values of evenly spread places below."""
    left, top, width, height = box
    constant = scale.near <= scale.far
    places = np.full(width, 0.5) if constant else np.linspace(1, 0, width)
    canvas.paste(Image.fromarray(np.repeat(ramp(places)[None], height, axis=0)), (left, top))
    for place in (0.5,) if constant else np.linspace(1, 0, _TICKS):
        x = left + round((1 - place) * (width - 1))
        draw.line([(x, top), (x, top + height + height // 4)], fill=_TEXT)
        label = _label(scale.value_at(float(place))) + (" m" if scale.kind is DepthKind.METRIC else "")
        half = draw.textlength(label, font=font) / 2
        # Labels at the ends stay inside.
        x_text = min(max(x - half, left), left + width - 2 * half)
        draw.text((x_text, top + height + height // 2), label, font=font, fill=_TEXT)


def _label(value: float) -> str:
    """Three significant digits, no exponent where a plain number is as short."""
    if value == 0:
        return "0"
    if not 1e-3 <= abs(value) < 1e5:
        return f"{value:.2e}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"
