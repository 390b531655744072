# SPDX-License-Identifier: Apache-2.0
"""``depthbridge scene`` as a process of its own: what its console shows, and its exit status."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import bpy
import numpy as np
import pytest
from PIL import Image

from depthbridge.addon.camera import read_intrinsics
from support import onnx_models as models

MAKE, EXIF_IFD, FOCAL_35MM = 0x010F, 0x8769, 0xA405


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return models.da3_single(tmp_path / "da3metric.onnx", size=("height", "width"))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A picture whose EXIF names a 24 mm lens; the tiny network takes brightness for depth."""
    ramp = np.linspace(30, 160, 96).astype(np.uint8)
    exif = Image.Exif()
    exif[MAKE] = "Depthbridge"  # Pillow leaves out an EXIF block whose main directory is empty
    exif.get_ifd(EXIF_IFD)[FOCAL_35MM] = 24
    Image.fromarray(np.repeat(np.repeat(ramp[None, :, None], 64, axis=0), 3, axis=2)).save(tmp_path / "photo.png", exif=exif)
    return tmp_path / "photo.png"


def program(arguments: list[str], largest_file: int | None = None) -> list[str]:
    """The real command; ``largest_file`` in bytes stands for a disk that fills up."""
    lines = ["import sys", "from depthbridge.cli.main import main", f"sys.argv = {['depthbridge', 'scene', *arguments]!r}"]
    if largest_file is not None:
        lines.append(f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({largest_file}, {largest_file}))")
    return [sys.executable, "-c", "\n".join([*lines, "main()"])]


def in_a_process(arguments: list[str], largest_file: int | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(program(arguments, largest_file), capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("as_", ["mesh", "points", "relief"])
def test_the_console_shows_one_line_of_json_and_nothing_of_blenders(as_: str, photo: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = in_a_process([str(photo), "--out", str(out), "--model", str(model), "--as", as_, "--save", "blend,glb,ply,exr"])
    assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 1), done
    line = json.loads(done.stdout)
    assert (line["object"], line["as"], line["camera_source"], line["unit"], line["vertices"]) == ("photo", as_, "exif", "m", 64 * 96)
    assert sorted(path.name for path in out.iterdir()) == ["photo.blend", "photo.exr", "photo.glb", "photo.ply"]
    bpy.ops.wm.open_mainfile(filepath=str(out / "photo.blend"))
    assert bpy.data.images["photo photo"].packed_file is not None
    if as_ != "relief":  # which has a flat camera
        focal = 24 * np.hypot(96, 64) / np.hypot(36, 24)
        assert read_intrinsics(bpy.context.scene.camera, bpy.context.scene).fx == pytest.approx(focal, rel=1e-5)


@pytest.mark.parametrize(
    ("more", "status", "told"),
    [
        (["missing.png"], 1, "does not exist"),
        (["--fov-v", "50", "--fov-h", "60"], 2, "not allowed with"),
        (["--fov-v", "nan"], 2, "finite number"),
        (["--model", "no-such-model"], 2, "no-such-model"),
    ],
)
def test_what_goes_wrong_is_a_sentence_and_a_status(
    more: list[str], status: int, told: str, photo: Path, model: Path, tmp_path: Path
) -> None:
    done = in_a_process([str(photo), "--out", str(tmp_path / "out"), "--model", str(model), *more])
    assert done.returncode == status
    assert told in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert len(done.stdout.splitlines()) == (2 if status == 1 else 0)


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_a_full_disk_is_one_sentence_and_leaves_nothing(photo: Path, model: Path, tmp_path: Path) -> None:
    done = in_a_process([str(photo), "--out", str(tmp_path / "out"), "--model", str(model)], largest_file=50_000)
    assert (done.returncode, json.loads(done.stdout)["status"], done.stderr.count("\n")) == (1, "failed", 1)
    assert "free some space" in done.stderr
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_leaves_nothing_half_and_the_same_command_goes_on(how: signal.Signals, model: Path, tmp_path: Path) -> None:
    photos = []
    for index in range(60):
        photos.append(str(tmp_path / f"p{index}.png"))
        Image.fromarray(np.random.default_rng(index).integers(60, 200, (60, 80, 3), dtype=np.uint8)).save(photos[-1])
    words = [*photos, "--out", str(tmp_path / "out"), "--model", str(model)]
    process = subprocess.Popen(program(words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["status"] == "built"
    process.send_signal(how)
    lines, reasons = process.communicate(timeout=60)
    assert process.returncode == 130, reasons
    assert "stopped" in reasons.splitlines()[-1]
    assert "Traceback" not in reasons
    finished = 1 + len(lines.splitlines())
    assert finished < 60
    assert len(list((tmp_path / "out").iterdir())) in (finished, finished + 1)  # the last may have been saved before it was told
    again = in_a_process(words)
    states = [json.loads(line)["status"] for line in again.stdout.splitlines()]
    assert again.returncode == 0
    assert states.count("skipped") >= finished
    assert len(states) == 60
