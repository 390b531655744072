# SPDX-License-Identifier: Apache-2.0
"""From a network's raw output to a map at the picture's resolution: metric scaling, sky fill, upsampling."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from .buffers import BufferPool
from .camera import CameraIntrinsics
from .depth_map import SKY_THRESHOLD
from .errors import CameraError, ModelError
from .preprocess import InputPlan

FloatArray = npt.NDArray[np.float32]

_SKY_FILL_QUANTILE = 0.99
_SKY_FILL_MIN_COUNT = 10
_SAMPLE_STEP = 16


def as_map(
    output: npt.NDArray[np.generic], name: str, model_name: str, channels_last: bool = False, *, pool: BufferPool | None = None
) -> FloatArray:
    """A copy of a network output of rank 2 to 5 as one float32 map (H,W): batch and view axes are dropped, a channel axis of one is squeezed.

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
    result = _floats(pool, values.shape)
    np.copyto(result, values, casting="same_kind")
    if not all_finite(result) and not np.isfinite(result).any():
        raise ModelError(f"{model_name} gave no finite {name}; a half-precision model may have overflowed: use its float32 file.")
    return result


def all_finite(values: FloatArray) -> bool:
    """Whether not one value is NaN or infinite."""
    return bool(np.isfinite(np.min(values)) and np.isfinite(np.max(values)))


def fill_sky(depth: FloatArray, sky: FloatArray, pool: BufferPool | None = None) -> bool:
    """Sets the sky of ``depth`` to the 99th percentile of what is not sky (Depth Anything 3, ``da3.py``), computed exactly.

    Upstream draws 100,000 samples above that many pixels, which makes its fill random; the guards are the same: with ten pixels or fewer on
    either side nothing is filled. Returns whether it was.
    """
    is_sky = np.greater_equal(sky, SKY_THRESHOLD, out=None if pool is None else pool.take(depth.shape, np.bool_))
    if np.count_nonzero(is_sky) <= _SKY_FILL_MIN_COUNT:
        return False
    ground = _floats(pool, depth.shape)
    np.copyto(ground, depth)
    np.putmask(ground, is_sky, np.float32(-np.inf))
    if not all_finite(depth):
        np.putmask(ground, ~np.isfinite(ground), np.float32(-np.inf))
    # -inf sorts below whatever counts.
    count = int(np.count_nonzero(ground > -np.inf))
    if count <= _SKY_FILL_MIN_COUNT:
        return False
    np.putmask(depth, is_sky, np.float32(_quantile_of_largest(ground.reshape(-1), count, _SKY_FILL_QUANTILE)))
    return True


def _quantile_of_largest(values: FloatArray, count: int, quantile: float) -> float:
    """The quantile, interpolated as numpy does, of the ``count`` largest of ``values``; fast for one near 1.

    A sample tells above which value about the wanted ones lie, and only these are sorted. When it misleads, all are.
    """
    position = (count - 1) * quantile
    from_top = count - int(position)  # 1 is the largest
    sample = values[::_SAMPLE_STEP]
    guess = min(sample.size, int(from_top / _SAMPLE_STEP * 1.5) + 16)
    top = values[values >= np.partition(sample, sample.size - guess)[sample.size - guess]]
    if top.size < from_top:
        top = values
    below, above = top.size - from_top, min(top.size - from_top + 1, top.size - 1)
    ordered = np.partition(top, [below, above])
    low, high = float(ordered[below]), float(ordered[above])
    return low + (high - low) * (position - int(position))


def to_source_size(values: FloatArray, plan: InputPlan, outside: float, pool: BufferPool | None = None) -> FloatArray:
    """A network-sized layer (H,W) at the picture's size, bilinear between pixel centres; ``outside`` where the crop left the picture uncovered.

    A layer that is not of the input's size (some graphs always answer in one size) covers the input all the same. ``values`` itself when it
    has the picture's size.
    """
    width, height = plan.source
    cropped = plan.size != plan.resized
    if not cropped and values.shape == (height, width):
        return values
    result = _floats(pool, (height, width))
    if cropped and values.shape != (plan.size[1], plan.size[0]):
        _warp_window(values, plan, result)
    else:
        if cropped:
            # What was cut away is put back as copies of the edge, and then covered.
            right, bottom = plan.resized[0] - plan.left - plan.size[0], plan.resized[1] - plan.top - plan.size[1]
            values = cv2.copyMakeBorder(values, plan.top, bottom, plan.left, right, cv2.BORDER_REPLICATE)  # type: ignore[assignment]
        cv2.resize(values, (width, height), dst=result, interpolation=cv2.INTER_LINEAR)
    set_outside(result, plan, outside)
    return result


def _warp_window(values: FloatArray, plan: InputPlan, result: FloatArray) -> None:
    """A layer of a size of its own that shows the window of a crop: slower than a resize, and in steps of 1/32 pixel."""
    scales = [plan.resized[axis] / plan.source[axis] for axis in (0, 1)]
    zooms = (values.shape[1] / plan.size[0], values.shape[0] / plan.size[1])
    # A source pixel centre (u + .5) lies at (u + .5) * scale - start of the window, in the layer's pixels after the zoom.
    shifts = [(0.5 * scales[axis] - (plan.left, plan.top)[axis]) * zooms[axis] - 0.5 for axis in (0, 1)]
    matrix = np.array([[scales[0] * zooms[0], 0, shifts[0]], [0, scales[1] * zooms[1], shifts[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cv2.warpAffine(values, matrix, plan.source, dst=result, flags=flags, borderMode=cv2.BORDER_REPLICATE)


def set_outside(layer: npt.NDArray[Any], plan: InputPlan, value: float) -> None:
    """Sets what of a picture-sized layer the crop left uncovered: pixels whose centre lies outside of the window."""
    if plan.size == plan.resized:
        return
    columns = _covered(plan.source[0], plan.resized[0], plan.left, plan.size[0])
    rows = _covered(plan.source[1], plan.resized[1], plan.top, plan.size[1])
    layer[: rows.start] = layer[rows.stop :] = value
    layer[:, : columns.start] = layer[:, columns.stop :] = value


def _covered(source: int, resized: int, start: int, size: int) -> slice:
    # A source pixel centre (u + .5) lies at (u + .5) * step - start in the window.
    place = (np.arange(source) + 0.5) * resized / source - start
    inside = np.flatnonzero((place > -1e-4) & (place < size + 1e-4))
    return slice(int(inside[0]), int(inside[-1]) + 1) if inside.size else slice(0, 0)


def _floats(pool: BufferPool | None, shape: tuple[int, ...]) -> FloatArray:
    return np.empty(shape, dtype=np.float32) if pool is None else pool.take(shape, np.float32)


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
