# SPDX-License-Identifier: Apache-2.0
"""OpenEXR files with channels of any name and type, written from the published layout alone: uncompressed, a line a block."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np

_TYPES = {np.dtype(np.uint32): 0, np.dtype(np.float16): 1, np.dtype(np.float32): 2}


def write_channels(path: Path, channels: Mapping[str, np.ndarray], *, flags: int = 0) -> Path:
    """``channels``: arrays (H,W) of one shape, uint32, float16 or float32. ``flags``: more bits of the version field."""
    names = sorted(channels, key=lambda name: name.encode())
    height, width = channels[names[0]].shape
    listing = b"".join(name.encode() + b"\0" + struct.pack("<i4xii", _TYPES[channels[name].dtype], 1, 1) for name in names) + b"\0"
    window = struct.pack("<4i", 0, 0, width - 1, height - 1)
    long_names = 0x400 if any(len(name) > 31 for name in names) else 0
    header = b"v/1\x01" + struct.pack("<I", 2 | long_names | flags)
    for name, kind, value in (
        ("channels", "chlist", listing),
        ("compression", "compression", b"\0"),
        ("dataWindow", "box2i", window),
        ("displayWindow", "box2i", window),
        ("lineOrder", "lineOrder", b"\0"),
        ("pixelAspectRatio", "float", struct.pack("<f", 1)),
        ("screenWindowCenter", "v2f", struct.pack("<2f", 0, 0)),
        ("screenWindowWidth", "float", struct.pack("<f", 1)),
    ):
        header += name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<i", len(value)) + value
    header += b"\0"
    lines = [b"".join(np.ascontiguousarray(channels[name][row]).tobytes() for name in names) for row in range(height)]
    blocks = [struct.pack("<ii", row, len(line)) + line for row, line in enumerate(lines)]
    first = len(header) + 8 * height
    offsets = b"".join(struct.pack("<Q", first + row * len(blocks[0])) for row in range(height))
    path.write_bytes(header + offsets + b"".join(blocks))
    return path
