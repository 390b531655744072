# SPDX-License-Identifier: Apache-2.0
"""One estimate against its truth: by hand, and the laws that figures keep whatever the picture; and totals over pictures."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from depthbridge.cli.evaluation.scoring import DEPTH_STEPS_M, Score, aligned_depth, score
from depthbridge.cli.evaluation.totals import Totals
from depthbridge.engines.depth_map import DepthKind
from depthbridge.engines.depth_metrics import Alignment
from depthbridge.engines.errors import DepthKindError
from support.evaluation_sets import depth_of, sample_of

maps = hnp.arrays(np.float32, (12, 16), elements=st.floats(0.25, 60, width=32))
varied = maps.filter(lambda m: float(np.std(1 / m)) > 1e-2 and float(np.std(m)) > 1e-1)
ALIKE = ("abs_rel", "rmse_log", "delta1", "delta2", "delta3", "boundary_f1", "edge_f1")


def plane(rows: int = 20, columns: int = 30, step: int = 10) -> np.ndarray:
    """2 m, and 4 m from column ``step`` on."""
    depth = np.full((rows, columns), 2.0)
    depth[:, step:] = 4.0
    return depth


def box(rows: int = 40, columns: int = 60) -> np.ndarray:
    """A box 2 m away in front of a wall at 4 m: contours in both directions and of both signs."""
    depth = np.full((rows, columns), 4.0)
    depth[rows // 4 : -rows // 4, columns // 4 : -columns // 4] = 2.0
    return depth


# ---- one picture ----------------------------------------------------------------------------------------------------


def test_the_truth_itself_has_no_error() -> None:
    found = score(sample_of(box()), depth_of(box()), Alignment.NONE)
    assert (found.compared, found.coverage, found.scale, found.abs_rel, found.rmse, found.delta1) == (2400, 1, 1, 0, 0, 1)
    assert found.edge_f1 == found.boundary_f1 == 1


@given(truth=varied, guess=varied, factor=st.floats(0.25, 8).map(lambda value: 2.0 ** round(math.log2(value))))
@settings(max_examples=40, deadline=None)
@pytest.mark.parametrize(("kind", "alignment"), [(DepthKind.RELATIVE, Alignment.SCALE), (DepthKind.DISPARITY, Alignment.SCALE_SHIFT)])
def test_a_truth_in_another_unit_leaves_aligned_figures(
    kind: DepthKind, alignment: Alignment, truth: np.ndarray, guess: np.ndarray, factor: float
) -> None:
    """Powers of two, so that not even a rounding differs; lengths are multiplied."""
    first, second = (score(sample_of(truth * scale), depth_of(guess, kind), alignment) for scale in (1.0, factor))
    for key in ALIKE:
        assert getattr(second, key) == pytest.approx(getattr(first, key), rel=1e-6, nan_ok=True), key
    assert second.rmse == pytest.approx(first.rmse * factor, rel=1e-6)


@given(truth=varied, factor=st.floats(0.5, 3))
@settings(max_examples=40, deadline=None)
def test_without_alignment_a_scale_is_an_error_and_is_told(truth: np.ndarray, factor: float) -> None:
    found = score(sample_of(truth), depth_of(truth * factor), Alignment.NONE)
    assert found.abs_rel == pytest.approx(abs(factor - 1), abs=1e-5)
    assert found.scale == pytest.approx(1 / factor, rel=1e-5)


@given(truth=varied, guess=maps, counted=hnp.arrays(np.bool_, (12, 16)))
@settings(max_examples=40, deadline=None)
def test_what_does_not_count_changes_nothing(truth: np.ndarray, guess: np.ndarray, counted: np.ndarray) -> None:
    other = np.where(counted, guess, 500.0)
    found, again = (score(sample_of(truth, counted), depth_of(each), Alignment.NONE) for each in (guess, other))
    assert found.to_json() == again.to_json() and found.compared == np.count_nonzero(counted)


def test_where_the_model_says_nothing_is_left_out_and_told() -> None:
    guess = plane()
    guess[:5] = np.nan
    guess[5:10] = 0
    found = score(sample_of(plane()), depth_of(guess), Alignment.NONE)
    assert (found.compared, found.coverage, found.abs_rel) == (300, 0.5, 0)


def test_a_wall_taken_for_sky_counts_with_the_depth_given_to_it() -> None:
    truth, guess = plane(), plane()
    sky = np.zeros(truth.shape, bool)
    sky[:10], guess[:10] = True, 100
    found = score(sample_of(truth, sky=np.zeros(truth.shape, bool)), depth_of(guess, sky=sky), Alignment.NONE)
    assert found.compared == truth.size and found.delta1 == 0.5
    assert (found.sky_both, found.sky_either, found.sky_iou) == (0, 300, 0)


def test_sky_is_compared_where_both_tell() -> None:
    true_sky = np.zeros((20, 30), bool)
    true_sky[:10] = True
    guess_sky = np.roll(true_sky, 3, axis=0)
    truth = np.where(true_sky, 0, plane())
    found = score(sample_of(truth, sky=true_sky), depth_of(plane(), sky=guess_sky), Alignment.NONE)
    assert (found.sky_both, found.sky_either) == (210, 390) and found.sky_iou == pytest.approx(210 / 390)
    assert math.isnan(score(sample_of(truth), depth_of(plane(), sky=guess_sky), Alignment.NONE).sky_iou)
    assert math.isnan(score(sample_of(truth, sky=true_sky), depth_of(plane()), Alignment.NONE).sky_iou)


def test_a_protocols_clamp_cuts_estimates_after_alignment() -> None:
    truth = np.full((4, 4), 8.0)
    truth[0] = 2.0
    guess = np.full((4, 4), 40.0)
    guess[0] = 0.5
    plain, cut = (score(sample_of(truth), depth_of(guess), Alignment.NONE, clamp) for clamp in (None, (1.0, 10.0)))
    assert plain.abs_rel == pytest.approx((0.75 + 3 * 4) / 4) and cut.abs_rel == pytest.approx((0.5 + 3 * 0.25) / 4)
    metres, _ = aligned_depth(sample_of(truth), depth_of(guess / 10, DepthKind.RELATIVE), Alignment.SCALE, (1.0, 10.0))
    assert metres.max() == 8.0 and metres.min() == 1.0  # the scale is 2: 0.1 is cut, not 0.05


def test_errors_by_depth_by_hand() -> None:
    truth, guess = plane(), plane() * 1.25
    guess[:, 10:] = 3.0
    found = {DEPTH_STEPS_M[step]: rest for step, *rest in score(sample_of(truth), depth_of(guess), Alignment.NONE).profile}
    assert found == {2.0: [200, pytest.approx(50), pytest.approx(50)], 4.0: [400, pytest.approx(100), pytest.approx(-100)]}


@given(truth=hnp.arrays(np.float32, (6, 6), elements=st.floats(0.015625, 32000, width=32)), factor=st.floats(0.5, 2))
@settings(max_examples=30, deadline=None)
def test_ranges_of_depth_hold_every_pixel(truth: np.ndarray, factor: float) -> None:
    found = score(sample_of(truth), depth_of(truth * np.float32(factor)), Alignment.NONE)
    assert sum(pixels for _, pixels, *_ in found.profile) == found.compared == 36
    assert sum(far for *_, far, _ in found.profile) / 36 == pytest.approx(found.abs_rel)


def test_single_points_have_no_sharpness() -> None:
    """A laser's rows; a picture of which a crop alone counts is dense inside it."""
    rows, crop = np.zeros((40, 60), bool), np.zeros((40, 60), bool)
    rows[::4], crop[5:35, 8:52] = True, True
    truth = box()
    sparse, cropped = (score(sample_of(truth, counted), depth_of(truth), Alignment.NONE) for counted in (rows, crop))
    assert math.isnan(sparse.edge_f1) and math.isnan(sparse.boundary_f1) and sparse.delta1 == 1
    assert cropped.edge_f1 == cropped.boundary_f1 == 1
    open_air = np.zeros((40, 60), bool)
    open_air[:28] = True
    points = ~open_air & rows
    points[0, 0] = True
    truth[0, 0], open_air[0, 0] = 4, False
    half_sky, no_sky = (score(sample_of(truth * points, points, sky), depth_of(truth), Alignment.NONE) for sky in (open_air, None))
    assert math.isnan(no_sky.edge_f1) and not math.isnan(half_sky.boundary_f1)


