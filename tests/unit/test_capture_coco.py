# SPDX-License-Identifier: Apache-2.0
"""COCO datasets: run lengths and polygons as pycocotools draws them, overlapping objects, cameras, and the dataset's own file with distances."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from pycocotools import mask as reference

from depthbridge.engines import CameraSource
from depthbridge.engines.errors import CaptureError
from depthbridge.unity_bridge.captures.annotate import annotate_capture
from depthbridge.unity_bridge.captures.coco_masks import decode_segmentation
from depthbridge.unity_bridge.captures.layouts import open_capture
from support.captures import HEIGHT, WIDTH, FixedDepth, ramp, results, runs_of, tree, two_boxes, write_coco, write_exr

GREY = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
BOX = [5, 4, 9, 4, 9, 10, 5, 10]  # mask value 1 of two_boxes()
FOV = 60.0


def compressed(mask):
    runs = reference.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": runs["size"], "counts": runs["counts"].decode()}


def annotation(number, segmentation, image=10, category=1, bbox=(5, 4, 4, 6), **more):
    return {"id": number, "image_id": image, "category_id": category, "segmentation": segmentation, "bbox": list(bbox), "area": 24.0, **more}


def dataset(folder, annotations, names=("a.png",), **more):
    return write_coco(folder, dict.fromkeys(names, GREY), annotations, **more)


def load_one(folder, annotations, *, fov=FOV, **more):
    capture = open_capture(dataset(folder, annotations, **more), fov_vertical_deg=fov)
    return capture.load(capture.frames[0])


# ---- segmentations ----------------------------------------------------------------------------------------------


@given(arrays.arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40))))
def test_run_lengths_of_both_notations_are_the_mask(mask):
    height, width = mask.shape
    assert np.array_equal(decode_segmentation(runs_of(mask), width, height), mask)
    assert np.array_equal(decode_segmentation(compressed(mask), width, height), mask)


def test_long_runs_are_read():
    mask = np.zeros((700, 900), bool)
    mask[13:600, 40:800] = True
    mask[300:310, 100:200] = False
    assert np.array_equal(decode_segmentation(compressed(mask), 900, 700), mask)


@given(st.lists(st.lists(st.floats(-10, 50), min_size=6, max_size=12).filter(lambda numbers: len(numbers) % 2 == 0), min_size=1, max_size=3))
def test_polygons_are_drawn_as_the_reference_draws_them(polygons):
    wanted = reference.decode(reference.merge(reference.frPyObjects(polygons, HEIGHT, WIDTH)))
    assert np.array_equal(decode_segmentation(polygons, WIDTH, HEIGHT), wanted)


def test_a_polygon_is_where_it_says():
    assert np.array_equal(decode_segmentation([BOX], WIDTH, HEIGHT), two_boxes() == 1)


@pytest.mark.parametrize(
    ("segmentation", "words"),
    [
        (None, "is missing or empty, and a box"),
        ([], "is missing or empty"),
        ([[1, 1, 3, 3]], "no polygon of three corners"),  # pycocotools would make a box of it
        ([[1, 1, 3, 3, 4]], "no polygon of three corners"),
        ([[1, 1, 3, 3, 4, int("9" * 400)]], "no list of x, y pairs"),
        ([[1, 1, 3, 3, 4, 4, 5]], "x, y pairs"),
        ([[1, 1, float("nan"), 3, 4, 4]], "x, y pairs"),  # pycocotools takes all memory for it
        ([[1, 1, 1e12, 3, 4, 4]], r"1e\+12 px"),
        ([[1, 1, "3", 3, 4, 4]], "x, y pairs"),
        ({"size": [24, 33], "counts": [5]}, "has the size"),
        ({"size": [24, 32], "counts": [5]}, "for 5 pixels"),  # pycocotools leaves the rest undefined
        ({"size": [24, 32], "counts": [-5, 773]}, "no list of whole numbers"),
        ({"size": [24, 32], "counts": None}, "no list of whole numbers"),
        ({"size": [24, 32], "counts": ""}, "do not fill the picture"),
        ({"size": [24, 32], "counts": "33"}, "do not fill the picture"),
        ({"size": [24, 32], "counts": "o"}, "damaged"),
        ({"size": [24, 32], "counts": "\x01\x02"}, "damaged"),
        ({"size": [24, 32], "counts": "äöü"}, "do not fill|damaged"),
        ({"size": [24, 32], "counts": "oooooooooooooooooooooo"}, "damaged"),
    ],
)
def test_a_segmentation_that_is_none_costs_its_object_alone(tmp_path, segmentation, words):
    with pytest.raises(CaptureError, match=words):
        decode_segmentation(segmentation, WIDTH, HEIGHT)
    frame = load_one(tmp_path, [annotation(1, segmentation), annotation(2, [BOX])])
    bad, good = frame.objects
    assert bad.reason.startswith("Its segmentation ") and bad.reason.endswith(".")
    assert np.array_equal(frame.mask == good.mask_value, two_boxes() == 1) and not (frame.mask == bad.mask_value).any()


@settings(max_examples=200)
@given(st.text(st.characters(min_codepoint=40, max_codepoint=120), max_size=12))
def test_garbage_for_run_lengths_is_a_mask_or_a_sentence(text):
    try:
        mask = decode_segmentation({"size": [4, 5], "counts": text}, 5, 4)
    except CaptureError:
        return
    assert mask.shape == (4, 5)


def test_overlapping_objects_keep_all_their_pixels(tmp_path):
    whole = np.zeros((HEIGHT, WIDTH), bool)
    whole[2:20, 2:20] = True
    parts = [annotation(1, runs_of(whole)), annotation(2, [BOX]), annotation(3, runs_of(two_boxes() == 2))]
    frame = load_one(tmp_path / "coco", parts)
    assert len(frame.layers) == 2
    for item, mask in zip(frame.objects, (whole, two_boxes() == 1, two_boxes() == 2), strict=True):
        assert np.array_equal(frame.layers[item.layer] == item.mask_value, mask)
    flat, values = frame.flat_mask
    assert values == (1, 2, 3) and (flat[two_boxes() == 1] == 2).all()
    annotate_capture(tmp_path / "coco", tmp_path / "out", FixedDepth(ramp()))
    assert [item["pixel_count"] for item in results(tmp_path / "out")[0]["objects"]] == [324, 24, 160]


# ---- where things are -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("json_name", "pictures"),
    [
        ("annotations/instances_val2017.json", "val2017"),
        ("annotations/instances_val2017.json", "images/val2017"),
        ("annotations/instances_default.json", "images"),
        ("_annotations.coco.json", "."),
        ("labels.json", "data"),
        ("annotations.json", "images"),
    ],
)
def test_pictures_are_found_where_publishers_put_them(tmp_path, json_name, pictures):
    dataset(tmp_path, [annotation(1, [BOX])], json_name=json_name, pictures=pictures)
    for path in (tmp_path, tmp_path / json_name):
        capture = open_capture(path, fov_vertical_deg=FOV)
        assert capture.layout == "coco" and capture.folder == tmp_path
        assert capture.load(capture.frames[0]).image.shape == GREY.shape


def test_the_dataset_is_not_written_into_when_its_file_is_given(tmp_path):
    from depthbridge.engines.errors import OutputError

    dataset(tmp_path, [annotation(1, [BOX])])
    for path in (tmp_path, tmp_path / "annotations" / "instances_default.json"):
        with pytest.raises(OutputError, match="lies in the capture"):
            annotate_capture(path, tmp_path / "out", FixedDepth(ramp()))


def test_several_files_have_to_be_chosen_from(tmp_path):
    for name in ("annotations/train.json", "annotations/val.json"):
        dataset(tmp_path, [annotation(1, [BOX])], json_name=name)
    with pytest.raises(CaptureError, match=r"2 COCO files \(annotations/train\.json, annotations/val\.json\); give the one"):
        open_capture(tmp_path)
    assert len(open_capture(tmp_path / "annotations" / "val.json", fov_vertical_deg=FOV).frames) == 1


def test_a_folder_that_is_nothing_is_told_the_three_layouts(tmp_path):
    (tmp_path / "other.json").write_text('{"a": 1}')
    (tmp_path / "empty.json").write_text("")
    with pytest.raises(CaptureError, match=r"annotations\.json.*SOLO.*COCO"):
        open_capture(tmp_path)
    with pytest.raises(CaptureError, match="no COCO file"):
        open_capture(tmp_path / "other.json")
    with pytest.raises(CaptureError, match="no folder"):
        open_capture(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data["images"][0].pop("file_name"), "Image 1"),
        (lambda data: data["images"].append(5), "Image 2"),
        (lambda data: data["images"].append({"id": 10, "file_name": "b.png"}), "the same id 10"),
        (lambda data: data["annotations"].append({"id": 3}), "Annotation 2"),
        (lambda data: data["images"].clear(), "no images"),
    ],
)
def test_a_file_that_breaks_the_format_is_told(tmp_path, change, words):
    dataset(tmp_path, [annotation(1, [BOX])])
    path = tmp_path / "annotations" / "instances_default.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    with pytest.raises(CaptureError, match=words):
        open_capture(path)


# ---- cameras ----------------------------------------------------------------------------------------------------


def test_a_camera_comes_from_the_image_the_file_the_user_or_exif(tmp_path):
    objects = [annotation(1, [BOX])]
    given = {"fx": 40, "fy": 40, "extrinsics": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 2]]}
    dataset(tmp_path / "1", objects, intrinsics={"fx": 50, "fy": 50})
    path = tmp_path / "1" / "annotations" / "instances_default.json"
    assert first(tmp_path / "1").camera.fx == 50
    data = json.loads(path.read_text())
    data["images"][0]["camera"] = given
    path.write_text(json.dumps(data))
    frame = first(tmp_path / "1")
    assert frame.camera.fx == 40 and frame.extrinsics[2, 3] == 2 and frame.camera_source is CameraSource.GIVEN
    with pytest.raises(CaptureError, match="leave out --fov-v"):
        open_capture(tmp_path / "1", fov_vertical_deg=60)
    assert load_one(tmp_path / "2", objects, fov=60).camera.fov_vertical_deg == pytest.approx(60)
    assert load_one(tmp_path / "3", objects, fov=None).camera is None
    exif = Image.Exif()
    exif[0x0112] = 1
    exif.get_ifd(0x8769)[0xA405] = 24  # the focal length of a 36 mm wide film that sees as much
    Image.fromarray(GREY).save(tmp_path / "3" / "images" / "a.png", exif=exif.tobytes())
    frame = first(tmp_path / "3")
    assert frame.camera is not None and frame.camera_source is CameraSource.EXIF


def first(folder):
    capture = open_capture(folder)
    return capture.load(capture.frames[0])


class NeedsCamera(FixedDepth):
    needs_camera = True


def test_without_a_camera_a_model_that_needs_one_is_told_how_to_get_it(tmp_path):
    dataset(tmp_path / "coco", [annotation(1, [BOX])])
    with pytest.raises(CaptureError, match=r"a\.png: nothing says its camera.*camera_intrinsics\.json.*--fov-v"):
        annotate_capture(tmp_path / "coco", tmp_path / "out", NeedsCamera(ramp()))
    annotate_capture(tmp_path / "coco", tmp_path / "out", FixedDepth(ramp()))
    (item,) = results(tmp_path / "out")[0]["objects"]
    assert item["distance"]["median"] > 0 and item["range"] is None and "camera" in item["reason"]


# ---- results ----------------------------------------------------------------------------------------------------


def test_annotations_and_the_datasets_own_file_carry_the_distances(tmp_path):
    objects = [
        annotation(501, [BOX], iscrowd=0, score=0.5, distance="mine"),
        annotation(502, compressed(two_boxes() == 2), image=11, category=2, bbox=(10, 12, 20, 8)),
        annotation(503, runs_of(two_boxes() == 2), category=2),
        annotation(504, [BOX], image=99),
    ]
    coco = dataset(tmp_path / "coco", objects, names=("b.png", "sub/a.png"), custom={"kept": [1]})
    write_exr(_made(coco / "depth" / "sub") / "a.exr", ramp() * 2)
    before = tree(coco)
    summary = annotate_capture(open_capture(coco, fov_vertical_deg=FOV), tmp_path / "out", FixedDepth(ramp()))
    assert tree(coco) == before and summary.failed == ()
    first, second = results(tmp_path / "out")
    assert (first["image"], first["id"], first["license"]) == ("b.png", 10, 1)
    ids = [(item["id"], item["category"], item["bbox"], item["bbox_xywh"]) for item in first["objects"]]
    assert ids == [(501, "cube", [5, 4, 9, 10], [5, 4, 4, 6]), (503, "box", [5, 4, 9, 10], [5, 4, 4, 6])]
    assert "segmentation" not in first["objects"][0] and first["objects"][0]["score"] == 0.5
    assert second["objects"][0]["distance_error_relative"] == pytest.approx(-0.5)
    copy = json.loads((tmp_path / "out" / "annotations_coco.json").read_text())
    source = json.loads((coco / "annotations" / "instances_default.json").read_text())
    assert copy["custom"] == {"kept": [1]} and copy["categories"] == source["categories"] and copy["info"] == source["info"]
    assert [item["id"] for item in copy["annotations"]] == [501, 503, 502, 504]
    for item in copy["annotations"]:
        (original,) = [each for each in source["annotations"] if each["id"] == item["id"]]
        assert {name: item[name] for name in original if name != "distance"} == {n: v for n, v in original.items() if n != "distance"}
    assert copy["annotations"][0]["distance"] == first["objects"][0]["distance"] and "distance" not in copy["annotations"][3]
    assert copy["images"][1]["unit"] == "m" and copy["images"][1]["file_name"] == "sub/a.png"


def _made(folder):
    folder.mkdir(parents=True)
    return folder


def test_the_copy_loads_in_pycocotools(tmp_path, capsys):
    from pycocotools.coco import COCO

    dataset(tmp_path / "coco", [annotation(1, [BOX]), annotation(2, compressed(two_boxes() == 2))])
    annotate_capture(open_capture(tmp_path / "coco", fov_vertical_deg=FOV), tmp_path / "out", FixedDepth(ramp()))
    coco = COCO(str(tmp_path / "out" / "annotations_coco.json"))
    assert [coco.annToMask(item).sum() for item in coco.loadAnns([1, 2])] == [24, 160]
    assert coco.loadAnns([2])[0]["distance"]["median"] > 0


def test_a_picture_of_another_size_than_the_dataset_says_fails(tmp_path):
    dataset(tmp_path, [annotation(1, [BOX])])
    Image.fromarray(GREY[:-1]).save(tmp_path / "images" / "a.png")
    capture = open_capture(tmp_path, fov_vertical_deg=FOV)
    with pytest.raises(CaptureError, match="the dataset says 32x24 and the picture has 32x23"):
        capture.load(capture.frames[0])


def test_without_pycocotools_run_lengths_are_read_and_the_rest_is_told_how_to_install_it(tmp_path):
    dataset(tmp_path / "runs", [annotation(1, runs_of(two_boxes() == 1))])
    dataset(tmp_path / "polygons", [annotation(1, [BOX])])
    dataset(tmp_path / "compressed", [annotation(1, compressed(two_boxes() == 1))])
    code = """
import sys
sys.modules["pycocotools"] = sys.modules["pycocotools.mask"] = None
from pathlib import Path
from depthbridge.engines.errors import CaptureError
from depthbridge.unity_bridge.captures.layouts import open_capture
capture = open_capture(Path(sys.argv[1]) / "runs", fov_vertical_deg=60)
print(int((capture.load(capture.frames[0]).mask > 0).sum()))
for name in ("polygons", "compressed"):
    try:
        open_capture(Path(sys.argv[1]) / name, fov_vertical_deg=60)
    except CaptureError as error:
        print(error)
"""
    said = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True).stdout.splitlines()
    assert said[0] == "24" and len(said) == 3
    assert all("pip install 'depthbridge[coco]'" in line for line in said[1:])
