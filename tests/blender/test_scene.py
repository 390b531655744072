# SPDX-License-Identifier: Apache-2.0
"""What a built scene holds, what it says about itself, and what is refused."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest

from depthbridge.addon.camera import read_intrinsics
from depthbridge.addon.options import BuildAs, BuildOptions
from depthbridge.addon.scene import build_scene, save_blend, start_empty_file
from depthbridge.engines.camera import CameraIntrinsics
from depthbridge.engines.depth_map import DepthKind
from depthbridge.engines.errors import DepthbridgeError, DepthKindError, ImageError, OutputError
from support.known_depth import CAMERAS, depth_map, picture, wavy_depth

CAMERA = CAMERAS["tall pixels"]


@pytest.mark.parametrize("as_", ["mesh", "points"])
def test_a_saved_scene_opens_again_with_everything(as_: str, tmp_path: Path) -> None:
    image = picture(160, 120)
    start_empty_file()
    build_scene(depth_map(wavy_depth(CAMERA), CAMERA), image, BuildOptions(as_=BuildAs(as_)), name="Café 1")
    path = tmp_path / "über scene.blend"
    save_blend(path)
    assert [item.name for item in tmp_path.iterdir()] == [path.name]

    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.ops.wm.open_mainfile(filepath=str(path))
    scene = bpy.context.scene
    built, camera, photo = bpy.data.objects["Café 1"], scene.camera, bpy.data.images["Café 1 photo"]
    assert camera.name == "Café 1 camera"
    assert camera.parent == built
    assert read_intrinsics(camera, scene).fy == pytest.approx(CAMERA.fy, rel=1e-6)
    assert scene.view_settings.view_transform == "Standard"
    assert photo.packed_file is not None
    stored = np.array(photo.pixels[:]).reshape(120, 160, 4)[::-1, :, :3]
    np.testing.assert_array_equal(np.rint(stored * 255).astype(np.uint8), image)
    assert camera.data.background_images[0].image == photo
    assert camera.data.show_background_images
    assert built.data.materials[0].node_tree is not None
    assert camera.data.clip_start < 1.0 < 10.0 < camera.data.clip_end


def test_provenance_is_on_the_object() -> None:
    depth = depth_map(wavy_depth(CAMERA), CAMERA)
    built = build_scene(depth, picture(160, 120))
    thing = built.object
    assert thing["depthbridge_model"] == "known depth"
    assert thing["depthbridge_kind"] == "metric"
    assert thing["depthbridge_unit"] == "m"
    assert thing["depthbridge_scale"] == 1.0
    assert thing["depthbridge_camera_source"] == built.camera["depthbridge_camera_source"] == "given"
    assert CameraIntrinsics.from_json(json.loads(thing["depthbridge_camera"])) == CAMERA
    assert thing["depthbridge_median_depth"] == pytest.approx(float(np.median(depth.values)))


def test_without_a_camera_fifty_degrees_are_assumed_and_marked() -> None:
    built = build_scene(depth_map(wavy_depth(CAMERA), None, DepthKind.RELATIVE), picture(160, 120))
    assert built.object["depthbridge_camera_source"] == built.camera["depthbridge_camera_source"] == "assumed"
    assert built.object["depthbridge_unit"] == "relative"
    assert read_intrinsics(bpy.context.scene.camera, bpy.context.scene).fov_vertical_deg == pytest.approx(50, abs=1e-4)


def test_the_note_on_how_to_get_metres_travels_along() -> None:
    depth = replace(depth_map(wavy_depth(CAMERA), CAMERA, DepthKind.RELATIVE), scale_note="Give the focal length.")
    assert build_scene(depth, picture(160, 120)).object["depthbridge_note"] == "Give the focal length."


def test_two_builds_share_a_file() -> None:
    first = build_scene(depth_map(wavy_depth(CAMERA), CAMERA), picture(160, 120), name="Depth")
    second = build_scene(depth_map(wavy_depth(CAMERA), CAMERA), picture(160, 120), name="Depth")
    assert first.object != second.object
    assert bpy.context.scene.camera == second.camera
    assert first.object.users_collection[0] != second.object.users_collection[0]


def names_in_file() -> set[str]:
    return {
        f"{kind}/{item.name}"
        for kind in ("objects", "meshes", "images", "materials", "cameras", "collections", "pointclouds", "node_groups")
        for item in getattr(bpy.data, kind)
    }


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        ("all sky", DepthKindError, "nothing to build"),
        ("other picture", ImageError, "160x120"),
        ("grey picture", ImageError, "RGB"),
        ("no vertices", DepthKindError, "at least 4"),
        ("endless pixels", DepthbridgeError, "200"),
    ],
)
def test_what_cannot_be_built_is_refused_and_leaves_the_file_as_it_was(
    fault: str, error: type[Exception], message: str
) -> None:
    build_scene(depth_map(wavy_depth(CAMERA), CAMERA), picture(160, 120), name="mine")
    before, camera_before = names_in_file(), bpy.context.scene.camera
    depth, image, limit = depth_map(wavy_depth(CAMERA), CAMERA), picture(160, 120), 1_000_000
    if fault == "all sky":
        depth = replace(depth, valid=np.zeros_like(depth.valid))
    elif fault == "other picture":
        image = picture(120, 160)
    elif fault == "grey picture":
        image = image[..., 0]
    elif fault == "no vertices":
        limit = 0
    elif fault == "endless pixels":
        depth = replace(depth, camera=CameraIntrinsics(50000, 90, 80, 60, 160, 120))
    with pytest.raises(error, match=message):
        build_scene(depth, image, BuildOptions(max_vertices=limit))
    assert names_in_file() == before
    assert bpy.context.scene.camera == camera_before


def test_an_existing_file_is_kept_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.blend"
    path.write_bytes(b"mine")
    with pytest.raises(OutputError, match="exists"):
        save_blend(path)
    assert path.read_bytes() == b"mine"
    save_blend(path, overwrite=True)
    assert path.stat().st_size > 1000
    assert stat.S_IMODE(path.stat().st_mode) & 0o044, "others may read it, as any file one saves"
    assert [item.name for item in tmp_path.iterdir()] == ["a.blend"]


def test_a_missing_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist"):
        save_blend(tmp_path / "no" / "a.blend")
