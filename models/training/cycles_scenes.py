# SPDX-License-Identifier: Apache-2.0
"""Thirty evaluation scenes from another world: Blender's meshes, materials and lights, rendered by Cycles.

Nothing here is seen in training. This module only describes the scenes and reads their rendered pictures from a cache;
`cycles_render` builds and renders them. Blender's frame: z up, metres; cameras look at a target.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .cycles.rendered import read_whole_picture
from .frozen_lists import CYCLES_SCENES, frozen_pictures, read_frozen
from .scenes import Dice, Vector, rounded
from .shading import Picture

WIDTH, HEIGHT = 504, 280

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


def draw_paint(dice: Dice) -> Paint:
    hue, saturation, value = dice.uniform(0, 1), dice.uniform(0, 0.9), dice.uniform(0.15, 0.9)
    first = colorsys.hsv_to_rgb(hue, saturation, value)
    second = colorsys.hsv_to_rgb(
        (hue + dice.uniform(0, 0.15)) % 1, saturation * dice.uniform(0.3, 1), value * dice.uniform(0.3, 1)
    )
    return Paint(
        dice.pick(PATTERNS, (4, 2, 1.5, 1.5, 0.5)),
        rounded(*(c**2.2 for c in first)),
        rounded(*(c**2.2 for c in second)),
        dice.log_uniform(2, 25),
        dice.uniform(0.1, 0.95),
        dice.pick((0.0, 1.0), (6, 1)),
    )


def slab(
    dice: Dice, centre: tuple[float, float], base: float, size: Vector, paint: Paint | None = None
) -> Thing:
    """A plain block: walls, floors, table tops."""
    return Thing(
        "block",
        round(centre[0], 4),
        round(centre[1], 4),
        round(base, 4),
        rounded(*size),
        0.0,
        paint or draw_paint(dice),
    )


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
        things.append(
            Thing(
                kind,
                round(x, 4),
                round(y, 4),
                round(base, 4),
                rounded(wide, wide, tall),
                dice.uniform(0, 360),
                draw_paint(dice),
            )
        )
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
        slab(
            dice,
            (0, back + 0.05),
            0,
            (2 * half_x, 0.1, height),
            draw_paint(dice) if dice.chance(0.5) else wall,
        ),
        slab(dice, (0, front - 0.05), 0, (2 * half_x, 0.1, height), wall),
    ]


Drawn = tuple[Vector, Vector, list[Thing], tuple[tuple[Vector, float, float], ...]]


def draw_room(dice: Dice) -> Drawn:
    half_x, deep, height = dice.uniform(1.6, 3.2), dice.uniform(3, 7), dice.uniform(2.4, 3.2)
    things = room_walls(dice, half_x, 0.0, deep, height)
    for _ in range(dice.count(4, 9)):
        things += pile(
            dice,
            dice.uniform(-0.85, 0.85) * half_x,
            dice.uniform(1.3, deep - 0.4),
            0.0,
            dice.log_uniform(0.3, 1.0),
        )
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
            things.append(
                slab(dice, (sx * (half_x - 0.05), sy * (half_y - 0.05)), 0, (0.06, 0.06, top - 0.04), paint)
            )
    for _ in range(dice.count(3, 8)):
        things += pile(
            dice,
            dice.uniform(-0.8, 0.8) * half_x,
            dice.uniform(-0.8, 0.8) * half_y,
            top,
            dice.log_uniform(0.06, 0.25),
        )
    eye = rounded(dice.uniform(-0.5, 0.5), -half_y - dice.uniform(0.2, 0.9), top + dice.uniform(0.2, 0.8))
    target = rounded(dice.uniform(-0.15, 0.15), dice.uniform(-0.1, 0.3), top)
    lamp = rounded(dice.uniform(-1, 1), dice.uniform(-1, 1), 2.4)
    return eye, target, things, ((lamp, dice.uniform(60, 200), dice.uniform(0.1, 1.0)),)


def draw_ground(dice: Dice) -> Drawn:
    things = [slab(dice, (0, 0), -0.5, (2000.0, 2000.0, 0.5))]
    for _ in range(dice.count(5, 12)):
        y = dice.log_uniform(2.5, 40)
        things += pile(
            dice, dice.uniform(-0.8, 0.8) * (y + 1), y, 0.0, dice.log_uniform(0.5, 2.0) * (1 + y / 15)
        )
    return (
        rounded(0, 0, dice.uniform(1.3, 1.9)),
        rounded(dice.uniform(-2, 2), 10, dice.uniform(-0.5, 2.0)),
        things,
        (),
    )


def draw_floor(dice: Dice) -> Drawn:
    reach = dice.log_uniform(0.8, 3.5)
    wide = dice.pick((2000.0, 4 * reach + 4))
    things = [slab(dice, (0, 0), -0.1, (wide, wide, 0.1))]
    if wide < 1000:
        things.append(slab(dice, (0, reach * dice.uniform(1.2, 2.5)), 0, (wide, 0.1, 3.0)))
    for _ in range(dice.count(3, 8)):
        things += pile(
            dice,
            dice.uniform(-0.6, 0.6) * reach,
            dice.uniform(-0.4, 0.9) * reach,
            0.0,
            reach * dice.log_uniform(0.12, 0.35),
        )
    eye = rounded(dice.uniform(-0.3, 0.3), -reach, reach * dice.uniform(0.25, 0.9) + 0.1)
    lamp = rounded(dice.uniform(-1, 1) * reach, dice.uniform(-1, 0.5) * reach, 1.5 + reach)
    return (
        eye,
        rounded(0, dice.uniform(0, 0.3) * reach, 0.1),
        things,
        ((lamp, 60 * (1 + reach) ** 2, dice.uniform(0.2, 1.5)),),
    )


DRAW = {"room": draw_room, "table": draw_table, "ground": draw_ground, "floor": draw_floor}


def draw_scene(seed: int) -> CyclesScene:
    """The scene of a seed, always the same."""
    dice = Dice(seed)
    setting = dice.pick(tuple(DRAW), (8, 7, 7, 8))
    eye, target, things, lamps = DRAW[setting](dice)
    fov = dice.pick((60.0, dice.uniform(35, 70)))
    return CyclesScene(seed, setting, eye, target, fov, tuple(things), dice.uniform(12, 65), dice.uniform(0, 360), lamps,
                       dice.pick(("AgX", "Standard", "Filmic")), dice.uniform(-0.5, 0.5))  # fmt: skip


def frozen_scenes(cache: Path) -> Iterator[tuple[CyclesScene, Picture]]:
    """The frozen scenes with their rendered pictures; see `frozen_lists.frozen_pictures`. FileNotFoundError tells how to render one."""
    return frozen_pictures(read_frozen(CYCLES_SCENES.path), draw_scene, lambda scene: read_whole_picture(scene.seed, scene.focal_px, cache))
