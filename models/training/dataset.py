# SPDX-License-Identifier: Apache-2.0
"""Training pictures on disk, and the frozen evaluation scenes of our own generators.

    python -m depthbridge.models.training.dataset pictures --generator mix --first-seed 0 --count 5000 --out DIR
    python -m depthbridge.models.training.dataset freeze --generator places

Two generators: `layouts`, the simpler one, and `places`; `mix` takes every fourth seed to the first. Training seeds run from 0;
evaluation seeds start at `EVALUATION_SEEDS` (`frozen_lists`), so that they never meet. Targets are canonical:
`metres * 300 / f`, f the focal length in pixels of the network's input picture.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from ...engines.recognise import CANONICAL_FOCAL_PX
from .frozen_lists import EVALUATION_SEEDS, LAYOUTS, PLACES, FrozenScene, freeze, frozen_pictures, write_frozen
from .layouts import draw_scene
from .places.description import Place
from .places.drawing import draw_place
from .places.looks import photographs_at_hand
from .places.rendering import render_place
from .scenes import FloatArray, Scene
from .shading import Picture, render

DEPTH_SPREAD = 1.6
"""Evaluation scenes have a 90th over 10th percentile of depth above this: something to see."""

TRAINING_DEPTH_SPREAD = 1.25
"""Training also sees flatter scenes, but not bare walls."""

LEAST_GROUND = 0.15
NEAREST_M = 0.1
CANONICAL_RANGE = (0.02, 6e4)
"""What is stored of depth: what float16 holds."""

SHARD_SIZE = 250
Pair = tuple[npt.NDArray[np.uint8], npt.NDArray[np.float16]]
Generator = Literal["layouts", "places", "mix"]
GENERATORS: tuple[Generator, ...] = ("layouts", "places", "mix")


def worth_seeing(picture: Picture, spread: float = DEPTH_SPREAD) -> bool:
    """Enough depth spread, enough that is not sky, nothing glued to the lens."""
    depth = picture.depth_m[~picture.sky]
    if depth.size < LEAST_GROUND * picture.sky.size or float(np.min(depth)) < NEAREST_M:
        return False
    near, far = np.percentile(depth, (10, 90))
    return bool(far / near > spread)


def has_cues(rgb: npt.NDArray[np.uint8], share: float = 0.2) -> bool:
    """Whether at least this share of 12x16 tiles shows anything beyond a smooth gradient: no bare wall from near."""
    grey = cv2.GaussianBlur(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), (0, 0), max(rgb.shape) / 200)
    small = cv2.resize(grey, (160, 120), interpolation=cv2.INTER_AREA).astype(np.float32)
    edges = np.abs(cv2.Laplacian(small, cv2.CV_32F, ksize=3)).reshape(12, 10, 16, 10).max(axis=(1, 3))
    return bool((edges > 10).mean() > share)


def freeze_layouts() -> list[FrozenScene]:
    """The first scenes of the simpler generator that are worth seeing."""
    return freeze(LAYOUTS.first_seed, LAYOUTS.count, draw_scene, render, worth_seeing)


def freeze_places() -> list[FrozenScene]:
    """The first places, without photographs, that are worth seeing."""
    return freeze(PLACES.first_seed, PLACES.count, draw_place, render_place, lambda picture: worth_seeing(picture) and has_cues(picture.rgb))


def frozen_layouts(frozen: Iterable[FrozenScene]) -> Iterator[tuple[Scene, Picture]]:
    """Frozen scenes of the simpler generator, rendered on the spot; see `frozen_lists.frozen_pictures`."""
    return frozen_pictures(frozen, draw_scene, render)


def frozen_places(frozen: Iterable[FrozenScene]) -> Iterator[tuple[Place, Picture]]:
    """Frozen places, rendered on the spot; see `frozen_lists.frozen_pictures`."""
    return frozen_pictures(frozen, draw_place, render_place)


def stored_depth(depth_m: FloatArray, sky: npt.NDArray[np.bool_], focal_px: float) -> npt.NDArray[np.float16]:
    """Canonical depth as shards hold it, 0 on sky, of planar depth in metres."""
    return np.asarray(np.clip(depth_m * (CANONICAL_FOCAL_PX / focal_px), *CANONICAL_RANGE) * ~sky, np.float16)


def training_pair(picture: Picture) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float16]]:
    """Half-size (h, w, 3) sRGB and canonical depth (h, w), 0 on sky.

    Colour is averaged over 2x2 pixels, as the network's own first step does; depth is one of the four, never a mix.
    The canonical depth of a scene does not change with the stored size: it belongs to the full network size.
    """
    height, width = picture.sky.shape
    small = cv2.resize(picture.rgb, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8), stored_depth(picture.depth_m[1::2, 1::2], picture.sky[1::2, 1::2], picture.focal_px)


def place_pair(place: Place) -> tuple[Picture, Pair]:
    """A place rendered at half size, and its stored pair; depth is that of the ray through each stored pixel's centre."""
    picture = render_place(place, 0.5)
    return picture, (picture.rgb, stored_depth(picture.depth_m, picture.sky, place.camera.focal_px))


