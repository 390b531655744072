# SPDX-License-Identifier: Apache-2.0
"""Training pictures on disk, and the frozen list of evaluation scenes.

    python -m depthbridge.models.training.dataset pictures --first-seed 0 --count 5000 --out DIR
    python -m depthbridge.models.training.dataset freeze

Training seeds run from 0; evaluation seeds start at `EVALUATION_SEEDS`, so the two never meet. Targets are canonical:
`metres * 300 / f`, f the focal length in pixels of the network's input picture.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ...engines.recognise import CANONICAL_FOCAL_PX
from .layouts import draw_scene
from .scenes import FloatArray, Scene, scene_hash
from .shading import Picture, render

EVALUATION_SEEDS = 10_000_000
FROZEN_FOLDER = Path(__file__).parent / "frozen"
GENERATOR_LIST = FROZEN_FOLDER / "generator_scenes.json"
FROZEN_COUNT = 300
DEPTH_SPREAD = 1.6
"""Evaluation scenes have a 90th over 10th percentile of depth above this: something to see."""

TRAINING_DEPTH_SPREAD = 1.25
"""Training also sees flatter scenes, but not bare walls."""

SHARD_SIZE = 250
_GRID = (6, 8)


@dataclass(frozen=True)
class FrozenScene:
    """A committed evaluation scene: its seed, the hash of its description, and a coarse look at its depth."""

    seed: int
    sha256: str
    fingerprint: tuple[float, ...]


class FrozenSceneChanged(Exception):
    """An evaluation scene no longer matches what was frozen before training."""


def fingerprint(depth_m: FloatArray) -> tuple[float, ...]:
    """48 median depths over a 6x8 grid, metres to 4 significant digits, 0 where a cell is mostly sky.

    Compared with a tolerance: raw float bytes differ between processors and NumPy versions.
    """
    rows, columns = (np.array_split(np.arange(n), k) for n, k in zip(depth_m.shape, _GRID, strict=True))
    cells = (float(np.median(depth_m[r[0] : r[-1] + 1, c[0] : c[-1] + 1])) for r in rows for c in columns)
    return tuple(float(f"{cell:.4g}") for cell in cells)


def same_fingerprint(a: tuple[float, ...], b: tuple[float, ...], tolerance: float = 0.02) -> bool:
    """Whether two fingerprints agree within a relative tolerance in all but two cells (edges may fall either way)."""
    first, second = np.array(a), np.array(b)
    return bool((np.abs(first - second) > tolerance * np.maximum(first, second)).sum() <= 2)


def worth_seeing(picture: Picture, spread: float = DEPTH_SPREAD) -> bool:
    """Enough depth spread, enough that is not sky, nothing glued to the lens."""
    depth = picture.depth_m[~picture.sky]
    if depth.size < 0.15 * picture.sky.size or float(np.min(depth)) < 0.1:
        return False
    near, far = np.percentile(depth, (10, 90))
    return bool(far / near > spread)


def freeze(count: int = FROZEN_COUNT) -> list[FrozenScene]:
    """The first `count` evaluation seeds that are worth seeing."""
    frozen: list[FrozenScene] = []
    seed = EVALUATION_SEEDS
    while len(frozen) < count:
        scene = draw_scene(seed)
        picture = render(scene)
        if worth_seeing(picture):
            frozen.append(FrozenScene(seed, scene_hash(scene), fingerprint(picture.depth_m)))
        seed += 1
    return frozen


def write_frozen(frozen: list[FrozenScene], path: Path) -> None:
    rows = [
        json.dumps({"seed": f.seed, "sha256": f.sha256, "fingerprint": list(f.fingerprint)}) for f in frozen
    ]
    path.write_text("[\n" + ",\n".join(rows) + "\n]\n")


def read_frozen(path: Path = GENERATOR_LIST) -> list[FrozenScene]:
    rows = json.loads(path.read_text())
    return [
        FrozenScene(int(r["seed"]), str(r["sha256"]), tuple(float(v) for v in r["fingerprint"])) for r in rows
    ]


def frozen_pictures(frozen: list[FrozenScene]) -> Iterator[tuple[Scene, Picture]]:
    """Renders frozen scenes one by one; raises `FrozenSceneChanged` on the first that is not what was frozen."""
    for entry in frozen:
        scene = draw_scene(entry.seed)
        if scene_hash(scene) != entry.sha256:
            raise FrozenSceneChanged(
                f"generator scene {entry.seed}: its description has changed since it was frozen"
            )
        picture = render(scene)
        if not same_fingerprint(fingerprint(picture.depth_m), entry.fingerprint):
            raise FrozenSceneChanged(
                f"generator scene {entry.seed}: its depth has changed since it was frozen"
            )
        yield scene, picture


def training_pair(picture: Picture) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float16]]:
    """Half-size (h, w, 3) sRGB and canonical depth (h, w), 0 on sky.

    Colour is averaged over 2x2 pixels, as the network's own first step does; depth is one of the four, never a mix.
    The canonical depth of a scene does not change with the stored size: it belongs to the full network size.
    """
    height, width = picture.sky.shape
    small = cv2.resize(picture.rgb, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    canonical = picture.depth_m * (CANONICAL_FOCAL_PX / picture.focal_px)
    target = np.clip(canonical[1::2, 1::2], 0.02, 6e4) * ~picture.sky[1::2, 1::2]
    return np.asarray(small, np.uint8), target.astype(np.float16)


def make_shard(first_seed: int, count: int, out: Path) -> Path:
    """Renders `count` training scenes; `shard_SEED.npz` holds, per frame size HxW, `rgb_HxW` and `depth_HxW`."""
    by_size: dict[str, list[tuple[npt.NDArray[np.uint8], npt.NDArray[np.float16]]]] = {}
    for seed in range(first_seed, first_seed + count):
        picture = render(draw_scene(seed))
        if not worth_seeing(picture, TRAINING_DEPTH_SPREAD):
            continue
        pair = training_pair(picture)
        by_size.setdefault("x".join(map(str, pair[1].shape)), []).append(pair)
    arrays: dict[str, Any] = {
        f"rgb_{size}": np.stack([p[0] for p in pairs]) for size, pairs in by_size.items()
    }
    arrays |= {f"depth_{size}": np.stack([p[1] for p in pairs]) for size, pairs in by_size.items()}
    path = out / f"shard_{first_seed:08d}.npz"
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, **arrays)
    return partial.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    pictures = commands.add_parser("pictures", help="render training pictures")
    pictures.add_argument("--first-seed", type=int, default=0)
    pictures.add_argument("--count", type=int, default=10_000)
    pictures.add_argument("--out", type=Path, required=True)
    commands.add_parser("freeze", help="write the frozen list of evaluation scenes (before training, once)")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    if arguments.command == "freeze":
        write_frozen(freeze(), GENERATOR_LIST)
        return
    if arguments.first_seed + arguments.count > EVALUATION_SEEDS:
        parser.error(f"seeds from {EVALUATION_SEEDS} on are kept for evaluation")
    arguments.out.mkdir(parents=True, exist_ok=True)
    begin = time.perf_counter()
    for first in range(arguments.first_seed, arguments.first_seed + arguments.count, SHARD_SIZE):
        count = min(SHARD_SIZE, arguments.first_seed + arguments.count - first)
        path = make_shard(first, count, arguments.out)
        print(f"{path.name} after {time.perf_counter() - begin:.0f} s", flush=True)


if __name__ == "__main__":
    main()
