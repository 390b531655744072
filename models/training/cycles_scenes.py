# SPDX-License-Identifier: Apache-2.0
"""Thirty evaluation scenes from another world: Blender's meshes, materials and lights, rendered by Cycles.

    python -m depthbridge.models.training.cycles_scenes render --cache DIR      (needs bpy; a few minutes)
    python -m depthbridge.models.training.cycles_scenes freeze --cache DIR      (before training, once)

Nothing here is seen in training. Only this module touches bpy, and only inside `render_scene`; the scene descriptions and
the reading of rendered pictures do without. Blender's frame: z up, metres; cameras look at a target.
"""

from __future__ import annotations

import argparse
import colorsys
import contextlib
import hashlib
import json
import math
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .dataset import FROZEN_FOLDER, FrozenScene, FrozenSceneChanged, fingerprint, read_frozen, same_fingerprint, worth_seeing, write_frozen
from .scenes import Dice, Vector, rounded
from .shading import Picture

CYCLES_LIST = FROZEN_FOLDER / "cycles_scenes.json"
FIRST_SEED = 20_000_000
SCENE_COUNT = 30
WIDTH, HEIGHT = 504, 280
_SAMPLES = 24

KINDS = ("bevelled", "cone", "torus", "monkey", "rock", "ball", "barrel", "pyramid", "tube")
PATTERNS = ("plain", "noise", "voronoi", "wave", "magic")


@dataclass(frozen=True)
class Paint:
    """A principled material: its pattern mixes two linear colours."""

    pattern: str
    first: Vector
    second: Vector
    scale: float
    roughness: float
    metallic: float


@dataclass(frozen=True)
class Thing:
    """A mesh of a kind, `size` metres across in x, y, z, turned about z, its lowest point at `base` above (x, y)."""

    kind: str
    x: float
    y: float
    base: float
    size: Vector
    turn_deg: float
    paint: Paint


@dataclass(frozen=True)
class CyclesScene:
    seed: int
    setting: str
    eye: Vector
    target: Vector
    fov_vertical_deg: float
    things: tuple[Thing, ...]
    sun_elevation_deg: float
    sun_turn_deg: float
    lamps: tuple[tuple[Vector, float, float], ...]
    """Area lights: place, watts, side in metres."""
    view_transform: str
    exposure: float

    @property
    def focal_px(self) -> float:
        return HEIGHT / 2 / math.tan(math.radians(self.fov_vertical_deg) / 2)


