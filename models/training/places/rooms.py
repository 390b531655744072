# SPDX-License-Identifier: Apache-2.0
"""Rooms people live and work in: living rooms, bedrooms, offices, kitchens, halls with stairs and arches, store rooms."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ..scenes import Dice, Vector
from . import finishes as looks
from . import fixtures
from .building import Parts, box, extent, moved, post, thing
from .description import Opening, PlaceKind, Source, Thing, Viewpoint, vec
from .furniture import SETS, any_table, bookshelf, chair, heap
from .outdoors import broadleaf, house, person
from .small_things import stack
from .staging import FloorPlan, Scenery, camera, clear_view, towards
from .weather import indoors, sun


def eye(dice: Dice) -> tuple[Viewpoint, float]:
    """Standing 1.4 to 1.8 m or sitting 1.1 to 1.3 m above the floor."""
    return ("standing", dice.uniform(1.4, 1.8)) if dice.chance(0.72) else ("sitting", dice.uniform(1.05, 1.3))


class Shell:
    """A room's walls being filled: openings, lights and what hangs, each stretch of wall used once."""

    def __init__(self, dice: Dice, low: Vector, high: Vector, photos: Sequence[str]) -> None:
        self.low, self.high, self.photos = low, high, photos
        self.openings: list[Opening] = []
        self.things: list[Thing] = []
        self.lights: list[Source] = []
        self._used: dict[int, list[tuple[float, float]]] = {i: [] for i in range(4)}
        self.walls = fixtures.walls_of(low, high)
        if dice.chance(0.7):
            self.things.append(fixtures.skirting(dice, low, high))

    def _free(self, wall: int, along: float, width: float) -> bool:
        begin, end = along - width / 2 - 0.1, along + width / 2 + 0.1
        free = all(end < a or begin > b for a, b in self._used[wall]) and abs(along) + width / 2 + 0.1 < self.walls[wall].span / 2
        if free:
            self._used[wall].append((begin, end))
        return free

    def add_windows(self, dice: Dice, count: int) -> None:
        for _ in range(count):
            wall = self.walls[dice.count(0, 3)]
            width, sill = dice.uniform(0.6, 2.2), dice.pick((dice.uniform(0.75, 1.0), dice.uniform(0.05, 0.2)), (4, 1))
            along = dice.uniform(-0.4, 0.4) * wall.span
            if self._free(wall.index, along, width + 0.3):
                top = min(self.high[1] - 0.2, dice.uniform(1.9, 2.3))
                opening, things, light = fixtures.window(dice, wall, along, width, sill, top)
                self.openings.append(opening)
                self.things += things
                self.lights.append(light)

    def decorate(self, dice: Dice, doors: int, pictures: int) -> None:
        for _ in range(doors):
            wall = self.walls[dice.count(0, 3)]
            along = dice.uniform(-0.45, 0.45) * wall.span
            if self._free(wall.index, along, 1.05):
                self.things.append(wall.put("door", fixtures.door(dice), along))
        for _ in range(pictures):
            wall = self.walls[dice.count(0, 3)]
            parts, width, height = fixtures.hanging(dice, self.photos)
            along = dice.uniform(-0.45, 0.45) * wall.span
            if self._free(wall.index, along, width):
                self.things.append(wall.put("hanging", parts, along, max(0.9, dice.uniform(1.4, 1.65) - height / 2)))

    def add_lamps(self, dice: Dice) -> None:
        middle = [(a + b) / 2 for a, b in zip(self.low, self.high, strict=True)]
        for _ in range(dice.pick((1, 2), (3, 1))):
            x = middle[0] + dice.uniform(-0.25, 0.25) * (self.high[0] - self.low[0])
            z = middle[2] + dice.uniform(-0.25, 0.25) * (self.high[2] - self.low[2])
            body, light = fixtures.ceiling_lamp(dice, x, z, self.high[1])
            self.things.append(body)
            self.lights.append(light)

    def light(self, dice: Dice) -> None:
        """Lamps unless daylight is enough; the sun through a window now and then."""
        if len(self.lights) == 0 or dice.chance(0.45):
            self.add_lamps(dice)
        self.lights = sorted(self.lights, key=lambda light: -light.strength)[:2]
        if self.openings and dice.chance(0.4):
            inward = {0: 270.0, 1: 90.0, 2: 180.0, 3: 0.0}[self.openings[0].wall]
            self.lights.append(sun(dice, inward + dice.uniform(-50, 50)))


