# SPDX-License-Identifier: Apache-2.0
"""Two guesses that never look at the picture: every table of the model's accuracy lists them beside it.

    python -m depthbridge.models.training.priors --data DIR      (writes frozen/mix_row_prior.json)

Constant depth, and the training set's mean by picture row: far above, near below, as most pictures are. Two training sets, two priors: the
first frozen scenes keep the one that they were frozen with, of `layouts` alone; the harder ones are judged beside that of the mix.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from .frozen_lists import FROZEN_FOLDER
from .scenes import FloatArray

LAYOUTS_PRIOR = FROZEN_FOLDER / "row_prior.json"
MIX_PRIOR = FROZEN_FOLDER / "mix_row_prior.json"
BINS = 28


def row_means(folder: Path) -> list[float]:
    """Geometric mean of canonical depth over all training pictures, sky left out, in 28 bands from top to bottom."""
    total, count = np.zeros(BINS), np.zeros(BINS)
    for path in sorted(folder.glob("shard_????????.npz")):
        with np.load(path) as arrays:
            for name in (n for n in arrays.files if n.startswith("depth_")):
                depth = arrays[name].astype(np.float32)
                seen = depth > 0
                log = np.log(np.where(seen, depth, 1))
                band = np.arange(depth.shape[1]) * BINS // depth.shape[1]
                np.add.at(total, band, log.sum((0, 2)))
                np.add.at(count, band, seen.sum((0, 2)))
    return [round(float(v), 4) for v in np.exp(total / count)]


@cache
def read_bands(path: Path) -> tuple[float, ...]:
    """The committed row means of a training set, from top to bottom."""
    return tuple(float(v) for v in json.loads(path.read_text())["bands"])


def row_prior(height: int, width: int, levels: Sequence[float]) -> FloatArray:
    """(H, W) canonical depth that depends on the row alone, between the centres of the bands in log depth."""
    rows = (np.arange(height) + 0.5) / height * len(levels) - 0.5
    column = np.exp(np.interp(rows, np.arange(len(levels)), np.log(levels)))
    return np.repeat(column[:, None], width, axis=1).astype(np.float32)


def constant_prior(height: int, width: int, levels: Sequence[float]) -> FloatArray:
    """(H, W) of one depth everywhere: the geometric mean of the bands."""
    return np.full((height, width), np.exp(np.mean(np.log(levels))), np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    arguments = parser.parse_args()
    bands = row_means(arguments.data)
    what = "geometric mean of canonical depth per 1/28 of picture height, training pictures of the mix, top to bottom"
    MIX_PRIOR.write_text(json.dumps({"what": what, "bands": bands}, indent=1) + "\n")


if __name__ == "__main__":
    main()
