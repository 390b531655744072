# SPDX-License-Identifier: Apache-2.0
"""The frozen pictures that models are judged on, each with what its camera tells of metres."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from . import cycles_scenes, dataset, priors
from .cycles import frozen as cycles_frozen
from .frozen_lists import LAYOUTS, PLACES, read_frozen
from .shading import Picture

EYE_HEIGHT_M = (1.1, 1.9)
"""Of someone who sits or stands."""


@dataclass(frozen=True)
class Sample:
    """A picture, the kind of its scene, and its cue: "eye height" and "tabletop" say something about metres, "other" does not."""

    group: str
    cue: str
    picture: Picture
    prior: Path = priors.LAYOUTS_PRIOR
    """The row means that the model is compared with."""


def cue_of(group: str, height_m: float) -> str:
    """`height_m`: the camera's, above the floor or the ground."""
    if "table" in group:
        return "tabletop"
    return "eye height" if EYE_HEIGHT_M[0] <= height_m <= EYE_HEIGHT_M[1] else "other"


def generator_samples(count: int | None = None, frozen: Path = LAYOUTS.path) -> Iterable[Sample]:
    """Frozen generator scenes (the first `count` of a list), rendered on the spot."""
    for scene, picture in dataset.frozen_layouts(read_frozen(frozen)[:count]):
        yield Sample(scene.layout, cue_of(scene.layout, scene.camera.position[1]), picture)


def place_samples(count: int | None = None) -> Iterable[Sample]:
    """The harder frozen generator scenes: furnished places of true size."""
    cues = {"standing": "eye height", "sitting": "eye height", "tabletop": "tabletop"}
    for place, picture in dataset.frozen_places(read_frozen(PLACES.path)[:count]):
        yield Sample(place.layout, cues.get(place.viewpoint, "other"), picture, priors.MIX_PRIOR)


def cycles_samples(cache: Path) -> Iterable[Sample]:
    """Frozen Cycles scenes, from their pictures in `cache`."""
    for scene, picture in cycles_scenes.frozen_scenes(cache):
        yield Sample(scene.setting, cue_of(scene.setting, scene.eye[2]), picture)


def cycles_place_samples(cache: Path) -> Iterable[Sample]:
    """The harder frozen Cycles scenes, furnished places of true size, from their pictures in `cache`."""
    for place, picture in cycles_frozen.frozen_places(cache):
        yield Sample(place.setting, place.viewpoint, picture, priors.MIX_PRIOR)
