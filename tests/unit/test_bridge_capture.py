# SPDX-License-Identifier: Apache-2.0
"""Capture folders: the published example, the rules for ids, cameras and masks, and that a capture is only ever read."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hypothesis_arrays
from PIL import Image

from depthbridge.engines import CameraIntrinsics, CameraSource, DepthKind, DepthMap
from depthbridge.engines.errors import CameraError, CaptureError, OutputError
from depthbridge.unity_bridge.captures.annotate import annotate_capture
from depthbridge.unity_bridge.captures.capture import Capture
from depthbridge.unity_bridge.captures.masks import StoredMask, mask_of_colours
from depthbridge.unity_bridge.captures.progress import PROGRESS
from depthbridge.unity_bridge.captures.truth import read_depth_exr
from depthbridge.unity_bridge.errors import NoMetricDepthError
from support.captures import HEIGHT, INTRINSICS, WIDTH, FixedDepth, make_capture, ramp, results, tree, two_boxes, write_exr

# ---- the example of the format's description --------------------------------------------------------------------

EXAMPLE = """[{"image": "00042.png", "objects": [
  {"id": 0, "category": "red_cube", "bbox": [512, 600, 580, 668]},
  {"id": 1, "category": "green_parallelepiped", "bbox": [530, 550, 562, 600], "parent_id": 0}]}]"""
EXPECTED = """[{"image": "00042.png", "objects": [
  {"id": 0, "category": "red_cube", "bbox": [512, 600, 580, 668], "distance": {"center": 0.85, "mean": 0.87, "min": 0.82, "max": 0.91}},
  {"id": 1, "category": "green_parallelepiped", "bbox": [530, 550, 562, 600], "parent_id": 0,
   "distance": {"center": 0.83, "mean": 0.84, "min": 0.81, "max": 0.86}}]}]"""


def test_the_published_example(tmp_path):
    wanted = json.loads(EXPECTED)
    size = (1024, 1024)
    mask, depth = np.zeros(size, np.uint8), np.full(size, 7.0)
    for value, item in enumerate(wanted[0]["objects"], start=1):
        x0, y0, x1, y1 = item["bbox"]
        numbers = item["distance"]
        mask[y0:y1, x0:x1] = value
        box = depth[y0:y1, x0:x1]
        # Off the silhouette, which is not measured.
        fixed = {(2, 2): numbers["min"], (2, 3): numbers["max"]}
        # Of an even number of rows and columns four pixels are nearest to the middle; any may be the centre.
        middle = [((y1 - y0) // 2 - a, (x1 - x0) // 2 - b) for a in (0, 1) for b in (0, 1)]
        fixed |= dict.fromkeys(middle, numbers["center"])
        core = (x1 - x0 - 2) * (y1 - y0 - 2)
        box[...] = (numbers["mean"] * core - sum(fixed.values())) / (core - len(fixed))
        for place, number in fixed.items():
            box[place] = number
    intrinsics = {"fov_vertical": 60, "width": 1024, "height": 1024, "focal_length_x": 886.81, "focal_length_y": 886.81}
    capture = make_capture(tmp_path / "capture", json.loads(EXAMPLE), mask, intrinsics, size)
    (capture / "annotations.json").write_text(EXAMPLE)
    oracle = FixedDepth(depth)
    summary = annotate_capture(capture, tmp_path / "out", oracle)
    (entry,) = results(tmp_path / "out")
    for got, want in zip(entry["objects"], wanted[0]["objects"], strict=True):
        distance = want.pop("distance")
        # What the file had, first and in its order; ours behind it.
        assert list(got)[: len(want)] == list(want) and {name: got[name] for name in want} == want
        assert {name: got["distance"][name] for name in distance} == pytest.approx(distance, abs=1e-4)
        assert got["distance"]["median"] > 0 and got["position"]["z"] == got["distance"]["center"]
        x0, y0, x1, y1 = want["bbox"]
        assert got["pixel_count"] == (x1 - x0) * (y1 - y0) and got["valid_fraction"] == 1
    assert (entry["image"], entry["unit"], entry["model"], entry["camera_source"]) == ("00042.png", "m", "oracle", "given")
    assert oracle.cameras == [CameraIntrinsics(886.81, 886.81, 512, 512, 1024, 1024)]
    assert summary.to_json()["annotated"] == 1 and summary.to_json()["notes"] == []


# ---- ids --------------------------------------------------------------------------------------------------------


def mask_values(tmp_path, entries):
    capture = Capture.open(make_capture(tmp_path, entries))
    return [[item.mask_value for item in capture.load(frame).objects] for frame in capture.frames]


def test_ids_are_mask_values_unless_any_id_in_the_whole_file_is_zero(tmp_path):
    first, second = {"image": "a.png", "objects": [{"id": 1}, {"id": 2}]}, {"image": "b.png", "objects": [{"id": 0}]}
    assert mask_values(tmp_path / "from-one", [first]) == [[1, 2]]
    assert mask_values(tmp_path / "from-zero", [first, second]) == [[2, 3], [1]]


def test_a_given_mask_value_counts(tmp_path):
    entries = [{"image": "a.png", "objects": [{"id": 0, "mask_value": 9}, {"id": 1}, {"id": "post", "mask_value": 5}]}]
    assert mask_values(tmp_path, entries) == [[9, 2, 5]]


@pytest.mark.parametrize(
    ("objects", "words"),
    [
        ([{"id": 4}, {"id": 7, "mask_value": 4}], "same mask value 4"),
        ([{"id": 1, "mask_value": 0}], "background"),
        ([{"id": -3}], "-3"),
        ([{"id": 70_000}], "70000"),
        ([{"category": "x"}], "no mask_value"),
        ([{"id": True}], "True"),
        ([{"id": 1, "mask_value": 1.5}], "1.5"),
        (["x"], "objects"),
        (None, "objects"),
    ],
)
def test_objects_that_cannot_be_told_apart_fail_their_frame(tmp_path, objects, words):
    capture = Capture.open(make_capture(tmp_path, [{"image": "a.png", "objects": objects}]))
    with pytest.raises(CaptureError, match=words):
        capture.load(capture.frames[0])


# ---- cameras ----------------------------------------------------------------------------------------------------


def load_one(folder, intrinsics=INTRINSICS, **entry):
    capture = Capture.open(make_capture(folder, [{"image": "a.png", "objects": [], **entry}], intrinsics=intrinsics))
    return capture.load(capture.frames[0])


def test_a_camera_of_its_own_replaces_that_of_the_file(tmp_path):
    frame = load_one(tmp_path, camera={"fov_vertical": 90})
    camera = frame.camera
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == pytest.approx((12, 12, 16, 12))


def test_focal_lengths_win_over_a_field_of_view_and_a_disagreement_is_noted(tmp_path):
    wide = load_one(tmp_path / "1", {**INTRINSICS, "fov_vertical": 60})  # 20.8 px
    assert (wide.camera.fx, wide.camera.fy) == (30.0, 31.0)
    assert any("fov_vertical" in note and "20.78" in note and "31.00" in note for note in wide.notes)
    close = {**INTRINSICS, "fov_vertical": 60, "focal_length_x": 20.8, "focal_length_y": 20.8}
    assert not any("fov_vertical" in note for note in load_one(tmp_path / "2", close).notes)


def test_a_principal_point_is_used(tmp_path):
    camera = load_one(tmp_path, {**INTRINSICS, "principal_point_x": 3.5, "principal_point_y": 4.5}).camera
    assert (camera.cx, camera.cy) == (3.5, 4.5)


@pytest.mark.parametrize(
    ("intrinsics", "words"),
    [
        ({**INTRINSICS, "width": 640}, "640x24"),
        ({**INTRINSICS, "focal_length_x": float("nan")}, "finite"),
        ({**INTRINSICS, "focal_length_y": -31}, "positive"),
        ({"width": WIDTH, "height": HEIGHT}, "focal"),
    ],
)
def test_a_camera_that_does_not_fit_fails_the_frame(tmp_path, intrinsics, words):
    with pytest.raises(CameraError, match=words):
        load_one(tmp_path, intrinsics)


def test_no_camera_at_all(tmp_path):
    with pytest.raises(CaptureError, match=r"camera_intrinsics\.json"):
        load_one(tmp_path / "1", None)
    assert load_one(tmp_path / "2", None, camera={"fx": 20, "fy": 20}).camera.fx == 20


# ---- masks, truth, files -----------------------------------------------------------------------------------------


def reload_mask(folder, save):
    capture = Capture.open(make_capture(folder, [{"image": "a.png", "objects": []}]))
    save(folder / "masks" / "a.png")
    return capture.load(capture.frames[0]).mask


def test_masks_of_eight_and_sixteen_bits_and_palettes(tmp_path):
    ids = np.zeros((HEIGHT, WIDTH), np.uint16)
    ids[3:9, 2:7], ids[10:, 20:] = 3, 40_000
    small = np.minimum(ids, 5).astype(np.uint8)
    assert np.array_equal(reload_mask(tmp_path / "16", lambda path: Image.fromarray(ids).save(path)), ids)
    assert np.array_equal(reload_mask(tmp_path / "8", lambda path: Image.fromarray(small).save(path)), small)
    coloured = Image.fromarray(small).convert("L")
    coloured.putpalette(np.random.default_rng(1).integers(0, 255, 768, dtype=np.uint8).tobytes())
    assert np.array_equal(reload_mask(tmp_path / "colours", lambda path: coloured.save(path)), small)
    # An optimiser's palette: index 0, 1, 2 stand for the greys 0, 3, 5.
    grey = Image.fromarray(np.searchsorted([0, 3, 5], small).astype(np.uint8)).convert("L")
    grey.putpalette(bytes(value for value in (0, 3, 5) for _ in range(3)))
    assert np.array_equal(reload_mask(tmp_path / "greys", lambda path: grey.save(path)), small)


def test_a_mask_of_fewer_bits_keeps_its_values(tmp_path):
    import struct
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes([0x01, 0x23] * (WIDTH // 4)) for _ in range(HEIGHT))
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, 4, 0, 0, 0, 0))
    png += chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    mask = reload_mask(tmp_path, lambda path: path.write_bytes(png))
    assert mask[0, :4].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("save", "words"),
    [
        (lambda path: Image.fromarray(np.zeros((HEIGHT, WIDTH, 3), np.uint8)).save(path), "3 channels"),
        (lambda path: Image.fromarray(np.zeros((HEIGHT, WIDTH, 4), np.uint8)).save(path), "4 channels"),
        (lambda path: Image.fromarray(np.zeros((HEIGHT, WIDTH + 1), np.uint8)).save(path), "33x24"),
        (lambda path: Image.fromarray(np.zeros((HEIGHT, WIDTH), np.uint8)).save(path, format="JPEG"), "no PNG"),
        (lambda path: path.write_bytes(path.read_bytes()[:70]), "cannot be read"),
        (lambda path: path.write_bytes(b""), "no PNG"),
        (lambda path: path.unlink(), "missing"),
    ],
)
def test_a_bad_mask_fails_the_frame_in_one_sentence(tmp_path, save, words):
    with pytest.raises(CaptureError, match=words) as caught:
        reload_mask(tmp_path, save)
    assert "masks/a.png" in str(caught.value) and "\n" not in str(caught.value)


# ---- colours ----------------------------------------------------------------------------------------------------


def coloured(folder, objects, colours, *, alpha=True, mapping=None):
    """A capture whose mask shows the colours of mask values 1, 2, ..., loaded."""
    make_capture(folder, [{"image": "a.png", "objects": objects}])
    pixels = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    pixels[..., 3] = 255
    for value, colour in enumerate(colours, start=1):
        pixels[two_boxes() == value, : len(colour)] = colour
    Image.fromarray(pixels if alpha else np.ascontiguousarray(pixels[..., :3])).save(folder / "masks" / "a.png")
    if mapping is not None:
        (folder / "mask_colours.json").write_text(json.dumps(mapping))
    capture = Capture.open(folder)
    return capture.load(capture.frames[0])


RED, BLUE = [255, 0, 0], [0, 0, 255]


def test_colours_are_those_of_the_objects_or_of_the_map(tmp_path):
    own = coloured(tmp_path / "1", [{"id": "b", "colour": BLUE}, {"id": "r", "color": RED}], [RED, BLUE], alpha=False)
    assert [item.mask_value for item in own.objects] == [1, 2]
    assert np.array_equal(own.mask, np.array([0, 2, 1])[two_boxes()]) and own.notes == ()
    ids = [{"id": 0}, {"id": 1}]  # from 0, so that their mask values are 1 and 2
    by_map = coloured(tmp_path / "2", ids, [RED, BLUE], mapping={"1": RED, "2": BLUE, "9": [1, 1, 1]})
    assert np.array_equal(by_map.mask, two_boxes())
    mixed = coloured(tmp_path / "3", [{"id": 1, "colour": BLUE}, {"id": 2}, {"id": 7}], [RED, BLUE], mapping={"1": [9, 9, 9], "2": RED})
    assert np.array_equal(mixed.mask, np.array([0, 2, 1])[two_boxes()])
    assert "Nothing says which colour" in mixed.objects[2].reason


def test_alpha_counts_when_the_colours_have_one(tmp_path):
    colours = [[0, 0, 5, 254], [0, 0, 5, 253]]
    objects = [{"id": 1, "colour": colours[0]}, {"id": 2, "colour": colours[1]}]
    assert np.array_equal(coloured(tmp_path / "1", objects, colours).mask, two_boxes())
    without = coloured(tmp_path / "2", [{"id": 1, "colour": [0, 0, 5]}], colours)
    assert np.array_equal(without.mask, two_boxes() > 0)


def test_a_palette_of_colours_is_read_either_way(tmp_path):
    def palette(path):
        image = Image.fromarray(two_boxes()).convert("L")
        image.putpalette([0, 0, 0, *RED, *BLUE] + [7, 8, 9] * 253)
        image.save(path)

    make_capture(tmp_path, [{"image": "a.png", "objects": [{"id": 1}, {"id": 2}]}])
    palette(tmp_path / "masks" / "a.png")
    capture = Capture.open(tmp_path)
    assert np.array_equal(capture.load(capture.frames[0]).mask, two_boxes())
    (tmp_path / "mask_colours.json").write_text(json.dumps({"1": BLUE, "2": RED}))
    capture = Capture.open(tmp_path)
    assert np.array_equal(capture.load(capture.frames[0]).mask, np.array([0, 2, 1])[two_boxes()])


def test_pixels_of_no_colour_are_told_and_an_absent_colour_has_its_reason(tmp_path):
    folder = tmp_path / "capture"
    frame = coloured(folder, [{"id": 1, "colour": RED}, {"id": 2, "colour": [1, 2, 3]}], [RED, BLUE])
    assert frame.notes == ("a.png: 160 pixels of the mask have a colour that belongs to no object",)
    annotate_capture(folder, tmp_path / "out", FixedDepth(ramp()))
    seen, absent = results(tmp_path / "out")[0]["objects"]
    assert seen["pixel_count"] == 24 and absent["pixel_count"] == 0 and "[1, 2, 3]" in absent["reason"]


@pytest.mark.parametrize(
    ("objects", "mapping", "words"),
    [
        ([{"id": 1}], None, "3 channels|4 channels"),
        ([{"id": 1, "colour": "red"}], None, "4 channels"),
        ([{"id": 1, "colour": [1, 2]}], None, r"object 1 has the colour \[1, 2\]"),
        ([{"id": 1, "colour": [1, 2, 256]}], None, "256"),
        ([{"id": 1, "colour": RED}, {"id": 2, "colour": RED}], None, "two objects have the colour"),
        ([{"id": 1, "colour": RED}, {"id": 2, "colour": [0, 0, 255, 255]}], None, "some colours of the objects have 3 numbers and some 4"),
        ([{"id": 1}], [RED], "no JSON object"),
        ([{"id": 1}], {"one": RED}, "the key 'one'"),
        ([{"id": 1}], {"1": 5}, "mask value 1 has the colour 5"),
    ],
)
def test_colours_that_say_nothing_fail_in_one_sentence(tmp_path, objects, mapping, words):
    with pytest.raises(CaptureError, match=words):
        coloured(tmp_path, objects, [RED, BLUE], mapping=mapping)


@given(hypothesis_arrays.arrays(np.uint8, (7, 9, 4), elements=st.integers(0, 2)), st.booleans())
def test_every_pixel_has_the_object_of_its_colour(pixels, with_alpha):
    colours = [(0, 1, 2, 1), None, (2, 2, 2, 0), (1, 0, 0, 2)]
    named = [colour if colour is None or with_alpha else colour[:3] for colour in colours]
    mask, unlisted = mask_of_colours(StoredMask("m", None, pixels, "RGBA"), named)
    places = {colour: place for place, colour in enumerate(named, start=1) if colour is not None}
    length = 4 if with_alpha else 3
    wanted = [[places.get(tuple(int(part) for part in pixel[:length]), 0) for pixel in row] for row in pixels]
    assert mask.tolist() == wanted
    assert unlisted == int(((mask == 0) & pixels[..., :3].any(axis=2)).sum())


def test_more_colours_than_a_mask_holds_fail_in_one_sentence():
    stored = StoredMask("m", None, np.full((1, 2, 4), 255, np.uint8), "RGBA")
    most = [(1, place >> 8, place & 255) for place in range(65534)] + [(255, 255, 255)]
    assert mask_of_colours(stored, most)[0].tolist() == [[65535, 65535]]
    with pytest.raises(CaptureError, match="there are 65536 objects and a mask of colours holds at most 65535"):
        mask_of_colours(stored, [*most, None])


def test_extrinsics_of_a_picture_give_places_in_the_world(tmp_path):
    camera = {"fx": 30, "fy": 30, "extrinsics": [[0, 0, 1, 1], [0, 1, 0, 2], [1, 0, 0, 3]]}  # a reflection, as of a left-handed world
    make_capture(tmp_path / "capture", [{"image": "a.png", "objects": [{"id": 2}], "camera": camera}])
    annotate_capture(tmp_path / "capture", tmp_path / "out", FixedDepth(ramp()))
    (item,) = results(tmp_path / "out")[0]["objects"]
    seen, world = item["position"], item["position_world"]
    assert [world[name] for name in "xyz"] == pytest.approx([seen["z"] - 3, seen["y"] - 2, seen["x"] - 1], abs=1e-6)
    assert item["extent_world"]["size"] == pytest.approx(item["extent"]["size"], abs=1e-5)


@pytest.mark.parametrize(
    "extrinsics", [5, [], [[1, 0, 0, 0]] * 2, [[1, 0, 0, 0]] * 3, [[2, 0, 0, 0], [0, 2, 0, 0], [0, 0, 2, 0]], [[1, 0, 0, "0"], [0, 1, 0, 0], [0, 0, 1, 0]]]
)
def test_extrinsics_that_are_none_fail_the_frame(tmp_path, extrinsics):
    with pytest.raises(CameraError, match="extrinsics"):
        load_one(tmp_path, camera={"fx": 30, "fy": 30, "extrinsics": extrinsics})


def test_a_field_of_view_stands_in_for_a_missing_camera_file(tmp_path):
    folder = make_capture(tmp_path, [{"image": "a.png", "objects": []}], intrinsics=None)
    capture = Capture.open(folder, fov_vertical_deg=50)
    assert capture.load(capture.frames[0]).camera.fov_vertical_deg == pytest.approx(50)


def test_true_depth(tmp_path):
    depth = ramp().astype(np.float32)
    depth[0, :3] = (np.inf, np.nan, -1)
    write_exr(tmp_path / "one.exr", depth)
    # A writer of three channels keeps the value in the red one.
    write_exr(tmp_path / "three.exr", np.dstack([np.zeros_like(depth), np.zeros_like(depth), depth]))
    expected = depth.copy()
    expected[0, :3] = 0
    for name in ("one.exr", "three.exr"):
        read = read_depth_exr(tmp_path / name, WIDTH, HEIGHT)
        assert read.dtype == np.float32 and np.array_equal(read, expected)
    with pytest.raises(CaptureError, match="32x24"):
        read_depth_exr(tmp_path / "one.exr", WIDTH + 1, HEIGHT)
    (tmp_path / "bad.exr").write_bytes(b"no exr at all")
    (tmp_path / "empty.exr").write_bytes(b"")
    for name in ("bad.exr", "empty.exr"):
        with pytest.raises(CaptureError, match=name):
            read_depth_exr(tmp_path / name, WIDTH, HEIGHT)


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "a/../../b.png", "C:\\x.png", "..\\b.png", "."])
def test_a_name_that_leads_out_of_the_capture_is_refused(tmp_path, name):
    make_capture(tmp_path / "c", [])
    (tmp_path / "c" / "annotations.json").write_text(json.dumps([{"image": name, "objects": []}]))
    capture = Capture.open(tmp_path / "c")
    with pytest.raises(CaptureError, match="leads out"):
        capture.load(capture.frames[0])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not readable JSON"),
        ("", "not readable JSON"),
        ("{}", "no list"),
        ("[]", "no list"),
        ('[{"objects": []}]', "Entry 1"),
        ('[{"image": "a.png", "objects": []}, 3]', "Entry 2"),
        ('[{"image": 5}]', "Entry 1"),
    ],
)
def test_annotations_that_are_none(tmp_path, text, words):
    make_capture(tmp_path / "c", [])
    (tmp_path / "c" / "annotations.json").write_text(text)
    with pytest.raises(CaptureError, match=words):
        annotate_capture(tmp_path / "c", tmp_path / "out", FixedDepth(ramp()))
    assert not (tmp_path / "out").exists()


def test_a_byte_order_mark_is_no_hindrance(tmp_path):
    make_capture(tmp_path, [{"image": "a.png", "objects": []}])
    for name in ("annotations.json", "camera_intrinsics.json"):
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + (tmp_path / name).read_bytes())
    assert Capture.open(tmp_path).frames[0].name == "a.png"


# ---- annotating --------------------------------------------------------------------------------------------------


def test_every_field_that_is_not_ours_is_kept_in_its_place(tmp_path):
    odd = {"id": 2, "größe": [1.5, {"tief": None}], "distance": "mine", "parent_id": 1, "0": -0.1, "big": 2**70}
    entry = {"scene": "küche", "image": "a.png", "objects": [{"category": "x", "id": 1}, odd], "time": 12.25, "model": "mine"}
    capture = make_capture(tmp_path / "capture", [entry, {"image": "b.png", "objects": [], "tags": []}])
    summary = annotate_capture(capture, tmp_path / "out", FixedDepth(ramp()))
    first, second = results(tmp_path / "out")
    added = ["unit", "kind", "model", "camera_source", "mask_flip_suspected"]
    assert list(first) == ["scene", "image", "objects", "time", *added]
    assert (first["scene"], first["time"], first["model"]) == ("küche", 12.25, "oracle")
    assert list(first["objects"][1])[:5] == ["id", "größe", "parent_id", "0", "big"]
    assert {name: first["objects"][1][name] for name in odd if name != "distance"} == {
        name: value for name, value in odd.items() if name != "distance"
    }
    assert first["objects"][1]["distance"]["min"] > 0
    assert list(second) == ["image", "objects", "tags", *added, "warnings"] and "belong to no object" in second["warnings"][0]
    assert "küche" in (tmp_path / "out" / "annotations.json").read_text(encoding="utf-8")
    # A field of the user's that has one of our names is replaced in the copy, and that is said.
    assert [note for note in summary.to_json()["notes"] if "replaced" in note] == [
        "the capture's own 'model' is replaced in the output",
        "the capture's own 'distance' is replaced in the output",
    ]


def test_annotating_twice_changes_nothing(tmp_path):
    capture = make_capture(tmp_path / "capture", [{"image": "a.png", "objects": [{"id": 1}, {"id": 2}]}])
    annotate_capture(capture, tmp_path / "1", FixedDepth(ramp()))
    (capture / "annotations.json").write_bytes((tmp_path / "1" / "annotations.json").read_bytes())
    annotate_capture(capture, tmp_path / "2", FixedDepth(ramp()))
    assert (tmp_path / "1" / "annotations.json").read_bytes() == (tmp_path / "2" / "annotations.json").read_bytes()


def test_truth_and_error_stand_beside_the_estimate(tmp_path):
    capture = make_capture(tmp_path / "capture", [{"image": "a.png", "objects": [{"id": 1}, {"id": 2}]}])
    truth = ramp().astype(np.float32)
    truth[12:20, 10:30] = 0  # nothing known of object 2
    (capture / "depth").mkdir()
    write_exr(capture / "depth" / "a.exr", truth)
    summary = annotate_capture(capture, tmp_path / "out", FixedDepth(ramp() * 1.25))
    known, unknown = results(tmp_path / "out")[0]["objects"]
    pixels = truth[4:10, 5:9]
    assert known["distance_true"]["mean"] == pytest.approx(pixels.mean(), abs=1e-5)
    assert known["distance_true"]["max"] == pytest.approx(pixels.max(), abs=1e-5)
    assert known["distance_error"]["mean"] == pytest.approx(0.25 * pixels.mean(), abs=1e-5)
    assert known["distance_error_relative"] == pytest.approx(0.25, abs=1e-5)
    assert unknown["distance"] is not None and unknown["distance_true"] is None and unknown["distance_error"] is None
    assert summary.to_json()["abs_rel"] == pytest.approx(0.25, abs=1e-5)


def test_the_capture_is_never_written_into(tmp_path):
    capture = make_capture(tmp_path / "capture", [{"image": "a.png", "objects": [{"id": 1}]}])
    before = tree(capture)
    link = tmp_path / "link"
    link.symlink_to(capture, target_is_directory=True)
    for out in (capture, capture / "out", capture / "a" / "b", link, link / "out", capture / "images" / ".." / "out"):
        with pytest.raises(OutputError, match="lies in the capture"):
            annotate_capture(capture, out, FixedDepth(ramp()), overwrite=True)
    for folder, _, _ in os.walk(capture):
        Path(folder).chmod(stat.S_IRUSR | stat.S_IXUSR)
    annotate_capture(link, tmp_path / "out", FixedDepth(ramp()))
    for folder, _, _ in os.walk(capture):
        Path(folder).chmod(stat.S_IRWXU)
    assert tree(capture) == before


def test_bad_frames_are_passed_over_and_listed(tmp_path):
    entries = [{"image": f"{name}.png", "objects": [{"id": 1}], "n": name} for name in "abcd"]
    capture = make_capture(tmp_path / "capture", entries)
    (capture / "images" / "b.png").write_bytes(b"junk")
    Image.fromarray(np.zeros((5, 5), np.uint8)).save(capture / "masks" / "c.png")
    seen = []
    summary = annotate_capture(capture, tmp_path / "out", FixedDepth(ramp()), on_frame=lambda outcome: seen.append(outcome.image))
    assert seen == ["a.png", "b.png", "c.png", "d.png"]
    assert [outcome.image for outcome in summary.failed] == ["b.png", "c.png"]
    good, bad, _, last = results(tmp_path / "out")
    assert bad["objects"] == [{"id": 1}] and bad["n"] == "b" and "b.png" in bad["error"] and "unit" not in bad
    assert good["objects"][0]["distance"] == last["objects"][0]["distance"]
    assert summary.to_json()["annotated"] == 2 and summary.to_json()["failed"][1]["image"] == "c.png"


def test_an_object_without_pixels_and_pixels_without_an_object_are_told(tmp_path):
    capture = make_capture(tmp_path / "capture", [{"image": "a.png", "objects": [{"id": 1}, {"id": 77}]}])
    summary = annotate_capture(capture, tmp_path / "out", FixedDepth(ramp()))
    absent = results(tmp_path / "out")[0]["objects"][1]
    assert absent["distance"] is None and absent["pixel_count"] == 0 and "77" in absent["reason"]
    assert summary.to_json()["objects_without_distance"] == 1
    assert summary.to_json()["notes"] == ["a.png: mask values 2 belong to no object"]


def test_nothing_is_left_when_no_frame_is_good_or_the_model_has_no_metres(tmp_path):
    capture = make_capture(tmp_path / "capture", [{"image": "a.png", "objects": [{"id": 1}]}])
    with pytest.raises(NoMetricDepthError, match="metric model"):
        annotate_capture(capture, tmp_path / "out", FixedDepth(ramp(), DepthKind.DISPARITY))
    (capture / "images" / "a.png").unlink()
    with pytest.raises(CaptureError, match=r"Not one of the 1 pictures.*a\.png"):
        annotate_capture(capture, tmp_path / "out", FixedDepth(ramp()))
    assert not (tmp_path / "out").exists()


def test_an_existing_result_is_replaced_only_when_asked_and_only_as_a_whole(tmp_path):
    capture = make_capture(tmp_path / "capture", [{"image": "a.png", "objects": [{"id": 1}]}])
    out = tmp_path / "out"
    out.mkdir()
    (out / "annotations.json").write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        annotate_capture(capture, out, FixedDepth(ramp()))
    with pytest.raises(RuntimeError):
        annotate_capture(capture, out, FixedDepth(ramp()), overwrite=True, on_frame=interrupt)
    assert (out / "annotations.json").read_text() == "mine"
    assert {path.name for path in out.iterdir()} == {"annotations.json", PROGRESS}
    annotate_capture(capture, out, FixedDepth(ramp()), overwrite=True)
    assert results(out)[0]["unit"] == "m" and {path.name for path in out.iterdir()} == {"annotations.json", PROGRESS}


def interrupt(outcome):
    raise RuntimeError("stop in the middle")


# ---- the sample capture -------------------------------------------------------------------------------------------


class Truth:
    """Answers each picture of a capture, in order, with its true depth."""

    model_id, kind, needs_camera = "truth", DepthKind.METRIC, False

    def __init__(self, depths):
        self.depths = iter(depths)

    def estimate(self, image, camera=None):
        depth = next(self.depths)
        return DepthMap(depth, DepthKind.METRIC, depth > 0, None, None, camera, self.model_id, CameraSource.GIVEN)


def test_the_sample_capture_is_one_and_measures_as_its_truth(tmp_path):
    folder = Path(__file__).resolve().parents[1] / "data" / "capture"
    capture = Capture.open(folder)
    frames = [capture.load(frame) for frame in capture.frames]
    before = tree(folder)
    summary = annotate_capture(folder, tmp_path / "out", Truth([frame.depth_true_m for frame in frames]))
    assert tree(folder) == before
    assert summary.to_json()["failed"] == [] and summary.to_json()["notes"] == [] and summary.to_json()["abs_rel"] == 0
    assert summary.to_json()["objects"] > 0 and summary.to_json()["objects_without_distance"] == 0
    for entry, frame in zip(results(tmp_path / "out"), frames, strict=True):
        by_id = {item["id"]: item for item in entry["objects"]}
        for item in entry["objects"]:
            assert item["distance"] == item["distance_true"] and item["valid_fraction"] == 1
            # What an object shows in the picture lies within its bbox of two corners.
            x0, y0, x1, y1 = item["bbox"]
            assert x0 <= item["center_px"][0] <= x1 and y0 <= item["center_px"][1] <= y1
            if item.get("parent_id") is not None:
                # A box stands on its cube: higher in the picture, and hardly nearer or farther.
                cube = by_id[item["parent_id"]]
                assert item["position"]["y"] < cube["position"]["y"]
                assert abs(item["distance"]["median"] - cube["distance"]["median"]) < 0.5
        assert frame.camera.fov_vertical_deg == pytest.approx(60, abs=0.05)
