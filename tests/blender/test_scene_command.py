# SPDX-License-Identifier: Apache-2.0
"""``depthbridge scene`` from picture to .blend, with a tiny network whose output is known."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import bpy
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from depthbridge.addon.camera import read_intrinsics
from depthbridge.cli.scene import command
from depthbridge.engines.errors import CameraError, ImageError
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


def run(photo: Path, out: Path, model: Path, *more: str) -> Result:
    return CliRunner().invoke(command, [str(photo), "--out", str(out), "--model", str(model), "--device", "cpu", *more])


@pytest.mark.parametrize(("as_", "kind"), [("mesh", "MESH"), ("points", "POINTCLOUD")])
def test_a_picture_becomes_a_scene(as_: str, kind: str, photo: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.blend"
    result = run(photo, out, model, "--as", as_)
    assert result.exception is None, result.output
    line = json.loads(result.stdout)
    assert (line["object"], line["camera_source"], line["unit"], line["vertices"]) == ("photo", "exif", "m", 64 * 96)
    assert line["faces"] == (63 * 95 if as_ == "mesh" else 0)
    assert line["file"] == str(out)
    bpy.ops.wm.open_mainfile(filepath=str(out))
    assert bpy.data.objects["photo"].type == kind
    assert bpy.data.images["photo photo"].packed_file is not None
    focal = 24 * np.hypot(96, 64) / np.hypot(36, 24)
    assert read_intrinsics(bpy.context.scene.camera, bpy.context.scene).fx == pytest.approx(focal, rel=1e-5)


def test_a_given_field_of_view_is_the_scenes(photo: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.blend"
    assert json.loads(run(photo, out, model, "--fov-v", "40").stdout)["camera_source"] == "given"
    bpy.ops.wm.open_mainfile(filepath=str(out))
    assert read_intrinsics(bpy.context.scene.camera, bpy.context.scene).fov_vertical_deg == pytest.approx(40, abs=1e-3)


def test_a_limit_on_vertices_and_overwriting(photo: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.blend"
    out.write_bytes(b"old")
    line = json.loads(run(photo, out, model, "--max-vertices", "2000", "--force").stdout)
    assert line["vertices"] <= 2000
    assert line["stride"] == 2
    assert out.stat().st_size > 1000


@pytest.mark.parametrize(
    ("more", "error"), [(("--fov-v", "50", "--fov-h", "60"), CameraError), (("--fov-v", "nan"), CameraError)]
)
def test_bad_cameras_leave_nothing(more: tuple[str, ...], error: type[Exception], photo: Path, model: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    assert isinstance(run(photo, tmp_path / "x.blend", model, *more).exception, error)
    assert sorted(tmp_path.iterdir()) == before


def test_a_broken_picture_leaves_nothing(photo: Path, model: Path, tmp_path: Path) -> None:
    photo.write_bytes(photo.read_bytes()[:100])
    assert isinstance(run(photo, tmp_path / "x.blend", model).exception, ImageError)
    assert not (tmp_path / "x.blend").exists()


def in_a_process(arguments: list[str], largest_file: int | None = None) -> subprocess.CompletedProcess[str]:
    """The real command, with its real console; ``largest_file`` in bytes stands for a disk that fills up."""
    lines = ["import sys", "from depthbridge.cli.main import main", f"sys.argv = {['depthbridge', 'scene', *arguments]!r}"]
    if largest_file is not None:
        lines.append(f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({largest_file}, {largest_file}))")
    return subprocess.run([sys.executable, "-c", "\n".join([*lines, "main()"])], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("as_", ["mesh", "points"])
def test_the_console_shows_one_line_of_json_and_nothing_of_blenders(as_: str, photo: Path, model: Path, tmp_path: Path) -> None:
    done = in_a_process([str(photo), "--out", str(tmp_path / "x.blend"), "--model", str(model), "--as", as_])
    assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 1), done.stdout
    assert json.loads(done.stdout)["object"] == "photo"


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_a_full_disk_is_one_sentence_and_leaves_nothing(photo: Path, model: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    done = in_a_process([str(photo), "--out", str(tmp_path / "x.blend"), "--model", str(model)], largest_file=1_000)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "free some space" in done.stderr
    assert sorted(tmp_path.iterdir()) == before
