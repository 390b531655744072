# SPDX-License-Identifier: Apache-2.0
"""Training pictures on disk as one picks them: mapped, never loaded whole; which ones a step sees depends on seed and step alone.

Several folders can be mixed, each with a share of the pictures that are shown, whatever their number.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .frozen_lists import EVALUATION_SEEDS

Array = npt.NDArray[Any]
_LOCAL_HEADER = struct.Struct("<4s22xHH")


class NoPictures(Exception):
    """A folder holds nothing to train on."""


@dataclass(frozen=True)
class Source:
    """A folder of shards and how much of what is shown comes from it, in proportion to the other folders."""

    folder: Path
    share: float = 1.0

    @classmethod
    def parse(cls, text: str) -> Source:
        """`FOLDER` or `FOLDER=SHARE`."""
        folder, mark, share = text.rpartition("=")
        return cls(Path(folder), float(share)) if mark else cls(Path(text))


@dataclass(frozen=True)
class Part:
    """Pictures of one size out of one shard: (N, h, w, 3) uint8 and (N, h, w) float16 canonical depth, 0 on sky."""

    rgb: Array
    depth: Array


def map_npz(path: Path) -> dict[str, Array]:
    """The arrays of an uncompressed .npz, mapped read-only. Raises `NoPictures` for a compressed one."""
    found: dict[str, Array] = {}
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        for info in archive.infolist():
            if info.compress_type != zipfile.ZIP_STORED:
                raise NoPictures(f"{path} is compressed; shards are written with numpy.savez")
            file.seek(info.header_offset)
            _, name_length, extra_length = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
            file.seek(name_length + extra_length, 1)
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = read(file)
            order = "F" if fortran else "C"
            found[info.filename.removesuffix(".npy")] = np.memmap(path, dtype, "r", file.tell(), shape, order=order)  # type: ignore[call-overload]
    return found


class Pictures:
    """All pictures of some folders, grouped by size."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = tuple(sources)
        self.parts: dict[str, list[Part]] = {}
        self._weights: dict[str, list[float]] = {}
        for source in self.sources:
            self._add(source)

    def _add(self, source: Source) -> None:
        paths = sorted(source.folder.glob("shard_????????.npz"))
        parts: list[tuple[str, Part]] = []
        for path in paths:
            if int(path.stem.removeprefix("shard_")) >= EVALUATION_SEEDS:
                raise NoPictures(f"{path} holds seeds that are kept for evaluation")
            arrays = map_npz(path)
            sizes = [name.removeprefix("rgb_") for name in arrays if name.startswith("rgb_")]
            parts += [(size, Part(arrays[f"rgb_{size}"], arrays[f"depth_{size}"])) for size in sizes]
        total = sum(len(part.depth) for _, part in parts)
        if not total:
            raise NoPictures(f"no shard_*.npz in {source.folder}: make them with dataset pictures --out {source.folder}")
        for size, part in parts:
            self.parts.setdefault(size, []).append(part)
            self._weights.setdefault(size, []).append(source.share * len(part.depth) / total)

    def count(self) -> int:
        return sum(len(part.depth) for parts in self.parts.values() for part in parts)

    def draw(self, seed: int, step: int, count: int) -> tuple[Array, Array]:
        """`count` pictures of one size, (N, h, w, 3) uint8 and (N, h, w) float16, of a step: the same call gives the same pictures."""
        dice = np.random.Generator(np.random.PCG64((seed, step)))
        sizes = sorted(self.parts)
        shares = np.array([sum(self._weights[size]) for size in sizes])
        size = sizes[int(dice.choice(len(sizes), p=shares / shares.sum()))]
        weights = np.array(self._weights[size])
        chosen = dice.choice(len(weights), count, p=weights / weights.sum())
        rows = [(self.parts[size][at], int(dice.integers(len(self.parts[size][at].depth)))) for at in chosen]
        return np.stack([part.rgb[row] for part, row in rows]), np.stack([part.depth[row] for part, row in rows])
