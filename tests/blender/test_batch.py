# SPDX-License-Identifier: Apache-2.0
"""The batch command in real Blender: a line per input, exit statuses, resuming, and files that other programs can read."""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
import trimesh
from PIL import Image

from depthbridge.addon.batch import command_line
from depthbridge.addon.batch import main as batch
from depthbridge.addon.camera import read_intrinsics
from depthbridge.engines.errors import ModelError
from depthbridge.engines.export.exr import read_exr
from depthbridge.engines.export.npz import write_npz
from support import onnx_models as models
from support.disks import small_disk
from support.known_depth import CAMERAS, blocks, depth_map, wavy_depth
from support.movies import marked_frame, write_folder, write_movie

CAMERA = CAMERAS["off centre"]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return models.da3_single(tmp_path / "da3metric.onnx", size=("height", "width"), sky=False)


def save_photo(path: Path, seed: int = 0) -> Path:
    Image.fromarray(np.random.default_rng(seed).integers(60, 200, (30, 40, 3), dtype=np.uint8)).save(path)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    return [save_photo(tmp_path / f"{name}.png", seed) for seed, name in enumerate("abc")]


class Ran:
    """One call of the command: its exit status, its lines, and what it said on stderr."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err
        self.lines: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines()]

    @property
    def states(self) -> list[str]:
        return [line["status"] for line in self.lines]


@pytest.fixture
def run(model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Any:
    def call(*words: str | Path, out: Path | None = None) -> Ran:
        capfd.readouterr()
        fixed = ["--model", str(model), "--device", "cpu", "--out", str(out or tmp_path / "out")]
        status = batch.main([*map(str, words), *fixed])
        return Ran(status, *capfd.readouterr())

    return call


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ---- lines and statuses ------------------------------------------------------------------------------------------------


def test_each_input_is_a_line_and_a_scene_of_its_own(photos: list[Path], run: Any, tmp_path: Path) -> None:
    done = run(*photos, "--fov-v", "40", "--save", "blend,exr")
    assert (done.status, done.states) == (0, ["built"] * 3)
    assert files(tmp_path / "out") == ["a.blend", "a.exr", "b.blend", "b.exr", "c.blend", "c.exr"]
    line = done.lines[1]
    assert (line["input"], line["object"], line["as"], line["kind"], line["unit"]) == (str(photos[1]), "b", "mesh", "metric", "m")
    assert (line["vertices"], line["faces"], line["stride"], line["camera_source"]) == (30 * 40, 29 * 39, 1, "given")
    assert line["files"] == [str(tmp_path / "out" / "b.blend"), str(tmp_path / "out" / "b.exr")]
    bpy.ops.wm.open_mainfile(filepath=line["files"][0])
    assert sorted(item.name for item in bpy.data.objects) == ["b", "b camera"]  # nothing of a
    assert read_intrinsics(bpy.context.scene.camera, bpy.context.scene).fov_vertical_deg == pytest.approx(40, abs=1e-3)


def test_a_bad_input_in_the_middle_costs_nobody_else(photos: list[Path], run: Any, tmp_path: Path) -> None:
    photos[1].write_bytes(photos[1].read_bytes()[:100])
    done = run(*photos, tmp_path / "missing.jpg")
    assert (done.status, done.states) == (1, ["built", "failed", "built", "failed"])
    assert done.lines[1]["code"] == "bad_image"
    assert str(photos[1]) in done.lines[1]["error"]
    reasons = [line for line in done.err.splitlines() if str(photos[1]) in line or "missing.jpg" in line]
    assert len(reasons) == 2
    assert "Traceback" not in done.err
    assert files(tmp_path / "out") == ["a.blend", "c.blend"]


def test_a_folder_is_told_how_it_is_built(photos: list[Path], run: Any, tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    done = run(photos[0], tmp_path / "frames")
    assert (done.status, done.states) == (1, ["built", "failed"])
    assert "--sequence" in done.lines[1]["error"]


def test_a_failure_of_ours_costs_one_input_and_is_shown(photos: list[Path], run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real = batch.build_objects

    def stumbles(prepared: Any, name: str) -> Any:
        if name == "b":
            raise ZeroDivisionError("ours")
        return real(prepared, name)

    monkeypatch.setattr(batch, "build_objects", stumbles)
    done = run(*photos)
    assert (done.status, done.states) == (1, ["built", "failed", "built"])
    assert "report it" in done.lines[1]["error"]
    assert "ZeroDivisionError: ours" in done.err


def test_the_engine_is_opened_once_and_only_when_it_is_needed(photos: list[Path], run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from depthbridge.addon.jobs.request import EngineChoice

    opened = []
    real = EngineChoice.open
    monkeypatch.setattr(EngineChoice, "open", lambda self: opened.append(self) or real(self))
    assert run(*photos).status == 0
    assert len(opened) == 1
    assert run(*photos).status == 0
    assert len(opened) == 1


def test_a_model_that_does_not_open_is_told_before_any_work(photos: list[Path], model: Path, run: Any, tmp_path: Path) -> None:
    model.write_bytes(b"garbage")
    done = run(*photos)
    assert (done.status, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert files(tmp_path / "out") == []


@pytest.mark.parametrize(
    "words", [("--as", "cube"), ("--fov-v", "nan"), ("--nearest", "3", "--farthest", "2"), ("--save", "fbx"), ("a/a.png",), ("--strid",)]
)
def test_usage_does_nothing(words: tuple[str, ...], photos: list[Path], run: Any, tmp_path: Path) -> None:
    done = run(*photos, *words)
    assert (done.status, done.out) == (2, "")
    assert done.err
    assert not (tmp_path / "out").exists()


# ---- resuming ----------------------------------------------------------------------------------------------------------


def test_what_is_finished_is_skipped_and_what_is_missing_is_added(photos: list[Path], run: Any, tmp_path: Path) -> None:
    assert run(*photos[:2]).states == ["built", "built"]
    first = (tmp_path / "out" / "a.blend").read_bytes()
    done = run(*photos)
    assert (done.status, done.states) == (0, ["skipped", "skipped", "built"])
    assert done.lines[0]["files"] == [str(tmp_path / "out" / "a.blend")]
    done = run(*photos, "--save", "blend,exr")
    assert done.states == ["built"] * 3
    assert done.lines[0]["files"] == [str(tmp_path / "out" / "a.exr")]
    assert (tmp_path / "out" / "a.blend").read_bytes() == first
    assert run(photos[0], "--force", "--max-vertices", "300").states == ["built"]
    assert (tmp_path / "out" / "a.blend").read_bytes() != first


def test_outputs_belong_together(photos: list[Path], run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from depthbridge.addon.batch import files as batch_files
    from depthbridge.engines.errors import OutputError

    def full(*_: Any) -> None:
        raise OutputError("The disk is full.")

    monkeypatch.setattr(batch_files, "write_exr", full)
    assert run(photos[0], "--save", "blend,exr").states == ["failed"]
    assert files(tmp_path / "out") == []


@pytest.mark.skipif(sys.platform == "win32", reason="mounts")
@pytest.mark.parametrize("kind", ["blend", "glb", "ply", "exr"])
def test_a_full_disk_costs_the_input_that_met_it_and_leaves_no_half_file(kind: str, run: Any, photos: list[Path], tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    Image.fromarray(np.random.default_rng(5).integers(0, 255, (600, 800, 3), dtype=np.uint8)).save(large)
    with small_disk(tmp_path / "disk", "size=420k") as disk:
        done = run(large, photos[0], "--save", kind, out=disk)
        assert (done.status, done.states) == (1, ["failed", "built"])
        assert done.lines[0]["code"] == "cannot_write", done.lines[0]
        assert str(disk / f"large.{kind}") in done.lines[0]["error"]
        assert "\n" not in done.lines[0]["error"]
        assert "Traceback" not in done.err
        assert files(disk) == [f"a.{kind}"]


def test_a_read_only_folder_is_told_before_any_work(run: Any, photos: list[Path], tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=64k,ro") as disk:
        done = run(*photos, out=disk)
        assert (done.status, done.out) == (2, "")
        assert "read-only" in done.err


# ---- what is in the files ----------------------------------------------------------------------------------------------


@pytest.fixture
def known(tmp_path: Path) -> Path:
    """Depth with a jump and a hole, its camera off centre, and a photo of coloured blocks beside it."""
    valid = np.ones((120, 160), dtype=np.bool_)
    valid[:9, :11] = False
    write_npz(tmp_path / "room.npz", depth_map(wavy_depth(CAMERA), CAMERA, valid=valid))
    (tmp_path / "photos").mkdir()
    Image.fromarray(blocks(160, 120)).save(tmp_path / "photos" / "room.png")
    return tmp_path / "room.npz"


def expected_points() -> tuple[np.ndarray, np.ndarray]:
    """Where each pixel lies with y up and the camera looking along -z, and its colour."""
    return CAMERA.ray_directions() * wavy_depth(CAMERA)[..., None] * np.array([1, -1, -1], dtype=np.float32), blocks(160, 120)


def pixels_of(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows and columns of the pixels that see these points."""
    place = np.rint(CAMERA.project(points * [1, -1, -1]) - 0.5).astype(int)
    return place[:, 1], place[:, 0]


