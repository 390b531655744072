# SPDX-License-Identifier: Apache-2.0
"""The yardstick itself: scores by hand, priors that never look, a run that needs neither torch nor bpy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthbridge.engines.engine import DepthEngine
from depthbridge.engines.model_store import resolve
from depthbridge.models.training import judging, priors, tables
from depthbridge.models.training.evaluation_sets import Sample, cue_of
from depthbridge.models.training.layouts import draw_scene
from depthbridge.models.training.mini_model import Estimate, MiniModel
from depthbridge.models.training.shading import Picture, render
from depthbridge.models.training.stability import change, resized_change, resized_change_in_use, shifted_change, stability

TRUTH = np.linspace(1, 5, 12, dtype=np.float32).reshape(3, 4)
SEEN = np.ones((3, 4), bool)


@given(factor=st.floats(0.01, 100))
@settings(max_examples=30, deadline=None)
def test_one_scale_per_picture_is_forgiven_and_only_in_the_aligned_figures(factor: float) -> None:
    found = judging.score(TRUTH * np.float32(factor), TRUTH, SEEN)
    assert found.aligned == pytest.approx(0, abs=1e-5) and found.delta1 == 1
    assert found.unaligned == pytest.approx(abs(factor - 1), rel=1e-3, abs=1e-5)
    assert found.delta1_unaligned == (1 if 1 / 1.2499 < factor < 1.2499 else found.delta1_unaligned)


def test_scores_by_hand() -> None:
    found = judging.score(np.array([[2.0, 2.0, 2.0]], np.float32), np.array([[1.0, 2.0, 4.0]], np.float32), np.ones((1, 3), bool))
    assert found.aligned == found.unaligned == pytest.approx((1 + 0 + 0.5) / 3)
    assert found.delta1 == pytest.approx(1 / 3)


def test_pixels_that_are_not_seen_do_not_count() -> None:
    guess = TRUTH.copy()
    guess[0, 0] = 1000
    seen = SEEN.copy()
    seen[0, 0] = False
    assert judging.score(guess, TRUTH, seen).unaligned == 0


@pytest.mark.parametrize("path", [priors.LAYOUTS_PRIOR, priors.MIX_PRIOR])
def test_priors_fill_the_frame_and_know_rows_only(path: Path) -> None:
    bands = priors.read_bands(path)
    row, constant = priors.row_prior(280, 504, bands), priors.constant_prior(280, 504, bands)
    assert row.shape == constant.shape == (280, 504)
    assert (row == row[:, :1]).all() and row[40, 0] > row[270, 0] > 0
    assert np.ptp(constant) == 0


class Oracle(MiniModel):
    """Answers by the colour of the picture's first pixel."""

    def __init__(self, answers: dict[int, Estimate]) -> None:
        self.answers = answers

    def estimate(self, rgb: npt.NDArray[np.uint8]) -> Estimate:
        return self.answers[int(rgb[0, 0, 0])]


def three_samples() -> list[Sample]:
    depth = np.linspace(1, 5, 28, dtype=np.float32)[None].repeat(28, 0)
    return [Sample("room", "eye height", Picture(np.full((28, 28, 3), i, np.uint8), depth**i, np.zeros((28, 28), bool), 300.0)) for i in (1, 2, 3)]


def test_shuffling_takes_the_previous_picture_of_the_same_size() -> None:
    """With an oracle for a model, the model scores 0 and every stranger's depth is another picture's."""
    samples = three_samples()
    ground = np.zeros((28, 28), np.float32)
    judged = judging.judge(Oracle({i: Estimate(sample.picture.depth_m, ground, None) for i, sample in enumerate(samples, 1)}), samples)
    assert all(j.model.unaligned == 0 and j.sky_accuracy == 1 for j in judged)
    assert all(j.shuffled.aligned > 0.1 for j in judged)


def test_sky_accuracy_counts_both_mistakes() -> None:
    sample = three_samples()[0]
    sky = np.zeros((28, 28), np.float32)
    sky[:14] = 1
    (judged,) = judging.judge(Oracle({1: Estimate(sample.picture.depth_m, sky, None)}), [sample])
    assert judged.sky_accuracy == 0.5 and judged.sky_overlap == 0