def test_no_pixel_that_counts_has_no_figure() -> None:
    found = score(sample_of(plane(), np.zeros((20, 30), bool)), depth_of(plane()), Alignment.SCALE)
    assert found.compared == 0 and found.profile == () and math.isnan(found.abs_rel) and math.isnan(found.coverage) and math.isnan(found.edge_f1)


def test_a_kind_is_refused_where_it_cannot_be_compared() -> None:
    with pytest.raises(DepthKindError, match="scale-shift"):
        score(sample_of(plane()), depth_of(plane(), DepthKind.DISPARITY), Alignment.NONE)


@given(truth=varied, guess=varied, counted=hnp.arrays(np.bool_, (12, 16)))
@settings(max_examples=20, deadline=None)
def test_a_score_survives_the_disk(truth: np.ndarray, guess: np.ndarray, counted: np.ndarray) -> None:
    found = score(sample_of(truth, counted), depth_of(guess), Alignment.NONE)
    text = json.dumps(found.to_json(), allow_nan=False)
    assert Score.from_json(json.loads(text)).to_json() == found.to_json()
    assert json.dumps(found.to_json()) == text


# ---- all pictures ---------------------------------------------------------------------------------------------------


def scored(off: float, size: int = 10, sky: tuple[int, int] | None = None) -> Score:
    """A flat wall that is ``off`` too far; ``sky``: true and estimated rows of sky above it."""
    truth = np.full((size, 10), 2.0)
    if sky is None:
        return score(sample_of(truth), depth_of(truth * (1 + off)), Alignment.NONE)
    true_sky, guess_sky = (np.arange(size)[:, None].repeat(10, 1) < rows for rows in sky)
    return score(sample_of(np.where(true_sky, 0, truth), sky=true_sky), depth_of(truth * (1 + off), sky=guess_sky), Alignment.NONE)


