# SPDX-License-Identifier: Apache-2.0
"""Measuring against a loop that anyone can check, and the rules for what has no depth."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthbridge.engines import CameraIntrinsics, CameraSource, DepthKind, DepthMap
from depthbridge.unity_bridge.errors import NoMetricDepthError
from depthbridge.unity_bridge.measuring.measure import MaskObjects, measure_objects
from depthbridge.unity_bridge.results import ObjectResult


def metric(values, valid=None, camera=None, source=CameraSource.GIVEN):
    values = np.asarray(values, dtype=np.float32)
    return DepthMap(values, DepthKind.METRIC, np.ones(values.shape, bool) if valid is None else valid, None, None, camera, "oracle", source)


def naive(depth_map, mask):
    """One object at a time, one pixel at a time, straight from the definitions."""
    camera = depth_map.camera
    answers = []
    for object_id in sorted(set(mask.ravel().tolist()) - {0}):
        pixels = [(r, c) for r in range(mask.shape[0]) for c in range(mask.shape[1]) if mask[r, c] == object_id]
        good = [p for p in pixels if depth_map.valid[p] and math.isfinite(depth_map.values[p]) and depth_map.values[p] > 0]
        answer = {"id": object_id, "pixel_count": len(pixels), "valid_fraction": len(good) / len(pixels), "distance": None}
        if good:
            middle = (sum(r for r, _ in pixels) / len(pixels), sum(c for _, c in pixels) / len(pixels))
            answer["nearest"] = min((r - middle[0]) ** 2 + (c - middle[1]) ** 2 for r, c in good)
            answer["middle"] = middle
            z = [float(depth_map.values[p]) for p in good]
            ray = [
                v * math.hypot(1, (c + 0.5 - camera.cx) / camera.fx, (r + 0.5 - camera.cy) / camera.fy)
                for v, (r, c) in zip(z, good, strict=True)
            ]
            for name, values in (("distance", z), ("range", ray)):
                ordered = sorted(values)
                half = len(values) // 2
                median = ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2
                answer[name] = (sum(values) / len(values), median, min(values), max(values))
        answers.append(answer)
    return answers


@st.composite
def scenes(draw):
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
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
    mask = rng.choice(np.array(ids, dtype=dtype), size=(height, width))
    values = rng.uniform(0.2, 50, (height, width)).astype(np.float32)
    values[rng.random((height, width)) < 0.1] = rng.choice([np.nan, np.inf, 0.0, -1.0])
    valid = rng.random((height, width)) < draw(st.sampled_from([0.2, 0.8, 1.0]))
    camera = CameraIntrinsics(
        float(rng.uniform(5, 20)), float(rng.uniform(5, 20)), float(rng.uniform(0, width)), float(rng.uniform(0, height)), width, height
    )
    return metric(values, valid, camera), mask


@settings(max_examples=150, deadline=None)
@given(scenes())
def test_measuring_is_what_a_naive_loop_says(scene):
    depth_map, mask = scene
    measured = measure_objects(depth_map, mask)
    expected = naive(depth_map, mask)
    assert MaskObjects.of(mask).ids.tolist() == [item["id"] for item in expected]
    assert [item.id for item in measured] == [item["id"] for item in expected]
    for got, want in zip(measured, expected, strict=True):
        assert got.pixel_count == want["pixel_count"]
        assert got.valid_fraction == pytest.approx(want["valid_fraction"], abs=1e-12)
        if want["distance"] is None:
            assert got.distance is None and got.range is None and got.position is None and got.center_px is None
            assert "depth" in got.reason
            continue
        for name in ("distance", "range"):
            spread = getattr(got, name)
            assert (spread.mean, spread.median, spread.min, spread.max) == pytest.approx(want[name], rel=1e-9)
        column, row = (int(value) for value in got.center_px)
        # The centre pixel is the object's own, has a depth, and none of the object's is nearer to the centroid.
        assert mask[row, column] == got.id and depth_map.valid[row, column]
        assert (row - want["middle"][0]) ** 2 + (column - want["middle"][1]) ** 2 == pytest.approx(want["nearest"], abs=1e-9)
        assert got.distance.center == float(depth_map.values[row, column])
        assert got.position.z == got.distance.center
        assert math.hypot(got.position.x, got.position.y, got.position.z) == pytest.approx(got.range.center, rel=1e-9)
        point = depth_map.camera.project([[got.position.x, got.position.y, got.position.z]])[0]
        assert point == pytest.approx(got.center_px, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(scenes())
def test_the_json_of_a_result_is_strict_and_reads_back(scene):
    for item in measure_objects(*scene):
        text = json.dumps(item.to_json(), allow_nan=False)
        again = ObjectResult.from_json(json.loads(text))
        assert again.to_json() == item.to_json()
        assert (again.id, again.pixel_count, again.reason) == (item.id, item.pixel_count, item.reason)


def test_the_centre_of_a_ring_is_on_the_ring():
    mask = np.zeros((9, 9), np.uint8)
    mask[1:8, 1:8] = 4
    mask[2:7, 2:7] = 0
    values = np.where(mask == 4, 3.0, 99.0)
    (ring,) = measure_objects(metric(values, camera=CameraIntrinsics(9, 9, 4.5, 4.5, 9, 9)), mask)
    assert ring.distance.center == 3.0 and ring.distance.max == 3.0
    # Of four equally near pixels the first in reading order.
    assert ring.center_px == (4.5, 1.5)


def test_position_is_in_the_opencv_frame():
    mask = np.zeros((10, 20), np.uint8)
    mask[8, 15] = 1  # right of and below the middle
    (item,) = measure_objects(metric(np.full((10, 20), 2.0), camera=CameraIntrinsics(10, 5, 10, 5, 20, 10)), mask)
    assert (item.position.x, item.position.y, item.position.z) == (5.5 / 10 * 2, 3.5 / 5 * 2, 2.0)


def test_without_a_camera_there_is_distance_but_no_range():
    (item,) = measure_objects(metric([[1.0, 2.0]], source=CameraSource.NONE), np.array([[0, 1]]))
    assert item.distance.mean == 2.0 and item.range is None and item.position is None and "camera" in item.reason


def test_relative_and_assumed_maps_are_refused():
    camera = CameraIntrinsics(2, 2, 1, 1, 2, 2)
    ones = np.ones((2, 2), np.float32)
    for kind in (DepthKind.RELATIVE, DepthKind.DISPARITY):
        for source, remedy in ((CameraSource.NONE, "intrinsics"), (CameraSource.GIVEN, "choose a metric model")):
            depth_map = DepthMap(ones, kind, ones > 0, None, None, camera, "m", source)
            with pytest.raises(NoMetricDepthError, match=remedy):
                measure_objects(depth_map, np.ones((2, 2), int))
    with pytest.raises(NoMetricDepthError, match="assumed"):
        measure_objects(metric(ones, camera=camera, source=CameraSource.ASSUMED), np.ones((2, 2), int))


@pytest.mark.parametrize("mask", [np.ones((2, 3), int), np.ones((2, 2)), np.ones((2, 2), bool)])
def test_a_mask_of_another_shape_or_type_is_refused(mask):
    with pytest.raises(ValueError, match="mask of integers"):
        measure_objects(metric(np.ones((2, 2))), mask)
