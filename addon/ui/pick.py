# SPDX-License-Identifier: GPL-3.0-or-later
"""Two points of a built object, clicked in a 3D View. Esc leaves everything as it was."""

from __future__ import annotations

from typing import Any, ClassVar

import bpy

from ...engines.errors import DepthbridgeError
from ..measuring.aim import Aim, Sight
from ..measuring.scale import why_not_measurable
from .overlay import Overlay
from .result_operators import built_object, require_built

_NAVIGATION = ("MIDDLEMOUSE", "WHEEL", "TRACKPAD", "MOUSE", "NDOF", "NUMPAD", "TIMER", "INBETWEEN", "WINDOW", "NONE")


class PickPoints(bpy.types.Operator):
    """Click two points of the object, and then type how far apart they are"""

    bl_idname = "depthbridge.pick_points"
    bl_label = "Pick Two Points"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return why_not_measurable(built_object(context)) is None and context.mode == "OBJECT"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        try:
            built = require_built(context)
            self._aim = Aim(built)
        except DepthbridgeError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if _view_regions(context) == []:
            self.report({"ERROR"}, "Points are picked in a 3D View; open one.")
            return {"CANCELLED"}
        self._name = built.name
        self._chosen: list[int] = []
        self._overlay = Overlay()
        self._overlay.show()
        context.window.cursor_modal_set("CROSSHAIR")
        context.window_manager.modal_handler_add(self)
        self._tell(context)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        built = context.view_layer.objects.get(self._name)
        if built is None or context.mode != "OBJECT" or event.type in ("ESC", "RIGHTMOUSE"):
            self.cancel(context)
            return {"CANCELLED"}
        if event.type not in ("MOUSEMOVE", "LEFTMOUSE") or event.alt:
            return {"PASS_THROUGH"} if _turns_the_view(event) else {"RUNNING_MODAL"}
        found = _region_under(context, event)
        if found is None:
            return {"PASS_THROUGH"}  # a panel: Undo, Shading, ... work as ever
        region, view, mouse = found
        if event.type == "LEFTMOUSE" and event.value != "PRESS":
            return {"RUNNING_MODAL"}
        vertex = self._aim.at(built, Sight.of(region, view), mouse)
        self._hover(context, built, vertex)
        if event.type == "LEFTMOUSE" and vertex is not None and vertex not in self._chosen:
            self._chosen.append(vertex)
            self._overlay.picked.append(self._aim.world(built, vertex))
            self._overlay.hovered = None
            if len(self._chosen) == 2:
                return self._done(context)
            self._tell(context)
        return {"RUNNING_MODAL"} if event.type == "LEFTMOUSE" else {"PASS_THROUGH"}

    def cancel(self, context: bpy.types.Context) -> None:
        self._overlay.hide()
        if context.window is not None:
            context.window.cursor_modal_restore()
        if context.workspace is not None:
            context.workspace.status_text_set(None)
        _redraw_views(context)

    def _done(self, context: bpy.types.Context) -> set[str]:
        self.cancel(context)
        first, second = self._chosen
        bpy.ops.depthbridge.scale_from_points("INVOKE_DEFAULT", first=first, second=second)
        return {"FINISHED"}

    def _hover(self, context: bpy.types.Context, built: bpy.types.Object, vertex: int | None) -> None:
        place = None if vertex is None else self._aim.world(built, vertex)
        if place == self._overlay.hovered:
            return
        self._overlay.hovered = place
        self._overlay.text = ""
        if place is not None and len(self._overlay.picked) == 1:
            self._overlay.text = f"{(place - self._overlay.picked[0]).length:.4g}"
        _redraw_views(context)

    def _tell(self, context: bpy.types.Context) -> None:
        which = "second" if self._chosen else "first"
        context.workspace.status_text_set(f"Depthbridge: click the {which} of two points on {self._name}   (Esc or right click leaves)")
        _redraw_views(context)


def _turns_the_view(event: bpy.types.Event) -> bool:
    """Whether Blender shall have an event of the keyboard or mouse: those that turn, move and zoom the view, and those of nobody."""
    with_alt = event.alt and event.type == "LEFTMOUSE"  # where a mouse has no middle button
    return with_alt or event.type.startswith(_NAVIGATION)


def _view_regions(context: bpy.types.Context) -> list[tuple[Any, Any]]:
    """The regions of this window in which the scene is seen, and their views."""
    found = []
    for area in context.window.screen.areas:
        if area.type == "VIEW_3D":
            view = area.spaces.active.region_3d
            found += [(region, view) for region in area.regions if region.type == "WINDOW" and view is not None]
    return found


def _region_under(context: bpy.types.Context, event: bpy.types.Event) -> tuple[Any, Any, tuple[float, float]] | None:
    """The 3D View under the mouse, unless a panel lies over it there, and the mouse's place in it."""
    for area in context.window.screen.areas:
        if area.type == "VIEW_3D":
            for region in area.regions:
                if region.type not in ("WINDOW", "HUD") and _holds(region, event):
                    return None
    for region, view in _view_regions(context):
        if _holds(region, event):
            return region, view, (event.mouse_x - region.x, event.mouse_y - region.y)
    return None


def _holds(region: Any, event: bpy.types.Event) -> bool:
    inside = region.x <= event.mouse_x < region.x + region.width and region.y <= event.mouse_y < region.y + region.height
    return bool(inside and region.width > 1 and region.height > 1)


def _redraw_views(context: bpy.types.Context) -> None:
    for region, _ in _view_regions(context) if context.window is not None else []:
        region.tag_redraw()


CLASSES: tuple[type, ...] = (PickPoints,)