def test_each_picture_counts_once_however_large() -> None:
    totals = Totals()
    for place, (off, size) in enumerate(((0.1, 100), (0.3, 10), (0.2, 10))):
        totals.add(place, scored(off, size))
    assert totals.pictures == totals.count("abs_rel") == 3
    assert totals.total("abs_rel") == pytest.approx(0.2) and totals.median("abs_rel") == pytest.approx(0.2)
    (only,) = totals.by_depth()
    assert (only.near_m, only.pixels) == (2.0, 1200) and only.abs_rel == only.bias == pytest.approx((0.1 * 1000 + 0.3 * 100 + 0.2 * 100) / 1200)


def test_a_picture_without_the_figure_is_no_zero() -> None:
    totals = Totals()
    totals.add(0, scored(0.5))
    totals.add(1, score(sample_of(plane(), np.zeros((20, 30), bool)), depth_of(plane()), Alignment.NONE))
    assert totals.pictures == 1 and totals.total("abs_rel") == pytest.approx(0.5)
    assert totals.total("sky_iou") is None and totals.count("sky_iou") == 0 and totals.total("edge_f1") is None  # a wall has no edge


def test_sky_is_counted_over_all_pictures_together() -> None:
    """A single row taken for sky where there is none makes that picture's IoU 0, and the total hardly less."""
    totals = Totals()
    totals.add(0, scored(0, 100, (50, 50)))
    totals.add(1, scored(0, 100, (0, 2)))
    assert totals.total("sky_iou") == pytest.approx(50 / 52) and totals.median("sky_iou") == 0.5 and totals.count("sky_iou") == 2


@given(offs=st.lists(st.floats(0.01, 3).map(lambda value: round(value, 2)), min_size=1, max_size=12), keep=st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_the_worst_and_the_best_are_remembered(offs: list[float], keep: int) -> None:
    totals = Totals(keep)
    for place, off in enumerate(offs):
        totals.add(place, scored(off))
    for found, order in ((totals.worst(), -1), (totals.best(), 1)):
        assert len(found) == min(keep, len(offs)) == len(set(found))
        assert [offs[place] for place in found] == sorted(offs)[::order][:keep]
