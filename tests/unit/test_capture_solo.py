# SPDX-License-Identifier: Apache-2.0
"""Unity Perception's datasets: the matrix that is no K, poses of a left-handed world, colours with alpha, depth with alpha and ranges."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from depthbridge.engines import CameraIntrinsics
from depthbridge.engines.errors import CameraError, CaptureError
from depthbridge.unity_bridge.captures.annotate import annotate_capture
from depthbridge.unity_bridge.captures.cameras import camera_from_projection, pose_from_unity
from depthbridge.unity_bridge.captures.layouts import open_capture
from support.captures import (
    HEIGHT,
    REAL_MATRIX,
    SOLO_TYPE,
    WIDTH,
    DepthFromRed,
    FixedDepth,
    projection_by_columns,
    ramp,
    results,
    solo_capture,
    tree,
    two_boxes,
    write_solo_frame,
)
from support.exr_files import write_channels

CAMERA = CameraIntrinsics(30.0, 31.0, 14.0, 13.5, WIDTH, HEIGHT)
MATRIX = projection_by_columns(30.0, 31.0, 14.0, 13.5, WIDTH, HEIGHT)
INSTANCES = [(7, "Crate", [255, 0, 0, 255]), (2, "Box", [0, 74, 255, 255])]
GREY = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)


def one_frame(folder, *, instances=INSTANCES, mask=None, **fields):
    mask = two_boxes() if mask is None else mask
    capture = solo_capture(mask, instances, matrix=fields.pop("matrix", MATRIX), **fields)
    write_solo_frame(folder, [capture], [GREY], [mask])
    return folder


def load_one(folder, **fields):
    capture = open_capture(one_frame(folder, **fields))
    return capture.load(capture.frames[0])


# ---- cameras ----------------------------------------------------------------------------------------------------


def test_a_published_frame_projects_its_crates_into_their_boxes_and_back_to_round_places():
    """Numbers of a dataset that Unity published: two crates, their centres in the sensor's (left-handed) coordinates, their 2D boxes."""
    camera = camera_from_projection(REAL_MATRIX, 1024, 768)
    assert camera.fov_vertical_deg == pytest.approx(60, abs=0.01) and camera.fx == pytest.approx(camera.fy, rel=1e-6)
    pose = pose_from_unity([1.929, 1.123, -3.057], [0.11266163, -0.260020733, 0.0305620581, 0.958521068])
    crates = {
        (-1.5434798, -0.061360918, 4.585796): ((167, 308, 228, 192), (-1.65, 0, 0)),
        (1.59413409, -0.750773966, 3.84993672): ((669, 400, 234, 266), (1.5, -0.5, 0.83)),
    }
    for (x, y, z), ((left, top, width, height), world) in crates.items():
        point = np.array([x, -y, z])
        u, v = camera.project(point)
        assert abs(u - (left + width / 2)) < 0.05 * width and abs(v - (top + height / 2)) < 0.1 * height
        # The crates stand where a person typed them into the editor.
        assert pose[:, :3].T @ (point - pose[:, 3]) == pytest.approx(world, abs=1e-5)
    assert np.linalg.det(pose[:, :3]) == pytest.approx(-1)


def look(eye, yaw, pitch):
    """Unity's rotation of yaw about y, then pitch about x, as a quaternion x, y, z, w and as a matrix."""
    cy, sy, cx, sx = np.cos(yaw / 2), np.sin(yaw / 2), np.cos(pitch / 2), np.sin(pitch / 2)
    quaternion = [cy * sx, sy * cx, -sy * sx, cy * cx]
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    return quaternion, about_y @ about_x


@given(st.lists(st.floats(-20, 20), min_size=6, max_size=6), st.floats(-3, 3), st.floats(-1.4, 1.4))
def test_a_pose_takes_the_world_into_opencvs_camera(numbers, yaw, pitch):
    eye, point = np.array(numbers[:3]), np.array(numbers[3:])
    quaternion, turn = look(eye, yaw, pitch)
    x, y, z = turn.T @ (point - eye)
    assert pose_from_unity(eye.tolist(), quaternion) @ [*point, 1] == pytest.approx([x, -y, z], abs=1e-9)


