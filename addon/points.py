# SPDX-License-Identifier: GPL-3.0-or-later
"""Points as a real PointCloud object, in one way that works from Blender 4.2 to 5.2.

Python could not size a point cloud before 5.1. So a point cloud starts empty, takes what another object evaluates to through a temporary
Geometry Nodes modifier, and the modifier is applied: all attributes come along.
"""

from __future__ import annotations

from typing import Any

import bpy

from .nodes.graph import Graph
from .provenance import NotBuiltError


def add_point_cloud(source: bpy.types.Object, scene: bpy.types.Scene, name: str) -> bpy.types.Object:
    """A PointCloud object, not yet linked, with the points that ``source`` (an object of the scene) evaluates to, in its own space, and
    every attribute they have. Raises :class:`~.provenance.NotBuiltError` when those are no points, and leaves nothing behind then."""
    cloud = bpy.data.objects.new(name, bpy.data.pointclouds.new(name))
    group = _evaluated_geometry(source)
    try:
        scene.collection.objects.link(cloud)
        modifier: Any = cloud.modifiers.new("points", "NODES")
        modifier.node_group = group
        with bpy.context.temp_override(
            scene=scene, object=cloud, active_object=cloud, selected_objects=[cloud], selected_editable_objects=[cloud]
        ):
            bpy.ops.object.modifier_apply(modifier=modifier.name)
    except RuntimeError as error:
        bpy.data.pointclouds.remove(cloud.data)  # and the object with it
        reason = " ".join(str(error).replace("Error:", "").split())
        raise NotBuiltError(f"{source.name} shows no points ({reason}); hide or remove the modifiers below Depthbridge's.") from error
    finally:
        bpy.data.node_groups.remove(group)
    scene.collection.objects.unlink(cloud)
    return cloud


def _evaluated_geometry(source: bpy.types.Object) -> Any:
    """Nodes that replace the geometry by what ``source`` evaluates to."""
    graph = Graph("points of another object")
    graph.input("Geometry", "Geometry")
    graph.output("Geometry", "Geometry")
    evaluated = graph.node("GeometryNodeObjectInfo", {"Object": source}, transform_space="ORIGINAL")
    return graph.finish(Geometry=evaluated.outputs["Geometry"])
