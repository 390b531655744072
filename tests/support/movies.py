# SPDX-License-Identifier: Apache-2.0
"""Movies and folders of pictures whose every frame can be told from the others."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

ImageArray = npt.NDArray[np.uint8]


def marked_frame(index: int, width: int = 64, height: int = 48) -> ImageArray:
    """Grey that brightens by 12 a frame (up to frame 20), its top left quarter red: survives a lossy codec and shows how it is turned."""
    frame = np.full((height, width, 3), 10 + 12 * index, dtype=np.uint8)
    frame[: height // 2, : width // 2] = (200, 0, 0)
    return frame


def index_of(frame: ImageArray) -> int:
    """Which marked frame this is, by its bottom right quarter."""
    height, width = frame.shape[:2]
    grey = float(np.median(frame[height * 2 // 3 :, width * 2 // 3 :]))
    return round((grey - 10) / 12)


def write_folder(folder: Path, frames: Sequence[ImageArray], pattern: str = "shot_{:04d}.png", first: int = 1) -> list[Path]:
    """Each frame as a picture file, numbered from ``first``."""
    folder.mkdir(exist_ok=True)
    paths = [folder / pattern.format(first + index) for index in range(len(frames))]
    for path, frame in zip(paths, frames, strict=True):
        Image.fromarray(frame).save(path)
    return paths


def write_movie(path: Path, frames: Sequence[ImageArray], fps: float = 25.0) -> Path:
    """MPEG-4 in MP4 or Matroska, motion JPEG in AVI."""
    codec = "MJPG" if path.suffix == ".avi" else "mp4v"
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*codec), fps, (width, height))
    assert writer.isOpened()
    for frame in frames:
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
    writer.release()
    return path


def turn_movie(path: Path) -> None:
    """Marks an MP4 as to be shown turned clockwise by 90 degrees, as a telephone held upright does (ISO 14496-12, 8.3.2: tkhd)."""
    content = bytearray(path.read_bytes())
    start = content.find(b"tkhd") + 4
    assert content[start] == 0, "a version 0 box"
    matrix = start + 4 + 5 * 4 + 8 + 8
    height = struct.unpack_from(">I", content, matrix + 40)[0]
    struct.pack_into(">9i", content, matrix, 0, 1 << 16, 0, -(1 << 16), 0, 0, height, 0, 1 << 30)
    path.write_bytes(content)


def slow_down(path: Path, first: int) -> None:
    """Makes the frames of an MP4 from ``first`` on last twice as long, as telephones do in the dark (ISO 14496-12, 8.6.1.2: stts)."""
    content = bytearray(path.read_bytes())
    assert content.find(b"moov") > content.find(b"mdat"), "what grows lies behind what is pointed at"
    start = content.find(b"stts") - 4
    version, entries, count, duration = struct.unpack_from(">IIII", content, start + 8)
    assert (version, entries) == (0, 1)
    content[start + 8 : start + 24] = struct.pack(">IIIIII", 0, 2, first, duration, count - first, 2 * duration)
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stts"):
        place = content.find(name) - 4
        struct.pack_into(">I", content, place, struct.unpack_from(">I", content, place)[0] + 8)
    path.write_bytes(content.replace(b"edts", b"free"))  # the edit list would end it after as long as it was
