# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar: 3D View > N > Depthbridge. Pick a picture and press Build; all the rest has defaults. Drawing reads no file."""

from __future__ import annotations

from typing import Any, ClassVar

import bpy

from ...engines.camera import ASSUMED_FOV_VERTICAL_DEG
from .build_operators import Build
from .model_list import MODELS
from .preferences import draw_missing_runtime, preferences
from .settings import picture_path, settings_of
from .wrapped import draw_wrapped

MAIN = "DEPTHBRIDGE_PT_main"

_CHOOSERS = {"FILE": "filepath", "IMAGE": "image", "FOLDER": "folder", "MOVIE": "movie", "DEPTH": "depth_file"}


class SidebarPanel:
    """Where all of them are."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Depthbridge"


class MainPanel(SidebarPanel, bpy.types.Panel):
    """What to build from, and the button."""

    bl_idname = MAIN
    bl_label = "Depthbridge"

    def draw(self, context: bpy.types.Context) -> None:
        layout: Any = self.layout
        settings = settings_of(context)
        draw_missing_runtime(layout, preferences(context))
        header, body = layout.panel("depthbridge_source")
        header.label(text="Source")
        if body is not None:
            _draw_source(body, context, settings)
        _draw_build(layout)


def _draw_source(layout: Any, context: bpy.types.Context, settings: Any) -> None:
    column = layout.column()
    column.prop(settings, "source", text="")
    chooser = _CHOOSERS.get(settings.source)
    if settings.source == "IMAGE":
        column.template_ID(settings, "image", open="image.open")
    elif chooser is not None:
        column.prop(settings, chooser, text="")
    split = layout.column()
    split.use_property_split = True
    split.use_property_decorate = False
    if settings.source == "DEPTH":
        split.prop(settings, "depth_meaning")
        split.prop(settings, "depth_picture")
    elif settings.source in ("FOLDER", "MOVIE"):
        split.prop(settings, "frames_folder", placeholder="beside the .blend")
        layout.prop(settings, "set_time")
        layout.prop(settings, "estimate_again")
    found = settings.found
    if found.path and found.path == picture_path(settings):
        if found.problem:
            draw_wrapped(layout, context, found.problem, "ERROR")
        else:
            layout.label(text=f"{bpy.path.basename(found.path)}: {found.width} × {found.height}")
    elif settings.source == "IMAGE" and settings.image is not None:
        layout.label(text="{} × {} pixels".format(*settings.image.size))


def _draw_build(layout: Any) -> None:
    job = Build.running
    if job is None:
        row = layout.row()
        row.scale_y = 2.0  # as high as what replaces it: panels that change their height are moved step by step, each a redraw
        row.operator("depthbridge.build", icon="MESH_GRID")
        return
    column = layout.column(align=True)
    column.label(text=f"{job.name}: {job.stage}")
    row = column.row(align=True)
    row.progress(factor=job.fraction, text=job.time)
    row.operator("depthbridge.cancel", text="", icon="X")


class CameraPanel(SidebarPanel, bpy.types.Panel):
    """What the camera of the picture was."""

    bl_idname = "DEPTHBRIDGE_PT_camera"
    bl_label = "Camera"
    bl_parent_id = MAIN
    bl_order = 2

    def draw(self, context: bpy.types.Context) -> None:
        layout: Any = self.layout
        settings = settings_of(context)
        layout.prop(settings, "camera_mode", text="")
        column = layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        mode = settings.camera_mode
        if mode in ("FOV_VERTICAL", "FOV_HORIZONTAL"):
            column.prop(settings, "fov", text="Vertical" if mode == "FOV_VERTICAL" else "Horizontal")
        elif mode == "FOCAL_MM":
            column.prop(settings, "focal_mm")
            column.prop(settings, "sensor_width_mm")
        elif mode == "SCENE":
            column.prop(settings, "camera")
            if settings.camera is None and context.scene.camera is None:
                column.label(text="The scene has no camera", icon="ERROR")
        else:
            text, icon = _camera_found(settings, remote=_is_remote(context))
            draw_wrapped(layout, context, text, icon)


def _camera_found(settings: Any, *, remote: bool) -> tuple[str, str]:
    """What AUTO and MODEL will find, as far as that is known before, and an icon."""
    assumed = f"{ASSUMED_FOV_VERTICAL_DEG:g}° vertical is ASSUMED"
    model = MODELS.get(settings.model)
    predicts = remote or (model is not None and model.predicts_camera)
    if settings.source == "RENDER":
        return "The scene's camera, exactly", "CHECKMARK"
    if settings.source in ("FOLDER", "MOVIE"):
        known = "EXIF of the first picture, else " if settings.source == "FOLDER" else ""
        return f"{known}{'the model, else ' if predicts else ''}{assumed}", "INFO"
    if settings.camera_mode == "MODEL" and predicts:
        return f"What the model predicts; should it not, EXIF, else {assumed}", "INFO"
    found = settings.found
    if found.path and found.path == picture_path(settings) and not found.problem:
        if found.fov_vertical:
            return f"EXIF: {found.fov_vertical:.1f}° vertical, a {found.focal_35mm:.0f} mm lens (35 mm equivalent)", "CHECKMARK"
        otherwise = f"what the model predicts, else {assumed}" if predicts else assumed
        return f"No focal length in the picture: {otherwise}", "INFO" if predicts else "ERROR"
    if settings.source == "DEPTH" and not settings.depth_picture:
        return f"That of the depth file, else {assumed}", "INFO"
    return f"EXIF, else {'the model, else ' if predicts else ''}{assumed}", "INFO"


def _is_remote(context: bpy.types.Context) -> bool:
    chosen = preferences(context)
    return chosen is not None and bool(chosen.remote.strip())


class BuildAsPanel(SidebarPanel, bpy.types.Panel):
    """What it becomes."""

    bl_idname = "DEPTHBRIDGE_PT_build_as"
    bl_label = "Build As"
    bl_parent_id = MAIN
    bl_order = 3

    def draw(self, context: bpy.types.Context) -> None:
        layout: Any = self.layout
        settings = settings_of(context)
        layout.row().prop(settings, "build_as", expand=True)
        column = layout.column()
        if settings.build_as == "mesh":
            column.active = settings.source not in ("FOLDER", "MOVIE")
            column.prop(settings, "backfill")
        elif settings.build_as == "relief":
            column.prop(settings, "strength")
            column.prop(settings, "displace")
        else:
            column.prop(settings, "radius")
        scene = layout.column()
        scene.active = settings.source != "RENDER"
        scene.prop(settings, "set_up_scene")


class DetailPanel(SidebarPanel, bpy.types.Panel):
    """How fine, and what is left out."""

    bl_idname = "DEPTHBRIDGE_PT_detail"
    bl_label = "Detail"
    bl_parent_id = MAIN
    bl_order = 4
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout: Any = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings = settings_of(context)
        column = layout.column()
        column.prop(settings, "detail")
        column.prop(settings, "max_vertices" if settings.detail == "VERTICES" else "stride")
        tear = layout.column()
        tear.active = settings.build_as != "points"
        tear.prop(settings, "auto_tear")
        if not settings.auto_tear:
            tear.prop(settings, "tear")
        layout.prop(settings, "sky")
        column = layout.column(heading="Depth Range")
        row = column.row(align=True)
        row.prop(settings, "use_range", text="")
        nearest = row.row(align=True)
        nearest.active = settings.use_range
        nearest.prop(settings, "nearest", text="")
        nearest.prop(settings, "farthest", text="")


CLASSES: tuple[type, ...] = (MainPanel, CameraPanel, BuildAsPanel, DetailPanel)
