# SPDX-License-Identifier: GPL-3.0-or-later
"""Pinhole intrinsics to a Blender camera and back, exact for off-centre principal points and non-square pixels.

Blender describes a camera by a lens in millimetres on a sensor, a shift in parts of the image's width, and a pixel aspect of
the render. With the sensor fitted horizontally: ``lens = fx * sensor_width / W``, ``shift_x = (W/2 - cx) / W``, ``shift_y = (cy
- H/2) / W * aspect_y / aspect_x``, and ``aspect_y / aspect_x = fx / fy`` (Blender: ``BKE_camera_params_compute_viewplane``).
"""

from __future__ import annotations

from typing import Any

import bpy

from ..engines.camera import CameraIntrinsics
from ..engines.errors import CameraError

_SENSOR_WIDTH_MM = 36.0
# Blender's own limits on these properties; a value beyond them would be clamped without a word.
_MIN_LENS_MM = 1.0
_MAX_PIXEL_ASPECT = 200.0


def add_camera(scene: bpy.types.Scene, camera: CameraIntrinsics, name: str) -> bpy.types.Object:
    """A camera object with ``camera``'s intrinsics at the origin; it becomes the scene's camera and sets the scene's render size."""
    placed = bpy.data.objects.new(name, bpy.data.cameras.new(name))
    set_intrinsics(placed, camera)
    match_render(scene, placed, camera)
    return placed


def set_flat(camera_object: bpy.types.Object, side: float) -> None:
    """No perspective: a flat picture whose longer side is ``side`` units fills the frame."""
    data: Any = camera_object.data
    data.type = "ORTHO"
    data.sensor_fit = "AUTO"
    data.ortho_scale = side
    data.shift_x = data.shift_y = 0.0


def check_renderable(camera: CameraIntrinsics) -> None:
    """Raises :class:`CameraError` when the pixels are more than 200 times longer than wide, which Blender cannot render."""
    aspect = camera.fx / camera.fy
    if not 1 / _MAX_PIXEL_ASPECT <= aspect <= _MAX_PIXEL_ASPECT:
        raise CameraError(f"The camera has pixels {aspect:g} times as tall as wide, and Blender renders up to 200; check fx and fy.")


def match_render(scene: bpy.types.Scene, placed: bpy.types.Object, camera: CameraIntrinsics) -> None:
    """Make ``placed`` the scene's camera, and the render's size and pixel aspect those of its photo.

    Raises :class:`CameraError` as :func:`check_renderable` does.
    """
    check_renderable(camera)
    aspect = camera.fx / camera.fy
    render = scene.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = camera.width, camera.height, 100
    render.pixel_aspect_x, render.pixel_aspect_y = max(1.0, 1.0 / aspect), max(1.0, aspect)
    scene.camera = placed


def set_intrinsics(camera_object: bpy.types.Object, camera: CameraIntrinsics) -> None:
    """Give a camera object the lens and shift of ``camera``. Raises :class:`CameraError` as :func:`check_renderable` does."""
    check_renderable(camera)
    aspect = camera.fx / camera.fy
    data: Any = camera_object.data
    data.type = "PERSP"
    data.sensor_fit = "HORIZONTAL"
    # A lens shorter than a millimetre is made with a larger sensor: only their ratio matters.
    data.sensor_width = max(_SENSOR_WIDTH_MM, _MIN_LENS_MM * camera.width / camera.fx)
    data.lens_unit = "MILLIMETERS"
    data.lens = camera.fx * data.sensor_width / camera.width
    data.shift_x = (camera.width / 2 - camera.cx) / camera.width
    data.shift_y = (camera.cy - camera.height / 2) / camera.width * aspect


def read_intrinsics(camera_object: bpy.types.Object, scene: bpy.types.Scene, *, size: tuple[int, int] | None = None) -> CameraIntrinsics:
    """The intrinsics of a perspective camera object at the scene's render size, whatever its sensor fit; or for another ``size`` (width and
    height in square pixels).

    From the projection matrix that Blender itself renders with (float32, so good to about 1e-4 pixels): ``fx = P00 W / 2``,
    ``cx = W / 2 (1 - P02)``, ``cy = H / 2 (1 + P12)``. Raises :class:`CameraError` for orthographic and panoramic cameras.
    """
    data: Any = camera_object.data
    if camera_object.type != "CAMERA" or data.type != "PERSP":
        raise CameraError(f"{camera_object.name} is not a perspective camera; choose one, since no other has a focal length.")
    render = scene.render
    width, height = size or tuple(side * render.resolution_percentage // 100 for side in (render.resolution_x, render.resolution_y))
    aspect_x, aspect_y = (1.0, 1.0) if size else (render.pixel_aspect_x, render.pixel_aspect_y)
    projection = camera_object.calc_matrix_camera(
        bpy.context.evaluated_depsgraph_get(),
        x=width,
        y=height,
        scale_x=aspect_x,
        scale_y=aspect_y,
    )
    return CameraIntrinsics(
        fx=projection[0][0] * width / 2,
        fy=projection[1][1] * height / 2,
        cx=width / 2 * (1 - projection[0][2]),
        cy=height / 2 * (1 + projection[1][2]),
        width=width,
        height=height,
    )


def set_clipping(camera_object: bpy.types.Object, nearest: float, farthest: float) -> None:
    """Keep everything between ``nearest`` and ``farthest`` (planar, in scene units) in view, with room to move the camera."""
    data: Any = camera_object.data
    data.clip_start = max(1e-6, min(0.1, nearest / 2))
    data.clip_end = max(100.0, farthest * 4)


def set_background(camera_object: bpy.types.Object, image: bpy.types.Image) -> None:
    """Show the photo behind the scene when looking through the camera; both have the same frame, so it fills it."""
    data: Any = camera_object.data
    background = data.background_images.new()
    background.image = image
    background.alpha = 1.0
    background.display_depth = "BACK"
    background.frame_method = "STRETCH"
    data.show_background_images = True
