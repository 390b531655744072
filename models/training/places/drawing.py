# SPDX-License-Identifier: Apache-2.0
"""From a seed to a place."""

from __future__ import annotations

from ..scenes import Dice
from .close_views import CLOSE
from .description import Place, PlaceKind
from .looks import PICTURES
from .open_views import OPEN
from .rooms import ROOMS
from .weather import lens

LAYOUTS = {**ROOMS, **CLOSE, **OPEN}
KINDS: tuple[PlaceKind, ...] = tuple(LAYOUTS)
WEIGHTS: dict[PlaceKind, float] = {
    "living": 0.14,
    "office": 0.06,
    "bedroom": 0.06,
    "kitchen": 0.06,
    "hall": 0.08,
    "storage": 0.04,
    "tabletop": 0.18,
    "counter": 0.03,
    "shelf": 0.04,
    "stack": 0.14,
    "street": 0.09,
    "garden": 0.08,
}


def draw_place(seed: int, photographs: bool = False) -> Place:
    """The place of a seed, always the same; `photographs` lets pictures on its walls be real ones (training only)."""
    dice = Dice(seed)
    kind = dice.pick(KINDS, tuple(WEIGHTS[k] for k in KINDS))
    drawn = LAYOUTS[kind](dice, PICTURES if photographs else (), kind)
    indoor = drawn.enclosure.high is not None
    return Place(seed, kind, drawn.viewpoint, drawn.camera, drawn.enclosure, drawn.things, drawn.lights, drawn.ambient, lens(dice, indoor))
