# SPDX-License-Identifier: Apache-2.0
"""Masks of captures: PNG files whose pixels are ids, or colours with a map that says whose they are."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from ...engines.errors import CaptureError
from ..measuring.colour_masks import Colour, ColourError, ColourTable
from .files import first_line
from .reader import Mask

# What Pillow multiplies grey values of fewer bits by; the bits per pixel stand in byte 24 of a PNG.
_GREY_STEP = {2: 85, 4: 17}


@dataclass(frozen=True, slots=True, eq=False)
class StoredMask:
    """A mask as its file holds it: ``values`` (H,W) where pixels are numbers, ``colours`` uint8 (H,W,4), straight alpha, where they are
    colours. A coloured palette is both: its indices, and what they look like."""

    name: str
    values: Mask | None
    colours: npt.NDArray[np.uint8] | None
    mode: str


def read_mask(path: Path, name: str, width: int, height: int) -> StoredMask:
    """Read a PNG. Raises :class:`CaptureError` calling it ``name`` when it is missing, damaged, or of another size than the picture."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # its size is checked before it is decoded
            with Image.open(path, formats=("PNG",)) as image:
                if image.size != (width, height):
                    raise CaptureError(f"{name} is {image.size[0]}x{image.size[1]} and the picture {width}x{height}; render both at one size.")
                return _stored(image, name, _png_bits(path))
    except FileNotFoundError as error:
        raise CaptureError(f"{name} is missing; save the mask under the picture's name, as PNG.") from error
    except UnidentifiedImageError as error:
        raise CaptureError(f"{name} is no PNG file; save masks as PNG: ids in one channel of 8 or 16 bits, or colours.") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise CaptureError(f"{name} cannot be read ({first_line(error)}); save it again as PNG.") from error


def mask_of_values(stored: StoredMask) -> Mask:
    """Ids (H,W) of a mask whose pixels are numbers. Raises :class:`CaptureError` for colours."""
    if stored.values is None:
        channels = 3 if stored.mode == "RGB" else 4 if stored.mode == "RGBA" else 2
        raise CaptureError(
            f"{stored.name} has {channels} channels ({stored.mode}), and nothing says which object has which colour: add a mask_colours.json, "
            'or a "colour" to each object, or save ids in one grey channel of 8 or 16 bits.'
        )
    return stored.values


def mask_of_colours(stored: StoredMask, colours: Sequence[Colour | None]) -> tuple[Mask, int]:
    """The objects' places in the list, from 1, for every pixel (H,W), 0 where nobody has the colour; and how many of those are not black.

    Colours of three numbers compare without alpha, of four with it. None: the object has no colour, and so no pixel. Raises
    :class:`CaptureError` as :meth:`ColourTable.of`.
    """
    assert stored.colours is not None
    try:
        return ColourTable.of(colours).look_up(stored.colours)
    except ColourError as error:
        sentence = str(error)
        raise CaptureError(sentence[:1].lower() + sentence[1:]) from error  # it follows the name of a picture


def colour_of(value: object, whose: str) -> Colour:
    """A colour from JSON: three or four whole numbers of 0 to 255. Raises :class:`CaptureError`."""
    if not isinstance(value, list) or len(value) not in (3, 4) or not all(type(part) is int and 0 <= part <= 255 for part in value):
        raise CaptureError(f"{whose} has the colour {value!r}; give [r, g, b] or [r, g, b, a], 0 to 255 each.")
    return tuple(value)


def colour_map(content: object, name: str) -> dict[int, Colour]:
    """``{"<mask value>": [r, g, b(, a)]}`` as read from a file called ``name``. Raises :class:`CaptureError`."""
    if not isinstance(content, Mapping):
        raise CaptureError(f'{name} holds no JSON object; write {{"1": [255, 0, 0], "2": [0, 255, 0], ...}}.')
    found = {}
    for key, value in content.items():
        if not (isinstance(key, str) and key.isascii() and key.isdigit()):
            raise CaptureError(f"{name} has the key {key!r}; the keys are mask values, whole numbers in quotes.")
        found[int(key)] = colour_of(value, f"{name}: mask value {key}")
    return found


def _stored(image: Image.Image, name: str, bits: int) -> StoredMask:
    if image.mode == "P":
        indices = np.asarray(image)
        palette = np.asarray(image.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)
        # An optimiser may turn a grey picture into a grey palette, where the colour is the id; in a coloured one the index is.
        if np.all(palette == palette[:, :1]):
            return StoredMask(name, np.asarray(palette[indices, 0]), None, image.mode)
        return StoredMask(name, indices, np.asarray(image.convert("RGBA")), image.mode)
    if image.mode in ("RGB", "RGBA", "LA"):
        return StoredMask(name, None, np.asarray(image.convert("RGBA")), image.mode)
    values: npt.NDArray[Any] = np.asarray(image)
    if values.ndim != 2 or values.dtype.kind not in "biu":
        raise CaptureError(f"{name} has pixels of the kind {image.mode}; save ids in one grey channel of 8 or 16 bits, or colours as RGB.")
    return StoredMask(name, values.astype(np.int32) // _GREY_STEP.get(bits, 1), None, image.mode)


def _png_bits(path: Path) -> int:
    with path.open("rb") as file:
        return file.read(25)[24]
