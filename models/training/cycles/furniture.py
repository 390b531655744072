# SPDX-License-Identifier: Apache-2.0
"""Furniture of true-to-life size around its own origin, standing on z = 0, its front towards -y."""

from __future__ import annotations

import math

from ..scenes import Dice
from . import coats
from .description import Coat, Piece, moved, piece
from .tabletop import small_thing

Pieces = list[Piece]
A_FRAME = (0.0, 0.0, 0.12, 0.0, 0.5, 0.86, 0.88, 0.0, 1.0, 0.0, 0.6, 1.0, 0.4, 1.0)


def block(x: float, y: float, z: float, size: tuple[float, float, float], coat: Coat, bevel: float = 0.004) -> Piece:
    return piece("block", (x, y, z), size, coat, (bevel,))


def rods(at: list[tuple[float, float]], height: float, radius: float, coat: Coat) -> Pieces:
    """Upright round legs."""
    return [piece("tube", (x, y, 0), (0.01, 0.01, height), coat, (radius, 0.5, 0.5, 0, 0.5, 0.5, 1)) for x, y in at]


def corners(width: float, depth: float, inset: float) -> list[tuple[float, float]]:
    return [(sx * (width / 2 - inset), sy * (depth / 2 - inset)) for sx in (-1, 1) for sy in (-1, 1)]


def table(dice: Dice, width: float, depth: float, height: float) -> Pieces:
    """On trestles, on rods, on a turned foot (then round), or under a cloth."""
    top, thick = coats.timber(dice), dice.uniform(0.02, 0.05)
    kind = dice.pick(("trestle", "rods", "turned", "cloth"), (3, 3, 2, 2))
    if kind == "turned":
        foot = (0, 0, 0.9, 0, 0.85, 0.06, 0.2, 0.16, 0.13, 0.5, 0.24, 0.72, 0.15, 0.9, 0.3, 1, 0, 1)
        plate = (0, 0, 0.96, 0, 1, 0.5, 0.96, 1, 0, 1)
        return [
            piece("lathe", (0, 0, 0), (depth * 0.7, depth * 0.7, height - thick), top, foot),
            piece("lathe", (0, 0, height - thick), (width, depth, thick), top, plate),
        ]
    parts = [block(0, 0, height - thick, (width, depth, thick), top, 0.006)]
    if kind == "trestle":
        parts += [piece("extrusion", (s * width * 0.34, 0, 0), (depth * 0.85, 0.05, height - thick), top, A_FRAME, 90) for s in (-1, 1)]
        return [*parts, block(0, 0, height * 0.45, (width * 0.7, 0.03, 0.08), top)]
    parts += rods(corners(width, depth, 0.07), height - thick, dice.uniform(0.018, 0.035), coats.metal(dice))
    if kind == "cloth":
        reach, fall = dice.uniform(0.15, 0.35), dice.uniform(0.12, 0.3)
        size = (width + 2 * reach, depth + 2 * reach, fall)
        detail = (width / 2 / size[0] + 0.002, depth / 2 / size[1] + 0.002, float(dice.count(3, 6)))
        parts.append(piece("drape", (0, 0, height - fall + 0.004), size, coats.textile(dice), detail))
    return parts


def chair(dice: Dice) -> Pieces:
    """A seat on splayed rods with a bent back, or a tub of one piece."""
    look, seat, width = coats.lacquer(dice) if dice.chance(0.5) else coats.timber(dice), dice.uniform(0.42, 0.47), dice.uniform(0.4, 0.5)
    parts = rods(corners(width, width, 0.04), seat, 0.015, look)
    parts.append(piece("cushion", (0, 0, seat - 0.02), (width, width, dice.uniform(0.04, 0.09)), coats.textile(dice), (0.25,)))
    back = dice.uniform(0.34, 0.5)
    arc = [(0.5 + 0.5 * math.cos(a), 0.5 + 0.5 * math.sin(a), 1.0) for a in (0.2, 0.7, 1.2, 1.57, 1.94, 2.44, 2.94)]
    path = [v for point in arc for v in point]
    kind = dice.pick(("bow", "board", "ladder"))
    if kind == "bow":
        parts += [piece("tube", (0, 0, seat + back * h), (width, width * 0.9, 0.01), look, (0.016, *path)) for h in (0.45, 0.95)]
        ends = [(width * 0.48, 0.09), (0, width * 0.45), (-width * 0.48, 0.09)]
        return parts + moved(rods(ends, back, 0.012, look), 0, 0, seat)
    posts = moved(rods([(-width / 2 + 0.03, width / 2 - 0.03), (width / 2 - 0.03, width / 2 - 0.03)], back, 0.014, look), 0, 0, seat)
    slats = (0.55,) if kind == "board" else (0.2, 0.5, 0.8)
    tall = back * 0.42 if kind == "board" else 0.05
    return parts + posts + [block(0, width / 2 - 0.03, seat + back * h, (width - 0.04, 0.018, tall), look, 0.008) for h in slats]


