# SPDX-License-Identifier: Apache-2.0
"""Depth that Blender renders is read as depth, and EXR files of ours open in Blender whatever stands in their header."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from depthbridge.engines.camera import CameraIntrinsics
from depthbridge.engines.depth_file import read_depth_file
from depthbridge.engines.depth_map import DepthKind, DepthMap
from depthbridge.engines.export.exr import write_exr


def render_wall(path: Path, color_depth: str) -> None:
    """A wall 4 m before the camera that fills the left half of a 32x24 picture; every pass whose channels might be taken for depth is on."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 1
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 32, 24, 100
    layer = scene.view_layers[0]
    layer.use_pass_z = layer.use_pass_mist = layer.use_pass_normal = layer.use_pass_position = layer.use_pass_vector = True
    layer.cycles.denoising_store_passes = True
    bpy.ops.mesh.primitive_plane_add(size=40, location=(-20, 0, -4))
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(camera)
    scene.camera = camera
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "MULTI_LAYER_IMAGE"
    settings.file_format = "OPEN_EXR_MULTILAYER"
    settings.color_depth = color_depth
    scene.render.filepath = str(path)
    scene.render.use_file_extension = False
    bpy.ops.render.render(write_still=True)


@pytest.mark.parametrize("color_depth", ["16", "32"])
def test_the_depth_of_a_rendered_multilayer_file_is_found(color_depth: str, tmp_path: Path) -> None:
    render_wall(tmp_path / "render.exr", color_depth)
    depth = read_depth_file(tmp_path / "render.exr")
    assert depth.kind is DepthKind.METRIC and depth.values.shape == (24, 32)
    assert ".Depth." in (depth.scale_note or "")
    assert depth.valid[:, :16].all() and not depth.valid[:, 17:].any(), "Blender's background is no depth"
    assert depth.values[:, :16] == pytest.approx(4, rel=1e-5)


def test_our_exr_opens_in_blender_with_its_words_in_the_header(tmp_path: Path) -> None:
    values = np.random.default_rng(1).uniform(1, 9, (40, 30)).astype(np.float32)
    write_exr(tmp_path / "ours.exr", DepthMap.exact(values, CameraIntrinsics.assumed(30, 40), "oracle" * 50))
    image = bpy.data.images.load(str(tmp_path / "ours.exr"))
    image.colorspace_settings.name = "Non-Color"
    pixels = np.empty(30 * 40 * 4, np.float32)
    image.pixels.foreach_get(pixels)
    assert np.array_equal(pixels.reshape(40, 30, 4)[::-1, :, 0], values)
