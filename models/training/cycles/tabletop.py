# SPDX-License-Identifier: Apache-2.0
"""Small things of true-to-life size, and tables full of them; a box on a box among them."""

from __future__ import annotations

import math

from ..scenes import Dice
from . import coats
from .description import Piece, moved, piece

Pieces = list[Piece]
CUP = (0, 0, 0.7, 0, 0.85, 0.15, 1, 0.95, 1, 1, 0.92, 1, 0.8, 0.2, 0, 0.12)
BOTTLE = (0, 0, 0.9, 0, 1, 0.05, 1, 0.55, 0.85, 0.68, 0.36, 0.8, 0.34, 0.94, 0.42, 0.95, 0.42, 1, 0, 1)
VASE = (0, 0, 0.5, 0, 0.9, 0.2, 1, 0.4, 0.75, 0.68, 0.4, 0.84, 0.55, 1, 0.48, 1, 0.33, 0.84, 0.3, 0.6, 0, 0.5)
BOWL = (0, 0, 0.4, 0, 0.42, 0.08, 0.8, 0.45, 1, 1, 0.95, 1, 0.75, 0.5, 0.35, 0.16, 0, 0.14)
PLATE = (0, 0, 0.55, 0, 0.6, 0.2, 1, 0.85, 1, 1, 0.6, 0.4, 0, 0.35)
JAR = (0, 0, 0.95, 0, 1, 0.05, 1, 0.72, 0.8, 0.82, 0.8, 0.85, 0.88, 0.85, 0.88, 1, 0, 1)
CANDLE = (0, 0, 1, 0, 1, 0.08, 0.3, 0.14, 0.25, 0.3, 0.3, 0.34, 0.3, 1, 0, 1)
LAMP = (0, 0, 0.55, 0, 0.5, 0.06, 0.2, 0.12, 0.3, 0.3, 0.1, 0.5, 0, 0.5)
SHADE = (0.96, 0, 1, 0, 0.6, 1, 0.56, 1)
FUNNEL = (0, 0, 0.2, 0, 0.25, 0.3, 1, 1, 0.95, 1, 0, 0.35)
WEDGE = (0.0, 0.0, 1.0, 0.0, 1.0, 1.0)
TENT = (0.0, 0.0, 0.06, 0.0, 0.5, 0.92, 0.94, 0.0, 1.0, 0.0, 0.53, 1.0, 0.47, 1.0)
THINGS = (
    "cup",
    "bottle",
    "vase",
    "bowl",
    "plates",
    "jar",
    "candle",
    "lamp",
    "carton",
    "tower",
    "books",
    "fruit",
    "laptop",
    "card",
    "wedge",
    "plant",
    "star",
    "cloth",
    "basket",
    "torch",
)


def box_on_box(dice: Dice, tallest: float, reach: float) -> Pieces:
    """Two to four boxes, each on the one below and turned a little."""
    parts, z = Pieces(), 0.0
    w, d = reach * dice.uniform(0.6, 1), reach * dice.uniform(0.45, 0.9)
    count = dice.count(2, 4)
    for _ in range(count):
        h = tallest / count * dice.uniform(0.4, 0.9)
        look = dice.pick((coats.timber, coats.lacquer, coats.textile, coats.stone))(dice)
        parts.append(piece("block", (0, 0, z), (w, d, h), look, (min(h, w) * dice.uniform(0.01, 0.08),), dice.uniform(-25, 25)))
        z, w, d = z + h, w * dice.uniform(0.6, 0.95), d * dice.uniform(0.6, 0.95)
    return parts


