# SPDX-License-Identifier: GPL-3.0-or-later
"""What one does with a built object: look through its camera, build it again, make it final."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from typing import Any, ClassVar

import bpy

from ...engines.errors import DepthbridgeError
from ..apply import apply_mesh, apply_points
from ..backfill import backfill_of, rebuild_backfill, surface_of
from ..build import matched_camera
from ..camera import match_render
from ..displace import DISPLACE_NAME
from ..jobs.worker import unexpected
from ..nodes.inputs import carrier_modifier, input_names
from ..options import BuildOptions
from ..provenance import NotBuiltError, is_built, read_provenance
from ..rebuild import options_of, prepare_again, rebuild
from .requests import build_options
from .settings import settings_of
from .work import select_alone

_NOTHING = "Select an object that Depthbridge built"


def built_object(context: bpy.types.Context) -> bpy.types.Object | None:
    """The active object when Depthbridge built it; of a layer behind edges the object it belongs to."""
    item = surface_of(context.active_object)
    return item if is_built(item) else None


def require_built(context: bpy.types.Context) -> bpy.types.Object:
    """:func:`built_object`. Raises :class:`NotBuiltError` when there is none."""
    built = built_object(context)
    if built is None:
        raise NotBuiltError(f"{_NOTHING}.")
    return built


def is_playing(built: bpy.types.Object) -> bool:
    """Whether the object plays a sequence, whose frames are files."""
    return "depthbridge_sequence" in built


def attempt(operator: bpy.types.Operator, work: Callable[[], str]) -> set[str]:
    """Do ``work`` and report the sentence it returns, or the one it fails with; a traceback goes to the console alone."""
    try:
        done = work()
    except DepthbridgeError as error:
        operator.report({"ERROR"}, str(error))
        return {"CANCELLED"}
    except Exception as error:
        print(traceback.format_exc(), file=sys.stderr)
        operator.report({"ERROR"}, str(unexpected(error)))
        return {"CANCELLED"}
    operator.report({"INFO"}, done)
    return {"FINISHED"}


class OnBuilt:
    """Operators on the active built object, in object mode."""

    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}
    changes_object: ClassVar[bool] = True

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        built = built_object(context)
        why = _why_not(context) or (cls.changes_object and why_not_ours(built)) or cls.why_not(built)
        if why:
            cls.poll_message_set(why)  # type: ignore[attr-defined]
        return not why

    @classmethod
    def why_not(cls, built: Any) -> str:
        """Why this operator cannot work on ``built``; empty when it can."""
        return ""


def why_not_ours(built: Any) -> str:
    """Why this file may not change an object; empty when it may. What is linked belongs to another file, and an override keeps its shape."""
    if built is None or (built.library is None and built.override_library is None):
        return ""
    return "It is linked from another file; make it local first (Object > Relations > Make Local)"


def _why_not(context: bpy.types.Context) -> str:
    if built_object(context) is None:
        return _NOTHING
    return "" if context.mode == "OBJECT" else "Leave Edit Mode first"


class LookThrough(OnBuilt, bpy.types.Operator):
    """Look through the camera that took the photo: it becomes the scene's camera, and the render gets the photo's size"""

    bl_idname = "depthbridge.look_through"
    bl_label = "Look Through Camera"
    changes_object = False

    @classmethod
    def why_not(cls, built: Any) -> str:
        return "" if matched_camera(built) is not None else "Its camera was deleted"

    def execute(self, context: bpy.types.Context) -> set[str]:
        def work() -> str:
            built = require_built(context)
            camera = matched_camera(built)
            if camera is None:
                raise NotBuiltError(f"The camera of {built.name} was deleted; undo that, or build again.")
            match_render(context.scene, camera, read_provenance(built).camera)
            for space in _views(context):
                space.use_local_camera = False
                space.region_3d.view_perspective = "CAMERA"
            render = context.scene.render
            return f"Looking through {camera.name}; renders have {render.resolution_x} x {render.resolution_y} pixels."

        return attempt(self, work)


class Rebuild(OnBuilt, bpy.types.Operator):
    """Build the object again from its stored depth, as the panels Build As and Detail say now: no model runs. Its place, name, materials and
    sliders stay"""

    bl_idname = "depthbridge.rebuild"
    bl_label = "Rebuild"

    @classmethod
    def why_not(cls, built: Any) -> str:
        if is_playing(built):
            return "An object that plays cannot be built again; build it from its pictures"
        return "" if built.type == "MESH" else "A point cloud cannot be built again; undo its Apply"

    def execute(self, context: bpy.types.Context) -> set[str]:
        def work() -> str:
            built = require_built(context)
            prepared = prepare_again(built, _asked(settings_of(context), built))
            rebuild(built, prepared)
            if backfill_of(built) is not None:
                rebuild_backfill(built, prepared)
            return f"Rebuilt {built.name}: {len(built.data.vertices):,} vertices."

        return attempt(self, work)


def _asked(settings: Any, built: bpy.types.Object) -> BuildOptions:
    """What the panels ask for, and the sliders as they are: those were set for this object."""
    asked = build_options(settings)
    changes: dict[str, Any] = {
        "as_": asked.as_, "stride": asked.stride, "max_vertices": asked.max_vertices, "sky": asked.sky, "displace": asked.displace
    }  # fmt: skip
    modifier = carrier_modifier(built)
    if modifier is None:
        # Final already, or under a Displace modifier: there are no sliders to keep.
        changes |= {"tear": asked.tear, "nearest": asked.nearest, "farthest": asked.farthest, "radius": asked.radius}
    if modifier is None or "Strength" not in input_names(modifier):
        changes["strength"] = asked.strength
    return options_of(built, **changes)


class ApplyMesh(OnBuilt, bpy.types.Operator):
    """Make it a plain mesh of what is seen now, cut faces gone. The sliders go; Rebuild brings them back"""

    bl_idname = "depthbridge.apply_mesh"
    bl_label = "Apply to Mesh"

    @classmethod
    def why_not(cls, built: Any) -> str:
        live = carrier_modifier(built) is not None or built.modifiers.get(DISPLACE_NAME) is not None
        return "" if live else "It is final already"

    def execute(self, context: bpy.types.Context) -> set[str]:
        def work() -> str:
            built = require_built(context)
            apply_mesh(built)
            return f"{built.name} is a mesh of {len(built.data.vertices):,} vertices and {len(built.data.polygons):,} faces."

        return attempt(self, work)


class ApplyPoints(OnBuilt, bpy.types.Operator):
    """Make it a Point Cloud object of what the sliders let through, with every attribute. The sliders go, and cannot be brought back"""

    bl_idname = "depthbridge.apply_points"
    bl_label = "Apply to Point Cloud"

    @classmethod
    def why_not(cls, built: Any) -> str:
        modifier = carrier_modifier(built)
        if modifier is None:
            return "It is final already"
        return "" if "As Points" in input_names(modifier) else "A relief has no points; rebuild it as points first"

    def execute(self, context: bpy.types.Context) -> set[str]:
        def work() -> str:
            built = require_built(context)
            cloud = apply_points(built)
            context.view_layer.update()  # which still lists what was removed
            select_alone(context, cloud)
            return f"{cloud.name} is a point cloud of {len(cloud.data.points):,} points."

        return attempt(self, work)


def _views(context: bpy.types.Context) -> list[Any]:
    """The 3D View in which the operator was called, else all of this window's."""
    if isinstance(context.space_data, bpy.types.SpaceView3D):
        return [context.space_data]
    areas = context.screen.areas if context.screen is not None else ()
    return [area.spaces.active for area in areas if area.type == "VIEW_3D"]


CLASSES: tuple[type, ...] = (LookThrough, Rebuild, ApplyMesh, ApplyPoints)
