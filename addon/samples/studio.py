# SPDX-License-Identifier: GPL-3.0-or-later
"""What the rendered samples are furnished from: procedural materials, boxes, cylinders, walls and lamps, all in metres."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import bmesh
import bpy
from mathutils import Vector

from ..compat import new_node_material

Color = tuple[float, float, float]
"""Linear red, green, blue."""
Place = tuple[float, float, float]
"""World x, y, z in metres; also a size along each axis."""


def painted(name: str, color: Color, *, roughness: float = 0.5, grain: float = 0.12, scale: float = 6.0) -> bpy.types.Material:
    """A matt paint, linear RGB, whose brightness wanders by ``grain``: no real surface is of one colour."""
    material = new_node_material(name)
    tree: Any = material.node_tree
    noise = tree.nodes.new("ShaderNodeTexNoise")
    noise.inputs["Scale"].default_value = scale
    noise.inputs["Detail"].default_value = 4.0
    mix = _mixed(tree, _scaled(color, 1 - grain), _scaled(color, 1 + grain), noise.outputs[0])
    _surface(tree, mix, roughness)
    _object_coordinates(tree, noise)
    return material


def tiled(name: str, color: Color, gap: Color, *, size: float, offset: float = 0.0, roughness: float = 0.3) -> bpy.types.Material:
    """Tiles or planks of ``size`` metres with gaps, each of its own shade. ``offset`` shifts every second row."""
    material = new_node_material(name)
    tree: Any = material.node_tree
    brick = tree.nodes.new("ShaderNodeTexBrick")
    brick.offset = offset
    brick.inputs["Scale"].default_value = 1.0 / size
    brick.inputs["Brick Width"].default_value = 1.0 if offset == 0 else 4.0
    brick.inputs["Row Height"].default_value = 1.0
    brick.inputs["Mortar Size"].default_value = 0.02
    for socket, factor in (("Color1", 0.8), ("Color2", 1.15)):
        brick.inputs[socket].default_value = (*_scaled(color, factor), 1.0)
    brick.inputs["Mortar"].default_value = (*gap, 1.0)
    noise = tree.nodes.new("ShaderNodeTexNoise")
    noise.inputs["Scale"].default_value = 9.0
    noise.inputs["Detail"].default_value = 6.0
    stained = tree.nodes.new("ShaderNodeMix")
    stained.data_type, stained.blend_type = "RGBA", "SOFT_LIGHT"
    stained.inputs[0].default_value = 0.6
    tree.links.new(brick.outputs["Color"], stained.inputs[6])
    tree.links.new(noise.outputs[0], stained.inputs[7])
    _surface(tree, stained.outputs[2], roughness)
    _object_coordinates(tree, brick, noise)
    return material


def add_box(scene: bpy.types.Scene, size: Place, foot: Place, material: bpy.types.Material, name: str, *, turn: float = 0.0) -> bpy.types.Object:
    """A box that stands with the middle of its underside at ``foot``, turned about the vertical by ``turn`` radians."""
    x, y, z = size[0] / 2, size[1] / 2, size[2]
    corners = [(-x, -y, 0), (x, -y, 0), (x, y, 0), (-x, y, 0), (-x, -y, z), (x, -y, z), (x, y, z), (-x, y, z)]
    sides = [(0, 3, 2, 1), (4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7)]
    return _add(scene, corners, sides, foot, material, name, turn)


def add_cylinder(
    scene: bpy.types.Scene, radii: tuple[float, float], height: float, foot: Place, material: bpy.types.Material, name: str
) -> bpy.types.Object:
    """An upright cylinder, or cone frustum, with ``radii`` at the bottom and the top."""
    count = 48
    ring = [(math.cos(2 * math.pi * i / count), math.sin(2 * math.pi * i / count)) for i in range(count)]
    corners = [(x * radius, y * radius, z) for radius, z in zip(radii, (0.0, height), strict=True) for x, y in ring]
    sides: list[tuple[int, ...]] = [(i, (i + 1) % count, count + (i + 1) % count, count + i) for i in range(count)]
    sides += [tuple(reversed(range(count))), tuple(range(count, 2 * count))]
    return _add(scene, corners, sides, foot, material, name, 0.0)


def add_sphere(scene: bpy.types.Scene, radius: float, middle: Place, material: bpy.types.Material, name: str) -> bpy.types.Object:
    """A smooth ball."""
    mesh = bpy.data.meshes.new(name)
    shape = bmesh.new()
    bmesh.ops.create_uvsphere(shape, u_segments=48, v_segments=24, radius=radius)
    for face in shape.faces:
        face.smooth = True
    shape.to_mesh(mesh)
    shape.free()
    mesh.materials.append(material)
    placed = bpy.data.objects.new(name, mesh)
    placed.location = middle
    scene.collection.objects.link(placed)
    return placed


def add_quad(scene: bpy.types.Scene, corners: list[Place], material: bpy.types.Material, name: str) -> bpy.types.Object:
    """A rectangle through four corners that faces the side from which they run counter-clockwise."""
    return _add(scene, corners, [(0, 1, 2, 3)], (0.0, 0.0, 0.0), material, name, 0.0)


def _add(
    scene: bpy.types.Scene,
    corners: Sequence[Place],
    sides: Sequence[tuple[int, ...]],
    place: Place,
    material: bpy.types.Material,
    name: str,
    turn: float,
) -> bpy.types.Object:
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(corners, [], sides)
    mesh.materials.append(material)
    placed = bpy.data.objects.new(name, mesh)
    placed.location, placed.rotation_euler = place, (0.0, 0.0, turn)
    scene.collection.objects.link(placed)
    return placed


def add_area_light(scene: bpy.types.Scene, watts: float, size: float, place: Place, target: Place, color: Color) -> None:
    """A square lamp of ``size`` metres at ``place`` that shines at ``target``."""
    data: Any = bpy.data.lights.new("lamp", "AREA")
    data.energy, data.size, data.color = watts, size, color
    lamp = bpy.data.objects.new("lamp", data)
    lamp.location = place
    lamp.rotation_euler = (Vector(target) - Vector(place)).to_track_quat("-Z", "Y").to_euler()
    scene.collection.objects.link(lamp)


def set_sky_light(scene: bpy.types.Scene, color: Color, strength: float) -> None:
    """Even light from everywhere, which softens the shadows."""
    world: Any = scene.world
    if world.node_tree is None:
        world.use_nodes = True
    background = world.node_tree.nodes["Background"]
    background.inputs["Color"].default_value = (*color, 1.0)
    background.inputs["Strength"].default_value = strength


def _scaled(color: Color, factor: float) -> Color:
    red, green, blue = (min(1.0, channel * factor) for channel in color)
    return red, green, blue


def _mixed(tree: Any, first: Color, second: Color, factor: Any) -> Any:
    mix = tree.nodes.new("ShaderNodeMix")
    mix.data_type = "RGBA"
    mix.inputs[6].default_value, mix.inputs[7].default_value = (*first, 1.0), (*second, 1.0)
    tree.links.new(factor, mix.inputs[0])
    return mix.outputs[2]


def _surface(tree: Any, color: Any, roughness: float) -> None:
    shader, output = tree.nodes.new("ShaderNodeBsdfPrincipled"), tree.nodes.new("ShaderNodeOutputMaterial")
    shader.inputs["Roughness"].default_value = roughness
    tree.links.new(color, shader.inputs["Base Color"])
    tree.links.new(shader.outputs[0], output.inputs["Surface"])


def _object_coordinates(tree: Any, *textures: Any) -> None:
    """Measure textures in metres of the object, not in parts of its bounding box."""
    coordinates = tree.nodes.new("ShaderNodeTexCoord")
    for texture in textures:
        tree.links.new(coordinates.outputs["Object"], texture.inputs["Vector"])
