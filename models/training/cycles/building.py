# SPDX-License-Identifier: Apache-2.0
"""Builds Cycles places in Blender: meshes with modifiers, node materials, light, camera. Takes `bpy`, imports none."""

from __future__ import annotations

import math
from typing import Any

from ..cycles_scenes import HEIGHT, WIDTH
from .description import Coat, CyclesPlace, Piece, Weather
from .meshes import ROUND, mesh_of


def _pattern(nodes: Any, links: Any, coat: Coat, vector: Any) -> Any:
    """The socket of a pattern's share of the second colour."""

    def texture(kind: str, scale: float, **values: float) -> Any:
        node = nodes.new(kind)
        node.inputs["Scale"].default_value = scale
        for name, value in values.items():
            node.inputs[name.replace("_", " ")].default_value = value
        links.new(vector, node.inputs["Vector"])
        return node

    if coat.pattern in ("bricks", "boards"):
        wide = 1.0 if coat.pattern == "bricks" else 2.2
        node = texture(
            "ShaderNodeTexBrick", coat.scale, Mortar_Size=0.02 if coat.pattern == "bricks" else 0.006, Brick_Width=wide, Row_Height=0.35
        )
        node.inputs["Color1"].default_value, node.inputs["Color2"].default_value = (0, 0, 0, 1), (0.6, 0.6, 0.6, 1)
        node.inputs["Mortar"].default_value = (1, 1, 1, 1)
        return node.outputs["Color"]
    if coat.pattern == "checks":
        return texture("ShaderNodeTexChecker", coat.scale).outputs[1]
    if coat.pattern == "shards":
        return texture("ShaderNodeTexVoronoi", coat.scale).outputs["Color"]
    if coat.pattern == "specks":
        return texture("ShaderNodeTexNoise", coat.scale, Detail=6.0, Roughness=0.75).outputs[0]
    if coat.pattern == "grain":
        return texture("ShaderNodeTexWave", coat.scale, Distortion=7.0, Detail=3.0, Detail_Scale=0.6).outputs[1]
    if coat.pattern == "stripes":
        return texture("ShaderNodeTexWave", coat.scale).outputs[1]
    if coat.pattern == "painting":
        return texture("ShaderNodeTexNoise", coat.scale, Detail=2.0, Distortion=3.0).outputs["Color"]
    first, second = texture("ShaderNodeTexWave", coat.scale), texture("ShaderNodeTexWave", coat.scale)
    first.bands_direction, second.bands_direction = "X", "Y"
    product = nodes.new("ShaderNodeMath")
    product.operation = "MULTIPLY"
    links.new(first.outputs[1], product.inputs[0])
    links.new(second.outputs[1], product.inputs[1])
    return product.outputs[0]


def _flattened(nodes: Any, links: Any, thin: int | None) -> Any:
    """Object coordinates with the thinnest axis last: the patterns of bricks and checks lie in the first two."""
    place, split, join = nodes.new("ShaderNodeTexCoord"), nodes.new("ShaderNodeSeparateXYZ"), nodes.new("ShaderNodeCombineXYZ")
    links.new(place.outputs["Object"], split.inputs[0])
    order = [axis for axis in (0, 1, 2) if axis != thin] + ([] if thin is None else [thin])
    for to, axis in enumerate(order):
        links.new(split.outputs[axis], join.inputs[to])
    shift = nodes.new("ShaderNodeVectorMath")
    shift.inputs[1].default_value = (0.013, 0.017, 0.011)  # checks and bricks change colour off the faces of round sizes
    links.new(join.outputs[0], shift.inputs[0])
    return shift.outputs[0]


def make_material(bpy: Any, coat: Coat, thin: int | None) -> Any:
    """A principled material; what is clear lets light straight through, as thin panes do."""
    material = bpy.data.materials.new("coat")
    if material.node_tree is None:  # from 5.0 on there always is one
        material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    shader = nodes["Principled BSDF"]
    shader.inputs["Roughness"].default_value, shader.inputs["Metallic"].default_value = coat.roughness, coat.metallic
    shader.inputs["Base Color"].default_value = (*coat.first, 1)
    shader.inputs["Alpha"].default_value = 1 - coat.clear
    if coat.glow:
        shader.inputs["Emission Color"].default_value = (*coat.first, 1)
        shader.inputs["Emission Strength"].default_value = coat.glow
    if coat.pattern == "plain":
        return material
    share = _pattern(nodes, links, coat, _flattened(nodes, links, thin))
    if coat.pattern == "painting":
        links.new(share, shader.inputs["Base Color"])
        return material
    ramp = nodes.new("ShaderNodeValToRGB")
    ramp.color_ramp.elements[0].color, ramp.color_ramp.elements[1].color = (*coat.first, 1), (*coat.second, 1)
    if coat.pattern == "specks":
        ramp.color_ramp.elements[0].position, ramp.color_ramp.elements[1].position = 0.38, 0.64
    if coat.pattern == "stripes":
        ramp.color_ramp.interpolation = "CONSTANT"
        ramp.color_ramp.elements[1].position = 0.5
    links.new(share, ramp.inputs[0])
    links.new(ramp.outputs[0], shader.inputs["Base Color"])
    return material


