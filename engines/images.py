# SPDX-License-Identifier: Apache-2.0
"""Picture files as upright uint8 RGB, with the camera their EXIF data describes.

What happens to the less usual ones: 16-bit values are scaled to 8 bits (not clipped, not stretched); an alpha channel is dropped,
so that colours stay as they are stored, hidden ones too; grey, palette, CMYK and LAB become RGB; an embedded colour profile other
than sRGB is applied; of an animation or a multi-page file the first picture is taken, and a note says so. Floating-point and 32-bit
integer pictures are refused: nothing tells which of their values is white.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from .camera import CameraIntrinsics
from .errors import ImageError

ImageArray = npt.NDArray[np.uint8]

MAX_PIXELS = 16384 * 8192
"""Largest picture that is decoded: twice 8192 x 8192, a 16k panorama."""


@dataclass(frozen=True, slots=True, eq=False)
class DecodedImage:
    """``rgb``: uint8 (H,W,3), upright, sRGB. ``exif_camera``: the camera of ``rgb`` as EXIF describes it, or None. ``name``: what
    messages call the picture. ``notes``: sentences a user should read, such as that only the first frame is used. ``as_stored``: a
    program that neither turns pictures nor applies colour profiles, such as Blender, shows the file itself as ``rgb``."""

    rgb: ImageArray
    exif_camera: CameraIntrinsics | None
    name: str
    notes: tuple[str, ...] = ()
    as_stored: bool = False

    @property
    def width(self) -> int:
        return int(self.rgb.shape[1])

    @property
    def height(self) -> int:
        return int(self.rgb.shape[0])


def decode_image(source: Path | str | bytes, *, name: str | None = None, max_pixels: int = MAX_PIXELS) -> DecodedImage:
    """Reads a picture file (a path) or the contents of one (bytes).

    Raises :class:`ImageError`, in one sentence with the picture's name, for a file that is missing, a folder, unreadable, empty, no
    picture, truncated or damaged, of more than ``max_pixels`` pixels (told from its header, before anything is decoded), or of a
    pixel type that cannot be shown.
    """
    if isinstance(source, bytes):
        label = name or "the image"
        if not source:
            raise ImageError(f"{label} is empty; give the contents of a picture file.")
        return _decode(io.BytesIO(source), label, max_pixels)
    path = Path(source)
    label = name or str(path)
    try:
        # Asked first: opening a named pipe would wait for ever.
        if path.exists() and not path.is_file():
            kind = "a folder" if path.is_dir() else "no plain file"
            raise ImageError(f"{label} is {kind}; give a picture file.")
        with path.open("rb") as file:
            if not file.read(1):
                raise ImageError(f"{label} is empty (0 bytes); export or download it again.")
            file.seek(0)
            return _decode(file, label, max_pixels)
    except FileNotFoundError as error:
        raise ImageError(f"{label} does not exist; check the path.") from error
    except NotADirectoryError as error:
        raise ImageError(f"{label} does not exist: a part of its path is a file; check the path.") from error
    except PermissionError as error:
        raise ImageError(f"{label} may not be read; change its permissions or copy it.") from error
    except OSError as error:
        raise ImageError(f"{label} could not be read ({error.strerror or error}); check the disk or copy it.") from error


@dataclass(frozen=True, slots=True)
class PictureHeader:
    """What a picture file says of itself before anything is decoded. ``width``, ``height``: of the upright picture, in pixels; ``turned``:
    its pixels are stored in another orientation than they are meant to be seen in; ``format``: Pillow's name, such as ``PNG``;
    ``exif_camera``: the camera of the upright picture as EXIF describes it, or None."""

    width: int
    height: int
    turned: bool
    format: str
    exif_camera: CameraIntrinsics | None


def read_header(path: Path) -> PictureHeader | None:
    """The header of a picture file; None when it is no picture, so broken that only decoding it can tell why, or Pillow is absent."""
    try:
        from . import pillow_pictures

        with Path(path).open("rb") as file:
            return pillow_pictures.header(file)
    except Exception:  # parsers of damaged headers raise almost anything
        return None


def _decode(file: BinaryIO, label: str, max_pixels: int) -> DecodedImage:
    # Decoders meet damaged and hostile files; whatever they stumble over, the picture is at fault.
    try:
        decoded = _decoder()(file, label, max_pixels)
    except ImageError:
        raise
    except MemoryError as error:
        raise ImageError(f"{label} does not fit into memory; resize it first.") from error
    except Exception as error:
        raise ImageError(f"{label} is damaged or truncated ({_one_line(error)}); export or download it again.") from error
    if decoded is None:
        raise ImageError(f"{label} is no picture in a known format (JPEG, PNG, WebP, TIFF, BMP, GIF, PPM); convert it to PNG first.")
    return decoded


def _decoder() -> Callable[[BinaryIO, str, int], DecodedImage | None]:
    """Pillow's where there is Pillow. The extension for Pythons without wheels of their own brings OpenCV alone."""
    try:
        from . import pillow_pictures
    except ImportError:
        from . import opencv_pictures

        return opencv_pictures.decode
    return pillow_pictures.decode


def refuse_size(size: tuple[int, int], label: str, max_pixels: int) -> None:
    """Raises :class:`ImageError` for a picture of ``size`` (width, height) above the limit, before it is decoded."""
    width, height = size
    if width * height > max_pixels:
        raise ImageError(
            f"{label} is {width} x {height} pixels ({width * height / 1e6:,.0f} megapixels); the limit is {max_pixels / 1e6:,.0f} "
            "megapixels: resize it first."
        )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