@pytest.mark.parametrize(
    ("position", "rotation"),
    [(None, [0, 0, 0, 1]), ([0, 0, 0], [0, 0, 0, 0]), ([0, 0], [0, 0, 0, 1]), ([0, 0, float("nan")], [0, 0, 0, 1]), ("abc", [0, 0, 0, 1]),
     ([0, 0, 1e300], [0, 0, 0, 1]), ([0, 0, int("9" * 400)], [0, 0, 0, 1])],
)
def test_what_is_no_pose_is_none(position, rotation):
    assert pose_from_unity(position, rotation) is None


@given(st.floats(0.3, 3), st.floats(0.3, 3), st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))
def test_the_matrix_becomes_k_with_its_shift(fx, fy, shift_x, shift_y):
    """Against projecting points through the matrix as Unity does: clip = P (x, y, -z), rows of the picture from the top."""
    width, height = 640, 360
    wanted = CameraIntrinsics(fx * width, fy * width, (0.5 - shift_x) * width, (0.5 + shift_y) * height, width, height)
    matrix = projection_by_columns(wanted.fx, wanted.fy, wanted.cx, wanted.cy, width, height)
    p = np.array(matrix).reshape(3, 3).T
    camera = camera_from_projection(matrix, width, height)
    for point in ([0.3, -0.2, 2.0], [-1.0, 0.4, 5.0]):
        clip = p @ (np.array(point) * [1, 1, -1])
        u, v = (clip[0] / point[2] + 1) / 2 * width, (1 - clip[1] / point[2]) / 2 * height
        assert camera.project(np.array(point) * [1, -1, 1]) == pytest.approx([u, v], abs=1e-6)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"matrix": [1, 0, 0, 0, 1, 0, 0, 0, 1]}, "no perspective projection"),
        ({"matrix": [1.7, 0, 0, 0, 1.7]}, "nine numbers"),
        ({"matrix": [float("nan"), 0, 0, 0, 1, 0, 0, 0, -1]}, "no perspective projection"),
        ({"projection": "Orthographic"}, "Orthographic, which has no focal length"),
        ({"dimension": [640.0, 480.0]}, r"640\.0x480\.0 and the picture has 32x24"),
    ],
)
def test_a_camera_that_is_none_fails_the_frame(tmp_path, fields, words):
    with pytest.raises(CameraError, match=words):
        load_one(tmp_path, **fields)


# ---- frames -----------------------------------------------------------------------------------------------------


def test_a_frame_in_full(tmp_path):
    one_frame(tmp_path / "solo", position=[1.0, 2.0, 3.0])
    capture = open_capture(tmp_path / "solo")
    frame = capture.load(capture.frames[0])
    assert (capture.layout, capture.frames[0].name) == ("solo", "sequence.0/step0.camera.png")
    assert (frame.camera.fx, frame.camera.fy, frame.camera.cx, frame.camera.cy) == pytest.approx((30, 31, 14, 13.5))
    assert np.array_equal(frame.mask, two_boxes()) and frame.notes == ()
    assert frame.extrinsics[:, 3] == pytest.approx([-1, 2, -3])
    annotate_capture(capture, tmp_path / "out", FixedDepth(ramp()))
    (entry,) = results(tmp_path / "out")
    assert (entry["image"], entry["sequence"], entry["step"], entry["frame"]) == ("sequence.0/step0.camera.png", 0, 0, 2)
    assert entry["capture"]["matrix"] == pytest.approx(MATRIX) and "metrics" not in entry
    crate, box = entry["objects"]
    assert (crate["id"], crate["category"], crate["bbox"], crate["instanceId"], crate["color"]) == (
        7,
        "Crate",
        [5, 4, 9, 10],
        7,
        [255, 0, 0, 255],
    )
    assert (box["id"], box["category"], box["bbox"], box["labelName"]) == (2, "Box", [10, 12, 30, 20], "Box")
    assert box["pixel_count"] == 160 and box["distance"]["median"] > 0
    # Unity's world: what is seen at depth z straight ahead lies at 3 + z.
    seen = crate["position"]
    assert crate["position_world"] == pytest.approx({"x": 1 + seen["x"], "y": 2 - seen["y"], "z": 3 + seen["z"]}, abs=1e-5)


