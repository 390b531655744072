# SPDX-License-Identifier: Apache-2.0
"""How much depth changes when a picture hardly does: moved by one pixel, or a tenth smaller. No truth is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ...engines.depth_map import SKY_THRESHOLD
from ...engines.engine import DepthEngine
from .mini_model import MiniModel
from .scenes import FloatArray
from .shading import Picture

_PATCH = 14


@dataclass(frozen=True)
class Stability:
    """Medians over pictures of the median |ratio - 1| over ground, after one scale."""

    shifted: float
    resized: float
    """What the network sees is a tenth smaller."""
    resized_in_use: float
    """The picture that is given to an engine is a tenth smaller; the engine brings it to the network's size."""


def change(first: FloatArray, second: FloatArray, first_sky: FloatArray, second_sky: FloatArray) -> float:
    """Median |ratio - 1| of two depth maps after one median scale, where both see ground; NaN where neither does."""
    both = (first_sky < SKY_THRESHOLD) & (second_sky < SKY_THRESHOLD)
    if not both.any():
        return float("nan")
    ratio = second[both] / first[both]
    return float(np.median(np.abs(ratio / np.median(ratio) - 1)))


def shifted_change(model: MiniModel, picture: Picture) -> float:
    """Two cuts of one picture, 14 pixels smaller, one of them a pixel to the right and down."""
    height, width = (side - _PATCH for side in picture.sky.shape)
    here = model.estimate(np.ascontiguousarray(picture.rgb[:height, :width]))
    there = model.estimate(np.ascontiguousarray(picture.rgb[1 : height + 1, 1 : width + 1]))
    return change(here.depth[1:, 1:], there.depth[:-1, :-1], here.sky[1:, 1:], there.sky[:-1, :-1])


def resized_change(model: MiniModel, picture: Picture) -> float:
    """The picture as it is, and at 0.9 of its size, rounded to multiples of 14; compared at the smaller size."""
    height, width = (max(_PATCH, round(side * 0.9 / _PATCH) * _PATCH) for side in picture.sky.shape)
    small = model.estimate(np.asarray(cv2.resize(picture.rgb, (width, height), interpolation=cv2.INTER_AREA), np.uint8))
    large = model.estimate(picture.rgb)
    depth, sky = (cv2.resize(layer, (width, height), interpolation=cv2.INTER_NEAREST_EXACT) for layer in (large.depth, large.sky))
    return change(np.asarray(depth), small.depth, np.asarray(sky), small.sky)


def resized_change_in_use(engine: DepthEngine, picture: Picture) -> float:
    """The picture as it is, and at 0.9 of its size, each through an engine; compared at the smaller size."""
    height, width = (round(side * 0.9) for side in picture.sky.shape)
    small = engine.estimate(np.asarray(cv2.resize(picture.rgb, (width, height), interpolation=cv2.INTER_AREA), np.uint8))
    large = engine.estimate(picture.rgb)
    depth, ground = (
        cv2.resize(layer, (width, height), interpolation=cv2.INTER_NEAREST_EXACT) for layer in (large.values, large.valid.astype(np.float32))
    )
    return change(np.asarray(depth), small.values, 1 - np.asarray(ground, np.float32), 1 - small.valid.astype(np.float32))


def stability(model: MiniModel, engine: DepthEngine, pictures: Sequence[Picture]) -> Stability:
    """`engine`: of the same file."""
    return Stability(
        float(np.nanmedian([shifted_change(model, picture) for picture in pictures])),
        float(np.nanmedian([resized_change(model, picture) for picture in pictures])),
        float(np.nanmedian([resized_change_in_use(engine, picture) for picture in pictures])),
    )
