# SPDX-License-Identifier: Apache-2.0
"""The shipped capture says the truth, and the script that made it still makes it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Vector
from PIL import Image

from depthbridge.addon.samples import capture as sample_capture
from depthbridge.addon.samples.capture import SHIPPED_SEED, make_capture
from depthbridge.addon.samples.truth import render_depth
from depthbridge.engines.camera import CameraIntrinsics
from depthbridge.engines.errors import CaptureError, OutputError
from depthbridge.engines.export.exr import read_exr

SHIPPED = Path(__file__).parents[1] / "data" / "capture"
WIDTH, HEIGHT = 512, 288


def load(folder: Path, stem: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    with Image.open(folder / "images" / f"{stem}.png") as image, Image.open(folder / "masks" / f"{stem}.png") as mask:
        return np.asarray(image), np.asarray(mask), read_exr(folder / "depth" / f"{stem}.exr")


def annotations(folder: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads((folder / "annotations.json").read_text(encoding="utf-8"))
    return found


FRAMES = [Path(str(entry["image"])).stem for entry in annotations(SHIPPED)]


def test_intrinsics_are_those_of_sixty_degrees() -> None:
    data = json.loads((SHIPPED / "camera_intrinsics.json").read_text(encoding="utf-8"))
    assert (data["width"], data["height"], data["fov_vertical"]) == (WIDTH, HEIGHT, 60.0)
    assert data["focal_length_x"] == data["focal_length_y"] == pytest.approx(HEIGHT / 2 / math.tan(math.radians(30)))
    assert (data["principal_point_x"], data["principal_point_y"]) == (WIDTH / 2, HEIGHT / 2)
    assert CameraIntrinsics.from_json(data) == CameraIntrinsics.from_vertical_fov(60, WIDTH, HEIGHT)


@pytest.mark.parametrize("stem", FRAMES)
def test_masks_sit_in_their_boxes_and_objects_look_like_what_they_are_called(stem: str) -> None:
    image, mask, depth = load(SHIPPED, stem)
    assert image.shape == (HEIGHT, WIDTH, 3)
    assert mask.shape == depth.shape == (HEIGHT, WIDTH)
    objects = next(entry["objects"] for entry in annotations(SHIPPED) if entry["image"] == f"{stem}.png")
    assert {item["id"] + 1 for item in objects} | {0} == set(np.unique(mask).tolist())
    assert 0 in {item["id"] for item in objects}
    for item in objects:
        rows, columns = np.nonzero(mask == item["id"] + 1)
        assert item["bbox"] == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        red, green, blue = (float(np.median(image[rows, columns, channel])) for channel in range(3))
        strongest, other = (red, green) if item["category"] == "red_cube" else (green, red)
        assert strongest > 1.25 * max(other, blue)
        assert 0.8 < np.median(depth[rows, columns]) < 4.5
        if "parent_id" in item:
            parent = next(below for below in objects if below["id"] == item["parent_id"])
            assert (parent["category"], item["category"]) == ("red_cube", "green_parallelepiped")


@pytest.mark.parametrize("number", range(len(FRAMES)))
def test_shipped_depth_is_what_rays_hit_in_a_scene_made_anew(number: int) -> None:
    camera = CameraIntrinsics.from_vertical_fov(60, WIDTH, HEIGHT)
    frame = sample_capture._make_frame(camera, SHIPPED_SEED, number)
    assert {"image": f"{FRAMES[number]}.png", "objects": frame.objects} == annotations(SHIPPED)[number]
    _, mask, depth = load(SHIPPED, FRAMES[number])
    scene, graph = bpy.context.scene, bpy.context.evaluated_depsgraph_get()
    pose = scene.camera.matrix_world
    rng = np.random.default_rng(number)
    errors, same_object = [], []
    for u, v in zip(rng.integers(0, WIDTH, 1500).tolist(), rng.integers(0, HEIGHT, 1500).tolist(), strict=True):
        ray = Vector(((u + 0.5 - camera.cx) / camera.fx, -(v + 0.5 - camera.cy) / camera.fy, -1.0))
        hit, place, _, _, thing, _ = scene.ray_cast(graph, pose.translation, pose.to_3x3() @ ray)
        assert hit
        planar = -(pose.inverted() @ place).z
        errors.append(abs(planar - depth[v, u]) / planar)
        same_object.append(thing.pass_index == mask[v, u])
    assert np.median(errors) <= 1e-5
    assert np.percentile(errors, 99) <= 1e-3
    assert np.mean(same_object) > 0.998


def test_a_seed_makes_its_own_capture_and_the_same_one_again(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("a", "b", "c")]
    for folder, seed in zip(folders, (5, 5, 6), strict=True):
        assert make_capture(folder, seed, frames=1, width=192, height=108) == folder
    first, again, other = ((folder / "annotations.json").read_text(encoding="utf-8") for folder in folders)
    assert first == again != other
    np.testing.assert_array_equal(load(folders[0], "00000")[2], load(folders[1], "00000")[2])
    assert first != (SHIPPED / "annotations.json").read_text(encoding="utf-8")
    # the open file is the last frame, and its depth is the one written
    np.testing.assert_array_equal(render_depth(), load(folders[2], "00000")[2])
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a", "b", "c"]


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="not an empty folder"):
        make_capture(tmp_path)
    assert [item.name for item in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("size", [(10, 10), (512, 20)])
def test_a_capture_too_small_to_show_anything_is_refused(size: tuple[int, int], tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="64x64"):
        make_capture(tmp_path / "new", width=size[0], height=size[1])
    assert not (tmp_path / "new").exists()


def test_the_capture_is_small_enough_to_ship() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file()) < 1_500_000