def test_sequences_and_steps_are_ordered_by_number_and_every_camera_is_a_frame(tmp_path):
    mask = two_boxes()
    for sequence in (10, 2):
        for step in (11, 3):
            captures = [solo_capture(mask, INSTANCES, matrix=MATRIX, step=step, sensor=sensor) for sensor in ("left", "right")]
            write_solo_frame(tmp_path, captures, [GREY, GREY], [mask, mask], sequence=sequence, step=step)
    names = [frame.name for frame in open_capture(tmp_path).frames]
    assert names == [f"sequence.{s}/step{t}.{c}.png" for s in (2, 10) for t in (3, 11) for c in ("left", "right")]


def test_alpha_tells_instances_apart(tmp_path):
    """Beyond 1,024 instances the colours repeat with alpha 254, 253, ..."""
    instances = [(1, "a", [0, 0, 5, 254]), (2, "b", [0, 0, 5, 253])]
    assert np.array_equal(load_one(tmp_path, instances=instances).mask, two_boxes())


def test_pixels_of_nobody_are_background_and_told(tmp_path):
    capture = solo_capture(two_boxes(), INSTANCES, matrix=MATRIX)
    write_solo_frame(tmp_path, [capture], [GREY], [two_boxes()])
    segmentation = capture["annotations"][1]
    segmentation["instances"] = segmentation["instances"][:1]
    (tmp_path / "sequence.0" / "step0.frame_data.json").write_text(json.dumps({"captures": [capture]}))
    opened = open_capture(tmp_path)
    frame = opened.load(opened.frames[0])
    assert np.array_equal(frame.mask, two_boxes() == 1)
    assert frame.notes == ("sequence.0/step0.camera.png: 160 pixels of the mask have a colour that belongs to no instance",)


# ---- truth ------------------------------------------------------------------------------------------------------


def depth_annotation(strategy, name):
    return {"@type": SOLO_TYPE + "DepthAnnotation", "id": "Depth", "sensorId": "camera", "description": "...",
            "measurementStrategy": strategy, "imageFormat": "Exr", "dimension": [WIDTH, HEIGHT], "filename": name}  # fmt: skip


def write_depth(path, values, alpha):
    zeros = np.zeros_like(values)
    write_channels(path, {"R": values, "G": zeros, "B": zeros, "A": alpha.astype(np.float32)})


@pytest.mark.parametrize("strategy", ["Depth", "Range"])
def test_true_depth_is_planar_and_empty_where_alpha_is_zero(tmp_path, strategy):
    planar = ramp()
    alpha = np.ones_like(planar)
    alpha[:3] = 0
    one_frame(tmp_path, annotations=[depth_annotation(strategy, "step0.camera.Depth.exr")])
    stored = planar if strategy == "Depth" else planar * CAMERA.range_factor()
    write_depth(tmp_path / "sequence.0" / "step0.camera.Depth.exr", stored, alpha)
    capture = open_capture(tmp_path)
    truth = capture.load(capture.frames[0]).depth_true_m
    assert np.allclose(truth[3:], planar[3:], rtol=1e-6) and not truth[:3].any()


