# SPDX-License-Identifier: Apache-2.0
"""Renders the Cycles evaluation scenes of both lists, the old thirty and the sixty furnished places. Needs bpy.

    python -m depthbridge.models.training.cycles_render render --cache DIR                     (both lists, a quarter of an hour)
    python -m depthbridge.models.training.cycles_render freeze --cache DIR --list places       (before training, once)

Depth is exact: a second render of one sample in which every surface shines with its own View Z Depth. So glass has the depth of the
glass and a mirror that of its surface, as filled sensor data has it.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import numpy as np

from .cycles import frozen
from .cycles.building import build_place
from .cycles.description import CyclesPlace
from .cycles.drawing import draw_place
from .cycles.rendered import read_picture
from .cycles.silence import quiet
from .cycles_scenes import HEIGHT, WIDTH, CyclesScene, Paint, Thing, draw_scene
from .dataset import worth_seeing
from .frozen_lists import CYCLES_PLACES, CYCLES_SCENES, FrozenScene, freeze, read_frozen, write_frozen
from .shading import Picture

_SAMPLES = 24


def add_mesh(bpy: Any, thing: Thing) -> Any:
    """Adds a thing's mesh with its modifiers, sized and standing on its base."""
    add = bpy.ops.mesh
    if thing.kind in ("block", "bevelled"):
        add.primitive_cube_add()
    elif thing.kind in ("cone", "pyramid"):
        add.primitive_cone_add(vertices=48 if thing.kind == "cone" else 4)
    elif thing.kind == "torus":
        add.primitive_torus_add(minor_radius=0.3, major_segments=64, minor_segments=24)
    elif thing.kind == "monkey":
        add.primitive_monkey_add()
    elif thing.kind == "rock":
        add.primitive_ico_sphere_add(subdivisions=2)
    elif thing.kind == "ball":
        add.primitive_uv_sphere_add(segments=48, ring_count=24)
    else:
        add.primitive_cylinder_add(vertices=48, end_fill_type="NOTHING" if thing.kind == "tube" else "NGON")
    mesh = bpy.context.object
    if thing.kind in ("bevelled", "barrel"):
        bevel = mesh.modifiers.new("bevel", "BEVEL")
        bevel.width, bevel.segments = 0.2, 4
    if thing.kind == "monkey":
        mesh.modifiers.new("smooth", "SUBSURF").render_levels = 2
    if thing.kind == "tube":
        mesh.modifiers.new("thick", "SOLIDIFY").thickness = 0.15
    if thing.kind in ("ball", "torus", "monkey", "cone"):
        for polygon in mesh.data.polygons:
            polygon.use_smooth = True
    points = np.array([v.co for v in mesh.data.vertices])
    extent = points.max(0) - points.min(0)
    mesh.scale = [s / e for s, e in zip(thing.size, extent, strict=True)]
    mesh.rotation_euler = (0, 0, math.radians(thing.turn_deg))
    mesh.location = (thing.x, thing.y, thing.base - points[:, 2].min() * mesh.scale[2])
    mesh.data.materials.append(make_material(bpy, thing.paint))
    return mesh


def make_material(bpy: Any, paint: Paint) -> Any:
    """A principled material in object coordinates of world scale."""
    material = bpy.data.materials.new("paint")
    if material.node_tree is None:  # from 5.0 on there always is one
        material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    shader = nodes["Principled BSDF"]
    shader.inputs["Roughness"].default_value, shader.inputs["Metallic"].default_value = (
        paint.roughness,
        paint.metallic,
    )
    shader.inputs["Base Color"].default_value = (*paint.first, 1)
    kinds = {
        "noise": "ShaderNodeTexNoise",
        "voronoi": "ShaderNodeTexVoronoi",
        "wave": "ShaderNodeTexWave",
        "magic": "ShaderNodeTexMagic",
    }
    if paint.pattern in kinds:
        texture, ramp, place = (
            nodes.new(kinds[paint.pattern]),
            nodes.new("ShaderNodeValToRGB"),
            nodes.new("ShaderNodeNewGeometry"),
        )
        texture.inputs["Scale"].default_value = paint.scale
        ramp.color_ramp.elements[0].color, ramp.color_ramp.elements[1].color = (
            (*paint.first, 1),
            (*paint.second, 1),
        )
        ramp.color_ramp.elements[0].position, ramp.color_ramp.elements[1].position = 0.3, 0.7
        links.new(place.outputs["Position"], texture.inputs["Vector"])
        links.new(texture.outputs[0], ramp.inputs[0])
        links.new(ramp.outputs[0], shader.inputs["Base Color"])
    return material


