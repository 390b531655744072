# SPDX-License-Identifier: Apache-2.0
"""Things seen from near: on a table 0.25 to 0.7 m below the camera, on a worktop, on shelves, stacked on a floor."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ..scenes import Dice
from . import finishes as looks
from . import fixtures
from .building import Parts, extent, moved, part, thing
from .description import PlaceKind, Source, Thing, Viewpoint, vec
from .furniture import SETS, bookshelf, cabinet, chair, table
from .outdoors import GARDEN, house
from .rooms import Shell, outlook, rack
from .small_things import SMALL, crumpled, small_thing, stack
from .staging import FloorPlan, Scenery, camera, clear_view, towards
from .weather import indoors, open_air, skylight, sun


def _objects(dice: Dice, width: float, depth: float, count: int) -> tuple[Parts, tuple[float, float]]:
    """Known things, stacks and single solids spread over a surface of y = 0, and where one of them stands."""
    out: Parts = []
    taken: list[tuple[float, float, float]] = []
    taste = dice.pick(("known", "stacks", "mixed"), (4, 3, 3))
    for _ in range(count):
        known = taste == "known" or (taste == "mixed" and dice.chance(0.5))
        parts = small_thing(dice)[1] if known else stack(dice, dice.log_uniform(0.05, 0.22), boxes=dice.chance(0.7))
        low, high = extent(parts)
        reach = max(high[0] - low[0], high[2] - low[2]) / 2
        for _ in range(4):
            x, z = dice.uniform(-0.5, 0.5) * max(width - 2 * reach, 0.05), dice.uniform(-0.5, 0.5) * max(depth - 2 * reach, 0.05)
            if all((x - a) ** 2 + (z - b) ** 2 > (0.75 * (reach + r)) ** 2 for a, b, r in taken):
                out += moved(parts, (x, 0, z), dice.pick((0.0, dice.uniform(0, 360)), (1, 3)))
                taken.append((x, z, reach))
                break
    return out, dice.pick(taken)[:2] if taken else (0.0, 0.0)


def _as_things(parts: Parts, name: str, at: tuple[float, float, float], yaw: float = 0.0) -> list[Thing]:
    """Loose parts as things of a handful each, nearest neighbours in their order, so that rays can skip them."""
    return [thing(name, parts[i : i + 6], at, yaw) for i in range(0, len(parts), 6)]


def tabletop(dice: Dice, photos: Sequence[str], kind: PlaceKind) -> Scenery:
    """A laid, cluttered or nearly empty table, seen by someone at it."""
    width, depth, top = dice.uniform(0.7, 1.8), dice.uniform(0.55, 1.0), dice.uniform(0.68, 0.8)
    half_x, half_z = dice.uniform(1.3, 3.0), dice.uniform(1.6, 3.4)
    middle = dice.uniform(-0.6, 0.7) * (half_z - depth)
    low, high = vec(-half_x, 0, -half_z), vec(half_x, dice.uniform(2.35, 2.9), half_z)
    shell = Shell(dice, low, high, photos)
    shell.add_windows(dice, dice.count(0, 2))
    shell.decorate(dice, dice.count(0, 1), dice.count(1, 5))
    plan = FloorPlan((-half_x + 0.02, -half_z + 0.02), (half_x - 0.02, half_z - 0.02))
    turn = dice.pick((0.0, dice.uniform(-35, 35)))
    plan.try_at("table", table(dice, width, depth, top), 0.0, middle, turn)
    parts, spot = _objects(dice, width, depth, dice.pick((1, 2, 4, 7, 10), (1, 2, 3, 3, 2)))
    plan.things += _as_things(parts, "on table", (0, top, middle), turn)
    if dice.chance(0.2):
        plan.things.append(
            thing(
                "cloth", crumpled(dice), (dice.uniform(-0.3, 0.3) * width, top, middle + dice.uniform(-0.2, 0.2) * depth), dice.uniform(0, 360)
            )
        )
    if dice.chance(0.18):
        runner = looks.cloth(dice)
        plan.things.append(
            thing(
                "tablecloth",
                [part("box", (0, 0, 0), (width * dice.uniform(0.3, 0.9), 0.003, depth * dice.uniform(0.5, 0.9)), runner)],
                (0, top, middle),
                turn,
            )
        )
    for _ in range(dice.count(0, 4)):
        name = dice.pick(("chair", "cabinet", "bookshelf", "sofa", "floor lamp", "house plant"))
        parts = {"chair": chair, "cabinet": cabinet, "bookshelf": bookshelf}.get(name, SETS["living"].get(name, (chair, 1))[0])(dice)
        plan.against_wall(dice, name, parts)
    above = dice.uniform(0.25, 0.7)
    back = dice.uniform(0.25, 0.85)
    position = vec(dice.uniform(-0.35, 0.35) * width, top + above, max(middle - depth / 2 - back + 0.25, -half_z + 0.1))
    a = math.radians(turn)
    spot = (spot[0] * math.cos(a) + spot[1] * math.sin(a), spot[1] * math.cos(a) - spot[0] * math.sin(a))
    aim = vec(spot[0] * 0.8 + dice.uniform(-0.1, 0.1), top + dice.uniform(-0.05, 0.15), middle + spot[1] * 0.8 + dice.uniform(-0.1, 0.2) * depth)
    return _close(dice, shell, plan.things, "tabletop", position, aim, 0.1)


def _close(
    dice: Dice,
    shell: Shell,
    things: Sequence[Thing],
    viewpoint: Viewpoint,
    position: tuple[float, float, float],
    aim: tuple[float, float, float],
    margin: float,
) -> Scenery:
    around = indoors(dice, shell.low, shell.high, tuple(shell.openings))
    shell.light(dice)
    yaw, pitch = towards(position, aim)
    view = camera(dice, vec(*position), yaw + dice.uniform(-6, 6), pitch + dice.uniform(-5, 5))
    everything = [*things, *shell.things, *(outlook(dice, shell.low, shell.high, around.outside_level) if shell.openings else [])]
    fill = dice.uniform(0.12, 0.5)
    return Scenery(
        viewpoint,
        view,
        around,
        clear_view(everything, view, margin),
        tuple(shell.lights),
        vec(fill, fill * dice.uniform(0.85, 1.0), fill * dice.uniform(0.75, 1.0)),
    )


def counter_top(dice: Dice, photos: Sequence[str], kind: PlaceKind) -> Scenery:
    """A kitchen worktop or sideboard against a wall, from arm's length."""
    half_x, half_z = dice.uniform(1.2, 2.4), dice.uniform(1.2, 2.2)
    low, high = vec(-half_x, 0, -half_z), vec(half_x, 2.5, half_z)
    shell = Shell(dice, low, high, photos)
    shell.add_windows(dice, dice.count(0, 1))
    things: list[Thing] = [thing("counter", fixtures.counter(dice, 2 * half_x * dice.uniform(0.7, 0.99)), (0, 0, half_z), 180.0)]
    for x in (dice.uniform(-0.6, -0.1), dice.uniform(0.1, 0.6)):
        things += _as_things(_objects(dice, 0.7, 0.4, dice.count(1, 4))[0], "on counter", (x, 0.94, half_z - 0.32))
    shell.decorate(dice, 0, dice.count(0, 2))
    position = vec(dice.uniform(-0.6, 0.6), 0.9 + dice.uniform(0.3, 0.75), half_z - dice.uniform(0.85, 1.5))
    return _close(dice, shell, things, "tabletop", position, (dice.uniform(-0.4, 0.4), dice.uniform(0.9, 1.2), half_z - 0.25), 0.1)


