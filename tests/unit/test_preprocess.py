# SPDX-License-Identifier: Apache-2.0
"""Sizes are upstream's, cameras follow pixels, and nothing explodes quietly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthbridge.engines.camera import CameraIntrinsics
from depthbridge.engines.errors import ImageError
from depthbridge.engines.model_spec import InputPolicy, ResizeMethod
from depthbridge.engines.onnx_graph import TensorInfo
from depthbridge.engines.postprocess import to_source_size
from depthbridge.engines.preprocess import MAX_NETWORK_PIXELS, make_tensor, plan_input
from depthbridge.engines.signature import read_signature

DA2 = InputPolicy(ResizeMethod.DA2_LOWER_BOUND, 518)
UPPER = InputPolicy(ResizeMethod.UPPER_BOUND_RESIZE, 504)
LOWER = InputPolicy(ResizeMethod.LOWER_BOUND_RESIZE, 504)
UPPER_CROP = InputPolicy(ResizeMethod.UPPER_BOUND_CROP, 504)
LOWER_CROP = InputPolicy(ResizeMethod.LOWER_BOUND_CROP, 504)
POLICIES = st.sampled_from([DA2, UPPER, LOWER, UPPER_CROP, LOWER_CROP])
SIGNATURE = read_signature(
    [TensorInfo("image", "float32", (1, 3, None, None))], [TensorInfo("depth", "float32", (1, None, None))], "test"
)


@pytest.mark.parametrize(
    ("policy", "source", "expected"),
    [
        # Depth Anything V2's own sizes, as its transform gives them.
        (DA2, (1920, 1080), (924, 518)),
        (DA2, (640, 480), (686, 518)),
        (DA2, (1500, 1000), (784, 518)),
        (DA2, (1080, 1920), (518, 924)),
        (DA2, (400, 300), (686, 518)),
        (DA2, (2560, 1080), (1232, 518)),
        (DA2, (1242, 375), (1722, 518)),
        # Depth Anything 3's.
        (UPPER, (1920, 1080), (504, 280)),
        (UPPER, (640, 480), (504, 378)),
        (UPPER, (1500, 1000), (504, 336)),
        (UPPER, (700, 700), (504, 504)),
        (UPPER, (2560, 1080), (504, 210)),
        (UPPER, (1080, 1920), (280, 504)),
        (UPPER, (1008, 574), (504, 294)),  # 287 lies between 280 and 294: ties go up
        (LOWER, (1920, 1080), (896, 504)),
        (LOWER, (640, 480), (672, 504)),
        (LOWER, (1500, 1000), (756, 504)),
    ],
)
def test_sizes_are_upstreams(policy: InputPolicy, source: tuple[int, int], expected: tuple[int, int]) -> None:
    assert plan_input(*source, policy).size == expected


def test_da3_resizes_in_two_steps_and_scales_the_axes_apart() -> None:
    plan = plan_input(1920, 1080, UPPER)
    assert plan.steps == ((504, 284), (504, 280))
    camera = plan.process_camera(CameraIntrinsics(1500, 1500, 960, 540, 1920, 1080))
    assert (camera.fx, camera.fy) == pytest.approx((393.75, 388.8889), abs=1e-3)
    assert camera.mean_focal_px == pytest.approx(391.32, abs=0.01)


def test_crop_keeps_the_middle() -> None:
    plan = plan_input(1920, 1080, UPPER_CROP)
    assert (plan.resized, plan.size, plan.left, plan.top) == ((504, 284), (504, 280), 0, 2)


@given(st.integers(1, 9000), st.integers(1, 9000), POLICIES)
@settings(deadline=None)
def test_every_plan_is_runnable_or_refused(width: int, height: int, policy: InputPolicy) -> None:
    try:
        plan = plan_input(width, height, policy)
    except ImageError as refusal:
        assert str(width) in str(refusal)
        return
    assert plan.size[0] % 14 == plan.size[1] % 14 == 0
    assert min(plan.size) >= 14
    assert plan.size[0] * plan.size[1] <= MAX_NETWORK_PIXELS
    if plan.note is None:
        assert plan == plan_input(width, height, policy)
    assert 0 <= plan.left <= plan.resized[0] - plan.size[0]
    assert 0 <= plan.top <= plan.resized[1] - plan.size[1]


def test_a_long_picture_is_shrunk_and_said_so() -> None:
    plan = plan_input(20000, 400, DA2)
    assert plan.size[0] * plan.size[1] <= MAX_NETWORK_PIXELS
    assert plan.note is not None
    assert "25900x518" in plan.note
    assert plan.size[0] / plan.size[1] == pytest.approx(50, rel=0.1)


@given(
    st.integers(2, 4000), st.integers(2, 4000), POLICIES, st.sampled_from([(None, None), (280, 504), (518, 518)]),
    st.floats(-2, 2), st.floats(-2, 2), st.floats(0.1, 50), st.floats(0.3, 3), st.floats(0.3, 3), st.floats(0.2, 0.8), st.floats(0.2, 0.8),
)  # fmt: skip
@settings(deadline=None)
def test_camera_follows_the_pixels(width, height, policy, fixed, x, y, z, fx, fy, cx, cy) -> None:  # type: ignore[no-untyped-def]
    """A point's pixel, moved as the picture is, is the pixel that the processed camera gives; and back."""
    camera = CameraIntrinsics(fx * max(width, height), fy * max(width, height), cx * width, cy * height, width, height)
    try:
        plan = plan_input(width, height, policy, fixed)
    except ImageError:
        return
    u, v = camera.project([x, y, z])
    moved = (u * plan.resized[0] / width - plan.left, v * plan.resized[1] / height - plan.top)
    processed = plan.process_camera(camera)
    scale = max(abs(u), abs(v), 1) * max(plan.resized) / min(width, height)
    assert processed.project([x, y, z]) == pytest.approx(moved, abs=1e-9 * scale)
    restored = plan.restore_camera(processed)
    assert (restored.fx, restored.fy, restored.cx, restored.cy) == pytest.approx((camera.fx, camera.fy, camera.cx, camera.cy), rel=1e-9)