def add_light(bpy: Any, scene: CyclesScene) -> None:
    """A physical sky with a sun out of doors; area lamps and a weak grey world indoors."""
    world = bpy.data.worlds.new("world")
    bpy.context.scene.world = world
    if world.node_tree is None:  # from 5.0 on there always is one
        world.use_nodes = True
    nodes, links = world.node_tree.nodes, world.node_tree.links
    background = nodes["Background"]
    background.inputs["Color"].default_value, background.inputs["Strength"].default_value = (
        (0.5, 0.55, 0.6, 1),
        0.35,
    )
    if not scene.lamps:
        sky = nodes.new("ShaderNodeTexSky")
        offered = [item.identifier for item in sky.bl_rna.properties["sky_type"].enum_items]
        sky.sky_type = next(
            kind for kind in ("NISHITA", "MULTIPLE_SCATTERING", "HOSEK_WILKIE") if kind in offered
        )
        sky.sun_elevation, sky.sun_rotation = (
            math.radians(scene.sun_elevation_deg),
            math.radians(scene.sun_turn_deg),
        )
        sky.sun_disc = False
        links.new(sky.outputs[0], background.inputs["Color"])
        background.inputs["Strength"].default_value = 0.15
        bpy.ops.object.light_add(type="SUN")
        bpy.context.object.data.energy = 2.5
        bpy.context.object.data.angle = 0.01
        bpy.context.object.rotation_euler = (
            math.radians(90 - scene.sun_elevation_deg),
            0,
            math.radians(scene.sun_turn_deg),
        )
    for place, watts, side in scene.lamps:
        bpy.ops.object.light_add(type="AREA", location=place)
        bpy.context.object.data.energy, bpy.context.object.data.size = watts, side


def build(bpy: Any, scene: CyclesScene) -> Any:
    """Builds a scene from nothing; returns Blender's scene."""
    from mathutils import Vector as BlenderVector

    bpy.ops.wm.read_factory_settings(use_empty=True)
    for thing in scene.things:
        add_mesh(bpy, thing)
    add_light(bpy, scene)
    bpy.ops.object.camera_add(location=scene.eye)
    camera = bpy.context.object
    aim = BlenderVector(scene.target) - BlenderVector(scene.eye)
    camera.rotation_euler = aim.to_track_quat("-Z", "Y").to_euler()
    camera.data.sensor_fit, camera.data.angle = "VERTICAL", math.radians(scene.fov_vertical_deg)
    camera.data.clip_end = 10_000
    blender = bpy.context.scene
    blender.camera = camera
    blender.render.engine = "CYCLES"
    blender.render.resolution_x, blender.render.resolution_y, blender.render.resolution_percentage = (
        WIDTH,
        HEIGHT,
        100,
    )
    blender.cycles.device, blender.cycles.seed = "CPU", scene.seed % 1000
    blender.view_settings.view_transform, blender.view_settings.exposure = (
        scene.view_transform,
        scene.exposure,
    )
    return blender