def outlook(dice: Dice, low: Vector, high: Vector, level: float) -> list[Thing]:
    """What windows look at: trees and houses some way off."""
    out = []
    for _ in range(dice.count(0, 4)):
        turn, far = dice.uniform(0, 360), dice.uniform(12, 40)
        at = (far * math.sin(math.radians(turn)), level, far * math.cos(math.radians(turn)))
        out.append(thing("outlook", dice.pick((broadleaf, house))(dice), at, dice.uniform(0, 360), casts=False))
    return out


def _finish(dice: Dice, shell: Shell, plan: FloorPlan, viewpoint: Viewpoint, position: Vector, aim: Vector) -> Scenery:
    around = indoors(dice, shell.low, shell.high, tuple(shell.openings))
    shell.light(dice)
    yaw, pitch = towards(position, aim)
    view = camera(dice, position, yaw + dice.uniform(-8, 8), min(max(pitch + dice.uniform(-6, 6), -10), 38))
    things = [*plan.things, *shell.things]
    if shell.openings:
        things += outlook(dice, shell.low, shell.high, around.outside_level)
    fill = dice.uniform(0.12, 0.5)
    warm = dice.uniform(0.75, 1.0) if not shell.openings else dice.uniform(0.95, 1.1)
    return Scenery(viewpoint, view, around, clear_view(things, view, 0.3), tuple(shell.lights), vec(fill, fill * (1 + warm) / 2, fill * warm))


def _stand(dice: Dice, half_x: float, half_z: float, height: float) -> tuple[Vector, Vector]:
    """A place to look from near one side, and a point beyond the middle to look at."""
    position = vec(dice.uniform(-0.8, 0.8) * half_x, height, -half_z + dice.uniform(0.15, 0.9))
    aim = vec(dice.uniform(-0.6, 0.6) * half_x, dice.uniform(0.35, 1.25), dice.uniform(-0.1, 0.8) * half_z)
    return position, aim


def furnished(dice: Dice, photos: Sequence[str], kind: PlaceKind) -> Scenery:
    """A room of a kind: things along the walls, a group in the middle, pictures, windows, a lamp."""
    half_x, half_z, tall = dice.uniform(1.5, 3.4), dice.uniform(1.7, 3.8), dice.uniform(2.35, 3.1)
    low, high = vec(-half_x, 0, -half_z), vec(half_x, tall, half_z)
    shell = Shell(dice, low, high, photos)
    shell.add_windows(dice, dice.pick((0, 1, 2, 3), (2, 4, 3, 1)))
    shell.decorate(dice, dice.count(0, 2), dice.count(1, 7))
    plan = FloorPlan((-half_x + 0.02, -half_z + 0.02), (half_x - 0.02, half_z - 0.02))
    catalogue = SETS["dining" if kind == "living" and dice.chance(0.3) else kind]
    weights = tuple(weight for _, weight in catalogue.values())
    if dice.chance(0.55):
        _middle_group(dice, plan, kind)
    for _ in range(dice.count(4, 9)):
        name = dice.pick(tuple(catalogue), weights)
        parts = catalogue[name][0](dice)
        if name in ("office chair", "chair", "stool", "coffee table", "heap", "bin") and dice.chance(0.7):
            plan.anywhere(dice, name, parts)
        else:
            plan.against_wall(dice, name, parts)
    if dice.chance(0.45):
        plan.things.append(
            thing(
                "rug",
                fixtures.rug(dice),
                (dice.uniform(-0.3, 0.3) * half_x, 0, dice.uniform(-0.3, 0.4) * half_z),
                dice.pick((0.0, 90.0, dice.uniform(0, 180))),
                False,
            )
        )
    if dice.chance(0.12):
        plan.anywhere(dice, "person", person(dice))
    viewpoint, height = eye(dice)
    return _finish(dice, shell, plan, viewpoint, *_stand(dice, half_x, half_z, height))


