# SPDX-License-Identifier: Apache-2.0
"""Blender's own glTF importer as an outside judge of the GLB files: upright, in metres, textured, unlit."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from depthbridge.engines.camera import CameraIntrinsics, CameraSource
from depthbridge.engines.depth_map import DepthKind, DepthMap
from depthbridge.engines.export.glb import write_glb


def test_blender_reads_the_glb_upright_and_textured(tmp_path: Path) -> None:
    width, height = 16, 12
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    values = (3 + 0.05 * x + 0.02 * y).astype(np.float32)
    image = np.stack([x * 16, y * 20, 255 - x * 8], axis=-1).astype(np.uint8)
    camera = CameraIntrinsics.from_vertical_fov(60, width, height)
    depth = DepthMap(values, DepthKind.METRIC, np.ones((height, width), bool), None, None, camera, "oracle", CameraSource.GIVEN)
    write_glb(tmp_path / "mesh.glb", depth, image)

    bpy.ops.wm.read_factory_settings(use_empty=True)
    assert bpy.ops.import_scene.gltf(filepath=str(tmp_path / "mesh.glb")) == {"FINISHED"}
    (mesh,) = (item for item in bpy.data.objects if item.type == "MESH")
    assert len(mesh.data.vertices) == width * height

    world = np.array([mesh.matrix_world @ vertex.co for vertex in mesh.data.vertices])
    # Blender's z is up and the picture's camera looks along +y there: (right, forward, up).
    expected = (camera.ray_directions() * values[..., None]).reshape(-1, 3)[:, (0, 2, 1)] * (1, 1, -1)
    nearest = np.linalg.norm(world[:, None] - expected[None], axis=2)
    assert nearest.min(axis=0).max() < 1e-5

    nodes = mesh.data.materials[0].node_tree.nodes
    assert not any(node.type == "BSDF_PRINCIPLED" for node in nodes), "unlit"
    (texture,) = (node.image for node in nodes if node.type == "TEX_IMAGE")
    assert tuple(texture.size) == (width, height)
    pixels = np.array(texture.pixels[:]).reshape(height, width, -1)  # Blender's first row is the lowest
    layer = mesh.data.uv_layers.active.uv
    for loop in mesh.data.loops:
        u, v = layer[loop.index].vector
        pixel = int(nearest[loop.vertex_index].argmin())
        seen = pixels[int(v * height), int(u * width), :3] * 255
        assert np.allclose(seen, image[pixel // width, pixel % width], atol=0.6)
