# SPDX-License-Identifier: Apache-2.0
"""The sixty frozen Cycles places: their list, and their rendered pictures from a cache."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from ..dataset import FROZEN_FOLDER, FrozenSceneChanged, fingerprint, read_frozen, same_fingerprint
from ..shading import Picture
from .description import CyclesPlace, place_hash
from .drawing import draw_place

CYCLES_PLACES_LIST = FROZEN_FOLDER / "cycles_places_scenes.json"
FIRST_SEED = 40_000_000
PLACE_COUNT = 60
NEAREST_M = 0.25


def sound(picture: Picture) -> bool:
    """Beyond `worth_seeing`: nothing close to the lens, and outlines all over the picture rather than one wall and one thing."""
    depth = np.where(picture.sky, 2000, picture.depth_m).astype(np.float32)
    if float(np.min(depth)) < NEAREST_M:
        return False
    steps = np.abs(np.log(depth[:, 1:] / depth[:, :-1]))[1:] + np.abs(np.log(depth[1:] / depth[:-1]))[:, 1:]
    edges = cv2.resize((steps > 0.05).astype(np.float32), (12, 8), interpolation=cv2.INTER_AREA) > 0
    return bool(edges.mean() > 0.3)


def read_picture(place: CyclesPlace, cache: Path) -> Picture:
    """A rendered place from the cache; colour is black where only depth was rendered."""
    depth = np.load(cache / f"{place.seed}.npy")
    pixels = cv2.imread(str(cache / f"{place.seed}.png"), cv2.IMREAD_COLOR) if (cache / f"{place.seed}.png").exists() else None
    rgb = np.zeros((*depth.shape, 3), np.uint8) if pixels is None else np.asarray(pixels[..., ::-1], np.uint8)
    return Picture(rgb, depth, depth <= 0, place.focal_px)


def frozen_pictures(cache: Path) -> Iterator[tuple[CyclesPlace, Picture]]:
    """The rendered frozen places; raises `FrozenSceneChanged`, or FileNotFoundError telling how to render them."""
    for entry in read_frozen(CYCLES_PLACES_LIST):
        place = draw_place(entry.seed)
        if place_hash(place) != entry.sha256:
            raise FrozenSceneChanged(f"Cycles place {entry.seed}: its description has changed since it was frozen")
        if not (cache / f"{entry.seed}.png").exists():
            raise FileNotFoundError(f"no picture of Cycles place {entry.seed} in {cache}: run cycles_render render --cache")
        picture = read_picture(place, cache)
        if not same_fingerprint(fingerprint(picture.depth_m), entry.fingerprint):
            raise FrozenSceneChanged(f"Cycles place {entry.seed}: its depth has changed since it was frozen")
        yield place, picture
