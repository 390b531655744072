# SPDX-License-Identifier: Apache-2.0
"""What stands in the scenes: materials, heaps of solids, tables, furniture, things on walls and out of doors."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence

from .scenes import Dice, Material, Shape, Solid, Vector, rounded

PATTERN_NAMES = (
    "plain",
    "checker",
    "stripes",
    "waves",
    "tiles",
    "bricks",
    "planks",
    "clouds",
    "speckle",
    "patches",
    "wood",
    "dots",
)
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
    return Solid(
        shape,
        rounded(at[0], base + half[1], at[1]),
        rounded(*half),
        round(yaw_deg, 4),
        round(tilt_deg, 4),
        surface,
    )


def heap(dice: Dice, at: tuple[float, float], base: float, size: float) -> list[Solid]:
    """One to four solids on top of each other, the first about `size` metres across."""
    parts: list[Solid] = []
    x, z = at
    for level in range(dice.pick((1, 2, 3, 4), (5, 4, 2, 1))):
        shape: Shape = dice.pick(("box", "cylinder", "sphere", "cone"), (6, 2.2, 1, 0.6))
        half = [
            size / 2 * dice.uniform(0.7, 1.3),
            size / 2 * dice.log_uniform(0.35, 1.9),
            size / 2 * dice.uniform(0.7, 1.3),
        ]
        if dice.chance(0.3):
            half = [half[0]] * 3
        if shape != "box":
            half[2] = half[0] if dice.chance(0.85) else half[2]
        if shape == "sphere":
            half[1] = half[0] * dice.pick((1.0, dice.uniform(0.5, 1.2)))
        lying = shape == "cylinder" and level == 0 and dice.chance(0.15)
        lift = half[2] - half[1] if lying else 0.0
        yaw = dice.uniform(0, 360)
        parts.append(
            solid(
                dice,
                shape,
                (x, z),
                base + lift,
                (half[0], half[1], half[2]),
                yaw,
                tilt_deg=90.0 if lying else 0.0,
            )
        )
        if shape in ("sphere", "cone") or lying:
            break
        base += 2 * half[1]
        x, z = x + dice.uniform(-0.2, 0.2) * size, z + dice.uniform(-0.2, 0.2) * size
        size *= dice.uniform(0.45, 1.0)
    return parts


def table(
    dice: Dice, at: tuple[float, float], yaw_deg: float, half_x: float, half_z: float, height: float
) -> list[Solid]:
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
            parts += heap(
                dice,
                (at[0] + dice.uniform(-0.2, 0.2), at[1] + dice.uniform(-0.2, 0.2)),
                height,
                dice.uniform(0.07, 0.3),
            )
        return parts
    if kind == "cabinet":
        return [
            solid(
                dice,
                "box",
                at,
                0,
                (dice.uniform(0.2, 0.7), dice.uniform(0.25, 1.05), dice.uniform(0.15, 0.32)),
                yaw_deg,
            )
        ]
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
            solid(
                dice,
                "box",
                back,
                0.0 if thin else seat,
                (half_x, 0.45 if thin else 0.22, 0.03 if thin else 0.1),
                yaw_deg,
                look,
            ),
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
            look = Material(
                "plain", (0.8, 0.85, 0.95), (0.8, 0.85, 0.95), 1.0, 0.0, 0.0, 0.0, dice.uniform(0.5, 2.0)
            )
        parts.append(
            solid(
                dice,
                "box",
                at,
                base,
                (half_u, half_v, dice.uniform(0.01, 0.05)),
                0.0 if along_x else 90.0,
                look,
            )
        )
    return parts


def outdoor_thing(dice: Dice, at: tuple[float, float]) -> list[Solid]:
    kind = dice.pick(
        ("house", "car", "tree", "pole", "person", "fence", "rocks", "heap"), (3, 3, 4, 1, 2, 2, 1, 2)
    )
    turn = dice.pick((0.0, 90.0, dice.uniform(0, 360)), (2, 1, 2))
    if kind == "house":
        half = (dice.uniform(2, 8), dice.uniform(1.4, 6), dice.uniform(2, 6))
        return [solid(dice, "box", at, 0, half, turn, material(dice, WALL_WEIGHTS, vivid=0.2))]
    if kind == "car":
        look = material(dice, (1.0,) + (0.0,) * 11, vivid=0.5)
        glass = material(dice, (1.0,) + (0.0,) * 11, vivid=0.0)
        return [
            solid(dice, "box", at, 0.2, (0.9, 0.35, 2.1), turn, look),
            solid(dice, "box", at, 0.9, (0.8, 0.28, 1.1), turn, glass),
        ]
    if kind == "tree":
        trunk, crown = dice.uniform(0.8, 2.5), dice.uniform(0.8, 2.5)
        green = Material(dice.pick(("clouds", "speckle", "plain")), (0.05, dice.uniform(0.1, 0.3), 0.03),
                         (0.02, 0.08, 0.02), dice.uniform(0.2, 0.8), 0.0, 0.5, 0.0, 0.0)  # fmt: skip
        return [
            solid(dice, "cylinder", at, 0, (0.15, trunk / 2, 0.15), 0.0),
            solid(
                dice,
                dice.pick(("sphere", "cone"), (2, 1)),
                at,
                trunk * 0.8,
                (crown, crown * dice.uniform(0.8, 1.6), crown),
                0.0,
                green,
            ),
        ]
    if kind == "pole":
        return [solid(dice, "cylinder", at, 0, (0.06, dice.uniform(1.5, 4), 0.06), 0.0)]
    if kind == "person":
        half_y = dice.uniform(0.65, 0.78)
        return [
            solid(dice, "cylinder", at, 0, (0.22, half_y, 0.15), turn),
            solid(dice, "sphere", at, 2 * half_y, (0.11, 0.13, 0.11), 0.0),
        ]
    if kind == "fence":
        return [solid(dice, "box", at, 0, (dice.uniform(2, 10), dice.uniform(0.4, 1.1), 0.06), turn)]
    if kind == "rocks":
        return [
            solid(
                dice,
                "sphere",
                at,
                -0.2,
                (dice.uniform(0.3, 1.2), dice.uniform(0.3, 0.9), dice.uniform(0.3, 1.2)),
                turn,
            )
        ]
    return heap(dice, at, 0.0, dice.uniform(0.4, 1.5))
