# SPDX-License-Identifier: Apache-2.0
"""How finishes are drawn: wood, painted walls, cloth, metal, plastic, ceramic, glass, stone, ground, leaves."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

from ..scenes import Dice, Vector
from .description import Finish, vec


def hsv(hue: float, saturation: float, value: float) -> Vector:
    """Linear RGB of a display colour given as hue, saturation and value."""
    return vec(*(c**2.2 for c in colorsys.hsv_to_rgb(hue % 1, min(max(saturation, 0), 1), min(max(value, 0), 1))))


def shade(colour: Vector, by: float) -> Vector:
    return vec(*(min(c * by, 0.95) for c in colour))


def any_colour(dice: Dice, vivid: float = 0.4) -> Vector:
    """A colour of a made thing: often muted or nearly grey, sometimes saturated, rarely black or white."""
    if dice.chance(vivid):
        return hsv(dice.uniform(0, 1), dice.uniform(0.5, 0.95), dice.uniform(0.35, 0.95))
    return hsv(dice.uniform(0, 1), dice.uniform(0, 0.3), dice.pick((dice.uniform(0.1, 0.9), dice.uniform(0.75, 0.95)), (2, 1)))


def wood(dice: Dice) -> Finish:
    hue, value = dice.uniform(0.05, 0.11), dice.uniform(0.22, 0.85)
    colour = hsv(hue, dice.uniform(0.3, 0.7), value)
    pattern = dice.pick(("wood", "plain", "clouds"), (3, 1, 1))
    return Finish(
        pattern,
        colour,
        shade(colour, dice.uniform(0.5, 0.85)),
        dice.uniform(0.15, 0.6),
        dice.pick((0.0, 90.0)),
        dice.uniform(0, 0.4),
        gloss=dice.pick((0.0, dice.uniform(0.1, 0.5))),
    )


def painted(dice: Dice) -> Finish:
    """Lacquer, laminate, plain furniture."""
    colour = any_colour(dice, 0.25)
    return Finish("plain", colour, colour, 1.0, 0.0, dice.uniform(0, 0.2), gloss=dice.pick((0.0, dice.uniform(0.1, 0.6))))


def cloth(dice: Dice) -> Finish:
    colour = any_colour(dice, 0.35)
    pattern = dice.pick(("weave", "plain", "stripes", "checker", "waves", "patches", "dots"), (4, 4, 1, 1, 0.6, 0.6, 0.4))
    second = shade(colour, dice.uniform(0.6, 0.9)) if pattern in ("weave", "plain") else dice.pick((any_colour(dice), shade(colour, 0.5)))
    period = dice.uniform(0.03, 0.1) if pattern == "weave" else dice.log_uniform(0.04, 0.3)
    return Finish(pattern, colour, second, period, dice.pick((0.0, 90.0, 45.0)), dice.uniform(0.1, 0.5), bump=dice.uniform(0.1, 0.5))


def plastic(dice: Dice) -> Finish:
    colour = any_colour(dice, 0.6)
    return Finish("plain", colour, colour, 0.3, gloss=dice.uniform(0.1, 0.8))


def metal(dice: Dice) -> Finish:
    colour = hsv(dice.uniform(0, 0.15), dice.uniform(0, 0.15), dice.uniform(0.15, 0.8))
    return Finish(
        "plain",
        colour,
        colour,
        0.5,
        0.0,
        dice.uniform(0, 0.3),
        gloss=dice.uniform(0.4, 1.0),
        mirror=dice.pick((0.0, dice.uniform(0.1, 0.5)), (3, 1)),
    )


def ceramic(dice: Dice) -> Finish:
    colour = dice.pick((hsv(dice.uniform(0.05, 0.6), dice.uniform(0, 0.12), dice.uniform(0.8, 0.95)), any_colour(dice, 0.7)), (3, 2))
    pattern = dice.pick(("plain", "stripes", "dots", "speckle"), (6, 1, 0.5, 0.7))
    return Finish(pattern, colour, any_colour(dice), dice.uniform(0.02, 0.06), 90.0, gloss=dice.uniform(0.2, 0.9))


def glass(dice: Dice) -> Finish:
    tint = hsv(dice.uniform(0.1, 0.6), dice.pick((dice.uniform(0, 0.08), dice.uniform(0.3, 0.8)), (2, 1)), dice.uniform(0.5, 0.95))
    return Finish("plain", tint, tint, 0.3, gloss=0.9, mirror=dice.uniform(0.04, 0.12), clear=dice.uniform(0.5, 0.85))


def mirror() -> Finish:
    return Finish("plain", (0.9, 0.92, 0.92), (0.9, 0.92, 0.92), mirror=0.92)


def dark_glass(dice: Dice) -> Finish:
    colour = hsv(0.6, 0.2, dice.uniform(0.03, 0.2))
    return Finish("plain", colour, colour, gloss=0.9, mirror=dice.uniform(0.04, 0.13))


def carton(dice: Dice) -> Finish:
    """Cardboard and printed packaging."""
    if dice.chance(0.5):
        colour = hsv(dice.uniform(0.07, 0.1), dice.uniform(0.3, 0.5), dice.uniform(0.5, 0.8))
        return Finish(dice.pick(("plain", "clouds", "lines"), (3, 1, 1)), colour, shade(colour, 0.6), dice.uniform(0.2, 0.5), 0.0, 0.2)
    pattern = dice.pick(("plain", "patches", "stripes", "lines", "waves", "checker", "dots", "clouds"), (3, 2, 1, 2, 1, 0.5, 0.5, 1))
    return Finish(
        pattern,
        any_colour(dice, 0.7),
        any_colour(dice, 0.5),
        dice.log_uniform(0.03, 0.3),
        dice.pick((0.0, 90.0, dice.uniform(0, 180))),
        dice.uniform(0, 0.2),
        gloss=dice.pick((0.0, 0.3)),
    )


def paper(dice: Dice) -> Finish:
    return Finish("lines", hsv(0.12, dice.uniform(0, 0.1), dice.uniform(0.8, 0.95)), (0.05, 0.05, 0.06), dice.uniform(0.15, 0.3))


def picture(dice: Dice, photos: Sequence[str]) -> Finish:
    """What hangs in a frame or glows on a screen: a photograph where some are at hand, else blotches of two colours."""
    if photos and dice.chance(0.7):
        return Finish("photo:" + dice.pick(photos), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), dice.uniform(0.5, 1.4), gloss=0.2)
    pattern = dice.pick(("clouds", "patches", "waves", "leaves", "checker", "stripes"), (3, 3, 1, 1, 0.5, 0.5))
    return Finish(
        pattern, any_colour(dice, 0.6), any_colour(dice, 0.6), dice.uniform(0.3, 1.2), dice.uniform(0, 180), dice.uniform(0, 0.8), gloss=0.2
    )


def wall(dice: Dice) -> Finish:
    """Paint, paper, brick, tiles or panelling."""
    value = dice.pick((dice.uniform(0.75, 0.96), dice.uniform(0.4, 0.75)), (3, 1))
    colour = hsv(dice.uniform(0, 1), dice.pick((dice.uniform(0, 0.12), dice.uniform(0.1, 0.45)), (3, 1)), value)
    pattern = dice.pick(
        ("plain", "clouds", "stripes", "tiles", "bricks", "planks", "dots", "leaves", "photo:brick.png"),
        (7, 1.5, 0.6, 0.7, 0.7, 0.5, 0.2, 0.3, 0.3),
    )
    second = shade(colour, dice.uniform(0.7, 0.92))
    period = {"tiles": dice.uniform(0.1, 0.3), "bricks": dice.uniform(0.22, 0.28), "planks": dice.uniform(0.4, 0.8)}.get(
        pattern, dice.uniform(0.1, 0.5)
    )
    if pattern in ("bricks", "photo:brick.png"):
        colour, period = hsv(dice.uniform(0.0, 0.08), dice.uniform(0.2, 0.6), dice.uniform(0.4, 0.8)), 0.5 if pattern == "bricks" else 1.6
        second = hsv(0.1, 0.1, dice.uniform(0.4, 0.8))
    return Finish(
        pattern,
        colour,
        second,
        period,
        0.0,
        dice.uniform(0.05, 0.35),
        dice.pick((0.0, dice.uniform(0.02, 0.12))),
        gloss=0.3 if pattern == "tiles" else 0.0,
    )


def ceiling(dice: Dice) -> Finish:
    colour = hsv(dice.uniform(0.05, 0.2), dice.uniform(0, 0.08), dice.uniform(0.8, 0.95))
    pattern = dice.pick(("plain", "tiles", "planks"), (6, 1, 1))
    return Finish(pattern, colour, shade(colour, 0.75), 0.6 if pattern == "tiles" else 0.8, 0.0, dice.uniform(0, 0.2))


def floor(dice: Dice) -> Finish:
    """Boards, parquet, tiles, carpet, concrete."""
    kind = dice.pick(("planks", "herringbone", "tiles", "checker", "carpet", "concrete", "stone"), (4, 1, 2, 0.5, 2, 1.5, 0.7))
    turn = dice.pick((0.0, 90.0), (1, 1))
    if kind in ("planks", "herringbone"):
        timber = hsv(dice.uniform(0.05, 0.1), dice.uniform(0.25, 0.65), dice.uniform(0.3, 0.8))
        return Finish(
            kind,
            timber,
            shade(timber, dice.uniform(0.35, 0.7)),
            dice.uniform(0.4, 0.75),
            turn,
            dice.uniform(0.1, 0.4),
            gloss=dice.uniform(0, 0.4),
            mirror=dice.pick((0.0, dice.uniform(0.04, 0.15)), (3, 1)),
        )
    if kind in ("tiles", "checker"):
        colour = hsv(dice.uniform(0, 1), dice.uniform(0, 0.3), dice.uniform(0.3, 0.9))
        other = shade(colour, 0.55) if kind == "tiles" else any_colour(dice, 0.1)
        return Finish(
            kind,
            colour,
            other,
            dice.log_uniform(0.15, 1.0),
            dice.pick((0.0, 45.0), (3, 1)),
            dice.uniform(0.1, 0.4),
            gloss=dice.uniform(0, 0.7),
            mirror=dice.pick((0.0, dice.uniform(0.04, 0.2)), (2, 1)),
        )
    if kind == "carpet":
        colour = hsv(dice.uniform(0, 1), dice.uniform(0, 0.5), dice.uniform(0.15, 0.7))
        return Finish(
            dice.pick(("leaves", "weave", "speckle")), colour, shade(colour, dice.uniform(0.5, 0.85)), dice.uniform(0.06, 0.25), 0.0, 0.3, 0.3
        )
    colour = hsv(dice.uniform(0.05, 0.15), dice.uniform(0, 0.15), dice.uniform(0.3, 0.75))
    pattern = "clouds" if kind == "concrete" else "paving"
    return Finish(pattern, colour, shade(colour, 0.7), dice.uniform(0.4, 1.2), 0.0, dice.uniform(0.2, 0.7), 0.08)


def ground(dice: Dice) -> Finish:
    """Grass, asphalt, gravel, sand, paving, snow."""
    kind = dice.pick(("grass", "asphalt", "gravel", "sand", "paving", "snow", "soil"), (4, 2, 1.5, 1, 2, 0.4, 1))
    period = dice.uniform(0.3, 1.0)
    if kind == "grass":
        green = hsv(dice.uniform(0.18, 0.33), dice.uniform(0.35, 0.75), dice.uniform(0.25, 0.6))
        return Finish(dice.pick(("leaves", "photo:grass.png"), (2, 1)), green, shade(green, 0.45), period, 0.0, dice.uniform(0.3, 0.9), 0.5)
    if kind == "paving":
        colour = hsv(dice.uniform(0.02, 0.15), dice.uniform(0, 0.3), dice.uniform(0.35, 0.75))
        return Finish(
            dice.pick(("paving", "bricks", "tiles", "herringbone")),
            colour,
            shade(colour, 0.5),
            dice.uniform(0.25, 0.8),
            dice.pick((0.0, 90.0)),
            0.4,
            0.05,
        )
    hue, saturation, value = {
        "asphalt": (0.6, 0.05, 0.35),
        "gravel": (0.1, 0.1, 0.6),
        "sand": (0.1, 0.35, 0.75),
        "snow": (0.6, 0.05, 0.95),
        "soil": (0.07, 0.45, 0.35),
    }[kind]
    colour = hsv(hue, saturation * dice.uniform(0.5, 1.3), value * dice.uniform(0.7, 1.2))
    pattern = "photo:gravel.png" if kind == "gravel" and dice.chance(0.5) else dice.pick(("leaves", "speckle", "clouds"), (3, 1, 1))
    return Finish(pattern, colour, shade(colour, dice.uniform(0.55, 0.9)), round(period * 0.6, 4), 0.0, dice.uniform(0.2, 0.6), 0.15)


def foliage(dice: Dice) -> Finish:
    hue = dice.pick((dice.uniform(0.2, 0.36), dice.uniform(0.03, 0.16)), (6, 1))
    green = hsv(hue, dice.uniform(0.4, 0.8), dice.uniform(0.3, 0.6))
    return Finish("leaves", green, shade(green, dice.uniform(0.15, 0.4)), dice.uniform(0.25, 0.9), 0.0, 0.5, 0.9)


def bark(dice: Dice) -> Finish:
    colour = hsv(dice.uniform(0.05, 0.1), dice.uniform(0.1, 0.5), dice.uniform(0.2, 0.5))
    return Finish("wood", colour, shade(colour, 0.5), 0.3, 0.0, 0.6, 0.5)


def stone(dice: Dice) -> Finish:
    colour = hsv(dice.uniform(0.05, 0.15), dice.uniform(0, 0.25), dice.uniform(0.35, 0.8))
    return Finish(
        dice.pick(("clouds", "speckle", "leaves")),
        colour,
        shade(colour, dice.uniform(0.6, 0.85)),
        dice.uniform(0.2, 0.8),
        0.0,
        0.5,
        dice.uniform(0.1, 0.4),
    )


def facade(dice: Dice) -> Finish:
    """Outer walls of houses, sometimes with windows as a pattern one storey high."""
    base = wall(dice)
    if dice.chance(0.35):
        return Finish("facade", base.colour, hsv(0.6, 0.3, dice.uniform(0.1, 0.4)), dice.uniform(2.4, 3.2), 0.0, 0.3)
    return base


def roofing(dice: Dice) -> Finish:
    colour = hsv(dice.pick((dice.uniform(0, 0.06), 0.6)), dice.uniform(0.1, 0.6), dice.uniform(0.2, 0.55))
    return Finish(dice.pick(("tiles", "bricks", "stripes")), colour, shade(colour, 0.6), dice.uniform(0.25, 0.5), 0.0, 0.4, 0.1)


def glowing(dice: Dice, strength: float) -> Finish:
    warm = dice.uniform(0.7, 1.0)
    return Finish("plain", vec(0.95, 0.95 * (1 + warm) / 2, 0.95 * warm), (0.9, 0.9, 0.9), glow=round(strength, 4))


def any_finish(dice: Dice) -> Finish:
    """For things that could be made of anything."""
    return dice.pick((wood, painted, plastic, carton, metal, ceramic, stone, cloth), (2, 2, 2, 2.5, 1, 1, 0.8, 0.8))(dice)
