# SPDX-License-Identifier: Apache-2.0
"""Frames of one sequence share one unit, whatever the model says of each."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthbridge.engines.depth_map import DepthKind
from depthbridge.engines.errors import DepthKindError
from depthbridge.engines.line_fit import fit_line
from depthbridge.engines.sequence_scale import FrameScale, FrameView, SequenceScale
from support.known_depth import blocks

HEIGHT, WIDTH = 96, 128
FloatArray = npt.NDArray[np.float64]


def room() -> FloatArray:
    """Depth of a slanted floor and a wall, from 1 to 6."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.minimum(6.0, 1.0 + 5.0 * (1 - rows / HEIGHT) + 0.3 * np.sin(columns / 9))


def align(kind: DepthKind, pictures: Sequence[npt.NDArray[np.uint8]], maps: Sequence[FloatArray]) -> tuple[list[FloatArray], list[FrameScale]]:
    """The maps in one unit, and how they got there."""
    sequence, aligned, scales = SequenceScale(kind), [], []
    for index, (picture, values) in enumerate(zip(pictures, maps, strict=True)):
        view = FrameView.of(picture, values, np.ones(values.shape, dtype=np.bool_))
        found = sequence.find(index, view)
        scaled = found.scale * values + found.shift
        sequence.keep(found, lambda picture=picture, scaled=scaled: FrameView.of(picture, scaled, np.ones(scaled.shape, dtype=np.bool_)))
        aligned.append(scaled)
        scales.append(found)
    return aligned, scales


def off_by(aligned: Sequence[FloatArray], truth: Sequence[FloatArray]) -> float:
    return max(float(np.abs(a / t - 1).max()) for a, t in zip(aligned, truth, strict=True))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.05, 20.0), min_size=1, max_size=12))
def test_a_scene_that_stands_still_comes_out_constant_whatever_each_frames_scale(scales: list[float]) -> None:
    maps = [room() * scale for scale in [1.0, *scales]]
    aligned, _ = align(DepthKind.RELATIVE, [blocks(WIDTH, HEIGHT)] * len(maps), maps)
    assert off_by(aligned, [room()] * len(maps)) <= 1e-5


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0.05, 20.0), st.floats(0.0, 5.0)), min_size=1, max_size=12))
def test_a_scene_that_stands_still_comes_out_constant_whatever_each_frames_scale_and_shift(lines: list[tuple[float, float]]) -> None:
    maps = [scale / room() + shift for scale, shift in [(1.0, 0.0), *lines]]
    aligned, _ = align(DepthKind.DISPARITY, [blocks(WIDTH, HEIGHT)] * len(maps), maps)
    assert off_by(aligned, [1 / room()] * len(maps)) <= 1e-5


def with_a_ball(step: int, radius: int = 26) -> tuple[npt.NDArray[np.uint8], FloatArray]:
    """A ball that rolls through the room, near the camera."""
    picture, depth = blocks(WIDTH, HEIGHT), room()
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    ball = (rows - 50) ** 2 + (columns - 20 - 6 * step) ** 2 < radius**2
    picture[ball] = (250, 240, 20)
    depth[ball] = 0.7
    return picture, depth


@pytest.mark.parametrize("kind", [DepthKind.RELATIVE, DepthKind.DISPARITY])
def test_what_moves_does_not_pull_the_rest(kind: DepthKind) -> None:
    generator = np.random.default_rng(3)
    pictures, truth, maps = [], [], []
    for step in range(15):
        picture, depth = with_a_ball(step)
        quantity = 1 / depth if kind is DepthKind.DISPARITY else depth
        pictures.append(picture)
        truth.append(quantity)
        scale, shift = (generator.uniform(0.2, 5), generator.uniform(0, 1)) if step else (1.0, 0.0)
        maps.append(quantity * scale + (shift if kind is DepthKind.DISPARITY else 0.0))
    aligned, scales = align(kind, pictures, maps)
    assert off_by(aligned, truth) <= 1e-5
    assert [scale.starts_shot for scale in scales] == [True] + [False] * 14


