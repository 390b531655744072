# SPDX-License-Identifier: Apache-2.0
"""Depth against the truth: the published formulas, sums that add up, and the files that carry them."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from depthbridge.unity_bridge.captures.accuracy import Accuracy, FrameAccuracy, compare
from depthbridge.unity_bridge.captures.annotate import annotate_capture
from depthbridge.unity_bridge.captures.reader import CaptureObject, LoadedFrame
from support.captures import HEIGHT, WIDTH, FixedDepth, make_capture, ramp, results, two_boxes, write_exr
from support.known_depth import depth_map

DEPTHS = arrays.arrays(np.float32, (6, 7), elements=st.one_of(st.just(0.0), st.floats(0.125, 100, width=32)))
MASKS = arrays.arrays(np.int32, (6, 7), elements=st.integers(0, 5))


def loaded(truth, *layers, objects=()):
    image = np.zeros((*truth.shape, 3), np.uint8)
    return LoadedFrame(image, tuple(layers), None, tuple(objects), truth)


def by_hand(estimated, true):
    """Eigen et al. 2014, section 4.3, number by number."""
    pairs = [(float(d), float(t)) for d, t in zip(estimated, true, strict=True) if d > 0 and t > 0]
    if not pairs:
        return None
    n = len(pairs)
    return (
        n,
        sum(abs(d - t) / t for d, t in pairs) / n,
        (sum((d - t) ** 2 for d, t in pairs) / n) ** 0.5,
        sum(max(d / t, t / d) < 1.25 for d, t in pairs) / n,
    )


def numbers(accuracy):
    return (accuracy.pixels, accuracy.abs_rel, accuracy.rmse_m, accuracy.delta1) if accuracy.pixels else None


@given(DEPTHS, DEPTHS, MASKS)
def test_the_formulas_of_every_object_of_all_and_of_the_whole(estimated, true, mask):
    items = [CaptureObject({}, value) for value in (3, 1, 9)]
    found = compare(depth_map(estimated, None, valid=estimated > 0), loaded(true, mask, objects=items))
    assert numbers(found.whole) == close(by_hand(estimated.ravel(), true.ravel()))
    for item, accuracy in zip(items, found.objects, strict=True):
        chosen = mask == item.mask_value
        assert numbers(accuracy) == close(by_hand(estimated[chosen], true[chosen]))
    named = np.isin(mask, (1, 3))
    assert numbers(found.of_objects) == close(by_hand(estimated[named], true[named]))
    assert FrameAccuracy.from_json(json.loads(json.dumps(found.to_json()))) == found


def close(values):
    return None if values is None else pytest.approx(values, rel=1e-6, abs=1e-9)


@given(DEPTHS, DEPTHS, st.integers(0, 42))
def test_sums_of_parts_are_the_whole(estimated, true, cut):
    flat, truth = estimated.reshape(1, -1), true.reshape(1, -1)
    parts = [
        compare(depth_map(flat[:, part], None, valid=flat[:, part] > 0), loaded(truth[:, part], np.zeros(truth[:, part].shape, np.int32))).whole
        for part in (slice(None, cut), slice(cut, None))
        if flat[:, part].size
    ]
    whole = compare(depth_map(flat, None, valid=flat > 0), loaded(truth, np.zeros(truth.shape, np.int32))).whole
    assert numbers(sum(parts, Accuracy())) == close(numbers(whole))


def test_pixels_where_objects_overlap_count_once():
    first, second = np.zeros((2, 3), np.int32), np.zeros((2, 3), np.int32)
    first[:, :2], second[:, 1:] = 1, 2
    items = [CaptureObject({}, 1, 0), CaptureObject({}, 2, 1)]
    truth = np.full((2, 3), 2, np.float32)
    found = compare(depth_map(truth * 2, None), loaded(truth, first, second, objects=items))
    assert [each.pixels for each in found.objects] == [4, 4] and found.of_objects.pixels == 6
    assert found.whole.to_json() == {"pixels": 6, "abs_rel": 1.0, "rmse_m": 2.0, "delta1": 0.0}


def test_a_ratio_of_exactly_1_25_is_not_within():
    truth = np.full((1, 2), 4, np.float32)
    found = compare(depth_map(np.array([[5.0, 4.99]], np.float32), None), loaded(truth, np.zeros((1, 2), np.int32)))
    assert found.whole.within == 1


def test_the_files(tmp_path):
    entries = [
        {"image": "a.png", "objects": [{"id": 1, "category": "cube"}, {"id": 2, "category": "box"}]},
        {"image": "b.png", "objects": [{"id": 1, "category": "cube"}, {"id": 2}]},
        {"image": "c.png", "objects": []},
    ]
    capture = make_capture(tmp_path / "capture", entries)
    (capture / "depth").mkdir()
    near = ramp()
    write_exr(capture / "depth" / "a.exr", near)
    write_exr(capture / "depth" / "b.exr", near * 2)
    summary = annotate_capture(capture, tmp_path / "out", FixedDepth(near * 1.1))
    data = json.loads((tmp_path / "out" / "accuracy.json").read_text())
    mask = two_boxes()
    pixels = np.tile(near[mask > 0], 2)
    truth = np.concatenate([near[mask > 0], near[mask > 0] * 2])
    wanted = by_hand(pixels * np.float32(1.1), truth)
    got = data["all_objects"]
    assert (got["pixels"], got["abs_rel"], got["rmse_m"], got["delta1"]) == pytest.approx(wanted, rel=1e-4)
    assert data["whole_frames"]["pixels"] == 2 * HEIGHT * WIDTH
    assert data["classes"]["cube"]["objects"] == 2 and data["classes"]["cube"]["pixels"] == 48
    assert data["classes"]["cube"]["abs_rel"] == pytest.approx((0.1 + 0.45) / 2, abs=1e-3)
    assert [frame["image"] for frame in data["frames"]] == ["a.png", "b.png"]
    assert [item["delta1"] for item in data["frames"][0]["objects"]] == [1, 1] and "1.25" in data["formulas"]["delta1"]
    assert results(tmp_path / "out")[0]["objects"][0]["accuracy"]["abs_rel"] == pytest.approx(0.1, abs=1e-4)
    assert summary.totals.classes["cube"][1] == 2 and summary.to_json()["accuracy"]["all_objects"] == got
    with (tmp_path / "out" / "accuracy.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["scope"] for row in rows[:4]] == ["all objects", "whole frames", "class", "class"]
    assert sum(row["scope"] == "object" for row in rows) == 4
    (row,) = [row for row in rows if row["image"] == "b.png" and row["category"] == "cube"]
    assert float(row["abs_rel"]) == pytest.approx(0.45, abs=1e-3) and row["id"] == "1"


def test_without_truth_there_is_nothing_to_say(tmp_path):
    capture = make_capture(tmp_path / "capture", [{"image": "a.png", "objects": [{"id": 1}]}])
    summary = annotate_capture(capture, tmp_path / "out", FixedDepth(ramp()))
    assert not list((tmp_path / "out").glob("accuracy*")) and summary.to_json()["accuracy"] == {"all_objects": None, "whole_frames": None}
    assert "accuracy" not in results(tmp_path / "out")[0]["objects"][0]
