# SPDX-License-Identifier: Apache-2.0
"""What stands out of doors: houses, trees, cars, people, poles, fences, benches, walls, rocks, hills."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..scenes import Dice
from . import finishes as looks
from .building import Parts, arch_cuts, ball, box, cone, hollow, moved, part, post, rod, soft_box
from .description import Finish, Shape, vec
from .small_things import stack


def house(dice: Dice) -> Parts:
    """Walls with real windows and a door on the front, and a gable, hipped or flat roof."""
    w, d, storeys = dice.uniform(5, 13), dice.uniform(5, 10), dice.count(1, 3)
    tall = storeys * dice.uniform(2.6, 3.1)
    look, trim, glass = looks.facade(dice), looks.painted(dice), looks.dark_glass(dice)
    parts = [box((0, 0, 0), (w, tall, d), look)]
    if look.pattern != "facade":
        columns = max(2, round(w / dice.uniform(1.8, 3.0)))
        size, sill = (dice.uniform(0.7, 1.4), dice.uniform(1.0, 1.5)), dice.uniform(0.8, 1.0)
        entrance = dice.count(0, columns - 1)
        for storey in range(storeys):
            for i in range(columns):
                x, y = -w / 2 + (i + 0.5) * w / columns, storey * tall / storeys + sill
                if storey == 0 and i == entrance:
                    parts.append(box((x, 0, d / 2), (1.0, 2.1, 0.08), looks.painted(dice)))
                    continue
                parts += [
                    box((x, y, d / 2), (size[0] + 0.14, size[1] + 0.1, 0.07), trim),
                    box((x, y + 0.05, d / 2 + 0.01), (size[0], size[1], 0.07), glass),
                ]
    roof = dice.pick(("gable", "pyramid", "flat"), (4, 1.5, 1.5))
    cover = looks.roofing(dice)
    if roof == "gable":
        along = dice.chance(0.6)
        over = (d + 0.8, dice.uniform(1.8, 3.5), w + 0.8) if along else (w + 0.8, dice.uniform(1.8, 3.5), d + 0.8)
        parts.append(part("gable", (0, tall, 0), over, cover, (90, 0, 0) if along else (0, 0, 0)))
    elif roof == "pyramid":
        parts.append(part("pyramid", (0, tall, 0), (w + 0.8, dice.uniform(1.5, 3), d + 0.8), cover))
    else:
        parts.append(box((0, tall, 0), (w + 0.3, 0.25, d + 0.3), trim))
    if roof != "flat" and dice.chance(0.5):
        parts.append(box((w * 0.25, tall, 0), (0.6, dice.uniform(2.5, 3.6), 0.6), looks.stone(dice)))
    return parts


def tower(dice: Dice) -> Parts:
    """An apartment or office block whose windows are a pattern."""
    w, d, h = dice.uniform(10, 22), dice.uniform(8, 15), dice.uniform(10, 40)
    colour = looks.wall(dice).colour
    look = Finish("facade", colour, looks.hsv(0.6, 0.3, dice.uniform(0.1, 0.4)), dice.uniform(2.6, 3.4), 0.0, 0.3, gloss=dice.pick((0.0, 0.5)))
    return [
        box((0, 0, 0), (w, h, d), look),
        box((0, h, 0), (w + 0.2, 0.5, d + 0.2), looks.stone(dice)),
        box((0, 0, 0), (w + 0.1, 3.2, d + 0.1), looks.stone(dice)),
    ]


def broadleaf(dice: Dice) -> Parts:
    bark, green = looks.bark(dice), looks.foliage(dice)
    trunk, r, crown = dice.uniform(1.2, 3.0), dice.uniform(0.1, 0.25), dice.uniform(1.2, 3.2)
    parts = [cone((0, 0, 0), r * 1.3, r * 0.7, trunk + crown * 0.6, bark)]
    for _ in range(dice.count(4, 8)):
        s = crown * dice.uniform(0.5, 0.95)
        x, y, z = dice.uniform(-0.55, 0.55) * crown, trunk + dice.uniform(-0.1, 0.9) * crown, dice.uniform(-0.55, 0.55) * crown
        parts.append(
            ball(
                (x, y, z),
                (s * dice.uniform(0.9, 1.4), s * dice.uniform(0.7, 1.1), s * dice.uniform(0.9, 1.4)),
                green,
                (dice.uniform(0, 180), dice.uniform(-20, 20), 0),
            )
        )
    for _ in range(dice.count(0, 3)):
        parts.append(
            rod(
                (0, trunk * 0.8, 0),
                (dice.uniform(-0.8, 0.8) * crown, trunk + dice.uniform(0.3, 0.8) * crown, dice.uniform(-0.5, 0.5) * crown),
                r * 0.4,
                bark,
            )
        )
    return parts


def conifer(dice: Dice) -> Parts:
    green, h, r = looks.foliage(dice), dice.uniform(2.5, 9), dice.uniform(0.8, 1.9)
    levels = dice.count(2, 5)
    parts = [post((0, 0, 0), 0.1, h * 0.2, looks.bark(dice))]
    for i in range(levels):
        parts.append(cone((0, h * (0.1 + 0.85 * i / levels), 0), r * (1 - 0.8 * i / levels), 0.05, h * 1.3 / levels, green))
    return parts


def bare_tree(dice: Dice) -> Parts:
    bark, h = looks.bark(dice), dice.uniform(3, 7)
    parts = [cone((0, 0, 0), 0.16, 0.06, h * 0.7, bark)]
    for _ in range(dice.count(6, 12)):
        y = h * dice.uniform(0.3, 0.68)
        parts.append(
            rod((0, y, 0), (dice.uniform(-1.4, 1.4), y + dice.uniform(0.5, 1.6), dice.uniform(-1.4, 1.4)), dice.uniform(0.015, 0.045), bark)
        )
    return parts


def bush(dice: Dice) -> Parts:
    green, s = looks.foliage(dice), dice.uniform(0.5, 1.5)
    return [
        ball((dice.uniform(-0.5, 0.5) * s, -0.1, dice.uniform(-0.5, 0.5) * s), (s, s * dice.uniform(0.7, 1.1), s), green)
        for _ in range(dice.count(1, 4))
    ]


def hedge(dice: Dice) -> Parts:
    return [soft_box((0, 0, 0), (dice.uniform(2, 12), dice.uniform(0.6, 2.0), dice.uniform(0.5, 0.9)), looks.foliage(dice), 0.12)]


def car(dice: Dice) -> Parts:
    """A body of two rounded boxes, dark windows, four wheels; a van is taller. It faces +x."""
    van = dice.chance(0.2)
    colour = dice.pick((looks.any_colour(dice, 0.9), looks.hsv(0, 0, dice.uniform(0.05, 0.95))))
    paint = Finish("plain", colour, colour, gloss=dice.uniform(0.4, 1.0), mirror=dice.pick((0.0, 0.12)))
    length, wide = dice.uniform(3.8, 4.8), dice.uniform(1.68, 1.85)
    glass, dark = looks.dark_glass(dice), looks.plastic(dice)
    tyre = Finish("plain", (0.02, 0.02, 0.02), (0.02, 0.02, 0.02))
    parts = [part("chamfer", (0, 0.25, 0), (length, 0.6, wide), paint, detail=(1.75,))]
    if van:
        parts += [
            part("chamfer", (-0.2, 0.6, 0), (length * 0.88, 1.35, wide * 0.97), paint, detail=(1.8,)),
            box((0.3, 1.2, 0), (length * 0.55, 0.5, wide * 0.98), glass),
        ]
    else:
        cabin = length * dice.uniform(0.5, 0.62)
        parts += [
            part("chamfer", (-0.15, 0.8, 0), (cabin, 0.62, wide * 0.88), glass, detail=(1.45,)),
            part("chamfer", (-0.15, 1.3, 0), (cabin * 0.62, 0.13, wide * 0.82), paint, detail=(1.7,)),
        ]
    for x in (-0.31, 0.31):
        for z in (-1, 1):
            wheel = part("cylinder", (0, 0, 0), (0.63, 0.2, 0.63), tyre, (0, 90, 0))
            rim = part(
                "cylinder",
                (0, 0, 0),
                (0.38, 0.21, 0.38),
                looks.metal(dice) if dice.chance(0.1) else Finish("plain", (0.4, 0.4, 0.42), (0.4, 0.4, 0.42), gloss=0.5),
                (0, 90, 0),
            )
            parts += [replace(p, centre=vec(x * length, 0.315, z * (wide / 2 - 0.1))) for p in (wheel, rim)]
    lights = Finish("plain", (0.9, 0.9, 0.8), (0.9, 0.9, 0.8), gloss=0.8)
    parts += [box((length / 2 - 0.05, 0.55, s * wide * 0.36), (0.08, 0.14, 0.3), lights) for s in (-1, 1)]
    parts += [
        box((-length / 2 + 0.05, 0.58, s * wide * 0.38), (0.08, 0.14, 0.25), Finish("plain", (0.5, 0.02, 0.02), (0.5, 0.02, 0.02), gloss=0.8))
        for s in (-1, 1)
    ]
    return [*parts, box((0, 0.18, 0), (length * 0.9, 0.12, wide * 0.9), dark)]


def person(dice: Dice) -> Parts:
    """Someone standing or walking, 1.55 to 1.9 m tall, of capsules."""
    h, stride = dice.uniform(1.55, 1.9), dice.uniform(0, 0.25)
    top, legs = looks.cloth(dice), looks.cloth(dice)
    tone = dice.uniform(0.3, 0.85)
    skin = Finish("plain", looks.hsv(0.06, 0.45, tone), looks.hsv(0.06, 0.45, tone))
    hip, neck = h * 0.5, h * 0.83
    parts = [rod((s * 0.09, 0.06, s * stride), (s * 0.08, hip, 0), 0.075, legs, "capsule") for s in (-1, 1)]
    parts.append(replace(part("capsule", (0, hip - 0.1, 0), (0.4, neck - hip + 0.1, 0.26), top, detail=(0.4,))))
    parts += [rod((s * 0.22, neck - 0.08, 0), (s * 0.27, hip - 0.05, -s * stride * 0.7), 0.045, top, "capsule") for s in (-1, 1)]
    parts += [post((0, neck - 0.04, 0), 0.05, 0.1, skin), ball((0, h - 0.24, 0), (0.17, 0.24, 0.2), skin)]
    hair = Finish("plain", looks.hsv(0.08, 0.4, dice.uniform(0.05, 0.5)), (0, 0, 0))
    return [*parts, ball((0, h - 0.17, -0.015), (0.185, 0.18, 0.21), hair)]


def lamp_post(dice: Dice) -> Parts:
    look, h, arm = looks.metal(dice), dice.uniform(3.5, 8), dice.uniform(0.0, 1.6)
    parts = [cone((0, 0, 0), 0.09, 0.05, h, look)]
    if arm > 0.4:
        return [*parts, rod((0, h, 0), (arm, h + 0.3, 0), 0.04, look), soft_box((arm + 0.2, h + 0.22, 0), (0.6, 0.12, 0.25), look, 0.03)]
    return [*parts, ball((0, h, 0), (0.4, 0.4, 0.4), looks.painted(dice))]


def sign(dice: Dice) -> Parts:
    h, look = dice.uniform(2.0, 2.6), looks.metal(dice)
    face = (
        part("cylinder", (0, 0, 0), (0.6, 0.02, 0.6), looks.carton(dice), (0, 90, 0))
        if dice.chance(0.6)
        else box((0, 0, 0), (0.6, 0.6, 0.02), looks.carton(dice))
    )
    return [post((0, 0, 0), 0.035, h, look), replace(face, centre=vec(0, h, 0.05))]


def fence(dice: Dice) -> Parts:
    length, h, look = dice.uniform(3, 12), dice.uniform(0.7, 1.6), dice.pick((looks.wood, looks.painted, looks.metal))(dice)
    posts = max(3, min(12, round(length / dice.uniform(0.6, 2.0))))
    parts = [box((-length / 2 + length * i / (posts - 1), 0, 0), (0.08, h, 0.08), look) for i in range(posts)]
    if dice.chance(0.4):
        planks = replace(look, pattern="planks", second=looks.shade(look.colour, 0.5), period_m=0.5)
        return [*parts, box((0, 0.08, 0.05), (length, h - 0.15, 0.02), planks)]
    return parts + [box((0, h * share, 0.05), (length, 0.09, 0.025), look) for share in (0.25, 0.55, 0.85)]


def bench(dice: Dice) -> Parts:
    look, w = looks.wood(dice), dice.uniform(1.2, 1.9)
    parts = [box((0, 0.42, -0.16 + 0.13 * i), (w, 0.035, 0.11), look) for i in range(4)]
    parts += [part("box", (0, 0.55 + 0.16 * i, -0.26 - 0.03 * i), (w, 0.12, 0.03), look, (0, -12, 0)) for i in range(2)]
    iron = looks.metal(dice)
    return (
        parts
        + [box((s * (w / 2 - 0.2), 0, 0.02), (0.05, 0.42, 0.4), iron) for s in (-1, 1)]
        + [box((s * (w / 2 - 0.2), 0, -0.24), (0.05, 0.85, 0.05), iron) for s in (-1, 1)]
    )


def litter_bin(dice: Dice) -> Parts:
    r, h = dice.uniform(0.2, 0.3), dice.uniform(0.7, 1.0)
    return [part("cylinder", (0, 0, 0), (2 * r, h, 2 * r), looks.metal(dice), cuts=hollow(0.06, 0.1))]


def wall(dice: Dice) -> Parts:
    w, h, look = dice.uniform(3, 14), dice.uniform(0.6, 2.6), looks.facade(dice)
    look = replace(look, pattern="bricks", period_m=0.5) if look.pattern == "facade" else look
    if h > 2.2 and dice.chance(0.6):
        size = (w, dice.uniform(2.8, 3.6), 0.5)
        return [part("box", (0, 0, 0), size, look, cuts=arch_cuts(min(0.8, 1.8 / w), 0.5, size))]
    return [box((0, 0, 0), (w, h, 0.3), look), box((0, h, 0), (w + 0.06, 0.06, 0.38), looks.stone(dice))]


def rocks(dice: Dice) -> Parts:
    look = looks.stone(dice)
    parts: Parts = []
    for _ in range(dice.count(1, 4)):
        s = dice.uniform(0.3, 1.3)
        shape: Shape = dice.pick(("sphere", "chamfer", "pillow"))
        parts += moved(
            [
                part(
                    shape,
                    (0, -0.15 * s, 0),
                    (s, s * dice.uniform(0.5, 0.9), s * dice.uniform(0.7, 1.3)),
                    look,
                    (dice.uniform(0, 360), dice.uniform(-15, 15), 0),
                    {"chamfer": (1.5,), "pillow": (1.2,)}.get(shape, ()),
                )
            ],
            (dice.uniform(-0.9, 0.9), 0, dice.uniform(-0.9, 0.9)),
        )
    return parts


def crates(dice: Dice) -> Parts:
    return stack(dice, dice.uniform(0.4, 1.2), boxes=True)


def mound(dice: Dice) -> Parts:
    """A low rise of the ground."""
    look = looks.ground(dice)
    return [
        part(
            "relief",
            (0, -0.05, 0),
            (dice.uniform(4, 12), dice.uniform(0.5, 1.8), dice.uniform(4, 12)),
            look,
            detail=(1, dice.uniform(0.5, 2), dice.uniform(0.5, 2), dice.uniform(0, 6)),
        )
    ]


def hill(dice: Dice, far: float) -> Parts:
    """A hill or mountain on the horizon, `far` metres away."""
    high = far * dice.uniform(0.04, 0.3)
    colour = looks.hsv(dice.uniform(0.2, 0.6), dice.uniform(0.1, 0.4), dice.uniform(0.2, 0.6))
    look = Finish("leaves", colour, looks.shade(colour, 0.6), round(far / 10, 4), 0.0, 0.4, 0.3)
    wide = far * dice.uniform(0.5, 1.6)
    return [ball((0, -high, 0), (wide, 2 * high, wide * 0.7), look) if dice.chance(0.7) else cone((0, 0, 0), wide / 2, wide / 30, high, look)]


STREET: dict[str, tuple[Callable[[Dice], Parts], float]] = {
    "person": (person, 4),
    "lamp post": (lamp_post, 2),
    "sign": (sign, 2),
    "bench": (bench, 1),
    "litter bin": (litter_bin, 1),
    "broadleaf": (broadleaf, 2),
    "crates": (crates, 1),
    "bush": (bush, 0.7),
    "fence": (fence, 0.7),
}
GARDEN: dict[str, tuple[Callable[[Dice], Parts], float]] = {
    "broadleaf": (broadleaf, 4),
    "conifer": (conifer, 2),
    "bare tree": (bare_tree, 1),
    "bush": (bush, 3),
    "hedge": (hedge, 1.5),
    "fence": (fence, 1.5),
    "bench": (bench, 1),
    "wall": (wall, 1),
    "rocks": (rocks, 1.5),
    "person": (person, 1.5),
    "crates": (crates, 1.5),
    "mound": (mound, 1),
    "house": (house, 1),
    "lamp post": (lamp_post, 0.5),
}