def _middle_group(dice: Dice, plan: FloorPlan, kind: PlaceKind) -> None:
    """A table with chairs around it."""
    x, z, yaw = dice.uniform(-0.6, 0.6), dice.uniform(-0.2, 1.0), dice.pick((0.0, 90.0, dice.uniform(0, 180)))
    parts = any_table(dice)
    low, high = extent(parts)
    seat = chair(dice)
    group: Parts = list(parts)
    for side in (-1, 1):
        for share in (-0.25, 0.25) if high[0] - low[0] > 1.2 else (0.0,):
            if dice.chance(0.75):
                out = side * ((high[2] - low[2]) / 2 + dice.uniform(-0.05, 0.3))
                group += moved(seat, (share * (high[0] - low[0]), 0, out), (180.0 if side > 0 else 0.0) + dice.uniform(-15, 15))
    plan.try_at("dining group", group, x, z, yaw)


def kitchen(dice: Dice, photos: Sequence[str], kind: PlaceKind) -> Scenery:
    """A run of cabinets with a worktop on the far wall, perhaps a second run, a fridge, a table."""
    half_x, half_z, tall = dice.uniform(1.2, 2.6), dice.uniform(1.3, 2.6), dice.uniform(2.35, 2.8)
    low, high = vec(-half_x, 0, -half_z), vec(half_x, tall, half_z)
    shell = Shell(dice, low, high, photos)
    plan = FloorPlan((-half_x, -half_z), (half_x, half_z))
    run = dice.uniform(1.2, 2 * half_x - 0.75)
    shift = dice.uniform(-1, 1) * (half_x - run / 2 - 0.01)
    plan.things.append(thing("counter", fixtures.counter(dice, run), (shift, 0, half_z), 180.0))
    plan.taken.append((shift - run / 2, half_z - 0.65, shift + run / 2, half_z))
    if dice.chance(0.75):
        plan.against_wall(dice, "fridge", fixtures.fridge(dice))
    if dice.chance(0.35):
        side = dice.pick((-1, 1))
        length = dice.uniform(1.0, 2.0)
        plan.things.append(thing("counter", fixtures.counter(dice, length), (side * half_x, 0, half_z - 0.7 - length / 2), -90.0 * side))
        plan.taken.append((side * half_x - 0.65, half_z - 0.7 - length, side * half_x + 0.65, half_z - 0.7))
    for _ in range(dice.count(0, 4)):
        name = dice.pick(("chair", "table", "stool", "bin"))
        plan.anywhere(dice, name, {"table": any_table, "chair": chair, **{n: SETS["dining"][n][0] for n in ("stool", "bin")}}[name](dice))
    shell.add_windows(dice, dice.count(0, 1))
    shell.decorate(dice, 1, dice.count(0, 2))
    viewpoint, height = eye(dice)
    position = vec(dice.uniform(-0.7, 0.7) * half_x, height, dice.uniform(-0.95, -0.1) * half_z)
    return _finish(dice, shell, plan, viewpoint, position, vec(shift + dice.uniform(-0.5, 0.5), dice.uniform(0.6, 1.2), half_z - 0.3))


def hall(dice: Dice, photos: Sequence[str], kind: PlaceKind) -> Scenery:
    """A corridor, a hall with columns, a flight of stairs, rooms behind arches."""
    half_x, half_z, tall = dice.pick((dice.uniform(0.8, 1.4), dice.uniform(1.8, 4.5))), dice.uniform(3.0, 8.0), dice.uniform(2.4, 4.2)
    low, high = vec(-half_x, 0, -half_z), vec(half_x, tall, half_z)
    shell = Shell(dice, low, high, photos)
    shell.add_windows(dice, dice.count(0, 3))
    shell.decorate(dice, dice.count(1, 4), dice.count(0, 5))
    plan = FloorPlan((-half_x + 0.02, -half_z + 0.02), (half_x - 0.02, half_z - 0.02))
    z = dice.uniform(0.0, 0.6) * half_z
    if dice.chance(0.55):
        count = max(1, min(4, round(2 * half_x / dice.uniform(1.6, 3.0))))
        plan.things.append(thing("arches", fixtures.arch_wall(dice, 2 * half_x, tall, looks.wall(dice), count), (0, 0, z)))
        plan.taken.append((-half_x, z - 0.3, half_x, z + 0.3))
    if dice.chance(0.6):
        width, steps = dice.uniform(0.85, min(1.8, 1.9 * half_x)), dice.count(4, 14)
        flight = fixtures.stairs(dice, width, steps)
        plan.try_at(
            "stairs",
            flight,
            dice.uniform(-1, 1) * max(half_x - width / 2 - 0.05, 0),
            dice.uniform(-0.5, 0.6) * half_z,
            dice.pick((180.0, 90.0, -90.0), (4, 1, 1)),
        )
    if half_x > 1.8 and dice.chance(0.5):
        look, r = looks.stone(dice), dice.uniform(0.12, 0.3)
        for i in range(dice.count(2, 4)):
            for side in (-1, 1):
                column = moved([*([box((0, 0, 0), (2.6 * r, 0.15, 2.6 * r), look)]), post((0, 0.15, 0), r, tall - 0.15, look)], (0, 0, 0))
                plan.try_at("column", column, side * half_x * 0.6, -0.5 * half_z + i * 1.8, 0.0)
    for _ in range(dice.count(1, 6)):
        name = dice.pick(("cabinet", "house plant", "chair", "heap", "table", "bookshelf"))
        parts = {"heap": heap, "bookshelf": bookshelf, "chair": chair, "table": any_table}.get(name, SETS["living"].get(name, (heap, 1))[0])(
            dice
        )
        plan.against_wall(dice, name, parts)
    if dice.chance(0.35):
        plan.anywhere(dice, "person", person(dice))
    viewpoint, height = eye(dice)
    position = vec(dice.uniform(-0.6, 0.6) * half_x, height, dice.uniform(-0.95, -0.45) * half_z)
    return _finish(
        dice, shell, plan, viewpoint, position, vec(dice.uniform(-0.5, 0.5) * half_x, dice.uniform(0.6, 1.6), half_z * dice.uniform(0.2, 1))
    )


