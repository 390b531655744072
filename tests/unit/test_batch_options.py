# SPDX-License-Identifier: Apache-2.0
"""The batch command's arguments, up to the door of Blender: the plan they make, and what is refused before any work."""

from __future__ import annotations

from pathlib import Path

import pytest

from depthbridge.addon.batch.options import Plan, SaveFormat, parse
from depthbridge.addon.jobs.remote import RemoteServer
from depthbridge.addon.jobs.request import CameraMode
from depthbridge.addon.options import BuildAs, SkyMode
from depthbridge.engines.depth_file import DepthMeaning
from depthbridge.engines.errors import CameraError, DepthbridgeError, DepthKindError, OutputError


def plan(*arguments: str) -> Plan:
    return parse(arguments, "test")


def test_words_become_a_plan(tmp_path: Path) -> None:
    made = plan(
        "a/one.jpg", "two.npz", "three.EXR", "four.npy", "--out", str(tmp_path / "out"), "--as", "points", "--save", "GLB, blend,glb", "--model", "x.onnx",
        "--device", "cpu", "--threads", "2", "--fov-h", "70", "--stride", "3", "--max-vertices", "5000", "--tear", "0.2", "--sky", "far",
        "--nearest", "0.5", "--farthest", "9", "--radius", "2", "--backfill", "--depth-meaning", "disparity",
    )  # fmt: skip
    one, two, three, four = made.items
    assert made.out == tmp_path / "out"
    assert list(one.wanted) == [SaveFormat.GLB, SaveFormat.BLEND]
    assert one.wanted[SaveFormat.GLB] == tmp_path / "out" / "one.glb"
    assert one.missing == one.wanted
    assert (one.request.source.name, one.request.source.picture, one.request.source.depth_file) == ("one", Path("a/one.jpg"), None)
    assert (two.request.source.picture, two.request.source.depth_file) == (None, Path("two.npz"))
    assert three.request.source.depth_file == Path("three.EXR")
    assert four.request.source.depth_file == Path("four.npy")
    assert three.request.source.meaning is DepthMeaning.DISPARITY
    assert [item.estimates for item in made.items] == [True, False, False, False]
    options = one.request.options
    assert (options.as_, options.stride, options.max_vertices, options.tear, options.sky) == (BuildAs.POINTS, 3, 5000, 0.2, SkyMode.FAR)
    assert (options.nearest, options.farthest, options.radius) == (0.5, 9.0, 2.0)
    assert one.request.backfill
    assert (one.request.camera.mode, one.request.camera.degrees) == (CameraMode.FOV_HORIZONTAL, 70.0)
    assert (made.engine.model, made.engine.device, made.engine.threads) == ("x.onnx", "cpu", 2)


def test_a_server_is_shown_the_token_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "token.txt").write_text("a token that is long enough\nand a second line\n")
    remote = ("--remote", "tcp://host:5577")
    guarded = ("--remote-token-file", str(tmp_path / "token.txt"), "--remote-keys", str(tmp_path))
    assert plan("a.jpg", "--out", str(tmp_path), *remote).engine.remote == RemoteServer("tcp://host:5577")
    chosen = plan("a.jpg", "--out", str(tmp_path), *remote, *guarded).engine.remote
    assert chosen == RemoteServer("tcp://host:5577", "a token that is long enough", tmp_path)
    (tmp_path / "token.txt").write_text("a token that is long enough\r\n", encoding="utf-8-sig")  # as editors of Windows write it
    assert plan("a.jpg", "--out", str(tmp_path), *remote, *guarded).engine.remote == chosen
    with pytest.raises(DepthbridgeError, match="belong to --remote"):
        plan("a.jpg", "--out", str(tmp_path), *guarded)
    with pytest.raises(DepthbridgeError, match=r"none\.txt cannot be read"):
        plan("a.jpg", "--out", str(tmp_path), *remote, "--remote-token-file", str(tmp_path / "none.txt"))


