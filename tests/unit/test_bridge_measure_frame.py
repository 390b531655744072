# SPDX-License-Identifier: Apache-2.0
"""A frame measured whole: which objects are answered, in which unit, and what is doubted."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depthbridge.engines import CameraIntrinsics, CameraSource, DepthKind, DepthMap
from depthbridge.engines.engine import DepthEngine
from depthbridge.unity_bridge.errors import NoMetricDepthError
from depthbridge.unity_bridge.measuring.frame import MAX_UNLISTED, measure_frame
from depthbridge.unity_bridge.measuring.measure import MaskObjects, measure_objects
from depthbridge.unity_bridge.measuring.records import ObjectRecord
from depthbridge.unity_bridge.results import MEASURED, STAGES, FrameResult, ObjectResult, StageTiming, rounded
from support import onnx_models as models

CAMERA = CameraIntrinsics(20, 20, 12, 8, 24, 16)
RESULT_KEYS = ["kind", "unit", "fit", "mask_flip_suspected", "warnings", "unlisted", "unlisted_pixels", "objects"]


def mask_of_three():
    mask = np.zeros((16, 24), np.int32)
    mask[2:8, 1:7], mask[2:8, 9:15], mask[2:8, 17:23] = 7, -3, 4000
    return mask


def metric(depth=2.0, **more):
    return replace(DepthMap.exact(np.full((16, 24), depth, np.float32), CAMERA, "oracle"), **more)


def test_without_records_each_value_is_answered_ascending():
    frame = measure_frame(metric(), mask_of_three())
    assert [(item.id, item.mask_value) for item in frame.objects] == [(-3, -3), (7, 7), (4000, 4000)] and frame.unlisted == ()
    assert list(frame.objects) == measure_objects(metric(), mask_of_three())


def test_records_are_answered_in_their_order_and_others_are_counted():
    records = [
        ObjectRecord("cup", 4000, {"category": "cup", "bbox": {"any": [1]}}),
        ObjectRecord(5, 12),
        ObjectRecord(0, 7, {"parent_id": "cup"}),
    ]
    frame = measure_frame(metric(), mask_of_three(), records)
    assert [item.id for item in frame.objects] == ["cup", 5, 0] and frame.mask_values == (4000, 12, 7)
    assert frame.unlisted == (-3,) and frame.unlisted_pixels == 36
    cup, gone, plate = (item.to_json() for item in frame.objects)
    assert cup["category"] == "cup" and cup["bbox"] == {"any": [1]} and "parent_id" not in cup and plate["parent_id"] == "cup"
    assert gone["pixel_count"] == 0 and gone["distance"] is None and gone["reason"] == "No pixel of the mask has the value 12."


def test_an_unlisted_neighbour_still_ends_an_object():
    mask = np.ones((16, 24), np.uint8)
    mask[:, 12:] = 2
    (alone,) = measure_frame(metric(), mask, [ObjectRecord(1, 1)]).objects
    assert alone == measure_frame(metric(), mask).objects[0] and alone.measured_pixel_count == 16 * 11


def test_at_most_a_hundred_unlisted_values_are_listed_and_all_counted():
    mask = np.arange(1, 385, dtype=np.uint16).reshape(16, 24)
    frame = measure_frame(metric(), mask, [ObjectRecord(1, 1)])
    assert frame.unlisted == tuple(range(2, MAX_UNLISTED + 2)) and frame.unlisted_pixels == 383


def test_a_colour_has_no_mask_value_to_show():
    frame = measure_frame(metric(), mask_of_three(), [ObjectRecord("a", 7, by_colour=True), ObjectRecord("b", 9, by_colour=True)])
    assert [item.to_json()["mask_value"] for item in frame.objects] == [None, None]
    assert frame.objects[1].reason == "No pixel of the mask has its colour."


@pytest.mark.parametrize(("kind", "unit"), [(DepthKind.METRIC, "m"), (DepthKind.RELATIVE, "relative"), (DepthKind.DISPARITY, "relative")])
def test_the_unit_says_whether_there_are_metres_and_a_sentence_how_to_get_them(kind, unit):
    frame = measure_frame(metric(kind=kind), mask_of_three())
    assert (frame.kind, frame.unit) == (kind, unit)
    assert [("known distance" in text, "metric model" in text) for text in frame.warnings] == ([] if unit == "m" else [(True, True)])


def test_the_keys_are_the_protocols_and_a_client_reads_them_back():
    records = [ObjectRecord("x", 7, {}, 3.0), ObjectRecord("y", 5)]
    frame = measure_frame(metric(), mask_of_three(), records, extrinsics=np.eye(3, 4), image=np.zeros((16, 24, 3), np.uint8))
    said = frame.to_json()
    assert list(said) == RESULT_KEYS
    text = json.dumps({"model": "oracle", "camera_source": "given", "width": 24, "height": 16, **said}, allow_nan=False)
    timing = {name: 1.0 for name in ("queue", "decode", "infer", "measure", "encode")}
    read = FrameResult.from_json({"result": json.loads(text), "timing_ms": timing, "batch": 3})
    assert read.fit == replace(frame.fit, residual_relative=round(frame.fit.residual_relative, 6)) and read.batch == 3
    assert (read.kind, read.unit, read.unlisted, read.unlisted_pixels) == (frame.kind, "m", frame.unlisted, frame.unlisted_pixels)
    assert [item.to_json() for item in read.objects] == said["objects"] and read.object("x").distance.median == 3.0
    assert read.mask_flip_suspected is None and read.warnings == frame.warnings
    with pytest.raises(KeyError):
        read.object("z")


def test_all_that_is_measured_of_an_object_is_said():
    assert {each.name for each in fields(ObjectResult)} == {"id", "mask_value", "record", *MEASURED}
    assert (*STAGES, "total") == tuple(StageTiming(1, 2, 3, 4, 5).to_json()) and StageTiming(1, 2, 3, 4, 5).total == 15
    for kind in DepthKind:
        (item,) = measure_frame(metric(kind=kind), np.ones((16, 24), np.uint8)).objects
        expected = [name for name in MEASURED if name not in ("disparity", "reason") or kind is DepthKind.DISPARITY]
        assert list(item.measured_json()) == expected


LENGTHS = st.floats(-1e6, 1e6).filter(lambda value: abs(value) > 1e-300) | st.floats(-0.11, 0.11).filter(lambda value: abs(value) > 1e-300)


@given(LENGTHS, LENGTHS)
def test_rounding_keeps_micrometres_small_numbers_and_their_order(one, other):
    said = rounded(one)
    assert abs(said - one) <= 5.000001e-7 * (1.0 if abs(one) >= 0.1 else abs(one))
    assert (said > 0, said < 0) == (one > 0, one < 0)
    assert rounded(said) == said and rounded(-one) == -said
    assert (rounded(min(one, other)), rounded(max(one, other))) == tuple(sorted((said, rounded(other))))


@given(st.integers(-12, 3), st.sampled_from([DepthKind.RELATIVE, DepthKind.DISPARITY]), st.integers(0, 2**32))
def test_a_map_of_any_scale_says_as_much(exponent, kind, seed):
    values = np.random.default_rng(seed).uniform(0.2, 1.0, (16, 24)).astype(np.float32)
    one, scaled = (measure_frame(metric(values * np.float32(by), kind=kind), mask_of_three()).to_json()["objects"] for by in (1.0, 10.0**exponent))
    for there, here in zip(one, scaled, strict=True):
        name = "disparity" if kind is DepthKind.DISPARITY else "distance"
        wanted, got = list(there[name].values()), [value / 10.0**exponent for value in here[name].values()]
        assert got == pytest.approx(wanted, rel=6e-6)
        if kind is DepthKind.RELATIVE:
            assert here["position"]["z"] == here["distance"]["center"]
            assert min(here["extent"]["size"]) > 0


def test_a_map_that_lacks_its_focal_length_is_refused_unless_a_distance_is_known():
    lacking = metric(kind=DepthKind.RELATIVE, camera=None, camera_source=CameraSource.NONE, scale_note="Give the focal length.")
    with pytest.raises(NoMetricDepthError, match="intrinsics"):
        measure_frame(lacking, mask_of_three())
    frame = measure_frame(lacking, mask_of_three(), [ObjectRecord(1, 7, {}, 5.0)])
    assert frame.unit == "m" and frame.objects[0].distance.median == 5.0 and frame.objects[0].range is None


def test_a_mask_taken_apart_before_measures_the_same():
    assert measure_frame(metric(), MaskObjects.of(mask_of_three())).to_json() == measure_frame(metric(), mask_of_three()).to_json()


def test_a_frame_without_objects_has_none():
    frame = measure_frame(metric(), np.zeros((16, 24), np.uint8), image=np.zeros((16, 24, 3), np.uint8))
    assert frame.objects == () and frame.to_json()["objects"] == [] and frame.mask_flip_suspected is None
    assert measure_frame(metric(), np.ones((16, 24), np.uint8), []).unlisted_pixels == 16 * 24


def test_arrays_of_other_sizes_are_refused():
    with pytest.raises(ValueError, match="mask of integers"):
        measure_frame(metric(), np.ones((16, 25), np.uint8))
    with pytest.raises(ValueError, match="image of"):
        measure_frame(metric(), mask_of_three(), image=np.zeros((8, 24, 3), np.uint8))
    with pytest.raises(ValueError, match="3 rows of 4"):
        measure_frame(metric(), mask_of_three(), extrinsics=np.eye(4))


def test_a_model_of_stated_range_says_what_is_at_its_end_and_others_do_not(tmp_path):
    """A network that ends in sigmoid times 20 m says at most 20 m. Fitted to a known distance its map has another end, which nobody knows."""
    image, mask = np.full((28, 42, 3), 40, np.uint8), np.ones((28, 42), np.uint8)
    camera = CameraIntrinsics(40, 40, 21, 14, 42, 28)
    with DepthEngine.open(models.da2_metric(tmp_path / "indoor.onnx", 20.0)) as engine:
        depth_map = engine.estimate(image, camera)
    assert depth_map.max_depth_m == 20.0
    (item,) = measure_frame(depth_map, mask).objects
    assert item.out_of_range is False and item.distance.median < 19
    (item,) = measure_frame(replace(depth_map, max_depth_m=item.distance.median), mask).objects
    assert item.out_of_range is True
    (item,) = measure_frame(depth_map, mask, [ObjectRecord(1, 1, {}, 3.0)]).objects
    assert item.out_of_range is None
    with DepthEngine.open(models.da2_relative(tmp_path / "relative.onnx")) as engine:
        assert engine.estimate(image, camera).max_depth_m is None
