# SPDX-License-Identifier: Apache-2.0
"""Depth as colours, near = bright: one scale for previews and for objects that have no photo. Needs no Pillow."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ..depth_map import DepthKind, DepthMap

NO_DEPTH_GREY = 88
"""The grey of pixels without a depth."""

_PERCENTILES = (2.0, 98.0)

ColorArray = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ColorScale:
    """From a value to the place on the colour scale: 0 is far and dark, 1 near and bright. ``far`` and ``near`` are quantities: inverse
    depth, or disparity."""

    kind: DepthKind
    far: float
    near: float

    @classmethod
    def for_map(cls, depth: DepthMap) -> ColorScale | None:
        """Percentiles 2 and 98 of the valid pixels; None when there are none."""
        values = depth.values[depth.valid]
        if values.size == 0:
            return None
        far, near = np.percentile(_quantity(values, depth.kind), _PERCENTILES)
        return cls(depth.kind, float(far), float(near))

    def place(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """0..1, the shape of ``values``; a scale of one value puts all of it in the middle."""
        if self.near <= self.far:
            return np.full(values.shape, 0.5)
        return np.clip((_quantity(values, self.kind) - self.far) / (self.near - self.far), 0, 1)

    def value_at(self, place: float) -> float:
        """The value that has this place on the scale: the inverse of :meth:`place`."""
        quantity = self.far + place * (self.near - self.far)
        return quantity if self.kind is DepthKind.DISPARITY else 1 / quantity


def color_map(depth: DepthMap) -> ColorArray:
    """The coloured map, uint8 RGB (H,W,3), without hatching or scale: grey where not valid."""
    scale = ColorScale.for_map(depth)
    colors = np.full((*depth.values.shape, 3), NO_DEPTH_GREY, dtype=np.uint8)
    if scale is not None:
        colors[depth.valid] = ramp(scale.place(depth.values[depth.valid]))
    return colors


def _quantity(values: npt.NDArray[np.float32], kind: DepthKind) -> npt.NDArray[np.float64]:
    wide = values.astype(np.float64)
    return wide if kind is DepthKind.DISPARITY else 1 / wide


def ramp(places: npt.NDArray[np.float64]) -> ColorArray:
    """Colours (N,3) of places (N,): inferno rises evenly in lightness, for colour-blind eyes and grey printers, too."""
    table = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], cv2.COLORMAP_INFERNO)[:, 0, ::-1]
    return np.ascontiguousarray(table[np.rint(places * 255).astype(np.intp)])
