# SPDX-License-Identifier: Apache-2.0
"""Skies, suns and lenses: what a picture is taken with and under."""

from __future__ import annotations

import math

from ..scenes import Dice, Vector
from . import finishes as looks
from .description import Enclosure, Finish, Lens, Opening, Source, vec


def sky(dice: Dice) -> tuple[Vector, Vector, float, float]:
    """Colours at the horizon and overhead, clouds, and how far haze lets see (0: for ever)."""
    kind = dice.pick(("blue", "overcast", "dusk"), (6, 2.5, 1))
    if kind == "blue":
        zenith = vec(dice.uniform(0.05, 0.25), dice.uniform(0.18, 0.42), dice.uniform(0.5, 0.9))
        horizon = vec(dice.uniform(0.5, 0.9), dice.uniform(0.65, 0.95), dice.uniform(0.85, 1.1))
        clouds = dice.pick((0.0, dice.uniform(0.2, 0.9)), (1, 2))
    elif kind == "dusk":
        zenith = vec(dice.uniform(0.08, 0.35), dice.uniform(0.1, 0.3), dice.uniform(0.2, 0.5))
        horizon = vec(dice.uniform(0.7, 1.1), dice.uniform(0.35, 0.7), dice.uniform(0.2, 0.5))
        clouds = dice.pick((0.0, dice.uniform(0.2, 0.7)))
    else:
        level = dice.uniform(0.5, 1.0)
        zenith, horizon = vec(level, level, level * dice.uniform(1.0, 1.12)), vec(level * 0.92, level * 0.94, level * 0.97)
        clouds = dice.uniform(0.0, 0.7)
    return horizon, zenith, clouds, dice.pick((0.0, dice.log_uniform(60, 400), dice.log_uniform(400, 4000)), (2, 1, 3))


def sun(dice: Dice, towards_deg: float | None = None) -> Source:
    """A sun 15 to 70 degrees up; strong and hard, or a pale brightness behind clouds."""
    height = math.radians(dice.uniform(15, 70))
    turn = math.radians(dice.uniform(0, 360) if towards_deg is None else towards_deg)
    warm = dice.uniform(0.7, 1.0)
    clear = dice.chance(0.75)
    place = vec(math.cos(height) * math.sin(turn), math.sin(height), math.cos(height) * math.cos(turn))
    return Source(
        "sun", place, vec(1.0, (1 + warm) / 2, warm), dice.uniform(1.5, 4.0) if clear else dice.uniform(0.1, 0.6), 0.012 if clear else 0.3
    )


def open_air(dice: Dice, ground: Finish) -> Enclosure:
    horizon, zenith, clouds, haze = sky(dice)
    return Enclosure((0, 0, 0), None, ground, (ground,) * 4, ground, (), ground, 0.0, horizon, zenith, clouds, haze)


def indoors(dice: Dice, low: Vector, high: Vector, openings: tuple[Opening, ...] = ()) -> Enclosure:
    """A room: four walls alike, or one of another colour; a storey high up or on the ground."""
    horizon, zenith, clouds, _ = sky(dice)
    walls = looks.wall(dice)
    accent = looks.wall(dice) if dice.chance(0.3) else walls
    order = [walls] * 4
    order[dice.count(0, 3)] = accent
    level = dice.pick((-0.3, -dice.uniform(2, 12)))
    return Enclosure(
        low,
        high,
        looks.floor(dice),
        (order[0], order[1], order[2], order[3]),
        looks.ceiling(dice),
        openings,
        looks.ground(dice),
        level,
        horizon,
        zenith,
        clouds,
        dice.uniform(100, 1500),
    )


def skylight(around: Enclosure) -> Vector:
    return vec(*(0.5 * (0.5 * h + 0.5 * z) + 0.08 for h, z in zip(around.sky_horizon, around.sky_zenith, strict=True)))


def lens(dice: Dice, indoor: bool) -> Lens:
    """A phone, a good camera, a bad one: exposure, white balance, tone, blur, shake, grain, compression."""
    cast = dice.uniform(-0.12, 0.12)
    return Lens(
        level=dice.uniform(0.16, 0.45),
        gains=vec(1 + cast, 1.0, 1 - cast * dice.uniform(0.5, 1.3)),
        tone=dice.uniform(0.85, 1.2),
        contrast=dice.pick((0.0, dice.uniform(0.1, 0.6))),
        vignette=dice.pick((0.0, dice.uniform(0.05, 0.45))),
        blur_px=dice.pick((0.0, dice.uniform(0.4, 1.3), dice.uniform(1.3, 2.5)), (5, 4, 1)),
        motion_px=dice.pick((0.0, dice.uniform(2, 9)), (8, 1)),
        motion_deg=dice.uniform(0, 180),
        sharpen=dice.pick((0.0, dice.uniform(0.2, 0.9)), (2, 1)),
        noise=dice.pick((0.0, dice.log_uniform(0.02, 0.2 if indoor else 0.1)), (1, 1)),
        quality=dice.pick((0, dice.count(35, 95)), (1, 2)),
    )
