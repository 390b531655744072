# SPDX-License-Identifier: Apache-2.0
"""Pictures read with Pillow: every format of :mod:`.images`, EXIF and colour profiles. :mod:`.opencv_pictures` stands in where it is absent."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from typing import BinaryIO

import numpy as np
from PIL import Image, features

from .errors import ImageError
from .exif_camera import camera_from_exif
from .images import DecodedImage, ImageArray, PictureHeader, refuse_size

# A list of our own: Pillow also opens formats that run other programs (EPS) or that anything passes for (TGA).
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "DIB", "GIF", "PPM", "JPEG2000", "AVIF")
_PLAIN_FORMATS = ("JPEG", "MPO", "PNG")
_EXIF_IFD = 0x8769
_ORIENTATION = 0x0112
_IMAGE_WIDTH, _IMAGE_LENGTH = 0x0100, 0x0101
_QUARTER_TURNS = (5, 6, 7, 8)


def decode(file: BinaryIO, label: str, max_pixels: int) -> DecodedImage | None:
    """The picture behind ``file``; None when it is of no known format.

    Raises :class:`ImageError` for one that is too large or cannot be shown, and whatever Pillow raises for a damaged one.
    """
    image = _open(file)
    if image is None:
        return None
    try:
        with image:
            refuse_size(image.size, label, max_pixels)
            return _to_decoded(image, label)
    except Image.DecompressionBombError as error:
        raise ImageError(f"{label} is too large: {error} Resize it first.") from error


def header(file: BinaryIO) -> PictureHeader | None:
    """What the file says of itself; None when it is of no known format. Raises whatever Pillow does for a damaged one."""
    image = _open(file)
    if image is None:
        return None
    with image:
        orientation, tags = _read_exif(image)
        width, height = _stored_size(image)
        quarter = orientation in _QUARTER_TURNS
        if quarter:
            width, height = height, width
        camera = camera_from_exif(tags, width, height, turned=quarter)
        return PictureHeader(width, height, orientation != 1, str(image.format), camera)


def _stored_size(image: Image.Image) -> tuple[int, int]:
    """Width and height before any turning. Newer Pillow tells those of a TIFF as they will be once it has turned it."""
    tags = getattr(image, "tag_v2", None)
    return image.size if tags is None else (int(tags[_IMAGE_WIDTH]), int(tags[_IMAGE_LENGTH]))


def _open(file: BinaryIO) -> Image.Image | None:
    """The picture behind ``file``, its header read and nothing decoded; None when no format fits.

    ``Image.open`` is not used because it compares the size with a limit that every user of Pillow in the process shares, and does not
    tell the size when it refuses.
    """
    prefix = file.read(16).ljust(16, b"\0")  # some of the format tests unpack without asking for the length
    tried: set[str] = set()
    # The common formats first: loading all of Pillow's takes a third of a second.
    for load in (Image.preinit, Image.init):
        load()
        for name in _FORMATS:
            if name in tried or name not in Image.OPEN:
                continue
            tried.add(name)
            factory, accept = Image.OPEN[name]
            accepted = accept(prefix) if accept else True
            if isinstance(accepted, str):
                raise ValueError(accepted)
            if not accepted:
                continue
            file.seek(0)
            try:
                return factory(file, "")
            except (IndexError, TypeError, KeyError, SyntaxError, struct.error) as error:
                raise ValueError(f"broken {name} header: {error}") from error
    return None


def _to_decoded(image: Image.Image, label: str) -> DecodedImage:
    # A PNG of 16 bits calls itself RGB, too; only the decoder's own word for its rows tells, and reading EXIF may load the picture.
    tiles = getattr(image, "tile", None)
    plain = image.mode in ("RGB", "RGBA") and not (tiles and "16" in str(tiles[0][3]))
    orientation, tags = _read_exif(image)
    file_format = image.format
    image.load()
    if image.mode == "RGBA":
        plain = plain and image.getchannel("A").getextrema() == (255, 255)  # what Blender renders is RGBA, opaque or not
    as_stored = plain and file_format in _PLAIN_FORMATS and orientation == 1 and "icc_profile" not in image.info
    notes: list[str] = []
    rgb = _to_rgb(image, label, notes)
    # Pillow turns TIFF pictures itself while loading.
    if file_format != "TIFF":
        rgb = _upright(rgb, orientation)
    # A telephone's JPEG often holds a second, small picture (MPO): that is no animation.
    frames = 1 if file_format == "MPO" else _frame_count(image)
    if frames > 1:
        notes.append(f"{label} holds {frames} pictures; the first is used.")
    height, width = rgb.shape[:2]
    camera = camera_from_exif(tags, width, height, turned=orientation in _QUARTER_TURNS)
    return DecodedImage(np.ascontiguousarray(rgb), camera, label, tuple(notes), as_stored)


def _read_exif(image: Image.Image) -> tuple[int, Mapping[int, object]]:
    """The orientation (1 to 8) and the tags of the Exif IFD; 1 and none when they are missing or broken."""
    try:
        exif = image.getexif()
        orientation = exif.get(_ORIENTATION, 1)
        tags = exif.get_ifd(_EXIF_IFD)
    except Exception:  # Damaged metadata spoils no picture, and Pillow's parser raises almost anything on it.
        return 1, {}
    return (orientation if orientation in range(1, 9) else 1), tags


def _frame_count(image: Image.Image) -> int:
    """How many pictures the file holds; 1 when the later ones are damaged, which the first, already decoded, need not mind."""
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception:
        return 1


def _upright(array: ImageArray, orientation: int) -> ImageArray:
    """The stored picture as it is meant to be seen (EXIF 2.3, tag 0x0112: where row 0 and column 0 of the stored picture lie)."""
    turned = {
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, 1),
    }.get(orientation)
    return array if turned is None else turned(array)


def _to_rgb(image: Image.Image, label: str, notes: list[str]) -> ImageArray:
    """uint8 (H,W,3) of a loaded picture, as stored; adds a note for a colour profile that could not be applied."""
    mode = image.mode
    if mode.startswith("I;16") or (mode == "I" and image.format in ("PNG", "PPM")):
        # Pillow's own conversion clips at 255. 65535 / 255 = 257 exactly.
        wide = np.asarray(image).astype(np.int64).clip(0, 65535)
        grey = ((wide + 128) // 257).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if mode in ("I", "F"):
        kind = "32-bit integer" if mode == "I" else "floating-point"
        raise ImageError(f"{label} has {kind} pixels, whose white is not defined; save it with 8 or 16 bits per channel.")
    if mode in ("RGBa", "La"):
        image = image.convert(mode.upper())
    if image.mode not in ("RGB", "L", "CMYK", "LAB"):
        image = _without_alpha(image)
    return np.array(_to_srgb(image, label, notes), dtype=np.uint8)


def _without_alpha(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA")  # in one step Pillow warns about a palette with transparency
    converted = image.convert("L" if image.mode in ("1", "LA") else "RGB")
    if profile is not None:
        converted.info["icc_profile"] = profile
    return converted


def _to_srgb(image: Image.Image, label: str, notes: list[str]) -> Image.Image:
    """RGB after applying the embedded profile, when there is one other than sRGB and LittleCMS is there to do it."""
    profile = image.info.get("icc_profile")
    if not features.check("littlecms2"):
        if profile:
            notes.append(f"{label} has a colour profile that cannot be applied here; its colours may be a little off.")
        return image.convert("RGB")
    from PIL import ImageCms

    try:
        if image.mode == "LAB":
            source = ImageCms.createProfile("LAB")
        elif profile:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile
            if (source.profile_description or "").strip().lower().startswith("srgb"):
                return image.convert("RGB")
        else:
            return image.convert("RGB")
        target = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, ImageCms.ImageCmsProfile(source), ImageCms.ImageCmsProfile(target), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        notes.append(f"{label} has a colour profile that does not fit its pixels; it is ignored.")
        return image.convert("RGB")
    assert converted is not None
    return converted