def test_one_input_may_name_its_file(tmp_path: Path) -> None:
    (item,) = plan("photo.jpg", "--out", str(tmp_path / "chair.blend"), "--save", "blend,ply").items
    assert list(item.wanted.values()) == [tmp_path / "chair.blend", tmp_path / "chair.ply"]
    assert item.request.source.name == "chair"
    with pytest.raises(OutputError, match="give a folder"):
        plan("a.jpg", "b.jpg", "--out", str(tmp_path / "chair.blend"))


def test_what_exists_is_not_made_again(tmp_path: Path) -> None:
    (tmp_path / "a.blend").write_bytes(b"finished")
    words = ("a.jpg", "b.jpg", "--out", str(tmp_path), "--save", "blend,exr")
    a, b = plan(*words).items
    assert list(a.missing) == [SaveFormat.EXR]
    assert b.missing == b.wanted
    assert plan(*words, "--force").items[0].missing == a.wanted
    (tmp_path / "a.exr").write_bytes(b"finished")
    assert not plan(*words).items[0].estimates


def test_a_16_bit_png_is_depth_when_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "d.jpg").write_bytes(b"photo")
    (item,) = plan("depth/d.png", "--depth", "--photos", str(tmp_path), "--out", "out").items
    assert (item.request.source.depth_file, item.request.source.picture) == (Path("depth/d.png"), tmp_path / "d.jpg")
    with pytest.raises(DepthbridgeError, match="no picture called e"):
        plan("e.npz", "--photos", str(tmp_path), "--out", "out")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("a/x.jpg", "b/X.png", "--out", "out"), OutputError),
        (("x.jpg", "x.jpg", "--out", "out"), OutputError),
        (("x.jpg", "--out", "out", "--fov-v", "400"), CameraError),
        (("x.jpg", "--out", "out", "--focal-mm", "-3"), CameraError),
        (("x.jpg", "--out", "out", "--nearest", "3", "--farthest", "2"), DepthKindError),
        (("x.jpg", "--out", "out", "--tear", "0"), DepthKindError),
        (("x.jpg", "--out", "out", "--as", "relief", "--strength", "nan"), DepthKindError),
        (("x.jpg", "--out", "out", "--displace"), DepthbridgeError),
    ],
)
def test_what_cannot_all_be_meant_is_refused(words: tuple[str, ...], error: type[Exception]) -> None:
    with pytest.raises(error):
        plan(*words)


@pytest.mark.parametrize(("word", "name"), [(".", "shots"), ("..", "film"), ("../shots", "shots")])
def test_a_folder_is_called_by_its_own_name_whatever_leads_to_it(
    word: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "film" / "shots").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "film" / "shots")
    (item,) = plan(word, "--sequence", "--out", "out").items
    assert (item.request.source.name, item.wanted[SaveFormat.BLEND]) == (name, Path("out", f"{name}.blend"))


def test_no_input_is_written_over(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="one of the inputs"):
        plan(str(tmp_path / "x.exr"), "--out", str(tmp_path), "--save", "blend,exr", "--force")


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("x.jpg",),
        ("x.jpg", "--out", "out", "--as", "cube"),
        ("x.jpg", "--out", "out", "--save", "blend,fbx"),
        ("x.jpg", "--out", "out", "--save", ","),
        ("x.jpg", "--out", "out", "--stride", "0"),
        ("x.jpg", "--out", "out", "--max-vertices", "3"),
        ("x.jpg", "--out", "out", "--fov-v", "50", "--fov-h", "60"),
        ("x.jpg", "--out", "out", "--what"),
    ],
)
def test_usage_is_argparses(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        plan(*words)
    assert stop.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "test: error:" in said.err


def test_help_needs_no_more_than_the_question(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        plan("--help")
    assert stop.value.code == 0
    assert "--backfill" in capsys.readouterr().out
