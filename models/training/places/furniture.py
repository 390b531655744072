# SPDX-License-Identifier: Apache-2.0
"""Furniture of true-to-life sizes, standing on y = 0 with its back to -z."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..scenes import Dice
from . import finishes as looks
from .building import Parts, ball, box, cone, extent, hollow, moved, part, post, rod, soft_box
from .description import Finish, vec
from .small_things import cushion, small_thing, stack


def table(dice: Dice, width: float, depth: float, height: float) -> Parts:
    """A top on four legs, on a column, or on two sides."""
    top = looks.wood(dice) if dice.chance(0.65) else looks.painted(dice)
    leg = top if dice.chance(0.6) else looks.metal(dice)
    thick = dice.uniform(0.018, 0.045)
    under = height - thick
    kind = dice.pick(("legs", "round legs", "column", "sides"), (4, 2, 1.5, 1))
    round_top = kind == "column" and dice.chance(0.7)
    parts: Parts = [part("cylinder" if round_top else "box", (0, under, 0), (width, thick, width if round_top else depth), top)]
    if kind == "column":
        return [*parts, post((0, 0.03, 0), 0.045, under - 0.03, leg), cone((0, 0, 0), min(width, depth) * 0.3, 0.05, 0.03, leg)]
    if kind == "sides":
        return parts + [box((side * (width / 2 - 0.03), 0, 0), (0.04, under, depth * 0.9), leg) for side in (-1, 1)]
    r = dice.uniform(0.02, 0.035)
    for x in (-1, 1):
        for z in (-1, 1):
            foot = (x * (width / 2 - 0.06), 0.0, z * (depth / 2 - 0.06))
            parts.append(cone(foot, r * 0.7, r, under, leg) if kind == "round legs" else box(foot, (2 * r, under, 2 * r), leg))
    if dice.chance(0.5):
        parts.append(box((0, under - 0.08, 0), (width - 0.14, 0.08, depth - 0.14), leg))
    return parts


def laden(dice: Dice, parts: Parts, width: float, depth: float, height: float, count: int, tallest: float = 1.0) -> Parts:
    """Puts small things on a surface, apart from each other."""
    out: Parts = list(parts)
    taken: list[tuple[float, float, float]] = []
    for _ in range(count):
        piece = small_thing(dice, tallest)[1]
        low, high = extent(piece)
        reach = max(high[0] - low[0], high[2] - low[2]) / 2
        for _ in range(5):
            x, z = dice.uniform(-0.5, 0.5) * max(width - 2 * reach, 0.02), dice.uniform(-0.5, 0.5) * max(depth - 2 * reach, 0.02)
            if all((x - a) ** 2 + (z - b) ** 2 > (0.8 * (reach + r)) ** 2 for a, b, r in taken):
                out += moved(piece, (x, height, z), dice.pick((0.0, dice.uniform(0, 360)), (1, 2)))
                taken.append((x, z, reach))
                break
    return out


def any_table(dice: Dice) -> Parts:
    width, depth, height = dice.uniform(0.7, 1.8), dice.uniform(0.6, 0.95), dice.uniform(0.71, 0.77)
    return laden(dice, table(dice, width, depth, height), width, depth, height, dice.count(1, 5))


def coffee_table(dice: Dice) -> Parts:
    width, depth, height = dice.uniform(0.6, 1.2), dice.uniform(0.45, 0.7), dice.uniform(0.35, 0.48)
    return laden(dice, table(dice, width, depth, height), width, depth, height, dice.count(0, 4), 0.3)


def chair(dice: Dice) -> Parts:
    look, w, seat = dice.pick((looks.wood, looks.painted))(dice), dice.uniform(0.4, 0.5), dice.uniform(0.43, 0.47)
    fabric = looks.cloth(dice) if dice.chance(0.4) else look
    back, lean = dice.uniform(0.8, 1.0), dice.uniform(0, 8)
    parts = [soft_box((0, seat - 0.04, 0), (w, 0.05, w), fabric, 0.01)]
    parts += [box((x * (w / 2 - 0.03), 0, z * (w / 2 - 0.03)), (0.035, seat - 0.04, 0.035), look) for x in (-1, 1) for z in (-1, 1)]
    if dice.chance(0.5):
        parts.append(part("box", (0, seat, -w / 2 + 0.01), (w, back - seat, 0.03), fabric, (0, -lean, 0)))
    else:
        parts += [box((x * (w / 2 - 0.025), seat, -w / 2 + 0.02), (0.035, back - seat, 0.035), look) for x in (-1, 1)]
        parts += [box((0, y, -w / 2 + 0.02), (w - 0.06, 0.06, 0.02), look) for y in (seat + 0.15, (seat + back) / 2 + 0.05, back - 0.07)]
    return parts


def office_chair(dice: Dice) -> Parts:
    dark, fabric = looks.plastic(dice), looks.cloth(dice)
    star: Parts = []
    for i in range(5):
        star += moved([rod((0, 0.07, 0), (0, 0.05, 0.3), 0.02, dark), ball((0, 0, 0.3), (0.06, 0.06, 0.06), dark)], (0, 0, 0), 72.0 * i)
    seat = dice.uniform(0.44, 0.52)
    return [
        *star,
        post((0, 0.05, 0), 0.025, seat - 0.05, dark),
        soft_box((0, seat - 0.02, 0), (0.48, 0.08, 0.46), fabric, 0.03),
        part("chamfer", (0, seat + 0.12, -0.23), (0.44, 0.5, 0.07), fabric, (0, -8, 0), (1.5,)),
    ]


def stool(dice: Dice) -> Parts:
    look, h, r = looks.wood(dice), dice.pick((dice.uniform(0.42, 0.5), dice.uniform(0.62, 0.75))), dice.uniform(0.15, 0.2)
    return [
        post((0, h - 0.035, 0), r, 0.035, look),
        *(rod((x * r * 0.9, 0, z * r * 0.9), (x * r * 0.5, h - 0.03, z * r * 0.5), 0.015, look) for x in (-1, 1) for z in (-1, 1)),
    ]


def sofa(dice: Dice) -> Parts:
    """One to three seats, arms, back, loose cushions."""
    look, seats = looks.cloth(dice), dice.pick((1, 2, 3), (2, 3, 3))
    seat_w, depth, arm = dice.uniform(0.55, 0.68), dice.uniform(0.8, 0.95), dice.uniform(0.1, 0.22)
    inner, seat = seat_w * seats, dice.uniform(0.4, 0.46)
    width, top = inner + 2 * arm, dice.uniform(0.75, 0.92)
    parts = [
        soft_box((0, 0.08, 0), (inner, seat - 0.22, depth), look, 0.03),
        soft_box((0, 0.08, -depth / 2 + 0.1), (width, top - 0.12, 0.2), look, 0.05),
    ]
    parts += [soft_box((s * (width - arm) / 2, 0.06, 0), (arm, dice.uniform(0.5, 0.62), depth), look, 0.04) for s in (-1, 1)]
    for i in range(seats):
        x = (i - (seats - 1) / 2) * seat_w
        parts.append(soft_box((x, seat - 0.15, 0.06), (seat_w - 0.01, 0.16, depth - 0.22), look, 0.035))
        if dice.chance(0.7):
            parts.append(part("pillow", (x, seat, -depth / 2 + 0.22), (seat_w - 0.04, 0.42, 0.2), look, (0, -12, 0), (1.3,)))
    for _ in range(dice.count(0, 2)):
        pillow = replace(cushion(dice, 0.42)[0], turn=vec(dice.uniform(-20, 20), -70, 0))
        parts.append(replace(pillow, centre=vec(dice.uniform(-0.4, 0.4) * inner, seat + 0.2, -0.02)))
    return parts


def bed(dice: Dice) -> Parts:
    width, length, look = dice.pick((0.9, 1.4, 1.6, 1.8)), dice.uniform(1.95, 2.1), looks.wood(dice)
    sheet, cover = looks.cloth(dice), looks.cloth(dice)
    parts = [
        box((0, 0.1, 0), (width + 0.06, 0.2, length), look),
        soft_box((0, 0.3, 0), (width, 0.2, length - 0.04), sheet, 0.05),
        box((0, 0, -length / 2 - 0.03), (width + 0.06, dice.uniform(0.7, 1.1), 0.05), look),
    ]
    duvet = part(
        "relief",
        (0, 0.46, length * 0.14),
        (width + 0.08, 0.16, length * 0.68),
        cover,
        detail=(2, dice.uniform(2, 6), dice.uniform(2, 6), dice.uniform(0, 6)),
    )
    parts.append(duvet)
    for i in range(1 if width < 1.2 else 2):
        x = 0.0 if width < 1.2 else (i - 0.5) * width / 2
        parts.append(part("pillow", (x, 0.47, -length / 2 + 0.3), (0.7 if width > 1.2 else 0.6, 0.16, 0.42), sheet, (0, -15, 0), (1.2,)))
    return parts


def cabinet(dice: Dice) -> Parts:
    """A chest, sideboard or wardrobe with doors or drawers as shallow fronts."""
    tall = dice.chance(0.35)
    w, h, d = (
        (dice.uniform(0.8, 2.0), dice.uniform(1.8, 2.2), dice.uniform(0.5, 0.62))
        if tall
        else (dice.uniform(0.45, 1.7), dice.uniform(0.45, 1.1), dice.uniform(0.35, 0.5))
    )
    body = dice.pick((looks.wood, looks.painted))(dice)
    front = body if dice.chance(0.6) else looks.painted(dice)
    knob, columns = looks.metal(dice), max(1, round(w / 0.5))
    rows = 1 if tall else dice.count(1, 4)
    parts = [box((0, 0.06, 0), (w, h - 0.06, d), body), box((0, 0, -0.02), (w - 0.06, 0.06, d - 0.06), body)]
    cw, ch = w / columns, (h - 0.08) / rows
    for i in range(columns):
        for j in range(rows):
            x, y = -w / 2 + (i + 0.5) * cw, 0.07 + j * ch
            parts.append(box((x, y + 0.005, d / 2), (cw - 0.01, ch - 0.01, 0.018), front))
            parts.append(
                ball((x, y + ch / 2, d / 2 + 0.02), (0.03, 0.03, 0.03), knob)
                if rows > 1
                else rod((x + cw * 0.38, y + ch * 0.45, d / 2 + 0.03), (x + cw * 0.38, y + ch * 0.58, d / 2 + 0.03), 0.007, knob)
            )
    return parts if tall else laden(dice, parts, w, d, h, dice.count(0, 4))


def bookshelf(dice: Dice) -> Parts:
    """Boards with rows of books and things on them."""
    w, h, d = dice.uniform(0.5, 1.2), dice.uniform(0.8, 2.1), dice.uniform(0.25, 0.36)
    look = dice.pick((looks.wood, looks.painted))(dice)
    shelves = max(2, round(h / dice.uniform(0.3, 0.42)))
    pitch = (h - 0.04) / shelves
    parts = [box((s * (w - 0.02) / 2, 0, 0), (0.02, h, d), look) for s in (-1, 1)]
    if dice.chance(0.7):
        parts.append(box((0, 0, -d / 2 + 0.005), (w, h, 0.008), look))
    parts += [box((0, 0.02 + i * pitch, 0), (w - 0.04, 0.02, d), look) for i in range(shelves + 1)]
    for i in range(shelves):
        parts += moved(_row(dice, w - 0.06, pitch - 0.05), (0, 0.04 + i * pitch, 0))
    return parts


def _row(dice: Dice, width: float, room: float) -> Parts:
    """What stands on one shelf: runs of books, a box, a vase, air."""
    parts: Parts = []
    x = -width / 2
    while x < width / 2 - 0.1:
        kind = dice.pick(("books", "thing", "air"), (5, 2, 1.5))
        run = min(dice.uniform(0.1, 0.45), width / 2 - x)
        if kind == "books":
            tone = looks.any_colour(dice)
            spines = Finish("spines", tone, tone, dice.uniform(0.12, 0.25), 0.0, 0.1)
            tall = min(dice.uniform(0.17, 0.3), room)
            parts.append(box((x + run / 2, 0, dice.uniform(-0.03, 0.03)), (run, tall, dice.uniform(0.13, 0.2)), spines))
        elif kind == "thing":
            piece = small_thing(dice, room)[1]
            low, high = extent(piece)
            wide = high[0] - low[0]
            if wide < width / 2 - x and wide < 0.4 and high[2] - low[2] < 0.4:
                parts += moved(piece, (x - low[0], 0, 0))
                run = wide
        x += run + dice.uniform(0.005, 0.05)
    return parts


def television(dice: Dice) -> Parts:
    w = dice.uniform(0.7, 1.4)
    h = w * 0.57
    stand = looks.painted(dice)
    low = dice.uniform(0.4, 0.6)
    screen = looks.dark_glass(dice) if dice.chance(0.6) else replace(looks.picture(dice, ()), glow=1.2)
    parts = [
        box((0, 0, 0), (w * dice.uniform(1, 1.5), low, 0.42), stand),
        box((0, low, 0), (0.3, 0.05, 0.18), looks.plastic(dice)),
        box((0, low + 0.05, 0), (w, h, 0.04), looks.dark_glass(dice)),
        box((0, low + 0.06, 0.02), (w - 0.03, h - 0.03, 0.004), screen),
    ]
    return parts


def floor_lamp(dice: Dice) -> Parts:
    look, h = looks.metal(dice), dice.uniform(1.3, 1.7)
    shade = replace(looks.cloth(dice), glow=dice.pick((0.0, dice.uniform(0.8, 3))))
    return [cone((0, 0, 0), 0.15, 0.13, 0.02, look), post((0, 0.02, 0), 0.012, h, look), cone((0, h - 0.05, 0), 0.22, 0.14, 0.26, shade)]


def house_plant(dice: Dice) -> Parts:
    r, h, green = dice.uniform(0.12, 0.22), dice.uniform(0.22, 0.4), looks.foliage(dice)
    parts = [cone((0, 0, 0), r * 0.75, r, h, dice.pick((looks.ceramic, looks.stone, looks.plastic))(dice))]
    for _ in range(dice.count(6, 12)):
        length, turn, lean = dice.uniform(0.3, 0.7), dice.uniform(0, 360), dice.uniform(8, 55)
        leaf = part("sphere", (0, 0, 0), (dice.uniform(0.08, 0.16), length, 0.012), green, (0, lean, 0))
        parts += moved([replace(leaf, centre=vec(0, h + length * 0.5, 0.06 + length * 0.4 * lean / 60))], (0, 0, 0), turn)
    return parts


def bin_(dice: Dice) -> Parts:
    r, h = dice.uniform(0.11, 0.18), dice.uniform(0.25, 0.6)
    return [
        part("frustum", (0, 0, 0), (2 * r, h, 2 * r), looks.plastic(dice), (0, 180, 0), (0.8,))
        if dice.chance(0.5)
        else part("cylinder", (0, 0, 0), (2 * r, h, 2 * r), looks.metal(dice), cuts=hollow(0.05, 0.05))
    ]


def suitcase(dice: Dice) -> Parts:
    w, h, d, look = dice.uniform(0.35, 0.5), dice.uniform(0.5, 0.75), dice.uniform(0.2, 0.3), looks.plastic(dice)
    return [
        soft_box((0, 0.03, 0), (w, h, d), look, 0.04),
        *(rod((x, h, -d / 3), (x, h + 0.3, -d / 3), 0.008, looks.metal(dice)) for x in (-0.1, 0.1)),
    ]


def radiator(dice: Dice) -> Parts:
    w, h = dice.uniform(0.5, 1.4), dice.uniform(0.4, 0.7)
    white = looks.hsv(0.1, 0.05, dice.uniform(0.8, 0.95))
    return [box((0, 0.12, 0), (w, h, 0.08), Finish("stripes", white, looks.shade(white, 0.6), 0.05))]


def heap(dice: Dice) -> Parts:
    return stack(dice, dice.uniform(0.25, 0.6), boxes=dice.chance(0.6))


def desk(dice: Dice) -> Parts:
    """A desk with a screen, a keyboard and what lies about."""
    width, depth, height = dice.uniform(1.1, 1.8), dice.uniform(0.6, 0.8), dice.uniform(0.71, 0.76)
    dark = looks.plastic(dice)
    w = dice.uniform(0.48, 0.7)
    screen = replace(looks.picture(dice, ()), glow=dice.uniform(0.4, 1.5))
    monitor = [
        box((0, height, -0.2), (0.2, 0.015, 0.18), dark),
        post((0, height, -0.22), 0.02, 0.2, dark),
        box((0, height + 0.12, -0.19), (w, w * 0.58, 0.03), dark),
        box((0, height + 0.13, -0.172), (w - 0.03, w * 0.58 - 0.03, 0.004), screen),
        box((0, height, 0.08), (0.42, 0.02, 0.13), Finish("tiles", (0.05, 0.05, 0.05), (0.4, 0.4, 0.4), 0.02)),
    ]
    return laden(
        dice, table(dice, width, depth, height) + moved(monitor, (dice.uniform(-0.2, 0.2), 0, 0)), width, depth, height, dice.count(0, 4), 0.4
    )


SETS: dict[str, dict[str, tuple[Callable[[Dice], Parts], float]]] = {
    "living": {
        "sofa": (sofa, 4),
        "coffee table": (coffee_table, 3),
        "bookshelf": (bookshelf, 2),
        "television": (television, 1.5),
        "chair": (chair, 1.5),
        "table": (any_table, 1.5),
        "cabinet": (cabinet, 2),
        "floor lamp": (floor_lamp, 1.5),
        "house plant": (house_plant, 1.5),
        "heap": (heap, 0.7),
        "stool": (stool, 0.7),
    },
    "office": {
        "desk": (desk, 4),
        "office chair": (office_chair, 4),
        "bookshelf": (bookshelf, 2),
        "cabinet": (cabinet, 2),
        "bin": (bin_, 1),
        "house plant": (house_plant, 1),
        "table": (any_table, 1),
        "chair": (chair, 1),
        "heap": (heap, 1),
    },
    "bedroom": {
        "bed": (bed, 5),
        "cabinet": (cabinet, 3),
        "chair": (chair, 1),
        "floor lamp": (floor_lamp, 1),
        "bookshelf": (bookshelf, 1),
        "suitcase": (suitcase, 1),
        "house plant": (house_plant, 0.7),
        "heap": (heap, 0.7),
        "desk": (desk, 1),
    },
    "dining": {
        "table": (any_table, 4),
        "chair": (chair, 5),
        "cabinet": (cabinet, 2),
        "stool": (stool, 1),
        "house plant": (house_plant, 1),
        "bin": (bin_, 0.7),
    },
}
