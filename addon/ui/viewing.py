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
_ROOM = 0.9
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
    window, covered = _regions(context)
    half_width, half_height, middle = _extent(built)
    reach = _VIEW_SENSOR_MM / 2 / space.lens / max(window.width, window.height)
    free = max(0.3 * window.width, window.width - covered)
    distance = _ROOM * max(half_width / (reach * free), half_height / (reach * window.height))
    view.view_perspective = "PERSP"
    view.view_rotation = Quaternion((0, 0, 1), _ASIDE) @ place.to_quaternion() @ Quaternion((1, 0, 0), -_UP)
    aside = Vector((covered * reach * distance, 0, 0))
    view.view_location = middle + view.view_rotation @ aside
    view.view_distance = distance
    space.clip_end = max(space.clip_end, 4 * distance)


def _regions(context: bpy.types.Context) -> tuple[bpy.types.Region, int]:
    """The region that shows the scene, and how many pixels at its right the sidebar lies upon."""
    regions = {region.type: region for region in context.area.regions}
    overlap = context.preferences.system.use_region_overlap
    return regions["WINDOW"], regions["UI"].width if overlap and "UI" in regions else 0


def _extent(built: Added) -> tuple[float, float, Vector]:
    """Half the width and height of the photo where most of its depth lies, and its middle there; in the world."""
    camera = CameraIntrinsics.from_json(json.loads(built.camera["depthbridge_camera"]))
    width, height = camera.width / camera.fx / 2, camera.height / camera.fy / 2
    scale = built.object.matrix_world.to_scale().x
    if built.object["depthbridge_as"] == BuildAs.RELIEF:
        unit = RELIEF_SIDE / 2 / max(width, height) * scale
        return width * unit, height * unit, built.object.matrix_world.translation.copy()
    median = float(built.object["depthbridge_median_depth"])
    return width * median * scale, height * median * scale, built.camera.matrix_world @ Vector((0, 0, -median))