@pytest.mark.parametrize("policy", [DA2, UPPER, LOWER, UPPER_CROP, LOWER_CROP])
@pytest.mark.parametrize("size", [(1000, 700), (301, 640), (90, 60)])
def test_pixels_land_where_the_plan_says(policy: InputPolicy, size: tuple[int, int]) -> None:
    """A picture whose colours are its coordinates: each input pixel shows the coordinate that the plan maps it to."""
    width, height = size
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = np.round((np.arange(width) + 0.5) / width * 255)[None, :]
    image[..., 1] = np.round((np.arange(height) + 0.5) / height * 255)[:, None]
    plan = plan_input(width, height, policy)
    tensor = make_tensor(image, plan, policy.method, SIGNATURE)[0].astype(np.float64)
    red = (tensor[0] * 0.229 + 0.485) * 255
    green = (tensor[1] * 0.224 + 0.456) * 255
    x = (np.arange(plan.size[0]) + 0.5 + plan.left) / plan.resized[0] * 255
    y = (np.arange(plan.size[1]) + 0.5 + plan.top) / plan.resized[1] * 255
    # Half a grey level of rounding, cubic overshoot at the very border aside.
    assert np.abs(red[2:-2, 2:-2] - x[None, 2:-2]).max() < 1.6
    assert np.abs(green[2:-2, 2:-2] - y[2:-2, None]).max() < 1.6


@pytest.mark.parametrize("policy", [DA2, UPPER, LOWER, UPPER_CROP, LOWER_CROP])
@pytest.mark.parametrize("size", [(1000, 700), (301, 640), (1921, 1077)])
def test_maps_come_back_where_they_were(policy: InputPolicy, size: tuple[int, int]) -> None:
    """A plane in the network's pixels is the same plane in the picture's."""
    width, height = size
    plan = plan_input(width, height, policy)
    x = (np.arange(plan.size[0]) + 0.5 + plan.left) / plan.resized[0]
    y = (np.arange(plan.size[1]) + 0.5 + plan.top) / plan.resized[1]
    layer = (x[None, :] + 2 * y[:, None]).astype(np.float32)
    result = to_source_size(layer, plan, outside=np.nan)
    assert result.shape == (height, width)
    truth = ((np.arange(width) + 0.5) / width)[None, :] + 2 * ((np.arange(height) + 0.5) / height)[:, None]
    border = 14  # a cut margin, and half a network pixel in which the edge is repeated
    inner = (slice(border, -border), slice(border, -border))
    covered = np.isfinite(result[inner])
    assert covered.mean() > 0.9
    # cv2.remap interpolates in steps of 1/32 pixel.
    assert np.nanmax(np.abs(result[inner] - truth[inner])) < 3 / 32 / min(plan.size)
    if plan.size == plan.resized:
        assert np.isfinite(result).all()


def test_cropped_margin_has_no_depth() -> None:
    plan = plan_input(1920, 1080, UPPER_CROP)
    result = to_source_size(np.ones((280, 504), np.float32), plan, outside=np.nan)
    missing = np.isnan(result).all(axis=1)
    # 2 of 284 rows are cut at either side: 7.6 of 1080.
    assert missing[:7].all()
    assert missing[-7:].all()
    assert not missing[9:-9].any()
