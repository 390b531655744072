# SPDX-License-Identifier: Apache-2.0
"""How scenes are drawn: furnished rooms, tabletops, things standing on a floor, open ground under a sky.

Sizes are true to life and cameras are held at eye height or over a table, so that a picture says something about metres.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from .furnishings import (
    FLOOR_WEIGHTS,
    GROUND_WEIGHTS,
    WALL_WEIGHTS,
    furniture,
    heap,
    material,
    outdoor_thing,
    table,
    wall_hangings,
)
from .scenes import Dice, Film, Layout, Light, Scene, SceneCamera, Solid, Surroundings, Vector, rounded

LAYOUTS: tuple[Layout, ...] = ("room", "tabletop", "floor", "outdoor")
LAYOUT_WEIGHTS = (0.32, 0.2, 0.28, 0.2)
FRAMES = ((504, 280), (504, 378), (504, 504), (280, 504))
FRAME_WEIGHTS = (0.62, 0.2, 0.08, 0.1)
"""Network sizes (width, height) of 16:9, 4:3, square and 9:16 pictures under the 504 upper-bound policy."""


def camera(dice: Dice, position: Vector, yaw_deg: float, pitch_deg: float) -> SceneCamera:
    """A camera of a drawn frame and field of view; the wider side stays under 100 degrees."""
    width, height = dice.pick(FRAMES, FRAME_WEIGHTS)
    fov = dice.pick((60.0, dice.uniform(30, 75)), (1, 4))
    if height >= width:
        fov = dice.uniform(45, 85)
    roll = dice.pick((0.0, dice.uniform(-6, 6)), (1, 1))
    return SceneCamera(position, round(yaw_deg, 4), round(pitch_deg, 4), roll, fov, width, height)


def clear_of(position: Vector, parts: Sequence[Solid], margin_m: float) -> tuple[Solid, ...]:
    """The solids whose surrounding box stays `margin_m` away from a position."""
    kept = []
    for part in parts:
        offset = [p - c for p, c in zip(position, part.centre, strict=True)]
        turn = part.rotation()
        local = [abs(sum(float(turn[row, axis]) * offset[row] for row in range(3))) for axis in range(3)]
        if any(local[axis] > part.half_size[axis] + margin_m for axis in range(3)):
            kept.append(part)
    return tuple(kept)


def closed_room(dice: Dice, low: Vector, high: Vector) -> Surroundings:
    floor = material(dice, FLOOR_WEIGHTS, vivid=0.15)
    walls = material(dice, WALL_WEIGHTS, vivid=0.15, pale=0.5)
    ceiling = material(dice, (1.0,) + (0.0,) * 11, vivid=0.0, pale=0.9)
    return Surroundings(low, high, floor, walls, ceiling, (0, 0, 0), (0, 0, 0), 0.0, 0.0)


def open_ground(dice: Dice) -> Surroundings:
    kind = dice.pick(("blue", "grey", "dusk", "plain"), (5, 3, 1, 2))
    if kind == "blue":
        zenith = (dice.uniform(0.05, 0.3), dice.uniform(0.2, 0.45), dice.uniform(0.5, 0.9))
        horizon = (dice.uniform(0.5, 0.9), dice.uniform(0.6, 0.9), dice.uniform(0.8, 1.0))
    elif kind == "dusk":
        zenith = (dice.uniform(0.1, 0.4), dice.uniform(0.1, 0.3), dice.uniform(0.2, 0.5))
        horizon = (dice.uniform(0.7, 1.0), dice.uniform(0.35, 0.7), dice.uniform(0.2, 0.5))
    else:
        level = dice.uniform(0.15, 1.0)
        zenith = (level, level * dice.uniform(0.9, 1.05), level * dice.uniform(0.9, 1.15))
        same = kind == "plain" or dice.chance(0.3)
        horizon = zenith if same else (level * 0.9, level * 0.9, level * 0.9)
    ground = material(dice, GROUND_WEIGHTS, vivid=0.1)
    clouds = dice.pick((0.0, dice.uniform(0.1, 0.9)), (1, 1))
    haze = dice.pick((0.0, dice.log_uniform(60, 2000)), (1, 1))
    return Surroundings(
        (0, 0, 0), None, ground, ground, ground, rounded(*horizon), rounded(*zenith), clouds, haze
    )


def sun(dice: Dice) -> Light:
    height, azimuth = math.radians(dice.uniform(15, 75)), math.radians(dice.uniform(0, 360))
    towards = rounded(
        math.cos(height) * math.sin(azimuth), math.sin(height), math.cos(height) * math.cos(azimuth)
    )
    warm = dice.uniform(0.7, 1.0)
    return Light(
        "sun",
        towards,
        (1.0, round((1 + warm) / 2, 4), warm),
        dice.log_uniform(0.5, 3.0),
        dice.pick((0.01, 0.15), (3, 1)),
    )


def lamps(dice: Dice, low: Vector, high: Vector) -> tuple[Light, ...]:
    lights = []
    for _ in range(dice.pick((1, 2), (3, 1))):
        place = rounded(
            dice.uniform(low[0] * 0.9, high[0] * 0.9),
            high[1] * dice.uniform(0.7, 0.97),
            dice.uniform(low[2] * 0.9, high[2] * 0.9),
        )
        warm = dice.uniform(0.6, 1.0)
        lights.append(
            Light(
                "lamp",
                place,
                (1.0, round((1 + warm) / 2, 4), warm),
                dice.uniform(0.6, 1.6),
                dice.log_uniform(0.03, 0.6),
            )
        )
    return tuple(lights)


def film(dice: Dice) -> Film:
    gains = rounded(dice.uniform(0.85, 1.15), 1.0, dice.uniform(0.85, 1.15))
    return Film(dice.uniform(0.16, 0.5), gains, dice.uniform(0.8, 1.25), dice.pick((0.0, dice.uniform(0, 0.4)), (2, 1)),
                dice.pick((0.0, dice.uniform(0.4, 1.3)), (1, 1)), dice.pick((0.0, dice.uniform(0, 0.03)), (1, 1)))  # fmt: skip


Drawn = tuple[SceneCamera, Surroundings, tuple[Solid, ...], tuple[Light, ...]]


def draw_room(dice: Dice) -> Drawn:
    """Furniture along the walls and in the middle, seen from eye height near one side."""
    half_x, half_z, height = dice.uniform(1.3, 4.0), dice.uniform(1.5, 4.5), dice.uniform(2.3, 3.4)
    low, high = rounded(-half_x, 0, -half_z), rounded(half_x, height, half_z)
    position = rounded(
        dice.uniform(-0.8, 0.8) * half_x, dice.uniform(1.0, 1.8), dice.uniform(-0.9, -0.3) * half_z
    )
    yaw = math.degrees(math.atan2(-position[0], -position[2] + half_z * 0.3)) + dice.uniform(-40, 40)
    parts = wall_hangings(dice, low, high)
    for _ in range(dice.count(3, 10)):
        x, z, turn = dice.uniform(-0.9, 0.9) * half_x, dice.uniform(-0.6, 0.95) * half_z, dice.uniform(0, 360)
        if dice.chance(0.5):
            far = dice.chance(0.5)
            x, z = (x, half_z - 0.35) if far else (math.copysign(half_x - 0.35, x), z)
            turn = 180.0 if far else math.copysign(90.0, -x)
        parts += furniture(dice, (x, z), turn)
    view = camera(dice, position, yaw, dice.uniform(-6, 32))
    return view, closed_room(dice, low, high), clear_of(position, parts, 0.25), lamps(dice, low, high)


def draw_tabletop(dice: Dice) -> Drawn:
    """Small things on a table, seen by someone sitting or standing at it."""
    half_x, half_z, top = dice.uniform(0.35, 1.0), dice.uniform(0.3, 0.6), dice.uniform(0.68, 0.92)
    parts = table(dice, (0.0, 0.0), dice.pick((0.0, dice.uniform(-40, 40))), half_x, half_z, top)
    for _ in range(dice.count(2, 9)):
        at = (dice.uniform(-0.8, 0.8) * half_x, dice.uniform(-0.8, 0.8) * half_z)
        parts += heap(dice, at, top, dice.log_uniform(0.04, 0.25))
    aside, above = dice.uniform(-0.4, 0.4), dice.uniform(0.12, 0.85)
    back = dice.uniform(0.3, 1.0)
    position = rounded(aside, top + above, -half_z - back + 0.2)
    aim_x, aim_z = dice.uniform(-0.2, 0.2), dice.uniform(-0.15, 0.15)
    away = math.hypot(aim_x - position[0], aim_z - position[2])
    yaw = math.degrees(math.atan2(aim_x - position[0], aim_z - position[2]))
    pitch = math.degrees(math.atan2(above - 0.05, away)) + dice.uniform(-8, 8)
    low = rounded(-dice.uniform(1.2, 3), 0, -dice.uniform(2.0, 3))
    high = rounded(dice.uniform(1.2, 3), dice.uniform(2.3, 3), dice.uniform(0.7, 3.5))
    parts += wall_hangings(dice, low, high)
    for _ in range(dice.count(0, 3)):
        parts += furniture(
            dice,
            (dice.uniform(low[0], high[0]), dice.uniform(half_z + 0.5, high[2] + 0.6)),
            dice.uniform(0, 360),
        )
    return (
        camera(dice, position, yaw, pitch),
        closed_room(dice, low, high),
        clear_of(position, parts, 0.12),
        lamps(dice, low, high),
    )


def draw_floor(dice: Dice) -> Drawn:
    """Stacks and single solids on a floor, in a hall or out of doors, camera looking down at them."""
    reach = dice.log_uniform(0.7, 4.5)
    pitch = dice.uniform(8, 46)
    height = min(max(reach * math.tan(math.radians(pitch)) + dice.uniform(0, 0.3), 0.3), 2.4)
    position = rounded(0, height, -reach)
    size = min(max(reach * dice.log_uniform(0.09, 0.4), 0.07), 0.9)
    parts: list[Solid] = []
    for _ in range(dice.count(1, 8)):
        at = (dice.uniform(-0.6, 0.6) * reach, dice.uniform(-0.4, 0.9) * reach)
        parts += heap(dice, at, 0.0, size * dice.uniform(0.6, 1.7))
    pitch = math.degrees(math.atan2(height - 0.1, reach)) + dice.uniform(-12, 8)
    view = camera(dice, position, dice.uniform(-8, 8), pitch)
    if dice.chance(0.3):
        return view, open_ground(dice), clear_of(position, parts, 0.15), (sun(dice),)
    far = dice.pick((dice.uniform(0.8, 3.0), dice.uniform(3, 12)))
    low = rounded(-reach - dice.uniform(0.3, 5), 0, -reach - 1.5)
    high = rounded(reach + dice.uniform(0.3, 5), height + dice.uniform(0.6, 3), reach * 0.7 + far)
    lights = (sun(dice),) if dice.chance(0.25) else lamps(dice, low, high)
    return view, closed_room(dice, low, high), clear_of(position, parts, 0.15), lights


def draw_outdoor(dice: Dice) -> Drawn:
    """Open ground with houses, trees, cars and people, seen from eye height or from a balcony."""
    height = dice.pick((dice.uniform(1.3, 1.8), dice.uniform(2.5, 7)), (4, 1))
    position = rounded(0, height, 0)
    parts: list[Solid] = []
    for _ in range(dice.count(4, 16)):
        z = dice.log_uniform(2.5, 70)
        parts += outdoor_thing(dice, (dice.uniform(-0.9, 0.9) * (z + 2), z))
    pitch = dice.uniform(-10, 12) + math.degrees(math.atan2(height - 1.5, 10))
    return (
        camera(dice, position, dice.uniform(-15, 15), pitch),
        open_ground(dice),
        clear_of(position, parts, 0.6),
        (sun(dice),),
    )


DRAW = {"room": draw_room, "tabletop": draw_tabletop, "floor": draw_floor, "outdoor": draw_outdoor}


def draw_scene(seed: int) -> Scene:
    """The scene of a seed, always the same."""
    dice = Dice(seed)
    layout = dice.pick(LAYOUTS, LAYOUT_WEIGHTS)
    view, around, solids, lights = DRAW[layout](dice)
    return Scene(seed, layout, view, around, solids, lights, dice.uniform(0.2, 0.6), film(dice))
