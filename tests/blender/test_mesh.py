# SPDX-License-Identifier: Apache-2.0
"""The arrays handed to Blender make a mesh that Blender finds no fault with, and every vertex wears its own pixel."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthbridge.addon.mesh import add_grid_mesh, grid_edges
from depthbridge.addon.scene import build_scene
from depthbridge.engines.grid_mesh import build_grid_mesh
from support.known_depth import CAMERAS, depth_map, picture, wavy_depth

CAMERA = CAMERAS["off centre"]


def read(collection: bpy.types.bpy_prop_collection, prop: str, shape: tuple[int, ...], dtype: type = np.float32) -> np.ndarray:
    values = np.empty(int(np.prod(shape)), dtype=dtype)
    collection.foreach_get(prop, values)
    return values.reshape(shape)


@settings(max_examples=25, deadline=None)
@given(
    width=st.integers(2, 30), height=st.integers(2, 30), holes=st.floats(0, 0.6), stride=st.integers(1, 3), seed=st.integers(0, 999)
)
def test_blender_finds_nothing_to_repair(width: int, height: int, holes: float, stride: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.uniform(1, 1.3, (height, width)).astype(np.float32)
    valid = rng.random((height, width)) >= holes
    valid[stride // 2, stride // 2] = True
    camera = type(CAMERA)(40, 45, width / 3, height / 2, width, height)
    grid = build_grid_mesh(depth_map(values, camera, valid=valid), picture(width, height), stride=stride)
    mesh = add_grid_mesh(grid, depth_map(values, camera, valid=valid), "mesh")
    edges_before = len(mesh.edges)
    assert mesh.validate(verbose=False) is False, "Blender repaired the mesh"
    assert (len(mesh.vertices), len(mesh.polygons)) == (len(grid.vertices), len(grid.faces))
    # Blender's own count of edges, from the faces alone
    mesh.update(calc_edges=True)
    assert len(mesh.edges) == edges_before


def test_edges_are_those_of_the_faces_each_once() -> None:
    grid = build_grid_mesh(depth_map(wavy_depth(CAMERA), CAMERA), picture(160, 120))
    edges, corner_edge = grid_edges(grid.faces, len(grid.vertices))
    starts, ends = grid.faces, np.roll(grid.faces, -1, axis=1)
    wanted = np.unique(np.sort(np.stack([starts.ravel(), ends.ravel()], axis=1), axis=1), axis=0)
    found = np.unique(np.sort(edges, axis=1), axis=0)
    assert len(found) == len(edges)
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(np.sort(edges[corner_edge], axis=2), np.sort(np.stack([starts, ends], axis=2), axis=2))


def test_positions_stand_upright_with_normals_to_the_camera() -> None:
    depth = depth_map(wavy_depth(CAMERA, disc=False), CAMERA)
    mesh = build_scene(depth, picture(160, 120)).object.data
    positions = read(mesh.vertices, "co", (len(mesh.vertices), 3))
    points = depth.points().reshape(-1, 3)
    np.testing.assert_allclose(positions, np.stack([points[:, 0], points[:, 2], -points[:, 1]], axis=1), rtol=1e-6)
    # The top row of the picture is the highest, and away from the camera is +Y.
    assert positions[:160, 2].min() > positions[-160:, 2].max()
    normals = read(mesh.polygons, "normal", (len(mesh.polygons), 3))
    centres = read(mesh.polygons, "center", (len(mesh.polygons), 3))
    assert (np.sum(normals * centres, axis=1) < 0).all(), "a face turns its back to the camera at the origin"


def test_the_photo_at_each_uv_is_the_colour_of_its_vertex() -> None:
    image = picture(160, 120)
    values = wavy_depth(CAMERA)
    built = build_scene(depth_map(values, CAMERA), image)
    mesh, photo = built.object.data, built.photo
    uv = read(mesh.uv_layers["UVMap"].uv, "vector", (len(mesh.loops), 2))
    corner_vertex = read(mesh.loops, "vertex_index", (len(mesh.loops),), np.int32)
    colors = read(mesh.attributes["Color"].data, "color_srgb", (len(mesh.vertices), 4))[corner_vertex, :3]
    stored = np.array(photo.pixels[:]).reshape(120, 160, 4)
    sampled = stored[(uv[:, 1] * 120).astype(int), (uv[:, 0] * 160).astype(int), :3]
    assert np.abs(sampled - colors).max() < 0.6 / 255
    # and the place of the vertex projects into that very pixel
    positions = read(mesh.vertices, "co", (len(mesh.vertices), 3))[corner_vertex]
    pixel = CAMERA.project(np.stack([positions[:, 0], -positions[:, 2], positions[:, 1]], axis=1))
    np.testing.assert_allclose(pixel, np.stack([uv[:, 0] * 160, (1 - uv[:, 1]) * 120], axis=1), atol=1e-3)
    assert mesh.uv_layers.active.name == "UVMap"


def test_depth_confidence_and_tear_travel_with_the_mesh() -> None:
    values = wavy_depth(CAMERA)
    confidence = np.random.default_rng(1).random(values.shape).astype(np.float32)
    mesh = build_scene(depth_map(values, CAMERA, confidence=confidence), picture(160, 120), tear_above=None).object.data
    np.testing.assert_array_equal(read(mesh.attributes["depth"].data, "value", values.shape), values)
    np.testing.assert_array_equal(read(mesh.attributes["confidence"].data, "value", values.shape), confidence)
    tear = read(mesh.attributes["tear"].data, "value", (119, 159))
    corners = np.stack([values[:-1, :-1], values[1:, :-1], values[1:, 1:], values[:-1, 1:]])
    np.testing.assert_allclose(tear, corners.max(0) / corners.min(0) - 1, atol=1e-6)


def test_a_face_with_a_vertex_that_is_not_there_is_an_error_and_not_a_crash() -> None:
    depth = depth_map(wavy_depth(CAMERA), CAMERA)
    grid = build_grid_mesh(depth, picture(160, 120))
    grid.faces[5, 2] = len(grid.vertices)
    with pytest.raises(ValueError, match="outside"):
        add_grid_mesh(grid, depth, "mesh")
