# SPDX-License-Identifier: Apache-2.0
"""What fails half-way leaves the file as it was."""

from __future__ import annotations

from dataclasses import replace

import bpy
import pytest

from depthbridge.addon.build import build_objects
from depthbridge.addon.options import BuildAs, BuildOptions
from depthbridge.addon.picture_files import EncodedPicture
from depthbridge.addon.prepare import prepare
from depthbridge.addon.transaction import all_or_nothing
from depthbridge.engines.errors import DepthbridgeError
from support.known_depth import CAMERAS, depth_map, picture, wavy_depth

KINDS = ("objects", "collections", "meshes", "cameras", "materials", "textures", "node_groups", "images")


def in_file() -> dict[str, set[str]]:
    return {kind: {item.name for item in getattr(bpy.data, kind)} for kind in KINDS}


@pytest.mark.parametrize("as_", list(BuildAs))
def test_a_build_whose_photo_blender_cannot_read_adds_nothing(as_: BuildAs) -> None:
    camera = CAMERAS["centred"]
    prepared = prepare(depth_map(wavy_depth(camera), camera), picture(160, 120), BuildOptions(as_=as_))
    build_objects(prepared, "mine")
    before, settings = in_file(), bpy.context.scene.camera
    broken = replace(prepared, photo=EncodedPicture(b"no picture at all", ".png", 160, 120))
    with pytest.raises(DepthbridgeError, match="cannot read"):
        build_objects(broken, "broken")
    assert in_file() == before
    assert bpy.context.scene.camera == settings


def test_what_was_there_is_not_taken_for_what_was_added() -> None:
    kept = bpy.data.meshes.new("kept")
    with pytest.raises(KeyboardInterrupt), all_or_nothing():
        bpy.data.objects.new("added", kept)
        bpy.data.images.new("added", 4, 4)
        raise KeyboardInterrupt
    assert [item.name for item in bpy.data.meshes] == ["kept"]
    assert not bpy.data.objects
    assert not bpy.data.images


def test_a_scene_that_was_set_up_by_a_failed_build_is_as_it_was() -> None:
    scene, camera = bpy.context.scene, CAMERAS["tall pixels"]
    mine = bpy.data.objects.new("mine", bpy.data.cameras.new("mine"))
    scene.collection.objects.link(mine)
    scene.camera = mine
    scene.render.resolution_x, scene.render.resolution_y, scene.render.pixel_aspect_x = 123, 45, 1.5
    scene.view_settings.view_transform, scene.view_settings.exposure = "AgX", 0.5
    prepared = prepare(depth_map(wavy_depth(camera), camera), picture(160, 120), BuildOptions())
    with pytest.raises(ZeroDivisionError), all_or_nothing():
        build_objects(prepared, "built")
        assert scene.view_settings.view_transform == "Standard"
        raise ZeroDivisionError  # whatever comes after the build, such as its layer
    assert scene.camera == mine
    assert (scene.render.resolution_x, scene.render.resolution_y, scene.render.pixel_aspect_x) == (123, 45, 1.5)
    assert (scene.view_settings.view_transform, scene.view_settings.exposure) == ("AgX", 0.5)
