# SPDX-License-Identifier: Apache-2.0
"""What stands out of doors, in true-to-life size, around its own origin on z = 0, its front towards -y."""

from __future__ import annotations

from ..scenes import Dice
from . import coats
from .description import Coat, Piece, moved, piece
from .furniture import block, rods
from .tabletop import box_on_box, pot_plant

Pieces = list[Piece]
GABLE = (0.0, 0.0, 1.0, 0.0, 0.5, 1.0)
CAR = (0.0, 0.14, 0.0, 0.5, 0.05, 0.56, 0.2, 0.62, 0.33, 0.97, 0.37, 1.0, 0.72, 1.0, 0.77, 0.96, 0.9, 0.62, 0.98, 0.56, 1.0, 0.3, 1.0, 0.14)
WHEEL = (0, 0, 0.9, 0, 1, 0.1, 1, 0.9, 0.9, 1, 0, 1)
BIN = (0, 0, 0.85, 0, 0.9, 0.03, 1, 0.8, 1, 0.84, 0.9, 0.92, 0.4, 1, 0, 1)
PARASOL = (1, 0, 0.04, 0.85, 0.04, 1, 0, 1)


def house(dice: Dice) -> Pieces:
    """Two storeys at most, a ridge or flat roof, rows of windows with frames, a door."""
    width, depth, storeys = dice.uniform(6, 14), dice.uniform(6, 10), dice.count(1, 3)
    height, look, frame = storeys * 2.8 + 0.4, coats.wall(dice), coats.lacquer(dice)
    parts = [block(0, 0, 0, (width, depth, height), look, 0.02)]
    if dice.chance(0.7):
        tiles = Coat("bricks", *coats.colours(dice, (0.3, 0.7), (0.2, 0.5), 0.03), 4.0, 0.8)
        parts.append(piece("extrusion", (0, 0, height), (depth + 0.8, width + 0.6, dice.uniform(2, 4)), tiles, GABLE, 90))
        parts.append(block(width * 0.25, depth * 0.2, height, (0.7, 0.7, dice.uniform(3, 4.5)), coats.stone(dice)))
    else:
        parts.append(block(0, 0, height, (width + 0.4, depth + 0.4, 0.35), coats.stone(dice)))
    columns, window = max(2, int(width / 2.6)), coats.pane(dice)
    window = Coat("plain", (0.05, 0.07, 0.1), (0.1, 0.1, 0.1), 1.0, 0.08) if dice.chance(0.7) else window
    pitch = width / columns
    for storey in range(storeys):
        first = (-width / 2 + pitch / 2, -depth / 2, storey * 2.8 + 1.1)
        skip = 1 if storey == 0 else 0
        rest = (first[0] + skip * pitch, first[1] - 0.02, first[2])
        if columns > skip:
            parts.append(piece("block", rest, (1.3, 0.1, 1.5), frame, (0.01,), copies=columns - skip, step=(pitch, 0, 0)))
            inner = (rest[0], rest[1] - 0.03, rest[2] + 0.1)
            parts.append(piece("block", inner, (1.1, 0.08, 1.3), window, (0,), copies=columns - skip, step=(pitch, 0, 0)))
    return [*parts, block(-width / 2 + pitch / 2, -depth / 2 - 0.02, 0, (1.05, 0.12, 2.15), coats.timber(dice), 0.01)]


def car(dice: Dice) -> Pieces:
    """A long low body with a cabin, dark panes and four wheels; its nose towards -x."""
    length, width, height = dice.uniform(3.8, 4.8), dice.uniform(1.7, 1.85), dice.uniform(1.4, 1.65)
    paint, dark = (
        Coat("plain", *coats.colours(dice, (0, 0.9), (0.1, 0.9)), 1.0, 0.2, dice.pick((0.0, 0.6))),
        Coat("plain", (0.02, 0.02, 0.02), (0.02, 0.02, 0.02), 1.0, 0.5),
    )
    screen = Coat("plain", (0.03, 0.04, 0.05), (0.03, 0.04, 0.05), 1.0, 0.05)
    window = (0.25, 0.64, 0.36, 0.94, 0.71, 0.94, 0.84, 0.64)
    parts = [
        piece("extrusion", (0, 0, 0.06), (length, width, height - 0.06), paint, CAR),
        piece("extrusion", (0, 0, 0.06), (length, width + 0.02, height - 0.06), screen, window),
    ]
    for x in (-0.32, 0.3):
        for side in (-1, 1):
            parts.append(piece("lathe", (x * length, side * (width / 2 - 0.1) + 0.1, 0.32), (0.64, 0.64, 0.2), dark, WHEEL, 0, 90))
    return parts


def tree(dice: Dice) -> Pieces:
    """A bent trunk, two boughs, and a crown of several lumps; or a bare conifer of drooping blades."""
    tall, trunk = dice.uniform(3.5, 9), Coat("grain", *coats.colours(dice, (0.2, 0.5), (0.15, 0.4), 0.07), 3.0, 0.95)
    bend = (0.03 * tall, 0.5, 0.5, 0, 0.6, 0.55, 0.4, 0.45, 0.5, 0.75, 0.5, 0.5, 1)
    parts = [piece("tube", (0, 0, 0), (tall * 0.12, tall * 0.12, tall * 0.75), trunk, bend)]
    leaf = coats.foliage(dice)
    if dice.chance(0.3):
        for i in range(5):
            wide = tall * (0.5 - 0.08 * i)
            parts.append(piece("leaves", (0, 0, tall * (0.18 + 0.15 * i)), (wide, wide, tall * 0.22), leaf, (22, 0.5, 1.2), 40.0 * i))
        return parts
    for i in range(dice.count(3, 6)):
        r = tall * dice.uniform(0.16, 0.26)
        x, y = tall * dice.uniform(-0.16, 0.16), tall * dice.uniform(-0.16, 0.16)
        parts.append(piece("lump", (x, y, tall * dice.uniform(0.45, 0.72)), (2 * r, 2 * r, 1.7 * r), leaf, (0.16, dice.uniform(0, 6)), 50.0 * i))
    return parts


