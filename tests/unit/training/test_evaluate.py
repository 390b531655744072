# SPDX-License-Identifier: Apache-2.0
"""The yardstick itself: scores by hand, priors that never look, a run that needs neither torch nor bpy."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthbridge.models.training import evaluate, priors
from depthbridge.models.training.shading import Picture

TRUTH = np.linspace(1, 5, 12, dtype=np.float32).reshape(3, 4)
SEEN = np.ones((3, 4), bool)


@given(factor=st.floats(0.01, 100))
@settings(max_examples=30, deadline=None)
def test_one_scale_per_picture_is_forgiven_and_only_in_the_aligned_figures(factor: float) -> None:
    found = evaluate.score(TRUTH * np.float32(factor), TRUTH, SEEN)
    assert found.aligned == pytest.approx(0, abs=1e-5) and found.delta1 == 1
    assert found.unaligned == pytest.approx(abs(factor - 1), rel=1e-3, abs=1e-5)
    assert found.delta1_unaligned == (1 if 1 / 1.2499 < factor < 1.2499 else found.delta1_unaligned)


def test_scores_by_hand() -> None:
    found = evaluate.score(np.array([[2.0, 2.0, 2.0]], np.float32), np.array([[1.0, 2.0, 4.0]], np.float32), np.ones((1, 3), bool))
    assert found.aligned == found.unaligned == pytest.approx((1 + 0 + 0.5) / 3)
    assert found.delta1 == pytest.approx(1 / 3)


def test_pixels_that_are_not_seen_do_not_count() -> None:
    guess = TRUTH.copy()
    guess[0, 0] = 1000
    seen = SEEN.copy()
    seen[0, 0] = False
    assert evaluate.score(guess, TRUTH, seen).unaligned == 0


def test_priors_fill_the_frame_and_know_rows_only() -> None:
    row, constant = priors.row_prior(280, 504), priors.constant_prior(280, 504)
    assert row.shape == constant.shape == (280, 504)
    assert (row == row[:, :1]).all() and row[40, 0] > row[270, 0] > 0
    assert np.ptp(constant) == 0


def test_shuffling_takes_the_previous_picture_of_the_same_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """With an oracle for a model, the model scores 0 and every stranger's depth is another picture's."""
    pictures = [("room", Picture(np.full((28, 28, 3), i, np.uint8), TRUTH.repeat(7, 1)[:, :28].repeat(10, 0)[:28] ** i, np.zeros((28, 28), bool), 300.0))
                for i in (1, 2, 3)]  # fmt: skip
    oracle = {i: (pictures[i - 1][1].depth_m, np.zeros((28, 28), np.float32)) for i in (1, 2, 3)}
    monkeypatch.setattr(evaluate, "run_model", lambda _, rgb: oracle[int(rgb[0, 0, 0])])
    judged = evaluate.judge(None, pictures)  # type: ignore[arg-type]
    assert all(j.model.unaligned == 0 and j.sky_accuracy == 1 for j in judged)
    assert all(j.shuffled.aligned > 0.1 for j in judged)


def test_evaluation_loads_neither_torch_nor_bpy() -> None:
    check = "import sys, depthbridge.models.training.evaluate; sys.exit(bool({'torch', 'bpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
