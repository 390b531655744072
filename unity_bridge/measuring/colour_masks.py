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

Colour = tuple[int, ...]
"""Red, green and blue, 0 to 255 each, or these and alpha."""

MAX_COLOURS = 65535
"""Objects of one colour-coded mask: as many as 16 bits number."""

_RGB = np.uint32(0x00FFFFFF)
_UINT32 = np.dtype("<u4")


class ColourError(ValueError):
    """Colours that do not tell the objects of a mask apart: one sentence, in which objects are those of one frame."""


@dataclass(frozen=True, slots=True)
class ColourTable:
    """The colours of one frame's objects, in their order: all RGB, or all RGBA (``with_alpha``). None: an object that has no colour, and so
    no pixel."""

    colours: tuple[Colour | None, ...]
    with_alpha: bool

    @classmethod
    def of(cls, colours: Sequence[Colour | None]) -> ColourTable:
        """Raises :class:`ColourError` for a colour named twice, for RGB among RGBA, and for more than :data:`MAX_COLOURS`."""
        if len(colours) > MAX_COLOURS:
            raise ColourError(f"There are {len(colours)} objects and a mask of colours holds at most {MAX_COLOURS}; give fewer.")
        named = [colour for colour in colours if colour is not None]
        lengths = {len(colour) for colour in named}
        if len(lengths) > 1:
            raise ColourError("Some colours of the objects have 3 numbers and some 4; give all of one frame with alpha, or all without.")
        seen: set[Colour] = set()
        for colour in named:
            if colour in seen:
                raise ColourError(f"Two objects have the colour {list(colour)}; give each its own.")
            seen.add(colour)
        return cls(tuple(colours), lengths == {4})

    def look_up(self, pixels: npt.NDArray[np.uint8], order: str = "rgb") -> tuple[npt.NDArray[np.uint16], int]:
        """The objects' places, from 1, in the pixels (H,W,3|4), 0 where nobody has the colour, and how many of those are not black.

        ``order`` is that of the channels, ``rgb`` or ``bgr``; an alpha is straight, and counts where colours have one. Raises
        :class:`ColourError` where they have one and pixels have none.
        """
        if self.with_alpha and pixels.shape[2] == 3:
            raise ColourError(
                "The objects' colours have 4 numbers and the mask has 3 channels; send the mask with its alpha, or the colours without."
            )
        keys = _keys(pixels)
        starts = np.concatenate(([0], np.flatnonzero(keys[1:] != keys[:-1]) + 1))
        found = keys[starts]
        lengths = np.diff(np.append(starts, keys.size))
        places = self._places(found if self.with_alpha else found & _RGB, order)
        unlisted = int(lengths[(places == 0) & (found & _RGB != 0)].sum())
        return np.repeat(places, lengths).reshape(pixels.shape[:2]), unlisted

    def _places(self, found: npt.NDArray[np.uint32], order: str) -> npt.NDArray[np.uint16]:
        named = [(_key(colour, order), place) for place, colour in enumerate(self.colours, 1) if colour is not None]
        if not named:
            return np.zeros(found.shape, np.uint16)
        named.sort()
        keys, places = (np.array(column, dtype=np.uint32) for column in zip(*named, strict=True))
        nearest = np.minimum(np.searchsorted(keys, found), len(keys) - 1)
        return np.where(keys[nearest] == found, places[nearest], 0).astype(np.uint16)


def _key(colour: Colour, order: str) -> int:
    first, second, third = colour[:3] if order == "rgb" else colour[2::-1]
    alpha = colour[3] if len(colour) == 4 else 0
    return first | second << 8 | third << 16 | alpha << 24


def _keys(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """Each pixel as one number, its first channel lowest, in one row."""
    import cv2  # here, because a server answers hello long before it needs it

    four: npt.NDArray[Any] = cv2.cvtColor(pixels, cv2.COLOR_RGB2RGBA) if pixels.shape[2] == 3 else np.ascontiguousarray(pixels)
    return four.reshape(-1).view(_UINT32)