def layout_pair(scene: Scene) -> Pair | None:
    """What is stored of a scene of the simpler generator; None where it is not worth seeing."""
    picture = render(scene)
    return training_pair(picture) if worth_seeing(picture, TRAINING_DEPTH_SPREAD) else None


def stored_pair(seed: int, generator: Generator) -> Pair | None:
    """What is stored of a training seed; None where it is not worth seeing."""
    if generator == "layouts" or (generator == "mix" and seed % 4 == 3):
        return layout_pair(draw_scene(seed))
    picture, pair = place_pair(draw_place(seed, photographs_at_hand()))
    return pair if worth_seeing(picture, TRAINING_DEPTH_SPREAD) and has_cues(picture.rgb, 0.1) else None


def write_shard(first_seed: int, pairs: Iterable[Pair], out: Path) -> Path:
    """`shard_SEED.npz` holds, per frame size HxW, `rgb_HxW` and `depth_HxW`; it appears whole or not at all."""
    by_size: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_size.setdefault("x".join(map(str, pair[1].shape)), []).append(pair)
    arrays: dict[str, Any] = {f"rgb_{size}": np.stack([p[0] for p in found]) for size, found in by_size.items()}
    arrays |= {f"depth_{size}": np.stack([p[1] for p in found]) for size, found in by_size.items()}
    path = out / f"shard_{first_seed:08d}.npz"
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, **arrays)
    return partial.replace(path)


def make_shard(first_seed: int, count: int, out: Path, generator: Generator = "layouts") -> Path:
    """Renders `count` training scenes into a shard."""
    pairs = (stored_pair(seed, generator) for seed in range(first_seed, first_seed + count))
    return write_shard(first_seed, filter(None, pairs), out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    pictures = commands.add_parser("pictures", help="render training pictures")
    pictures.add_argument("--generator", choices=GENERATORS, default="mix")
    pictures.add_argument("--first-seed", type=int, default=0)
    pictures.add_argument("--count", type=int, default=10_000)
    pictures.add_argument("--out", type=Path, required=True)
    lists = commands.add_parser("freeze", help="write a frozen list of evaluation scenes (before training, once)")
    lists.add_argument("--generator", choices=GENERATORS[:2], required=True)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    if arguments.command == "freeze":
        places = arguments.generator == "places"
        write_frozen(freeze_places() if places else freeze_layouts(), (PLACES if places else LAYOUTS).path)
        return
    if arguments.first_seed + arguments.count > EVALUATION_SEEDS:
        parser.error(f"seeds from {EVALUATION_SEEDS} on are kept for evaluation")
    arguments.out.mkdir(parents=True, exist_ok=True)
    begin = time.perf_counter()
    for first in range(arguments.first_seed, arguments.first_seed + arguments.count, SHARD_SIZE):
        count = min(SHARD_SIZE, arguments.first_seed + arguments.count - first)
        if (arguments.out / f"shard_{first:08d}.npz").is_file():
            continue  # an earlier run made it
        path = make_shard(first, count, arguments.out, arguments.generator)
        print(f"{path.name} after {time.perf_counter() - begin:.0f} s", flush=True)


if __name__ == "__main__":
    main()