def test_trust_is_below_one_only_where_confidence_knows_the_error() -> None:
    sample = three_samples()[0]
    truth, seen = judging.canonical_truth(sample.picture)
    guess = truth.copy()
    guess[:13] *= 1.5
    sure = np.arange(28, dtype=np.float32)[:, None].repeat(28, 1) + 1
    ground = np.zeros((28, 28), np.float32)
    assert judging.trust(Estimate(guess, ground, sure), truth, seen) == 0
    assert judging.trust(Estimate(guess, ground, 30 - sure), truth, seen) > 1
    assert np.isnan(judging.trust(Estimate(guess, ground, None), truth, seen))


def test_means_leave_out_what_is_no_number() -> None:
    assert judging.mean([1.0, float("nan"), 3.0]) == 2 and np.isnan(judging.mean([float("nan")]))


@pytest.mark.parametrize(
    ("group", "height", "cue"),
    [("tabletop", 1.5, "tabletop"), ("table", 0.9, "tabletop"), ("room", 1.6, "eye height"), ("outdoor", 6.0, "other"), ("floor", 0.5, "other")],
)
def test_a_camera_tells_of_metres_at_eye_height_and_over_a_table(group: str, height: float, cue: str) -> None:
    assert cue_of(group, height) == cue


class Columns(MiniModel):
    """Depth that follows the picture's red channel, times `slip` where the picture is smaller than 280 rows."""

    def __init__(self, slip: float) -> None:
        self.slip = slip

    def estimate(self, rgb: npt.NDArray[np.uint8]) -> Estimate:
        depth = rgb[..., 0].astype(np.float32) / 25 + 1
        if rgb.shape[0] < 280:
            depth = depth ** np.float32(self.slip)
        return Estimate(depth, np.zeros(depth.shape, np.float32), None)


def test_a_model_that_follows_the_picture_is_stable_and_one_that_does_not_is_found() -> None:
    rgb = np.linspace(0, 250, 504).astype(np.uint8)[None, :, None].repeat(280, 0).repeat(3, 2)
    picture = Picture(np.ascontiguousarray(rgb), np.ones((280, 504), np.float32), np.zeros((280, 504), bool), 300.0)
    assert shifted_change(Columns(1.0), picture) < 0.005 and resized_change(Columns(1.0), picture) < 0.01
    assert resized_change(Columns(1.3), picture) > 0.05


def test_a_picture_given_to_the_engine_is_brought_to_one_size_first() -> None:
    """The network sees nearly the same, and the change is a fraction of that between two sizes; another picture is another depth."""
    scene = next(scene for scene in map(draw_scene, range(40)) if scene.layout == "room" and scene.camera.width == 504)
    picture = render(scene)
    model = Path(resolve("depthbridge-mini").path)
    with DepthEngine.open(model, device="cpu", runtime="onnxruntime", cache=None) as engine:
        in_use = resized_change_in_use(engine, picture)
        assert 0 < in_use < 0.01 and in_use < resized_change(MiniModel(model), picture)
        assert stability(MiniModel(model), engine, [picture]).resized_in_use == pytest.approx(in_use)
        first, other = (engine.estimate(rgb).values for rgb in (picture.rgb, picture.rgb[:, ::-1]))
        assert change(first, other, np.zeros_like(first), np.zeros_like(first)) > 0.05


def test_shifting_compares_the_same_points() -> None:
    """A checkerboard of single pixels: a shift the wrong way, or none, compares black with white."""
    board = (np.indices((280, 504)).sum(0) // 1 % 2 * 200).astype(np.uint8)
    board[:, ::3] = 50
    picture = Picture(np.ascontiguousarray(board[..., None].repeat(3, 2)), np.ones((280, 504), np.float32), np.zeros((280, 504), bool), 300.0)
    assert shifted_change(Columns(1.0), picture) == 0


def test_tables_have_a_row_for_each_guess_and_a_column_for_each_set() -> None:
    samples = three_samples()
    ground = np.zeros((28, 28), np.float32)
    found = judging.summary(judging.judge(Oracle({i: Estimate(s.picture.depth_m, ground, None) for i, s in enumerate(samples, 1)}), samples))
    text = tables.side_by_side({"new.onnx": {"first": found, "second": found}, "old.onnx": {"first": found, "second": found}})
    assert [line.split("|")[1].strip() for line in text.splitlines()[2:]] == ["new.onnx", "old.onnx", "row-mean prior", "constant prior"]
    assert text.splitlines()[2].count("0.000 (0.00x)") == 2


def test_evaluation_loads_neither_torch_nor_bpy() -> None:
    check = "import sys, depthbridge.models.training.evaluate; sys.exit(bool({'torch', 'bpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
