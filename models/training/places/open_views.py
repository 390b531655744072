# SPDX-License-Identifier: Apache-2.0
"""Out of doors: streets between houses, gardens, parks and yards, seen from eye height or from a balcony."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ..scenes import Dice
from . import finishes as looks
from .building import Parts, box, thing
from .description import Finish, PlaceKind, Thing, Viewpoint, vec
from .outdoors import GARDEN, STREET, car, hedge, hill, house, tower, wall
from .staging import FloorPlan, Scenery, camera, clear_view
from .weather import open_air, skylight, sun


def _eye(dice: Dice) -> tuple[Viewpoint, float]:
    views: tuple[tuple[Viewpoint, float], ...] = (
        ("standing", dice.uniform(1.4, 1.8)),
        ("sitting", dice.uniform(1.05, 1.3)),
        ("raised", dice.uniform(2.5, 7)),
    )
    return dice.pick(views, (7, 1.5, 1.5))


def _road(dice: Dice, half: float, long: float, walk: float) -> list[Thing]:
    """Asphalt with marks, and raised pavements on both sides."""
    grey = dice.uniform(0.25, 0.5)
    tar = Finish("leaves", looks.hsv(0.6, 0.04, grey), looks.hsv(0.6, 0.04, grey * 0.7), 0.3, 0.0, dice.uniform(0.2, 0.6), 0.1)
    slabs = Finish(
        dice.pick(("paving", "tiles", "bricks")),
        looks.hsv(0.1, 0.08, dice.uniform(0.4, 0.75)),
        looks.hsv(0.1, 0.08, 0.3),
        dice.uniform(0.3, 0.7),
        0.0,
        0.4,
    )
    white = Finish("plain", (0.8, 0.8, 0.78), (0.8, 0.8, 0.78), grime=0.4)
    out = [thing("road", [box((0, 0, long / 2 - 8), (2 * half, 0.01, long), tar)], (0, 0, 0), casts=False)]
    out += [
        thing("pavement", [box((s * (half + walk / 2), 0, long / 2 - 8), (walk, 0.12, long), slabs)], (0, 0, 0), casts=False) for s in (-1, 1)
    ]
    if dice.chance(0.7):
        marks: Parts = [box((0, 0, 2 + 6 * i), (0.13, 0.014, 3), white) for i in range(7)]
        out.append(thing("marks", marks, (0, 0, 0), casts=False))
    if dice.chance(0.25):
        out.append(
            thing(
                "crossing",
                [box((-half + 0.6 + 1.0 * i, 0, 0), (0.5, 0.015, 3), white) for i in range(int(2 * half))],
                (0, 0, dice.uniform(5, 16)),
                casts=False,
            )
        )
    return out


def street(dice: Dice, photos: Sequence[str], kind: PlaceKind) -> Scenery:
    """A street that runs away from the camera, or one seen across."""
    half, walk, long = dice.uniform(2.6, 5.0), dice.uniform(1.4, 3.5), dice.uniform(60, 140)
    across = dice.chance(0.25)
    around = open_air(dice, looks.ground(dice))
    plan = FloorPlan((-60, -20), (60, 160))
    plan.things += _road(dice, half, long, walk)
    row = half + walk + dice.uniform(0.0, 5.0)
    for side in (-1, 1):
        z = dice.uniform(-12, 4)
        while z < 75:
            build = tower if dice.chance(0.12) else house
            deep = dice.uniform(4, 6)
            if dice.chance(0.85):
                plan.try_at("house", build(dice), side * (row + deep), z + 6, -90.0 * side)
            elif dice.chance(0.6):
                plan.try_at("border", dice.pick((hedge, wall))(dice), side * row, z + 5, 90.0)
            z += dice.uniform(8, 15)
    for _ in range(dice.count(1, 8)):
        side = dice.pick((-1, 1))
        plan.try_at("car", car(dice), side * (half - dice.pick((1.1, 2.6))), dice.log_uniform(4, 45), 90.0 * side + dice.uniform(-4, 4), 0.01)
    for _ in range(dice.count(4, 12)):
        name = dice.pick(tuple(STREET), tuple(weight for _, weight in STREET.values()))
        side, off = dice.pick((-1, 1)), dice.uniform(0.3, walk)
        plan.try_at(name, STREET[name][0](dice), side * (half + off), dice.log_uniform(3, 45), dice.uniform(0, 360), 0.12)
    viewpoint, tall = _eye(dice)
    x = dice.uniform(-1, 1) * (half + walk * 0.6)
    position = vec(x, tall + 0.12, dice.uniform(-1, 1))
    yaw = dice.uniform(35, 80) * (-1 if x > 0 else 1) if across else dice.uniform(-18, 18)
    view = camera(dice, position, yaw, dice.uniform(-8, 10) + (8 if viewpoint == "raised" else 0))
    return Scenery(viewpoint, view, around, clear_view(plan.things, view, 0.5), (sun(dice),), skylight(around))


def garden(dice: Dice, photos: Sequence[str], kind: PlaceKind) -> Scenery:
    """A lawn, park or yard: trees, bushes, fences, a house, hills far away."""
    around = open_air(dice, looks.ground(dice))
    plan = FloorPlan((-90, 1.0), (90, 140))
    if dice.chance(0.45):
        plan.try_at("house", house(dice), dice.uniform(-9, 9), dice.uniform(9, 25), 180 + dice.uniform(-40, 40))
    if dice.chance(0.4):
        look = replace(looks.ground(dice), bump=0.05)
        plan.things.append(
            thing(
                "path", [box((0, 0, 20), (dice.uniform(0.9, 2.5), 0.012, 60), look)], (dice.uniform(-2, 2), 0, 0), dice.uniform(-35, 35), False
            )
        )
    for _ in range(dice.count(5, 16)):
        name = dice.pick(tuple(GARDEN), tuple(weight for _, weight in GARDEN.values()))
        z = dice.log_uniform(2.2, 60)
        plan.try_at(name, GARDEN[name][0](dice), dice.uniform(-0.9, 0.9) * (z + 1.5), z, dice.uniform(0, 360))
    if dice.chance(0.2):
        plan.anywhere(dice, "car", car(dice))
    if dice.chance(0.45):
        for _ in range(dice.count(1, 4)):
            far = dice.log_uniform(120, 800)
            plan.things.append(thing("hill", hill(dice, far), (dice.uniform(-0.8, 0.8) * far, 0, far), casts=False))
    viewpoint, tall = _eye(dice)
    position = vec(0, tall, 0)
    view = camera(dice, position, dice.uniform(-20, 20), dice.uniform(-7, 14) + (8 if viewpoint == "raised" else 0))
    return Scenery(viewpoint, view, around, clear_view(plan.things, view, 0.5), (sun(dice),), skylight(around))


OPEN: dict[PlaceKind, Callable[[Dice, Sequence[str], PlaceKind], Scenery]] = {"street": street, "garden": garden}
