# SPDX-License-Identifier: Apache-2.0
"""Rooms of Cycles places: walls with what hangs on them, furniture along them, light, and eyes at the height people have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..scenes import Dice, Vector, rounded
from . import coats, furniture
from .description import Coat, Panel, Piece, Viewpoint, Weather, moved, piece
from .tabletop import laid, pot_plant, small_thing

Pieces = list[Piece]
DIM = Weather((0.9, 0.95, 1.0), 0.25, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class View:
    eye: Vector
    target: Vector
    viewpoint: Viewpoint


@dataclass(frozen=True)
class Drawn:
    view: View
    pieces: Pieces
    panels: tuple[Panel, ...]
    weather: Weather


@dataclass(frozen=True)
class Room:
    """Inside x in [-half, half], y in [0, deep], z in [0, height]."""

    half: float
    deep: float
    height: float


def shell(dice: Dice, room: Room) -> Pieces:
    """Floor, ceiling, walls with skirting, a door, framed pictures, mirrors and windows that are flat."""
    half, deep, height, look = room.half, room.deep, room.height, coats.wall(dice)
    flat = Coat("plain", *coats.colours(dice, (0, 0.08), (0.8, 0.95)), 1.0, 0.9)
    parts = [
        furniture.block(0, deep / 2, -0.1, (2 * half + 0.4, deep + 0.4, 0.1), coats.floor(dice), 0),
        furniture.block(0, deep / 2, height, (2 * half + 0.4, deep + 0.4, 0.1), flat, 0),
        furniture.block(0, deep + 0.1, 0, (2 * half + 0.4, 0.2, height), coats.wall(dice) if dice.chance(0.4) else look, 0),
        furniture.block(0, -0.1, 0, (2 * half + 0.4, 0.2, height), look, 0),
        furniture.block(-half - 0.1, deep / 2, 0, (0.2, deep, height), look, 0),
        furniture.block(half + 0.1, deep / 2, 0, (0.2, deep, height), look, 0),
    ]
    board = coats.lacquer(dice)
    parts += [furniture.block(s * (half - 0.008), deep / 2, 0, (0.016, deep, 0.09), board) for s in (-1, 1)]
    parts.append(furniture.block(0, deep - 0.008, 0, (2 * half, 0.016, 0.09), board))
    for wall, span in ((0, 2 * half), (1, deep), (2, deep)):
        for _ in range(dice.count(0, 2)):
            hung = on_wall(dice, height)
            along = dice.uniform(-0.36, 0.36) * span
            if wall == 0:
                parts += moved(hung, along, deep)
            else:
                side = -1 if wall == 1 else 1
                parts += moved(hung, side * half, deep / 2 + along, 0, -side * 90)
    return parts


def on_wall(dice: Dice, height: float) -> Pieces:
    """What hangs on a wall at y = 0 whose room lies towards -y."""
    kind = dice.pick(("window", "painting", "mirror", "door", "boards", "curtain"), (4, 4, 1, 2, 1.5, 1.5))
    frame = coats.lacquer(dice) if dice.chance(0.5) else coats.timber(dice)
    if kind == "door":
        return [
            furniture.block(0, -0.03, 0, (1.0, 0.06, 2.08), frame, 0.01),
            furniture.block(0, -0.05, 0.02, (0.86, 0.05, 2.0), coats.lacquer(dice), 0.005),
            piece("tube", (0.32, -0.1, 1.0), (0.12, 0.01, 0.01), coats.metal(dice), (0.01, 0, 0.5, 0, 1, 0.5, 0)),
        ]
    if kind == "boards":
        parts = Pieces()
        for i in range(dice.count(1, 3)):
            parts.append(furniture.block(0, -0.11, 1.15 + 0.35 * i, (dice.uniform(0.6, 1.1), 0.22, 0.025), frame))
            for x in (-0.18, 0.15):
                parts += moved(small_thing(dice, 0.28, 0.16), x, -0.11, 1.175 + 0.35 * i, dice.uniform(0, 360))
        return parts
    wide, tall = dice.uniform(0.4, 1.6), dice.uniform(0.4, 1.3)
    low = min(dice.uniform(0.8, 1.5), height - tall - 0.15)
    face = {"painting": coats.painting(dice), "mirror": coats.mirror()}.get(kind, coats.pane(dice))
    parts = [
        furniture.block(0, -0.015, low, (wide, 0.03, tall), frame, 0.006),
        furniture.block(0, -0.025, low + 0.04, (wide - 0.08, 0.02, tall - 0.08), face, 0),
    ]
    if kind in ("window", "curtain"):
        parts.append(furniture.block(0, -0.03, low, (0.04, 0.03, tall), frame))
    if kind == "curtain":
        cloth = coats.textile(dice)
        hang = low + tall + 0.1
        parts += [piece("curtain", (s * (wide / 2), -0.1, 0.03), (0.55, 0.1, hang), cloth, (float(dice.count(3, 6)), 1.0)) for s in (-1, 1)]
        parts.append(piece("tube", (0, -0.1, hang), (wide + 0.9, 0.01, 0.01), coats.metal(dice), (0.012, 0, 0.5, 0, 1, 0.5, 0)))
    return parts


def room_panels(dice: Dice, room: Room, watts: float = 1.0) -> tuple[Panel, ...]:
    """A ceiling light, and daylight from one side at times."""
    warm = rounded(1.0, dice.uniform(0.75, 1.0), dice.uniform(0.5, 1.0))
    x, y = dice.uniform(-0.4, 0.4) * room.half, dice.uniform(0.35, 0.75) * room.deep
    area = room.half * 2 * room.deep
    panels = [
        Panel(rounded(x, y, room.height - 0.05), rounded(x, y, 0), round(watts * dice.uniform(6, 14) * area, 4), dice.uniform(0.3, 1.2), warm)
    ]
    if dice.chance(0.6):
        side = dice.pick((-1, 1))
        at = rounded(side * (room.half - 0.06), room.deep * dice.uniform(0.3, 0.8), 1.6)
        panels.append(Panel(at, rounded(0, room.deep / 2, 0.6), round(watts * dice.uniform(4, 12) * area, 4), 1.2, (0.8, 0.9, 1.0)))
    return tuple(panels)


def stand_in(dice: Dice, room: Room, low: float = 1.1, high: float = 1.8) -> View:
    """From near the front wall, looking across the room."""
    x = dice.uniform(-0.75, 0.75) * room.half
    target = rounded(-x * dice.uniform(-0.2, 0.8), room.deep * dice.uniform(0.55, 0.95), dice.uniform(0.3, 1.1))
    return View(rounded(x, dice.uniform(0.25, 0.6), dice.uniform(low, high)), target, "eye height")


def along_walls(dice: Dice, room: Room, makers: tuple[Callable[[Dice], Pieces], ...], gap: float, behind: bool = True) -> Pieces:
    """Furniture with its back to the walls, `gap` metres apart; none at the far wall unless `behind`."""
    parts = Pieces()
    back = int((2 * room.half - 0.8) / gap) if behind else 0
    for i in range(back):
        if dice.chance(0.8):
            x = -room.half + 0.4 + (i + 0.5) * (2 * room.half - 0.8) / back
            parts += moved(dice.pick(makers)(dice), x, room.deep - 0.35)
    for side in (-1, 1):
        for i in range(int((room.deep - 2.4) / gap)):
            if dice.chance(0.65):
                parts += moved(dice.pick(makers)(dice), side * (room.half - 0.35), 1.6 + (i + 0.5) * gap, 0, -side * 90)
    return parts


def tall_shelf(dice: Dice) -> Pieces:
    return furniture.shelf(dice, dice.uniform(0.6, 1.1), dice.uniform(0.9, 2.0))


def floor_plant(dice: Dice) -> Pieces:
    return pot_plant(dice, dice.uniform(0.6, 1.5))


WALL_SIDE: tuple[Callable[[Dice], Pieces], ...] = (tall_shelf, furniture.dresser, floor_plant, furniture.floor_lamp, tall_shelf)


def set_table(dice: Dice, chairs: int) -> Pieces:
    """A table with chairs around it and things on it."""
    width, depth, height = dice.uniform(0.9, 1.9), dice.uniform(0.75, 0.95), dice.uniform(0.72, 0.76)
    parts = furniture.table(dice, width, depth, height) + laid(dice, width, depth, height + 0.004, dice.count(2, 7))
    style = Dice(dice.count(0, 1_000_000))
    seed = style.count(0, 1_000_000)
    for i in range(chairs):
        side, x = (-1 if i % 2 else 1), (i // 2 - (chairs - 1) // 4) * 0.62
        seat = furniture.chair(Dice(seed))  # chairs of a set are alike
        parts += moved(seat, x, side * (depth / 2 + dice.uniform(0.12, 0.4)), 0, (0 if side > 0 else 180) + dice.uniform(-25, 25))
    return parts


def draw_living(dice: Dice) -> Drawn:
    room = Room(dice.uniform(1.9, 3.0), dice.uniform(3.8, 6.5), dice.uniform(2.4, 2.9))
    y = room.deep * dice.uniform(0.55, 0.75)
    parts = shell(dice, room) + along_walls(dice, room, WALL_SIDE, 1.3)
    parts.append(furniture.block(0, y - 1.0, 0, (2.0, 1.5, 0.012), coats.textile(dice), 0.004))
    parts += moved(furniture.sofa(dice), dice.uniform(-0.4, 0.4), y, 0, dice.pick((0.0, 20.0, -20.0, 180.0), (4, 2, 2, 1)))
    low = furniture.table(dice, dice.uniform(0.7, 1.1), dice.uniform(0.5, 0.7), 0.42) + laid(dice, 0.8, 0.5, 0.424, dice.count(1, 5), 0.3)
    parts += moved(low, dice.uniform(-0.3, 0.3), y - 1.2, 0, dice.uniform(-20, 20))
    if dice.chance(0.5):
        parts += moved(furniture.chair(dice), dice.pick((-1, 1)) * room.half * 0.6, y - 1.3, 0, dice.uniform(0, 360))
    return Drawn(stand_in(dice, room), parts, room_panels(dice, room), DIM)


def draw_dining(dice: Dice) -> Drawn:
    room = Room(dice.uniform(1.8, 2.8), dice.uniform(3.6, 5.5), dice.uniform(2.4, 2.9))
    parts = shell(dice, room) + along_walls(dice, room, WALL_SIDE, 1.4)
    parts += moved(set_table(dice, dice.count(2, 6)), dice.uniform(-0.4, 0.4), room.deep * 0.55, 0, dice.uniform(-30, 30))
    return Drawn(stand_in(dice, room), parts, room_panels(dice, room), DIM)


def draw_office(dice: Dice) -> Drawn:
    room = Room(dice.uniform(1.7, 3.0), dice.uniform(3.2, 6.0), dice.uniform(2.5, 2.9))
    parts = shell(dice, room) + along_walls(dice, room, (tall_shelf, tall_shelf, furniture.dresser, floor_plant), 1.2)
    for i in range(dice.count(1, 3)):
        desk = furniture.table(dice, dice.uniform(1.1, 1.6), dice.uniform(0.65, 0.8), 0.73) + laid(dice, 1.1, 0.6, 0.734, dice.count(3, 7))
        x, y = dice.uniform(-0.5, 0.5) * room.half, room.deep * (0.45 + 0.2 * i)
        parts += moved(desk, x, y, 0, dice.uniform(-15, 15)) + moved(
            furniture.chair(dice), x + dice.uniform(-0.2, 0.2), y - 0.6, 0, dice.uniform(140, 220)
        )
    return Drawn(stand_in(dice, room), parts, room_panels(dice, room, 1.2), DIM)


def draw_bedroom(dice: Dice) -> Drawn:
    room = Room(dice.uniform(1.7, 2.4), dice.uniform(3.5, 4.8), dice.uniform(2.4, 2.7))
    parts = shell(dice, room) + along_walls(dice, room, (furniture.dresser, tall_shelf, furniture.floor_lamp), 1.6, False)
    parts += moved(furniture.bed(dice), dice.uniform(-0.3, 0.3) * room.half, room.deep - 1.08)
    return Drawn(stand_in(dice, room), parts, room_panels(dice, room), DIM)


def draw_hall(dice: Dice) -> Drawn:
    """A long room crossed by arches, with stairs, pillars or both."""
    room = Room(dice.uniform(1.8, 3.2), dice.uniform(7, 14), dice.uniform(2.9, 4.0))
    parts = shell(dice, room)
    style = dice.count(0, 1_000_000)
    for i in range(dice.count(1, 3)):
        crossing = furniture.arch(Dice(style), 2 * room.half, room.height, 0.3, room.half * dice.uniform(0.9, 1.3))
        parts += moved(crossing, 0, room.deep * (0.38 + 0.22 * i))
    rise, steps = dice.uniform(0.15, 0.18), dice.count(6, 13)
    if dice.chance(0.75):
        side = dice.pick((-1, 1))
        parts += moved(
            furniture.stairs(dice, 1.1, steps, rise, 0.28), side * (room.half - 0.6), dice.uniform(3.2, 4.5), 0, dice.pick((0.0, 180.0))
        )
    pillar = (0, 0, 1, 0, 1, 0.04, 0.7, 0.06, 0.68, 0.5, 0.6, 0.9, 0.75, 0.93, 1, 0.96, 1, 1, 0, 1)
    if dice.chance(0.5):
        for s in (-1, 1):
            at = (s * room.half * 0.7, room.deep * 0.25, 0)
            parts.append(piece("lathe", at, (0.42, 0.42, room.height), coats.stone(dice), pillar, copies=3, step=(0, 2.2, 0)))
    parts += along_walls(dice, Room(room.half, room.deep, room.height), (floor_plant, floor_plant, furniture.chair, furniture.dresser), 2.4)
    view = View(rounded(dice.uniform(-0.4, 0.4) * room.half, 0.4, dice.uniform(1.3, 1.8)), rounded(0, room.deep * 0.6, 1.1), "eye height")
    return Drawn(view, parts, room_panels(dice, room, 1.2), DIM)
