# SPDX-License-Identifier: GPL-3.0-or-later
"""Two points of a built object, clicked in a 3D View. Esc leaves everything as it was."""

from __future__ import annotations

from typing import Any, ClassVar

import bpy
import numpy as np
from bpy_extras.view3d_utils import region_2d_to_origin_3d, region_2d_to_vector_3d
from mathutils import Vector

from ...engines.depth_map import SKY_THRESHOLD
from ...engines.errors import DepthbridgeError
from ..live_shape import LiveShape
from ..scale import why_not_measurable
from .overlay import Overlay
from .result_operators import built_object, require_built

# Tried in this order.
_REACHES_PX = (8.0, 30.0)
_MOST_FACES = 100_000
# Of the vertices under the mouse, those farther than the nearest one by more than this share belong to something behind it.
_BEHIND = 0.05


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
        self._name, self._chosen = built.name, []
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
        if event.type not in ("MOUSEMOVE", "LEFTMOUSE"):
            return {"PASS_THROUGH"}  # turning the view, zooming, ...
        found = _region_under(context, event)
        if found is None:
            return {"PASS_THROUGH"}  # a panel: Undo, Shading, ... work as ever
        region, view, mouse = found
        if event.type == "LEFTMOUSE" and event.value != "PRESS":
            return {"RUNNING_MODAL"}
        vertex = self._aim.at(context, built, region, view, mouse)
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


class Aim:
    """Finds the vertex of an object's carrier under the mouse: the nearest one of the foremost that lie there."""

    def __init__(self, built: bpy.types.Object) -> None:
        shape = LiveShape.of(built)
        self._places = shape.positions()
        self._pickable = (shape.sky < SKY_THRESHOLD) & ~shape.cut()
        self._seen_by: Any = None
        self._pixels: Any = None

    def world(self, built: bpy.types.Object, vertex: int) -> Vector:
        """Where a vertex is in the world."""
        return built.matrix_world @ Vector(self._places[vertex].tolist())

    def at(self, context: bpy.types.Context, built: bpy.types.Object, region: Any, view: Any, mouse: tuple[float, float]) -> int | None:
        """The vertex at ``mouse`` (pixels of ``region``), None when the object is not there or that is sky."""
        hit = _cast(context, built, region, view, mouse)
        if hit is not None:
            nearest = int(np.argmin(((self._places - np.array(hit, dtype=np.float32)) ** 2).sum(axis=1)))
            return nearest if self._pickable[nearest] else None
        self._look(built, region, view)
        x, y, farness = self._pixels
        away = (x - np.float32(mouse[0])) ** 2 + (y - np.float32(mouse[1])) ** 2
        for reach in _REACHES_PX:
            within = np.flatnonzero(away < reach**2)
            if len(within):
                nearest_there = farness[within].min()
                room = _BEHIND * (nearest_there if view.is_perspective else view.view_distance)
                foremost = within[farness[within] <= nearest_there + room]
                return int(foremost[np.argmin(away[foremost])])
        return None

    def _look(self, built: bpy.types.Object, region: Any, view: Any) -> None:
        """Where every vertex is on the screen, in pixels of ``region``, and how far away; worked out anew when the view has changed."""
        projection = view.perspective_matrix @ built.matrix_world
        seen_by = (projection.freeze(), region.width, region.height)
        if self._seen_by == seen_by:
            return
        self._seen_by = seen_by
        matrix = np.array(projection, dtype=np.float32)
        clip = self._places @ matrix[:, :3].T + matrix[:, 3]
        with np.errstate(divide="ignore", invalid="ignore"):
            x = (clip[:, 0] / clip[:, 3] + 1) * np.float32(region.width / 2)
            y = (clip[:, 1] / clip[:, 3] + 1) * np.float32(region.height / 2)
        # Comparisons with NaN are false: what cannot be picked is never within reach.
        x[~((clip[:, 3] > 0) & self._pickable)] = np.nan
        along = np.array((view.view_matrix @ built.matrix_world)[2], dtype=np.float32)
        self._pixels = x, y, -(self._places @ along[:3] + along[3])


def _cast(context: bpy.types.Context, built: bpy.types.Object, region: Any, view: Any, mouse: tuple[float, float]) -> Vector | None:
    """Where the ray through the mouse hits the surface as it is seen, in the object's axes. Only of a coarse surface, whose vertices can lie far
    from the mouse: for the first ray Blender builds a tree, and of a million faces that takes seconds."""
    seen = built.evaluated_get(context.evaluated_depsgraph_get())
    if seen.type != "MESH" or not 0 < len(seen.data.polygons) <= _MOST_FACES:
        return None
    inverse = built.matrix_world.inverted_safe()
    origin = inverse @ region_2d_to_origin_3d(region, view, mouse)
    towards = inverse.to_3x3() @ region_2d_to_vector_3d(region, view, mouse)
    hit, place, _, _ = seen.ray_cast(origin, towards.normalized())
    return place if hit else None


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