@pytest.mark.parametrize("kind", [DepthKind.RELATIVE, DepthKind.DISPARITY])
def test_even_what_fills_most_of_the_picture_does_not_pull_the_rest(kind: DepthKind) -> None:
    pictures, truth, maps = [], [], []
    for step in range(6):
        picture, depth = blocks(WIDTH, HEIGHT), room()
        picture[:, 40:] = (40 + 20 * step, 90, 200)
        depth[:, 40:] = 0.9 * 0.9**step
        quantity = 1 / depth if kind is DepthKind.DISPARITY else depth
        pictures.append(picture)
        truth.append(quantity)
        maps.append(quantity * 1.7**step + (0.2 * step if kind is DepthKind.DISPARITY else 0.0))
    aligned, _ = align(kind, pictures, maps)
    assert off_by(aligned, truth) <= 1e-5


@pytest.mark.parametrize("kind", [DepthKind.RELATIVE, DepthKind.DISPARITY])
def test_what_moves_unseen_does_not_pull_the_rest(kind: DepthKind) -> None:
    # A third of the depth changes although the picture does not (a mirror, a white door before a white wall).
    truth = room() if kind is DepthKind.RELATIVE else 1 / room()
    maps = []
    for step in range(8):
        depth = room()
        depth[:, 40:80] *= 1 - 0.08 * step
        maps.append((depth if kind is DepthKind.RELATIVE else 1 / depth + 0.3 * step) * 1.3**step)
    aligned, _ = align(kind, [blocks(WIDTH, HEIGHT)] * 8, maps)
    assert off_by([a[:, :40] for a in aligned], [truth[:, :40]] * 8) <= 1e-5


