# SPDX-License-Identifier: Apache-2.0
"""Known lengths and floors give back the scale and shift that made the map; what cannot tell them is refused with what to pick instead."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from depthbridge.engines.camera import CameraIntrinsics
from depthbridge.engines.depth_map import DepthKind, DepthMap
from depthbridge.engines.errors import DepthKindError
from depthbridge.engines.scale_fit import (
    Measure,
    ScaleShift,
    fit_disparity_to_floor,
    fit_disparity_to_measures,
    fit_relative_to_floor,
    fit_scale,
)

SCALES = st.floats(1e-3, 1e3)
RAYS = st.tuples(st.floats(-0.7, 0.7), st.floats(-0.5, 0.5))


def measure(truth: ScaleShift, first: tuple[float, tuple[float, float]], second: tuple[float, tuple[float, float]]) -> Measure:
    """Between two points (metres deep, ray), as a map that ``truth`` turns into metres shows them."""
    ends = [np.array([*ray, 1.0]) * depth for depth, ray in (first, second)]
    disparities = [(1 / depth - truth.shift) / truth.scale for depth, _ in (first, second)]
    return Measure(disparities[0], first[1], disparities[1], second[1], float(np.linalg.norm(ends[0] - ends[1])))


def refused(*arguments: object, words: str, function=fit_disparity_to_measures, **more: object) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DepthKindError, match=words) as caught:
        function(*arguments, **more)
    assert "\n" not in str(caught.value)


# ---- lengths --------------------------------------------------------------------------------------------------------


def test_one_length_gives_the_scale() -> None:
    assert fit_scale(2.0, 5.0) == 2.5
    for measured, true in ((0, 1), (1, 0), (-1, 1), (math.nan, 1), (1, math.inf)):
        refused(measured, true, words="positive number", function=fit_scale)


@given(SCALES, st.floats(-0.3, 3), st.floats(0.5, 50), st.floats(1.3, 20), st.lists(RAYS, min_size=4, max_size=4))
@settings(max_examples=300, deadline=None)
def test_two_lengths_across_the_picture_give_scale_and_shift(
    scale: float, shift: float, near: float, ratio: float, rays: list[tuple[float, float]]
) -> None:
    """The ends of each equally far, one measure nearer than the other: always one answer."""
    assume(all(math.dist(a, b) > 0.02 for a, b in (rays[:2], rays[2:])))
    truth = ScaleShift(scale, shift / near)
    pair = (measure(truth, (near, rays[0]), (near, rays[1])), measure(truth, (near * ratio, rays[2]), (near * ratio, rays[3])))
    for first, second in (pair, pair[::-1]):
        found = fit_disparity_to_measures(first, second)
        assert found.scale == pytest.approx(truth.scale, rel=1e-6)
        assert found.shift == pytest.approx(truth.shift, rel=1e-6, abs=1e-6 / near)


@given(SCALES, st.floats(-0.05, 1), st.lists(st.tuples(st.floats(1, 10), RAYS), min_size=4, max_size=4))
@settings(max_examples=400, deadline=None)
def test_whatever_two_lengths_are_given_the_answer_makes_both_true_or_there_is_none(
    scale: float, shift: float, ends: list[tuple[float, tuple[float, float]]]
) -> None:
    truth = ScaleShift(scale, shift)
    first, second = measure(truth, *ends[:2]), measure(truth, *ends[2:])
    assume(first.true_m > 1e-3 and second.true_m > 1e-3)
    try:
        found = fit_disparity_to_measures(first, second)
    except DepthKindError as error:
        assert any(words in str(error) for words in ("different scales", "too alike", "equally far away", "No scale and shift"))
        return
    for each in (first, second):
        depths = [1 / (found.scale * disparity + found.shift) for disparity in (each.first_disparity, each.second_disparity)]
        assert min(depths) > 0
        points = [np.array([*ray, 1.0]) * depth for depth, ray in zip(depths, (each.first_ray, each.second_ray), strict=True)]
        assert np.linalg.norm(points[0] - points[1]) == pytest.approx(each.true_m, rel=1e-5)


def test_of_several_answers_those_are_dropped_that_put_pixels_behind_the_camera() -> None:
    """A case found by search: three scales fit, and a far pixel of the map rules two of them out."""
    truth = ScaleShift(1.0, 0.1)
    random = np.random.default_rng(5)
    helped = 0
    for _ in range(300):
        ends = [(float(np.exp(random.uniform(0, 2.3))), tuple(random.uniform(-0.5, 0.5, 2))) for _ in range(4)]
        first, second = measure(truth, *ends[:2]), measure(truth, *ends[2:])
        try:
            fit_disparity_to_measures(first, second)
        except DepthKindError as error:
            if "different scales" in str(error):
                try:
                    found = fit_disparity_to_measures(first, second, least_disparity=(1 / 60 - truth.shift) / truth.scale)
                except DepthKindError:
                    continue
                helped += 1
                assert (found.scale, found.shift) == pytest.approx((truth.scale, truth.shift), rel=1e-6)
    assert helped > 5


def test_a_known_map_becomes_metric_by_two_measures() -> None:
    """The whole way: a disparity map, four pixels, two lengths, and every pixel in metres."""
    camera = CameraIntrinsics(90, 95, 60, 35, 120, 80)
    rows, columns = np.mgrid[0:80, 0:120]
    metres = (2 + 0.05 * columns + 0.5 * np.sin(rows / 9)).astype(np.float32)
    disparity = ((1 / metres.astype(np.float64) - 0.02) / 0.004).astype(np.float32)
    depth = DepthMap(disparity, DepthKind.DISPARITY, np.ones((80, 120), bool), None, None, camera, "oracle")
    rays = camera.ray_directions()
    points = rays * metres[..., None]

    def between(first: tuple[int, int], second: tuple[int, int]) -> Measure:
        (a, b), (x, y) = [(float(disparity[p]), tuple(map(float, rays[p][:2]))) for p in (first, second)]
        return Measure(a, b, x, y, float(np.linalg.norm(points[first] - points[second])))  # type: ignore[arg-type]

    found = fit_disparity_to_measures(between((5, 10), (70, 12)), between((8, 110), (72, 108)))
    assert depth.to_metric(found.scale, found.shift).values == pytest.approx(metres, rel=1e-3)


def test_pairs_that_cannot_tell_are_refused_with_what_to_pick() -> None:
    truth = ScaleShift(2.0, 0.1)
    near = measure(truth, (2.0, (0.0, 0.0)), (2.0, (0.3, 0.1)))
    refused(
        near, measure(truth, (2.0, (0.2, 0.2)), (2.0, (-0.3, 0.1))), words="equally far away.*one near the camera and one far|one thing near"
    )
    refused(near, measure(truth, (2.02, (0.2, 0.2)), (2.02, (-0.3, 0.1))), words="too alike.*twice as far")
    far = measure(truth, (6.0, (0.0, 0.0)), (6.0, (0.3, 0.1)))
    refused(
        near, Measure(far.first_disparity, far.first_ray, far.second_disparity, far.second_ray, 0.1 * near.true_m), words="No scale and shift"
    )
    broken = Measure(math.nan, (0, 0), 1.0, (0, 0), 1.0)
    refused(near, broken, words="no depth")
    refused(broken, near, words="no depth")
    refused(near, Measure(1.0, (0, 0), 1.0, (0, 0), 1.0), words="one and the same")
    for length in (0.0, -1.0, math.inf, math.nan):
        refused(near, Measure(1.0, (0, 0), 1.0, (0.1, 0), length), words="positive number")


# ---- the floor ------------------------------------------------------------------------------------------------------


def floor_picture(height_m: float, pitch_deg: float, focal: float = 100.0) -> tuple[np.ndarray, np.ndarray]:
    """Depth (metres) of a level floor, by turning the camera's rays into the room and meeting the floor there, and y of each ray: (N,) each."""
    camera = CameraIntrinsics(focal, focal, 60, 45, 120, 90)
    rays = camera.ray_directions().astype(np.float64).reshape(-1, 3)
    pitch = math.radians(pitch_deg)
    # The room: x right, y down, z ahead and level. A camera that looks down turns its axis (0,0,1) towards +y.
    to_room = np.array([[1, 0, 0], [0, math.cos(pitch), math.sin(pitch)], [0, -math.sin(pitch), math.cos(pitch)]])
    down = (rays @ to_room.T)[:, 1]
    seen = down > 0.02
    return height_m / down[seen], rays[seen, 1]


