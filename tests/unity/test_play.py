# SPDX-License-Identifier: Apache-2.0
"""The shipped components, played through a player's lifecycle on mono against the real server.

The stubs' graphics card draws real triangles through the very command buffers and shader functions of the package, rows from the bottom, and
paints the picture with its own depth, so that an engine knows it: a mask, a pose or a field of view that is not the picture's own shows.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from depthbridge.unity_bridge.captures.annotate import annotate_capture
from depthbridge.unity_bridge.captures.capture import Capture
from depthbridge.unity_bridge.serving.server import BridgeServer
from support.bridge_peers import LOOPBACK
from support.colour_depth import ColourDepth
from support.mono import PACKAGE, compile_cs, run_nunit, sources
from support.unity_play import PlayBuild, build_play

HALF_A_MILLIMETRE = 6e-4
"""The picture says depth in whole millimetres."""
VISIBLE = {"red_cube", "green_box", "pair", "skinned", "two_sided", "levels", "kept"}
NOT_SEEN = {"seen_from_behind", "hidden"}
"""Drawn, or tried to, and not a pixel of them left. What the camera leaves out altogether is not even asked about."""
WHOLE = ("red_cube", "skinned", "two_sided", "levels", "kept")
FOCAL_PX = 320 * 24 / 36


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> PlayBuild:
    return build_play(tmp_path_factory.mktemp("play"))


@pytest.fixture
def server() -> Iterator[BridgeServer]:
    with BridgeServer(ColourDepth(), bind=LOOPBACK) as server:
        yield server


class SlowDepth(ColourDepth):
    """Takes its time, so that a lossless client runs out of room."""

    def estimate(self, image: Any, camera: Any = None, *, cancel: Any = None) -> Any:
        threading.Event().wait(0.08)
        return super().estimate(image, camera, cancel=cancel)


def by_category(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    assert all(item["same"] for item in answer["objects"])
    return {item["category"]: item["json"] for item in answer["objects"]}


def check_answer(answer: dict[str, Any], stage: dict[str, Any]) -> None:
    """Every number that the stage knows: distances, and where and how large things are in the world."""
    objects = by_category(answer)
    assert set(objects) == VISIBLE | NOT_SEEN and answer["unit"] == "m" and answer["camera_source"] == "given"
    assert all(objects[name]["pixel_count"] == 0 and objects[name]["reason"] for name in NOT_SEEN)
    for name in VISIBLE:
        item, true = objects[name], stage[name]["distance"] - answer["advance"]
        assert item["pixel_count"] > 100 and item["eroded_px"] == 1 and item["border_fraction"] == 0
        assert list(item["distance"].values()) == pytest.approx([true] * 5, abs=HALF_A_MILLIMETRE), name
    for name in WHOLE:
        extent, pixel_m = objects[name]["extent_world"], stage[name]["distance"] / FOCAL_PX
        np.testing.assert_allclose(extent_center(extent), stage[name]["center"], atol=pixel_m, err_msg=name)
        # From the first measured pixel's middle to the last one's: three pixels less than the object, and one for where pixels fall.
        sides = sorted((stage[name]["width"], stage[name]["height"]), reverse=True)
        np.testing.assert_allclose(extent["size"][:2], np.array(sides) - 3 * pixel_m, atol=1.05 * pixel_m, err_msg=name)
    ids = {name: item["id"] for name, item in objects.items()}
    assert objects["green_box"]["parent_id"] == ids["red_cube"] and "parent_id" not in objects["red_cube"]


def check_places(objects: dict[str, dict[str, Any]], labels: dict[str, dict[str, Any]]) -> None:
    """1280 x 720 on the screen, 320 x 180 in the capture; the camera moves by up to five centimetres between."""
    for name in WHOLE:
        assert (labels[name]["x"] / 4, labels[name]["y"] / 4) == pytest.approx(objects[name]["center_px"], abs=3), name


def extent_center(extent: dict[str, Any]) -> list[float]:
    return [extent["center"][axis] for axis in "xyz"]


# ---- live ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ways",
    [
        {},
        {"rg16": "no"},
        {"gles": "yes"},
        {"post_processing": "yes"},
        {"async": "no"},
        {"meters_per_unit": "0.01"},
        {"flow": "Lossless"},
    ],
    ids=lambda ways: ",".join(f"{name}={value}" for name, value in ways.items()) or "as shipped",
)
def test_distances_are_exact_through_the_whole_way(build: PlayBuild, server: BridgeServer, ways: dict[str, str]) -> None:
    report = build.play("Live", endpoint=server.endpoint, answers=4, **ways)
    assert report["enough"] and report["target_restored"]
    assert report["render_textures_left"] == report["command_buffers_left"] == report["readbacks_left"] == 0
    advances = {answer["advance"] for answer in report["answers"]}
    assert len(advances) > 1, "the camera moves, and an answer for another frame's pose would not show"
    for answer in report["answers"]:
        check_answer(answer, report["stage"])


def test_a_frame_that_waits_keeps_its_pixels_and_arrays_are_used_again(build: PlayBuild) -> None:
    with BridgeServer(SlowDepth(), bind=LOOPBACK, max_in_flight=1) as server:
        report = build.play("Live", endpoint=server.endpoint, answers=20, flow="Lossless", queue=3)
    for answer in report["answers"]:
        check_answer(answer, report["stage"])
    assert report["captured"] >= 20
    assert report["arrays"] <= 3 + 3 + 2, "on their way from the card, in the queue, in work and just taken in"


def test_labels_say_metres_at_the_objects_and_their_age_when_stale(build: PlayBuild, server: BridgeServer) -> None:
    report = build.play("Live", endpoint=server.endpoint)
    last = by_category(report["answers"][-1])
    fresh = {label["text"].split()[0]: label for label in report["labels"]}
    assert set(fresh) == VISIBLE
    for name, label in fresh.items():
        words = label["text"].split()
        assert words[2:] == ["m"] and float(words[1]) == pytest.approx(report["stage"][name]["distance"], abs=0.06)
    check_places(last, fresh)
    assert {label["text"].split()[0] for label in report["stale_labels"]} == VISIBLE
    assert all(label["text"].endswith("s ago") and "m, " in label["text"] for label in report["stale_labels"])


def test_a_compressed_frame_is_upright_and_measured(build: PlayBuild, server: BridgeServer) -> None:
    report = build.play("Live", endpoint=server.endpoint, transfer="Compressed", answers=1)
    objects = by_category(report["answers"][0])
    for name in VISIBLE:  # JPEG moves the picture's colours, and with them this engine's depth: a step of red is a quarter of a metre
        assert objects[name]["distance"]["median"] == pytest.approx(report["stage"][name]["distance"], abs=0.7), name
    check_places(objects, {label["text"].split()[0]: label for label in report["labels"]})


def test_a_lost_readback_a_new_size_and_each_trigger(build: PlayBuild) -> None:
    report = build.play("Hiccups")
    assert (report["after_a_failure"], report["lost"]) == (0, 1)
    assert report["sizes"] == "320x180 230400:115200 64x180 46080:23040"
    assert report["renders_in_one_frame"] == 1
    assert report["every_third_of_12"] == 4
    assert (report["under_way_at_most"], report["readbacks"]) == (3, 6)
    assert (report["delivered_while_stopping"], report["readbacks_left"], report["render_textures_left"]) == (0, 0, 0)
    assert [line for line in report["log"] if "did not give the pixels" in line]


def test_a_listener_may_switch_the_capture_off(build: PlayBuild) -> None:
    """Targets go when the card has let go of them: nothing is waited for within a readback's callback."""
    report = build.play("OneFrame")
    assert (report["captured"], report["captured_again"]) == (1, 2)
    assert report["readbacks_left"] == report["render_textures_left"] == report["command_buffers_left"] == 0
    assert report["render_textures_at_exit"] == 0