def shelf(dice: Dice, photos: Sequence[str], kind: PlaceKind) -> Scenery:
    """Shelves that fill most of the view: a bookcase, a rack, a wall board with things."""
    half_x, half_z = dice.uniform(1.2, 2.5), dice.uniform(1.2, 2.5)
    low, high = vec(-half_x, 0, -half_z), vec(half_x, dice.uniform(2.35, 2.9), half_z)
    shell = Shell(dice, low, high, photos)
    plan = FloorPlan((-half_x + 0.01, -half_z + 0.01), (half_x - 0.01, half_z - 0.01))
    for _ in range(dice.count(1, 3)):
        name, build = dice.pick((("bookshelf", bookshelf), ("rack", rack), ("cabinet", cabinet)), (3, 1.5, 1))
        parts = build(dice)
        any(plan.try_at(name, parts, dice.uniform(-0.7, 0.7) * half_x, half_z - 0.34, 180.0) for _ in range(4))
    target = plan.taken[0] if plan.taken else (-0.5, 0.0, 0.5, 0.0)
    for _ in range(dice.count(0, 3)):
        plan.against_wall(dice, "thing", dice.pick((SETS["living"]["house plant"][0], chair, SETS["dining"]["bin"][0]))(dice))
    shell.add_windows(dice, dice.count(0, 1))
    shell.decorate(dice, dice.count(0, 1), dice.count(0, 3))
    viewpoint: Viewpoint = "standing" if dice.chance(0.6) else "sitting"
    position = vec(
        dice.uniform(-0.6, 0.6) * half_x,
        dice.uniform(1.4, 1.75) if viewpoint == "standing" else dice.uniform(1.05, 1.3),
        max(half_z - dice.uniform(0.95, 2.4), -half_z + 0.15),
    )
    aim = (dice.uniform(target[0], target[2]), dice.uniform(0.4, 1.4), half_z - 0.3)
    return _close(dice, shell, plan.things, viewpoint, position, aim, 0.15)