def storage(dice: Dice, photos: Sequence[str], kind: PlaceKind) -> Scenery:
    """A garage, cellar or store: racks, boxes on boxes, crates, things left standing."""
    half_x, half_z, tall = dice.uniform(1.4, 4.0), dice.uniform(1.6, 5.0), dice.uniform(2.3, 4.0)
    low, high = vec(-half_x, 0, -half_z), vec(half_x, tall, half_z)
    shell = Shell(dice, low, high, photos)
    shell.add_windows(dice, dice.count(0, 1))
    shell.decorate(dice, dice.count(0, 2), dice.count(0, 2))
    plan = FloorPlan((-half_x + 0.02, -half_z + 0.02), (half_x - 0.02, half_z - 0.02))
    for _ in range(dice.count(1, 3)):
        plan.against_wall(dice, "rack", rack(dice))
    for _ in range(dice.count(5, 14)):
        parts = stack(dice, dice.uniform(0.25, 0.75), boxes=dice.chance(0.85))
        (plan.anywhere if dice.chance(0.6) else plan.against_wall)(dice, "stack", parts)
    viewpoint, height = eye(dice)
    return _finish(dice, shell, plan, viewpoint, *_stand(dice, half_x, half_z, height))


def rack(dice: Dice) -> Parts:
    """Open shelving of posts and boards, laden with boxes."""
    w, h, d, look = dice.uniform(0.8, 2.0), dice.uniform(1.5, 2.2), dice.uniform(0.35, 0.6), looks.metal(dice)
    board, levels = dice.pick((looks.wood, looks.painted))(dice), dice.count(3, 5)
    parts = [box((x * (w / 2 - 0.02), 0, z * (d / 2 - 0.02)), (0.04, h, 0.04), look) for x in (-1, 1) for z in (-1, 1)]
    for i in range(levels):
        y = 0.1 + i * (h - 0.15) / (levels - 1)
        parts.append(box((0, y, 0), (w, 0.025, d), board))
        x = -w / 2 + 0.06
        while x < w / 2 - 0.2 and i < levels:
            bw, bh = dice.uniform(0.15, 0.5), dice.uniform(0.12, 0.36)
            if x + bw < w / 2 and dice.chance(0.75):
                parts.append(
                    box(
                        (x + bw / 2, y + 0.025, dice.uniform(-0.04, 0.04)),
                        (bw, bh, dice.uniform(0.5, 0.95) * d),
                        looks.carton(dice),
                        dice.uniform(-6, 6),
                    )
                )
            x += bw + dice.uniform(0.01, 0.12)
    return parts


ROOMS: dict[PlaceKind, Callable[[Dice, Sequence[str], PlaceKind], Scenery]] = {
    "living": furnished,
    "office": furnished,
    "bedroom": furnished,
    "kitchen": kitchen,
    "hall": hall,
    "storage": storage,
}