def add_piece(bpy: Any, piece: Piece, materials: dict[tuple[Coat, int | None], Any]) -> None:
    """A mesh object with its modifiers; equal coats share a material."""
    made = mesh_of(piece)
    mesh = bpy.data.meshes.new(piece.shape)
    mesh.from_pydata(made.points.tolist(), [], made.faces)
    if piece.shape in ROUND:
        mesh.polygons.foreach_set("use_smooth", [True] * len(mesh.polygons))
    mesh.update()
    shape = bpy.data.objects.new(piece.shape, mesh)
    bpy.context.scene.collection.objects.link(shape)
    if piece.shape == "block" and piece.detail[0] > 0:
        bevel = shape.modifiers.new("bevel", "BEVEL")
        bevel.width, bevel.segments = piece.detail[0], 2
    if piece.shape in ("drape", "curtain"):
        shape.modifiers.new("thick", "SOLIDIFY").thickness = 0.004
    if piece.copies > 1:
        array = shape.modifiers.new("row", "ARRAY")
        array.use_relative_offset, array.use_constant_offset, array.count = False, True, piece.copies
        array.constant_offset_displace = piece.step
    shape.location = piece.place
    shape.rotation_euler = (math.radians(piece.tilt_deg), 0, math.radians(piece.turn_deg))
    order = sorted((0, 1, 2), key=lambda axis: piece.size[axis])
    thin = order[0] if piece.shape == "block" and piece.size[order[0]] < 0.4 * piece.size[order[1]] else None
    key = (piece.coat, thin)
    if key not in materials:
        materials[key] = make_material(bpy, *key)
    mesh.materials.append(materials[key])


def add_weather(bpy: Any, weather: Weather) -> None:
    """Grey light from all around, or a blue sky with a sun."""
    from mathutils import Vector

    world = bpy.data.worlds.new("world")
    bpy.context.scene.world = world
    if world.node_tree is None:  # from 5.0 on there always is one
        world.use_nodes = True
    nodes, links = world.node_tree.nodes, world.node_tree.links
    background = nodes["Background"]
    background.inputs["Color"].default_value, background.inputs["Strength"].default_value = (*weather.grey, 1), weather.level
    if not weather.sun_strength:
        return
    up, turn = math.radians(weather.sun_elevation_deg), math.radians(weather.sun_turn_deg)
    towards = Vector((math.cos(up) * math.sin(turn), math.cos(up) * math.cos(turn), math.sin(up)))
    sky = nodes.new("ShaderNodeTexSky")
    sky.sky_type, sky.turbidity, sky.ground_albedo = "HOSEK_WILKIE", 3.0, 0.3
    sky.sun_direction = towards
    links.new(sky.outputs[0], background.inputs["Color"])
    sun = bpy.data.lights.new("sun", "SUN")
    sun.energy, sun.angle = weather.sun_strength, 0.01
    lamp = bpy.data.objects.new("sun", sun)
    lamp.rotation_euler = (-towards).to_track_quat("-Z", "Y").to_euler()
    bpy.context.scene.collection.objects.link(lamp)


def build_place(bpy: Any, place: CyclesPlace) -> Any:
    """Builds a place from nothing; returns Blender's scene with its colour settings."""
    from mathutils import Vector

    bpy.ops.wm.read_factory_settings(use_empty=True)
    blender = bpy.context.scene
    materials: dict[tuple[Coat, int | None], Any] = {}
    for piece in place.pieces:
        add_piece(bpy, piece, materials)
    for panel in place.panels:
        area = bpy.data.lights.new("panel", "AREA")
        area.energy, area.size, area.color = panel.watts, panel.side, panel.colour
        lamp = bpy.data.objects.new("panel", area)
        lamp.location = panel.place
        lamp.rotation_euler = (Vector(panel.target) - Vector(panel.place)).to_track_quat("-Z", "Y").to_euler()
        blender.collection.objects.link(lamp)
    add_weather(bpy, place.weather)
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.location = place.eye
    camera.rotation_euler = (Vector(place.target) - Vector(place.eye)).to_track_quat("-Z", "Y").to_euler()
    camera.data.sensor_fit, camera.data.angle = "VERTICAL", math.radians(place.fov_vertical_deg)
    camera.data.clip_start, camera.data.clip_end = 0.02, 10_000
    blender.collection.objects.link(camera)
    blender.camera, blender.render.engine = camera, "CYCLES"
    blender.render.resolution_x, blender.render.resolution_y, blender.render.resolution_percentage = WIDTH, HEIGHT, 100
    blender.cycles.device, blender.cycles.seed = "CPU", place.seed % 1000
    blender.cycles.samples, blender.cycles.use_denoising = place.samples, place.denoised
    blender.view_settings.view_transform, blender.view_settings.exposure = place.view_transform, place.exposure
    return blender
