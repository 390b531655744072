# SPDX-License-Identifier: Apache-2.0
"""Files of data sets: pictures, whole numbers in PNG, tables of text, HDF5 and MATLAB; each fault is one sentence that names the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ....engines.camera import CameraIntrinsics
from ....engines.errors import CameraError, first_line
from ....engines.export.png16 import read_stored
from ....engines.images import decode_image
from ..samples import DatasetError, UInt8Array

_EXTRA = 'pip install "depthbridge[evaluate]"'
_PIXEL_CENTRES = {"opencv": 0.5, "matlab": -0.5}


def read_rgb(path: Path) -> UInt8Array:
    """uint8 (H, W, 3). Raises :class:`~....engines.errors.ImageError`."""
    return decode_image(path).rgb


def read_uint16(path: Path) -> npt.NDArray[np.uint16]:
    """The numbers of a 16-bit grey PNG, (H, W), as stored. Raises :class:`DatasetError`, :class:`~....engines.errors.ImageError`."""
    stored = read_stored(path)
    if stored.dtype != np.uint16 or stored.ndim != 2:
        raise DatasetError(f"{path} has pixels of {stored.dtype} in {stored.ndim} dimensions and is no 16-bit grey PNG; unpack it again.")
    return stored.astype(np.uint16, copy=False)


def read_numbers(path: Path, count: int) -> list[float]:
    """The ``count`` numbers of a text file, whatever its lines."""
    try:
        numbers = [float(word) for word in read_text(path).split()]
    except ValueError as error:
        raise DatasetError(f"{path} holds something else than numbers ({first_line(error)}); unpack it again.") from error
    if len(numbers) != count:
        raise DatasetError(f"{path} holds {len(numbers)} numbers, {count} were expected; unpack it again.")
    return numbers


def read_text(path: Path) -> str:
    """A text file. Raises :class:`DatasetError`."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise DatasetError(f"{path} is missing; unpack the data set's files again.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} could not be read ({first_line(error)}); unpack it again.") from error


def camera_of(path: Path, focal: tuple[float, float], centre: tuple[float, float], size: tuple[int, int], counts: str) -> CameraIntrinsics:
    """A pinhole of ``size`` (height, width) from what ``path`` says in pixels. ``counts``: what the centre of the first pixel is called, 0
    ("opencv") or 1 ("matlab"). Raises :class:`CameraError` naming the file."""
    shift = _PIXEL_CENTRES[counts]
    try:
        return CameraIntrinsics(focal[0], focal[1], centre[0] + shift, centre[1] + shift, size[1], size[0])
    except CameraError as error:
        raise CameraError(f"{path}: {error}") from error


def read_hdf5(path: Path, read: Callable[[Any], Any]) -> Any:
    """What ``read`` takes from the open HDF5 file: only what it asks for is read from the disk. Raises :class:`DatasetError`."""
    try:
        import h5py
    except ImportError as error:
        raise DatasetError(f"{path} is an HDF5 file, and h5py is not installed; {_EXTRA} brings it.") from error
    if not path.exists():
        raise DatasetError(f"{path} is missing; unpack the data set's files again.")
    try:
        with h5py.File(path, "r") as file:
            return read(file)
    except KeyError as error:
        raise DatasetError(f"{path} lacks the array it should hold ({first_line(error)}); unpack or download it again.") from error
    except (OSError, RuntimeError, ValueError, TypeError, AttributeError) as error:  # h5py's own faults, and groups where arrays should be
        raise DatasetError(f"{path} is no whole HDF5 file ({first_line(error)}); unpack or download it again.") from error


def read_hdf5_array(path: Path, name: str = "dataset") -> npt.NDArray[Any]:
    """One array of an HDF5 file, whole. Raises :class:`DatasetError`."""
    return np.asarray(read_hdf5(path, lambda file: file[name][:]))


def read_mat(path: Path, name: str) -> npt.NDArray[Any]:
    """A variable of a MATLAB file up to version 7. Raises :class:`DatasetError`."""
    try:
        import scipy.io
    except ImportError as error:
        raise DatasetError(f"{path} is a MATLAB file, and scipy is not installed; {_EXTRA} brings it.") from error
    try:
        return np.asarray(scipy.io.loadmat(path, variable_names=[name])[name])
    except FileNotFoundError as error:
        raise DatasetError(f"{path} is missing; unpack the data set's files again.") from error
    except KeyError as error:
        raise DatasetError(f"{path} has no variable {name}; it is another file than the data set's owner gives. Download it again.") from error
    except Exception as error:  # a parser of damaged files, which raises almost anything
        raise DatasetError(f"{path} is no whole MATLAB file ({first_line(error)}); download it again.") from error
