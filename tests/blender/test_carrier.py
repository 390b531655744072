# SPDX-License-Identifier: Apache-2.0
"""The arrays handed to Blender make a mesh that Blender finds no fault with, and every vertex wears its own pixel."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthbridge.addon.carrier import add_carrier, full_grid_edges, grid_edges
from depthbridge.addon.options import BuildOptions
from depthbridge.addon.prepare import prepare
from depthbridge.addon.scene import build_scene
from depthbridge.engines.grid_mesh import build_grid_mesh
from support.evaluated import attribute, read
from support.known_depth import CAMERAS, depth_map, picture, wavy_depth

CAMERA = CAMERAS["off centre"]


@settings(max_examples=40, deadline=None)
@given(
    width=st.integers(1, 30), height=st.integers(1, 30), holes=st.sampled_from([0, 0, 0.2, 0.6]), stride=st.integers(1, 3), seed=st.integers(0, 999)
)
def test_blender_finds_nothing_to_repair(width: int, height: int, holes: float, stride: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.uniform(1, 1.3, (height, width)).astype(np.float32)
    valid = rng.random((height, width)) >= holes
    valid[min(stride // 2, height - 1) if height > stride // 2 else 0, min(stride // 2, width - 1) if width > stride // 2 else 0] = True
    camera = type(CAMERA)(40, 45, width / 3, height / 2, width, height)
    prepared = prepare(depth_map(values, camera, valid=valid), picture(width, height), BuildOptions(stride=stride), pictures=False)
    mesh = add_carrier(prepared, "mesh")
    edges_before = len(mesh.edges)
    assert mesh.validate(verbose=False) is False, "Blender repaired the mesh"
    assert (len(mesh.vertices), len(mesh.polygons)) == (len(prepared.grid.vertices), len(prepared.grid.faces))
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


@pytest.mark.parametrize("shape", [(2, 2), (5, 7), (7, 5), (1, 4), (4, 1)])
def test_the_edges_of_a_whole_grid_are_found_by_arithmetic_too(shape: tuple[int, int]) -> None:
    rows, columns = shape
    index = np.arange(rows * columns, dtype=np.int32).reshape(shape)
    faces = np.stack([index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]], axis=-1).reshape(-1, 4)
    edges, corner_edge = full_grid_edges(rows, columns)
    if faces.size:
        slow_edges, slow_corner_edge = grid_edges(faces, index.size)
        np.testing.assert_array_equal(edges, slow_edges)
        np.testing.assert_array_equal(corner_edge, slow_corner_edge)
    assert len(edges) == rows * (columns - 1) + columns * (rows - 1)


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


@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("holes", [False, True])
def test_the_photo_at_each_uv_is_the_colour_of_its_vertex(holes: bool, stride: int) -> None:
    image = picture(160, 120)
    values = wavy_depth(CAMERA)
    valid = np.random.default_rng(5).random(values.shape) > (0.1 if holes else -1)
    built = build_scene(depth_map(values, CAMERA, valid=valid), image, BuildOptions(stride=stride))
    mesh, photo = built.object.data, built.photo
    uv = read(mesh.uv_layers["UVMap"].uv, "vector", (len(mesh.loops), 2))
    corner_vertex = read(mesh.loops, "vertex_index", (len(mesh.loops),), np.int32)
    colors = attribute(mesh, "Color")[corner_vertex, :3]
    stored = np.array(photo.pixels[:]).reshape(120, 160, -1)
    sampled = stored[(uv[:, 1] * 120).astype(int), (uv[:, 0] * 160).astype(int), :3]
    assert np.abs(sampled - colors).max() < 0.6 / 255
    # and the place of the vertex projects into that very pixel
    positions = read(mesh.vertices, "co", (len(mesh.vertices), 3))[corner_vertex]
    pixel = CAMERA.project(np.stack([positions[:, 0], -positions[:, 2], positions[:, 1]], axis=1))
    np.testing.assert_allclose(pixel, np.stack([uv[:, 0] * 160, (1 - uv[:, 1]) * 120], axis=1), atol=1e-3)
    assert mesh.uv_layers.active.name == "UVMap"


def test_everything_known_travels_with_the_mesh() -> None:
    values = wavy_depth(CAMERA)
    rng = np.random.default_rng(1)
    confidence, sky = (rng.random(values.shape).astype(np.float32) for _ in range(2))
    depth = replace(depth_map(values, CAMERA, confidence=confidence), sky=sky, valid=sky < 0.3)
    mesh = build_scene(depth, picture(160, 120)).object.data
    np.testing.assert_array_equal(attribute(mesh, "depth"), values.ravel())
    np.testing.assert_array_equal(attribute(mesh, "confidence"), confidence.ravel())
    np.testing.assert_array_equal(attribute(mesh, "sky"), sky.ravel())
    rays = CAMERA.ray_directions().reshape(-1, 3)
    np.testing.assert_allclose(attribute(mesh, "ray"), np.stack([rays[:, 0], rays[:, 2], -rays[:, 1]], axis=1), rtol=1e-6, atol=1e-7)
    corners = np.stack([values[:-1, :-1], values[1:, :-1], values[1:, 1:], values[:-1, 1:]])
    np.testing.assert_allclose(attribute(mesh, "tear"), (corners.max(0) / corners.min(0) - 1).ravel(), atol=1e-6)


def test_a_model_without_sky_and_confidence_leaves_them_harmless() -> None:
    mesh = build_scene(depth_map(wavy_depth(CAMERA), CAMERA), picture(160, 120)).object.data
    assert not attribute(mesh, "sky").any()
    assert (attribute(mesh, "confidence") == 1).all()


def test_a_face_with_a_vertex_that_is_not_there_is_an_error_and_not_a_crash() -> None:
    prepared = prepare(depth_map(wavy_depth(CAMERA), CAMERA), picture(160, 120), BuildOptions(), pictures=False)
    prepared.grid.faces[5, 2] = len(prepared.grid.vertices)
    with pytest.raises(ValueError, match="outside"):
        add_carrier(prepared, "mesh")
    assert bpy.context.scene is not None
