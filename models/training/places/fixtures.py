# SPDX-License-Identifier: Apache-2.0
"""What belongs to a building: windows, doors, pictures, curtains, skirting, lamps, stairs, arches, counters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..scenes import Dice, Vector
from . import finishes as looks
from .building import Parts, arch_cuts, box, cone, moved, part, post, rod, soft_box, thing
from .description import Finish, Opening, Source, Thing, vec
from .furniture import laden


@dataclass(frozen=True)
class Wall:
    """One inner wall of a room: where its middle stands, which way it faces, how long it is."""

    index: int
    x: float
    z: float
    yaw_deg: float
    span: float
    height: float

    def put(self, name: str, parts: Parts, along: float, up: float = 0.0, off: float = 0.0) -> Thing:
        """Parts built facing +z with their back at z = 0, put `along` the wall, `up` and `off` it."""
        return thing(name, moved(parts, (along, up, off)), (self.x, 0.0, self.z), self.yaw_deg)


def walls_of(low: Vector, high: Vector) -> tuple[Wall, ...]:
    x, z = (low[0] + high[0]) / 2, (low[2] + high[2]) / 2
    w, d, h = high[0] - low[0], high[2] - low[2], high[1] - low[1]
    return (Wall(0, low[0], z, 90.0, d, h), Wall(1, high[0], z, -90.0, d, h), Wall(2, x, low[2], 0.0, w, h), Wall(3, x, high[2], 180.0, w, h))


def window(dice: Dice, wall: Wall, along: float, width: float, sill: float, top: float) -> tuple[Opening, list[Thing], Source]:
    """A real opening to the outside with frame, bars, sometimes a pane and curtains; and the light that falls in."""
    middle = {0: wall.z - along, 1: wall.z + along, 2: wall.x + along, 3: wall.x - along}[wall.index]
    opening = Opening(wall.index, (round(middle - width / 2, 4), round(middle + width / 2, 4)), (round(sill, 4), round(top, 4)))
    look, tall, bar = looks.painted(dice), top - sill, dice.uniform(0.03, 0.06)
    parts = [box((0, -bar, 0.02), (width + 2 * bar, bar, 0.12), look), box((0, tall, 0.02), (width + 2 * bar, bar, 0.07), look)]
    parts += [box((s * (width + bar) / 2, 0, 0.02), (bar, tall, 0.07), look) for s in (-1, 1)]
    columns = max(1, round(width / dice.uniform(0.5, 1.0)))
    parts += [box((-width / 2 + width * i / columns, 0, 0.01), (bar * 0.8, tall, 0.04), look) for i in range(1, columns)]
    if dice.chance(0.4):
        parts.append(box((0, tall * dice.uniform(0.35, 0.7), 0.01), (width, bar * 0.7, 0.04), look))
    things = [wall.put("window", parts, along, sill)]
    if dice.chance(0.25):
        pane = Finish("plain", (0.8, 0.85, 0.85), (0.8, 0.85, 0.85), mirror=0.06, clear=0.8, gloss=0.6)
        things.append(wall.put("pane", [box((0, 0, 0.015), (width, tall, 0.006), pane)], along, sill))
    if dice.chance(0.45):
        things.append(wall.put("curtain", curtains(dice, width, top + 0.1, dice.pick((0.02, sill - 0.1))), along))
    u = {0: (0, 0, -width / 2), 1: (0, 0, width / 2), 2: (width / 2, 0, 0), 3: (-width / 2, 0, 0)}[wall.index]
    off = {0: (0.15, 0), 1: (-0.15, 0), 2: (0, 0.15), 3: (0, -0.15)}[wall.index]
    at = (wall.x if wall.index < 2 else middle, middle if wall.index < 2 else wall.z)
    daylight = looks.hsv(dice.pick((0.58, 0.1)), dice.uniform(0, 0.15), 1.0)
    glow = Source(
        "panel",
        vec(at[0] + off[0], (sill + top) / 2, at[1] + off[1]),
        daylight,
        round(dice.uniform(2.5, 7) * width * tall / 1.5, 4),
        0.3,
        vec(*u),
        vec(0, tall / 2, 0),
    )
    return opening, things, glow


def curtains(dice: Dice, width: float, top: float, bottom: float) -> Parts:
    look, each = looks.cloth(dice), dice.uniform(0.25, 0.55) * width
    parts: Parts = [rod((-width / 2 - 0.2, top, 0.1), (width / 2 + 0.2, top, 0.1), 0.012, looks.metal(dice))]
    for side in (-1, 1):
        sheet = part(
            "relief", (0, 0, 0), (each, 0.1, top - bottom), look, (0, 90, 0), (0, dice.uniform(10, 22), dice.uniform(0, 0.8), dice.uniform(0, 6))
        )
        parts.append(replace(sheet, centre=vec(side * (width / 2 + 0.12 - each / 2 + 0.1), (top + bottom) / 2, 0.1)))
    return parts


def door(dice: Dice) -> Parts:
    w, h, look = dice.uniform(0.78, 0.95), dice.uniform(1.98, 2.1), dice.pick((looks.painted, looks.wood))(dice)
    trim = look if dice.chance(0.5) else looks.painted(dice)
    parts = [
        box((0, 0, 0), (w, h, 0.03), look),
        *(box((s * (w / 2 + 0.03), 0, 0), (0.07, h + 0.06, 0.05), trim) for s in (-1, 1)),
        box((0, h, 0), (w, 0.07, 0.05), trim),
    ]
    parts.append(rod((w / 2 - 0.1, 1.03, 0.06), (w / 2 - 0.2, 1.03, 0.06), 0.01, looks.metal(dice)))
    if dice.chance(0.5):
        deep = replace(look, colour=looks.shade(look.colour, 0.8))
        parts += [box((0, y, 0.016), (w * 0.7, t, 0.006), deep) for y, t in ((0.15, 0.75), (1.1, 0.8))]
    return parts


def hanging(dice: Dice, photos: Sequence[str]) -> tuple[Parts, float, float]:
    """A picture, poster, mirror, clock or small shelf with its width and height; its underside at y = 0."""
    kind = dice.pick(("picture", "poster", "mirror", "clock", "shelf"), (5, 2, 0.8, 0.7, 1.5))
    w, h = dice.log_uniform(0.2, 1.1), dice.log_uniform(0.2, 0.9)
    if kind == "clock":
        r = dice.uniform(0.12, 0.2)
        face = part("cylinder", (0, 0, 0.02), (2 * r, 0.04, 2 * r), looks.painted(dice), (0, 90, 0))
        hands = [replace(rod((0, 0, 0.045), (x * r, y * r, 0.045), 0.006, looks.plastic(dice)), detail=()) for x, y in ((0.1, 0.7), (0.5, -0.1))]
        return [replace(face, centre=vec(0, 0, 0.02)), *hands], 2 * r, 2 * r
    if kind == "shelf":
        board = [box((0, 0, 0.1), (w, 0.025, 0.2), looks.wood(dice))]
        return [*board, *moved(laden(dice, [], w, 0.16, 0, dice.count(1, 4), 0.35), (0, 0.025, 0.1))], w, 0.4
    if kind == "poster":
        return [box((0, 0, 0.002), (w, h, 0.004), looks.picture(dice, photos))], w, h
    rim, image = dice.pick((looks.wood, looks.painted, looks.metal))(dice), looks.mirror() if kind == "mirror" else looks.picture(dice, photos)
    edge = dice.uniform(0.015, 0.06)
    return [box((0, 0, 0.012), (w, h, 0.024), rim), box((0, edge, 0.02), (w - 2 * edge, h - 2 * edge, 0.012), image)], w, h


def skirting(dice: Dice, low: Vector, high: Vector) -> Thing:
    look, tall = looks.painted(dice), dice.uniform(0.06, 0.14)
    return thing(
        "skirting",
        [p for w in walls_of(low, high) for p in moved([box((0, 0, 0.008), (w.span, tall, 0.016), look)], (w.x, 0, w.z), w.yaw_deg)],
        (0, 0, 0),
        casts=False,
    )


def ceiling_lamp(dice: Dice, x: float, z: float, height: float) -> tuple[Thing, Source]:
    """A pendant, a flat disc, a tube or a panel in the ceiling, and the light it gives."""
    kind = dice.pick(("pendant", "disc", "panel"), (2, 2, 1.5))
    warm = dice.uniform(0.45, 1.0)
    colour, strength = vec(1.0, (1 + warm) / 2, warm), dice.uniform(2.0, 5.0)
    shine = looks.glowing(dice, 4.0)
    if kind == "panel":
        w, d = dice.uniform(0.3, 1.2), dice.uniform(0.2, 0.6)
        body = thing("ceiling panel", [box((x, height - 0.02, z), (w, 0.02, d), shine)], (0, 0, 0))
        return body, Source("panel", vec(x, height - 0.05, z), colour, strength, 0.2, vec(w / 2, 0, 0), vec(0, 0, d / 2))
    drop = 0.06 if kind == "disc" else dice.uniform(0.4, 0.9)
    parts = [post((x, height - 0.05, z), dice.uniform(0.12, 0.22), 0.05, shine)]
    if kind == "pendant":
        shade = replace(looks.cloth(dice), glow=dice.uniform(0.5, 2))
        parts = [
            post((x, height - drop, z), 0.004, drop, looks.plastic(dice)),
            cone((x, height - drop - 0.2, z), dice.uniform(0.12, 0.28), 0.07, 0.2, shade),
        ]
    return thing("ceiling lamp", parts, (0, 0, 0)), Source(
        "lamp", vec(x, height - drop - 0.12, z), colour, strength, dice.log_uniform(0.04, 0.25)
    )


def stairs(dice: Dice, width: float, steps: int) -> Parts:
    """Rising towards -z from z = 0: rise 16 to 19 cm, tread 25 to 30 cm, sometimes a rail."""
    rise, tread, look = dice.uniform(0.16, 0.19), dice.uniform(0.25, 0.3), dice.pick((looks.wood, looks.stone, looks.painted))(dice)
    nose = look if dice.chance(0.5) else looks.wood(dice)
    solid = dice.chance(0.6)
    parts: Parts = []
    for i in range(steps):
        z = -(i + 0.5) * tread
        parts.append(box((0, rise * i if not solid else 0, z), (width, rise * (i + 1) - 0.03 if solid else 0.02, tread), look))
        parts.append(box((0, rise * (i + 1) - 0.03, z + 0.01), (width, 0.03, tread + 0.02), nose))
    if dice.chance(0.7):
        side, bar = dice.pick((-1, 1)) * (width / 2 - 0.04), looks.metal(dice)
        parts += [post((side, rise * (i + 1), -(i + 0.5) * tread), 0.012, 0.88, bar) for i in range(0, steps, 2)]
        parts.append(rod((side, rise + 0.88, -0.5 * tread), (side, rise * steps + 0.88, -(steps - 0.5) * tread), 0.025, looks.wood(dice)))
    return parts


def arch_wall(dice: Dice, width: float, height: float, finish: Finish, count: int) -> Parts:
    """A wall across a room with round or square passages, its middle at z = 0."""
    each, thick = width / count, dice.uniform(0.12, 0.5)
    share = min(0.85, dice.uniform(0.9, 1.6) / each)
    spring = (min(height * 0.9, dice.uniform(2.0, 2.6)) - share * each / 2) / height
    parts: Parts = []
    for i in range(count):
        size = (each, height, thick)
        cuts = arch_cuts(share, max(spring, 0.35), size)
        cuts = cuts[:1] if dice.chance(0.25) and count == 1 else cuts
        parts.append(part("box", (-width / 2 + (i + 0.5) * each, 0, 0), size, finish, cuts=cuts))
    return parts


def counter(dice: Dice, width: float) -> Parts:
    """A kitchen run: base cabinets, worktop, things on it, wall cabinets above, sometimes a stove and a tall fridge."""
    front, top, steel = (
        dice.pick((looks.painted, looks.wood))(dice),
        dice.pick((looks.stone, looks.wood, looks.painted))(dice),
        looks.metal(dice),
    )
    deep, tall = 0.6, dice.uniform(0.86, 0.94)
    columns = max(1, round(width / 0.6))
    parts: Parts = [
        box((0, 0.1, deep / 2), (width, tall - 0.14, deep - 0.03), front),
        box((0, tall - 0.04, deep / 2 + 0.01), (width, 0.04, deep + 0.02), top),
    ]
    for i in range(columns):
        x = -width / 2 + (i + 0.5) * width / columns
        parts.append(box((x, 0.12, deep - 0.01), (width / columns - 0.008, tall - 0.18, 0.02), front))
        parts.append(rod((x - 0.08, tall - 0.14, deep + 0.03), (x + 0.08, tall - 0.14, deep + 0.03), 0.006, steel))
    above = dice.uniform(1.35, 1.5)
    for i in range(columns):
        if dice.chance(0.7):
            x = -width / 2 + (i + 0.5) * width / columns
            parts += [
                box((x, above, 0.17), (width / columns - 0.006, 0.7, 0.34), front),
                rod((x + 0.2, above + 0.05, 0.36), (x + 0.2, above + 0.2, 0.36), 0.006, steel),
            ]
    if dice.chance(0.5):
        x = dice.uniform(-0.4, 0.4) * (width - 0.7)
        parts += [
            box((x, tall, deep / 2), (0.56, 0.006, 0.5), looks.dark_glass(dice)),
            soft_box((x, 0.14, deep), (0.54, 0.6, 0.02), looks.dark_glass(dice), 0.01),
        ]
    return parts + moved(laden(dice, [], width - 0.1, deep - 0.15, 0, dice.count(2, 8), 0.42), (0, tall, deep / 2))


def fridge(dice: Dice) -> Parts:
    look, h = dice.pick((looks.painted, looks.metal))(dice), dice.uniform(1.5, 2.0)
    split = h * dice.uniform(0.3, 0.65)
    return [
        soft_box((0, 0.03, 0.32), (0.6, h, 0.6), look, 0.015),
        soft_box((0, 0.04, 0.63), (0.59, split, 0.03), look, 0.01),
        soft_box((0, 0.05 + split, 0.63), (0.59, h - split - 0.03, 0.03), look, 0.01),
        rod((-0.24, split + 0.1, 0.68), (-0.24, split + 0.45, 0.68), 0.012, looks.metal(dice)),
    ]


def rug(dice: Dice) -> Parts:
    pattern = dice.pick(("stripes", "checker", "waves", "patches", "dots", "clouds", "weave", "leaves"))
    look = Finish(
        pattern, looks.any_colour(dice, 0.5), looks.any_colour(dice, 0.5), dice.log_uniform(0.1, 0.6), dice.pick((0.0, 90.0, 45.0)), 0.3, 0.2
    )
    w, d = dice.uniform(1.0, 2.6), dice.uniform(0.7, 1.8)
    return [part("cylinder", (0, 0, 0), (d, 0.012, d), look) if dice.chance(0.25) else box((0, 0, 0), (w, 0.012, d), look)]
