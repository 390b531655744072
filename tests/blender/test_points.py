# SPDX-License-Identifier: Apache-2.0
"""Point objects are real PointClouds with all that the vertices had."""

from __future__ import annotations

import bpy
import numpy as np

from depthbridge.addon.scene import build_scene
from support.known_depth import CAMERAS, depth_map, picture, wavy_depth

CAMERA = CAMERAS["tall pixels"]


def attribute(cloud: bpy.types.PointCloud, name: str, prop: str, width: int) -> np.ndarray:
    values = np.empty(len(cloud.points) * width, dtype=np.float32)
    cloud.attributes[name].data.foreach_get(prop, values)
    return values.reshape(-1, width)


def test_every_valid_pixel_is_a_point_with_place_colour_depth_and_radius() -> None:
    values, image = wavy_depth(CAMERA), picture(160, 120)
    valid = np.random.default_rng(2).random(values.shape) > 0.2
    confidence = np.random.default_rng(3).random(values.shape).astype(np.float32)
    depth = depth_map(values, CAMERA, valid=valid, confidence=confidence)
    built = build_scene(depth, image, as_="points")
    cloud = built.object.data
    assert built.object.type == "POINTCLOUD"
    assert (built.vertices, built.faces) == (int(valid.sum()), 0)
    assert len(cloud.points) == valid.sum()
    points = depth.points()[valid]
    found = attribute(cloud, "position", "vector", 3)
    np.testing.assert_array_equal(found, np.stack([points[:, 0], points[:, 2], -points[:, 1]], axis=1))
    np.testing.assert_array_equal(attribute(cloud, "depth", "value", 1)[:, 0], values[valid])
    np.testing.assert_array_equal(attribute(cloud, "confidence", "value", 1)[:, 0], confidence[valid])
    # Wide enough to touch the next point, in the direction in which pixels are longer.
    radius = attribute(cloud, "radius", "value", 1)[:, 0]
    np.testing.assert_allclose(radius, 0.75 * values[valid] / 150, rtol=1e-6)
    colors = attribute(cloud, "Color", "color_srgb" if hasattr(cloud.attributes["Color"].data[0], "color_srgb") else "color", 4)
    assert np.abs(colors[:, :3] * 255 - image[valid]).max() < 0.6


def test_nothing_but_the_cloud_the_camera_and_the_photo_is_left() -> None:
    build_scene(depth_map(wavy_depth(CAMERA), CAMERA), picture(160, 120), as_="points", name="Cloud")
    assert {item.name for item in bpy.data.objects} == {"Cloud", "Cloud camera"}
    assert len(bpy.data.meshes) == len(bpy.data.node_groups) == 0
    assert len(bpy.data.objects["Cloud"].modifiers) == 0


def test_stride_widens_the_points() -> None:
    values = np.full((120, 160), 2.0, dtype=np.float32)
    built = build_scene(depth_map(values, CAMERA), picture(160, 120), as_="points", max_vertices=5000)
    assert built.stride == 2
    np.testing.assert_allclose(attribute(built.object.data, "radius", "value", 1), 0.75 * 2 * 2 / 150, rtol=1e-6)