@given(SCALES, st.floats(-2, 2), st.floats(0.2, 50), st.floats(-15, 50))
@settings(max_examples=100, deadline=None)
def test_the_floor_gives_scale_and_shift(scale: float, shift: float, height_m: float, pitch_deg: float) -> None:
    depth, rays_y = floor_picture(height_m, pitch_deg)
    found = fit_disparity_to_floor((1 / depth - shift / height_m) / scale, rays_y, height_m, pitch_deg)
    assert found.scale == pytest.approx(scale, rel=1e-6)
    assert found.shift == pytest.approx(shift / height_m, rel=1e-6, abs=1e-6 / height_m)
    assert fit_relative_to_floor(depth / scale, rays_y, height_m, pitch_deg) == pytest.approx(scale, rel=1e-6)


@given(st.integers(0, 10**6), st.floats(0, 0.4), st.sampled_from(["noise", "wall", "box"]))
@settings(max_examples=100, deadline=None)
def test_almost_half_may_be_something_else(seed: int, part: float, what: str) -> None:
    random = np.random.default_rng(seed)
    depth, rays_y = floor_picture(1.6, 12)
    other = random.random(depth.size) < part
    instead = {"noise": np.exp(random.uniform(-1, 3, depth.size)), "wall": np.full(depth.size, 2.5), "box": depth * 0.6}[what]
    depth = np.where(other, instead, depth)
    found = fit_disparity_to_floor((1 / depth - 0.3) / 5, rays_y, 1.6, 12)
    assert (found.scale, found.shift) == pytest.approx((5, 0.3), rel=1e-3)
    assert found == fit_disparity_to_floor((1 / depth - 0.3) / 5, rays_y, 1.6, 12), "the same each time"
    assert fit_relative_to_floor(depth / 5, rays_y, 1.6, 12) == pytest.approx(5, rel=1e-3)


