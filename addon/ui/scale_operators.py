# SPDX-License-Identifier: GPL-3.0-or-later
"""True size: from the distance between two points, or from the height of the camera over the floor."""

from __future__ import annotations

from typing import Any, ClassVar

import bpy
import numpy as np
from mathutils import Vector

from ...engines.errors import DepthbridgeError, DepthKindError
from ..measuring.live_shape import LiveShape, selected_vertices
from ..measuring.scale import scale_from_floor, scale_from_points, why_not_measurable
from .overlay import Overlay
from .result_operators import attempt, built_object, require_built, why_not_ours


class _OnMeasurable:
    """Operators on the active built object while its lengths are live, in object or edit mode. They end in object mode: a change made in
    edit mode would not be undone with the rest."""

    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        why = why_not_measurable(built_object(context)) or why_not_ours(built_object(context)) or None
        if why is None and context.mode == "EDIT_MESH" and context.edit_object is not built_object(context):
            why = "Leave Edit Mode first: this is the layer behind the object's edges"
        if why is None and context.mode not in ("OBJECT", "EDIT_MESH"):
            why = "Only in Object Mode or Edit Mode"
        if why is not None:
            cls.poll_message_set(why)  # type: ignore[attr-defined]
        return why is None


class ScaleFromPoints(_OnMeasurable, bpy.types.Operator):
    """Click two points of the object (in Edit Mode: select two vertices), then type how far apart they are in truth, in metres"""

    bl_idname = "depthbridge.scale_from_points"
    bl_label = "Scale from Two Points"

    first: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="First Vertex", description="Index of a vertex of the object's mesh; -1 to pick", default=-1, min=-1, options={"SKIP_SAVE"}
    )
    second: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Second Vertex", description="Index of another vertex; -1 to pick", default=-1, min=-1, options={"SKIP_SAVE"}
    )
    true_distance: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="True Distance", description="Between the two points, in metres", min=0.0, precision=4, subtype="DISTANCE", options={"SKIP_SAVE"}
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if bpy.app.background or context.window is None:
            return self.execute(context)
        self._overlay = Overlay()
        try:
            built = require_built(context)
            if context.mode == "EDIT_MESH":
                self._take_selected(built)
                self._now = LiveShape.of_edited(built, [self.first, self.second]).world_distance(0, 1)
            elif self.first < 0 or self.second < 0:
                bpy.ops.depthbridge.pick_points("INVOKE_DEFAULT")  # which comes back here with two vertices
                return {"CANCELLED"}
            else:
                shape = LiveShape.of(built)
                self._now = shape.world_distance(self.first, self.second)
                self._overlay.picked = [
                    built.matrix_world @ Vector(place) for place in shape.positions()[[self.first, self.second]].tolist()
                ]
        except (DepthbridgeError, RuntimeError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.true_distance = self._now
        self._overlay.show()
        return context.window_manager.invoke_props_dialog(self, width=300, title="Scale from Two Points", confirm_text="Scale")

    def draw(self, context: bpy.types.Context) -> None:
        layout: Any = self.layout
        if hasattr(self, "_now"):
            layout.label(text=f"Now {self._now:.4g} units apart. In truth:")
        row = layout.row()
        row.activate_init = True  # a number can be typed at once
        row.prop(self, "true_distance")

    def cancel(self, context: bpy.types.Context) -> None:
        if hasattr(self, "_overlay"):
            self._overlay.hide()

    def execute(self, context: bpy.types.Context) -> set[str]:
        self.cancel(context)

        def work() -> str:
            built = require_built(context)
            if context.mode == "EDIT_MESH" and (self.first < 0 or self.second < 0):
                self._take_selected(built)
            if self.first < 0 or self.second < 0:
                raise DepthKindError("Two points are needed: pick them, select two vertices in Edit Mode, or pass first and second.")
            return _in_object_mode(context, lambda: scale_from_points(built, self.first, self.second, self.true_distance))

        return attempt(self, work)

    def _take_selected(self, built: bpy.types.Object) -> None:
        chosen = selected_vertices(built)
        if len(chosen) != 2:
            raise DepthKindError(f"{len(chosen)} vertices are selected; select exactly two.")
        self.first, self.second = chosen


class ScaleFromFloor(_OnMeasurable, bpy.types.Operator):
    """Scale by the height of the camera over the floor. In Edit Mode the selected vertices are the floor, else it is looked for in the lower
    third of the picture"""

    bl_idname = "depthbridge.scale_from_floor"
    bl_label = "Scale from Floor"

    camera_height: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Camera Height",
        description="How high the camera was above the floor, in metres: about 1.5 when held before the eyes",
        default=1.5,
        min=0.0,
        soft_min=0.1,
        soft_max=10.0,
        precision=3,
        subtype="DISTANCE",
    )
    pitch_deg: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Pitch",
        description="How far the camera looked down, in degrees: 0 is level, negative looks up",
        default=0.0,
        min=-89.0,
        max=89.0,
        options={"SKIP_SAVE"},
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if bpy.app.background or context.window is None:
            return self.execute(context)
        return context.window_manager.invoke_props_dialog(self, width=300, title="Scale from Floor", confirm_text="Scale")

    def draw(self, context: bpy.types.Context) -> None:
        layout: Any = self.layout
        layout.label(text="Height of the camera above the floor:")
        row = layout.row()
        row.activate_init = True
        row.prop(self, "camera_height")
        layout.prop(self, "pitch_deg", text="Pitch (degrees)")
        where = "the selected vertices" if context.mode == "EDIT_MESH" else "looked for in the lower third of the picture"
        layout.label(text=f"Floor: {where}")

    def execute(self, context: bpy.types.Context) -> set[str]:
        def work() -> str:
            built = require_built(context)
            floor = None
            if context.mode == "EDIT_MESH":
                floor = np.array(selected_vertices(built), dtype=np.int64)
                if len(floor) < 3:
                    raise DepthKindError(f"{len(floor)} vertices are selected; select the floor, or leave Edit Mode to have it looked for.")
            return _in_object_mode(context, lambda: scale_from_floor(built, self.camera_height, self.pitch_deg, floor))

        return attempt(self, work)


def _in_object_mode(context: bpy.types.Context, work: Any) -> str:
    """Do ``work`` in object mode, and stay there; back to edit mode when it fails."""
    editing = context.mode == "EDIT_MESH"
    if editing:
        bpy.ops.object.mode_set(mode="OBJECT")
    try:
        return str(work())
    except BaseException:
        if editing:
            bpy.ops.object.mode_set(mode="EDIT")
        raise


CLASSES: tuple[type, ...] = (ScaleFromPoints, ScaleFromFloor)