def override_with_depth(bpy: Any, blender: Any) -> None:
    """Turns the scene into its own depth: every surface shines with Camera Data's View Z Depth, the world is black."""
    material = bpy.data.materials.new("depth")
    if material.node_tree is None:  # from 5.0 on there always is one
        material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.clear()
    depth, shine, out = (
        nodes.new(n) for n in ("ShaderNodeCameraData", "ShaderNodeEmission", "ShaderNodeOutputMaterial")
    )
    links.new(depth.outputs["View Z Depth"], shine.inputs["Color"])
    links.new(shine.outputs[0], out.inputs["Surface"])
    blender.view_layers[0].material_override = material
    blender.world = None
    blender.cycles.samples, blender.cycles.max_bounces, blender.cycles.use_denoising = 1, 0, False
    blender.cycles.use_adaptive_sampling = False
    blender.cycles.pixel_filter_type, blender.cycles.filter_width = "BOX", 0.01
    blender.render.image_settings.file_format, blender.render.image_settings.color_depth = "OPEN_EXR", "32"


def render_built(bpy: Any, blender: Any, seed: int, cache: Path, colour: bool) -> None:
    """Writes `SEED.png` (if `colour`) and `SEED.npy`, (280, 504) float32 metres with 0 on sky, of what is built."""
    if colour:
        blender.render.image_settings.file_format = "PNG"
        blender.render.filepath = str(cache / f"{seed}.png")
        bpy.ops.render.render(write_still=True)
    override_with_depth(bpy, blender)
    exr = cache / f"{seed}.exr"
    blender.render.filepath = str(exr)
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(exr))
    pixels = np.empty(WIDTH * HEIGHT * 4, np.float32)
    image.pixels.foreach_get(pixels)
    exr.unlink()
    np.save(cache / f"{seed}.npy", pixels.reshape(HEIGHT, WIDTH, 4)[::-1, :, 0])


def render_scene(scene: CyclesScene, cache: Path, colour: bool = True) -> None:
    """Renders one of the old thirty into the cache."""
    import bpy

    with quiet():
        blender = build(bpy, scene)
        blender.cycles.samples, blender.cycles.use_denoising = _SAMPLES, scene.seed % 2 == 0
        render_built(bpy, blender, scene.seed, cache, colour)


def render_place(place: CyclesPlace, cache: Path, colour: bool = True) -> None:
    """Renders a furnished place into the cache."""
    import bpy

    with quiet():
        render_built(bpy, build_place(bpy, place), place.seed, cache, colour)


def freeze_scenes(cache: Path) -> list[FrozenScene]:
    """The first of the old thirty that are worth seeing; renders depth only."""

    def take(scene: CyclesScene) -> Picture:
        render_scene(scene, cache, colour=False)
        return read_picture(scene.seed, scene.focal_px, cache)

    return freeze(CYCLES_SCENES.first_seed, CYCLES_SCENES.count, draw_scene, take, worth_seeing)


def freeze_places(cache: Path) -> list[FrozenScene]:
    """The first furnished places that are worth seeing; renders depth only."""

    def take(place: CyclesPlace) -> Picture:
        render_place(place, cache, colour=False)
        return read_picture(place.seed, place.focal_px, cache)

    def wanted(picture: Picture) -> bool:
        return worth_seeing(picture) and frozen.sound(picture)

    return freeze(CYCLES_PLACES.first_seed, CYCLES_PLACES.count, draw_place, take, wanted)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=("freeze", "render"))
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--list", choices=("scenes", "places"), help="one list alone; freeze needs it")
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    if arguments.command == "freeze":
        if arguments.list is None:
            parser.error("freeze writes one list: name it with --list")
        if arguments.list == "scenes":
            write_frozen(freeze_scenes(arguments.cache), CYCLES_SCENES.path)
        else:
            write_frozen(freeze_places(arguments.cache), CYCLES_PLACES.path)
        return
    if arguments.list != "places":
        for entry in read_frozen(CYCLES_SCENES.path):
            render_scene(draw_scene(entry.seed), arguments.cache)
    if arguments.list != "scenes":
        for entry in read_frozen(CYCLES_PLACES.path):
            render_place(draw_place(entry.seed), arguments.cache)


if __name__ == "__main__":
    main()
