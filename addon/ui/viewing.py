# SPDX-License-Identifier: GPL-3.0-or-later
"""After a build, the 3D View in which it was asked for shows it: in the photo's colours, from a little beside the place of the camera."""

from __future__ import annotations

import json
import math
from typing import Any

import bpy
from mathutils import Quaternion, Vector

from ...engines.camera import CameraIntrinsics
from ..options import BuildAs
from ..prepare import RELIEF_SIDE
from .work import Added

# Turned this much to the side and upwards, the depth can be seen; from the camera's own place it looks like the photo.
_ASIDE, _UP = math.radians(14), math.radians(7)
_ROOM = 1.15
_VIEW_SENSOR_MM = 36.0


def show(context: bpy.types.Context, built: Added) -> None:
    """Nothing where there is no 3D View, and a view through a camera stays one."""
    space = context.space_data
    if not isinstance(space, bpy.types.SpaceView3D):
        return
    if space.shading.type in ("SOLID", "WIREFRAME"):
        # Solid knows no colours of points, and shades those of a photo.
        space.shading.type = "MATERIAL"
    view: Any = space.region_3d
    if view is None or view.view_perspective == "CAMERA":
        return
    context.view_layer.update()
    place = built.camera.matrix_world
    distance, target = _framed(built, space.lens)
    view.view_perspective = "PERSP"
    view.view_rotation = Quaternion((0, 0, 1), _ASIDE) @ place.to_quaternion() @ Quaternion((1, 0, 0), -_UP)
    view.view_location = target
    view.view_distance = distance * place.to_scale().x
    space.clip_end = max(space.clip_end, 4 * view.view_distance)


def _framed(built: Added, lens_mm: float) -> tuple[float, Vector]:
    """How far from its middle the view has to be to see all of the photo, and that middle in the world."""
    reach = _VIEW_SENSOR_MM / 2 / lens_mm
    if built.object["depthbridge_as"] == BuildAs.RELIEF:
        return RELIEF_SIDE / 2 / reach * _ROOM, built.object.matrix_world.translation.copy()
    camera = CameraIntrinsics.from_json(json.loads(built.camera["depthbridge_camera"]))
    median = float(built.object["depthbridge_median_depth"])
    half = max(camera.width / camera.fx, camera.height / camera.fy) / 2
    return median * max(1.0, half / reach) * _ROOM, built.camera.matrix_world @ Vector((0, 0, -median))