def sofa(dice: Dice) -> Pieces:
    """Two to four soft seats on a low frame; at times a corner seat, a throw over the back."""
    cloth, seats, seat_w, deep = coats.textile(dice), dice.count(2, 4), dice.uniform(0.5, 0.65), dice.uniform(0.8, 0.95)
    width, arm = seats * seat_w + 0.36, dice.uniform(0.52, 0.64)
    parts = [block(0, 0, 0.1, (width, deep, 0.18), cloth, 0.04), *rods(corners(width, deep, 0.08), 0.1, 0.02, coats.timber(dice))]
    for i in range(seats):
        x = (i - (seats - 1) / 2) * seat_w
        parts.append(piece("cushion", (x, -0.06, 0.27), (seat_w, deep - 0.16, 0.18), cloth, (0.22,)))
        parts.append(piece("cushion", (x, deep / 2 - 0.17, 0.4), (seat_w, 0.2, 0.44), cloth, (0.3,), 0, -10))
    parts += [piece("cushion", (s * (width / 2 - 0.08), 0, 0.2), (0.2, deep, arm - 0.2), cloth, (0.3,)) for s in (-1, 1)]
    if dice.chance(0.35):
        parts.append(piece("cushion", (width / 2 - 0.4, -deep * 0.85, 0.1), (0.72, 0.9, 0.35), cloth, (0.22,)))
    for _ in range(dice.count(0, 3)):
        x = dice.uniform(-0.4, 0.4) * (width - 0.5)
        parts.append(piece("cushion", (x, -0.02, 0.45), (0.42, 0.14, 0.4), coats.textile(dice), (0.5,), dice.uniform(-25, 25), -20))
    return parts


def bed(dice: Dice) -> Pieces:
    width, length, cloth = dice.pick((0.9, 1.4, 1.6)), 2.0, coats.textile(dice)
    parts = [
        block(0, 0, 0.12, (width + 0.04, length + 0.04, 0.16), coats.timber(dice), 0.01),
        piece("cushion", (0, 0, 0.27), (width, length, 0.22), coats.textile(dice), (0.12,)),
        piece("drape", (0, -0.25, 0.3), (width + 0.5, 1.75, 0.21), cloth, (width / 2 / (width + 0.5) + 0.01, 0.4, 4)),
        piece("extrusion", (0, length / 2 + 0.04, 0), (width + 0.1, 0.05, dice.uniform(0.85, 1.2)), coats.timber(dice), _arched(0.72)),
    ]
    for i in range(1 if width < 1.2 else 2):
        x = 0.0 if width < 1.2 else (i - 0.5) * width / 2
        parts.append(piece("cushion", (x, length / 2 - 0.25, 0.44), (0.62, 0.42, 0.16), coats.textile(dice), (0.6,), dice.uniform(-8, 8), 12))
    return parts


def _arched(spring: float) -> tuple[float, ...]:
    """Outline of a board whose top is an arc above `spring`."""
    arc = [(0.5 + 0.5 * math.cos(a * math.pi / 10), spring + (1 - spring) * math.sin(a * math.pi / 10)) for a in range(11)]
    return (0.0, 0.0, 1.0, 0.0, *(v for point in arc for v in point))


def arch(dice: Dice, width: float, height: float, thick: float, opening: float) -> Pieces:
    """A wall with one round-headed opening in its middle."""
    half, spring = opening / width / 2, dice.uniform(0.55, 0.7)
    rise = min(opening / 2 / height, 0.95 - spring)
    arc = [(0.5 - half * math.cos(a * math.pi / 12), spring + rise * math.sin(a * math.pi / 12)) for a in range(13)]
    outline = (0, 0, 0.5 - half, 0, *(v for point in arc for v in point), 0.5 + half, 0, 1, 0, 1, 1, 0, 1)
    return [piece("extrusion", (0, 0, 0), (width, thick, height), coats.wall(dice) if dice.chance(0.6) else coats.stone(dice), outline)]


def stairs(dice: Dice, width: float, steps: int, rise: float, tread: float) -> Pieces:
    """Going up towards +y, with a rail at times."""
    outline = [0.0, 0.0]
    for i in range(steps):
        outline += [i / steps, (i + 1) / steps, (i + 1) / steps, (i + 1) / steps]
    outline += [1.0, 0.0]
    run, look = steps * tread, coats.timber(dice) if dice.chance(0.5) else coats.stone(dice)
    parts = [piece("extrusion", (0, 0, 0), (run, width, steps * rise), look, outline, 90)]
    if dice.chance(0.6):
        rail, side = coats.metal(dice), width / 2 - 0.04
        bar = (0.025, 0.5, 0, 0, 0.5, 0.5, 0.5, 0.5, 1, 1)
        parts.append(piece("tube", (side, 0, rise + 0.9), (0.01, run, (steps - 1) * rise), rail, bar))
        parts += [
            piece("tube", (side, -run / 2 + (i + 0.5) * tread, (i + 1) * rise), (0.01, 0.01, 0.9), rail, (0.01, 0.5, 0.5, 0, 0.5, 0.5, 1))
            for i in range(steps)
        ]
    return parts


