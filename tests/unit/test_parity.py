# SPDX-License-Identifier: Apache-2.0
"""Our preprocessing against upstream's steps, written out again in float64; the figures of docs/parity.md are printed by `pytest -s`."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from depthbridge.engines.model_spec import InputPolicy, ResizeMethod
from depthbridge.engines.onnx_graph import TensorInfo
from depthbridge.engines.postprocess import to_source_size
from depthbridge.engines.preprocess import make_tensor, plan_input
from depthbridge.engines.signature import read_signature

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
SIGNATURE = read_signature(
    [TensorInfo("image", "float32", (1, 3, None, None))], [TensorInfo("depth", "float32", (1, None, None))], "test"
)


def photo(width: int, height: int) -> np.ndarray:
    """Edges, gradients and noise, as a photo has."""
    rng = np.random.default_rng(7)
    coarse = cv2.resize(rng.integers(0, 255, (12, 16, 3)).astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    noise = rng.normal(0, 6, (height, width, 3))
    ramp = np.linspace(-30, 30, width)[None, :, None]
    return np.clip(coarse + noise + ramp, 0, 255).astype(np.uint8)


def ours(image: np.ndarray, method: ResizeMethod, resolution: int) -> np.ndarray:
    plan = plan_input(image.shape[1], image.shape[0], InputPolicy(method, resolution))
    return np.asarray(make_tensor(image, plan, method, SIGNATURE)[0])


def depth_anything_2(image: np.ndarray) -> np.ndarray:
    """Depth Anything V2, ``dpt.py: image2tensor``: to float64 in 0..1, cubic to the lower bound, normalise."""
    height, width = image.shape[:2]
    scale = max(518 / width, 518 / height)

    def side(length: int) -> int:
        rounded = int(np.round(scale * length / 14) * 14)
        return rounded if rounded >= 518 else int(np.ceil(scale * length / 14) * 14)

    values = cv2.resize(image / 255.0, (side(width), side(height)), interpolation=cv2.INTER_CUBIC)
    return ((values - MEAN) / STD).transpose(2, 0, 1)


def depth_anything_3(image: np.ndarray, method: ResizeMethod) -> np.ndarray:
    """Depth Anything 3, ``input_processor.py``: bound, then round or crop to the patch, on bytes; normalise."""

    def resize(pixels: np.ndarray, width: int, height: int, grows: bool) -> np.ndarray:
        return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_CUBIC if grows else cv2.INTER_AREA)

    height, width = image.shape[:2]
    scale = 504 / (max(width, height) if method.startswith("upper") else min(width, height))
    if scale != 1:
        image = resize(image, max(1, round(width * scale)), max(1, round(height * scale)), scale > 1)
    height, width = image.shape[:2]
    if method.endswith("crop"):
        w, h = width // 14 * 14, height // 14 * 14
        left, top = (width - w) // 2, (height - h) // 2
        image = image[top : top + h, left : left + w]
    else:
        w, h = ((length + 7) // 14 * 14 for length in (width, height))
        if (w, h) != (width, height):
            image = resize(image, w, h, w > width or h > height)
    return ((image / 255.0 - MEAN) / STD).transpose(2, 0, 1)


SIZES = [(1920, 1080), (640, 480), (400, 300), (1080, 1920), (2560, 1080), (504, 280), (1001, 777)]


@pytest.mark.parametrize("size", SIZES)
def test_da2_input_is_upstreams(size: tuple[int, int]) -> None:
    image = photo(*size)
    mine, theirs = ours(image, ResizeMethod.DA2_LOWER_BOUND, 518), depth_anything_2(image)
    assert mine.shape == theirs.shape
    worst = float(np.abs(mine - theirs).max())
    print(f"DA2 {size}: worst difference of the normalised input {worst:.1e}")
    assert worst < 5e-4  # float32 where upstream has float64: under 0.03 of a grey level


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("method", [m for m in ResizeMethod if m is not ResizeMethod.DA2_LOWER_BOUND])
def test_da3_input_is_upstreams(size: tuple[int, int], method: ResizeMethod) -> None:
    image = photo(*size)
    mine, theirs = ours(image, method, 504), depth_anything_3(image, method)
    assert mine.shape == theirs.shape
    off = np.abs(mine - theirs).max(axis=(1, 2)) * STD * 255  # in grey levels
    unequal = float(np.mean(np.abs(mine - theirs) > 1e-6))
    print(f"DA3 {method} {size}: at most {off.max():.2f} grey levels, in {unequal:.1e} of the input's values")
    # Upstream rounds sums of bytes to bytes. Ties, which float32 decides by the order of its sums, may fall to the other side: by one level.
    assert off.max() < 1.001
    assert unequal < 5e-4


def test_how_far_our_upsampling_is_from_aligned_corners() -> None:
    """Depth Anything V2 upsamples with corners aligned; ours keeps pixel edges, as its cameras do. A floor at 20 degrees, 518 to 1080 rows."""
    plan = plan_input(1920, 1080, InputPolicy(ResizeMethod.DA2_LOWER_BOUND, 518))
    rows = (np.arange(plan.size[1]) + 0.5) / plan.size[1]
    layer = np.repeat((1.0 / (0.3 + rows))[:, None], plan.size[0], axis=1).astype(np.float32)
    mine = to_source_size(layer, plan, outside=np.nan)
    x, y = np.meshgrid(np.linspace(0, plan.size[0] - 1, 1920), np.linspace(0, plan.size[1] - 1, 1080))
    theirs = cv2.remap(layer, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR)
    deviation = float(np.median(np.abs(mine - theirs) / theirs))
    print(f"upsampling: median deviation from aligned corners {deviation:.1e}")
    assert deviation < 1e-3
