# SPDX-License-Identifier: Apache-2.0
"""A training plan: which stage a step belongs to, how fast it learns, and its log as a picture."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from depthbridge.models.training.learning_curve import write_curve
from depthbridge.models.training.plan import Plan, Stage

PLAN = Plan((Stage(0.5, 600, 48), Stage(1.0, 400, 16)), warm_up=100, cool_down=0.4)


def test_stages_follow_one_another() -> None:
    assert [PLAN.stage_at(step).factor for step in (0, 599, 600, 999, 5000)] == [0.5, 0.5, 1, 1, 1]
    assert PLAN.steps == 1000


def test_the_pace_rises_stays_and_falls_to_nothing() -> None:
    assert [PLAN.pace(step) for step in (0, 49, 99, 300, 599, 600, 800, 1000)] == pytest.approx([0.01, 0.5, 1, 1, 1, 1, 0.5, 0])


@given(step=st.integers(0, 999))
def test_the_pace_is_a_share(step: int) -> None:
    assert 0 < PLAN.pace(step) <= 1 and 0 < PLAN.keep(step) < 1


@pytest.mark.parametrize("text", ["0.5x10", "2x10x4", "0.5x0x4", "0.5x10x0", "axbxc"])
def test_a_stage_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Stage.parse(text)


def test_a_stage_is_read() -> None:
    assert Stage.parse("0.5x12000x48") == Stage(0.5, 12000, 48)


def test_the_curve_shows_every_row_once_and_a_resumed_step_by_its_last_row(tmp_path: Path) -> None:
    rows = [{"step": s, "batch": 48, "factor": 0.5, "absrel_aligned": a, "absrel": 0.5, "edge_f1": 0.1} for s, a in ((200, 0.9), (400, 0.4), (400, 0.3))]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_curve(tmp_path / "log.jsonl", tmp_path / "curve.svg")
    picture = ET.parse(tmp_path / "curve.svg").getroot()
    text = " ".join(each.text or "" for each in picture.iter())
    lines = [each.get("points", "").split() for each in picture.iter() if each.get("stroke-width")]
    assert "19,200 pictures shown" in text and [len(points) for points in lines] == [2, 2, 2]
    heights = [float(point.split(",")[1]) for point in lines[0]]
    assert heights[0] < heights[1] == pytest.approx(24 + (300 - 24 - 36) * 0.7, abs=0.1)
