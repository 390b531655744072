# SPDX-License-Identifier: Apache-2.0
"""Things that stand on tables, shelves and counters, of true-to-life sizes, and stacks of boxes and solids of any size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..scenes import Dice
from . import finishes as looks
from .building import Parts, ball, box, cone, extent, hollow, moved, part, post, rod, soft_box
from .description import Cut, Finish, Part, Shape, vec


def mug(dice: Dice) -> Parts:
    look, r, h = looks.ceramic(dice), dice.uniform(0.036, 0.046), dice.uniform(0.08, 0.11)
    ring = part("torus", (r + 0.012, h * 0.25, 0), (h * 0.6, 0.011, h * 0.6), look, (0, 90, 0))
    ring = replace(ring, centre=vec(r + 0.008, h * 0.5, 0))
    return [part("cylinder", (0, 0, 0), (2 * r, h, 2 * r), look, cuts=hollow(0.1, 0.15)), ring]


def tumbler(dice: Dice) -> Parts:
    r, h = dice.uniform(0.03, 0.042), dice.uniform(0.09, 0.15)
    look = looks.glass(dice) if dice.chance(0.6) else looks.plastic(dice)
    return [cone((0, 0, 0), r * dice.uniform(0.7, 1), r, h, look)]


def bottle(dice: Dice) -> Parts:
    r, h = dice.uniform(0.03, 0.045), dice.uniform(0.15, 0.24)
    look = dice.pick((looks.glass, looks.plastic))(dice)
    label = looks.carton(dice)
    neck = r * dice.uniform(0.3, 0.45)
    return [
        post((0, 0, 0), r, h * 0.65, look),
        post((0, h * 0.15, 0), r * 1.015, h * 0.3, label),
        cone((0, h * 0.65, 0), r, neck, h * 0.2, look),
        post((0, h * 0.85, 0), neck, h * 0.3, look),
        post((0, h * 1.13, 0), neck * 1.15, 0.02, looks.plastic(dice)),
    ]


def can(dice: Dice) -> Parts:
    r, h = dice.uniform(0.028, 0.05), dice.uniform(0.06, 0.17)
    return [post((0, 0, 0), r, h, looks.carton(dice)), post((0, h, 0), r * 0.95, 0.004, looks.metal(dice))]


def carton(dice: Dice) -> Parts:
    return [box((0, 0, 0), (dice.uniform(0.06, 0.25), dice.log_uniform(0.04, 0.3), dice.uniform(0.05, 0.2)), looks.carton(dice))]


def book(dice: Dice) -> Parts:
    """One to five books lying on each other."""
    parts, y = [], 0.0
    for _ in range(dice.pick((1, 2, 3, 5), (4, 3, 2, 1))):
        w, t, d = dice.uniform(0.12, 0.22), dice.log_uniform(0.012, 0.05), dice.uniform(0.18, 0.29)
        look, turn = looks.carton(dice), dice.pick((0.0, dice.uniform(-25, 25)))
        block = [
            box((0.004, 0.1 * t, 0), (w - 0.006, 0.8 * t, d - 0.01), looks.paper(dice)),
            box((0, 0, 0), (w, 0.1 * t, d), look),
            box((0, 0.9 * t, 0), (w, 0.1 * t, d), look),
            box((-w / 2, 0, 0), (0.004, t, d), look),
        ]
        parts += moved(block, (dice.uniform(-0.01, 0.01), y, dice.uniform(-0.01, 0.01)), turn)
        y += t
    return parts


def bowl(dice: Dice) -> Parts:
    r = dice.uniform(0.06, 0.13)
    h = r * dice.uniform(0.6, 1.0)
    look = dice.pick((looks.ceramic, looks.metal, looks.wood))(dice)
    shell = part(
        "sphere",
        (0, 0, 0),
        (2 * r, 2 * h, 2 * r),
        look,
        cuts=(Cut("box", vec(0, 1, 0), vec(1.2, 1.0, 1.2)), Cut("sphere", vec(0, 0, 0), vec(0.92, 0.9, 0.92))),
    )
    parts = [post((0, -0.004 + 0.004, 0), r * 0.4, h * 0.08, look), shell]
    if dice.chance(0.5):
        fruit_look = looks.any_finish(dice)
        for _ in range(dice.count(2, 4)):
            s = r * dice.uniform(0.5, 0.7)
            parts.append(ball((dice.uniform(-0.4, 0.4) * r, h * 0.35, dice.uniform(-0.4, 0.4) * r), (s, s, s), fruit_look))
    return parts


def plate(dice: Dice) -> Parts:
    r, look = dice.uniform(0.08, 0.14), looks.ceramic(dice)
    parts = [cone((0, 0, 0), r * 0.65, r, 0.02, look)]
    if dice.chance(0.4):
        size = dice.uniform(0.04, 0.09)
        parts.append(
            part(dice.pick(("sphere", "pillow")), (0, 0.018, 0), (size, size * 0.6, size * 1.2), looks.any_finish(dice), detail=(1.25,))
        )
    return parts


def fruit(dice: Dice) -> Parts:
    s = dice.uniform(0.05, 0.1)
    colour = looks.hsv(dice.pick((dice.uniform(0, 0.16), dice.uniform(0.2, 0.3))), dice.uniform(0.6, 0.95), dice.uniform(0.5, 0.9))
    skin = Finish("speckle", colour, looks.shade(colour, 0.8), 0.03, gloss=dice.uniform(0, 0.5))
    return [ball((0, 0, 0), (s, s * dice.uniform(0.85, 1.1), s), skin), rod((0, s * 0.9, 0), (0.005, s * 1.1, 0), 0.002, looks.bark(dice))]


def laptop(dice: Dice) -> Parts:
    w, d = dice.uniform(0.29, 0.36), dice.uniform(0.2, 0.25)
    shell, lean = dice.pick((looks.metal, looks.plastic))(dice), dice.uniform(8, 35)
    lid = replace(box((0, 0, 0), (w, d, 0.008), shell), centre=vec(0, 0.018 + d / 2 * 0.93, -d / 2 - d / 4 * lean / 35), turn=vec(0, -lean, 0))
    view = replace(lid, half=vec(w / 2 - 0.01, d / 2 - 0.012, 0.0045), finish=replace(looks.picture(dice, ()), glow=dice.uniform(0.3, 1.2)))
    keys = Finish("tiles", (0.03, 0.03, 0.03), (0.3, 0.3, 0.3), 0.019)
    return [box((0, 0, 0), (w, 0.016, d), shell), box((0, 0.0161, -0.03), (w - 0.03, 0.001, d * 0.5), keys), lid, view]


def desk_lamp(dice: Dice) -> Parts:
    look, h = looks.metal(dice), dice.uniform(0.3, 0.5)
    reach = dice.uniform(0.05, 0.18)
    return [
        cone((0, 0, 0), 0.08, 0.07, 0.02, look),
        rod((0, 0.02, 0), (-0.04, h * 0.6, 0), 0.008, look),
        rod((-0.04, h * 0.6, 0), (reach, h, 0), 0.008, look),
        cone((reach, h - 0.08, 0), 0.08, 0.03, 0.1, looks.plastic(dice)),
    ]


def table_lamp(dice: Dice) -> Parts:
    h, r = dice.uniform(0.2, 0.35), dice.uniform(0.1, 0.18)
    shade = replace(looks.cloth(dice), glow=dice.pick((0.0, dice.uniform(0.8, 2.5))))
    return [
        ball((0, 0, 0), (0.14, h * 0.8, 0.14), looks.ceramic(dice)),
        post((0, 0, 0), 0.012, h, looks.metal(dice)),
        cone((0, h, 0), r, r * 0.65, r * 1.3, shade),
    ]


def vase(dice: Dice) -> Parts:
    r, h = dice.uniform(0.04, 0.09), dice.uniform(0.12, 0.3)
    look = dice.pick((looks.ceramic, looks.glass), (4, 1))(dice)
    parts = [
        cone((0, 0, 0), r * 0.6, r, h * 0.45, look),
        cone((0, h * 0.45, 0), r, r * 0.45, h * 0.4, look),
        cone((0, h * 0.85, 0), r * 0.45, r * 0.65, h * 0.15, look),
    ]
    if dice.chance(0.5):
        green = looks.foliage(dice)
        for _ in range(dice.count(3, 6)):
            top = (dice.uniform(-0.14, 0.14), h + dice.uniform(0.1, 0.3), dice.uniform(-0.14, 0.14))
            parts.append(rod((0, h * 0.9, 0), top, 0.003, green))
            s = dice.uniform(0.03, 0.09)
            parts.append(ball((top[0], top[1] - s / 2, top[2]), (s, s, s), dice.pick((looks.plastic(dice), green))))
    return parts


def pot_plant(dice: Dice) -> Parts:
    r, h = dice.uniform(0.05, 0.1), dice.uniform(0.08, 0.16)
    green = looks.foliage(dice)
    parts = [cone((0, 0, 0), r * 0.75, r, h, dice.pick((looks.ceramic, looks.stone, looks.plastic))(dice))]
    for _ in range(dice.count(4, 9)):
        length, turn, lean = dice.uniform(0.1, 0.25), dice.uniform(0, 360), dice.uniform(10, 65)
        leaf = part("sphere", (0, 0, 0), (0.05, length, 0.008), green, (0, lean, 0))
        leaf = replace(leaf, centre=vec(0, h + length * 0.35, length * 0.3 * lean / 45))
        parts += moved([leaf], (0, 0, 0), turn)
    return parts


def toy(dice: Dice) -> Parts:
    """A single solid of any kind a few centimetres across."""
    return [solid(dice, dice.log_uniform(0.03, 0.14))]


def candle(dice: Dice) -> Parts:
    r, h = dice.uniform(0.015, 0.04), dice.uniform(0.06, 0.22)
    return [cone((0, 0, 0), 0.05, 0.03, 0.015, looks.metal(dice)), post((0, 0.015, 0), r, h, looks.painted(dice))]


def frame(dice: Dice) -> Parts:
    """A small picture leaning back."""
    w, h, look = dice.uniform(0.1, 0.22), dice.uniform(0.12, 0.28), looks.wood(dice)
    board = part("box", (0, 0, 0), (w, h, 0.015), look, (0, -12, 0))
    return [board, replace(board, half=vec(w / 2 - 0.018, h / 2 - 0.018, 0.0085), finish=looks.picture(dice, ()))]


def kettle(dice: Dice) -> Parts:
    r, h, look = dice.uniform(0.07, 0.09), dice.uniform(0.16, 0.22), dice.pick((looks.metal, looks.plastic))(dice)
    ring = replace(part("torus", (0, 0, 0), (h * 0.8, 0.02, h * 0.8), looks.plastic(dice), (0, 90, 0)), centre=vec(-r - 0.01, h * 0.55, 0))
    return [
        cone((0, 0, 0), r, r * 0.7, h, look),
        rod((r * 0.7, h * 0.6, 0), (r * 1.5, h * 0.95, 0), 0.015, look),
        ring,
        ball((0, h - 0.01, 0), (0.03, 0.03, 0.03), look),
    ]


def crumpled(dice: Dice) -> Parts:
    """A cloth left lying."""
    w, d = dice.uniform(0.15, 0.45), dice.uniform(0.15, 0.4)
    return [
        part(
            "relief",
            (0, 0, 0),
            (w, dice.uniform(0.04, 0.12), d),
            looks.cloth(dice),
            detail=(1, dice.uniform(1.5, 4.5), dice.uniform(1.5, 4.5), dice.uniform(0, 6)),
        )
    ]


def cushion(dice: Dice, size: float = 0.0) -> Parts:
    s = size or dice.uniform(0.25, 0.5)
    return [part("pillow", (0, 0, 0), (s, s * dice.uniform(0.25, 0.4), s), looks.cloth(dice), detail=(dice.uniform(1.12, 1.25),))]


def solid(dice: Dice, size: float, look: Finish | None = None) -> Part:
    """One primitive about `size` metres across."""
    shape: Shape = dice.pick(
        ("box", "cylinder", "sphere", "frustum", "capsule", "pillow", "chamfer", "gable", "pyramid", "ramp", "hexagon", "torus"),
        (6, 2, 1.5, 1.5, 0.7, 0.7, 1.5, 0.5, 0.7, 0.7, 0.7, 0.8),
    )
    w, h, d = size * dice.uniform(0.7, 1.3), size * dice.log_uniform(0.4, 1.8), size * dice.uniform(0.7, 1.3)
    if shape in ("cylinder", "sphere", "frustum", "capsule", "hexagon", "torus", "pyramid"):
        d = w if dice.chance(0.85) else d
    h = {"sphere": w * dice.pick((1.0, dice.uniform(0.5, 1.2))), "torus": w * dice.uniform(0.15, 0.35), "capsule": max(h, 1.3 * w)}.get(shape, h)
    d = w if shape == "torus" else d
    detail = {
        "frustum": (dice.uniform(0.03, 0.85),),
        "capsule": (w / h,),
        "pillow": (dice.uniform(1.15, 1.4),),
        "chamfer": (dice.uniform(1.6, 1.92),),
    }.get(shape, ())
    return part(shape, (0, 0, 0), (w, h, d), look or looks.any_finish(dice), (dice.uniform(0, 360), 0, 0), detail)


def stack(dice: Dice, size: float, boxes: bool = False) -> Parts:
    """One to four solids on top of each other; with `boxes` mostly a box on a box."""
    parts: Parts = []
    y = x = z = 0.0
    for _ in range(dice.pick((1, 2, 3, 4), (2, 5, 2, 1) if boxes else (5, 4, 2, 1))):
        if boxes and dice.chance(0.85):
            w, h, d = size * dice.uniform(0.6, 1.3), size * dice.log_uniform(0.35, 1.4), size * dice.uniform(0.6, 1.3)
            piece = part(
                "box", (0, 0, 0), (w, h, d), looks.carton(dice) if dice.chance(0.6) else looks.any_finish(dice), (dice.uniform(0, 360), 0, 0)
            )
        else:
            piece = solid(dice, size)
        parts += moved([piece], (x, y, z))
        if piece.shape not in ("box", "cylinder", "chamfer", "hexagon", "torus", "frustum"):
            break
        y += 2 * piece.half[1]
        x, z = x + dice.uniform(-0.15, 0.15) * size, z + dice.uniform(-0.15, 0.15) * size
        size *= dice.uniform(0.5, 0.95) * (0.6 if piece.shape == "frustum" else 1.0)
    return parts


SMALL: dict[str, tuple[Callable[[Dice], Parts], float]] = {
    "mug": (mug, 3),
    "tumbler": (tumbler, 2),
    "bottle": (bottle, 3),
    "can": (can, 2),
    "carton": (carton, 4),
    "book": (book, 4),
    "bowl": (bowl, 2),
    "plate": (plate, 2),
    "fruit": (fruit, 2),
    "laptop": (laptop, 1.5),
    "desk lamp": (desk_lamp, 0.7),
    "table lamp": (table_lamp, 1),
    "vase": (vase, 1.5),
    "pot plant": (pot_plant, 1.5),
    "toy": (toy, 3),
    "candle": (candle, 1),
    "frame": (frame, 1),
    "kettle": (kettle, 0.8),
    "crumpled": (crumpled, 1),
}


def small_thing(dice: Dice, tallest: float = 1.0) -> tuple[str, Parts]:
    """Any of the above that fits under `tallest` metres."""
    for _ in range(6):
        name = dice.pick(tuple(SMALL), tuple(weight for _, weight in SMALL.values()))
        parts = SMALL[name][0](dice)
        if extent(parts)[1][1] < tallest:
            return name, parts
    return "carton", [soft_box((0, 0, 0), (0.1, min(0.1, tallest * 0.8), 0.08), looks.carton(dice), 0.004)]