def bush(dice: Dice) -> Pieces:
    wide, tall = dice.uniform(0.5, 1.6), dice.uniform(0.4, 1.3)
    if dice.chance(0.35):
        return [piece("leaves", (0, 0, 0), (wide, wide, tall), coats.foliage(dice), (dice.count(30, 60), 0.12, dice.uniform(0.3, 1)))]
    return [piece("lump", (0, 0, -0.1 * tall), (wide, wide * 0.9, tall), coats.foliage(dice), (0.15, dice.uniform(0, 6)))]


def street_light(dice: Dice) -> Pieces:
    tall, look = dice.uniform(3.5, 7), coats.metal(dice)
    arc = [(0.0, 0.5, 0.0), (0.0, 0.5, 0.6), (0.03, 0.5, 0.88), (0.25, 0.5, 0.98), (1.0, 0.5, 1.0)]
    return [
        piece("tube", (0.5, 0, 0), (1.0, 0.01, tall), look, (0.06, *(v for p in arc for v in p))),
        block(1.1, 0, tall - 0.1, (0.5, 0.2, 0.1), look),
        piece("lathe", (0, 0, 0), (0.3, 0.3, 0.5), look, BIN),
    ]


def fence(dice: Dice, length: float) -> Pieces:
    """Pickets and two rails along x."""
    tall, gap, look = dice.uniform(0.8, 1.7), dice.uniform(0.11, 0.2), coats.timber(dice) if dice.chance(0.6) else coats.lacquer(dice)
    count = int(length / gap)
    pickets = piece("block", (-length / 2, 0, 0.05), (0.08, 0.02, tall), look, (0.004,), copies=count, step=(gap, 0, 0))
    return [pickets, *(block(0, 0.03, tall * h, (length, 0.03, 0.08), look) for h in (0.25, 0.8))]


def bench(dice: Dice) -> Pieces:
    length, look = dice.uniform(1.3, 1.9), coats.timber(dice)
    parts = [piece("block", (0, -0.16, 0.43), (length, 0.08, 0.03), look, (0.004,), copies=4, step=(0, 0.11, 0))]
    parts += [piece("block", (0, 0.24, 0.56), (length, 0.025, 0.08), look, (0.004,), copies=3, step=(0, 0.02, 0.12))]
    return parts + rods([(s * length * 0.4, y) for s in (-1, 1) for y in (-0.15, 0.2)], 0.44, 0.03, coats.metal(dice))


def shelter(dice: Dice) -> Pieces:
    """Where one waits for a bus: posts, a flat roof, a glass back, a bench."""
    look, width = coats.metal(dice), dice.uniform(2.5, 3.8)
    parts = rods([(s * width / 2, y) for s in (-1, 1) for y in (-0.6, 0.6)], 2.4, 0.04, look)
    parts += [block(0, 0, 2.4, (width + 0.3, 1.6, 0.1), look, 0.02), block(0, 0.6, 0.2, (width - 0.1, 0.012, 2.0), coats.glass(dice), 0)]
    return parts + moved(bench(dice), 0, 0.2)


def garden_set(dice: Dice) -> Pieces:
    """A round table under a parasol, or a tent-like swing frame."""
    look, cloth = coats.metal(dice), coats.textile(dice)
    top = (0, 0, 0.96, 0, 1, 0.5, 0.96, 1, 0, 1)
    tall = dice.uniform(2.1, 2.6)
    return [
        *rods([(0.0, 0.0)], tall, 0.022, look),
        piece("lathe", (0, 0, 0.7), (1.0, 1.0, 0.03), coats.lacquer(dice), top),
        piece("lathe", (0, 0, 0), (0.5, 0.5, 0.08), coats.stone(dice), top),
        piece("lathe", (0, 0, tall - 0.45), (dice.uniform(2, 3),) * 2 + (0.45,), cloth, PARASOL),
    ]


def small_outdoor(dice: Dice) -> Pieces:
    """A dustbin, bollards, crates, a stone, a traffic cone's cousin, tubs with plants."""
    kind = dice.pick(("bin", "bollards", "crates", "stone", "tub", "board"))
    if kind == "bin":
        return [piece("lathe", (0, 0, 0), (0.55, 0.55, dice.uniform(0.8, 1.1)), coats.metal(dice), BIN)]
    if kind == "bollards":
        return [
            piece(
                "lathe",
                (0, 0, 0),
                (0.16, 0.16, 0.95),
                coats.metal(dice),
                (0, 0, 1, 0, 1, 0.85, 0.8, 0.88, 1, 0.92, 0.7, 1, 0, 1),
                copies=dice.count(2, 5),
                step=(1.4, 0, 0),
            )
        ]
    if kind == "crates":
        return box_on_box(dice, dice.uniform(0.6, 1.5), dice.uniform(0.5, 1.0))
    if kind == "stone":
        r = dice.uniform(0.3, 1.0)
        return [piece("lump", (0, 0, -0.1 * r), (1.6 * r, 1.3 * r, r), coats.stone(dice), (0.1, dice.uniform(0, 6)))]
    if kind == "tub":
        return pot_plant(dice, dice.uniform(0.7, 1.6))
    return [*rods([(-0.4, 0.0), (0.4, 0.0)], 1.5, 0.03, coats.metal(dice)), block(0, -0.03, 0.8, (1.0, 0.03, 0.75), coats.painting(dice))]
