# SPDX-License-Identifier: Apache-2.0
"""Training pictures by another renderer: the places of `places`, with Blender's materials, light and sky, rendered by Cycles.

    python -m depthbridge.models.training.cycles_pictures --first-seed 8000000 --count 2000 --out DIR

Needs bpy. Writes shards as `dataset pictures` does, for `train --data DATA=3 --data DIR=1`, and goes on where an earlier run ended.
The depth of a picture is that of the place itself, met by rays through the centres of the stored pixels. None of the Cycles evaluation
scenes' seeds, objects or materials occur here.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from ...engines.recognise import CANONICAL_FOCAL_PX
from .cycles.part_meshes import UnknownBody
from .cycles.studio import Image, Manner, Studio
from .dataset import TRAINING_DEPTH_SPREAD, Pair, has_cues, stored_depth, worth_seeing, write_shard
from .frozen_lists import EVALUATION_SEEDS
from .places.description import Place
from .places.drawing import draw_place
from .places.lens import photograph_of
from .places.lighting import with_haze
from .places.looks import photographs_at_hand
from .places.rendering import pixel_rays
from .places.stage import SKY, see, set_up
from .scenes import Dice, FloatArray
from .shading import HORIZON_CANONICAL, Picture

SHARD_SIZE = 100
_FACTOR = 0.5


def manner_of(seed: int) -> Manner:
    """How a seed's picture is rendered: mostly few paths and cleaned, at times noisy, at times with light that bounces."""
    dice = Dice(seed + 1)
    samples, denoised, bounces = dice.pick(((4, True, 0), (6, False, 0), (4, True, 2)), (5, 2, 2))
    return Manner(samples, denoised, bounces, dice.log_uniform(0.4, 4), dice.log_uniform(0.6, 3), seed % 100_000)


def developed(linear: Image, place: Place) -> npt.NDArray[np.uint8]:
    """A photograph: by the place's own lens, or by one of two tone curves that training's own pictures never have."""
    dice = Dice(place.seed + 2)
    if dice.chance(0.5):
        return photograph_of(linear, place.lens, place.seed)
    level = float(np.percentile(linear.mean(2), dice.uniform(50, 75)))
    x = np.maximum(linear * np.float32(dice.uniform(0.18, 0.4) / max(level, 1e-4)), 0)
    if dice.chance(0.5):  # Narkowicz 2015, "ACES Filmic Tone Mapping Curve"
        x = x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14)
    x = np.clip(x, 0, 1)
    shown = np.where(x < 0.0031308, 12.92 * x, 1.055 * np.maximum(x, 1e-6) ** np.float32(1 / 2.4) - 0.055)
    pixels = np.asarray(shown * 255 + 0.5, np.uint8)
    if dice.chance(0.5):
        ok, data = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, dice.count(60, 95)])
        pixels = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[..., ::-1] if ok else pixels
    return np.ascontiguousarray(pixels)


def picture_of(studio: Studio, place: Place) -> Picture | None:
    """A place at half its camera's size; None where it is not worth seeing or has a part without a mesh."""
    stage, rays = set_up(place), pixel_rays(place.camera, _FACTOR)
    depth, ids = see(stage, rays[:, 0], _FACTOR)
    sky = (ids == SKY) | (depth * (CANONICAL_FOCAL_PX / place.camera.focal_px) > HORIZON_CANONICAL)
    metres = np.where(sky, 0, depth).astype(np.float32)
    blind = Picture(np.zeros((*sky.shape, 3), np.uint8), metres, sky, place.camera.focal_px * _FACTOR)
    if not worth_seeing(blind, TRAINING_DEPTH_SPREAD):
        return None
    manner = manner_of(place.seed)
    try:
        studio.put(stage, _FACTOR, manner.lamps)
    except UnknownBody:
        return None
    linear = studio.shoot(manner)
    if place.enclosure.high is None:
        away: FloatArray = np.where(sky, 0, metres).ravel()
        linear = with_haze(stage, linear.reshape(-1, 3).T, away).T.reshape(linear.shape)
    return Picture(developed(linear, place), metres, sky, blind.focal_px)


def stored_pairs(studio: Studio, first_seed: int, count: int) -> Iterator[Pair]:
    """What is stored of some seeds."""
    for seed in range(first_seed, first_seed + count):
        place = draw_place(seed, photographs_at_hand())
        picture = picture_of(studio, place)
        if picture is None or not has_cues(picture.rgb, 0.1):
            continue
        yield picture.rgb, stored_depth(picture.depth_m, picture.sky, place.camera.focal_px)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first-seed", type=int, default=8_000_000)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1, help="of Cycles")
    given = parser.parse_args()
    if given.first_seed + given.count > EVALUATION_SEEDS:
        parser.error(f"seeds from {EVALUATION_SEEDS} on are kept for evaluation")
    import bpy

    cv2.setNumThreads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    begin, busy = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        studio, made = Studio(bpy, Path(folder), given.threads), 0
        for first in range(given.first_seed, given.first_seed + given.count, SHARD_SIZE):
            count = min(SHARD_SIZE, given.first_seed + given.count - first)
            if (given.out / f"shard_{first:08d}.npz").is_file():
                continue  # an earlier run made it
            path = write_shard(first, stored_pairs(studio, first, count), given.out)
            made += count
            spent = (time.process_time() - busy) / made
            print(f"{path.name} after {time.perf_counter() - begin:.0f} s, {spent:.2f} CPU-s a seed", flush=True)


if __name__ == "__main__":
    main()
