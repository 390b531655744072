# SPDX-License-Identifier: Apache-2.0
"""``depthbridge estimate`` as a user runs it: a process of its own, real files, real graphs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from depthbridge.cli.main import main
from depthbridge.engines.camera import CameraIntrinsics
from depthbridge.engines.depth_map import DepthKind
from depthbridge.engines.engine import DepthEngine
from depthbridge.engines.export.exr import read_exr
from depthbridge.engines.export.npz import read_npz
from depthbridge.engines.export.png16 import read_png16
from depthbridge.engines.images import decode_image
from support import onnx_models as models
from support.disks import small_disk

EVERYTHING = "npz,png16,exr,ply,glb,preview"
FILES = {"room.npz", "room_depth16.png", "room_depth16.json", "room.exr", "room.ply", "room.glb", "room_preview.png"}
WIDTH, HEIGHT = 56, 42


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models and nothing else; tests add their pictures."""
    path = tmp_path_factory.mktemp("models")
    models.da3_single(path / "DA3METRIC-LARGE.onnx", size=("h", "w"))
    models.da2_relative(path / "depth_anything_v2_vits_dynamic.onnx", name=("image", "depth"))
    return path


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """A picture with a bright band on top, which the graph takes for sky, and no EXIF."""
    path = tmp_path / "room.png"
    x, y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    picture = np.stack([60 + x, 50 + y, 90 + (x + y) // 2], axis=-1).astype(np.uint8)
    picture[: HEIGHT // 4] = 255
    Image.fromarray(picture).save(path)
    return path


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "size=256k") as path:
        yield path


def _run(*arguments: object, model: Path | str, code: int = 0) -> tuple[list[dict], list[str]]:
    """The JSON lines and the lines on stderr of one run; no traceback, ever."""
    command = [sys.executable, "-m", "depthbridge.cli.main", "estimate", *map(str, arguments), "--model", str(model)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == code, done.stderr
    lines = [json.loads(line, parse_constant=lambda word: pytest.fail(f"{word} is no JSON")) for line in done.stdout.splitlines()]
    return lines, done.stderr.splitlines()


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    """The same without the cost of a process, for runs that end in exit status 2 and no JSON line: the lines on stderr."""

    def run(*arguments: object, model: Path) -> list[str]:
        monkeypatch.setattr(sys, "argv", ["depthbridge", "estimate", *map(str, arguments), "--model", str(model)])
        with pytest.raises(SystemExit) as stopped:
            main()
        shown = capsys.readouterr()
        assert stopped.value.code == 2 and shown.out == ""
        return shown.err.splitlines()

    return run


def _names(path: Path) -> set[str]:
    return {item.name for item in path.iterdir()}


def _metric(folder: Path) -> Path:
    return folder / "DA3METRIC-LARGE.onnx"


def _disparity(folder: Path) -> Path:
    return folder / "depth_anything_v2_vits_dynamic.onnx"


# ---- what it gives ------------------------------------------------------------------------------------------------


def test_pictures_keep_their_own_maps_around_one_that_fails(folder: Path, tmp_path: Path) -> None:
    """Several are on their way at once; one cannot be read, one is refused by the engine, one has no place to go."""
    shades = {"a": 40, "b": 90, "c": 140, "d": 190, "e": 230}
    for name, shade in shades.items():
        Image.fromarray(np.full((HEIGHT, WIDTH, 3), shade, np.uint8)).save(tmp_path / f"{name}.png")
    (tmp_path / "unread.png").write_bytes(b"no picture")
    Image.fromarray(np.full((1, 60000, 3), 200, np.uint8)).save(tmp_path / "thread.png")  # no network takes it
    out = tmp_path / "out"
    out.mkdir()
    (out / "c.npz").write_bytes(b"mine")
    names = ["a", "unread", "b", "thread", "c", "d", "e"]
    lines, notes = _run(*(tmp_path / f"{name}.png" for name in names), "--out", out, "--save", "npz", model=_disparity(folder), code=2)
    assert [Path(line["image"]).stem for line in lines] == ["a", "b", "d", "e"]
    assert [line["median"] for line in lines] == sorted(line["median"] for line in lines)
    for line in lines:
        assert np.median(read_npz(Path(line["files"][0])).values) == pytest.approx(line["median"], rel=1e-5)
    assert len(notes) == 3 and all(any(word in note for note in notes) for word in ("unread.png", "60000x1", "c.npz"))
    assert (out / "c.npz").read_bytes() == b"mine"


def test_every_format_tells_the_same_depth_as_the_engine(folder: Path, room: Path, tmp_path: Path) -> None:
    out = tmp_path / "made" / "on demand"
    (line,), notes = _run(room, "--out", out, "--fov-v", 60, "--save", EVERYTHING, model=_metric(folder))
    assert notes == [] and _names(out) == FILES
    picture = decode_image(room)
    with DepthEngine.open(_metric(folder)) as engine:
        expected = engine.estimate(picture, CameraIntrinsics.from_vertical_fov(60, WIDTH, HEIGHT))
    assert 0.1 < expected.sky_mask.mean() < 0.4, "the picture has its sky"

    kept = read_npz(out / "room.npz")
    assert np.array_equal(kept.values, expected.values) and np.array_equal(kept.valid, expected.valid)
    assert (kept.kind, kept.camera, kept.camera_source) == (DepthKind.METRIC, expected.camera, "given")
    assert np.array_equal(read_exr(out / "room.exr"), np.where(expected.valid, expected.values, 0))
    coded = read_png16(out / "room_depth16.png")
    assert np.allclose(coded.values[coded.valid], expected.values[expected.valid], rtol=1e-3)
    count = int(expected.valid.sum())
    assert len(trimesh.load(out / "room.ply").vertices) == count
    assert len(trimesh.load(out / "room.glb", force="mesh", process=False).vertices) == count

    values = expected.values[expected.valid]
    for name, number in (("min", values.min()), ("median", np.median(values)), ("max", values.max())):
        assert line[name] == pytest.approx(float(number), rel=1e-5)
    assert line["sky_fraction"] == pytest.approx(expected.sky_mask.mean(), rel=1e-5)
    assert line["focal_px"] == pytest.approx(expected.focal_px, rel=1e-5)
    assert (line["image"], line["kind"], line["unit"], line["camera_source"]) == (str(room), "metric", "m", "given")
    assert (line["width"], line["height"], line["fov_vertical_deg"]) == (WIDTH, HEIGHT, 60)
    assert {Path(name).name for name in line["files"]} == FILES
    assert set(line["ms"]) == {"decode", "preprocess", "infer", "postprocess", "write"}
    assert all(number >= 0 for number in line["ms"].values())


def test_without_a_camera_depth_is_relative_and_one_line_says_how_to_get_metres(folder: Path, room: Path, tmp_path: Path) -> None:
    (line,), notes = _run(room, "--out", tmp_path / "out", model=_metric(folder))
    assert _names(tmp_path / "out") == {"room.npz", "room_preview.png"}, "the default"
    assert (line["kind"], line["unit"], line["camera_source"]) == ("relative", "relative", "none")
    assert line["focal_px"] is None and line["fov_vertical_deg"] is None
    assert len(notes) == 1 and "--fov-v" in notes[0] and "relative" in notes[0]
    kept = read_npz(tmp_path / "out" / "room.npz")
    assert kept.camera is None and kept.kind is DepthKind.RELATIVE and kept.camera_source == "none"


def test_shapes_without_a_camera_assume_one_and_say_so(folder: Path, room: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (line,), notes = _run(room, "--out", out, "--save", "npz,ply,glb", model=_metric(folder))
    assert line["camera_source"] == "assumed" and line["fov_vertical_deg"] == pytest.approx(50) and line["unit"] == "relative"
    assert any("assume 50 degrees" in note for note in notes)
    assert b"comment camera_source assumed" in (out / "room.ply").read_bytes()[:400]
    assert read_npz(out / "room.npz").camera_source == "none", "what needs no camera assumes none"
    # The picture's edge is seen at half the assumed angle: the outermost pixel's centre lies half a pixel inside.
    vertices = trimesh.load(out / "room.ply").vertices
    slope = np.abs(vertices[:, 1] / vertices[:, 2]).max()
    assert slope == pytest.approx(np.tan(np.radians(25)) * (HEIGHT - 1) / HEIGHT, rel=1e-5)


def test_the_order_of_cameras_is_given_then_exif(folder: Path, room: Path, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 28
    with Image.open(room) as image:
        image.save(tmp_path / "photo.jpg", exif=exif)
    (line,), _ = _run(tmp_path / "photo.jpg", "--out", tmp_path / "a", model=_metric(folder))
    diagonal = np.hypot(WIDTH, HEIGHT) / np.hypot(36, 24)
    assert (line["kind"], line["camera_source"]) == ("metric", "exif")
    assert line["fov_vertical_deg"] == pytest.approx(2 * np.degrees(np.arctan(HEIGHT / 2 / (28 * diagonal))), rel=1e-4)
    (given,), _ = _run(tmp_path / "photo.jpg", "--out", tmp_path / "b", "--fov-v", 60, model=_metric(folder))
    assert (given["camera_source"], given["fov_vertical_deg"]) == ("given", 60)
    intrinsics = tmp_path / "camera.json"
    intrinsics.write_text(json.dumps(CameraIntrinsics.from_vertical_fov(40, WIDTH, HEIGHT).to_json()))
    (given,), _ = _run(tmp_path / "photo.jpg", "--out", tmp_path / "c", "--intrinsics", intrinsics, model=_metric(folder))
    assert (given["camera_source"], given["fov_vertical_deg"]) == ("given", 40)


def test_disparity_has_its_own_kind_and_no_shape(folder: Path, room: Path, tmp_path: Path) -> None:
    (line,), _ = _run(room, "--out", tmp_path / "a", "--save", "npz,png16,exr,preview", model=_disparity(folder))
    assert (line["kind"], line["unit"], line["sky_fraction"]) == ("disparity", "disparity", None)
    assert read_png16(tmp_path / "a" / "room_depth16.png").kind is DepthKind.DISPARITY
    for wanted in ("ply", "glb", "npz,glb"):
        lines, notes = _run(room, "--out", tmp_path / "b", "--save", wanted, model=_disparity(folder), code=2)
        assert lines == [] and len(notes) == 1 and "disparity" in notes[0]
        assert not (tmp_path / "b").exists(), "all of a picture or nothing"


def test_points_and_vertices_are_limited(folder: Path, room: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    _run(
        room, "--out", out, "--fov-h", 70, "--save", "ply,glb", "--max-points", 100, "--max-vertices", 300,
        "--threads", 1, "--device", "cpu", model=_metric(folder),
    )  # fmt: skip
    assert len(trimesh.load(out / "room.ply").vertices) == 100
    assert 100 < len(trimesh.load(out / "room.glb", force="mesh", process=False).vertices) <= 300


# ---- what it refuses ----------------------------------------------------------------------------------------------


def test_a_bad_picture_is_told_and_the_others_go_on(folder: Path, room: Path, tmp_path: Path) -> None:
    animated = tmp_path / "waving.gif"
    frames = [Image.new("RGB", (30, 20), colour) for colour in ((200, 0, 0), (0, 200, 0))]
    frames[0].save(animated, save_all=True, append_images=frames[1:])
    truncated = tmp_path / "truncated.png"
    truncated.write_bytes(room.read_bytes()[:-60])
    (tmp_path / "empty.jpg").write_bytes(b"")
    pictures = [tmp_path / "missing.png", truncated, room, tmp_path / "empty.jpg", animated, tmp_path]
    lines, notes = _run(*pictures, "--out", tmp_path / "out", "--fov-v", 60, model=_metric(folder), code=2)
    assert [line["image"] for line in lines] == [str(room), str(animated)]
    for name, words in (
        ("missing.png", "does not exist"),
        ("truncated.png", "truncated"),
        ("empty.jpg", "empty"),
        ("waving.gif", "holds 2 pictures; the first is used"),
        (str(tmp_path), "is a folder"),
    ):
        assert len([note for note in notes if name in note and words in note]) == 1, (name, notes)
    assert len(notes) == 5
    assert _names(tmp_path / "out") == {"room.npz", "room_preview.png", "waving.npz", "waving_preview.png"}


def test_what_exists_stays_unless_forced(folder: Path, room: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "room_preview.png").write_bytes(b"mine")
    lines, notes = _run(room, "--out", out, model=_metric(folder), code=2)
    assert lines == [] and len(notes) == 1 and "exists already" in notes[0] and "--force" in notes[0]
    assert _names(out) == {"room_preview.png"} and (out / "room_preview.png").read_bytes() == b"mine"
    _run(room, "--out", out, "--force", model=_metric(folder))
    assert (out / "room_preview.png").read_bytes() != b"mine"


def test_two_pictures_of_one_name_are_refused_and_no_input_is_written_over(folder: Path, room: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    twin = tmp_path / "other" / "ROOM.jpg"
    with Image.open(room) as image:
        image.save(twin)
    _, notes = _run(room, twin, "--out", tmp_path / "out", model=_metric(folder), code=2)
    assert len(notes) == 1 and str(room) in notes[0] and str(twin) in notes[0] and not (tmp_path / "out").exists()

    # A picture whose name is that of another's output, in the output folder, and --force.
    victim = tmp_path / "room_preview.png"
    victim.write_bytes(room.read_bytes())
    _, notes = _run(room, victim, "--out", tmp_path, "--force", model=_metric(folder), code=2)
    assert any("one of the pictures to read" in note for note in notes)
    assert victim.read_bytes() == room.read_bytes()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--fov-v", "nan"], "field of view"),
        (["--fov-v", "-20"], "field of view"),
        (["--fov-h", "180"], "field of view"),
        (["--fov-v", "50", "--fov-h", "60"], "--fov-h"),
        (["--intrinsics", "missing.json"], "missing.json"),
        (["--save", "npz,tiff"], "tiff"),
        (["--save", ""], "choose from"),
        (["--max-points", "0"], "--max-points"),
    ],
)
def test_bad_options_are_one_clear_refusal(
    options: list[str], words: str, refused: Callable[..., list[str]], folder: Path, room: Path, tmp_path: Path
) -> None:
    notes = refused(room, "--out", tmp_path / "out", *options, model=_metric(folder))
    assert words in notes[-1]
    assert not (tmp_path / "out").exists() or _names(tmp_path / "out") == set()


def test_bad_intrinsics_are_told(refused: Callable[..., list[str]], folder: Path, room: Path, tmp_path: Path) -> None:
    camera = tmp_path / "camera.json"
    for content in (
        '{"fx": -500}',
        '{"fx": NaN}',
        '{"fx": 500, "width": 640, "height": 480}',
        '{"K": [[1, 0, 0], [0, 1, 0], [0, 0, -1]]}',
        "[]",
        "",
    ):
        camera.write_text(content)
        notes = refused(room, "--out", tmp_path / "out", "--intrinsics", camera, model=_metric(folder))
        assert len(notes) == 1, notes
        assert _names(tmp_path / "out") == set()


def test_a_model_that_is_none(room: Path, tmp_path: Path) -> None:
    noise = tmp_path / "noise.onnx"
    noise.write_bytes(np.random.default_rng(0).bytes(5000))
    for model in (noise, tmp_path / "missing.onnx", "no-such-model"):
        lines, notes = _run(room, "--out", tmp_path / "out", model=model, code=2)
        assert lines == [] and len(notes) == 1 and Path(model).name in notes[0]
        assert not (tmp_path / "out").exists()


def test_a_picture_with_no_depth_at_all(folder: Path, tmp_path: Path) -> None:
    Image.new("RGB", (40, 30), (255, 255, 255)).save(tmp_path / "sky.png")
    (line,), _ = _run(tmp_path / "sky.png", "--out", tmp_path / "a", "--fov-v", 60, "--save", "npz,png16,exr,preview", model=_metric(folder))
    assert (line["min"], line["median"], line["max"], line["sky_fraction"], line["valid_fraction"]) == (None, None, None, 1, 0)
    assert len(_names(tmp_path / "a")) == 5
    lines, notes = _run(
        tmp_path / "sky.png", "--out", tmp_path / "b", "--fov-v", 60, "--save", EVERYTHING, model=_metric(folder), code=2
    )
    assert lines == [] and len(notes) == 1 and "all sky" in notes[0]
    assert _names(tmp_path / "b") == set()


def test_one_pixel_works(folder: Path, tmp_path: Path) -> None:
    Image.new("RGB", (1, 1), (80, 90, 100)).save(tmp_path / "dot.png")
    (line,), _ = _run(tmp_path / "dot.png", "--out", tmp_path / "out", "--fov-v", 60, "--save", "npz,png16,exr,ply,preview", model=_metric(folder))
    assert (line["width"], line["height"]) == (1, 1) and line["min"] == line["max"]


def test_a_name_with_no_room_for_a_suffix(folder: Path, room: Path, tmp_path: Path) -> None:
    long = tmp_path / ("n" * 245 + ".png")
    long.write_bytes(room.read_bytes())
    lines, notes = _run(long, "--out", tmp_path / "out", "--fov-v", 60, model=_metric(folder), code=2)
    assert lines == [] and len(notes) == 1 and "too long" in notes[0]
    assert _names(tmp_path / "out") == set()


def test_an_output_folder_that_is_a_file_or_below_one(folder: Path, room: Path, tmp_path: Path) -> None:
    before = room.read_bytes()
    for out in (room, room / "below"):
        lines, notes = _run(room, "--out", out, model=_metric(folder), code=2)
        assert lines == [] and len(notes) == 1 and "not a folder" in notes[0]
    assert room.read_bytes() == before


def test_a_read_only_output_folder(folder: Path, room: Path, disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    for out in (disk, disk / "below"):
        lines, notes = _run(room, "--out", out, model=_metric(folder), code=2)
        assert lines == [] and len(notes) == 1 and "read-only" in notes[0]


def test_a_full_output_folder(folder: Path, tmp_path: Path, disk: Path) -> None:
    """The first file fits, a later one does not: neither stays, and the folder is as it was."""
    (disk / "mine.txt").write_text("mine")
    noise = np.random.default_rng(0).integers(0, 120, (180, 240, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    lines, notes = _run(
        tmp_path / "noise.png", "--out", disk, "--fov-v", 60, "--save", "preview,npz,exr,ply", model=_metric(folder), code=2
    )
    assert lines == [] and len(notes) == 1 and f"Cannot write {disk / 'noise'}" in notes[0] and "full" in notes[0]
    assert _names(disk) == {"mine.txt"}
