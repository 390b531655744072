# SPDX-License-Identifier: Apache-2.0
"""Applied points are a real PointCloud with all that the vertices had, in the place of the object they came from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy
import numpy as np
import pytest

from depthbridge.addon.apply import apply_mesh, apply_points
from depthbridge.addon.nodes.graph import Graph
from depthbridge.addon.nodes.inputs import carrier_modifier, get_input, set_input
from depthbridge.addon.options import BuildAs, BuildOptions
from depthbridge.addon.provenance import NotBuiltError, read_provenance
from depthbridge.addon.scene import build_scene
from support.evaluated import attribute, evaluated_mesh
from support.known_depth import CAMERAS, depth_map, picture, wavy_depth

CAMERA = CAMERAS["tall pixels"]
POINTS = BuildOptions(as_=BuildAs.POINTS)


def test_every_valid_pixel_is_a_point_with_all_its_attributes() -> None:
    values, image = wavy_depth(CAMERA), picture(160, 120)
    valid = np.random.default_rng(2).random(values.shape) > 0.2
    confidence = np.random.default_rng(3).random(values.shape).astype(np.float32)
    depth = depth_map(values, CAMERA, valid=valid, confidence=confidence)
    built = build_scene(depth, image, POINTS).object
    carrier = {item.name: attribute(built.data, item.name) for item in built.data.attributes if item.domain == "POINT" and item.name[0] != "."}
    item = apply_points(built)
    cloud = item.data
    assert item.type == "POINTCLOUD"
    assert len(cloud.points) == valid.sum()
    assert set(carrier) | {"radius", "tear", "UVMap"} <= {found.name for found in cloud.attributes}
    for name, before in carrier.items():
        if name != "Color":  # which some versions answer as linear light
            np.testing.assert_array_equal(attribute(cloud, name), before)
    points = depth.points()[valid]
    np.testing.assert_array_equal(attribute(cloud, "position"), np.stack([points[:, 0], points[:, 2], -points[:, 1]], axis=1))
    np.testing.assert_array_equal(attribute(cloud, "confidence"), confidence[valid])
    # Wide enough to touch the next point, in the direction in which pixels are longer.
    np.testing.assert_allclose(attribute(cloud, "radius"), 0.75 * values[valid] / 150, rtol=1e-6)
    assert np.abs(attribute(cloud, "Color")[:, :3] * 255 - image[valid]).max() < 0.6


def test_a_cloud_takes_the_place_of_its_object() -> None:
    built = build_scene(depth_map(wavy_depth(CAMERA), CAMERA), picture(160, 120), POINTS, name="Cloud").object
    empty = bpy.data.objects.new("parent", None)
    bpy.context.scene.collection.objects.link(empty)
    empty.location = (5, 0, 0)
    built.parent, built.location, built.scale = empty, (1, 2, 3), (2, 2, 2)
    bpy.context.view_layer.update()
    place, camera_place = built.matrix_world.copy(), bpy.data.objects["Cloud camera"].matrix_world.copy()
    collections = list(built.users_collection)
    cloud = apply_points(built)
    bpy.context.view_layer.update()
    assert {item.name for item in bpy.data.objects} == {"Cloud", "Cloud camera", "parent"}
    assert len(bpy.data.meshes) == 0
    assert len(cloud.modifiers) == 0
    assert cloud.matrix_world == place
    assert bpy.data.objects["Cloud camera"].matrix_world == camera_place
    assert list(cloud.users_collection) == collections
    assert read_provenance(cloud).model == "known depth"
    assert cloud.data.materials[0] is not None


def test_the_cuts_are_applied_with_the_points() -> None:
    values = wavy_depth(CAMERA)
    built = build_scene(depth_map(values, CAMERA), picture(160, 120)).object
    set_input(carrier_modifier(built), "Scale", 3.0)
    set_input(carrier_modifier(built), "Depth Max", 9.0)
    cloud = apply_points(built).data
    kept = values.ravel() * np.float32(3) <= 9.0
    assert len(cloud.points) == kept.sum()
    np.testing.assert_array_equal(attribute(cloud, "position")[:, 1], values.ravel()[kept] * np.float32(3))


def test_stride_widens_the_points() -> None:
    values = np.full((120, 160), 2.0, dtype=np.float32)
    built = build_scene(depth_map(values, CAMERA), picture(160, 120), BuildOptions(as_=BuildAs.POINTS, max_vertices=5000))
    assert built.stride == 2
    np.testing.assert_allclose(attribute(apply_points(built.object).data, "radius"), 0.75 * 2 * 2 / 150, rtol=1e-6)


@pytest.mark.parametrize("as_", [BuildAs.MESH, BuildAs.POINTS, BuildAs.RELIEF])
@pytest.mark.parametrize("displace", [False, True])
def test_an_applied_mesh_is_what_the_sliders_showed(as_: BuildAs, displace: bool) -> None:
    built = build_scene(depth_map(wavy_depth(CAMERA), CAMERA), picture(160, 120), BuildOptions(as_=as_, displace=displace)).object
    if as_ is BuildAs.POINTS:
        set_input(carrier_modifier(built), "As Points", False)
    seen = evaluated_mesh(built)
    position, faces = attribute(seen, "position"), len(seen.polygons)
    apply_mesh(built)
    assert len(built.modifiers) == 0
    assert len(built.data.polygons) == faces
    np.testing.assert_array_equal(attribute(built.data, "position"), position)
    assert built.data.uv_layers.active.name == "UVMap"
    assert {"depth", "ray", "tear", "Color"} <= {item.name for item in built.data.attributes}


def test_what_cannot_be_applied_is_told() -> None:
    relief = build_scene(depth_map(wavy_depth(CAMERA), CAMERA), picture(160, 120), BuildOptions(as_=BuildAs.RELIEF)).object
    with pytest.raises(NotBuiltError, match="relief has none"):
        apply_points(relief)
    apply_mesh(relief)
    with pytest.raises(NotBuiltError, match="final already"):
        apply_mesh(relief)
    with pytest.raises(NotBuiltError, match="not built by Depthbridge"):
        apply_mesh(bpy.data.objects.new("mine", bpy.data.meshes.new("mine")))


@pytest.mark.parametrize("fault", ["shape keys", "all cut", "all cut, as points", "instances below"])
def test_what_blender_will_not_apply_is_told_and_stays(fault: str) -> None:
    as_ = BuildAs.POINTS if "as points" in fault else BuildAs.MESH
    built = build_scene(depth_map(wavy_depth(CAMERA), CAMERA), picture(160, 120), BuildOptions(as_=as_)).object
    apply, told = apply_mesh, "widen them"
    if fault == "shape keys":
        built.shape_key_add(name="Basis")
        told = "shape keys"
    elif fault == "instances below":
        graph = Graph("nothing")
        graph.input("Geometry", "Geometry")
        graph.output("Geometry", "Geometry")
        built.modifiers.new("mine", "NODES").node_group = graph.finish()
        apply, told = apply_points, "shows no points"
    else:
        set_input(carrier_modifier(built), "Depth Min", 1e6)
    before = {kind: sorted(item.name for item in getattr(bpy.data, kind)) for kind in ("objects", "meshes", "pointclouds", "node_groups")}
    with pytest.raises(NotBuiltError, match=told):
        apply(built)
    assert {kind: sorted(item.name for item in getattr(bpy.data, kind)) for kind in before} == before
    assert get_input(carrier_modifier(built), "As Points") == (as_ is BuildAs.POINTS)
    assert all(modifier.show_viewport for modifier in built.modifiers)


@pytest.mark.parametrize("apply", [apply_mesh, apply_points])
def test_sliders_switched_off_in_the_viewport_are_applied_all_the_same(apply: Callable[[bpy.types.Object], bpy.types.Object]) -> None:
    built = build_scene(depth_map(wavy_depth(CAMERA), CAMERA), picture(160, 120)).object
    carrier_modifier(built).show_viewport = False
    data: Any = apply(built).data
    assert len(data.vertices if apply is apply_mesh else data.points) == 160 * 120


def test_a_mesh_that_two_objects_use_is_applied_for_one() -> None:
    built = build_scene(depth_map(wavy_depth(CAMERA), CAMERA), picture(160, 120)).object
    twin = built.copy()
    bpy.context.scene.collection.objects.link(twin)
    apply_mesh(built)
    assert carrier_modifier(twin) is not None
    assert len(twin.data.polygons) == 119 * 159 > len(built.data.polygons)
