# SPDX-License-Identifier: GPL-3.0-or-later
"""What lets a photo play in step with its object's depth, and holds it still once the object's shape is made final."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy

from ..nodes.inputs import input_data_path

# An image user whose one frame lies in the distant past always shows its last, and its offset alone says which file that is.
_LONG_AGO = -1048574
_OFFSET = "image_user.frame_offset"


def follow(user: Any, built: bpy.types.Object, modifier: Any, count: int, first_number: int) -> None:
    """Let ``user``, a ``bpy.types.ImageUser``, show the picture of the moment: of ``count`` ones, numbered from ``first_number``, the first at
    the Start Frame of ``built``'s ``modifier``."""
    user.frame_start, user.frame_duration = _LONG_AGO, 1
    user.use_cyclic, user.use_auto_refresh = False, True
    # Nothing else about an image user can be driven.
    driver = user.driver_add("frame_offset").driver
    start = driver.variables.new()
    start.name = "start"
    start.targets[0].id = built
    start.targets[0].data_path = input_data_path(modifier, "Start Frame")
    # Simple enough for Blender to reckon without Python, which a file from elsewhere may not run.
    driver.expression = f"clamp(floor(frame - start), 0, {count - 1}) + {first_number - 1}"


def hold(built: bpy.types.Object) -> None:
    """Everything that plays in step with ``built`` shows the picture of this moment from now on. To be called while its modifier is there."""
    graph = bpy.context.evaluated_depsgraph_get()
    for owner, tree, path in list(_following(built)):
        now = owner.evaluated_get(graph)
        user, _, prop = path.rpartition(".")
        offset = (now.node_tree if tree is not owner else now).path_resolve(path)
        tree.driver_remove(path)
        setattr(tree.path_resolve(user), prop, offset)


def _following(built: bpy.types.Object) -> Iterator[tuple[Any, Any, str]]:
    """The data-block, what in it has the driver, and the driven path of each image user that follows ``built``."""
    owners = [(material, material.node_tree) for material in bpy.data.materials if material.node_tree is not None]
    owners += [(camera, camera) for camera in bpy.data.cameras]
    for owner, tree in owners:
        for curve in tree.animation_data.drivers if tree.animation_data is not None else ():
            targets = (target.id for variable in curve.driver.variables for target in variable.targets)
            if curve.data_path.endswith(_OFFSET) and built in targets:
                yield owner, tree, curve.data_path