def shelf(dice: Dice, width: float, height: float, depth: float = 0.3) -> Pieces:
    """Open boards between rods or sides, with books, jars, boxes and plants on them."""
    look, levels = coats.timber(dice) if dice.chance(0.6) else coats.lacquer(dice), max(2, round(height / dice.uniform(0.32, 0.45)))
    pitch = (height - 0.03) / levels
    parts = [piece("block", (0, 0, 0), (width, depth, 0.022), look, (0.002,), copies=levels + 1, step=(0, 0, pitch))]
    if dice.chance(0.5):
        parts += rods(corners(width, depth, 0.03), height, 0.014, coats.metal(dice))
    else:
        parts += [block(s * (width / 2 - 0.01), 0, 0, (0.022, depth, height), look, 0.002) for s in (-1, 1)]
    for level in range(levels):
        x = -width / 2 + 0.06
        while x < width / 2 - 0.16:
            run = dice.uniform(0.1, 0.3)
            kind = dice.pick(("books", "thing", "nothing"), (5, 3, 1.5))
            if kind == "books":
                parts += moved(books(dice, min(run, width / 2 - 0.05 - x), pitch - 0.04), x, 0, level * pitch + 0.022)
            elif kind == "thing":
                parts += moved(small_thing(dice, min(pitch - 0.05, 0.3), 0.16), x + 0.08, 0, level * pitch + 0.022, dice.uniform(0, 360))
                run = 0.18
            x += run + 0.01
    return parts


def books(dice: Dice, run: float, tallest: float) -> Pieces:
    """Standing books of their own sizes from x = 0 to `run`."""
    parts, x = Pieces(), 0.0
    while x < run - 0.015:
        thick, tall = dice.uniform(0.015, 0.045), min(dice.uniform(0.17, 0.29), tallest)
        parts.append(
            block(x + thick / 2, dice.uniform(-0.02, 0.02), 0, (thick - 0.001, dice.uniform(0.13, 0.2), tall), coats.lacquer(dice), 0.003)
        )
        x += thick
    return parts


def dresser(dice: Dice) -> Pieces:
    """Drawers with bar handles, feet, something on top."""
    width, height, depth, rows = dice.uniform(0.7, 1.6), dice.uniform(0.6, 1.0), dice.uniform(0.4, 0.5), dice.count(2, 4)
    look, knob = coats.timber(dice) if dice.chance(0.6) else coats.lacquer(dice), coats.metal(dice)
    pitch = (height - 0.14) / rows
    parts = [block(0, 0, 0.1, (width, depth, height - 0.1), look, 0.01), *rods(corners(width, depth, 0.06), 0.1, 0.02, knob)]
    parts += [piece("block", (0, -depth / 2, 0.12), (width - 0.04, 0.02, pitch - 0.015), look, (0.004,), copies=rows, step=(0, 0, pitch))]
    parts += [
        piece("block", (0, -depth / 2 - 0.025, 0.12 + pitch / 2), (width * 0.3, 0.02, 0.015), knob, (0.006,), copies=rows, step=(0, 0, pitch))
    ]
    for _ in range(dice.count(1, 3)):
        parts += moved(small_thing(dice, 0.4, 0.25), dice.uniform(-0.4, 0.4) * width, dice.uniform(-0.1, 0.1), height, dice.uniform(0, 360))
    return parts


def floor_lamp(dice: Dice) -> Pieces:
    """A leaning arc with a shade at its end."""
    look, tall, out = coats.metal(dice), dice.uniform(1.4, 1.9), dice.uniform(0.15, 0.6)
    arc = [(0.0, 0.5, 0.0), (0.0, 0.5, 0.5), (0.08, 0.5, 0.8), (0.3, 0.5, 0.96), (0.65, 0.5, 1.0), (1.0, 0.5, 0.94)]
    cone = (0, 0, 1, 0, 0.95, 0.1, 0.45, 1, 0, 1)
    return [
        piece("lathe", (-out / 2, 0, 0), (0.3, 0.3, 0.04), look, (0, 0, 1, 0, 0.9, 0.7, 0.1, 1, 0, 1)),
        piece("tube", (0, 0, 0), (out, 0.01, tall), look, (0.012, *(v for p in arc for v in p))),
        piece("lathe", (out / 2, 0, tall * 0.94 - 0.26), (0.36, 0.36, 0.26), coats.shade(dice), cone),
    ]
