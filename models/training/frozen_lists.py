# SPDX-License-Identifier: Apache-2.0
"""Frozen lists of evaluation scenes, committed before training: what stands in them, how they are made, read, and held against today's.

How a scene is drawn from its seed and how a picture is taken of it is the caller's: the same lists serve every generator and renderer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from .exact_text import exact_hash
from .scenes import FloatArray
from .shading import Picture

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

@dataclass(frozen=True)
class FrozenList:
    """Where a list lies, the seed it begins with, and how many scenes stand in it."""

    path: Path
    first_seed: int
    count: int


FROZEN_FOLDER = Path(__file__).parent / "frozen"
LAYOUTS = FrozenList(FROZEN_FOLDER / "generator_scenes.json", 10_000_000, 300)
CYCLES_SCENES = FrozenList(FROZEN_FOLDER / "cycles_scenes.json", 20_000_000, 30)
PLACES = FrozenList(FROZEN_FOLDER / "places_scenes.json", 30_000_000, 300)
CYCLES_PLACES = FrozenList(FROZEN_FOLDER / "cycles_places_scenes.json", 40_000_000, 60)
EVALUATION_SEEDS = LAYOUTS.first_seed
"""All seeds from here on are kept for evaluation."""
_GRID = (6, 8)
Described = TypeVar("Described", bound="DataclassInstance")
Draw = Callable[[int], Described]
"""From a seed to the description of a scene."""
Take = Callable[[Described], Picture]
"""From a description to its picture."""


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


def freeze(first_seed: int, count: int, draw: Draw[Described], take: Take[Described], wanted: Callable[[Picture], bool]) -> list[FrozenScene]:
    """The first `count` seeds from `first_seed` on whose pictures are `wanted`."""
    frozen: list[FrozenScene] = []
    seed = first_seed
    while len(frozen) < count:
        scene = draw(seed)
        picture = take(scene)
        if wanted(picture):
            frozen.append(FrozenScene(seed, exact_hash(scene), fingerprint(picture.depth_m)))
        seed += 1
    return frozen


def frozen_pictures(
    frozen: Iterable[FrozenScene], draw: Draw[Described], take: Take[Described]
) -> Iterator[tuple[Described, Picture]]:
    """Frozen scenes with their pictures, one by one; raises `FrozenSceneChanged` on the first that is not what was frozen."""
    for entry in frozen:
        scene = draw(entry.seed)
        if exact_hash(scene) != entry.sha256:
            raise FrozenSceneChanged(f"scene {entry.seed}: its description has changed since it was frozen")
        picture = take(scene)
        if not same_fingerprint(fingerprint(picture.depth_m), entry.fingerprint):
            raise FrozenSceneChanged(f"scene {entry.seed}: its depth has changed since it was frozen")
        yield scene, picture


def write_frozen(frozen: list[FrozenScene], path: Path) -> None:
    rows = [
        json.dumps({"seed": f.seed, "sha256": f.sha256, "fingerprint": list(f.fingerprint)}) for f in frozen
    ]
    path.write_text("[\n" + ",\n".join(rows) + "\n]\n")


def read_frozen(path: Path) -> list[FrozenScene]:
    rows = json.loads(path.read_text())
    return [
        FrozenScene(int(r["seed"]), str(r["sha256"]), tuple(float(v) for v in r["fingerprint"])) for r in rows
    ]