def test_ply_of_points_holds_every_pixel_in_place_and_colour(known: Path, run: Any, tmp_path: Path) -> None:
    assert run(known, "--photos", tmp_path / "photos", "--as", "points", "--save", "ply").status == 0
    cloud = trimesh.load(tmp_path / "out" / "room.ply")
    points, colors = expected_points()
    assert len(cloud.vertices) == 120 * 160 - 9 * 11
    pixels = pixels_of(cloud.vertices)
    assert len(set(zip(*pixels, strict=True))) == len(cloud.vertices)
    np.testing.assert_allclose(cloud.vertices, points[pixels], atol=2e-6)
    assert np.abs(np.asarray(cloud.colors)[:, :3].astype(int) - colors[pixels]).max() <= 1
    raw = cloud.metadata["_ply_raw"]["vertex"]["data"]
    np.testing.assert_allclose(np.asarray(raw["depth"]).ravel(), wavy_depth(CAMERA)[pixels], rtol=1e-6)


def test_ply_of_a_mesh_is_torn_and_coloured(known: Path, run: Any, tmp_path: Path) -> None:
    assert run(known, "--photos", tmp_path / "photos", "--save", "ply").status == 0
    mesh = trimesh.load(tmp_path / "out" / "room.ply", process=False)
    points, colors = expected_points()
    pixels = pixels_of(mesh.vertices)
    np.testing.assert_allclose(mesh.vertices, points[pixels], atol=2e-6)
    assert np.abs(np.asarray(mesh.visual.vertex_colors)[:, :3].astype(int) - colors[pixels]).max() <= 1
    depths = -mesh.vertices[mesh.faces][..., 2]
    assert (depths.max(axis=1) / depths.min(axis=1) - 1).max() <= 0.1 + 1e-5
    assert len(mesh.faces) > 119 * 159
    assert (mesh.face_normals * -mesh.triangles_center).sum(axis=1).min() > 0  # towards the camera, which is at the origin


