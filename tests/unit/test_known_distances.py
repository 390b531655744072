# SPDX-License-Identifier: Apache-2.0
"""Metres from known distances: what the fit recovers, what it withstands, what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from depthbridge.engines import CameraIntrinsics, CameraSource, DepthKind, DepthMap
from depthbridge.unity_bridge.errors import NoMetricDepthError
from depthbridge.unity_bridge.measuring.frame import measure_frame
from depthbridge.unity_bridge.measuring.records import ObjectRecord

CAMERA = CameraIntrinsics(70, 70, 40, 10, 80, 20)


def scene(distances):
    """Upright boards side by side, each at one distance, none against another; the true depth and the mask (values from 1)."""
    width = 80 // len(distances)
    depth, mask = np.full((20, 80), 30.0), np.zeros((20, 80), np.uint8)
    for index, distance in enumerate(distances):
        depth[4:16, index * width : (index + 1) * width - 1] = distance
        mask[4:16, index * width : (index + 1) * width - 1] = index + 1
    return depth, mask


def as_map(values, kind, source=CameraSource.GIVEN, **more):
    values = np.asarray(values, np.float32)
    return DepthMap(values, kind, kind.holds(values), None, None, CAMERA, "model", source, **more)


def known(distances, which=None):
    chosen = range(len(distances)) if which is None else which
    return [ObjectRecord(f"o{i + 1}", i + 1, {}, distances[i] if i in chosen else None) for i in range(len(distances))]


def medians(frame):
    return [item.distance.median for item in frame.objects]


DISTANCES = st.lists(st.floats(0.5, 40), min_size=2, max_size=8)


@settings(max_examples=60, deadline=None)
@given(DISTANCES, st.floats(1e-3, 1e3), st.sampled_from([DepthKind.METRIC, DepthKind.RELATIVE]))
def test_one_known_distance_gives_depth_its_scale(distances, scale, kind):
    depth, mask = scene(distances)
    frame = measure_frame(as_map(depth / scale, kind, scale_note="Give the focal length."), mask, known(distances, [0]))
    assert frame.unit == "m" and frame.kind is kind and frame.fit.shift is None and frame.fit.objects == ("o1",)
    assert frame.fit.scale == pytest.approx(scale, rel=1e-6)
    assert medians(frame) == pytest.approx(distances, rel=1e-6)
    assert frame.fit.residual_relative == pytest.approx(0, abs=1e-6)
    assert frame.depth_map.kind is DepthKind.METRIC and all(item.range is not None for item in frame.objects)


@settings(max_examples=100, deadline=None)
@given(DISTANCES, st.floats(1e-2, 1e2), st.floats(0, 0.5))
def test_two_known_distances_give_disparity_its_scale_and_shift(distances, scale, offset):
    """``1 / z = s d + t`` with t negative or none: what a network calls 0 is then not infinitely far."""
    near, far = int(np.argmin(distances)), int(np.argmax(distances))
    assume(distances[far] > 1.1 * distances[near])
    depth, mask = scene(distances)
    disparity = scale * (1 / depth - offset / depth.max())
    frame = measure_frame(as_map(disparity, DepthKind.DISPARITY), mask, known(distances, [near, far]))
    assert frame.fit.scale == pytest.approx(1 / scale, rel=1e-3)
    assert medians(frame) == pytest.approx(distances, rel=1e-3)
    assert set(frame.fit.objects) == {f"o{near + 1}", f"o{far + 1}"} and frame.fit.residual_relative < 1e-3
    assert all(item.disparity is None and item.position is not None for item in frame.objects)


@pytest.mark.parametrize("kind", [DepthKind.RELATIVE, DepthKind.DISPARITY])
def test_a_wrong_distance_among_several_does_not_move_the_fit(kind):
    """One in five is given as five times as far; least squares or a mean would follow it. The doubt names it."""
    distances = [1.0, 1.6, 2.5, 4.0, 7.0]
    depth, mask = scene(distances)
    told = known([*distances[:2], 5 * distances[2], *distances[3:]])
    frame = measure_frame(as_map(1 / depth if kind is DepthKind.DISPARITY else depth / 3, kind), mask, told)
    assert medians(frame) == pytest.approx(distances, rel=0.01)
    assert frame.fit.residual_relative == pytest.approx(0.8, abs=0.01)
    assert any("object o3 is still -80% off" in text for text in frame.warnings)


def test_the_residual_is_measured_after_fitting():
    distances = [2.0, 4.0]
    depth, mask = scene(distances)
    frame = measure_frame(as_map(depth, DepthKind.RELATIVE), mask, known([2.0, 4.4]))
    # The ratios are 1 and 1.1, the scale is their middle.
    assert frame.fit.scale == pytest.approx(1.05)
    assert frame.fit.residual_relative == pytest.approx(0.05, abs=1e-6)


def test_a_metric_map_is_fitted_too_and_a_large_change_is_told():
    depth, mask = scene([2.0, 4.0])
    frame = measure_frame(as_map(depth, DepthKind.METRIC, CameraSource.ASSUMED, max_depth_m=20.0), mask, known([8.0, 16.0]))
    assert medians(frame) == pytest.approx([8, 16]) and any("4 times as far as the model says" in text for text in frame.warnings)
    # An assumed camera gives no place in space, and a fitted map has another end than the model's.
    assert [(item.range, item.position, item.out_of_range) for item in frame.objects] == [(None, None, None)] * 2
    assert "assumed" in frame.objects[0].reason


def test_the_median_is_that_of_the_core():
    """Mixed pixels at the rim, more than half of a narrow board's, say nothing of its distance."""
    depth, mask = scene([2.0, 4.0])
    depth[4:16, 0] = depth[4:16, 38] = 3.9
    frame = measure_frame(as_map(depth, DepthKind.RELATIVE), mask, known([1.0, 2.0]))
    assert frame.fit.scale == pytest.approx(0.5) and frame.fit.residual_relative == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("depths", "told", "which", "sentence"),
    [
        ([1.0, 4.0], [1.0, 4.0], [0], "object o1 cannot tell the scale .* from its shift; send those of two"),
        ([2.0, 2.0], [2.0, 3.0], [0, 1], "objects o1, o2 cannot tell the scale"),
        ([1.0, 4.0], [4.0, 1.0], [0, 1], "farther ones look nearer"),
    ],
)
def test_disparity_that_cannot_be_fitted_is_told(depths, told, which, sentence):
    depth, mask = scene(depths)
    with pytest.raises(NoMetricDepthError, match=sentence):
        measure_frame(as_map(1 / depth, DepthKind.DISPARITY), mask, known(told, which))