def test_play_and_stop_fifty_times_leaves_nothing(build: PlayBuild, server: BridgeServer) -> None:
    report = build.play("Cycles", endpoint=server.endpoint, cycles=50)
    assert report["answered"] >= 10
    assert report["threads_left"] == report["render_textures_left"] == report["command_buffers_left"] == 0
    assert 1 <= report["threads_at_most"] <= 4, "of one play; they are found by their name"
    assert report["longest_stop_s"] < 5


def test_play_and_stop_without_a_server_leaves_nothing(build: PlayBuild) -> None:
    report = build.play("Cycles", endpoint="tcp://127.0.0.1:9", cycles=4, never_answered="yes")
    assert report["threads_left"] == report["render_textures_left"] == 0 and report["answered"] == 0
    said = [line for line in report["log"] if "tcp://127.0.0.1:9" in line]
    assert 1 <= len(said) <= 4, "once per connection, however often it is tried"


# ---- cameras ---------------------------------------------------------------------------------------------------


def test_an_orthographic_camera_is_refused_once_in_a_sentence(build: PlayBuild) -> None:
    report = build.play("Refusals")
    assert all(report[f"orthographic_{i}"] for i in range(5)) and report["recovers"]
    assert len(report["problems"]) == 4, "one of the capture, one of the exporter, one about the size, one about the shader"
    assert all("orthographic" in sentence and "perspective" in sentence for sentence in report["problems"][:2])
    assert "20000x180" in report["problems"][2] and report["left_of_a_size_that_is_refused"] == 0
    assert "reimport" in report["problems"][3] and report["left_without_a_shader"] == 0


