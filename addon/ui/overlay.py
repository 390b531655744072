# SPDX-License-Identifier: GPL-3.0-or-later
"""Marks over the 3D Views: the points that are picked, the line between them, its length."""

from __future__ import annotations

from typing import Any

import blf
import bpy
import gpu
from bpy_extras.view3d_utils import location_3d_to_region_2d
from gpu_extras.batch import batch_for_shader
from mathutils import Vector

_PICKED = (1.0, 0.45, 0.0, 1.0)
_HOVERED = (1.0, 1.0, 1.0, 0.9)
_SIZE_PX = 9.0


class Overlay:
    """Places of the world, drawn in every 3D View between :meth:`show` and :meth:`hide`. Holds nothing of Blender's data."""

    def __init__(self) -> None:
        self.picked: list[Vector] = []
        self.hovered: Vector | None = None
        self.text = ""
        """Beside the middle of the line."""
        self._handler: Any = None

    def show(self) -> None:
        """Begin to draw."""
        if self._handler is None and not bpy.app.background:
            self._handler = bpy.types.SpaceView3D.draw_handler_add(self._draw, (), "WINDOW", "POST_PIXEL")

    def hide(self) -> None:
        """End drawing; twice does nothing."""
        if self._handler is not None:
            bpy.types.SpaceView3D.draw_handler_remove(self._handler, "WINDOW")
            self._handler = None

    def _draw(self) -> None:
        region, view = bpy.context.region, bpy.context.region_data
        if region is None or view is None:
            return
        scale = bpy.context.preferences.system.ui_scale
        picked = [found for place in self.picked if (found := location_3d_to_region_2d(region, view, place)) is not None]
        hovered = None if self.hovered is None else location_3d_to_region_2d(region, view, self.hovered)
        line = picked + ([hovered] if hovered is not None and len(picked) == 1 else [])
        gpu.state.blend_set("ALPHA")
        if len(line) == 2:
            _draw_line(line, scale)
            _draw_text(self.text, (line[0] + line[1]) / 2, scale)
        _draw_points([hovered] if hovered is not None else [], _HOVERED, scale)
        _draw_points(picked, _PICKED, scale)
        gpu.state.blend_set("NONE")


def _draw_line(ends: list[Vector], scale: float) -> None:
    shader = gpu.shader.from_builtin("POLYLINE_UNIFORM_COLOR")
    shader.uniform_float("viewportSize", gpu.state.viewport_get()[2:])
    for width, color in ((4.0 * scale, (0.0, 0.0, 0.0, 0.6)), (2.0 * scale, _PICKED)):
        shader.uniform_float("lineWidth", width)
        shader.uniform_float("color", color)
        batch_for_shader(shader, "LINES", {"pos": [(end.x, end.y, 0.0) for end in ends]}).draw(shader)


def _draw_points(places: list[Vector], color: tuple[float, float, float, float], scale: float) -> None:
    if not places:
        return
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    for size, fill in ((_SIZE_PX + 4, (0.0, 0.0, 0.0, 0.6)), (_SIZE_PX, color)):
        half = size * scale / 2
        # Squares of triangles: large points are not drawn everywhere.
        corners = [(p.x + dx * half, p.y + dy * half) for p in places for dx, dy in ((-1, -1), (1, -1), (1, 1), (-1, -1), (1, 1), (-1, 1))]
        shader.uniform_float("color", fill)
        batch_for_shader(shader, "TRIS", {"pos": corners}).draw(shader)


def _draw_text(text: str, place: Vector, scale: float) -> None:
    if not text:
        return
    blf.size(0, 13 * scale)
    blf.enable(0, blf.SHADOW)
    blf.shadow(0, 5, 0.0, 0.0, 0.0, 1.0)
    blf.color(0, 1.0, 1.0, 1.0, 1.0)
    blf.position(0, place.x + 10 * scale, place.y + 10 * scale, 0)
    blf.draw(0, text)
    blf.disable(0, blf.SHADOW)
