# SPDX-License-Identifier: Apache-2.0
"""Cycles places seen from near: tables, worktops, walls of shelves."""

from __future__ import annotations

from ..scenes import Dice, rounded
from . import coats, furniture
from .description import Coat, Panel, moved, piece
from .rooms import DIM, WALL_SIDE, Drawn, Pieces, Room, View, along_walls, floor_plant, room_panels, shell
from .tabletop import box_on_box, laid


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
        furniture.block(0, deep / 2 + 0.02, top, (3.2, 0.02, 0.55), Coat("bricks", *coats.colours(dice, (0, 0.5), (0.5, 0.95)), 5.0, 0.2), 0),
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