def glb(path: Path) -> tuple[dict[str, Any], bytes]:
    content = path.read_bytes()
    (length,) = struct.unpack_from("<I", content, 12)
    return json.loads(content[20 : 20 + length]), content[28 + length :]


def test_glb_of_a_mesh_has_the_photo_unlit_where_it_belongs(known: Path, run: Any, tmp_path: Path) -> None:
    assert run(known, "--photos", tmp_path / "photos", "--save", "glb").status == 0
    tree, _ = glb(tmp_path / "out" / "room.glb")
    assert [node["name"] for node in tree["nodes"]] == ["room"]
    assert "KHR_materials_unlit" in tree["materials"][0]["extensions"]
    assert set(tree["meshes"][0]["primitives"][0]["attributes"]) == {"POSITION", "NORMAL", "TEXCOORD_0"}
    (mesh,) = trimesh.load(tmp_path / "out" / "room.glb").geometry.values()
    points, colors = expected_points()
    pixels = pixels_of(mesh.vertices)
    np.testing.assert_allclose(mesh.vertices, points[pixels], atol=2e-6)
    texture = np.asarray(mesh.visual.material.baseColorTexture.convert("RGB"))
    u, v = mesh.visual.uv.T
    np.testing.assert_array_equal(texture[((1 - v) * 120).astype(int), (u * 160).astype(int)], colors[pixels])


