# SPDX-License-Identifier: Apache-2.0
"""Captures of all three layouts as data sets: true depth, planar, with the camera; frames without truth count nothing and stay in the list."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from depthbridge.cli.evaluation.datasets.captures import CaptureDataset
from depthbridge.cli.evaluation.datasets.opening import open_dataset
from depthbridge.cli.evaluation.samples import DatasetError
from support.captures import (
    HEIGHT,
    SOLO_TYPE,
    WIDTH,
    make_capture,
    projection_by_columns,
    ramp,
    solo_capture,
    two_boxes,
    write_coco,
    write_exr,
    write_solo_frame,
)
from support.datasets import is_two_colours, two_colours

ENTRIES = [{"image": f"{number}.png", "objects": []} for number in (0, 1)]


def test_our_own_layout_is_read_and_a_frame_without_truth_counts_nothing(tmp_path: Path) -> None:
    make_capture(tmp_path / "c", ENTRIES)
    (tmp_path / "c/depth").mkdir()
    depth = ramp()
    depth[3, 4], depth[3, 5] = math.inf, -1
    write_exr(tmp_path / "c/depth/0.exr", depth)
    data = open_dataset(tmp_path / "c")
    assert data.layout == "capture" and data.names() == ("0.png", "1.png") and data.clamp_m is None
    first, second = data.load("0.png"), data.load("1.png")
    known = np.isfinite(depth) & (depth > 0)
    np.testing.assert_array_equal(first.depth_m, np.where(known, depth, 0))
    np.testing.assert_array_equal(first.counted, known)
    assert first.intrinsics is not None and (first.intrinsics.fx, first.intrinsics.fy) == (30, 31)
    assert not second.counted.any() and "it has no true depth" in second.notes


def test_solos_ranges_are_planar(tmp_path: Path) -> None:
    camera = (30.0, 31.0, 15.0, 11.0)
    about = {"@type": SOLO_TYPE + "DepthAnnotation", "id": "Depth", "sensorId": "camera", "description": "", "measurementStrategy": "Range"}
    depth = {**about, "imageFormat": "Exr", "dimension": [WIDTH, HEIGHT], "filename": "step0.camera.Depth.exr"}
    instances = [(1, "a", (10, 20, 30, 255)), (2, "b", (40, 50, 60, 255))]
    capture = solo_capture(two_boxes(), instances, matrix=projection_by_columns(*camera, WIDTH, HEIGHT), annotations=[depth])
    write_solo_frame(tmp_path / "solo", [capture], [two_colours(HEIGHT, WIDTH)], [two_boxes()])
    distance = [[4 * math.hypot(1, (column + 0.5 - 15) / 30, (row + 0.5 - 11) / 31) for column in range(WIDTH)] for row in range(HEIGHT)]
    write_exr(tmp_path / "solo/sequence.0/step0.camera.Depth.exr", distance)
    data = open_dataset(tmp_path / "solo")
    sample = data.load(data.names()[0])
    np.testing.assert_allclose(sample.depth_m, 4.0, rtol=1e-6)
    assert is_two_colours(sample.rgb) and sample.intrinsics is not None
    assert (sample.intrinsics.cx, sample.intrinsics.cy) == pytest.approx((15, 11))


def test_coco_with_depth_beside_it(tmp_path: Path) -> None:
    write_coco(tmp_path, {"a.png": two_colours(HEIGHT, WIDTH)}, [], intrinsics={"fx": 33.0, "width": WIDTH, "height": HEIGHT})
    (tmp_path / "depth").mkdir()
    write_exr(tmp_path / "depth/a.exr", ramp())
    data = open_dataset(tmp_path)
    sample = data.load(data.names()[0])
    assert data.layout == "capture" and sample.counted.all() and sample.intrinsics is not None and sample.intrinsics.fx == 33
    np.testing.assert_array_equal(sample.depth_m, ramp())


def test_a_capture_without_any_truth_is_refused_at_once(tmp_path: Path) -> None:
    make_capture(tmp_path / "c", ENTRIES)
    with pytest.raises(DatasetError, match="a capture without true depth"):
        CaptureDataset.open(tmp_path / "c")
