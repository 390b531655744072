# SPDX-License-Identifier: Apache-2.0
"""The measures of depth: by hand, and the laws that each must keep whatever the map."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from depthbridge.engines.depth_map import DepthKind
from depthbridge.engines.depth_metrics import Alignment, align, depth_errors, sky_iou
from depthbridge.engines.errors import DepthKindError

Map = npt.NDArray[np.float64]
maps = hnp.arrays(np.float64, (4, 5), elements=st.floats(0.1, 50))
varied = maps.filter(lambda m: float(np.std(1 / m)) > 1e-2 and float(np.std(m)) > 1e-1)


def test_errors_by_hand() -> None:
    found = depth_errors(np.array([2.0, 2.0, 2.0]), np.array([1.0, 2.0, 4.0]))
    assert found.pixels == 3
    assert found.abs_rel == pytest.approx((1 + 0 + 0.5) / 3)
    assert found.sq_rel == pytest.approx((1 / 1 + 0 + 4 / 4) / 3)
    assert found.rmse == pytest.approx(math.sqrt((1 + 0 + 4) / 3))
    assert found.rmse_log == pytest.approx(math.sqrt(2 * math.log(2) ** 2 / 3))
    assert found.delta1 == found.delta2 == pytest.approx(1 / 3)


@pytest.mark.parametrize(("ratio", "deltas"), [(1.24, (1, 1, 1)), (1.26, (0, 1, 1)), (1.57, (0, 0, 1)), (1.96, (0, 0, 0))])
def test_deltas_are_powers_of_one_and_a_quarter_both_ways(ratio: float, deltas: tuple[int, int, int]) -> None:
    truth = np.array([3.0, 7.0])
    for guess in (truth * ratio, truth / ratio):
        found = depth_errors(guess, truth)
        assert (found.delta1, found.delta2, found.delta3) == deltas


def test_pixels_outside_the_mask_do_not_count() -> None:
    truth = np.array([[1.0, 0.0], [4.0, 2.0]])
    guess = np.array([[1.0, 9.0], [4.0, np.nan]])
    assert depth_errors(guess, truth, truth == 1.0).pixels == 1
    assert depth_errors(guess, truth, np.array([[True, False], [True, False]])).rmse == 0


def test_no_pixel_is_not_a_number_and_broken_ones_are_refused() -> None:
    truth = np.array([1.0, 2.0])
    assert math.isnan(depth_errors(truth, truth, np.zeros(2, bool)).abs_rel)
    with pytest.raises(ValueError, match="estimate has pixels"):
        depth_errors(np.array([np.nan, 1.0]), truth)
    with pytest.raises(ValueError, match="truth has pixels"):
        depth_errors(truth, np.array([0.0, 1.0]))
    with pytest.raises(ValueError, match="differ in shape"):
        depth_errors(truth, np.ones(3))


@given(truth=maps, factor=st.floats(0.02, 50))
@settings(max_examples=40, deadline=None)
def test_one_scale_is_forgiven_by_scale_alone(truth: Map, factor: float) -> None:
    aligned = align(truth * factor, truth, DepthKind.RELATIVE, Alignment.SCALE)
    assert np.allclose(aligned, truth, rtol=1e-9)
    plain = align(truth * factor, truth, DepthKind.METRIC, Alignment.NONE)
    assert depth_errors(plain, truth).abs_rel == pytest.approx(abs(factor - 1), rel=1e-6, abs=1e-9)


def test_the_scale_is_the_median_ratio() -> None:
    """One wild pixel does not move it; the mean ratio would be 4, the ratio of medians 2."""
    guess, truth = np.array([1.0, 3.0, 5.0]), np.array([1.0, 6.0, 45.0])
    assert align(guess, truth, DepthKind.RELATIVE, Alignment.SCALE)[0] == 2
    guess, truth = np.array([1.0, 2.0, 4.0]), np.array([3.0, 2.0, 40.0])
    assert align(guess, truth, DepthKind.RELATIVE, Alignment.SCALE)[0] == 3


@given(truth=varied, scale=st.floats(0.1, 10), shift=st.floats(-0.5, 5))
@settings(max_examples=40, deadline=None)
def test_disparity_is_fitted_in_inverse_depth(truth: Map, scale: float, shift: float) -> None:
    found = align((1 / truth - shift) / scale, truth, DepthKind.DISPARITY, Alignment.SCALE_SHIFT)
    assert np.allclose(found, truth, rtol=1e-5)


@given(truth=varied, scale=st.floats(0.1, 10), shift=st.floats(-5, 5))
@settings(max_examples=40, deadline=None)
def test_depth_is_fitted_in_depth(truth: Map, scale: float, shift: float) -> None:
    found = align((truth - shift) / scale, truth, DepthKind.RELATIVE, Alignment.SCALE_SHIFT)
    assert np.allclose(found, truth, rtol=1e-5)


@given(guess=varied, truth=varied, scale=st.floats(0.8, 1.2), shift=st.floats(-0.1, 0.1))
@settings(max_examples=60, deadline=None)
def test_no_other_scale_and_shift_has_a_smaller_square(guess: Map, truth: Map, scale: float, shift: float) -> None:
    """Compared before the ends are cut, so over maps whose fit stays inside the truth's range."""
    coefficients = np.polyfit(guess.ravel(), truth.ravel(), 1)
    best = np.clip(np.polyval(coefficients, guess), truth.min(), truth.max())
    assert np.allclose(align(guess, truth, DepthKind.METRIC, Alignment.SCALE_SHIFT), best, rtol=1e-6, atol=1e-8)
    other = np.polyval((coefficients[0] * scale, coefficients[1] + shift), guess)
    assert np.sum((np.polyval(coefficients, guess) - truth) ** 2) <= np.sum((other - truth) ** 2) + 1e-6


def test_the_fit_looks_at_masked_pixels_only_and_moves_all() -> None:
    truth = np.array([2.0, 4.0, 8.0, 0.0])
    guess = np.array([1.0, 2.0, 4.0, 3.0])
    found = align(guess, truth, DepthKind.RELATIVE, Alignment.SCALE, truth > 0)
    assert found.tolist() == [2, 4, 8, 6]


def test_a_shift_puts_nothing_outside_the_true_range() -> None:
    truth = np.array([1.0, 2.0, 4.0, 4.0])
    guess = 1 / truth
    guess[3] = -5.0
    found = align(guess, truth, DepthKind.DISPARITY, Alignment.SCALE_SHIFT, np.array([True, True, True, False]))
    assert found.tolist() == pytest.approx([1, 2, 4, 4])


def test_a_flat_map_becomes_the_mean() -> None:
    assert align(np.full(3, 7.0), np.array([1.0, 2.0, 6.0]), DepthKind.RELATIVE, Alignment.SCALE_SHIFT).tolist() == [3, 3, 3]


@pytest.mark.parametrize(
    ("kind", "alignment"),
    [(DepthKind.RELATIVE, Alignment.NONE), (DepthKind.DISPARITY, Alignment.NONE), (DepthKind.DISPARITY, Alignment.SCALE)],
)
def test_a_kind_is_not_compared_without_what_it_lacks(kind: DepthKind, alignment: Alignment) -> None:
    with pytest.raises(DepthKindError, match="scale-shift"):
        align(np.ones(3), np.ones(3), kind, alignment)


def test_sky_overlap_by_hand() -> None:
    first, second = np.array([True, True, False, False]), np.array([True, False, True, False])
    assert sky_iou(first, second) == pytest.approx(1 / 3)
    assert math.isnan(sky_iou(first & False, second & False))
    assert sky_iou(first & False, second) == 0