def _floor_solids(dice: Dice, reach: float) -> list[Thing]:
    """Stacks, solids and small groups at the distances a camera on the floor's edge sees."""
    plan = FloorPlan((-1.2 * reach, -0.6 * reach), (1.2 * reach, 1.4 * reach))
    size = min(max(reach * dice.log_uniform(0.1, 0.4), 0.06), 1.0)
    alike = stack(dice, size, boxes=True) if dice.chance(0.25) else None  # the same pair of boxes again and again
    for _ in range(dice.pick((1, 2, 3, 5, 8, 12), (2, 3, 3, 3, 2, 1))):
        parts = alike or stack(dice, size * dice.uniform(0.6, 1.6), boxes=dice.chance(0.7))
        spot = (dice.uniform(-0.7, 0.7) * reach, dice.uniform(-0.5, 1.2) * reach)
        plan.try_at("stack", parts, *spot, dice.uniform(0, 360))
    if not plan.things:
        plan.try_at("stack", stack(dice, 0.3 * reach, boxes=True), 0.0, 0.2 * reach, dice.uniform(0, 360))
    if reach < 1.2 and dice.chance(0.5):
        for _ in range(dice.count(1, 4)):
            plan.anywhere(dice, "known", SMALL[dice.pick(tuple(SMALL))][0](dice))
    return plan.things


def stacks(dice: Dice, photos: Sequence[str], kind: PlaceKind) -> Scenery:
    """Boxes on boxes and other solids on a floor, in a bare or furnished room or out of doors."""
    reach = dice.log_uniform(0.6, 4.5)
    standing = reach > 1.6
    tall = dice.uniform(1.3, 1.8) if standing else dice.uniform(0.3, 0.8) * reach + dice.uniform(0.1, 0.4)
    position = vec(dice.uniform(-0.3, 0.3) * reach, tall, -reach)
    things = _floor_solids(dice, reach)
    x, y, z = dice.pick(things).parts[0].centre if things else (0.0, 0.0, 0.0)
    aim = vec(0.7 * x + dice.uniform(-0.15, 0.15) * reach, y, 0.7 * z + dice.uniform(-0.1, 0.25) * reach)
    viewpoint: Viewpoint = "standing" if standing else "low"
    if dice.chance(0.3):
        return _outside(dice, things, viewpoint, position, aim, reach)
    far = dice.pick((dice.uniform(0.7, 1.8), dice.uniform(1.8, 5), dice.uniform(5, 14)), (3, 3, 1.5))
    low = vec(-reach - dice.uniform(0.4, 2.5), 0, -reach - dice.uniform(0.3, 1.5))
    high = vec(reach + dice.uniform(0.4, 2.5), max(2.35, tall + 0.6) + dice.uniform(0, 1.2), reach * 0.6 + far)
    shell = Shell(dice, low, high, photos)
    shell.add_windows(dice, dice.count(0, 1))
    shell.decorate(dice, dice.count(0, 1), dice.count(0, 3))
    return _close(dice, shell, things, viewpoint, position, aim, 0.12)


def _outside(
    dice: Dice, things: list[Thing], viewpoint: Viewpoint, position: tuple[float, float, float], aim: tuple[float, float, float], reach: float
) -> Scenery:
    around = open_air(dice, looks.ground(dice))
    plan = FloorPlan((-40, 2.2 * reach), (40, 60), list(things))
    for _ in range(dice.pick((0, dice.count(1, 7)), (1, 3))):
        name = dice.pick(tuple(GARDEN), tuple(weight for _, weight in GARDEN.values()))
        z = dice.log_uniform(2.5 * reach + 2, 35)
        plan.try_at(name, GARDEN[name][0](dice), dice.uniform(-0.8, 0.8) * z, z, dice.uniform(0, 360))
    if dice.chance(0.35):
        plan.try_at("house", house(dice), dice.uniform(-8, 8), 2.2 * reach + dice.uniform(6, 14), 180 + dice.uniform(-25, 25))
    yaw, pitch = towards(position, aim)
    view = camera(dice, vec(*position), yaw + dice.uniform(-6, 6), pitch + dice.uniform(-5, 5))
    lights: tuple[Source, ...] = (sun(dice),)
    return Scenery(viewpoint, view, around, clear_view(plan.things, view, 0.15), lights, skylight(around))


CLOSE: dict[PlaceKind, Callable[[Dice, Sequence[str], PlaceKind], Scenery]] = {
    "tabletop": tabletop,
    "counter": counter_top,
    "shelf": shelf,
    "stack": stacks,
}
