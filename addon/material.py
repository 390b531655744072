# SPDX-License-Identifier: GPL-3.0-or-later
"""The photo on the geometry, exactly: emission is not lit, so a render under the Standard view transform gives its bytes back."""

from __future__ import annotations

from typing import Any

import bpy

from .compat import new_node_material


def photo_material(photo: bpy.types.Image, name: str) -> bpy.types.Material:
    """Shows ``photo`` by the UV map: for meshes."""
    material = new_node_material(name)
    nodes: Any = material.node_tree.nodes
    texture = nodes.new("ShaderNodeTexImage")
    texture.image = photo
    texture.extension = "EXTEND"  # the outermost pixels would otherwise mix with the opposite border
    emit(material, texture.outputs["Color"])
    nodes.active = texture  # what the viewport's Solid mode shows under "Texture"
    return material


def color_material(name: str) -> bpy.types.Material:
    """Shows the attribute ``Color`` of each point."""
    material = new_node_material(name)
    attribute: Any = material.node_tree.nodes.new("ShaderNodeAttribute")
    attribute.attribute_name = "Color"
    emit(material, attribute.outputs["Color"])
    return material


def emit(material: bpy.types.Material, color: Any) -> None:
    """The socket ``color`` of the material's nodes as its surface: seen as it is, whatever the light."""
    tree: Any = material.node_tree
    emission = tree.nodes.new("ShaderNodeEmission")
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    tree.links.new(color, emission.inputs["Color"])
    tree.links.new(emission.outputs["Emission"], output.inputs["Surface"])
    emission.location, output.location = (300, 0), (500, 0)
    # A million small lamps would cost Cycles minutes of preparation; the photo is to be seen, not to light anything.
    cycles = getattr(material, "cycles", None)
    if cycles is not None and hasattr(cycles, "emission_sampling"):
        cycles.emission_sampling = "NONE"
