# SPDX-License-Identifier: Apache-2.0
"""What all layouts have in common: a list of names, a protocol, and how files become a sample."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np

from ....engines.camera import CameraIntrinsics
from ....engines.errors import first_line
from ..samples import BoolArray, DatasetError, FloatArray, Sample, UInt8Array
from .counting import Counting


class LayoutReader(ABC):
    """Base of the readers; a :class:`~..samples.Dataset`."""

    layout: ClassVar[str]

    def __init__(self, names: Sequence[str], counting: Counting) -> None:
        self._names = tuple(names)
        self._known = frozenset(self._names)
        self.counting = counting

    @property
    def protocol(self) -> str:
        return self.counting.line()

    @property
    def clamp_m(self) -> tuple[float, float] | None:
        return self.counting.clamp_m

    @staticmethod
    @abstractmethod
    def recognises(path: Path) -> bool:
        """Whether a file or folder looks like this layout, without reading a picture; never raises for what is there."""

    @classmethod
    @abstractmethod
    def open(cls, path: Path) -> LayoutReader:
        """The data set at ``path``. Raises :class:`DatasetError` with what was looked for."""

    def names(self) -> Sequence[str]:
        return self._names

    def load(self, name: str) -> Sample:
        """Raises :class:`DatasetError`, ``ImageError`` or ``CameraError``, in one sentence."""
        if name not in self._known:
            raise DatasetError(f"{self.layout} has no picture {name!r} here.")
        try:
            return self._read(name)
        except OSError as error:  # of looking for files; reading them has sentences of its own
            raise DatasetError(f"{name} could not be read ({first_line(error)}); check the permissions of its files.") from error

    @abstractmethod
    def _read(self, name: str) -> Sample: ...


def assemble(
    name: str,
    rgb: UInt8Array,
    depth_m: FloatArray,
    counting: Counting,
    sky: BoolArray | None = None,
    camera: CameraIntrinsics | None = None,
    notes: tuple[str, ...] = (),
) -> Sample:
    """A sample at the picture's size. Truth and sky of another size of the same shape are taken from the nearest pixel, and a note says so;
    depth is never interpolated. The camera is that of the picture. Raises :class:`DatasetError` where shapes differ."""
    height, width = rgb.shape[:2]
    if sky is not None and sky.shape != depth_m.shape:
        raise DatasetError(f"{name}: its sky is {_size(sky)} and its depth {_size(depth_m)}; give both at one size.")
    if depth_m.shape != (height, width):
        rows, columns = depth_m.shape
        # A side that was rounded to whole pixels may be half of one off, on either side.
        if abs(columns * height - rows * width) > max(rows, columns, height, width):
            raise DatasetError(f"{name}: its picture is {_size(rgb)} and its depth {_size(depth_m)}, another shape; give both of one window.")
        notes = (*notes, f"its depth is {_size(depth_m)} and the picture {_size(rgb)}: true depth is that of the nearest pixel")
        depth_m = _nearest(depth_m, height, width)
        sky = None if sky is None else _nearest(sky.astype(np.uint8), height, width).astype(np.bool_)
    known = np.isfinite(depth_m) & (depth_m > 0)
    if sky is not None:
        known &= ~sky
    truth = np.where(known, depth_m, np.float32(0)).astype(np.float32, copy=False)
    return Sample(name, rgb, truth, counting.mask(truth, sky), sky, camera, notes)


def _nearest(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Rows and columns of the pixels whose centres are nearest."""
    return np.asarray(cv2.resize(values, (width, height), interpolation=cv2.INTER_NEAREST_EXACT))


def _size(array: np.ndarray) -> str:
    return f"{array.shape[1]}x{array.shape[0]}"
