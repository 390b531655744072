# SPDX-License-Identifier: Apache-2.0
"""The camera options of the command line."""

from __future__ import annotations

import json
import math
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from depthbridge.cli.camera_options import camera_options, resolve_camera
from depthbridge.engines.camera import CameraIntrinsics
from depthbridge.engines.errors import CameraError


def test_no_option_names_no_camera() -> None:
    assert resolve_camera(None, None, None, 64, 48) is None


def test_fields_of_view_take_their_own_side() -> None:
    vertical = resolve_camera(60.0, None, None, 1820, 1024)
    horizontal = resolve_camera(None, 60.0, None, 1820, 1024)
    assert vertical is not None and horizontal is not None
    assert vertical.fy == pytest.approx(512 / math.tan(math.radians(30)))
    assert horizontal.fx == pytest.approx(910 / math.tan(math.radians(30)))


def test_intrinsics_file_is_read(tmp_path: Path) -> None:
    camera = CameraIntrinsics(500, 510, 310, 250, 640, 480)
    path = tmp_path / "camera.json"
    path.write_text(json.dumps(camera.to_json()))
    assert resolve_camera(None, None, path, 640, 480) == camera


def test_intrinsics_of_another_size_are_refused_with_both_sizes(tmp_path: Path) -> None:
    path = tmp_path / "camera.json"
    path.write_text(json.dumps(CameraIntrinsics(500, 510, 310, 250, 640, 480).to_json()))
    with pytest.raises(CameraError, match=r"640x480.*1280x960"):
        resolve_camera(None, None, path, 1280, 960)


def test_two_cameras_are_refused_by_name() -> None:
    with pytest.raises(CameraError, match="--fov-v and --intrinsics"):
        resolve_camera(60.0, None, Path("x.json"), 64, 48)


@pytest.mark.parametrize("degrees", [-1.0, 0.0, 180.0, math.nan, math.inf])
def test_impossible_angles_are_refused(degrees: float) -> None:
    with pytest.raises(CameraError):
        resolve_camera(degrees, None, None, 64, 48)


def test_the_decorator_passes_the_three_options() -> None:
    seen: dict[str, object] = {}

    @click.command()
    @camera_options
    def command(fov_v: float | None, fov_h: float | None, intrinsics: Path | None) -> None:
        seen.update(fov_v=fov_v, fov_h=fov_h, intrinsics=intrinsics)

    assert CliRunner().invoke(command, ["--fov-h", "70", "--intrinsics", "a.json"]).exit_code == 0
    assert seen == {"fov_v": None, "fov_h": 70.0, "intrinsics": Path("a.json")}
