# SPDX-License-Identifier: Apache-2.0
"""From a seed to a Cycles place."""

from __future__ import annotations

from collections.abc import Callable

from ..scenes import Dice
from .description import CyclesPlace, Setting
from .open_air import draw_garden, draw_street, draw_yard
from .rooms import Drawn, draw_bedroom, draw_dining, draw_hall, draw_living, draw_office
from .tables import draw_shelf, draw_tabletop, draw_worktop

DRAW: dict[Setting, Callable[[Dice], Drawn]] = {
    "living": draw_living,
    "dining": draw_dining,
    "office": draw_office,
    "bedroom": draw_bedroom,
    "hall": draw_hall,
    "tabletop": draw_tabletop,
    "worktop": draw_worktop,
    "shelf": draw_shelf,
    "street": draw_street,
    "yard": draw_yard,
    "garden": draw_garden,
}
WEIGHTS = (5, 3, 3, 2.5, 4, 10, 4, 3.5, 6, 5, 5)


def draw_place(seed: int) -> CyclesPlace:
    """The place of a seed, always the same."""
    dice = Dice(seed)
    setting = dice.pick(tuple(DRAW), WEIGHTS)
    drawn = DRAW[setting](dice)
    fov = dice.pick((dice.uniform(38, 66), 45.0, 58.0), (3, 1, 1))
    view = drawn.view
    return CyclesPlace(
        seed,
        setting,
        view.viewpoint,
        view.eye,
        view.target,
        fov,
        tuple(drawn.pieces),
        drawn.panels,
        drawn.weather,
        dice.pick(("AgX", "Standard", "Filmic")),
        dice.uniform(-0.4, 0.6),
        dice.pick((12, 24, 48)),
        dice.chance(0.6),
    )
