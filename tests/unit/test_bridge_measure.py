# SPDX-License-Identifier: Apache-2.0
"""Measuring objects: against a slow reference in double precision, and the laws that need none."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthbridge.engines import CameraIntrinsics, CameraSource, DepthKind, DepthMap
from depthbridge.unity_bridge.errors import NoMetricDepthError
from depthbridge.unity_bridge.measuring.extents import World
from depthbridge.unity_bridge.measuring.measure import MaskObjects, answer_objects, measure_objects
from depthbridge.unity_bridge.measuring.records import ObjectRecord
from depthbridge.unity_bridge.results import ObjectResult
from support.measured_reference import reference

CAMERA = CameraIntrinsics(60, 50, 41.5, 29.0, 80, 60)


def metric(values, valid=None, camera=None, source=CameraSource.GIVEN):
    values = np.asarray(values, dtype=np.float32)
    return DepthMap(values, DepthKind.METRIC, np.ones(values.shape, bool) if valid is None else valid, None, None, camera, "oracle", source)


def plane(camera, normal, offset):
    """The depth of the plane ``normal . P = offset``: z = offset / (normal . ray)."""
    return (offset / (camera.ray_directions().astype(np.float64) @ np.asarray(normal, float))).astype(np.float32)


def close_to(value, reach):
    """Within 1e-5 of the largest number concerned, which is what single precision is promised to hold."""
    return pytest.approx(value, rel=1e-5, abs=1e-5 * reach)


@st.composite
def scenes(draw):
    """Noise, where hardly a pixel has a neighbour of its kind, and patches, where many have."""
    height, width = draw(st.integers(1, 14)), draw(st.integers(1, 14))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    # Few ids, many ids, far apart ids (which take another road inside) and negative ones.
    ids, dtype = draw(
        st.sampled_from(
            [
                ([0, 1, 2, 3], np.uint8),
                ([0, 7, 300, 65535], np.uint16),
                ([0, 5, 4_000_000_000], np.uint32),
                ([0, -7, 3, -2_000_000_000], np.int32),
                ([2, 3], np.uint16),
                ([0], np.uint8),
            ]
        )
    )
    patch = draw(st.sampled_from([1, 1, 4, 7]))
    coarse = rng.choice(np.array(ids, dtype=dtype), size=(-(-height // patch), -(-width // patch)))
    mask = np.repeat(np.repeat(coarse, patch, axis=0), patch, axis=1)[:height, :width]
    values = rng.uniform(0.2, 50, (height, width)).astype(np.float32)
    values[rng.random((height, width)) < 0.1] = rng.choice([np.nan, np.inf, 0.0, -1.0])
    valid = rng.random((height, width)) < draw(st.sampled_from([0.2, 0.8, 1.0]))
    camera = CameraIntrinsics(
        float(rng.uniform(5, 20)), float(rng.uniform(5, 20)), float(rng.uniform(0, width)), float(rng.uniform(0, height)), width, height
    )
    return metric(values, valid, camera), mask


@settings(max_examples=200, deadline=None)
@given(scenes())
def test_measuring_is_what_the_reference_says(scene):
    depth_map, mask = scene
    measured = measure_objects(depth_map, mask)
    ids = sorted(set(mask.ravel().tolist()) - {0})
    assert MaskObjects.of(mask).ids.tolist() == ids == [item.id for item in measured]
    for got in measured:
        want = reference(depth_map, mask, got.id)
        for name in ("pixel_count", "measured_pixel_count", "eroded_px"):
            assert getattr(got, name) == want[name], name
        assert got.valid_fraction == pytest.approx(want["valid_fraction"], abs=1e-12)
        assert got.border_fraction == pytest.approx(want["border_fraction"], abs=1e-12)
        if not want["pixels"]:
            assert (got.distance, got.range, got.position, got.extent, got.center_px) == (None,) * 5 and "depth" in got.reason
            continue
        for name in ("distance", "range"):
            spread = getattr(got, name)
            assert (spread.mean, spread.median, spread.min, spread.max) == close_to(want[name], 0)
        check_center(depth_map, mask, got, want)
        check_extent(got.extent, want["points"])


def check_center(depth_map, mask, got, want):
    """The centre pixel is a measured one, and none is nearer to the centroid of the whole object."""
    column, row = (int(value) for value in got.center_px)
    middle = want["centroid"]
    nearest = min((r - middle[0]) ** 2 + (c - middle[1]) ** 2 for r, c in want["pixels"])
    assert (row, column) in want["pixels"]
    assert (row - middle[0]) ** 2 + (column - middle[1]) ** 2 == pytest.approx(nearest, abs=1e-9)
    assert got.distance.center == float(depth_map.values[row, column]) == got.position.z
    assert math.hypot(got.position.x, got.position.y, got.position.z) == close_to(got.range.center, 0)
    assert depth_map.camera.project([[got.position.x, got.position.y, got.position.z]])[0] == pytest.approx(got.center_px, abs=1e-6)


def check_extent(extent, points):
    """Unit axes across one another, sizes that descend, all points inside and touching each side; principal: no covariance between axes,
    unless two variances are alike."""
    axes, size = np.array(extent.axes), np.array(extent.size)
    reach = float(np.abs(points).max())
    assert axes @ axes.T == pytest.approx(np.eye(3), abs=1e-6)
    assert np.all(np.diff(size) <= 0)
    for axis in axes:
        assert axis[np.argmax(np.abs(axis) >= np.abs(axis).max() - 1e-5)] > 0
    center = np.array([extent.center.x, extent.center.y, extent.center.z])
    along = (points - center) @ axes.T
    assert along.max(axis=0) == close_to(size / 2, reach)
    assert along.min(axis=0) == close_to(-size / 2, reach)
    covariance = np.cov(along.T, bias=True) if len(points) > 1 else np.zeros((3, 3))
    variances = np.linalg.eigvalsh(covariance)
    if np.any(variances[:-1] > 0.89 * variances[1:]):
        return
    off_diagonal = covariance - np.diag(np.diag(covariance))
    assert np.abs(off_diagonal).max() <= 1e-5 * max(reach, 1) * max(np.sqrt(covariance.max()), 1e-5 * reach)


@settings(max_examples=60, deadline=None)
@given(scenes(), st.booleans())
def test_the_json_of_a_result_is_strict_and_reads_back(scene, worldly):
    depth_map, mask = scene
    world = World.of(np.hstack([np.diag([1.0, -1.0, -1.0]), [[1.0], [2.0], [3.0]]])) if worldly else None
    records = [
        ObjectRecord(f"n{v}" if v % 2 else v, v, {"category": "a", "bbox": [1, None], "parent_id": v}) for v in MaskObjects.of(mask).ids.tolist()
    ]
    for item in answer_objects(depth_map, MaskObjects.of(mask), [*records, ObjectRecord("gone", 17, by_colour=True)], world):
        text = json.dumps(item.to_json(), allow_nan=False)
        again = ObjectResult.from_json(json.loads(text))
        assert again.to_json() == item.to_json()
        assert (again.id, again.pixel_count, again.reason, again.record) == (item.id, item.pixel_count, item.reason, item.record)
        assert (item.position_world is not None) == (worldly and item.position is not None)


# ---- laws ------------------------------------------------------------------------------------------------------------


def disc(value=1, shape=(60, 80), center=(30, 40), radius=18):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return np.where((rows - center[0]) ** 2 + (columns - center[1]) ** 2 < radius**2, value, 0).astype(np.uint16)


@pytest.mark.parametrize("depth", [0.3, 2.0, 47.5])
def test_a_plane_across_the_view_has_one_distance(depth):
    (item,) = measure_objects(metric(np.full((60, 80), depth), camera=CAMERA), disc())
    z = float(np.float32(depth))
    assert (item.distance.center, item.distance.mean, item.distance.median, item.distance.min, item.distance.max) == (z,) * 5
    assert item.range.min >= z and item.range.max > item.range.min
    # Its box is flat, and looks at the camera.
    assert item.extent.size[2] == pytest.approx(0, abs=1e-5 * depth) and item.extent.axes[2] == pytest.approx((0, 0, 1), abs=1e-4)


def test_a_tilted_plane_is_what_its_closed_form_says():
    normal, offset = np.array([0.2, -0.5, 1.0]), 4.0
    mask = np.zeros((60, 80), np.uint8)
    mask[10:51, 20:61] = 5
    (item,) = measure_objects(metric(plane(CAMERA, normal, offset), camera=CAMERA), mask)
    # Eroded by a pixel at each side: rows 11 to 49, columns 21 to 59.
    u, v = np.array([21.5, 59.5]), np.array([11.5, 49.5])
    corners = np.array([[offset / (normal @ [(a - CAMERA.cx) / CAMERA.fx, (b - CAMERA.cy) / CAMERA.fy, 1]) for a in u] for b in v])
    assert (item.distance.min, item.distance.max) == pytest.approx((corners.min(), corners.max()), rel=1e-6)
    x, y = (40.5 - CAMERA.cx) / CAMERA.fx, (30.5 - CAMERA.cy) / CAMERA.fy
    middle = offset / (normal @ [x, y, 1])
    assert item.center_px == (40.5, 30.5)
    assert item.distance.center == pytest.approx(middle, rel=1e-6)
    assert item.range.center == pytest.approx(middle * math.sqrt(1 + x * x + y * y), rel=1e-6)
    # The thin axis of the box is the plane's normal, and the box has no thickness.
    thin = normal / np.linalg.norm(normal)
    assert np.array(item.extent.axes[2]) == pytest.approx(thin, abs=1e-4) and item.extent.size[2] < 1e-4
    assert np.array([item.extent.center.x, item.extent.center.y, item.extent.center.z]) @ normal == pytest.approx(offset, rel=1e-5)


def test_the_mean_of_inverse_depth_of_a_plane_is_that_of_its_middle():
    """Inverse depth of a plane is linear in the picture, so a patch symmetric about a pixel has its inverse there as the mean of inverses;
    the mean of depths lies above it (Jensen), by what the reference says."""
    depth = plane(CAMERA, [0.1, 0.6, 1.0], 3.0)
    mask = np.zeros((60, 80), np.uint8)
    mask[11:50, 21:60] = 1
    (item,) = measure_objects(metric(depth, camera=CAMERA), mask)
    core = depth[12:49, 22:59].astype(np.float64)
    assert 1 / item.distance.center == pytest.approx(float((1 / core).mean()), rel=1e-6)
    assert item.distance.mean == pytest.approx(float(core.mean()), rel=1e-6) and item.distance.mean > item.distance.center


@pytest.mark.parametrize("turn_deg", [0, 10, 30, 45, 77])
@pytest.mark.parametrize("noise", [0, 1e-4, 2e-3])
def test_the_box_of_a_square_seen_head_on_is_the_square(turn_deg, noise):
    """Its two variances are equal, so that noise would turn the principal axes any way and make the box up to 1.41 times as large."""
    camera = CameraIntrinsics(300, 300, 160, 120, 320, 240)
    rows, columns = np.mgrid[:240, :320] + 0.5
    cosine, sine = math.cos(math.radians(turn_deg)), math.sin(math.radians(turn_deg))
    across, down = (columns - 160) * cosine + (rows - 120) * sine, (rows - 120) * cosine - (columns - 160) * sine
    mask = ((np.abs(across) < 46) & (np.abs(down) < 46)).astype(np.uint8)
    for seed in range(5):
        depth = 3.0 * (1 + noise * np.random.default_rng(seed).standard_normal(mask.shape))
        (item,) = measure_objects(metric(depth, camera=camera), mask)
        # 90 pixels of a core, each 1 cm.
        assert item.extent.size[:2] == pytest.approx((0.90, 0.90), abs=0.04), seed


@settings(max_examples=60, deadline=None)
@given(scenes(), st.sampled_from([0.25, 2.0, 3.7, 1000.0]))
def test_scaling_the_depth_scales_every_length(scene, factor):
    depth_map, mask = scene
    larger = replace(depth_map, values=depth_map.values * np.float32(factor))
    for one, other in zip(measure_objects(depth_map, mask), measure_objects(larger, mask), strict=True):
        assert (one.pixel_count, one.eroded_px, one.center_px) == (other.pixel_count, other.eroded_px, other.center_px)
        if one.distance is None:
            continue
        for name in ("distance", "range"):
            for part in ("center", "mean", "median", "min", "max"):
                assert getattr(getattr(other, name), part) == close_to(factor * getattr(getattr(one, name), part), 0)
        reach = factor * one.range.max
        for axis in "xyz":
            assert getattr(other.position, axis) == close_to(factor * getattr(one.position, axis), reach)
        # Where two variances are equal the box may turn, within its own diagonal.
        assert other.extent.size[0] <= 2 * factor * one.extent.size[0] + 1e-4 * reach


@settings(max_examples=60, deadline=None)
@given(scenes(), st.randoms(use_true_random=False))
def test_permuting_mask_values_permutes_the_answers(scene, random):
    depth_map, mask = scene
    ids = sorted(set(mask.ravel().tolist()) - {0})
    shuffled = random.sample(range(1, 60_000), len(ids))
    renamed = np.zeros(mask.shape, np.uint16)
    for old, new in zip(ids, shuffled, strict=True):
        renamed[mask == old] = new
    before = {item.id: item for item in measure_objects(depth_map, mask)}
    after = {item.id: item for item in measure_objects(depth_map, renamed)}
    for old, new in zip(ids, shuffled, strict=True):
        assert replace(after[new], id=0, mask_value=0) == replace(before[old], id=0, mask_value=0)


def test_mixed_pixels_at_a_silhouette_change_nothing():
    mask, depth = disc(), np.where(disc() == 1, 2.0, 9.0)
    clean = measure_objects(metric(depth, camera=CAMERA), mask)
    mixed = depth.copy()
    rim = (mask == 1) & ~MaskObjects.of(mask).core()
    mixed[rim] = np.random.default_rng(3).uniform(2, 9, rim.sum())
    assert measure_objects(metric(mixed, camera=CAMERA), mask) == clean
    assert clean[0].eroded_px == 1 and clean[0].distance.max == 2.0


@pytest.mark.parametrize(("side", "eroded"), [(4, 0), (5, 1)])
def test_what_is_too_small_is_not_eroded_away(side, eroded):
    """A square of 5 has a core of 9 pixels; one of 4 has 4."""
    mask = np.zeros((20, 20), np.uint8)
    mask[5 : 5 + side, 5 : 5 + side] = 1
    (item,) = measure_objects(metric(np.full((20, 20), 2.0), camera=CameraIntrinsics(20, 20, 10, 10, 20, 20)), mask)
    assert (item.eroded_px, item.measured_pixel_count) == (eroded, 9 if eroded else side * side)


@pytest.mark.parametrize(("length", "eroded"), [(3, 1), (80, 0)])
def test_an_object_that_is_mostly_rim_is_not_eroded(length, eroded):
    """A body of 5 x 5 (a core of 9) with a thin tail: 9 of 28 pixels are a quarter, 9 of 105 are not."""
    mask = np.zeros((9, 100), np.uint8)
    mask[2:7, 2:7] = 1
    mask[4, 7 : 7 + length] = 1
    (item,) = measure_objects(metric(np.full((9, 100), 2.0), camera=CameraIntrinsics(50, 50, 50, 4.5, 100, 9)), mask)
    assert (item.pixel_count, item.eroded_px) == (25 + length, eroded)


def test_the_border_of_the_picture_does_not_erode_and_is_counted():
    mask = np.zeros((12, 20), np.uint8)
    mask[:6, :8] = 1  # in the corner: 6 + 8 - 1 of its 24 outline pixels lie in the outermost row and column
    depth = np.full((12, 20), 3.0)
    depth[0, :7] = 1.0
    (item,) = measure_objects(metric(depth, camera=CameraIntrinsics(20, 20, 10, 6, 20, 12)), mask)
    assert (item.eroded_px, item.measured_pixel_count) == (1, 5 * 7)
    assert item.distance.min == 1.0
    assert item.border_fraction == pytest.approx(13 / 24)


def test_an_object_wholly_in_view_has_no_border():
    (item,) = measure_objects(metric(np.ones((60, 80)), camera=CAMERA), disc())
    assert item.border_fraction == 0.0


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_world_is_the_transpose_of_the_rotation(mirrored):
    """Four points put into the world by hand: world to camera is R, t, so the world's point of a camera's is R^T (c - t)."""
    angle = 0.6
    rotation = np.array([[math.cos(angle), 0, math.sin(angle)], [0, 1, 0], [-math.sin(angle), 0, math.cos(angle)]])
    if mirrored:
        rotation = np.diag([1.0, -1.0, -1.0]) @ rotation @ np.diag([1.0, 1.0, -1.0])
        assert np.linalg.det(rotation) == pytest.approx(-1)
    translation = np.array([0.5, -1.5, 2.0])
    extrinsics = np.hstack([rotation, translation[:, None]])
    depth_map = metric(plane(CAMERA, [0.3, 0.2, 1.0], 5.0), camera=CAMERA)
    objects = MaskObjects.of(disc())
    (item,) = answer_objects(depth_map, objects, [ObjectRecord(1, 1)], World.of(extrinsics))
    for here, there in ((item.position, item.position_world), (item.extent.center, item.extent_world.center)):
        seen = rotation @ np.array([there.x, there.y, there.z]) + translation
        assert seen == pytest.approx([here.x, here.y, here.z], abs=1e-9)
    assert item.extent_world.size == item.extent.size
    turned = np.array(item.extent_world.axes) @ rotation.T
    assert np.abs(np.sum(turned * np.array(item.extent.axes), axis=1)) == pytest.approx(np.ones(3), abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(scenes())
def test_turning_picture_mask_and_depth_over_mirrors_the_answer(scene):
    """Rows reversed together: y changes its sign, and nothing else does."""
    depth_map, mask = scene
    camera = depth_map.camera
    over = metric(depth_map.values[::-1], depth_map.valid[::-1], replace(camera, cy=camera.height - camera.cy))
    for one, other in zip(measure_objects(depth_map, mask), measure_objects(over, mask[::-1]), strict=True):
        assert (one.pixel_count, one.measured_pixel_count, one.border_fraction) == (
            other.pixel_count,
            other.measured_pixel_count,
            other.border_fraction,
        )
        if one.distance is None:
            continue
        for name in ("distance", "range"):
            for part in ("mean", "median", "min", "max"):
                assert getattr(getattr(other, name), part) == close_to(getattr(getattr(one, name), part), 0)
        if one.center_px == (other.center_px[0], camera.height - other.center_px[1]):  # of equally near pixels another may be the first
            mirrored = (other.position.x, -other.position.y, other.position.z)
            assert mirrored == close_to((one.position.x, one.position.y, one.position.z), one.range.max)


def test_a_large_object_is_as_exact_as_a_small_one():
    """A million pixels: sums in single precision would drift."""
    camera = CameraIntrinsics(900, 900, 500, 500, 1000, 1000)
    depth = plane(camera, [0.4, 0.3, 1.0], 7.0) * (1 + 0.01 * np.random.default_rng(0).standard_normal((1000, 1000))).astype(np.float32)
    (item,) = measure_objects(metric(depth, camera=camera), np.ones((1000, 1000), np.uint8))
    z = depth.astype(np.float64)
    rays = camera.ray_directions().astype(np.float64)
    along_ray = z * np.linalg.norm(rays, axis=2)
    for spread, values in ((item.distance, z), (item.range, along_ray)):
        expected = (values.mean(), np.median(values), values.min(), values.max())
        assert (spread.mean, spread.median, spread.min, spread.max) == pytest.approx(expected, rel=1e-6)
    points = (rays * z[..., None]).reshape(-1, 3)
    check_extent(item.extent, points)
    axes = np.linalg.eigh(np.cov(points.T))[1].T[::-1]
    assert np.abs(np.sum(axes * np.array(item.extent.axes), axis=1)) == pytest.approx(np.ones(3), abs=1e-6)


@pytest.mark.parametrize("count", [3999, 4000, 4001, 50_000, 50_001])
@pytest.mark.parametrize("shape", ["noise", "ramp", "two levels", "one far"])
def test_medians_of_many_pixels_are_exact(count, shape):
    rng = np.random.default_rng(count)
    values = {
        "noise": lambda: rng.normal(5, 1, count),
        "ramp": lambda: np.linspace(9, 1, count),
        "two levels": lambda: np.where(rng.random(count) < 0.5, 2.0, 8.0),
        # What a sample of every so many sees is not what is there.
        "one far": lambda: np.where(np.arange(count) % (count // 1000) == 0, 90.0, rng.uniform(1, 2, count)),
    }[shape]()
    depth = values.astype(np.float32).clip(0.1)[None]
    (item,) = measure_objects(metric(depth, camera=CameraIntrinsics(count, count, 0, 0, count, 1)), np.ones((1, count), np.uint8))
    assert item.distance.median == np.median(depth.astype(np.float64))


# ---- kinds, cameras, refusals ------------------------------------------------------------------------------------------


def test_the_centre_of_a_ring_is_on_the_ring():
    mask = np.zeros((9, 9), np.uint8)
    mask[1:8, 1:8] = 4
    mask[2:7, 2:7] = 0
    values = np.where(mask == 4, 3.0, 99.0)
    (ring,) = measure_objects(metric(values, camera=CameraIntrinsics(9, 9, 4.5, 4.5, 9, 9)), mask)
    assert ring.distance.center == 3.0 and ring.distance.max == 3.0 and ring.eroded_px == 0
    # Of four equally near pixels the first in reading order.
    assert ring.center_px == (4.5, 1.5)


def test_position_is_in_the_opencv_frame():
    mask = np.zeros((10, 20), np.uint8)
    mask[8, 15] = 1  # right of and below the middle
    (item,) = measure_objects(metric(np.full((10, 20), 2.0), camera=CameraIntrinsics(10, 5, 10, 5, 20, 10)), mask)
    assert (item.position.x, item.position.y, item.position.z) == (5.5 / 10 * 2, 3.5 / 5 * 2, 2.0)
    assert item.extent.size == (0, 0, 0) and item.extent.center.x == pytest.approx(item.position.x)


def test_without_a_camera_there_is_distance_and_nothing_in_space():
    (item,) = measure_objects(metric([[1.0, 2.0]], source=CameraSource.NONE), np.array([[0, 1]]))
    assert item.distance.mean == 2.0 and (item.range, item.position, item.extent) == (None,) * 3 and "camera" in item.reason


def test_only_maps_that_lack_their_focal_length_are_refused():
    camera = CameraIntrinsics(2, 2, 1, 1, 2, 2)
    ones = np.ones((2, 2), np.float32)
    mask = np.ones((2, 2), int)
    relative = DepthMap(ones, DepthKind.RELATIVE, ones > 0, None, None, camera, "m", CameraSource.GIVEN)
    with pytest.raises(NoMetricDepthError, match="give the camera's intrinsics, the known distance"):
        measure_objects(replace(relative, camera=None, camera_source=CameraSource.NONE, scale_note="Give the focal length."), mask)
    with pytest.raises(NoMetricDepthError, match="assumed"):
        measure_objects(metric(ones, camera=camera, source=CameraSource.ASSUMED), mask)
    (item,) = measure_objects(relative, mask)
    assert item.distance.mean == 1.0 and item.range is not None and item.extent is not None


def test_disparity_has_its_own_numbers_and_no_lengths():
    values = np.array([[0.0, 4.0, 1.0, 1.0]], np.float32)
    depth_map = DepthMap(
        values, DepthKind.DISPARITY, np.ones((1, 4), bool), None, None, CameraIntrinsics(4, 4, 2, 0.5, 4, 1), "m", CameraSource.GIVEN
    )
    (item,) = measure_objects(depth_map, np.array([[1, 1, 1, 0]]))
    # 0 is infinitely far, and counts.
    assert (item.disparity.min, item.disparity.max, item.disparity.median, item.valid_fraction) == (0.0, 4.0, 1.0, 1.0)
    assert (item.distance, item.range, item.position, item.extent, item.out_of_range) == (None,) * 5
    assert "known distances of two objects" in item.reason and "disparity" in item.to_json()


@pytest.mark.parametrize(("depth", "end", "said"), [(19.7, 20.0, True), (19.5, 20.0, False), (19.7, None, None), (25.0, 20.0, True)])
def test_out_of_range_is_the_end_of_what_the_model_can_say(depth, end, said):
    (item,) = measure_objects(replace(metric([[depth, 1.0]]), max_depth_m=end), np.array([[1, 0]]))
    assert item.out_of_range is said


@pytest.mark.parametrize("mask", [np.ones((2, 3), int), np.ones((2, 2)), np.ones((2, 2), bool), np.ones(4, int)])
def test_a_mask_of_another_shape_or_type_is_refused(mask):
    with pytest.raises(ValueError, match="mask of integers"):
        measure_objects(metric(np.ones((2, 2))), mask)