def test_glb_of_points_has_their_colours(known: Path, run: Any, tmp_path: Path) -> None:
    assert run(known, "--photos", tmp_path / "photos", "--as", "points", "--save", "glb").status == 0
    tree, buffer = glb(tmp_path / "out" / "room.glb")
    (primitive,) = tree["meshes"][0]["primitives"]
    assert primitive["mode"] == 0
    layers = {}
    for name, index in primitive["attributes"].items():
        accessor = tree["accessors"][index]
        view = tree["bufferViews"][accessor["bufferView"]]
        kind, full = {5126: (np.float32, 1.0), 5123: (np.uint16, 65535.0), 5121: (np.uint8, 255.0)}[accessor["componentType"]]
        width = int(accessor["type"].removeprefix("VEC"))
        assert view["byteLength"] == accessor["count"] * width * np.dtype(kind).itemsize
        start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        layers[name] = np.frombuffer(buffer, kind, accessor["count"] * width, start).reshape(-1, width) / full
    points, colors = expected_points()
    pixels = pixels_of(layers["POSITION"])
    assert len(layers["POSITION"]) == 120 * 160 - 9 * 11
    np.testing.assert_allclose(layers["POSITION"], points[pixels], atol=2e-6)
    linear = layers["COLOR_0"][:, :3]
    shown = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055) * 255
    assert np.abs(shown - colors[pixels]).max() < 1.0


def test_exr_is_the_depth(known: Path, run: Any, tmp_path: Path) -> None:
    assert run(known, "--save", "exr").status == 0
    written = read_exr(tmp_path / "out" / "room.exr")
    assert (written[:9, :11] == 0).all()
    np.testing.assert_array_equal(written[9:], wavy_depth(CAMERA)[9:])


def test_a_depth_range_that_leaves_nothing_fails_with_the_remedy(known: Path, run: Any) -> None:
    done = run(known, "--save", "ply", "--nearest", "900")
    assert (done.status, done.states) == (1, ["failed"])
    assert "depth range" in done.lines[0]["error"]


@pytest.mark.parametrize("as_", ["mesh", "points", "relief"])
def test_all_formats_of_all_kinds(as_: str, photos: list[Path], run: Any, tmp_path: Path) -> None:
    done = run(photos[0], "--as", as_, "--save", "blend,glb,ply,exr")
    assert done.status == 0
    assert files(tmp_path / "out") == ["a.blend", "a.exr", "a.glb", "a.ply"]
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "out" / "a.blend"))
    assert bpy.data.objects["a"]["depthbridge_as"] == as_
    written = trimesh.load(tmp_path / "out" / "a.ply", process=False)
    assert len(written.vertices) == 30 * 40 or as_ == "mesh"  # which is torn


# ---- Blender's own command line ----------------------------------------------------------------------------------------