def test_intrinsics_are_those_of_the_gate_not_of_the_sensor(build: PlayBuild, tmp_path: Path) -> None:
    report = build.play("Intrinsics", file=tmp_path / "new" / "camera_intrinsics.json")
    assert len(report["cameras"]) == 3 * 6 + 1 and report["file"] and report["camera_restored"] and not report["render_textures_left"]
    for camera in report["cameras"]:
        got, expected = ([camera[which][key] for key in ("fx", "fy", "cx", "cy")] for which in ("got", "expected"))
        assert got == pytest.approx(expected, rel=1e-6), camera["name"]
    known = {  # reference values for 50 mm, 36 x 24 mm, shift (0.1, 0.2), 640 x 360, worked out apart from the package
        "Vertical": (750, 750, 266, 252),
        "Horizontal": (888.89, 888.89, 256, 265.33),
        "Fill": (888.89, 888.89, 256, 265.33),
        "Overscan": (750, 750, 266, 252),
        "None": (888.89, 750, 256, 252),
    }
    for camera in report["cameras"][:5]:
        assert [camera["got"][key] for key in ("fx", "fy", "cx", "cy")] == pytest.approx(known[camera["name"]], abs=0.005)
    assert report["cameras"][-1]["got"]["fx"] == pytest.approx(report["cameras"][-1]["got"]["fy"] * 300 / 400 / 2)


# ---- datasets --------------------------------------------------------------------------------------------------


def check_capture(folder: Path, report: dict[str, Any], frames: int) -> None:
    """Our own reader takes the folder, and every number in it is true."""
    capture = Capture.open(folder)
    assert len(capture.frames) == frames
    for frame, advance in zip(capture.frames, report["advances"], strict=False):
        loaded = capture.load(frame)
        assert not loaded.notes and loaded.depth_true_m is not None and loaded.extrinsics is not None
        assert loaded.mask.dtype.itemsize >= 2 and loaded.image.shape == (180, 320, 3)
        painted = (loaded.image[..., 0].astype(np.float64) * 256 + loaded.image[..., 1]) / 1000
        np.testing.assert_allclose(loaded.depth_true_m, painted, atol=HALF_A_MILLIMETRE)
        records = {item.record["category"]: item for item in loaded.objects}
        assert set(records) == VISIBLE
        assert records["green_box"].record["parent_id"] == records["red_cube"].record["id"]
        pose = np.asarray(loaded.extrinsics)
        for name, item in records.items():
            rows, columns = np.nonzero(loaded.mask == item.mask_value)
            x0, y0, x1, y1 = item.record["bbox"]
            assert (x0, y0, x1, y1) == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            true = report["stage"][name]["distance"] - advance
            np.testing.assert_allclose(loaded.depth_true_m[rows, columns], true, atol=1e-5, err_msg=name)
            if name in WHOLE:
                x, y, z = pose[:, :3] @ report["stage"][name]["center"] + pose[:, 3]
                assert z == pytest.approx(true, abs=1e-5), "the pose of the very frame"
                camera = loaded.camera
                u, v = camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy
                assert (u, v) == pytest.approx(((x0 + x1) / 2, (y0 + y1) / 2), abs=1), name


