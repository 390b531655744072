# SPDX-License-Identifier: Apache-2.0
"""The reference path of a frame: each step as upstream has it, one array after the other, as the engine was before it was made fast.

Kept as it was: what the engine does now is compared with this.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from depthbridge.engines.depth_map import SKY_THRESHOLD, DepthKind
from depthbridge.engines.model_spec import ResizeMethod
from depthbridge.engines.preprocess import IMAGENET_MEAN, IMAGENET_STD, InputPlan
from depthbridge.engines.signature import Layout, Signature

UInt8Image = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]

_SKY_FILL_QUANTILE = 0.99
_SKY_FILL_MIN_COUNT = 10


# ---- in -------------------------------------------------------------------------------------------------------------


def make_tensor(image: UInt8Image, plan: InputPlan, method: ResizeMethod, signature: Signature) -> npt.NDArray[np.generic]:
    """The input tensor of ``image`` (uint8 RGB, (H,W,3), of ``plan.source`` size) for the graph's layout and type.

    float32 and float16 graphs get ImageNet-normalised values, uint8 graphs the bytes.
    """
    if signature.image.dtype == "uint8":
        pixels: npt.NDArray[np.generic] = _resize_bytes(image, plan)
    else:
        values = _resize_floats(image, plan) if method is ResizeMethod.DA2_LOWER_BOUND else _to_unit(_resize_bytes(image, plan))
        values -= IMAGENET_MEAN
        values /= IMAGENET_STD
        pixels = values.astype(np.float16) if signature.image.dtype == "float16" else values
    if signature.layout is Layout.NHWC:
        return np.ascontiguousarray(pixels[None])
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1))[None]
    return planes[None] if signature.layout is Layout.BNCHW else planes


def _resize_bytes(image: UInt8Image, plan: InputPlan) -> UInt8Image:
    """Depth Anything 3's resizing: on bytes, cubic when either side grows, area when not; then the window."""
    for size in plan.steps:
        grows = size[0] > image.shape[1] or size[1] > image.shape[0]
        image = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC if grows else cv2.INTER_AREA)  # type: ignore[assignment]
    return image[plan.top : plan.top + plan.size[1], plan.left : plan.left + plan.size[0]]


def _to_unit(image: UInt8Image) -> FloatArray:
    return image.astype(np.float32) / np.float32(255)


def _resize_floats(image: UInt8Image, plan: InputPlan) -> FloatArray:
    """Depth Anything V2's resizing: on values in 0..1, cubic, overshoot kept."""
    values = _to_unit(image)
    for size in plan.steps:
        values = cv2.resize(values, size, interpolation=cv2.INTER_CUBIC)  # type: ignore[assignment]
    return values


# ---- out ------------------------------------------------------------------------------------------------------------


def depth_layers(
    depth: FloatArray, sky: FloatArray | None, plan: InputPlan, kind: DepthKind, factor: float | None
) -> tuple[FloatArray, npt.NDArray[np.bool_], FloatArray | None]:
    """Values, validity and sky (H,W) at the picture's size, of a network's own maps; ``factor`` makes metres of them."""
    depth = np.where(np.isfinite(depth), depth, np.float32(np.nan))
    if sky is not None and kind is not DepthKind.DISPARITY:
        depth = fill_sky(depth, sky)
    if factor is not None:
        depth = canonical_to_metres(depth, factor, 1.0)
    values = _depth_at_source(depth, plan)
    full_sky = None if sky is None else to_source_size(sky, plan, outside=0.0)
    valid = kind.holds(values)
    if full_sky is not None:
        valid &= full_sky < SKY_THRESHOLD
    return np.ascontiguousarray(np.nan_to_num(values, nan=0.0), dtype=np.float32), valid, full_sky


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


def _depth_at_source(depth: FloatArray, plan: InputPlan) -> FloatArray:
    """Depth (H,W) at the picture's size, NaN where there is none: outside a crop, and wherever a broken (NaN) pixel had a share."""
    broken = np.isnan(depth)
    full = to_source_size(np.nan_to_num(depth, nan=0.0), plan, outside=np.nan)
    if broken.any():
        full[to_source_size(broken.astype(np.float32), plan, outside=1.0) > 0] = np.nan
    return full
