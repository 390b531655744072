# SPDX-License-Identifier: Apache-2.0
"""A depth map as OpenEXR: one 32-bit float channel (``Y``), ZIP compressed, exact. 0 where not valid.

Zero and not NaN: a blur or resize in a compositor would spread one NaN over the picture. The values are planar depth, in metres for
metric maps, or disparity; the file itself cannot say which.
"""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from ..atomic import atomic_path
from ..depth_map import DepthMap
from ..errors import ImageError, OutputError

_SWITCH = "OPENCV_IO_ENABLE_OPENEXR"


def write_exr(path: Path, depth: DepthMap, *, overwrite: bool = False) -> None:
    """Writes the values of the valid pixels, 0 elsewhere. Raises :class:`~..errors.OutputError`."""
    try:
        content = encode_exr(np.where(depth.valid, depth.values, np.float32(0)).astype(np.float32))
    except OutputError as error:
        raise OutputError(f"Cannot write {path}: {error}") from error
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(content)


def encode_exr(values: npt.NDArray[np.float32]) -> bytes:
    """The content of an EXR file of 32-bit floats, ZIP compressed and exact: (H,W), or (H,W,3) with blue first. Raises
    :class:`~..errors.OutputError`."""
    options = [
        cv2.IMWRITE_EXR_TYPE,
        cv2.IMWRITE_EXR_TYPE_FLOAT,
        cv2.IMWRITE_EXR_COMPRESSION,
        cv2.IMWRITE_EXR_COMPRESSION_ZIP,
    ]
    _switch_on()
    try:
        done, encoded = cv2.imencode(".exr", values, options)
    except cv2.error as error:
        raise OutputError(f"{_reason(error)}.") from error
    if not done:
        raise OutputError(f"OpenCV could not make an EXR file of {values.shape[1]}x{values.shape[0]} pixels.")
    return bytes(encoded.tobytes())


def read_exr(path: Path) -> npt.NDArray[np.float32]:
    """The values of a one-channel EXR file, float32 (H,W). Raises :class:`~..errors.ImageError` for anything else."""
    path = Path(path)
    try:
        values = decode_exr(path.read_bytes())
    except FileNotFoundError as error:
        raise ImageError(f"{path} does not exist; check the path.") from error
    except OSError as error:
        raise ImageError(f"{path} could not be read; check its permissions.") from error
    except cv2.error as error:
        raise ImageError(f"{path} could not be read: {_reason(error)}.") from error
    if values is None or values.dtype != np.float32 or values.ndim != 2:
        raise ImageError(f"{path} is no OpenEXR file with one 32-bit channel; give one written by depthbridge.")
    return np.ascontiguousarray(values)


def decode_exr(content: bytes) -> npt.NDArray[np.generic] | None:
    """The pixels of an EXR file's ``content`` as OpenCV orders them: (H,W), or (H,W,C) with blue first. None when it is no picture.

    Raises ``cv2.error`` for damaged content.
    """
    _switch_on()
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED) if content else None


def _switch_on() -> None:
    # OpenCV asks the environment when the process first touches an EXR file, and remembers the answer (seen on 4.11.0): setting it here is
    # in time unless somebody else was first.
    os.environ.setdefault(_SWITCH, "1")


def _reason(error: cv2.error) -> str:
    if "disabled" in str(error):
        return f"OpenCV's EXR support is switched off in this process; set {_SWITCH}=1 in the environment and start again"
    return " ".join(str(error).split())