def test_an_estimate_that_is_a_little_off_is_a_floor_all_the_same() -> None:
    depth, rays_y = floor_picture(1.6, 12)
    random = np.random.default_rng(0)
    noisy = depth * np.exp(random.normal(0, 0.03, depth.size))
    found = fit_disparity_to_floor((1 / noisy - 0.3) / 5, rays_y, 1.6, 12)
    assert (found.scale, found.shift) == pytest.approx((5, 0.3), rel=0.03)
    assert fit_relative_to_floor(noisy / 5, rays_y, 1.6, 12) == pytest.approx(5, rel=0.01)


@pytest.mark.parametrize("function", [fit_disparity_to_floor, fit_relative_to_floor])
def test_what_is_no_floor_is_refused(function) -> None:  # type: ignore[no-untyped-def]
    depth, rays_y = floor_picture(1.6, 12)
    random = np.random.default_rng(0)
    inverse = function is fit_disparity_to_floor
    for other in (
        np.full(depth.size, 3.0),
        3 + random.normal(0, 0.01, depth.size),
        random.uniform(1, 9, depth.size),
        1 / (2 - 1 / depth),  # a ceiling's way: farther towards the lower edge
    ):
        refused(1 / other if inverse else other, rays_y, 1.6, 12, words="no level floor", function=function)
    values = 1 / depth if inverse else depth
    refused(values[:10], rays_y[:10], 1.6, 12, words="Only 10 pixels", function=function)
    refused(values, -np.abs(rays_y), 1.6, 0, words="Only 0 pixels", function=function)
    refused(np.full(depth.size, np.nan), rays_y, 1.6, 12, words="Only 0 pixels", function=function)
    row = rays_y == rays_y.max()
    refused(values[row], rays_y[row], 1.6, 12, words="too few rows", function=function)
    for height in (0, -1, math.nan):
        refused(values, rays_y, height, words="positive number", function=function)
    refused(values, rays_y, 1.6, 90, words="pitched by 90", function=function)
    with pytest.raises(ValueError, match="one ray for each"):
        function(values, rays_y[1:], 1.6)
