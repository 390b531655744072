# SPDX-License-Identifier: GPL-3.0-or-later
"""The Result panel: the sliders of the active object, what it is made of, and what can be done with it."""

from __future__ import annotations

from typing import Any

import bpy

from ...engines.camera import CameraSource
from ...engines.depth_map import DepthKind
from ...engines.errors import DepthbridgeError
from ..backfill import backfill_of
from ..displace import DISPLACE_NAME
from ..measuring.scale import measures_made
from ..nodes.inputs import carrier_modifier, draw_input, get_input, input_names
from ..options import BuildAs
from ..provenance import Provenance, read_provenance
from .panels import MAIN, SidebarPanel
from .result_operators import built_object
from .scale_operators import ScaleFromPoints
from .work import CAMERA_WORDS
from .wrapped import draw_wrapped

_CUTS = ("Tear Edges", "Tear", "Sky Cut", "Sky Distance", "Confidence Cut", "Depth Min", "Depth Max")


class ResultPanel(SidebarPanel, bpy.types.Panel):
    """What was built."""

    bl_idname = "DEPTHBRIDGE_PT_result"
    bl_label = "Result"
    bl_parent_id = MAIN
    bl_order = 5

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return built_object(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout: Any = self.layout
        built = built_object(context)
        if built is None:
            return
        try:
            known = read_provenance(built)
        except DepthbridgeError as error:
            draw_wrapped(layout, context, str(error), "ERROR")
            return
        layout.label(text=built.name, icon="OUTLINER_OB_POINTCLOUD" if built.type == "POINTCLOUD" else "OUTLINER_OB_MESH")
        layout.operator("depthbridge.look_through", icon="VIEW_CAMERA")
        _draw_shape(layout, context, built, known)
        _draw_finish(layout, built)
        _draw_making(layout, context, known)


def _draw_shape(layout: Any, context: bpy.types.Context, built: Any, known: Provenance) -> None:
    modifier = carrier_modifier(built)
    if modifier is None:
        displace = built.modifiers.get(DISPLACE_NAME)
        if displace is None:
            draw_wrapped(layout, context, "Its sliders were applied")
        else:
            column = _column(layout)
            column.prop(displace, "strength")
            column.prop(displace, "mid_level")
        return
    names = input_names(modifier)
    if "Scale" in names:
        _draw_scale(layout, context, built, known, modifier)
    else:
        column = _column(layout)
        for name in ("Strength", "Midlevel"):
            draw_input(column, modifier, name)
    if "As Points" in names:
        column = _column(layout)
        draw_input(column, modifier, "As Points")
        if get_input(modifier, "As Points"):
            draw_input(column, modifier, "Radius", "Point Size")
    if "Start Frame" in names:
        draw_input(_column(layout), modifier, "Start Frame")
    header, body = layout.panel("depthbridge_result_cuts")
    header.label(text="Cuts")
    if body is not None:
        _draw_cuts(body, modifier, names, known)


def _draw_scale(layout: Any, context: bpy.types.Context, built: Any, known: Provenance, modifier: Any) -> None:
    column = _column(layout)
    draw_input(column, modifier, "Scale")
    if known.unit == "m":
        layout.label(text="Lengths are metres", icon="CHECKMARK")
    elif known.conversion is not None and known.conversion.guessed:
        first = measures_made(built) == 0
        text = "Shape and size are GUESSED from disparity: measure two distances, or the floor"
        again = "One distance is true, the shape is still GUESSED: measure another, nearer or farther"
        draw_wrapped(layout, context, text if first else again, "ERROR")
    else:
        draw_wrapped(layout, context, "No true size yet: measure a distance, or the floor", "INFO")
    column = layout.column(align=True)
    column.operator_context = "INVOKE_DEFAULT"
    column.operator(ScaleFromPoints.bl_idname, icon="DRIVER_DISTANCE")
    column.operator("depthbridge.scale_from_floor", icon="GRID")


def _draw_cuts(layout: Any, modifier: Any, names: list[str], known: Provenance) -> None:
    has = {"Sky Cut": known.has_sky, "Sky Distance": known.has_sky, "Confidence Cut": known.has_confidence}
    points = "As Points" in names and get_input(modifier, "As Points")
    column = _column(layout)
    for name in _CUTS:
        if name in names and has.get(name, True):
            row = column.row()
            row.active = not (points and name.startswith("Tear")) and (name != "Tear" or get_input(modifier, "Tear Edges"))
            draw_input(row, modifier, name)


def _draw_finish(layout: Any, built: Any) -> None:
    column = layout.column(align=True)
    layer = backfill_of(built)
    text, action = ("Add Backfill", "ADD") if layer is None else ("Remove Backfill", "REMOVE")
    column.operator("depthbridge.backfill", text=text, icon="MOD_SOLIDIFY").action = action
    column.operator("depthbridge.rebuild", icon="FILE_REFRESH")
    column = layout.column(align=True)
    column.operator("depthbridge.apply_mesh", icon="MESH_DATA")
    column.operator("depthbridge.apply_points", icon="POINTCLOUD_DATA")


def _draw_making(layout: Any, context: bpy.types.Context, known: Provenance) -> None:
    """What it was made of, closed until somebody asks."""
    header, body = layout.panel("depthbridge_result_making", default_closed=True)
    header.label(text="Made From")
    if body is None:
        return
    gave = {DepthKind.METRIC: "metres", DepthKind.RELATIVE: "relative depth", DepthKind.DISPARITY: "disparity"}[known.kind]
    camera = f"{known.camera.fov_vertical_deg:.1f}° vertical, {CAMERA_WORDS.get(known.camera_source, str(known.camera_source))}"
    unit = "metres" if known.unit == "m" else "no known unit"
    if known.as_ is BuildAs.RELIEF:
        unit = "the picture's longer side is 2 units"
    step = f"{known.camera.width} × {known.camera.height} pixels, every {_ordinal(known.stride)}"
    for text, icon in (
        (f"Model {known.model}, which gave {gave}", "NONE"),
        (f"Now in {unit}" if known.unit == "m" else unit.capitalize(), "NONE"),
        (f"Camera {camera}", "ERROR" if known.camera_source is CameraSource.ASSUMED else "NONE"),
        (step if known.stride > 1 else f"{known.camera.width} × {known.camera.height} pixels, all of them", "NONE"),
    ):
        draw_wrapped(body, context, text, icon)
    if known.note:
        draw_wrapped(body, context, known.note, "INFO")


def _ordinal(number: int) -> str:
    if number in (2, 3):
        return {2: "second", 3: "third"}[number]
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number % 100 // 10 != 1 else "th"
    return f"{number}{ending}"


def _column(layout: Any) -> Any:
    column = layout.column()
    column.use_property_split = True
    column.use_property_decorate = False
    return column


CLASSES: tuple[type, ...] = (ResultPanel,)
