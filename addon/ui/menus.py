# SPDX-License-Identifier: GPL-3.0-or-later
"""Every operator in a menu of the 3D View, for the search (F3) finds what is in menus, and for those who keep the sidebar closed."""

from __future__ import annotations

from typing import Any

import bpy

from .model_list import MODELS

_OPERATORS = (
    ("depthbridge.build", "MESH_GRID"),
    ("depthbridge.cancel", "X"),
    (None, ""),
    ("depthbridge.look_through", "VIEW_CAMERA"),
    ("depthbridge.scale_from_points", "DRIVER_DISTANCE"),
    ("depthbridge.scale_from_floor", "GRID"),
    ("depthbridge.backfill", "MOD_SOLIDIFY"),
    ("depthbridge.rebuild", "FILE_REFRESH"),
    ("depthbridge.apply_mesh", "MESH_DATA"),
    ("depthbridge.apply_points", "POINTCLOUD_DATA"),
    (None, ""),
    ("depthbridge.add_model", "FILEBROWSER"),
    ("depthbridge.cancel_fetch", "X"),
    ("depthbridge.refresh_models", "FILE_REFRESH"),
    ("depthbridge.test_remote", "URL"),
)


class DownloadMenu(bpy.types.Menu):
    """The models that can be downloaded."""

    bl_idname = "DEPTHBRIDGE_MT_download"
    bl_label = "Download Model"

    def draw(self, context: bpy.types.Context) -> None:
        layout: Any = self.layout
        layout.enabled = bpy.app.online_access
        for spec in MODELS.others:
            if spec.files:
                layout.operator("depthbridge.fetch_model", text=spec.title, icon="IMPORT").model_id = spec.id


class DepthbridgeMenu(bpy.types.Menu):
    """All there is."""

    bl_idname = "DEPTHBRIDGE_MT_all"
    bl_label = "Depthbridge"

    def draw(self, context: bpy.types.Context) -> None:
        layout: Any = self.layout
        layout.operator_context = "INVOKE_DEFAULT"
        for name, icon in _OPERATORS:
            if name is None:
                layout.separator()
            else:
                layout.operator(name, icon=icon)
        layout.menu(DownloadMenu.bl_idname)


def _in_object_menu(self: Any, context: bpy.types.Context) -> None:
    self.layout.separator()
    self.layout.menu(DepthbridgeMenu.bl_idname)


def _in_add_menu(self: Any, context: bpy.types.Context) -> None:
    self.layout.operator_context = "INVOKE_DEFAULT"
    self.layout.operator("depthbridge.build", text="Depth from Picture", icon="MESH_GRID")


def _in_mesh_menu(self: Any, context: bpy.types.Context) -> None:
    self.layout.separator()
    self.layout.operator_context = "INVOKE_DEFAULT"
    self.layout.operator("depthbridge.scale_from_points", icon="DRIVER_DISTANCE")
    self.layout.operator("depthbridge.scale_from_floor", icon="GRID")


_PLACES = (("VIEW3D_MT_object", _in_object_menu), ("VIEW3D_MT_add", _in_add_menu), ("VIEW3D_MT_edit_mesh", _in_mesh_menu))


def register_more() -> None:
    for menu, draw in _PLACES:
        getattr(bpy.types, menu).append(draw)


def unregister_more() -> None:
    for menu, draw in _PLACES:
        getattr(bpy.types, menu).remove(draw)


CLASSES: tuple[type, ...] = (DownloadMenu, DepthbridgeMenu)
