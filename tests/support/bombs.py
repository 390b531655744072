# SPDX-License-Identifier: Apache-2.0
"""Picture files that are small and would be large, or slow, or both."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from support.fuzz import file_of


def chunk(name: bytes, data: bytes) -> bytes:
    """Of a PNG file."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_bomb(width: int, height: int, colours: int = 2, *extra: bytes) -> bytes:
    """A PNG of one colour, and of a few kB."""
    packer = zlib.compressobj(9)
    row = bytes(1 + width * (3 if colours == 2 else 1))
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colours, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(extra) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def jpeg_of_size(width: int, height: int) -> bytes:
    """A JPEG of 8x8 pixels whose header says another size."""
    data = bytearray(file_of(np.zeros((8, 8, 3), np.uint8), "jpeg"))
    place = data.index(b"\xff\xc0") + 5
    data[place : place + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def jpeg_of_scans(count: int) -> bytes:
    """A progressive JPEG with one scan over and over."""
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((2000, 2000, 3), np.uint8)).save(buffer, "jpeg", progressive=True)
    data = buffer.getvalue()
    start = data.rindex(b"\xff\xda")
    return data[:start] + data[start:-2] * count + data[-2:]


def bombs() -> Iterator[tuple[str, str, tuple[int, int], bytes]]:
    """Name of the payload, its encoding, the size said in the header, the file."""
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(200_000_000), 9))
    profile = chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(200_000_000), 9))
    for name, colours in (("image", 2), ("mask", 0)):
        small = png_bomb(64, 64, colours)
        yield (
            name,
            "png",
            (30_000, 30_000),
            png_bomb(30_000, 300, colours).replace(struct.pack(">II", 30_000, 300), struct.pack(">II", 30_000, 30_000)),
        )
        yield name, "png", (64, 64), png_bomb(9_000, 9_000, colours)
        yield name, "png", (6_000, 6_000), png_bomb(6_000, 6_000, colours)[:-3000]
        yield name, "png", (6_000, 6_000), small.replace(struct.pack(">II", 64, 64), struct.pack(">II", 6_000, 6_000))
        yield name, "png", (64, 64), png_bomb(64, 64, colours, text, text)
        yield name, "png", (64, 64), png_bomb(64, 64, colours, profile)
        yield name, "png", (64, 64), png_bomb(64, 64, colours, *[chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))])
    yield "image", "jpeg", (65_535, 65_535), jpeg_of_size(65_535, 65_535)
    yield "image", "jpeg", (6_000, 6_000), jpeg_of_size(6_000, 6_000)
    yield "image", "jpeg", (8, 8), jpeg_of_size(6_000, 6_000)
    yield "image", "jpeg", (2_000, 2_000), jpeg_of_scans(2_000)
