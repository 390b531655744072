# SPDX-License-Identifier: Apache-2.0
"""Cycles places out of doors: streets, yards, gardens under sun or cloud."""

from __future__ import annotations

from ..scenes import Dice, rounded
from . import coats, furniture, outdoors
from .description import Coat, Viewpoint, Weather, moved, piece
from .rooms import Drawn, Pieces, View


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