def test_objects_without_depth_are_not_fitted_by():
    depth, mask = scene([2.0, 4.0])
    depth_map = as_map(depth, DepthKind.RELATIVE)
    hidden = replace(depth_map, valid=depth_map.valid & (mask != 1))
    frame = measure_frame(hidden, mask, known([1.0, 2.0]))
    assert frame.fit.objects == ("o2",) and any("object o1 of known distance" in text for text in frame.warnings)
    with pytest.raises(NoMetricDepthError, match="object o1 of known distance"):
        measure_frame(hidden, mask, known([1.0, 2.0], [0]))
    with pytest.raises(NoMetricDepthError, match="object far of known distance"):
        measure_frame(depth_map, mask, [ObjectRecord("far", 99, {}, 2.0)])


@pytest.mark.parametrize("told", [1e300, 1e-300, 1e45])
def test_distances_that_no_number_holds_are_refused(told):
    depth, mask = scene([2.0, 4.0])
    for kind in (DepthKind.RELATIVE, DepthKind.DISPARITY):
        with pytest.raises(NoMetricDepthError):
            measure_frame(as_map(1 / depth, kind), mask, known([told, 2 * told]))


def test_many_known_objects_are_fitted_by_some_of_them():
    """Each pair of 1,500 would be a million lines."""
    mask = np.arange(1, 1601, dtype=np.uint16).reshape(20, 80)
    depth = np.random.default_rng(0).uniform(1, 30, (20, 80))
    records = [
        ObjectRecord(value, value, {}, float(distance)) for value, distance in zip(mask.ravel().tolist(), depth.ravel().tolist(), strict=True)
    ]
    frame = measure_frame(as_map(3 / depth + 0.01, DepthKind.DISPARITY), mask, records)
    assert frame.fit.residual_relative < 1e-3 and len(frame.fit.objects) == 1600