def test_a_cut_starts_anew_in_the_models_own_unit() -> None:
    bright, dark = blocks(WIDTH, HEIGHT), (blocks(WIDTH, HEIGHT, side=33)[::-1, ::-1] // 3).astype(np.uint8)
    maps = [room(), room() * 2, room()[:, ::-1] * 7, room()[:, ::-1] * 3]
    aligned, scales = align(DepthKind.RELATIVE, [bright, bright, dark, dark], maps)
    assert [scale.starts_shot for scale in scales] == [True, False, True, False]
    assert off_by(aligned, [room(), room(), room()[:, ::-1] * 7, room()[:, ::-1] * 7]) <= 1e-5


def test_a_fixed_camera_does_not_drift() -> None:
    # Noise that a chain from neighbour to neighbour would add up to about 1e-3 * sqrt(200).
    generator = np.random.default_rng(5)
    picture = blocks(WIDTH, HEIGHT)
    maps = [room() * np.exp(generator.normal(0, 0.05)) * np.exp(generator.normal(0, 0.02, (HEIGHT, WIDTH))) for _ in range(200)]
    maps[0] = room()
    aligned, scales = align(DepthKind.RELATIVE, [picture] * 200, maps)
    medians = np.array([np.median(np.log(a / room())) for a in aligned])
    assert np.abs(medians).max() < 1.5e-3
    assert {scale.reference for scale in scales} == {0}


def test_a_camera_that_pans_keeps_the_unit_within_a_few_percent() -> None:
    # A window over a wide scene: everything in the picture changes, but for 2 pixels of 128 a frame it is the same.
    wide_picture = cv2.GaussianBlur(blocks(WIDTH * 3, HEIGHT, side=16), (0, 0), 2)
    rows, columns = np.mgrid[0:HEIGHT, 0 : WIDTH * 3]
    wide_depth = 2.0 + 2 * (1 - rows / HEIGHT) + 0.5 * np.sin(columns / 40)
    generator = np.random.default_rng(8)
    windows = [slice(2 * step, 2 * step + WIDTH) for step in range(100)]
    scales_of = [1.0, *generator.uniform(0.3, 3, 99)]
    pictures = [np.ascontiguousarray(wide_picture[:, window]) for window in windows]
    truth = [wide_depth[:, window] for window in windows]
    aligned, scales = align(DepthKind.RELATIVE, pictures, [t * s for t, s in zip(truth, scales_of, strict=True)])
    assert sum(scale.starts_shot for scale in scales) == 1
    drift = [float(np.median(a / t)) for a, t in zip(aligned, truth, strict=True)]
    jumps = np.abs(np.diff(np.log(drift)))
    assert jumps.max() < 0.03, "raw, these frames jump by factors"
    assert min(drift) > 0.9 and max(drift) < 1.1


def test_an_anchor_seen_again_takes_the_drift_back() -> None:
    generator = np.random.default_rng(2)
    picture, other = blocks(WIDTH, HEIGHT), cv2.GaussianBlur(blocks(WIDTH, HEIGHT), (0, 0), 6)
    pictures = [picture, other, other, other, picture]
    maps = [room() * scale * np.exp(generator.normal(0, 0.01, (HEIGHT, WIDTH))) for scale in (1, 3, 0.5, 2, 4)]
    _, scales = align(DepthKind.RELATIVE, pictures, maps)
    assert scales[-1].reference == 0


def test_only_the_views_that_are_needed_are_loaded() -> None:
    picture, known = blocks(WIDTH, HEIGHT), np.ones((HEIGHT, WIDTH), dtype=np.bool_)
    loaded: list[int] = []

    def keep(sequence: SequenceScale, index: int) -> None:
        def load() -> FrameView:
            loaded.append(index)
            return FrameView.of(picture, room(), known)

        sequence.keep(FrameScale(index, 1.0, 0.0, 0), load)

    sequence = SequenceScale(DepthKind.RELATIVE)
    for index in range(50):
        keep(sequence, index)
    found = sequence.find(50, FrameView.of(picture, room() * 3, known))
    assert found.scale == pytest.approx(1 / 3)
    assert sorted(loaded) == [0, 49]


def test_damaged_depth_is_told_with_its_frame() -> None:
    values = room()
    values[3, 4] = np.inf
    view = FrameView(np.zeros((HEIGHT, WIDTH, 3), np.float32), values, np.ones(values.shape, dtype=np.bool_))
    with pytest.raises(DepthKindError, match="Frame 7"):
        SequenceScale(DepthKind.RELATIVE).find(7, view)


def test_a_frame_without_any_depth_is_no_reason_to_fail() -> None:
    picture, known = blocks(WIDTH, HEIGHT), np.ones((HEIGHT, WIDTH), dtype=np.bool_)
    sequence = SequenceScale(DepthKind.RELATIVE)
    first = sequence.find(0, FrameView.of(picture, room(), known))
    sequence.keep(first, lambda: FrameView.of(picture, room(), known))
    assert sequence.find(1, FrameView.of(picture, room(), ~known)).scale == 1.0


@settings(max_examples=60, deadline=None)
@given(st.floats(0.05, 20), st.floats(-3, 3), st.floats(0, 0.35), st.integers(0, 10**6))
def test_a_line_is_found_among_points_that_do_not_belong_to_it(scale: float, shift: float, share: float, seed: int) -> None:
    generator = np.random.default_rng(seed)
    x = generator.uniform(0.1, 2, 800)
    y = scale * x + shift
    wrong = generator.random(800) < share
    y[wrong] = generator.uniform(-5, 40, int(wrong.sum()))
    line = fit_line(x, y)
    assert line is not None
    assert line == pytest.approx((scale, shift), rel=1e-6, abs=1e-6)


def test_no_line_with_a_positive_slope_is_no_answer() -> None:
    x = np.linspace(0, 1, 100)
    assert fit_line(x, 3 - 2 * x) is None
    assert fit_line(x[:1], x[:1]) is None
    assert fit_line(np.zeros(50), x[:50]) is None
    assert fit_line(np.full(50, 2.0), np.full(50, 6.0)) == (3.0, 0.0)