def test_a_dataset_is_read_and_annotated_with_exact_distances(build: PlayBuild, tmp_path: Path) -> None:
    report = build.play("Dataset", folder=tmp_path, frames=6, latency=7)
    folder = tmp_path / "capture"
    assert (Path(report["finished"]), report["captured"], report["capturing"]) == (folder, 6, False)
    assert np.diff(report["times"]) == pytest.approx([0.1] * 5), "the simulation's own steps, however long a frame takes"
    assert (report["capture_delta_time"], report["time_scale"]) == (0, 1), "as it was before"
    check_capture(folder, report, 6)
    assert not list(folder.rglob("*.part"))
    with Image.open(folder / "masks" / "00000.png") as mask:
        assert mask.mode.startswith("I") and mask.info == {}
    summary = annotate_capture(folder, tmp_path / "out", ColourDepth()).to_json()
    assert (summary["annotated"], summary["failed"], summary["objects_without_distance"]) == (6, [], 0)
    assert summary["abs_rel"] < 3e-4 and summary["mask_flip_suspected"] == 0


def test_a_stop_leaves_a_folder_that_is_read_and_the_next_capture_goes_beside_it(build: PlayBuild, tmp_path: Path) -> None:
    first = build.play("Dataset", folder=tmp_path, frames=0, stop_after=13)
    assert first["finished"] and first["captured"] >= 13
    check_capture(tmp_path / "capture", first, first["captured"])
    before = {path: path.read_bytes() for path in (tmp_path / "capture").rglob("*") if path.is_file()}
    second = build.play("Dataset", folder=tmp_path, frames=1)
    assert Path(second["folder"]) == tmp_path / "capture_002"
    assert {path: path.read_bytes() for path in (tmp_path / "capture").rglob("*") if path.is_file()} == before
    third = build.play("Dataset", folder=tmp_path, frames=1, overwrite="yes")
    assert Path(third["folder"]) == tmp_path / "capture"
    check_capture(tmp_path / "capture", third, 1)


def test_a_lossless_dataset_measures_every_frame_and_keeps_the_games_time(build: PlayBuild, tmp_path: Path) -> None:
    with BridgeServer(SlowDepth(), bind=LOOPBACK, max_in_flight=1) as server:
        report = build.play("Dataset", folder=tmp_path, frames=12, flow="Lossless", queue=1, endpoint=server.endpoint)
    assert report["all_measured"] and report["measured"] == 12 and report["captured"] == 12
    assert np.diff(report["times"]) == pytest.approx([0.1] * 11, abs=1e-3), "frozen while the server was behind"
    assert report["time_scale"] == 1
    check_capture(tmp_path / "capture", report, 12)


# ---- the package's own tests for Unity's test runner -----------------------------------------------------------


def test_nunit(build: PlayBuild) -> None:
    """What a user runs in Unity's Test Runner passes on the stubs, too; there it tests the engine."""
    tests = sources(PACKAGE / "Tests" / "Runtime")
    assembly = compile_cs(
        build.folder / "Depthbridge.Unity.Tests.dll", tests, references=[build.core, build.engine, build.components], nunit=True
    )
    result = run_nunit(assembly)
    assert not result.failures, "\n".join(result.failures)
    assert result.passed >= 20
