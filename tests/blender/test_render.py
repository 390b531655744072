# SPDX-License-Identifier: Apache-2.0
"""Stills: the photo comes back byte for byte from its own camera, and a camera that steps aside sees parallax."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from depthbridge.addon.options import BuildAs, BuildOptions
from depthbridge.addon.render import add_shifted_camera, render_still
from depthbridge.addon.scene import build_scene, start_empty_file
from depthbridge.engines.camera import CameraIntrinsics
from depthbridge.engines.errors import OutputError
from support.known_depth import CAMERAS, blocks, depth_map, picture, wavy_depth


def still(path: Path, **options: object) -> npt.NDArray[np.uint8]:
    render_still(path, **options)
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.mark.parametrize("as_", ["mesh", "points"])
def test_the_photo_comes_back_byte_for_byte_inside_its_blocks(as_: str, tmp_path: Path) -> None:
    camera = CAMERAS["off centre"]
    image = blocks(160, 120)
    start_empty_file()
    build_scene(depth_map(wavy_depth(camera, disc=False), camera), image, BuildOptions(as_=BuildAs(as_)))
    seen = still(tmp_path / "still.png").astype(int)
    rows, columns = np.mgrid[0:120, 0:160]
    inside = (np.abs(rows % 20 - 9.5) < 7) & (np.abs(columns % 20 - 9.5) < 7)
    difference = np.abs(seen - image)[inside]
    assert difference.max() <= (0 if as_ == "mesh" else 1), f"{(difference > 0).mean():.4f} of the values differ"


def test_the_picture_is_neither_mirrored_nor_turned(tmp_path: Path) -> None:
    camera = CAMERAS["portrait off centre"]
    image = blocks(120, 160)
    build_scene(depth_map(wavy_depth(camera, disc=False), camera), image)
    seen = still(tmp_path / "still.png").astype(int)
    right = np.abs(seen - image).mean()
    for wrong in (image[::-1], image[:, ::-1], image[::-1, ::-1]):
        assert right < 0.2 * np.abs(seen - wrong).mean()


def test_a_camera_that_steps_right_sees_near_things_move_left_by_parallax(tmp_path: Path) -> None:
    camera = CameraIntrinsics(200, 200, 80, 60, 160, 120)
    values = np.full((120, 160), 4.0, dtype=np.float32)
    values[50:70, 70:90] = 2.0
    image = np.full((120, 160, 3), 40, dtype=np.uint8)
    image[50:70, 70:90] = (250, 20, 20)
    built = build_scene(depth_map(values, camera), image)
    moved = add_shifted_camera(built.camera, right=0.1, up=0.05)
    seen = still(tmp_path / "shifted.png", camera=moved)
    red = (seen[..., 0] > 150) & (seen[..., 2] < 120)
    rows, columns = np.nonzero(red)
    # f * step / depth = 200 * 0.1 / 2 = 10 pixels left, and 5 down
    assert columns.mean() + 0.5 == pytest.approx(80 - 10, abs=0.5)
    assert rows.mean() + 0.5 == pytest.approx(60 + 5, abs=0.5)


def test_looking_at_a_depth_keeps_that_point_in_the_middle(tmp_path: Path) -> None:
    camera = CameraIntrinsics(200, 200, 80, 60, 160, 120)
    image = np.full((120, 160, 3), 40, dtype=np.uint8)
    image[55:65, 75:85] = (250, 20, 20)
    built = build_scene(depth_map(np.full((120, 160), 3.0, dtype=np.float32), camera), image)
    moved = add_shifted_camera(built.camera, right=0.8, up=0.4, forward=0.2, look_at_depth=3.0)
    seen = still(tmp_path / "orbit.png", camera=moved)
    rows, columns = np.nonzero((seen[..., 0] > 150) & (seen[..., 2] < 120))
    assert (columns.mean() + 0.5, rows.mean() + 0.5) == pytest.approx((80, 60), abs=1.0)
    assert bpy.context.scene.camera == built.camera


def test_a_render_leaves_the_scene_as_it_was_and_the_console_silent(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    camera = CAMERAS["centred"]
    build_scene(depth_map(wavy_depth(camera), camera), picture(160, 120))
    scene = bpy.context.scene
    before = (scene.render.engine, scene.render.filepath, scene.cycles.samples, scene.render.image_settings.file_format)
    seen = still(tmp_path / "half.png", percentage=50, samples=2)
    assert seen.shape == (60, 80, 3)
    after = (scene.render.engine, scene.render.filepath, scene.cycles.samples, scene.render.image_settings.file_format)
    assert after == before
    assert scene.render.resolution_percentage == 100
    assert capfd.readouterr() == ("", "")


def test_a_still_overwrites_nothing_unasked_and_needs_a_camera(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no camera"):
        render_still(tmp_path / "a.png")
    camera = CAMERAS["centred"]
    build_scene(depth_map(wavy_depth(camera), camera), picture(160, 120))
    (tmp_path / "a.png").write_bytes(b"mine")
    with pytest.raises(OutputError, match="exists"):
        render_still(tmp_path / "a.png", samples=1)
    assert [item.name for item in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == b"mine"
