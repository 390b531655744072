# SPDX-License-Identifier: GPL-3.0-or-later
"""The sliders' result made final: a real mesh, or a real PointCloud object."""

from __future__ import annotations

from typing import Any

import bpy

from .backfill import release_backfill
from .displace import DISPLACE_NAME
from .nodes.inputs import carrier_modifier, get_input, input_names, set_input
from .overrides import overridden
from .points import add_point_cloud
from .provenance import NotBuiltError, read_provenance
from .sequences.playing import hold


def apply_mesh(built: bpy.types.Object) -> bpy.types.Object:
    """Make ``built`` a mesh of what the sliders show, cut faces and all; attributes and UVs stay, and a layer behind it stays as it is.
    Raises :class:`~.provenance.NotBuiltError` when there is nothing to apply, and changes nothing then."""
    modifier = _modifier_of(built)
    if built.data.shape_keys is not None:
        raise NotBuiltError(f"{built.name} has shape keys, and no modifier can be applied to a mesh that has; remove them first.")
    if not _vertices_left(built, modifier):
        raise NotBuiltError(f"Nothing of {built.name} is left within the depth range and the sky's cut; widen them.")
    _release(built)
    if _has_points(modifier):
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
    if modifier is None or not _has_points(modifier):
        raise NotBuiltError(f"{built.name} has no points to apply; select a surface or points with their sliders (a relief has none).")
    as_points = get_input(modifier, "As Points")
    set_input(modifier, "As Points", True)
    try:
        with overridden([(modifier, "show_viewport", True)]):
            bpy.context.view_layer.update()
            cloud = add_point_cloud(built, bpy.context.scene, f"{built.name} points")
        hold(built)
    finally:
        set_input(modifier, "As Points", as_points)
    _release(built)
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


def _has_points(modifier: Any) -> bool:
    return modifier.type == "NODES" and "As Points" in input_names(modifier)


def _vertices_left(built: bpy.types.Object, modifier: Any) -> int:
    """How many vertices the mesh would have that ``modifier`` alone makes."""
    as_points = get_input(modifier, "As Points") if _has_points(modifier) else False
    try:
        if as_points:
            set_input(modifier, "As Points", False)
        with overridden([(each, "show_viewport", each == modifier) for each in built.modifiers]):
            bpy.context.view_layer.update()
            return len(built.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.vertices)
    finally:
        if as_points:
            set_input(modifier, "As Points", True)


def _release(built: bpy.types.Object) -> None:
    if carrier_modifier(built) is not None:
        release_backfill(built)


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
