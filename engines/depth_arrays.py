# SPDX-License-Identifier: Apache-2.0
"""Which of the arrays in another program's .npz or .npy file is the depth, and what lies beside it.

Names are all there is to go by. Depth Pro and most others write ``depth`` in metres, Depth Anything 3 ``depth`` with ``conf`` and
``intrinsics``, stereo programs ``disparity`` or ``disp``, many an array without a name. A batch of one is one map.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .camera import CameraIntrinsics
from .errors import CameraError, ImageError

# What a name must match, the most telling first; the second of each pair is whether it is inverse depth.
_NAMES = (
    (re.compile(r"(metric_?)?depths?(_?(map|m|pred|image|np|npy))?"), False),
    (re.compile(r"(pred_?)?(disparity|disparities|disp|inv(erse)?_?depths?)(_?(map|pred|np|npy))?"), True),
    (re.compile(r"(?!.*(conf|valid|mask|scale|std|var|min|max|disp|inv)).*depth.*"), False),
    (re.compile(r"(?!.*(conf|valid|mask|scale|std|var|min|max)).*(disp|inv).*"), True),
)
_MATRICES = ("K", "intrinsics", "intrinsic", "intrinsic_matrix", "camera_matrix", "cam_K")
_MASKS = ("valid", "mask", "valid_mask")
_CONFIDENCES = ("confidence", "conf")


@dataclass(frozen=True, slots=True, eq=False)
class ForeignDepth:
    """``values``: (H,W), numbers of any type as stored. ``inverse``: whether its name says inverse depth, None when it says nothing."""

    values: npt.NDArray[Any]
    name: str
    inverse: bool | None
    valid: npt.NDArray[np.bool_] | None
    confidence: npt.NDArray[np.float32] | None
    camera: CameraIntrinsics | None
    notes: tuple[str, ...]


def choose_depth(path: Path, entries: Mapping[str, npt.NDArray[Any]]) -> ForeignDepth:
    """The depth among ``entries``, and validity, confidence and intrinsics that fit it. Raises :class:`ImageError` when it cannot be told."""
    maps = {name: flat for name, array in entries.items() if (flat := _as_map(array)) is not None}
    name, inverse = _choose_name(path, maps, entries)
    values = maps[name]
    height, width = values.shape
    notes: list[str] = []
    valid = next((mask for key in _MASKS if (mask := maps.get(key)) is not None and mask.dtype == np.bool_ and mask.shape == values.shape), None)
    sure = next((maps[key] for key in _CONFIDENCES if key in maps and maps[key].shape == values.shape and key != name), None)
    return ForeignDepth(
        values=values,
        name=name,
        inverse=inverse,
        valid=valid,
        confidence=None if sure is None else sure.astype(np.float32),
        camera=_camera(entries, width, height, notes),
        notes=tuple(notes),
    )


def _as_map(array: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
    """(H,W) of numbers or truth values, axes of one dropped; None for what is no map."""
    while array.ndim > 2 and array.shape[0] == 1:
        array = array[0]
    while array.ndim > 2 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim != 2 or array.dtype.kind not in "fiub" or min(array.shape) < 2:
        return None
    return array


def _choose_name(path: Path, maps: Mapping[str, npt.NDArray[Any]], entries: Mapping[str, npt.NDArray[Any]]) -> tuple[str, bool | None]:
    numbers = {name: array for name, array in maps.items() if array.dtype != np.bool_}
    for pattern, inverse in _NAMES:
        found = [name for name in numbers if pattern.fullmatch(name.casefold())]
        if len(found) > 1:
            raise ImageError(f"{path} holds several maps ({', '.join(found)}); keep the one that is meant in a file of its own.")
        if found:
            return found[0], inverse
    spoken_for = {*_MATRICES, *_CONFIDENCES, *_MASKS}
    rest = [name for name, array in numbers.items() if name not in spoken_for and array.shape not in ((3, 3), (3, 4), (4, 4))]
    if len(rest) == 1:
        return rest[0], None
    shapes = ", ".join(f"{name} {array.shape}" for name, array in list(entries.items())[:8]) or "nothing"
    raise ImageError(f"{path} has no array that is one depth map (it holds {shapes}); save depth as an array of height x width called 'depth'.")


def _camera(entries: Mapping[str, npt.NDArray[Any]], width: int, height: int, notes: list[str]) -> CameraIntrinsics | None:
    for key in _MATRICES:
        if key in entries and entries[key].size == 9 and entries[key].dtype.kind in "fiu":
            try:
                camera = CameraIntrinsics.from_matrix(entries[key].reshape(3, 3), width, height)
            except CameraError:
                camera = None
            if camera is not None and 0 <= camera.cx <= width and 0 <= camera.cy <= height:
                return camera
            notes.append(f"Its {key!r} is no camera of a {width}x{height} picture, and was not used.")
    return None
