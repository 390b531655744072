# SPDX-License-Identifier: Apache-2.0
"""OpenEXR files with channels of any name and type, written from the published layout alone: uncompressed, a line a block."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

_TYPES = {np.dtype(np.uint32): 0, np.dtype(np.float16): 1, np.dtype(np.float32): 2}
Channels = Mapping[str, np.ndarray]


def write_channels(path: Path, channels: Channels, *, flags: int = 0) -> Path:
    """``channels``: arrays (H,W) of one shape, uint32, float16 or float32. ``flags``: more bits of the version field."""
    header = b"v/1\x01" + struct.pack("<I", 2 | _long_names([channels]) | flags) + _header(channels)
    blocks = _blocks(channels)
    path.write_bytes(header + _table([blocks], len(header)) + b"".join(blocks))
    return path


def write_parts(path: Path, parts: Mapping[str, Channels]) -> Path:
    """A file of several parts by their names."""
    header = b"v/1\x01" + struct.pack("<I", 2 | 0x1000 | _long_names(list(parts.values())))
    for name, channels in parts.items():
        height = next(iter(channels.values())).shape[0]
        header += _header(
            channels,
            (("name", "string", name.encode()), ("type", "string", b"scanlineimage"), ("chunkCount", "int", struct.pack("<i", height))),
        )
    header += b"\0"
    blocks = [[struct.pack("<i", number) + block for block in _blocks(channels)] for number, channels in enumerate(parts.values())]
    path.write_bytes(header + _table(blocks, len(header)) + b"".join(b"".join(each) for each in blocks))
    return path


def _names(channels: Channels) -> list[str]:
    return sorted(channels, key=lambda name: name.encode())


def _long_names(parts: Sequence[Channels]) -> int:
    return 0x400 if any(len(name.encode()) > 31 for channels in parts for name in channels) else 0


def _header(channels: Channels, more: Sequence[tuple[str, str, bytes]] = ()) -> bytes:
    height, width = next(iter(channels.values())).shape
    window = struct.pack("<4i", 0, 0, width - 1, height - 1)
    listing = b"".join(name.encode() + b"\0" + struct.pack("<i4xii", _TYPES[channels[name].dtype], 1, 1) for name in _names(channels))
    attributes = (
        ("channels", "chlist", listing + b"\0"),
        ("compression", "compression", b"\0"),
        ("dataWindow", "box2i", window),
        ("displayWindow", "box2i", window),
        ("lineOrder", "lineOrder", b"\0"),
        ("pixelAspectRatio", "float", struct.pack("<f", 1)),
        ("screenWindowCenter", "v2f", struct.pack("<2f", 0, 0)),
        ("screenWindowWidth", "float", struct.pack("<f", 1)),
        *more,
    )
    return b"".join(n.encode() + b"\0" + k.encode() + b"\0" + struct.pack("<i", len(v)) + v for n, k, v in attributes) + b"\0"


def _blocks(channels: Channels) -> list[bytes]:
    height = next(iter(channels.values())).shape[0]
    lines = [b"".join(np.ascontiguousarray(channels[name][row]).tobytes() for name in _names(channels)) for row in range(height)]
    return [struct.pack("<ii", row, len(line)) + line for row, line in enumerate(lines)]


def _table(parts: Sequence[Sequence[bytes]], header_size: int) -> bytes:
    place = header_size + 8 * sum(len(blocks) for blocks in parts)
    table = b""
    for blocks in parts:
        for block in blocks:
            table += struct.pack("<Q", place)
            place += len(block)
    return table
