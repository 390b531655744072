# SPDX-License-Identifier: Apache-2.0
"""From a seed to a Cycles place: rooms, tables, shelves, streets and gardens, seen as people see them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from ..scenes import Dice, Vector, rounded
from . import coats, furniture, outdoors
from .description import Coat, CyclesPlace, Panel, Piece, Setting, Viewpoint, Weather, moved, piece
from .tabletop import box_on_box, laid, pot_plant, small_thing

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


def over(dice: Dice, width: float, depth: float, top: float) -> View:
    """Sitting at or standing by a table, looking at what is on it."""
    up, back = dice.uniform(0.25, 0.75), dice.uniform(0.2, 0.6)
    eye = rounded(dice.uniform(-0.4, 0.4) * width, -depth / 2 - back, top + up)
    return View(eye, rounded(dice.uniform(-0.12, 0.12), dice.uniform(-0.05, 0.2), top + dice.uniform(0, 0.08)), "tabletop")


def around_table(dice: Dice, pieces: Pieces, view: View) -> Drawn:
    """A table at the origin inside a furnished room."""
    room = Room(dice.uniform(1.6, 2.6), dice.uniform(3.4, 5.5), dice.uniform(2.4, 2.8))
    behind = dice.uniform(1.5, 2.2)
    parts = moved(shell(dice, room) + along_walls(dice, room, WALL_SIDE, 1.4), 0, -behind)
    panels = tuple(
        Panel(
            rounded(p.place[0], p.place[1] - behind, p.place[2]),
            rounded(p.target[0], p.target[1] - behind, p.target[2]),
            p.watts,
            p.side,
            p.colour,
        )
        for p in room_panels(dice, room)
    )
    return Drawn(view, parts + pieces, panels, DIM)


def draw_tabletop(dice: Dice) -> Drawn:
    width, depth, top = dice.uniform(0.8, 1.6), dice.uniform(0.6, 0.9), dice.uniform(0.71, 0.77)
    parts = furniture.table(dice, width, depth, top)
    if dice.chance(0.5):
        tower = box_on_box(dice, dice.uniform(0.15, 0.4), dice.uniform(0.12, 0.35))
        parts += moved(tower, dice.uniform(-0.2, 0.2) * width, dice.uniform(-0.1, 0.2) * depth, top + 0.004, dice.uniform(0, 90))
        parts += laid(dice, width, depth, top + 0.004, dice.count(3, 8), 0.3, 0.2)
    else:
        parts += laid(dice, width, depth, top + 0.004, dice.count(5, 14), 0.4, 0.3)
    return around_table(dice, parts, over(dice, width, depth, top))


def draw_worktop(dice: Dice) -> Drawn:
    """A kitchen counter with cupboards below and above."""
    top, deep, look, front = dice.uniform(0.88, 0.93), 0.62, coats.stone(dice), coats.lacquer(dice)
    parts = [
        furniture.block(0, 0, top - 0.04, (3.2, deep, 0.04), look, 0.004),
        furniture.block(0, 0.02, 0.1, (3.2, deep - 0.06, top - 0.14), front),
        piece("block", (-1.25, -deep / 2 + 0.02, 0.12), (0.58, 0.02, top - 0.2), front, (0.006,), copies=5, step=(0.62, 0, 0)),
        piece("block", (-1.25, deep / 2 - 0.18, top + 0.55), (0.6, 0.34, 0.7), front, (0.006,), copies=5, step=(0.62, 0, 0)),
        furniture.block(
            0, deep / 2 + 0.02, top, (3.2, 0.02, 0.55), Coat("bricks", *coats.colours(dice, (0, 0.5), (0.5, 0.95)), 5.0, 0.2), 0
        ),
    ]
    spout = (0.014, 0.5, 0.9, 0, 0.5, 0.9, 0.7, 0.5, 0.7, 1, 0.5, 0.2, 1, 0.5, 0, 0.8)
    parts.append(piece("tube", (dice.uniform(-0.8, 0.8), 0.1, top), (0.01, 0.24, 0.32), coats.metal(dice), spout))
    parts += laid(dice, 2.4, deep * 0.8, top, dice.count(6, 12), 0.4, 0.3)
    view = over(dice, 1.4, deep, top)
    room = Room(1.8, 3.4, 2.6)
    shifted = moved(shell(dice, room), 0, deep / 2 + 0.03 - room.deep)
    panels = (Panel((0.0, -0.8, 2.5), (0.0, 0.0, 0.9), dice.uniform(60, 130), dice.uniform(0.3, 1.2), (1.0, 0.95, 0.85)),)
    return Drawn(view, shifted + parts, panels, DIM)


def draw_shelf(dice: Dice) -> Drawn:
    """Standing before a wall of shelves."""
    room = Room(dice.uniform(1.6, 2.2), dice.uniform(2.4, 3.4), 2.6)
    wide = dice.uniform(0.8, 1.2)
    parts = shell(dice, room)
    for i in (-1, 0, 1):
        if i == 0 or dice.chance(0.7):
            parts += moved(furniture.shelf(dice, wide, dice.uniform(1.3, 2.1), dice.uniform(0.26, 0.38)), i * (wide + 0.05), room.deep - 0.2)
    parts += moved(
        dice.pick((furniture.chair, floor_plant, furniture.floor_lamp))(dice), dice.uniform(-0.7, 0.7), room.deep - 0.8, 0, dice.uniform(0, 360)
    )
    eye = rounded(dice.uniform(-0.8, 0.8), room.deep - dice.uniform(1.3, 2.2), dice.uniform(1.2, 1.75))
    return Drawn(
        View(eye, rounded(dice.uniform(-0.3, 0.3), room.deep, dice.uniform(0.7, 1.3)), "eye height"), parts, room_panels(dice, room), DIM
    )


def daylight(dice: Dice) -> Weather:
    if dice.chance(0.3):
        return Weather(rounded(0.75, 0.82, dice.uniform(0.85, 1.0)), dice.uniform(0.7, 1.3), 0.0, 0.0, 0.0)
    return Weather((0.5, 0.6, 0.8), dice.uniform(2.0, 3.5), dice.uniform(2.5, 5), dice.uniform(12, 60), dice.uniform(0, 360))


def _outside(view: View, parts: Pieces, dice: Dice, cover: Coat) -> Drawn:
    earth = piece("block", (0, 0, -0.5), (2400, 2400, 0.5), cover, (0,))
    return Drawn(view, [earth, *parts], (), daylight(dice))


def draw_street(dice: Dice) -> Drawn:
    """A road along y between pavements, houses, parked cars, lights, trees."""
    half, walk = dice.uniform(2.6, 4.0), dice.uniform(1.4, 2.6)
    parts = [furniture.block(s * (half + walk / 2), 60, 0, (walk, 140, 0.13), coats.ground(dice), 0.01) for s in (-1, 1)]
    for side in (-1, 1):
        y = dice.uniform(2, 8)
        while y < 70:
            parts += moved(outdoors.house(dice), side * (half + walk + dice.uniform(4, 7)), y + 5, 0, side * -90)
            y += dice.uniform(12, 20)
        for y in (dice.uniform(5, 9), dice.uniform(11, 18), dice.uniform(20, 40)):
            if dice.chance(0.6):
                parts += moved(outdoors.car(dice), side * (half - 1.0), y, 0, dice.pick((90, -90)))
        for i in range(dice.count(1, 4)):
            thing = dice.pick((outdoors.small_outdoor, outdoors.street_light, outdoors.tree, outdoors.bench, outdoors.bush))(dice)
            parts += moved(thing, side * (half + walk * 0.7), dice.uniform(2.8, 7) + 6 * i, 0.13, 0 if side < 0 else 180)
        if dice.chance(0.4):
            parts += moved(outdoors.shelter(dice), side * (half + walk * 0.5), dice.uniform(5, 14), 0.13, -side * 90)
    x = dice.uniform(-1, 1) * (half + walk * 0.5)
    floor = 0.13 if abs(x) > half else 0.0
    view = View(rounded(x, 0, floor + dice.uniform(1.4, 1.85)), rounded(-0.25 * x, 20, dice.uniform(0.6, 2.4)), "eye height")
    return _outside(view, parts, dice, coats.ground(dice))


def draw_yard(dice: Dice) -> Drawn:
    """Open paved ground before a house or two: benches, steps, tubs, a fence, poles."""
    parts = Pieces()
    for i in range(dice.count(1, 3)):
        parts += moved(outdoors.house(dice), dice.uniform(-9, 9) + 14 * (i - 1), dice.uniform(11, 26), 0, dice.uniform(-30, 30))
    makers = (outdoors.small_outdoor, outdoors.bench, outdoors.garden_set, outdoors.street_light, outdoors.car, outdoors.bush, outdoors.tree)
    for _ in range(dice.count(6, 13)):
        y = dice.log_uniform(2.4, 14)
        parts += moved(dice.pick(makers)(dice), dice.uniform(-0.75, 0.75) * (y + 1), y, 0, dice.uniform(0, 360))
    if dice.chance(0.5):
        parts += moved(
            furniture.stairs(dice, 1.8, dice.count(3, 7), 0.17, 0.3), dice.uniform(-3, 3), dice.uniform(4, 8), 0, dice.uniform(-40, 40)
        )
    if dice.chance(0.5):
        parts += moved(furniture.arch(dice, 3.2, 3.0, 0.4, 1.8), dice.uniform(-3, 3), dice.uniform(5, 9), 0, dice.uniform(-30, 30))
    view = View(rounded(0, 0, dice.uniform(1.2, 1.85)), rounded(dice.uniform(-2.5, 2.5), 9, dice.uniform(0.2, 1.6)), "eye height")
    return _outside(view, parts, dice, coats.ground(dice))


def draw_garden(dice: Dice) -> Drawn:
    """A lawn with bushes, trees, a fence and garden furniture; a third of the time from low down or from a balcony."""
    length = dice.uniform(10, 22)
    parts = moved(outdoors.fence(dice, length), 0, dice.uniform(8, 16))
    if dice.chance(0.6):
        parts += moved(outdoors.fence(dice, length), -length / 2, length / 4, 0, 90)
    makers = (outdoors.bush, outdoors.bush, outdoors.tree, outdoors.garden_set, outdoors.bench, outdoors.small_outdoor, furniture.chair)
    for _ in range(dice.count(7, 15)):
        y = dice.log_uniform(2.2, 15)
        parts += moved(dice.pick(makers)(dice), dice.uniform(-0.8, 0.8) * (y + 1), y, 0, dice.uniform(0, 360))
    if dice.chance(0.6):
        parts += moved(outdoors.house(dice), dice.uniform(-10, 10), dice.uniform(18, 30), 0, dice.uniform(-30, 30))
    height = dice.pick((dice.uniform(1.2, 1.8), dice.uniform(0.3, 0.8), dice.uniform(2.5, 4.5)), (5, 1.5, 1.5))
    viewpoint: Viewpoint = "eye height" if 1.1 <= height <= 1.9 else "other"
    view = View(rounded(0, 0, height), rounded(dice.uniform(-2, 2), 9, 1.0 if height < 2 else -0.5), viewpoint)
    return _outside(view, parts, dice, coats.lawn(dice))


DRAW: dict[Setting, Callable[[Dice], Drawn]] = {
    "living": draw_living,
    "dining": draw_dining,
    "office": draw_office,
    "bedroom": draw_bedroom,
    "hall": draw_hall,
    "tabletop": draw_tabletop,
    "worktop": draw_worktop,
    "shelf": draw_shelf,
    "street": draw_street,
    "yard": draw_yard,
    "garden": draw_garden,
}
WEIGHTS = (5, 3, 3, 2.5, 4, 10, 4, 3.5, 6, 5, 5)


def draw_place(seed: int) -> CyclesPlace:
    """The place of a seed, always the same."""
    dice = Dice(seed)
    setting = dice.pick(tuple(DRAW), WEIGHTS)
    drawn = DRAW[setting](dice)
    fov = dice.pick((dice.uniform(38, 66), 45.0, 58.0), (3, 1, 1))
    view = drawn.view
    assert math.dist(view.eye, view.target) > 0.1
    return CyclesPlace(
        seed,
        setting,
        view.viewpoint,
        view.eye,
        view.target,
        fov,
        tuple(drawn.pieces),
        drawn.panels,
        drawn.weather,
        dice.pick(("AgX", "Standard", "Filmic")),
        dice.uniform(-0.4, 0.6),
        dice.pick((12, 24, 48)),
        dice.chance(0.6),
    )
