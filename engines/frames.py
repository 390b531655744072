# SPDX-License-Identifier: Apache-2.0
"""A folder of pictures, or a movie, as upright uint8 RGB frames of one size, one after the other and one at a time in memory.

The pictures of a folder are taken in natural order (``shot2`` before ``shot10``). A movie is read from its start, because its
container's idea of where a frame begins and of how many there are is not always true: what can be decoded counts.
"""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from .camera import CameraIntrinsics
from .errors import ImageError
from .images import MAX_PIXELS, decode_image, read_header

ImageArray = npt.NDArray[np.uint8]

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".ppm", ".pgm", ".jp2", ".avif")
MOVIE_SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".wmv", ".ogv", ".mts", ".m2ts", ".flv")

# Blender finds the other files of a sequence by counting the last number in the name of one of them.
_NUMBERED = re.compile(r"^(.*?)(\d+)(\D*)$")


class Frames(Protocol):
    """Frames of one size. ``name``: what the sequence is called (the folder's or file's name without suffix); ``fps``: pictures per
    second, None when nothing tells; ``camera``: what EXIF says of the first picture's camera, or None."""

    path: Path
    name: str
    width: int
    height: int
    fps: float | None
    camera: CameraIntrinsics | None
    notes: list[str]

    def __len__(self) -> int:
        """How many frames there are; of a movie what its container claims, until reading has met the end."""
        ...

    def __iter__(self) -> Iterator[ImageArray]:
        """Every frame from the first, as :meth:`frame` gives them."""
        ...

    def frame(self, index: int) -> ImageArray | None:
        """Frame ``index``, from 0, uint8 RGB (H,W,3), upright; None past the end. Raises :class:`ImageError` that names the frame."""
        ...

    def read(self, index: int) -> ImageArray:
        """As :meth:`frame`, but raises :class:`ImageError` past the end."""
        ...

    def shown_as_read(self, index: int) -> bool:
        """Whether Blender, which turns no pictures, applies no colour profiles, and finds frames by counting, shows frame ``index`` of the
        source as it is read here. Reads the frame if need be."""
        ...

    def mark_of(self, index: int) -> str:
        """Tells whether frame ``index`` is still what it was: another text when its file was replaced. Empty past the end of a folder."""
        ...

    def close(self) -> None:
        """Gives a movie's file back; reading opens it again."""
        ...


def open_frames(path: Path | str) -> Frames:
    """The frames of a folder of pictures or of a movie file.

    Raises :class:`ImageError` for a path that is missing or neither, a folder without pictures or with pictures of several sizes, and
    a movie of which not one frame can be read.
    """
    path = Path(path)
    if path.is_dir():
        return PictureFolder(path)
    if not path.exists():
        raise ImageError(f"{path} does not exist; give a folder of pictures or a movie.")
    if path.suffix.lower() not in MOVIE_SUFFIXES:
        kind = "one picture" if path.suffix.lower() in PICTURE_SUFFIXES else "no movie that can be read"
        raise ImageError(f"{path} is {kind}; a sequence is a folder of pictures or a movie ({', '.join(MOVIE_SUFFIXES)}).")
    return Movie(path)


