# SPDX-License-Identifier: Apache-2.0
"""Intrinsics to a Blender camera and back, judged by Blender's own projection."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from hypothesis import given, settings
from hypothesis import strategies as st
from mathutils import Vector

from depthbridge.addon.axes import CAMERA_ROTATION, to_world
from depthbridge.addon.camera import add_camera, read_intrinsics
from depthbridge.engines.camera import CameraIntrinsics
from depthbridge.engines.errors import CameraError
from support.known_depth import CAMERAS


def place(camera: CameraIntrinsics) -> bpy.types.Object:
    scene = bpy.context.scene
    placed = add_camera(scene, camera, "camera")
    placed.rotation_euler = CAMERA_ROTATION
    scene.collection.objects.link(placed)
    bpy.context.view_layer.update()
    return placed


def project(placed: bpy.types.Object, camera: CameraIntrinsics, points: np.ndarray) -> np.ndarray:
    """Pixels (N,2) by Blender's own helper, which knows frames with the origin at the bottom left."""
    scene = bpy.context.scene
    views = [world_to_camera_view(scene, placed, Vector(point)) for point in to_world(points)]
    return np.array([(view.x * camera.width, (1 - view.y) * camera.height) for view in views])


@pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS.keys())
def test_blender_projects_points_where_the_intrinsics_do(camera: CameraIntrinsics) -> None:
    rng = np.random.default_rng(3)
    pixels = rng.uniform((0, 0), (camera.width, camera.height), (200, 2))
    depth = rng.uniform(0.5, 30, 200)
    points = np.stack([(pixels[:, 0] - camera.cx) / camera.fx, (pixels[:, 1] - camera.cy) / camera.fy, np.ones(200)], axis=1)
    found = project(place(camera), camera, (points * depth[:, None]).astype(np.float32))
    # float32 coordinates of a lens this long are themselves only good to a few thousandths of a pixel
    assert np.abs(found - pixels).max() <= 1e-3 * max(1.0, camera.fx / 1000)


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(16, 5000),
    height=st.integers(16, 5000),
    focal=st.floats(0.1, 20),
    aspect=st.floats(0.3, 3),
    centre_x=st.floats(-0.5, 1.5),
    centre_y=st.floats(-0.5, 1.5),
)
def test_a_camera_reads_back_as_it_was_set(
    width: int, height: int, focal: float, aspect: float, centre_x: float, centre_y: float
) -> None:
    side = max(width, height)
    camera = CameraIntrinsics(focal * side, focal * side / aspect, centre_x * width, centre_y * height, width, height)
    found = read_intrinsics(place(camera), bpy.context.scene)
    assert (found.width, found.height) == (width, height)
    for name in ("fx", "fy"):
        assert getattr(found, name) == pytest.approx(getattr(camera, name), rel=2e-6)
    # Blender holds the frame in float32 at the near plane, so what is lost is a share of the picture and of the focal length.
    for name in ("cx", "cy"):
        assert getattr(found, name) == pytest.approx(getattr(camera, name), abs=1e-6 * (side + camera.fx))
    bpy.data.objects.remove(bpy.context.scene.camera)


@pytest.mark.parametrize("fit", ["AUTO", "HORIZONTAL", "VERTICAL"])
@pytest.mark.parametrize("size", [(640, 360), (360, 640)])
def test_a_users_camera_of_any_sensor_fit_is_read(fit: str, size: tuple[int, int]) -> None:
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = size
    camera = place(CameraIntrinsics.from_vertical_fov(50, *size))
    camera.data.sensor_fit, camera.data.sensor_width, camera.data.sensor_height, camera.data.lens = fit, 36.0, 24.0, 50.0
    camera.data.shift_x, camera.data.shift_y = 0.1, -0.05
    width, height = size
    # the Blender manual: AUTO fits the sensor's width to the longer side, and shift counts in units of the fitted side
    fitted = {"AUTO": max(size), "HORIZONTAL": width, "VERTICAL": height}[fit]
    focal = 50.0 * fitted / (24.0 if fit == "VERTICAL" else 36.0)
    found = read_intrinsics(camera, scene)
    assert found.fx == pytest.approx(focal, rel=1e-5)
    assert found.fy == pytest.approx(focal, rel=1e-5)
    assert found.cx == pytest.approx(width / 2 - 0.1 * fitted, abs=1e-3)
    assert found.cy == pytest.approx(height / 2 - 0.05 * fitted, abs=1e-3)


def test_resolution_percentage_counts() -> None:
    camera = place(CameraIntrinsics.from_vertical_fov(60, 400, 200))
    bpy.context.scene.render.resolution_percentage = 50
    found = read_intrinsics(camera, bpy.context.scene)
    assert (found.width, found.height) == (200, 100)
    assert found.fov_vertical_deg == pytest.approx(60, abs=1e-4)


def test_an_orthographic_camera_has_no_intrinsics() -> None:
    camera = place(CameraIntrinsics.from_vertical_fov(60, 400, 200))
    camera.data.type = "ORTHO"
    with pytest.raises(CameraError, match="perspective"):
        read_intrinsics(camera, bpy.context.scene)


def test_pixels_longer_than_blender_renders_are_refused() -> None:
    with pytest.raises(CameraError, match="200"):
        place(CameraIntrinsics(20000, 90, 80, 60, 160, 120))
