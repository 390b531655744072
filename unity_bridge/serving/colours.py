# SPDX-License-Identifier: Apache-2.0
"""Colour-coded masks: which colour is whose.

A rendered mask is made of runs of one colour, so that colours are looked up once for each run: seven times as fast as a table of all 24-bit
colours over a picture of objects, and five times slower than it over noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..framing import ErrorCode
from .headers import RequestError

_RGB = np.uint32(0x00FFFFFF)
_UINT32 = np.dtype("<u4")


@dataclass(frozen=True, slots=True)
class Colours:
    """The colours of one frame's objects, in their order: all RGB, or all RGBA (``with_alpha``)."""

    colours: tuple[tuple[int, ...], ...]
    with_alpha: bool

    @classmethod
    def of(cls, colours: Sequence[tuple[int, ...]]) -> Colours:
        """Raises :class:`RequestError` ``bad_header`` for a colour named twice, and for RGB among RGBA."""
        lengths = {len(colour) for colour in colours}
        if len(lengths) > 1:
            raise RequestError(
                ErrorCode.BAD_HEADER, "Some colours of the objects have 3 numbers and some 4; give all of one frame with alpha, or all without."
            )
        seen: set[tuple[int, ...]] = set()
        for colour in colours:
            if colour in seen:
                raise RequestError(ErrorCode.BAD_HEADER, f"Two objects have the colour {list(colour)}; give each its own.")
            seen.add(colour)
        return cls(tuple(colours), lengths == {4})

    def look_up(self, pixels: npt.NDArray[np.uint8], order: str) -> tuple[npt.NDArray[np.uint16], int]:
        """The objects' places, from 1, in the pixels (H,W,3|4), 0 where nobody has the colour, and how many of those are not black.

        ``order`` is that of the channels, ``rgb`` or ``bgr``. Raises :class:`RequestError` ``bad_header`` where colours have an alpha and
        pixels have none.
        """
        if self.with_alpha and pixels.shape[2] == 3:
            raise RequestError(
                ErrorCode.BAD_HEADER,
                "The objects' colours have 4 numbers and the mask has 3 channels; send the mask with its alpha, or the colours without.",
            )
        keys = _keys(pixels)
        starts = np.concatenate(([0], np.flatnonzero(keys[1:] != keys[:-1]) + 1))
        found = keys[starts]
        lengths = np.diff(np.append(starts, keys.size))
        places = self._places(found if self.with_alpha else found & _RGB, order)
        unlisted = int(lengths[(places == 0) & (found & _RGB != 0)].sum())
        return np.repeat(places, lengths).reshape(pixels.shape[:2]), unlisted

    def _places(self, found: npt.NDArray[np.uint32], order: str) -> npt.NDArray[np.uint16]:
        if not self.colours:
            return np.zeros(found.shape, np.uint16)
        named = np.array([_key(colour, order) for colour in self.colours], dtype=np.uint32)
        ascending = np.argsort(named)
        nearest = ascending[np.minimum(np.searchsorted(named[ascending], found), len(named) - 1)]
        return np.where(named[nearest] == found, nearest + 1, 0).astype(np.uint16)


def _key(colour: tuple[int, ...], order: str) -> int:
    first, second, third = colour[:3] if order == "rgb" else colour[2::-1]
    alpha = colour[3] if len(colour) == 4 else 0
    return first | second << 8 | third << 16 | alpha << 24


def _keys(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """Each pixel as one number, its first channel lowest, in one row."""
    import cv2  # here, because a server answers hello long before it needs it

    four: npt.NDArray[Any] = cv2.cvtColor(pixels, cv2.COLOR_RGB2RGBA) if pixels.shape[2] == 3 else np.ascontiguousarray(pixels)
    return four.reshape(-1).view(_UINT32)
