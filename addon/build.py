# SPDX-License-Identifier: GPL-3.0-or-later
"""A prepared build becomes objects of the open file: one carrier with live sliders, and the camera that took the photo.

The object's origin is the camera's place; the camera is the object's child, so moving, turning or scaling the object keeps the photo
matched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from ..engines.camera import CameraIntrinsics
from ..engines.depth_map import SKY_THRESHOLD, DepthMap
from .axes import CAMERA_ROTATION
from .camera import check_renderable, match_render, set_background, set_clipping, set_flat, set_intrinsics
from .carrier import add_carrier
from .displace import add_displace
from .material import color_material, photo_material
from .nodes.inputs import MODIFIER_NAME, set_input
from .nodes.relief import relief_group
from .nodes.surface import surface_group
from .options import BuildAs, BuildOptions, SkyMode
from .pictures import add_data, add_photo
from .prepare import RELIEF_SIDE, Prepared
from .provenance import camera_record, record_camera, record_provenance
from .transaction import all_or_nothing

# Points just overlap their neighbours, so that a surface seen from its own camera has no gaps.
_POINT_OVERLAP = 0.75


@dataclass(frozen=True, slots=True)
class Built:
    """What one build added. ``faces`` counts the carrier's, before any is cut; ``depth`` is the map that is built, never disparity."""

    object: bpy.types.Object
    camera: bpy.types.Object
    photo: bpy.types.Image
    depth_image: bpy.types.Image
    depth: DepthMap
    vertices: int
    faces: int
    stride: int


def build_objects(prepared: Prepared, name: str, *, set_up_scene: bool = True) -> Built:
    """Add the build to the open file, in a collection of its own. Main thread only.

    ``set_up_scene`` makes the matched camera the scene's, gives the render the photo's size, and shows colours as they are in the photo
    (the Standard view transform); without it the scene's settings stay as they are. Raises a ``DepthbridgeError``, and adds nothing then.
    """
    assert prepared.source.camera is not None and prepared.photo is not None and prepared.depth_picture is not None
    check_renderable(prepared.source.camera)
    scene = bpy.context.scene
    with all_or_nothing():
        photo = add_photo(prepared.photo, f"{name} photo")
        depth_image = add_data(prepared.depth_picture, f"{name} depth")
        built = add_carrier_object(prepared, photo, name)
        camera = _add_matched_camera(prepared, built, photo, name)
        link_together(scene, name, built, camera)
        record_provenance(built, prepared, photo, depth_image)
        if set_up_scene:
            match_render(scene, camera, prepared.source.camera)
            show_colours_exactly(scene)
    return Built(
        object=built,
        camera=camera,
        photo=photo,
        depth_image=depth_image,
        depth=prepared.shape,
        vertices=len(prepared.positions),
        faces=len(prepared.grid.faces),
        stride=prepared.stride,
    )


def add_carrier_object(prepared: Prepared, photo: bpy.types.Image, name: str) -> bpy.types.Object:
    """The carrier's object with its material and sliders, linked nowhere yet."""
    built = bpy.data.objects.new(name, add_carrier(prepared, name))
    built.data.materials.append(photo_material(photo, name))
    add_shape_modifier(built, prepared)
    return built


def add_shape_modifier(built: bpy.types.Object, prepared: Prepared, point_material: bpy.types.Material | None = None) -> None:
    """The modifier that makes the shape of a carrier: the sliders, or a Displace modifier for a relief that asks for one. Points get
    ``point_material``, or a new one that shows their colour."""
    if prepared.options.as_ is BuildAs.RELIEF and prepared.options.displace:
        add_displace(built, prepared)
    else:
        add_sliders(built, prepared, point_material)


def add_sliders(built: bpy.types.Object, prepared: Prepared, point_material: bpy.types.Material | None = None) -> None:
    """The Geometry Nodes modifier that makes the shape, set to the build's options."""
    options = prepared.options
    modifier: Any = built.modifiers.new(MODIFIER_NAME, "NODES")
    relief = options.as_ is BuildAs.RELIEF
    modifier.node_group = relief_group() if relief else surface_group()
    camera = prepared.shape.camera
    assert camera is not None
    set_cuts(modifier, options, camera, prepared.stride, prepared.sky_distance)
    if relief:
        set_input(modifier, "Strength", options.strength)
        return
    set_points(modifier, options, camera, prepared.stride)
    set_input(modifier, "Point Material", point_material or color_material(f"{built.name} points"))


def set_points(modifier: Any, options: BuildOptions, camera: CameraIntrinsics, stride: int) -> None:
    """The sliders of points, as the options ask: of a still or of a sequence."""
    set_input(modifier, "As Points", options.as_ is BuildAs.POINTS)
    set_input(modifier, "Radius", options.radius)
    set_input(modifier, "Pixel Size", stride / min(camera.fx, camera.fy) * _POINT_OVERLAP)


def set_cuts(modifier: Any, options: BuildOptions, camera: CameraIntrinsics, stride: int, sky_distance: float) -> None:
    """The sliders that take parts away, as the options ask: of a still or of a sequence. ``sky_distance``: where a far sky lies."""
    set_input(modifier, "Tear", options.tear_of(camera, stride))
    set_input(modifier, "Sky Cut", SKY_THRESHOLD if options.sky is SkyMode.OFF else 1.0)
    set_input(modifier, "Sky Distance", sky_distance if options.sky is SkyMode.FAR else 0.0)
    set_input(modifier, "Depth Min", options.nearest or 0.0)
    set_input(modifier, "Depth Max", options.farthest or 0.0)


def link_together(scene: bpy.types.Scene, name: str, *objects: bpy.types.Object) -> None:
    """Into a new collection of the scene."""
    collection = bpy.data.collections.new(name)
    scene.collection.children.link(collection)
    for item in objects:
        collection.objects.link(item)


def matched_camera(built: bpy.types.Object) -> bpy.types.Object | None:
    """The camera that was built with the object, or None when it was deleted."""
    return next((child for child in built.children if child.type == "CAMERA" and camera_record(child) is not None), None)


def place_camera(camera: bpy.types.Object, prepared: Prepared) -> None:
    """Give a camera, whose parent is the object, the lens and the place that see ``prepared`` as its photo."""
    intrinsics, shape = prepared.source.camera, prepared.shape
    assert intrinsics is not None
    camera.rotation_euler = CAMERA_ROTATION
    if prepared.options.as_ is BuildAs.RELIEF:
        set_flat(camera, RELIEF_SIDE)
        camera.location = (0.0, -2 * RELIEF_SIDE, 0.0)
        return
    set_intrinsics(camera, intrinsics)
    camera.location = (0.0, 0.0, 0.0)
    surface = shape.values[shape.valid]
    set_clipping(camera, float(np.min(surface)), max(float(np.max(surface)), prepared.sky_distance))


def _add_matched_camera(prepared: Prepared, built: bpy.types.Object, photo: bpy.types.Image, name: str) -> bpy.types.Object:
    camera = bpy.data.objects.new(f"{name} camera", bpy.data.cameras.new(f"{name} camera"))
    camera.parent = built
    assert prepared.source.camera is not None
    record_camera(camera, prepared.source.camera, prepared.source.camera_source)
    place_camera(camera, prepared)
    set_background(camera, photo)
    return camera


def show_colours_exactly(scene: bpy.types.Scene) -> None:
    view = scene.view_settings
    # The default, AgX, changes a photo by 20 of 255 on average.
    view.view_transform, view.look = "Standard", "None"
    view.exposure, view.gamma = 0.0, 1.0