def _turned(dice: Dice, kind: str, tallest: float, reach: float) -> Pieces | None:
    """What comes off a potter's wheel or a lathe; None for other kinds."""
    facts = {
        "cup": (CUP, (0.07, 0.1), 1.0),
        "bottle": (BOTTLE, (0.18, 0.34), 0.3),
        "vase": (VASE, (0.14, 0.35), 0.6),
        "jar": (JAR, (0.08, 0.2), 0.6),
        "bowl": (BOWL, (0.05, 0.11), 2.2),
        "candle": (CANDLE, (0.12, 0.3), 0.45),
        "torch": (FUNNEL, (0.1, 0.2), 0.8),
    }
    if kind not in facts:
        return None
    profile, heights, aspect = facts[kind]
    tall = min(dice.uniform(*heights), tallest)
    wide = min(tall * aspect * dice.uniform(0.8, 1.25), reach)
    look = coats.glass(dice) if kind in ("bottle", "jar") and dice.chance(0.35) else dice.pick((coats.glazed, coats.glazed, coats.metal))(dice)
    parts = [piece("lathe", (0, 0, 0), (wide, wide, tall), look, profile)]
    if kind == "cup" and dice.chance(0.7):
        ring = [(0.5 + 0.5 * math.cos(a), 0.5, 0.5 + 0.5 * math.sin(a)) for a in (-2.0, -1.2, -0.5, 0.2, 0.9, 1.5, 2.1)]
        parts.append(piece("tube", (wide * 0.55, 0, tall * 0.25), (tall * 0.35, 0.01, tall * 0.5), look, (0.006, *(v for p in ring for v in p))))
    if kind == "bowl" and dice.chance(0.6):
        for i in range(dice.count(2, 5)):
            r = wide * dice.uniform(0.22, 0.34)
            x, y = wide * 0.2 * math.cos(i * 2.4), wide * 0.2 * math.sin(i * 2.4)
            parts.append(piece("lump", (x, y, tall * 0.35 + 0.01 * i), (r, r, r * 0.92), coats.glazed(dice), (0.03, dice.uniform(0, 6))))
    return parts


def _laptop(dice: Dice) -> Pieces:
    w, d, look = dice.uniform(0.28, 0.36), dice.uniform(0.2, 0.25), coats.metal(dice)
    screen = coats.painting(dice)
    lid, lean = piece("block", (0, d / 2, 0.01), (w, 0.008, d), look, (0.003,), 0, -dice.uniform(5, 30)), dice.uniform(5, 30)
    lid = piece("block", lid.place, lid.size, look, (0.003,), 0, -lean)
    face = piece("block", (0, d / 2 - 0.006, 0.02), (w * 0.94, 0.003, d * 0.86), screen, (0,), 0, -lean)
    return [
        piece("block", (0, 0, 0), (w, d, 0.016), look, (0.004,)),
        piece("block", (0, 0.02, 0.016), (w * 0.85, d * 0.5, 0.003), coats.lacquer(dice), (0,)),
        lid,
        face,
    ]


def _flat_stack(dice: Dice, kind: str, tallest: float, reach: float) -> Pieces:
    """Lying books or plates on each other."""
    parts, z = Pieces(), 0.0
    wide = min(reach, dice.uniform(0.16, 0.27))
    for _ in range(dice.count(2, 6)):
        if kind == "plates":
            parts.append(piece("lathe", (0, 0, z), (wide, wide, 0.025), coats.glazed(dice) if not parts else parts[0].coat, PLATE))
            z += 0.011
        else:
            h = dice.uniform(0.012, 0.045)
            size = (wide * dice.uniform(0.8, 1), wide * dice.uniform(0.6, 0.75), h)
            parts.append(piece("block", (0, 0, z), size, coats.lacquer(dice), (0.003,), dice.uniform(-20, 20)))
            z += h
        if z > tallest - 0.05:
            break
    return parts


