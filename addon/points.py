# SPDX-License-Identifier: GPL-3.0-or-later
"""A vertex mesh as a real PointCloud object, in one way that works from Blender 4.2 to 5.2.

Python could not size a point cloud before 5.1. So a point cloud starts empty, takes the vertices through a temporary Geometry
Nodes modifier, and the modifier is applied: all attributes come along.
"""

from __future__ import annotations

from typing import Any

import bpy


def add_point_cloud(vertices: bpy.types.Mesh, scene: bpy.types.Scene, name: str) -> bpy.types.Object:
    """A PointCloud object, not yet linked, with every point attribute of ``vertices``, which is used up.

    The float attribute ``radius`` of ``vertices``, in scene units, sets the size of the points.
    """
    carrier = bpy.data.objects.new(f"{name} carrier", vertices)
    cloud = bpy.data.objects.new(name, bpy.data.pointclouds.new(name))
    group = _points_group(carrier)
    try:
        scene.collection.objects.link(carrier)
        scene.collection.objects.link(cloud)
        modifier: Any = cloud.modifiers.new("points", "NODES")
        modifier.node_group = group
        with bpy.context.temp_override(
            scene=scene, object=cloud, active_object=cloud, selected_objects=[cloud], selected_editable_objects=[cloud]
        ):
            bpy.ops.object.modifier_apply(modifier=modifier.name)
    finally:
        bpy.data.objects.remove(carrier)
        bpy.data.meshes.remove(vertices)
        bpy.data.node_groups.remove(group)
    scene.collection.objects.unlink(cloud)
    return cloud


def _points_group(carrier: bpy.types.Object) -> Any:
    """Nodes that replace the geometry by the carrier's vertices as points."""
    group: Any = bpy.data.node_groups.new("points from vertices", "GeometryNodeTree")
    group.interface.new_socket("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
    group.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")
    source = group.nodes.new("GeometryNodeObjectInfo")
    source.inputs["Object"].default_value = carrier
    radius = group.nodes.new("GeometryNodeInputNamedAttribute")
    radius.data_type = "FLOAT"
    radius.inputs["Name"].default_value = "radius"
    to_points = group.nodes.new("GeometryNodeMeshToPoints")
    output = group.nodes.new("NodeGroupOutput")
    group.links.new(source.outputs["Geometry"], to_points.inputs["Mesh"])
    group.links.new(radius.outputs["Attribute"], to_points.inputs["Radius"])
    group.links.new(to_points.outputs[0], output.inputs["Geometry"])
    return group