def scene_hash(scene: CyclesScene) -> str:
    """SHA-256 of the scene's exact JSON."""
    return hashlib.sha256(json.dumps(asdict(scene), sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def draw_paint(dice: Dice) -> Paint:
    hue, saturation, value = dice.uniform(0, 1), dice.uniform(0, 0.9), dice.uniform(0.15, 0.9)
    first = colorsys.hsv_to_rgb(hue, saturation, value)
    second = colorsys.hsv_to_rgb((hue + dice.uniform(0, 0.15)) % 1, saturation * dice.uniform(0.3, 1), value * dice.uniform(0.3, 1))
    return Paint(
        dice.pick(PATTERNS, (4, 2, 1.5, 1.5, 0.5)),
        rounded(*(c**2.2 for c in first)),
        rounded(*(c**2.2 for c in second)),
        dice.log_uniform(2, 25),
        dice.uniform(0.1, 0.95),
        dice.pick((0.0, 1.0), (6, 1)),
    )


def slab(dice: Dice, centre: tuple[float, float], base: float, size: Vector, paint: Paint | None = None) -> Thing:
    """A plain block: walls, floors, table tops."""
    return Thing("block", round(centre[0], 4), round(centre[1], 4), round(base, 4), rounded(*size), 0.0, paint or draw_paint(dice))


def pile(dice: Dice, x: float, y: float, base: float, size: float) -> list[Thing]:
    """One thing, or two on top of each other, about `size` metres across."""
    things = []
    for _ in range(dice.pick((1, 2), (3, 1))):
        wide = size * dice.uniform(0.7, 1.3)
        tall = size * dice.uniform(0.5, 1.6)
        kind = dice.pick(KINDS)
        if kind in ("monkey", "rock", "ball"):
            tall = wide * dice.uniform(0.8, 1.1)
        if kind == "torus":
            tall = wide * dice.uniform(0.2, 0.4)
        things.append(Thing(kind, round(x, 4), round(y, 4), round(base, 4), rounded(wide, wide, tall), dice.uniform(0, 360), draw_paint(dice)))
        if kind in ("cone", "monkey", "rock", "ball", "pyramid"):
            break
        base, size = base + tall, size * 0.7
    return things


def room_walls(dice: Dice, half_x: float, front: float, back: float, height: float) -> list[Thing]:
    """Floor, ceiling and four walls around x in [-half_x, half_x], y in [front, back]."""
    middle, deep, wall = (front + back) / 2, back - front, draw_paint(dice)
    return [
        slab(dice, (0, middle), -0.1, (2 * half_x, deep, 0.1)),
        slab(dice, (0, middle), height, (2 * half_x, deep, 0.1)),
        slab(dice, (-half_x - 0.05, middle), 0, (0.1, deep, height), wall),
        slab(dice, (half_x + 0.05, middle), 0, (0.1, deep, height), wall),
        slab(dice, (0, back + 0.05), 0, (2 * half_x, 0.1, height), draw_paint(dice) if dice.chance(0.5) else wall),
        slab(dice, (0, front - 0.05), 0, (2 * half_x, 0.1, height), wall),
    ]


Drawn = tuple[Vector, Vector, list[Thing], tuple[tuple[Vector, float, float], ...]]


def draw_room(dice: Dice) -> Drawn:
    half_x, deep, height = dice.uniform(1.6, 3.2), dice.uniform(3, 7), dice.uniform(2.4, 3.2)
    things = room_walls(dice, half_x, 0.0, deep, height)
    for _ in range(dice.count(4, 9)):
        things += pile(dice, dice.uniform(-0.85, 0.85) * half_x, dice.uniform(1.3, deep - 0.4), 0.0, dice.log_uniform(0.3, 1.0))
    eye = rounded(dice.uniform(-0.6, 0.6) * half_x, 0.4, dice.uniform(1.1, 1.75))
    target = rounded(dice.uniform(-0.4, 0.4) * half_x, deep * 0.7, dice.uniform(0.2, 1.3))
    lamp = rounded(dice.uniform(-0.6, 0.6) * half_x, dice.uniform(0.3, 0.7) * deep, height - 0.1)
    return eye, target, things, ((lamp, dice.uniform(200, 600), dice.uniform(0.2, 1.2)),)


def draw_table(dice: Dice) -> Drawn:
    half_x, half_y, top = dice.uniform(0.4, 0.9), dice.uniform(0.35, 0.6), dice.uniform(0.7, 0.9)
    things = room_walls(dice, dice.uniform(1.4, 2.5), -2.2, dice.uniform(1.2, 3.5), 2.6)
    paint = draw_paint(dice)
    things.append(slab(dice, (0, 0), top - 0.04, (2 * half_x, 2 * half_y, 0.04), paint))
    for sx in (-1, 1):
        for sy in (-1, 1):
            things.append(slab(dice, (sx * (half_x - 0.05), sy * (half_y - 0.05)), 0, (0.06, 0.06, top - 0.04), paint))
    for _ in range(dice.count(3, 8)):
        things += pile(dice, dice.uniform(-0.8, 0.8) * half_x, dice.uniform(-0.8, 0.8) * half_y, top, dice.log_uniform(0.06, 0.25))
    eye = rounded(dice.uniform(-0.5, 0.5), -half_y - dice.uniform(0.2, 0.9), top + dice.uniform(0.2, 0.8))
    target = rounded(dice.uniform(-0.15, 0.15), dice.uniform(-0.1, 0.3), top)
    lamp = rounded(dice.uniform(-1, 1), dice.uniform(-1, 1), 2.4)
    return eye, target, things, ((lamp, dice.uniform(60, 200), dice.uniform(0.1, 1.0)),)


def draw_ground(dice: Dice) -> Drawn:
    things = [slab(dice, (0, 0), -0.5, (2000.0, 2000.0, 0.5))]
    for _ in range(dice.count(5, 12)):
        y = dice.log_uniform(2.5, 40)
        things += pile(dice, dice.uniform(-0.8, 0.8) * (y + 1), y, 0.0, dice.log_uniform(0.5, 2.0) * (1 + y / 15))
    return rounded(0, 0, dice.uniform(1.3, 1.9)), rounded(dice.uniform(-2, 2), 10, dice.uniform(-0.5, 2.0)), things, ()


def draw_floor(dice: Dice) -> Drawn:
    reach = dice.log_uniform(0.8, 3.5)
    wide = dice.pick((2000.0, 4 * reach + 4))
    things = [slab(dice, (0, 0), -0.1, (wide, wide, 0.1))]
    if wide < 1000:
        things.append(slab(dice, (0, reach * dice.uniform(1.2, 2.5)), 0, (wide, 0.1, 3.0)))
    for _ in range(dice.count(3, 8)):
        things += pile(dice, dice.uniform(-0.6, 0.6) * reach, dice.uniform(-0.4, 0.9) * reach, 0.0, reach * dice.log_uniform(0.12, 0.35))
    eye = rounded(dice.uniform(-0.3, 0.3), -reach, reach * dice.uniform(0.25, 0.9) + 0.1)
    lamp = rounded(dice.uniform(-1, 1) * reach, dice.uniform(-1, 0.5) * reach, 1.5 + reach)
    return eye, rounded(0, dice.uniform(0, 0.3) * reach, 0.1), things, ((lamp, 60 * (1 + reach) ** 2, dice.uniform(0.2, 1.5)),)


DRAW = {"room": draw_room, "table": draw_table, "ground": draw_ground, "floor": draw_floor}


def draw_scene(seed: int) -> CyclesScene:
    """The scene of a seed, always the same."""
    dice = Dice(seed)
    setting = dice.pick(tuple(DRAW), (8, 7, 7, 8))
    eye, target, things, lamps = DRAW[setting](dice)
    fov = dice.pick((60.0, dice.uniform(35, 70)))
    return CyclesScene(seed, setting, eye, target, fov, tuple(things), dice.uniform(12, 65), dice.uniform(0, 360), lamps,
                       dice.pick(("AgX", "Standard", "Filmic")), dice.uniform(-0.5, 0.5))  # fmt: skip


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
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    shader = nodes["Principled BSDF"]
    shader.inputs["Roughness"].default_value, shader.inputs["Metallic"].default_value = paint.roughness, paint.metallic
    shader.inputs["Base Color"].default_value = (*paint.first, 1)
    kinds = {"noise": "ShaderNodeTexNoise", "voronoi": "ShaderNodeTexVoronoi", "wave": "ShaderNodeTexWave", "magic": "ShaderNodeTexMagic"}
    if paint.pattern in kinds:
        texture, ramp, place = nodes.new(kinds[paint.pattern]), nodes.new("ShaderNodeValToRGB"), nodes.new("ShaderNodeNewGeometry")
        texture.inputs["Scale"].default_value = paint.scale
        ramp.color_ramp.elements[0].color, ramp.color_ramp.elements[1].color = (*paint.first, 1), (*paint.second, 1)
        ramp.color_ramp.elements[0].position, ramp.color_ramp.elements[1].position = 0.3, 0.7
        links.new(place.outputs["Position"], texture.inputs["Vector"])
        links.new(texture.outputs[0], ramp.inputs[0])
        links.new(ramp.outputs[0], shader.inputs["Base Color"])
    return material


def add_light(bpy: Any, scene: CyclesScene) -> None:
    """A physical sky with a sun out of doors; area lamps and a weak grey world indoors."""
    world = bpy.data.worlds.new("world")
    bpy.context.scene.world = world
    world.use_nodes = True
    nodes, links = world.node_tree.nodes, world.node_tree.links
    background = nodes["Background"]
    background.inputs["Color"].default_value, background.inputs["Strength"].default_value = (0.5, 0.55, 0.6, 1), 0.35
    if not scene.lamps:
        sky = nodes.new("ShaderNodeTexSky")
        offered = [item.identifier for item in sky.bl_rna.properties["sky_type"].enum_items]
        sky.sky_type = next(kind for kind in ("NISHITA", "MULTIPLE_SCATTERING", "HOSEK_WILKIE") if kind in offered)
        sky.sun_elevation, sky.sun_rotation = math.radians(scene.sun_elevation_deg), math.radians(scene.sun_turn_deg)
        sky.sun_disc = False
        links.new(sky.outputs[0], background.inputs["Color"])
        background.inputs["Strength"].default_value = 0.15
        bpy.ops.object.light_add(type="SUN")
        bpy.context.object.data.energy = 2.5
        bpy.context.object.data.angle = 0.01
        bpy.context.object.rotation_euler = (math.radians(90 - scene.sun_elevation_deg), 0, math.radians(scene.sun_turn_deg))
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
    blender.render.resolution_x, blender.render.resolution_y, blender.render.resolution_percentage = WIDTH, HEIGHT, 100
    blender.cycles.device, blender.cycles.seed = "CPU", scene.seed % 1000
    blender.view_settings.view_transform, blender.view_settings.exposure = scene.view_transform, scene.exposure
    return blender


def override_with_depth(bpy: Any, blender: Any) -> None:
    """Turns the scene into its own depth: every surface shines with Camera Data's View Z Depth, the world is black."""
    material = bpy.data.materials.new("depth")
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.clear()
    depth, shine, out = (nodes.new(n) for n in ("ShaderNodeCameraData", "ShaderNodeEmission", "ShaderNodeOutputMaterial"))
    links.new(depth.outputs["View Z Depth"], shine.inputs["Color"])
    links.new(shine.outputs[0], out.inputs["Surface"])
    blender.view_layers[0].material_override = material
    blender.world = None
    blender.cycles.samples, blender.cycles.max_bounces, blender.cycles.use_denoising = 1, 0, False
    blender.cycles.use_adaptive_sampling = False
    blender.cycles.pixel_filter_type, blender.cycles.filter_width = "BOX", 0.01
    blender.render.image_settings.file_format, blender.render.image_settings.color_depth = "OPEN_EXR", "32"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Cycles prints a line per step to file descriptor 1."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def render_scene(scene: CyclesScene, cache: Path, colour: bool = True) -> None:
    """Writes `SEED.png` (if `colour`) and `SEED.npy`, (280, 504) float32 metres with 0 on sky, into the cache."""
    import bpy

    with quiet():
        blender = build(bpy, scene)
        if colour:
            blender.cycles.samples, blender.cycles.use_denoising = _SAMPLES, scene.seed % 2 == 0
            blender.render.image_settings.file_format = "PNG"
            blender.render.filepath = str(cache / f"{scene.seed}.png")
            bpy.ops.render.render(write_still=True)
        override_with_depth(bpy, blender)
        exr = cache / f"{scene.seed}.exr"
        blender.render.filepath = str(exr)
        bpy.ops.render.render(write_still=True)
        image = bpy.data.images.load(str(exr))
        pixels = np.empty(WIDTH * HEIGHT * 4, np.float32)
        image.pixels.foreach_get(pixels)
    exr.unlink()
    np.save(cache / f"{scene.seed}.npy", pixels.reshape(HEIGHT, WIDTH, 4)[::-1, :, 0])


def read_picture(scene: CyclesScene, cache: Path) -> Picture:
    """A rendered scene from the cache; colour is black where only depth was rendered."""
    depth = np.load(cache / f"{scene.seed}.npy")
    path = cache / f"{scene.seed}.png"
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    if path.exists():
        rgb = np.asarray(cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), np.uint8)
    return Picture(rgb, depth, depth <= 0, scene.focal_px)


def frozen_pictures(cache: Path) -> Iterator[tuple[CyclesScene, Picture]]:
    """The rendered frozen scenes; raises `FrozenSceneChanged`, or FileNotFoundError telling how to render them."""
    for entry in read_frozen(CYCLES_LIST):
        scene = draw_scene(entry.seed)
        if scene_hash(scene) != entry.sha256:
            raise FrozenSceneChanged(f"Cycles scene {entry.seed}: its description has changed since it was frozen")
        if not (cache / f"{entry.seed}.png").exists():
            raise FileNotFoundError(f"no picture of Cycles scene {entry.seed} in {cache}: run cycles_scenes render --cache")
        picture = read_picture(scene, cache)
        if not same_fingerprint(fingerprint(picture.depth_m), entry.fingerprint):
            raise FrozenSceneChanged(f"Cycles scene {entry.seed}: its depth has changed since it was frozen")
        yield scene, picture


def freeze(cache: Path) -> list[FrozenScene]:
    """The first thirty seeds that are worth seeing; renders depth only."""
    frozen: list[FrozenScene] = []
    seed = FIRST_SEED
    while len(frozen) < SCENE_COUNT:
        scene = draw_scene(seed)
        render_scene(scene, cache, colour=False)
        picture = read_picture(scene, cache)
        if worth_seeing(picture):
            frozen.append(FrozenScene(seed, scene_hash(scene), fingerprint(picture.depth_m)))
        seed += 1
    return frozen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("freeze", "render"))
    parser.add_argument("--cache", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    if arguments.command == "freeze":
        write_frozen(freeze(arguments.cache), CYCLES_LIST)
        return
    for entry in read_frozen(CYCLES_LIST):
        render_scene(draw_scene(entry.seed), arguments.cache)


if __name__ == "__main__":
    main()