def _other(dice: Dice, kind: str, tallest: float, reach: float) -> Pieces:
    tall = min(dice.uniform(0.1, 0.35), tallest)
    wide = min(dice.uniform(0.1, 0.3), reach)
    if kind == "lamp":
        h = min(0.5, tallest)
        lit = piece("lathe", (0, 0, h * 0.45), (min(0.3, reach * 1.2), min(0.3, reach * 1.2), h * 0.5), coats.shade(dice), SHADE)
        return [piece("lathe", (0, 0, 0), (h * 0.5, h * 0.5, h), coats.glazed(dice), LAMP), lit]
    if kind == "fruit":
        r = min(dice.uniform(0.06, 0.2), wide)
        return [piece("lump", (0, 0, 0), (r, r, r * dice.uniform(0.6, 1)), coats.glazed(dice), (dice.uniform(0.02, 0.12), dice.uniform(0, 6)))]
    if kind == "card":
        return [piece("extrusion", (0, 0, 0), (wide * 0.6, wide, wide * 0.7), coats.painting(dice), TENT, 90)]
    if kind == "wedge":
        return [piece("extrusion", (0, 0, 0), (wide, wide * 0.6, min(wide * 0.5, tall)), dice.pick((coats.textile, coats.stone))(dice), WEDGE)]
    if kind == "star":
        count = dice.count(5, 9)
        tips = [
            (
                0.5 + (0.5 if i % 2 == 0 else 0.28) * math.cos(math.pi * i / count),
                0.5 + (0.5 if i % 2 == 0 else 0.28) * math.sin(math.pi * i / count),
            )
            for i in range(2 * count)
        ]
        side = min(wide, tall)
        return [piece("extrusion", (0, 0, 0), (side, dice.uniform(0.02, 0.06), side), coats.metal(dice), [v for p in tips for v in p])]
    if kind == "cloth":
        return [piece("drape", (0, 0, 0), (wide * 1.3, wide, min(0.06, tall)), coats.textile(dice), (0.12, 0.1, float(dice.count(2, 5))))]
    if kind == "basket":
        rings = [
            piece(
                "lathe",
                (0, 0, i * 0.03),
                (wide * (0.8 + 0.05 * i), wide * (0.8 + 0.05 * i), 0.026),
                coats.timber(dice),
                (0.88, 0, 1, 0.5, 0.9, 1),
            )
            for i in range(max(1, min(4, int(tall / 0.03))))
        ]
        return [*rings, piece("cushion", (0, 0, 0), (wide * 0.7, wide * 0.7, min(0.12, tall)), coats.textile(dice), (0.8,))]
    return [piece("block", (0, 0, 0), (wide, wide * dice.uniform(0.3, 0.9), tall), dice.pick((coats.lacquer, coats.painting))(dice), (0.002,))]


def pot_plant(dice: Dice, height: float) -> Pieces:
    """A pot with blades or a small crown."""
    pot, wide = height * dice.uniform(0.22, 0.35), height * dice.uniform(0.5, 0.9)
    profile = (0, 0, 0.7, 0, 0.95, 0.85, 1, 0.9, 1, 1, 0.85, 1, 0.8, 0.85, 0, 0.85)
    parts = [piece("lathe", (0, 0, 0), (pot * 1.05, pot * 1.05, pot), coats.glazed(dice), profile)]
    if dice.chance(0.7):
        detail = (dice.count(9, 26), dice.uniform(0.12, 0.4), dice.uniform(0.2, 0.9))
        return [*parts, piece("leaves", (0, 0, pot * 0.8), (wide, wide, height - pot * 0.8), coats.foliage(dice), detail)]
    trunk = (0.012 + 0.01 * height, 0.5, 0.5, 0, 0.6, 0.5, 0.5, 0.5, 0.5, 1)
    crown = height * 0.45
    return [
        *parts,
        piece("tube", (0, 0, pot * 0.8), (0.1, 0.1, height - pot - crown * 0.6), coats.timber(dice), trunk),
        piece("lump", (0, 0, height - crown), (wide * 0.8, wide * 0.8, crown), coats.foliage(dice), (0.14, dice.uniform(0, 6))),
    ]


def small_thing(dice: Dice, tallest: float, reach: float) -> Pieces:
    """Something at most about `tallest` high and `reach` across."""
    kind = dice.pick(THINGS)
    if kind == "tower":
        return box_on_box(dice, min(tallest, 0.4), min(reach, 0.3))
    if kind == "plant":
        return pot_plant(dice, min(tallest, dice.uniform(0.15, 0.4)))
    if kind == "laptop" and min(tallest, reach) > 0.28:
        return _laptop(dice)
    if kind in ("books", "plates"):
        return _flat_stack(dice, kind, tallest, reach)
    return _turned(dice, kind, tallest, reach) or _other(dice, kind, tallest, reach)


def laid(dice: Dice, width: float, depth: float, height: float, count: int, tallest: float = 0.5, reach: float = 0.3) -> Pieces:
    """Things spread over a surface, apart from each other."""
    parts = Pieces()
    taken: list[tuple[float, float]] = []
    for _ in range(count):
        x, y = dice.uniform(-0.42, 0.42) * width, dice.uniform(-0.4, 0.4) * depth
        near = min((math.hypot(x - a, y - b) for a, b in taken), default=9.0)
        if near < 0.12:
            continue
        taken.append((x, y))
        turn = dice.pick((0.0, dice.uniform(0, 360)), (1, 3))
        parts += moved(small_thing(dice, tallest, min(reach, max(1.3 * near - 0.08, 0.1))), x, y, height, turn)
    return parts