def test_planar_truth_is_taken_before_ranges_and_a_missing_file_is_told(tmp_path):
    both = [depth_annotation("Range", "r.exr"), depth_annotation("Depth", "d.exr")]
    one_frame(tmp_path, annotations=both)
    write_depth(tmp_path / "sequence.0" / "d.exr", ramp(), np.ones((HEIGHT, WIDTH)))
    capture = open_capture(tmp_path)
    assert np.array_equal(capture.load(capture.frames[0]).depth_true_m, ramp())
    (tmp_path / "sequence.0" / "d.exr").unlink()
    frame = capture.load(capture.frames[0])
    assert frame.depth_true_m is None and frame.notes == ("sequence.0/d.exr is missing, so there is no truth to compare with",)


# ---- what is wrong ----------------------------------------------------------------------------------------------


def no_segmentation(capture):
    capture["annotations"] = capture["annotations"][:1]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (no_segmentation, "Instance Segmentation Labeler"),
        (lambda capture: capture.update(filename=None), "saved no picture"),
        (lambda capture: capture.update(filename="../secret.png"), "leads out"),
        (lambda capture: capture["annotations"][1].update(filename=None), "names no file"),
        (lambda capture: capture["annotations"][1]["instances"][0].update(color=[1, 2]), r"instance 7 has the colour \[1, 2\]"),
        (lambda capture: capture["annotations"][1]["instances"][0].update(color=[0, 74, 255, 255]), "two objects have the colour"),
        (lambda capture: capture["annotations"][1]["instances"].append(5), "lists 5"),
        (lambda capture: capture["annotations"][1]["instances"][0].update(instanceId=[]), "instanceId"),
    ],
)
def test_a_bad_frame_fails_in_one_sentence(tmp_path, spoil, words):
    capture = solo_capture(two_boxes(), INSTANCES, matrix=MATRIX)
    write_solo_frame(tmp_path, [capture], [GREY], [two_boxes()])
    spoil(capture)
    (tmp_path / "sequence.0" / "step0.frame_data.json").write_text(json.dumps({"captures": [capture]}))
    opened = open_capture(tmp_path)
    with pytest.raises(CaptureError, match=words) as caught:
        opened.load(opened.frames[0])
    assert "\n" not in str(caught.value)
    assert opened.entry(opened.frames[0])["image"] == opened.frames[0].name


def test_a_grey_segmentation_is_refused(tmp_path):
    one_frame(tmp_path)
    Image.fromarray(two_boxes()).save(tmp_path / "sequence.0" / "step0.camera.instance segmentation.png")
    capture = open_capture(tmp_path)
    with pytest.raises(CaptureError, match="holds no colours"):
        capture.load(capture.frames[0])


def test_bad_frames_are_passed_over_and_the_dataset_is_left_alone(tmp_path):
    solo = tmp_path / "solo"
    for step in range(4):
        capture = solo_capture(two_boxes(), INSTANCES, matrix=MATRIX, step=step)
        write_solo_frame(solo, [capture], [GREY], [two_boxes()], step=step)
    (solo / "sequence.0" / "step1.frame_data.json").write_text("{")
    (solo / "sequence.0" / "step2.camera.png").write_bytes(b"")
    (solo / "sequence.0" / "step9.frame_data.json").write_text('{"captures": []}')
    before = tree(solo)
    summary = annotate_capture(solo, tmp_path / "out", DepthFromRed())
    assert [outcome.image for outcome in summary.failed] == [
        "sequence.0/step1.frame_data.json", "sequence.0/step2.camera.png", "sequence.0/step9.frame_data.json"
    ]  # fmt: skip
    entries = results(tmp_path / "out")
    assert [len(entry["objects"]) for entry in entries] == [2, 0, 2, 2, 0]
    assert entries[0]["objects"][0]["distance"]["median"] == 9.0 and "error" in entries[2]
    assert tree(solo) == before


def test_a_field_of_view_for_a_dataset_with_cameras_is_refused(tmp_path):
    with pytest.raises(CaptureError, match="leave out --fov-v"):
        open_capture(one_frame(tmp_path), fov_vertical_deg=60)
