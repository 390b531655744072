# SPDX-License-Identifier: GPL-3.0-or-later
"""What the sidebar asks for one build, kept with the scene (``Scene.depthbridge``). Panels draw it, :mod:`.requests` reads it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import bpy

from ...engines.camera import CameraIntrinsics
from ...engines.images import read_header
from ..compat import RELATIVE_PATH
from ..options import DEFAULT_MAX_VERTICES, BuildOptions
from .model_list import MODELS, EnumItem
from .preferences import models_folder

_SOURCES = [
    ("FILE", "Picture File", "A photo on disk: JPEG, PNG, WebP, TIFF, ...", "FILE_IMAGE", 0),
    ("IMAGE", "Image in Blender", "An image that this .blend file has loaded, painted or generated", "IMAGE_DATA", 1),
    ("RENDER", "Render Result", "The last render, matched by the scene's own camera", "RENDER_STILL", 2),
    ("FOLDER", "Folder", "A folder of pictures as one object that plays", "FILE_FOLDER", 3),
    ("MOVIE", "Movie", "A movie file as one object that plays", "FILE_MOVIE", 4),
    ("DEPTH", "Depth File", "Depth that exists already: EXR, NumPy, PNG or TIFF. No model runs", "IMAGE_ZDEPTH", 5),
]
_MEANINGS = [
    ("auto", "Automatic", "As the file says; otherwise EXR and NumPy are metres, and pictures of whole numbers disparity (near is bright)"),
    ("metres", "Metres", "Planar depth in metres"),
    ("millimetres", "Millimetres", "Planar depth in millimetres, as depth cameras write it"),
    ("relative", "Relative Depth", "Larger or brighter is farther, without a unit"),
    ("disparity", "Disparity", "Larger or brighter is nearer (inverse depth); its scale is guessed until you measure"),
]
_CAMERAS = [
    ("AUTO", "Automatic", "The focal length in the photo's EXIF; else what the model predicts; else 50 degrees, marked as assumed"),
    ("FOV_VERTICAL", "Vertical Field of View", "The angle from the picture's lower to its upper edge"),
    ("FOV_HORIZONTAL", "Horizontal Field of View", "The angle from the picture's left to its right edge"),
    ("FOCAL_MM", "Focal Length", "The lens in millimetres, on a sensor of a given width"),
    ("SCENE", "From Scene Camera", "The lens and shift of a camera in this scene"),
    ("MODEL", "From the Model", "What the model predicts, even when the photo has EXIF; only some models do"),
]
_BUILDS = [
    ("mesh", "Mesh", "Perspective mesh: every vertex lies where its pixel saw it, matched by the camera", "OUTLINER_OB_MESH", 0),
    ("relief", "Relief", "The flat picture, raised by its depth", "MOD_DISPLACE", 1),
    ("points", "Points", "A cloud of coloured points, one for each pixel", "OUTLINER_OB_POINTCLOUD", 2),
]
_DETAILS = [
    ("VERTICES", "Vertices", "As many pixels as stay below a number of vertices"),
    ("STRIDE", "Pixel Step", "Every pixel, every second, every third, ..."),
]
_SKIES = [
    ("off", "Off", "No geometry where the model sees sky"),
    ("keep", "Keep", "The sky at the depth the model gives it"),
    ("far", "Far Plane", "The sky flat, behind everything else"),
]


class DepthbridgeFound(bpy.types.PropertyGroup):
    """What the header of the chosen picture told when its path was set, so that drawing reads no file."""

    path: bpy.props.StringProperty()  # type: ignore[valid-type]
    width: bpy.props.IntProperty()  # type: ignore[valid-type]
    height: bpy.props.IntProperty()  # type: ignore[valid-type]
    fov_vertical: bpy.props.FloatProperty(description="Degrees, by EXIF; 0 when there is none")  # type: ignore[valid-type]
    focal_35mm: bpy.props.FloatProperty(description="Millimetres, equal diagonal")  # type: ignore[valid-type]
    problem: bpy.props.StringProperty()  # type: ignore[valid-type]

    def look(self, path: str) -> None:
        """Read the header of ``path`` (absolute); remember what it says, or what is wrong with it."""
        self.path, self.width, self.height, self.fov_vertical, self.focal_35mm, self.problem = path, 0, 0, 0.0, 0.0, ""
        if not path:
            return
        if not Path(path).is_file():
            self.problem = "This file does not exist"
            return
        header = read_header(Path(path))
        if header is None:
            self.problem = "This is no picture that can be read"
            return
        self.width, self.height = header.width, header.height
        if header.exif_camera is not None:
            self.fov_vertical = header.exif_camera.fov_vertical_deg
            self.focal_35mm = focal_35mm(header.exif_camera)


def focal_35mm(camera: CameraIntrinsics) -> float:
    """The lens that sees the same diagonal angle on 35 mm film, in millimetres."""
    return camera.mean_focal_px / math.hypot(camera.width, camera.height) * math.hypot(36, 24)


def _look(settings: Any, context: bpy.types.Context) -> None:
    settings.found.look(picture_path(settings))


def picture_path(settings: Any) -> str:
    """The absolute path of the picture file behind the chosen source, empty when it has none (nothing chosen, or no file)."""
    if settings.source == "FILE":
        path = settings.filepath
    elif settings.source == "DEPTH":
        path = settings.depth_picture
    elif settings.source == "IMAGE":
        image = settings.image
        path = image.filepath if image is not None and image.source == "FILE" and not image.is_dirty and image.packed_file is None else ""
    else:
        path = ""
    return bpy.path.abspath(path) if path else ""


def _model_items(self: Any, context: bpy.types.Context | None) -> list[EnumItem]:
    MODELS.ensure(models_folder(context or bpy.context))
    return MODELS.items


def _is_camera(self: Any, candidate: bpy.types.Object) -> bool:
    return candidate.type == "CAMERA"


def _can_be_seen(self: Any, image: bpy.types.Image) -> bool:
    return image.source in ("FILE", "GENERATED", "TILED")


class DepthbridgeSettings(bpy.types.PropertyGroup):
    """Lengths are in metres when the model gives metres, else in the model's own unit; angles are degrees to the user, radians here."""

    # ---- source
    source: bpy.props.EnumProperty(name="Source", description="What to build from", items=_SOURCES, update=_look)  # type: ignore[valid-type]
    filepath: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Picture", description="A photo: JPEG, PNG, WebP, TIFF, ...", subtype="FILE_PATH", options=RELATIVE_PATH, update=_look
    )
    image: bpy.props.PointerProperty(  # type: ignore[valid-type]
        name="Image", description="An image of this .blend file", type=bpy.types.Image, poll=_can_be_seen, update=_look
    )
    folder: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Folder",
        description="A folder of pictures of one size, played in the order of their names",
        subtype="DIR_PATH",
        options=RELATIVE_PATH,
    )
    movie: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Movie", description="A movie file: MP4, MOV, WebM, ...", subtype="FILE_PATH", options=RELATIVE_PATH
    )
    frames_folder: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Frames To",
        description="Folder that keeps the depth of every frame; empty for depthbridge/NAME beside the .blend file",
        subtype="DIR_PATH",
        options=RELATIVE_PATH,
    )
    estimate_again: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Estimate Again", description="Estimate frames again that an earlier build has finished in that folder, and overwrite them"
    )
    set_time: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Set Frame Range",
        description="Give the scene the frame range and rate of the pictures, unless something in it is animated already",
        default=True,
    )
    depth_file: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Depth File", description="EXR, NumPy (npz, npy), PNG or TIFF", subtype="FILE_PATH", options=RELATIVE_PATH
    )
    depth_meaning: bpy.props.EnumProperty(name="Values Are", description="What the numbers of the depth file are", items=_MEANINGS)  # type: ignore[valid-type]
    depth_picture: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Colours",
        description="The picture that colours the depth, of the same proportions; empty to colour by depth",
        subtype="FILE_PATH",
        options=RELATIVE_PATH,
        update=_look,
    )
    found: bpy.props.PointerProperty(type=DepthbridgeFound)  # type: ignore[valid-type]

    # ---- model
    model: bpy.props.EnumProperty(name="Model", description="The installed model that estimates depth", items=_model_items)  # type: ignore[valid-type]

    # ---- camera
    camera_mode: bpy.props.EnumProperty(name="Camera", description="Where the camera of the picture comes from", items=_CAMERAS)  # type: ignore[valid-type]
    fov: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Field of View",
        description="Angle that the picture spans, in degrees",
        subtype="ANGLE",
        default=math.radians(50),
        min=math.radians(1),
        max=math.radians(175),
    )
    focal_mm: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Focal Length", description="Of the lens, in millimetres", subtype="DISTANCE_CAMERA", default=35.0, min=0.5, max=10_000
    )
    sensor_width_mm: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Sensor Width",
        description="Width of the part of the sensor that the picture shows, in millimetres: 36 for a 35 mm equivalent focal length",
        subtype="DISTANCE_CAMERA",
        default=36.0,
        min=0.5,
        soft_max=100,
        max=1000,
    )
    camera: bpy.props.PointerProperty(  # type: ignore[valid-type]
        name="Camera", description="The camera to match; empty for the scene's active one", type=bpy.types.Object, poll=_is_camera
    )

    # ---- build as
    build_as: bpy.props.EnumProperty(name="Build As", description="What the depth becomes", items=_BUILDS)  # type: ignore[valid-type]
    backfill: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Backfill", description="Also build a second layer behind torn edges, so that a small move of the camera shows no gap"
    )
    strength: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Strength",
        description="Height of the nearest point over the farthest, in scene units; the relief's longer side has two",
        default=BuildOptions().strength,
        min=0.0,
        soft_max=2.0,
    )
    displace: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Displace Modifier", description="A plain grid under Blender's Displace modifier, in place of Geometry Nodes"
    )
    radius: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Point Size", description="Radius of the points: at 1 neighbours just overlap", default=1.0, min=0.01, soft_max=4.0
    )

    set_up_scene: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Set Up Scene",
        description="Make the matched camera the scene's, render at the photo's size, and show colours as they are in the photo (view transform "
        "Standard). Never done for a render result, whose scene is set up already",
        default=True,
    )

    # ---- detail
    detail: bpy.props.EnumProperty(name="Detail", description="How many of the picture's pixels become vertices", items=_DETAILS)  # type: ignore[valid-type]
    max_vertices: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Maximum",
        description="Most vertices to build; larger pictures are built from every second, third, ... pixel",
        default=DEFAULT_MAX_VERTICES,
        min=4,
        soft_max=10_000_000,
        step=100_000,
    )
    stride: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Pixel Step", description="Build from every n-th pixel of each row and column; 1 is every pixel", default=1, min=1, soft_max=16
    )
    auto_tear: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Automatic Tear",
        description="Tear the surface where it is steeper than 86 degrees as seen from the camera, whatever the picture's resolution",
        default=True,
    )
    tear: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Tear",
        description="The surface is torn where a face's farthest corner is more than this share beyond its nearest (0.1 = 10 %)",
        default=0.02,
        min=0.001,
        soft_max=1.0,
    )
    sky: bpy.props.EnumProperty(name="Sky", description="What happens to the sky, where the model tells it", items=_SKIES)  # type: ignore[valid-type]
    use_range: bpy.props.BoolProperty(name="Depth Range", description="Keep only what lies between two depths")  # type: ignore[valid-type]
    nearest: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Nearest",
        description="Cut what is nearer: metres along the camera's axis if the model gives metres, else the model's own unit; 0 for no limit",
        default=0.0,
        min=0.0,
        soft_max=100.0,
    )
    farthest: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Farthest",
        description="Cut what is farther: metres along the camera's axis if the model gives metres, else the model's own unit; 0 for no limit",
        default=20.0,
        min=0.0,
        soft_max=1000.0,
    )


def settings_of(context: bpy.types.Context) -> Any:
    """The settings of the open scene."""
    return context.scene.depthbridge


def register_more() -> None:
    bpy.types.Scene.depthbridge = bpy.props.PointerProperty(type=DepthbridgeSettings)


def unregister_more() -> None:
    del bpy.types.Scene.depthbridge


CLASSES: tuple[type, ...] = (DepthbridgeFound, DepthbridgeSettings)
