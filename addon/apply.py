# SPDX-License-Identifier: GPL-3.0-or-later
"""The sliders' result made final: a real mesh, or a real PointCloud object."""

from __future__ import annotations

from typing import Any

import bpy

from .displace import DISPLACE_NAME
from .nodes.inputs import carrier_modifier, get_input, input_names, set_input
from .points import add_point_cloud
from .provenance import NotBuiltError, read_provenance
from .sequences.playing import hold


def apply_mesh(built: bpy.types.Object) -> bpy.types.Object:
    """Make ``built`` a mesh of what the sliders show, cut faces and all; attributes and UVs stay. Raises
    :class:`~.provenance.NotBuiltError` when there is nothing to apply."""
    modifier = _modifier_of(built)
    if "As Points" in input_names(modifier) if modifier.type == "NODES" else False:
        set_input(modifier, "As Points", False)
    if built.data.users > 1:
        built.data = built.data.copy()  # a modifier cannot be applied to a mesh that others use
    hold(built)
    with bpy.context.temp_override(
        object=built, active_object=built, selected_objects=[built], selected_editable_objects=[built]
    ):
        bpy.ops.object.modifier_apply(modifier=modifier.name)
    return built


def apply_points(built: bpy.types.Object) -> bpy.types.Object:
    """A PointCloud object of what the sliders let through, in the place of ``built``: its name, place, parent, children, collections and
    memory. Raises :class:`~.provenance.NotBuiltError` for a relief and for what has no sliders any more."""
    read_provenance(built)
    modifier = carrier_modifier(built)
    if modifier is None or "As Points" not in input_names(modifier):
        raise NotBuiltError(f"{built.name} has no points to apply; select a surface or points with their sliders (a relief has none).")
    as_points = get_input(modifier, "As Points")
    set_input(modifier, "As Points", True)
    bpy.context.view_layer.update()
    try:
        cloud = add_point_cloud(built, bpy.context.scene, f"{built.name} points")
        hold(built)
    finally:
        set_input(modifier, "As Points", as_points)
    if not len(cloud.data.materials):
        cloud.data.materials.append(get_input(modifier, "Point Material"))
    _take_place(cloud, built)
    return cloud


def _modifier_of(built: bpy.types.Object) -> Any:
    read_provenance(built)
    modifier = carrier_modifier(built) or built.modifiers.get(DISPLACE_NAME)
    if modifier is None or built.type != "MESH":
        raise NotBuiltError(f"{built.name} has nothing to apply: it is final already.")
    return modifier


def _take_place(cloud: bpy.types.Object, built: bpy.types.Object) -> None:
    """Everything that pointed at ``built`` points at ``cloud``, and ``built`` goes."""
    cloud.parent, cloud.parent_type = built.parent, built.parent_type
    cloud.matrix_parent_inverse = built.matrix_parent_inverse
    cloud.matrix_basis = built.matrix_basis
    for key in list(built.keys()):
        cloud[key] = built[key]
    for collection in built.users_collection:
        collection.objects.link(cloud)
    for child in list(built.children):
        inverse = child.matrix_parent_inverse.copy()
        child.parent = cloud
        child.matrix_parent_inverse = inverse
    name, mesh = built.name, built.data
    bpy.data.objects.remove(built)
    if mesh.users == 0:
        bpy.data.meshes.remove(mesh)
    cloud.name = cloud.data.name = name
