# SPDX-License-Identifier: Apache-2.0
"""The layer behind torn edges: the hidden plane comes back, always behind what hides it, closed, no farther than it should, in far colours."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from depthbridge.engines.backfill import BEHIND, OVERLAP_BEHIND, Backfill, backfill_layer, default_reach_px
from depthbridge.engines.camera import CameraIntrinsics
from depthbridge.engines.depth_map import DepthKind, DepthMap
from depthbridge.engines.errors import DepthKindError, ImageError
from depthbridge.engines.grid_mesh import build_grid_mesh, grid_positions
from support.known_depth import depth_map, picture

CAMERA = CameraIntrinsics(150, 150, 71.3, 52.8, 160, 120)
TEAR = 0.1


def plane(distance: float, right: float, down: float, camera: CameraIntrinsics = CAMERA) -> npt.NDArray[np.float32]:
    """Depth of the plane through (0, 0, distance) whose disparity leans by ``right`` and ``down`` per unit of the ray."""
    rays = camera.ray_directions()
    return (distance / (1 + right * rays[..., 0] + down * rays[..., 1])).astype(np.float32)


def box(left: int, top: int, right: int, bottom: int, camera: CameraIntrinsics = CAMERA) -> npt.NDArray[np.bool_]:
    mask = np.zeros((camera.height, camera.width), dtype=np.bool_)
    mask[top:bottom, left:right] = True
    return mask


def filled(values: npt.NDArray[np.float32], *, reach: float = 12, tear: float = TEAR, stride: int = 1) -> Backfill:
    made = backfill_layer(depth_map(values, CAMERA), picture(160, 120), tear=tear, reach_px=reach, stride=stride)
    assert made is not None
    return made


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("wall", [(4.0, 0.0, 0.0), (4.0, -0.4, 0.2), (5.0, 0.3, -0.5)])
@pytest.mark.parametrize("hider", [(2.0, 0.0, 0.0), (2.0, 0.3, 0.3)])
def test_the_hidden_plane_comes_back(wall: tuple[float, float, float], hider: tuple[float, float, float], stride: int) -> None:
    behind = plane(*wall)
    mask = box(50, 40, 110, 90)
    made = filled(np.where(mask, plane(*hider), behind), stride=stride)
    grid = np.ix_(grid_positions(120, stride), grid_positions(160, stride))
    hidden = made.hidden[grid]
    assert hidden.sum() > 1500 / stride**2
    assert not hidden[~mask[grid]].any()
    error = made.depth.values[grid][hidden] / (behind[grid][hidden] * (1 + OVERLAP_BEHIND)) - 1
    assert np.abs(error).max() < 2e-3


def test_what_hides_the_wall_does_not_bend_it() -> None:
    behind = plane(4.0, 0.1, -0.1)
    mask = box(50, 40, 110, 90)
    # So little in front that a loose eye takes both for one surface.
    made = filled(np.where(mask, (behind / 1.14).astype(np.float32), behind))
    error = made.depth.values[made.hidden] / behind[made.hidden] - 1
    assert np.abs(error).max() < 3e-3


def test_a_noisy_wall_is_continued_without_its_noise_growing() -> None:
    behind = plane(4.0, -0.3, 0.2)
    noisy = behind * np.random.default_rng(3).normal(1, 0.004, behind.shape).astype(np.float32)
    made = filled(np.where(box(50, 40, 110, 90), np.float32(2), noisy))
    error = made.depth.values[made.hidden] / behind[made.hidden] - 1
    assert np.abs(error).max() < 0.04
    assert np.abs(error).mean() < 0.01


def test_behind_a_thin_pole_both_sides_join() -> None:
    behind = plane(4.0, -0.3, 0.1)
    pole = box(80, 0, 87, 120)
    made = filled(np.where(pole, np.float32(1.5), behind))
    np.testing.assert_array_equal(made.hidden, pole)
    error = made.depth.values[pole] / behind[pole] - 1
    assert np.abs(error).max() < 3e-3
    # Where the sides differ, the layer goes over from one to the other without a jump larger than the rest of the way.
    step = behind * np.where(np.arange(160) < 83, 1.0, 1.4).astype(np.float32)
    made = filled(np.where(pole, np.float32(1.5), step))
    across = 1 / made.depth.values[60, 79:88]
    assert np.abs(np.diff(across)).max() < 0.4 * abs(across[-1] - across[0])


def test_nothing_torn_needs_no_layer() -> None:
    assert backfill_layer(depth_map(plane(4.0, 0.3, 0.2), CAMERA), picture(160, 120), tear=TEAR) is None
    stepped = np.where(box(50, 40, 110, 90), np.float32(3.0), np.float32(3.2))
    assert backfill_layer(depth_map(stepped, CAMERA), picture(160, 120), tear=TEAR) is None
    assert backfill_layer(depth_map(stepped, CAMERA), picture(160, 120), tear=0.05) is not None


def test_around_the_end_of_a_tear_the_far_surface_is_not_taken_for_hidden() -> None:
    # A flap that comes off a wall at the top of the box and hangs together with it at the bottom.
    rows = np.arange(120)[:, None]
    lift = np.clip((90 - rows) / 50, 0, 1) * box(50, 40, 110, 90)
    wall = np.full((120, 160), 4.0)
    made = filled((wall / (1 + lift)).astype(np.float32), tear=0.1)
    assert not made.hidden[~box(50, 40, 110, 90)].any()


_LEVELS = st.sampled_from([1.0, 1.05, 1.2, 2.0, 3.1, 8.0])


@st.composite
def rough_maps(draw: st.DrawFn) -> DepthMap:
    """Small maps full of jumps, ramps, single pixels and holes."""
    shape = (draw(st.integers(2, 14)), draw(st.integers(2, 14)))
    values = draw(hnp.arrays(np.float32, shape, elements=_LEVELS.map(np.float32)))
    values = values * draw(hnp.arrays(np.float32, shape, elements=st.sampled_from([1.0, 1.001, 1.03]).map(np.float32)))
    valid = draw(hnp.arrays(np.bool_, shape, elements=st.sampled_from([True, True, True, True, False])))
    valid[0, 0] = True
    return depth_map(values, CameraIntrinsics(9, 9, shape[1] / 2, shape[0] / 2, shape[1], shape[0]), valid=valid)


@settings(max_examples=150, deadline=None)
@given(rough_maps(), st.floats(0.02, 1.5), st.floats(1, 9), st.integers(1, 3))
def test_the_layer_is_behind_everything_and_closes_every_torn_quad(depth: DepthMap, tear: float, reach: float, stride: int) -> None:
    image = picture(depth.width, depth.height)
    grid = np.ix_(grid_positions(depth.height, stride), grid_positions(depth.width, stride))
    if not depth.valid[grid].any():
        return
    quads = build_grid_mesh(depth, image, stride=stride, tear_above=None)
    torn = quads.pixels[quads.faces[quads.tear > np.float32(tear) * (1 + 1e-5)]]
    made = backfill_layer(depth, image, tear=tear, reach_px=reach, stride=stride)
    if made is None:
        assert torn.size == 0
        return
    there = made.depth.valid[grid] & depth.valid[grid]
    front, back = depth.values[grid][there], made.depth.values[grid][there]
    assert np.isfinite(back).all()
    assert (back > front * (1 + OVERLAP_BEHIND / 2)).all()
    assert back.max() <= 2.01 * depth.values[grid][depth.valid[grid]].max()
    assert made.depth.valid.ravel()[torn].all(), "a torn quad has a corner without a layer"
    assert made.hidden.ravel()[torn].any(axis=1).all(), "nothing of a torn quad is told to be hidden, so it would tear again"


@settings(max_examples=100, deadline=None)
@given(rough_maps(), st.floats(1, 9))
def test_nothing_lies_outside_the_reach(depth: DepthMap, reach: float) -> None:
    made = backfill_layer(depth, picture(depth.width, depth.height), tear=TEAR, reach_px=reach)
    if made is None:
        return
    values = np.where(depth.valid, depth.values, np.float32(0))
    nearest = cv2.erode(np.where(depth.valid, depth.values, np.float32(np.inf)), np.ones((3, 3), np.uint8))
    far_side = depth.valid & (values > nearest * np.float64(1 + TEAR))
    distance = cv2.distanceTransform((~far_side).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    assert distance[made.depth.valid].max() <= max(reach, 2**0.5) + 1e-3
    assert (made.depth.values[~made.depth.valid] == 0).all()


def test_a_longer_reach_goes_deeper() -> None:
    values = np.where(box(50, 40, 110, 90), np.float32(2), np.float32(4))
    for reach in (3, 8, 15):
        hidden = filled(values, reach=reach).hidden
        assert hidden[65, 50:80].sum() == reach
    assert default_reach_px(depth_map(values, CAMERA)) == 6


def test_the_colour_is_the_far_sides_and_none_of_the_foregrounds() -> None:
    mask = box(50, 40, 110, 90)
    values = np.where(mask, np.float32(2), np.float32(4))
    image = np.zeros((120, 160, 3), dtype=np.uint8)
    image[...] = (20, 120, 200)
    image[60:, :] = (20, 200, 100)
    image[mask] = (250, 0, 0)
    # A photo's edge is soft: its colours mix over a pixel or two on either side.
    image = cv2.GaussianBlur(image, (3, 3), 0)
    made = backfill_layer(depth_map(values, CAMERA), image, tear=TEAR, reach_px=12)
    assert made is not None
    colours = made.image[made.depth.valid].astype(int)
    assert colours[:, 0].max() <= 45
    # What is above stays above: the far side's own picture goes on behind the box.
    assert np.abs(made.image[50:56, 52:60].astype(int) - (20, 120, 200)).max() <= 25
    assert np.abs(made.image[80:86, 52:60].astype(int) - (20, 200, 100)).max() <= 25


def test_the_picture_fits_the_map_at_any_stride() -> None:
    mask = box(50, 40, 110, 90)
    ramp = np.repeat(np.arange(160, dtype=np.uint8)[None, :, None], 120, axis=0).repeat(3, axis=2)
    values = np.where(mask, np.float32(2), np.float32(4))
    for stride in (1, 2, 3, 4):
        made = backfill_layer(depth_map(values, CAMERA), ramp, tear=TEAR, reach_px=12, stride=stride)
        assert made is not None and made.image.shape == ramp.shape
        # Above and below the box the layer goes on with columns of the wall, which differ by one from pixel to pixel.
        column = made.image[44, 70:90, 0].astype(int)
        assert abs(np.mean(column - np.arange(70, 90))) <= 1.3


def test_kept_sky_is_the_far_side_of_everything() -> None:
    values = np.where(box(50, 40, 110, 90), np.float32(2), np.float32(6))
    sky = np.where(box(50, 40, 110, 90), np.float32(0.01), np.float32(0.9))
    depth = replace(depth_map(values, CAMERA, valid=sky < 0.3), sky=sky)
    assert backfill_layer(depth, picture(160, 120), tear=TEAR, reach_px=12) is None
    made = backfill_layer(depth, picture(160, 120), tear=TEAR, reach_px=12, keep_sky=True)
    assert made is not None
    assert made.hidden.sum() > 1500 and not made.depth.valid.any()
    assert (made.depth.sky_mask == (made.depth.values > 0)).all() and made.depth.sky_mask[made.hidden].all()
    np.testing.assert_allclose(made.depth.values[made.hidden], 6 * (1 + OVERLAP_BEHIND), rtol=1e-6)
    # A model's sky may have a depth nearer than what stands before it.
    low = replace(depth, values=np.where(box(50, 40, 110, 90), np.float32(9), np.float32(6)))
    made = backfill_layer(low, picture(160, 120), tear=TEAR, reach_px=12, keep_sky=True)
    assert made is not None
    np.testing.assert_allclose(made.depth.values[made.hidden], 9 * (1 + BEHIND), rtol=1e-6)


def test_what_else_is_known_comes_from_the_far_side() -> None:
    mask = box(50, 40, 110, 90)
    depth = depth_map(np.where(mask, np.float32(2), np.float32(4)), CAMERA, confidence=np.where(mask, np.float32(9), np.float32(3)))
    made = backfill_layer(depth, picture(160, 120), tear=TEAR, reach_px=12)
    assert made is not None and made.depth.confidence is not None and made.depth.sky is None
    assert (made.depth.confidence[made.depth.valid] == 3).all()
    assert made.depth.camera == CAMERA and made.depth.kind is DepthKind.METRIC


def test_what_makes_no_layer_is_told() -> None:
    depth = depth_map(plane(4.0, 0, 0), CAMERA)
    with pytest.raises(DepthKindError, match="to_metric"):
        backfill_layer(replace(depth, kind=DepthKind.DISPARITY), picture(160, 120), tear=TEAR)
    with pytest.raises(ImageError, match="160x120"):
        backfill_layer(depth, picture(80, 60), tear=TEAR)
    for wrong in ({"tear": 0.0}, {"tear": float("nan")}, {"tear": TEAR, "reach_px": -1}, {"tear": TEAR, "stride": 0}):
        with pytest.raises(DepthKindError, match="positive"):
            backfill_layer(depth, picture(160, 120), **wrong)
