# SPDX-License-Identifier: Apache-2.0
"""Depth edges: where they are, how far off they may be, what no scale changes."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthbridge.engines.depth_edges import boundary_f1, depth_edges, edge_f1

Map = npt.NDArray[np.float32]


def step(at: int, near: float = 2.0, far: float = 4.0, size: int = 100) -> Map:
    """A wall with a nearer one in front of its left part."""
    depth = np.full((size, size), far, np.float32)
    depth[:, :at] = near
    return depth


def square(at: int = 30, near: float = 2.0) -> Map:
    depth = np.full((100, 120), 5, np.float32)
    depth[at : at + 40, at : at + 40] = near
    return depth


@given(scale=st.floats(0.01, 100), at=st.integers(5, 50))
@settings(max_examples=20, deadline=None)
def test_one_scale_changes_neither_figure(scale: float, at: int) -> None:
    truth, guess = square(30), square(at)
    assert boundary_f1(guess * np.float32(scale), truth) == pytest.approx(boundary_f1(guess, truth), abs=1e-6)
    assert edge_f1(guess * np.float32(scale), truth) == pytest.approx(edge_f1(guess, truth), abs=0.02)


def test_the_truth_itself_is_perfect_and_a_flat_map_worthless() -> None:
    truth = square()
    assert boundary_f1(truth, truth) == edge_f1(truth, truth) == 1
    assert boundary_f1(np.ones_like(truth), truth) == edge_f1(np.ones_like(truth), truth) == 0


def test_without_true_edges_there_is_no_figure() -> None:
    flat = np.ones((50, 50), np.float32)
    assert math.isnan(boundary_f1(square()[:50, :50], flat)) and math.isnan(edge_f1(square()[:50, :50], flat))


def test_boundary_f1_by_hand() -> None:
    """A step to the right place but a pixel early on half of the rows: precision and recall of its one sign are 1/2 each.

    Of the four directions and signs three have nothing on either side, and count as 0 (Depth Pro's own habit): a perfect single
    step has precision and recall of 1/4, so F1 of 1/4; this one 1/8.
    """
    truth = step(50)
    half = truth.copy()
    half[:50] = step(49)[:50]
    assert boundary_f1(truth, truth) == pytest.approx(0.25)
    assert boundary_f1(half, truth) == pytest.approx(0.125)


def test_boundary_f1_is_strict_and_knows_the_sign() -> None:
    truth = square()
    assert boundary_f1(square(31), truth) < 0.1
    assert boundary_f1(square(near=12.5), truth) == 0


def test_boundary_thresholds_run_from_1_05_to_1_25_weighted_by_themselves() -> None:
    truth = square()
    weak = square(near=5 / 1.16)  # passes five of the ten thresholds: 1.05, 1.072, 1.094, 1.117, 1.139
    passed = np.linspace(1.05, 1.25, 10)
    assert boundary_f1(weak, truth) == pytest.approx(passed[passed < 1.16].sum() / passed.sum())


@pytest.mark.parametrize(("off", "good"), [(0, True), (1, True), (2, True), (4, False), (6, False)])
def test_an_edge_may_be_two_pixels_of_a_504_pixel_picture_off(off: int, good: bool) -> None:
    truth = np.full((280, 504), 5, np.float32)
    truth[:, :200] = 2
    assert (edge_f1(np.roll(truth, off, 1)[:, off:], truth[:, off:]) > 0.95) is good


def test_a_smeared_edge_is_none() -> None:
    truth = step(50)
    smeared = np.exp(cv2.GaussianBlur(np.log(truth), (0, 0), 6)).astype(np.float32)
    assert edge_f1(smeared, truth) == 0
    crisp = np.exp(cv2.GaussianBlur(np.log(truth), (0, 0), 0.7)).astype(np.float32)
    assert edge_f1(crisp, truth) > 0.9


def test_edges_are_where_depth_jumps_by_a_quarter_and_thin() -> None:
    assert depth_edges(step(50, 2, 2.3)).sum() == 0
    found = depth_edges(step(50, 2, 2.7))
    columns = np.unique(np.nonzero(found)[1])
    assert set(columns) <= {49, 50} and (found.sum(1) <= 1).all() and found[5:-5].any(1).all()


def test_an_even_slope_has_no_edge() -> None:
    ramp = np.geomspace(1, 20, 100).astype(np.float32)[None].repeat(60, 0)
    assert not depth_edges(ramp)[:, 3:-3].any()


def test_false_and_missing_edges_cost_the_same() -> None:
    truth, more = square(), square()
    more[5:25, 90:110] = 1.5
    assert edge_f1(more, truth) == pytest.approx(edge_f1(truth, more))
    assert edge_f1(more, truth) < 0.9


def test_what_is_not_valid_has_no_say() -> None:
    truth, guess = square(), square()
    guess[:, 95:] = np.nan
    truth[:, 95:] = 0
    seen = truth > 0
    assert edge_f1(guess, truth, seen) == boundary_f1(guess, truth, seen) == 1
