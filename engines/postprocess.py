# SPDX-License-Identifier: Apache-2.0
"""From a network's raw output to a map at the picture's resolution: metric scaling, sky fill, upsampling."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from .camera import CameraIntrinsics
from .depth_map import SKY_THRESHOLD
from .errors import CameraError, ModelError
from .preprocess import InputPlan

FloatArray = npt.NDArray[np.float32]

_SKY_FILL_QUANTILE = 0.99
_SKY_FILL_MIN_COUNT = 10


def as_map(output: npt.NDArray[np.generic], name: str, model_name: str, channels_last: bool = False) -> FloatArray:
    """A network output of rank 2 to 5 as one float32 map (H,W): batch and view axes are dropped, a channel axis of one is squeezed.

    Raises :class:`ModelError` for several views or channels, and for a map with no finite value (half precision overflowed).
    """
    values = np.asarray(output)
    if channels_last and values.ndim == 4 and values.shape[-1] == 1:
        values = values[..., 0]
    while values.ndim > 2:
        if values.shape[0] != 1:
            raise ModelError(f"{model_name} gave {name} of shape {np.shape(output)} for one picture; one map was expected.")
        values = values[0]
    if values.ndim != 2:
        raise ModelError(f"{model_name} gave {name} of shape {np.shape(output)}, which is no map.")
    result = values.astype(np.float32)
    if not np.isfinite(result).any():
        raise ModelError(f"{model_name} gave no finite {name}; a half-precision model may have overflowed: use its float32 file.")
    return result


def fill_sky(depth: FloatArray, sky: FloatArray) -> FloatArray:
    """Depth with the sky at the 99th percentile of what is not sky (Depth Anything 3, ``da3.py``), computed exactly.

    Upstream draws 100,000 samples above that many pixels, which makes its fill random; the guards are the same: with ten pixels or fewer on
    either side nothing is filled.
    """
    is_sky = sky >= SKY_THRESHOLD
    ground = depth[~is_sky & np.isfinite(depth)]
    if ground.size <= _SKY_FILL_MIN_COUNT or np.count_nonzero(is_sky) <= _SKY_FILL_MIN_COUNT:
        return depth
    filled = depth.copy()
    filled[is_sky] = np.quantile(ground, _SKY_FILL_QUANTILE)
    return filled


def canonical_to_metres(depth: FloatArray, processed_focal_px: float, canonical_focal_px: float) -> FloatArray:
    """``metres = raw * f / f_canonical`` with the focal length of the PROCESSED picture (Depth Anything 3, ``utils/alignment.py``)."""
    return depth * np.float32(processed_focal_px / canonical_focal_px)


def to_source_size(values: FloatArray, plan: InputPlan, outside: float) -> FloatArray:
    """A network-sized layer (H,W) at the picture's size, bilinear between pixel centres; ``outside`` where the crop left the picture uncovered.

    A layer that is not of the input's size (some graphs always answer in one size) covers the input all the same.
    """
    width, height = plan.source
    if plan.size == plan.resized:
        if values.shape == (height, width):
            return values
        return np.asarray(cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.float32)
    # A source pixel centre (u + .5) lies at (u + .5) * step - left of the window, in the layer's pixels after `zoom`.
    zoom_x, zoom_y = values.shape[1] / plan.size[0], values.shape[0] / plan.size[1]
    x = (((np.arange(width) + 0.5) * plan.resized[0] / width) - plan.left) * zoom_x - 0.5
    y = (((np.arange(height) + 0.5) * plan.resized[1] / height) - plan.top) * zoom_y - 0.5
    map_x, map_y = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
    result = np.asarray(cv2.remap(values, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), dtype=np.float32)
    covered_x = (x > -0.5 - 1e-4) & (x < values.shape[1] - 0.5 + 1e-4)
    covered_y = (y > -0.5 - 1e-4) & (y < values.shape[0] - 0.5 + 1e-4)
    result[~(covered_y[:, None] & covered_x[None, :])] = outside
    return result


def predicted_camera(matrix: npt.NDArray[np.generic] | None, width: int, height: int) -> CameraIntrinsics | None:
    """The camera a network predicts for its own input, or None when it is no camera.

    A field of view that its activation clipped to nothing gives a focal length of 1e8; outside 0.1 to 20 image sides it is not believed.
    """
    if matrix is None:
        return None
    values = np.asarray(matrix, dtype=np.float64).reshape(-1, 3, 3)[0]
    longest = max(width, height)
    focals = (values[0, 0], values[1, 1])
    if not np.all(np.isfinite(values)) or not all(0.1 * longest < focal < 20 * longest for focal in focals):
        return None
    try:
        return CameraIntrinsics.from_matrix(values, width, height)
    except CameraError:
        return None


def predicted_pose(matrix: npt.NDArray[np.generic] | None) -> npt.NDArray[np.float64] | None:
    """World-to-camera (3,4) from a predicted 3x4 or 4x4 matrix; None when there is none or it is not finite."""
    if matrix is None:
        return None
    values = np.asarray(matrix, dtype=np.float64)
    pose = values.reshape(-1, *values.shape[-2:])[0][:3]
    return pose if np.all(np.isfinite(pose)) else None