def folder_name(folder: Path) -> str:
    """What a sequence in ``folder`` is called: its own name, also where the path is ``.`` or ends in ``..``."""
    return folder.resolve().name or "sequence"


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sorts ``shot2`` before ``shot10``, whatever the case of the letters."""
    parts = re.split(r"(\d+)", name.lower())
    return tuple((0, int(part), part) if part.isdigit() and part.isascii() else (1, 0, part) for part in parts)


class PictureFolder:
    """The pictures of one folder (not of those inside it); see :class:`Frames`."""

    def __init__(self, folder: Path) -> None:
        self.path = folder
        self.name = folder_name(folder)
        self.fps: float | None = None
        self.notes: list[str] = []
        self.files = _pictures_of(folder)
        self.width, self.height = _one_size(folder, self.files)
        self.numbered_from = _numbered_from(self.files)
        self._as_stored: dict[int, bool] = {}
        header = read_header(self.files[0])
        self.camera = header.exif_camera if header is not None else None

    def __len__(self) -> int:
        return len(self.files)

    def __iter__(self) -> Iterator[ImageArray]:
        return (self.read(index) for index in range(len(self.files)))

    def frame(self, index: int) -> ImageArray | None:
        if not 0 <= index < len(self.files):
            return None
        try:
            decoded = decode_image(self.files[index])
        except ImageError as error:
            raise ImageError(f"Frame {index}: {error}") from error
        self._as_stored[index] = decoded.as_stored
        _refuse_other_size(decoded.rgb, self, f"Frame {index} ({self.files[index].name})")
        return decoded.rgb

    def read(self, index: int) -> ImageArray:
        rgb = self.frame(index)
        if rgb is None:
            raise ImageError(f"Frame {index} does not exist: {self.path} holds {len(self.files)} pictures, counted from 0.")
        return rgb

    def shown_as_read(self, index: int) -> bool:
        if self.numbered_from is None:
            return False
        if index not in self._as_stored:
            self.read(index)
        return self._as_stored[index]

    def mark_of(self, index: int) -> str:
        return _mark(self.files[index]) if 0 <= index < len(self.files) else ""

    def close(self) -> None:
        pass


class Movie:
    """The first video stream of a movie, turned as its container says; see :class:`Frames`."""

    def __init__(self, path: Path) -> None:
        # A path that starts like an address would be one to the decoder.
        self.path = path.absolute()
        self.name = path.stem
        self._mark = _mark(path)
        self.camera: CameraIntrinsics | None = None
        self.notes: list[str] = []
        self._capture: cv2.VideoCapture | None = None
        self._next = 0
        self._kept: tuple[int, ImageArray] | None = None
        self._size: tuple[int, int] | None = None
        capture = self._restart()
        claimed, fps = capture.get(cv2.CAP_PROP_FRAME_COUNT), capture.get(cv2.CAP_PROP_FPS)
        self.turned = round(capture.get(cv2.CAP_PROP_ORIENTATION_META)) % 360 != 0
        self.fps: float | None = fps if math.isfinite(fps) and 0 < fps <= 1000 else None
        width, height = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        if width * height > MAX_PIXELS:
            raise ImageError(f"{path} has frames of {width} x {height} pixels, more than can be read; scale it down first.")
        first = self._advance()
        if first is None:
            raise ImageError(f"{path} holds no frame that can be read; export it again, as MP4 for instance.")
        self._kept = (0, first)
        self._first_at_ms = self._kept_at_ms = capture.get(cv2.CAP_PROP_POS_MSEC)
        self.height, self.width = first.shape[:2]
        self._size = (self.width, self.height)
        self._claimed = int(claimed) if math.isfinite(claimed) and 1 <= claimed < 1e9 else 0
        self._count: int | None = None
        if not self._claimed:
            self._count_by_reading()

    def __len__(self) -> int:
        return self._claimed if self._count is None else self._count

    def __iter__(self) -> Iterator[ImageArray]:
        index = 0
        while (frame := self.frame(index)) is not None:
            yield frame
            index += 1

    def read(self, index: int) -> ImageArray:
        frame = self.frame(index)
        if frame is None:
            raise ImageError(f"Frame {index} does not exist: {len(self)} frames of {self.path} could be read, counted from 0.")
        return frame

    def mark_of(self, index: int) -> str:
        return f"{self._mark} frame {index}"

    def shown_as_read(self, index: int) -> bool:
        # Blender takes a frame to be where the frame rate says, and its 4.2 does not turn movies.
        self.read(index)
        return not self.turned and self.fps is not None and abs((self._kept_at_ms - self._first_at_ms) * self.fps / 1000 - index) < 0.5

    def close(self) -> None:
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def frame(self, index: int) -> ImageArray | None:
        if index < 0 or (self._count is not None and index >= self._count):
            return None
        if self._kept is not None and self._kept[0] == index:
            return self._kept[1]
        if self._capture is None or index < self._next:
            self._restart()
        assert self._capture is not None
        while self._next < index:
            if not self._capture.grab():
                self._ends_at(self._next)
                return None
            self._next += 1
        frame = self._advance()
        if frame is None:
            self._ends_at(index)
            return None
        self._kept, self._kept_at_ms = (index, frame), self._capture.get(cv2.CAP_PROP_POS_MSEC)
        return frame

    def _advance(self) -> ImageArray | None:
        """The next frame of the open file, None at its end."""
        assert self._capture is not None
        try:
            done, bgr = self._capture.read()
        except cv2.error as error:
            raise ImageError(f"Frame {self._next} of {self.path} could not be decoded; export the movie again.") from error
        if not done or bgr is None:
            return None
        rgb: ImageArray = np.ascontiguousarray(bgr[..., ::-1])
        if self._size is not None:
            _refuse_other_size(rgb, self, f"Frame {self._next}")
        self._next += 1
        return rgb

    def _ends_at(self, count: int) -> None:
        self._count = count
        if self._claimed and count != self._claimed:
            self.notes.append(f"{self.path.name} says that it has {self._claimed} frames; {count} could be read.")

    def _count_by_reading(self) -> None:
        assert self._capture is not None
        while self._capture.grab():
            self._next += 1
        self._ends_at(self._next)

    def _restart(self) -> cv2.VideoCapture:
        self.close()
        # The decoder writes its complaints to the console; what matters of them is raised.
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
        level = cv2.getLogLevel()
        cv2.setLogLevel(0)
        try:
            # Named, because OpenCV's other readers take any numbered file for a series of pictures, or ignore the orientation.
            capture = cv2.VideoCapture(str(self.path), cv2.CAP_FFMPEG)
        finally:
            cv2.setLogLevel(level)
        if not capture.isOpened():
            raise ImageError(f"{self.path} is damaged or no movie that can be read; export it again, as MP4 for instance.")
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
        self._capture, self._next = capture, 0
        return capture


def _mark(file: Path) -> str:
    try:
        facts = file.stat()
    except OSError:
        return file.name  # reading it will tell what is wrong
    return f"{file.name} {facts.st_size} {facts.st_mtime_ns}"


def _pictures_of(folder: Path) -> list[Path]:
    try:
        visible = [file for file in folder.iterdir() if not file.name.startswith(".") and file.is_file()]
    except OSError as error:
        raise ImageError(f"{folder} could not be listed ({error.strerror or error}); check its permissions.") from error
    found = [file for file in visible if file.suffix.lower() in PICTURE_SUFFIXES]
    if not found:
        raise ImageError(f"{folder} holds no pictures ({', '.join(PICTURE_SUFFIXES)}); choose the folder they are in.")
    return sorted(found, key=lambda file: (natural_key(file.name), file.name))


def _one_size(folder: Path, files: list[Path]) -> tuple[int, int]:
    """The size of most pictures; those of another are named. One whose header cannot be read is left to its turn."""
    sizes = {file.name: (header.width, header.height) for file in files if (header := read_header(file)) is not None}
    if not sizes:
        raise ImageError(f"{folder} holds no picture that can be read; the first, {files[0].name}, is damaged. Export them again.")
    usual = Counter(sizes.values()).most_common(1)[0][0]
    others = [f"{name} ({width}x{height})" for name, (width, height) in sizes.items() if (width, height) != usual]
    if others:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        raise ImageError(
            f"The pictures of {folder} are not of one size: most have {usual[0]}x{usual[1]} pixels, but not {', '.join(others[:3])}{more}; "
            "move those elsewhere or resize them."
        )
    return usual


def _numbered_from(files: list[Path]) -> int | None:
    """The first number, when every file is found by counting on from the first, as Blender does; else None."""
    match = _NUMBERED.match(files[0].stem)
    if match is None:
        return None
    before, digits, after = match.groups()
    wanted = (f"{before}{int(digits) + i:0{len(digits)}d}{after}{files[0].suffix}" for i in range(len(files)))
    return int(digits) if all(file.name == name for file, name in zip(files, wanted, strict=True)) else None


def _refuse_other_size(rgb: ImageArray, frames: PictureFolder | Movie, label: str) -> None:
    height, width = rgb.shape[:2]
    if (width, height) != (frames.width, frames.height):
        raise ImageError(
            f"{label} of {frames.path} has {width}x{height} pixels, the others {frames.width}x{frames.height}; "
            "a sequence has one size: remove or resize it."
        )
