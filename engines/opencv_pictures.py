# SPDX-License-Identifier: Apache-2.0
"""Pictures read with OpenCV alone, for a Blender whose Python no Pillow was built for: JPEG and PNG, upright, without EXIF's camera."""

from __future__ import annotations

import struct
from typing import BinaryIO

import cv2
import numpy as np

from .errors import ImageError
from .images import DecodedImage, refuse_size

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
# Frame headers of JPEG; the numbers between them (DHT, JPG, DAC) are other segments.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE = frozenset((0x01, *range(0xD0, 0xD9)))


def decode(file: BinaryIO, label: str, max_pixels: int) -> DecodedImage | None:
    """The picture behind ``file``; None when it is neither JPEG nor PNG. 16 bits are scaled to 8, alpha is dropped.

    Raises :class:`ImageError` for one that is too large or damaged.
    """
    data = file.read()
    size = _png_size(data) if data.startswith(_PNG) else _jpeg_size(data) if data.startswith(_JPEG) else None
    if size is None:
        if data.startswith((_PNG, _JPEG)):
            raise ImageError(f"{label} is damaged or truncated (no size in its header); export or download it again.")
        return None
    refuse_size(size, label, max_pixels)
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    if pixels is None:
        raise ImageError(f"{label} is damaged or truncated; export or download it again.")
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.int32) + 128) // 257).astype(np.uint8)
    notes = (f"{label} has a colour profile that cannot be applied here; its colours may be a little off.",) if _has_profile(data) else ()
    return DecodedImage(np.ascontiguousarray(pixels[..., ::-1], dtype=np.uint8), None, label, notes)


def _png_size(data: bytes) -> tuple[int, int] | None:
    if len(data) < 24 or data[12:16] != b"IHDR":
        return None
    width, height = struct.unpack(">II", data[16:24])
    return int(width), int(height)


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Walks the segments up to the frame header (ITU T.81, B.2.2): marker, length, precision, height, width."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF or marker in _JPEG_BARE:
            at += 1 if marker == 0xFF else 2
        elif marker in _JPEG_FRAMES:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return int(width), int(height)
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _has_profile(data: bytes) -> bool:
    return b"iCCP" in data[:4096] if data.startswith(_PNG) else b"ICC_PROFILE\0" in data[:65536]
