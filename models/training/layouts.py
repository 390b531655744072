# SPDX-License-Identifier: Apache-2.0
"""How scenes are drawn: furnished rooms, tabletops, things standing on a floor, open ground under a sky.

Sizes are true to life and cameras are held at eye height or over a table, so that a picture says something about metres.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence

from .scenes import (
    Dice,
    Film,
    Layout,
    Light,
    Material,
    Scene,
    SceneCamera,
    Shape,
    Solid,
    Surroundings,
    Vector,
    rounded,
)

LAYOUTS: tuple[Layout, ...] = ("room", "tabletop", "floor", "outdoor")
LAYOUT_WEIGHTS = (0.32, 0.2, 0.28, 0.2)
FRAMES = ((504, 280), (504, 378), (504, 504), (280, 504))
FRAME_WEIGHTS = (0.62, 0.2, 0.08, 0.1)
"""Network sizes (width, height) of 16:9, 4:3, square and 9:16 pictures under the 504 upper-bound policy."""

PATTERN_NAMES = ("plain", "checker", "stripes", "waves", "tiles", "bricks", "planks", "clouds", "speckle", "patches", "wood", "dots")
SOLID_WEIGHTS = (6.0, 0.5, 0.6, 0.3, 0.2, 0.3, 0.4, 0.9, 0.5, 0.5, 0.7, 0.4)
FLOOR_WEIGHTS = (4.0, 0.8, 0.4, 0.2, 1.5, 0.5, 2.0, 1.5, 0.8, 0.8, 0.8, 0.2)
WALL_WEIGHTS = (7.0, 0.1, 0.5, 0.1, 0.5, 0.8, 0.3, 1.0, 0.3, 0.4, 0.3, 0.2)
GROUND_WEIGHTS = (2.0, 0.3, 0.2, 0.1, 0.8, 0.5, 0.2, 3.0, 2.0, 1.5, 0.2, 0.1)


def material(dice: Dice, weights: Sequence[float], vivid: float = 0.35, pale: float = 0.0) -> Material:
    """A material; `vivid` is the chance of a saturated colour, `pale` of a light, nearly white one."""
    hue = dice.uniform(0, 1)
    if dice.chance(pale):
        saturation, value = dice.uniform(0, 0.25), dice.uniform(0.7, 0.95)
    elif dice.chance(vivid):
        saturation, value = dice.uniform(0.6, 1), dice.uniform(0.35, 0.95)
    else:
        saturation, value = dice.uniform(0, 0.5), dice.uniform(0.12, 0.9)
    first = colorsys.hsv_to_rgb(hue, saturation, value)
    if dice.chance(0.3):
        other = colorsys.hsv_to_rgb(dice.uniform(0, 1), dice.uniform(0, 0.9), dice.uniform(0.1, 0.95))
    else:
        change = dice.uniform(0.35, 1.3)
        other = (min(1, first[0] * change), min(1, first[1] * change), min(1, first[2] * change))
    return Material(
        pattern=dice.pick(PATTERN_NAMES, weights),
        colour=rounded(*(c**2.2 for c in first)),
        second_colour=rounded(*(c**2.2 for c in other)),
        period_m=dice.log_uniform(0.06, 1.2),
        angle_deg=dice.pick((0.0, 90.0, dice.uniform(0, 180)), (5, 3, 2)),
        grime=dice.pick((0.0, dice.uniform(0.1, 0.8)), (1, 1)),
        gloss=dice.pick((0.0, dice.uniform(0.05, 0.7)), (2, 1)),
        glow=0.0,
    )


def solid(
    dice: Dice,
    shape: Shape,
    at: tuple[float, float],
    base: float,
    half: tuple[float, float, float],
    yaw_deg: float,
    look: Material | None = None,
    tilt_deg: float = 0.0,
) -> Solid:
    """A solid standing on height `base` at floor point `at` = (x, z)."""
    surface = look or material(dice, SOLID_WEIGHTS)
    return Solid(shape, rounded(at[0], base + half[1], at[1]), rounded(*half), round(yaw_deg, 4), round(tilt_deg, 4), surface)


def heap(dice: Dice, at: tuple[float, float], base: float, size: float) -> list[Solid]:
    """One to four solids on top of each other, the first about `size` metres across."""
    parts: list[Solid] = []
    x, z = at
    for level in range(dice.pick((1, 2, 3, 4), (5, 4, 2, 1))):
        shape: Shape = dice.pick(("box", "cylinder", "sphere", "cone"), (6, 2.2, 1, 0.6))
        half = [size / 2 * dice.uniform(0.7, 1.3), size / 2 * dice.log_uniform(0.35, 1.9), size / 2 * dice.uniform(0.7, 1.3)]
        if dice.chance(0.3):
            half = [half[0]] * 3
        if shape != "box":
            half[2] = half[0] if dice.chance(0.85) else half[2]
        if shape == "sphere":
            half[1] = half[0] * dice.pick((1.0, dice.uniform(0.5, 1.2)))
        lying = shape == "cylinder" and level == 0 and dice.chance(0.15)
        lift = half[2] - half[1] if lying else 0.0
        yaw = dice.uniform(0, 360)
        parts.append(solid(dice, shape, (x, z), base + lift, (half[0], half[1], half[2]), yaw, tilt_deg=90.0 if lying else 0.0))
        if shape in ("sphere", "cone") or lying:
            break
        base += 2 * half[1]
        x, z = x + dice.uniform(-0.2, 0.2) * size, z + dice.uniform(-0.2, 0.2) * size
        size *= dice.uniform(0.45, 1.0)
    return parts


def table(dice: Dice, at: tuple[float, float], yaw_deg: float, half_x: float, half_z: float, height: float) -> list[Solid]:
    """A table with a top and four legs, or a solid block."""
    look = material(dice, FLOOR_WEIGHTS, vivid=0.2)
    if dice.chance(0.3):
        return [solid(dice, "box", at, 0, (half_x, height / 2, half_z), yaw_deg, look)]
    parts = [solid(dice, "box", at, height - 0.05, (half_x, 0.025, half_z), yaw_deg, look)]
    leg = material(dice, SOLID_WEIGHTS) if dice.chance(0.4) else look
    a = math.radians(yaw_deg)
    for sx, sz in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        lx, lz = sx * (half_x - 0.06), sz * (half_z - 0.06)
        place = (at[0] + lx * math.cos(a) + lz * math.sin(a), at[1] - lx * math.sin(a) + lz * math.cos(a))
        parts.append(solid(dice, "box", place, 0, (0.03, (height - 0.05) / 2, 0.03), yaw_deg, leg))
    return parts


def furniture(dice: Dice, at: tuple[float, float], yaw_deg: float) -> list[Solid]:
    """One piece of furniture of a true-to-life size."""
    kind = dice.pick(("table", "cabinet", "chair", "sofa", "bin", "lamp", "heap"), (3, 3, 3, 2, 1, 1, 2))
    if kind == "table":
        height, half_x, half_z = dice.uniform(0.4, 0.78), dice.uniform(0.3, 0.9), dice.uniform(0.25, 0.5)
        parts = table(dice, at, yaw_deg, half_x, half_z, height)
        for _ in range(dice.count(0, 3)):
            parts += heap(dice, (at[0] + dice.uniform(-0.2, 0.2), at[1] + dice.uniform(-0.2, 0.2)), height, dice.uniform(0.07, 0.3))
        return parts
    if kind == "cabinet":
        return [solid(dice, "box", at, 0, (dice.uniform(0.2, 0.7), dice.uniform(0.25, 1.05), dice.uniform(0.15, 0.32)), yaw_deg)]
    if kind in ("chair", "sofa"):
        look = material(dice, SOLID_WEIGHTS)
        half_x = dice.uniform(0.2, 0.26) if kind == "chair" else dice.uniform(0.6, 1.05)
        half_z, seat = (0.22, 0.45) if kind == "chair" else (0.42, 0.42)
        thin = kind == "chair" and dice.chance(0.7)
        base, half_y = (seat - 0.06, 0.03) if thin else (0.0, seat / 2)
        a = math.radians(yaw_deg)
        back = (at[0] - half_z * math.sin(a), at[1] - half_z * math.cos(a))
        return [
            solid(dice, "box", at, base, (half_x, half_y, half_z), yaw_deg, look),
            solid(dice, "box", back, 0.0 if thin else seat, (half_x, 0.45 if thin else 0.22, 0.03 if thin else 0.1), yaw_deg, look),
        ]
    if kind == "bin":
        r = dice.uniform(0.12, 0.3)
        return [solid(dice, "cylinder", at, 0, (r, dice.uniform(0.15, 0.45), r), 0.0)]
    if kind == "lamp":
        height = dice.uniform(1.1, 1.7)
        return [
            solid(dice, "cylinder", at, 0, (0.02, height / 2, 0.02), 0.0),
            solid(dice, dice.pick(("cone", "cylinder")), at, height, (0.2, 0.15, 0.2), 0.0),
        ]
    return heap(dice, at, 0.0, dice.uniform(0.2, 0.8))


def wall_hangings(dice: Dice, low: Vector, high: Vector) -> list[Solid]:
    """Thin boxes on the walls: pictures, doors, bright windows."""
    parts = []
    for _ in range(dice.count(0, 6)):
        along_x = dice.chance(0.5)
        side = dice.chance(0.5)
        door = dice.chance(0.25)
        half_u, half_v = (0.45, 1.02) if door else (dice.uniform(0.15, 0.8), dice.uniform(0.15, 0.6))
        base = 0.0 if door else dice.uniform(0.8, max(0.9, high[1] - 2 * half_v - 0.2))
        span = (low[0], high[0]) if along_x else (low[2], high[2])
        u = dice.uniform(span[0] + half_u, max(span[0] + half_u + 0.1, span[1] - half_u))
        across = (high if side else low)[2 if along_x else 0]
        at = (u, across) if along_x else (across, u)
        look = material(dice, SOLID_WEIGHTS)
        if dice.chance(0.3) and not door:
            look = Material("plain", (0.8, 0.85, 0.95), (0.8, 0.85, 0.95), 1.0, 0.0, 0.0, 0.0, dice.uniform(0.5, 2.0))
        parts.append(solid(dice, "box", at, base, (half_u, half_v, dice.uniform(0.01, 0.05)), 0.0 if along_x else 90.0, look))
    return parts


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
    return Surroundings((0, 0, 0), None, ground, ground, ground, rounded(*horizon), rounded(*zenith), clouds, haze)


def sun(dice: Dice) -> Light:
    height, azimuth = math.radians(dice.uniform(15, 75)), math.radians(dice.uniform(0, 360))
    towards = rounded(math.cos(height) * math.sin(azimuth), math.sin(height), math.cos(height) * math.cos(azimuth))
    warm = dice.uniform(0.7, 1.0)
    return Light("sun", towards, (1.0, round((1 + warm) / 2, 4), warm), dice.log_uniform(0.5, 3.0), dice.pick((0.01, 0.15), (3, 1)))


def lamps(dice: Dice, low: Vector, high: Vector) -> tuple[Light, ...]:
    lights = []
    for _ in range(dice.pick((1, 2), (3, 1))):
        place = rounded(
            dice.uniform(low[0] * 0.9, high[0] * 0.9),
            high[1] * dice.uniform(0.7, 0.97),
            dice.uniform(low[2] * 0.9, high[2] * 0.9),
        )
        warm = dice.uniform(0.6, 1.0)
        lights.append(Light("lamp", place, (1.0, round((1 + warm) / 2, 4), warm), dice.uniform(0.6, 1.6), dice.log_uniform(0.03, 0.6)))
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
    position = rounded(dice.uniform(-0.8, 0.8) * half_x, dice.uniform(1.0, 1.8), dice.uniform(-0.9, -0.3) * half_z)
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
        parts += furniture(dice, (dice.uniform(low[0], high[0]), dice.uniform(half_z + 0.5, high[2] + 0.6)), dice.uniform(0, 360))
    return camera(dice, position, yaw, pitch), closed_room(dice, low, high), clear_of(position, parts, 0.12), lamps(dice, low, high)


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


def outdoor_thing(dice: Dice, at: tuple[float, float]) -> list[Solid]:
    kind = dice.pick(("house", "car", "tree", "pole", "person", "fence", "rocks", "heap"), (3, 3, 4, 1, 2, 2, 1, 2))
    turn = dice.pick((0.0, 90.0, dice.uniform(0, 360)), (2, 1, 2))
    if kind == "house":
        half = (dice.uniform(2, 8), dice.uniform(1.4, 6), dice.uniform(2, 6))
        return [solid(dice, "box", at, 0, half, turn, material(dice, WALL_WEIGHTS, vivid=0.2))]
    if kind == "car":
        look = material(dice, (1.0,) + (0.0,) * 11, vivid=0.5)
        glass = material(dice, (1.0,) + (0.0,) * 11, vivid=0.0)
        return [solid(dice, "box", at, 0.2, (0.9, 0.35, 2.1), turn, look), solid(dice, "box", at, 0.9, (0.8, 0.28, 1.1), turn, glass)]
    if kind == "tree":
        trunk, crown = dice.uniform(0.8, 2.5), dice.uniform(0.8, 2.5)
        green = Material(dice.pick(("clouds", "speckle", "plain")), (0.05, dice.uniform(0.1, 0.3), 0.03),
                         (0.02, 0.08, 0.02), dice.uniform(0.2, 0.8), 0.0, 0.5, 0.0, 0.0)  # fmt: skip
        return [
            solid(dice, "cylinder", at, 0, (0.15, trunk / 2, 0.15), 0.0),
            solid(dice, dice.pick(("sphere", "cone"), (2, 1)), at, trunk * 0.8, (crown, crown * dice.uniform(0.8, 1.6), crown), 0.0, green),
        ]
    if kind == "pole":
        return [solid(dice, "cylinder", at, 0, (0.06, dice.uniform(1.5, 4), 0.06), 0.0)]
    if kind == "person":
        half_y = dice.uniform(0.65, 0.78)
        return [solid(dice, "cylinder", at, 0, (0.22, half_y, 0.15), turn), solid(dice, "sphere", at, 2 * half_y, (0.11, 0.13, 0.11), 0.0)]
    if kind == "fence":
        return [solid(dice, "box", at, 0, (dice.uniform(2, 10), dice.uniform(0.4, 1.1), 0.06), turn)]
    if kind == "rocks":
        return [solid(dice, "sphere", at, -0.2, (dice.uniform(0.3, 1.2), dice.uniform(0.3, 0.9), dice.uniform(0.3, 1.2)), turn)]
    return heap(dice, at, 0.0, dice.uniform(0.4, 1.5))


def draw_outdoor(dice: Dice) -> Drawn:
    """Open ground with houses, trees, cars and people, seen from eye height or from a balcony."""
    height = dice.pick((dice.uniform(1.3, 1.8), dice.uniform(2.5, 7)), (4, 1))
    position = rounded(0, height, 0)
    parts: list[Solid] = []
    for _ in range(dice.count(4, 16)):
        z = dice.log_uniform(2.5, 70)
        parts += outdoor_thing(dice, (dice.uniform(-0.9, 0.9) * (z + 2), z))
    pitch = dice.uniform(-10, 12) + math.degrees(math.atan2(height - 1.5, 10))
    return camera(dice, position, dice.uniform(-15, 15), pitch), open_ground(dice), clear_of(position, parts, 0.6), (sun(dice),)


DRAW = {"room": draw_room, "tabletop": draw_tabletop, "floor": draw_floor, "outdoor": draw_outdoor}


def draw_scene(seed: int) -> Scene:
    """The scene of a seed, always the same."""
    dice = Dice(seed)
    layout = dice.pick(LAYOUTS, LAYOUT_WEIGHTS)
    view, around, solids, lights = DRAW[layout](dice)
    return Scene(seed, layout, view, around, solids, lights, dice.uniform(0.2, 0.6), film(dice))