def test_the_command_passes_its_words_on(photos: list[Path], model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = [str(photos[0]), "--out", str(tmp_path / "out"), "--model", str(model), "--device", "cpu"]
    assert command_line.run(["build", *words]) == 0
    assert json.loads(capfd.readouterr().out)["status"] == "built"
    assert command_line.run(["build"]) == 2
    assert command_line.run([]) == 2
    assert command_line.run(["bild", *words]) == 2
    assert capfd.readouterr().out == ""
    assert command_line.run(["--help"]) == 0
    assert "build" in capfd.readouterr().out


def test_the_command_is_registered_and_taken_back() -> None:
    command_line.register_more()
    command_line.unregister_more()
    command_line.register_more()
    command_line.unregister_more()


def test_the_reason_of_a_model_is_the_engines(model: Path) -> None:
    model.write_bytes(b"garbage")
    from depthbridge.addon.jobs.request import EngineChoice

    with pytest.raises(ModelError):
        EngineChoice(model=str(model)).open()


# ---- backfill and sequences --------------------------------------------------------------------------------------------


def test_a_backfill_is_in_every_file(known: Path, run: Any, tmp_path: Path) -> None:
    alone = run(known, "--save", "glb,ply")
    assert alone.status == 0
    front = len(trimesh.load(tmp_path / "out" / "room.ply", process=False).vertices)
    done = run(known, "--save", "blend,glb,ply", "--backfill", "--force")
    assert done.status == 0, done.err
    tree, _ = glb(tmp_path / "out" / "room.glb")
    assert sorted(node["name"] for node in tree["nodes"]) == ["room", "room backfill"]
    assert len(tree["images"]) == 2
    assert len(trimesh.load(tmp_path / "out" / "room.ply", process=False).vertices) > front
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "out" / "room.blend"))
    assert bpy.data.objects["room backfill"].parent is bpy.data.objects["room"]


def test_nothing_torn_is_told(run: Any, tmp_path: Path) -> None:
    write_npz(tmp_path / "wall.npz", depth_map(np.full((60, 80), 2.0, dtype=np.float32), None))
    done = run(tmp_path / "wall.npz", "--backfill")
    assert done.status == 0
    assert "no gap to fill" in done.err


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    write_folder(tmp_path / "shot.v2", [marked_frame(index) for index in range(4)])
    return tmp_path / "shot.v2"


def test_a_folder_becomes_one_object_that_plays_wherever_it_is_moved(shots: Path, run: Any, tmp_path: Path) -> None:
    done = run(shots, "--sequence", "--fov-v", "40", "--stride", "4")
    assert (done.status, done.states) == (0, ["built"]), done.err
    line = done.lines[0]
    assert (line["object"], line["frames"], line["unit"], line["vertices"]) == ("shot.v2", 4, "m", 12 * 16)
    assert files(tmp_path / "out") == ["shot.v2.blend", "shot.v2_depth"]
    (tmp_path / "out").rename(tmp_path / "moved")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "moved" / "shot.v2.blend"))
    depth = bpy.data.images["shot.v2 depth"]
    assert Path(bpy.path.abspath(depth.filepath)).parent == tmp_path / "moved" / "shot.v2_depth"
    assert Path(bpy.path.abspath(depth.filepath)).is_file()
    assert Path(bpy.path.abspath(bpy.data.images["shot.v2 photo"].filepath)).parent == shots
    assert (bpy.context.scene.frame_start, bpy.context.scene.frame_end) == (1, 4)


def test_a_movie_is_a_sequence_by_itself_and_is_skipped_when_finished(run: Any, tmp_path: Path) -> None:
    movie = write_movie(tmp_path / "clip.mp4", [marked_frame(index) for index in range(3)])
    assert run(movie).states == ["built"]
    assert run(movie).states == ["skipped"]
    (tmp_path / "out" / "clip.blend").unlink()
    done = run(movie)
    assert (done.states, done.lines[0]["frames"]) == (["built"], 3)


def test_a_bad_frame_costs_its_sequence_alone(shots: Path, photos: list[Path], run: Any, tmp_path: Path) -> None:
    (shots / "shot_0003.png").write_bytes(b"no picture")
    good = tmp_path / "good"
    write_folder(good, [marked_frame(index) for index in range(2)])
    done = run(shots, good, "--sequence")
    assert (done.status, done.states) == (1, ["failed", "built"])
    assert "shot_0003" in done.lines[0]["error"]
    assert "shot.v2.blend" not in files(tmp_path / "out")
