# SPDX-License-Identifier: Apache-2.0
"""Materials of Cycles places: none of the old thirty scenes' patterns, none of training's finishes."""

from __future__ import annotations

import colorsys

from ..scenes import Dice, Vector, rounded
from .description import Coat

PATTERNS = ("bricks", "boards", "checks", "grain", "weave", "specks", "stripes", "shards", "painting")


def _linear(hue: float, saturation: float, value: float) -> Vector:
    return rounded(*(c**2.2 for c in colorsys.hsv_to_rgb(hue % 1, saturation, value)))


def colours(dice: Dice, saturation: tuple[float, float], value: tuple[float, float], hue: float | None = None) -> tuple[Vector, Vector]:
    """A colour and a darker or paler neighbour of it."""
    h = dice.uniform(0, 1) if hue is None else hue + dice.uniform(-0.03, 0.03)
    s, v = dice.uniform(*saturation), dice.uniform(*value)
    return _linear(h, s, v), _linear(h + dice.uniform(-0.05, 0.05), s * dice.uniform(0.5, 1), v * dice.uniform(0.45, 0.85))


def timber(dice: Dice) -> Coat:
    hue, saturation, value = dice.uniform(0.05, 0.11), dice.uniform(0.25, 0.65), dice.uniform(0.25, 0.85)
    light, dark = _linear(hue, saturation, value), _linear(hue, saturation, value * dice.uniform(0.6, 0.9))
    return Coat(dice.pick(("grain", "plain"), (3, 1)), light, dark, dice.uniform(4, 14), dice.uniform(0.25, 0.7))


def textile(dice: Dice) -> Coat:
    look = colours(dice, (0.05, 0.75), (0.15, 0.85))
    return Coat(dice.pick(("weave", "stripes", "checks", "plain"), (4, 1.5, 1, 1)), *look, dice.log_uniform(8, 40), 0.95)


def lacquer(dice: Dice) -> Coat:
    return Coat("plain", *colours(dice, (0, 0.8), (0.2, 0.95)), 1.0, dice.uniform(0.12, 0.6))


def glazed(dice: Dice) -> Coat:
    look = colours(dice, (0, 0.7), (0.3, 0.95))
    return Coat(dice.pick(("plain", "specks", "stripes"), (3, 2, 1)), *look, dice.log_uniform(15, 60), dice.uniform(0.08, 0.35))


def metal(dice: Dice) -> Coat:
    return Coat("plain", *colours(dice, (0, 0.25), (0.35, 0.85)), 1.0, dice.uniform(0.18, 0.5), 1.0)


def wall(dice: Dice) -> Coat:
    kind = dice.pick(("plain", "bricks", "stripes", "specks", "checks"), (5, 2, 1.5, 1.5, 0.5))
    scale = {"bricks": 3.3, "stripes": 4.0, "specks": 30.0, "checks": 6.5}.get(kind, 1.0)
    return Coat(kind, *colours(dice, (0.02, 0.45), (0.45, 0.92)), round(scale * dice.uniform(0.8, 1.25), 4), dice.uniform(0.6, 0.95))


def floor(dice: Dice) -> Coat:
    kind = dice.pick(("boards", "checks", "shards", "specks", "weave"), (4, 2, 1, 1, 1.5))
    scale = {"boards": 1.0, "checks": 2.5, "shards": 9.0, "specks": 20.0, "weave": 14.0}[kind]
    hue = 0.08 if kind == "boards" else None
    return Coat(kind, *colours(dice, (0.1, 0.6), (0.25, 0.8), hue), round(scale * dice.uniform(0.8, 1.25), 4), dice.uniform(0.2, 0.8))


def ground(dice: Dice) -> Coat:
    kind = dice.pick(("specks", "bricks", "shards", "checks"), (4, 2, 1.5, 1))
    scale = {"specks": 9.0, "bricks": 2.2, "shards": 2.0, "checks": 1.2}[kind]
    return Coat(kind, *colours(dice, (0.05, 0.3), (0.25, 0.6)), round(scale * dice.uniform(0.8, 1.25), 4), 0.9)


def lawn(dice: Dice) -> Coat:
    return Coat("specks", *colours(dice, (0.4, 0.75), (0.2, 0.5), 0.27), dice.uniform(6, 25), 0.95)


def foliage(dice: Dice) -> Coat:
    return Coat("specks", *colours(dice, (0.4, 0.85), (0.15, 0.55), 0.3), dice.uniform(8, 30), 0.7)


def stone(dice: Dice) -> Coat:
    return Coat(dice.pick(("specks", "shards", "plain")), *colours(dice, (0.02, 0.25), (0.35, 0.8)), dice.log_uniform(6, 25), 0.85)


def glass(dice: Dice) -> Coat:
    return Coat("plain", *colours(dice, (0, 0.3), (0.8, 1.0)), 1.0, 0.05, 0.0, dice.uniform(0.55, 0.85))


def mirror() -> Coat:
    return Coat("plain", (0.85, 0.85, 0.85), (0.8, 0.8, 0.8), 1.0, 0.02, 1.0)


def pane(dice: Dice) -> Coat:
    """A window by day: a bright flat surface."""
    return Coat("plain", *colours(dice, (0, 0.2), (0.8, 1.0), 0.58), 1.0, 0.2, 0.0, 0.0, dice.uniform(1.5, 4))


def shade(dice: Dice) -> Coat:
    return Coat("plain", *colours(dice, (0.1, 0.4), (0.7, 1.0), 0.1), 1.0, 0.9, 0.0, 0.0, dice.uniform(0.8, 2.5))


def painting(dice: Dice) -> Coat:
    return Coat("painting", *colours(dice, (0.3, 0.9), (0.3, 0.9)), dice.uniform(1.5, 5), 0.8)
