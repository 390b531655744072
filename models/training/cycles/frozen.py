# SPDX-License-Identifier: Apache-2.0
"""The sixty frozen Cycles places: their list, and their rendered pictures from a cache."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from ..frozen_lists import CYCLES_PLACES, frozen_pictures, read_frozen
from ..shading import Picture
from .description import CyclesPlace
from .drawing import draw_place
from .rendered import read_whole_picture

NEAREST_M = 0.25


def sound(picture: Picture) -> bool:
    """Beyond `worth_seeing`: nothing close to the lens, and outlines all over the picture rather than one wall and one thing."""
    depth = np.where(picture.sky, 2000, picture.depth_m).astype(np.float32)
    if float(np.min(depth)) < NEAREST_M:
        return False
    steps = np.abs(np.log(depth[:, 1:] / depth[:, :-1]))[1:] + np.abs(np.log(depth[1:] / depth[:-1]))[:, 1:]
    edges = cv2.resize((steps > 0.05).astype(np.float32), (12, 8), interpolation=cv2.INTER_AREA) > 0
    return bool(edges.mean() > 0.3)


def frozen_places(cache: Path) -> Iterator[tuple[CyclesPlace, Picture]]:
    """The frozen places with their rendered pictures; see `frozen_lists.frozen_pictures`. FileNotFoundError tells how to render one."""
    return frozen_pictures(read_frozen(CYCLES_PLACES.path), draw_place, lambda place: read_whole_picture(place.seed, place.focal_px, cache))
