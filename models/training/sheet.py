# SPDX-License-Identifier: Apache-2.0
"""A picture to look at: evaluation scenes, their true depth and the model's, side by side.

    python -m depthbridge.models.training.sheet --model models/depthbridge-mini.onnx --cache DIR --out docs/pictures/mini-sheet.png

Shown is inverse depth, near bright, sky black; the estimate after its one scale, in the truth's own range of colours.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from ...engines.depth_map import SKY_THRESHOLD
from ...engines.recognise import CANONICAL_FOCAL_PX
from .evaluation_sets import Sample, cycles_samples, generator_samples
from .judging import judge
from .mini_model import Estimate, MiniModel
from .scenes import FloatArray
from .shading import Picture

_CELL = (105, 189)
_COLUMNS = 3


def shades(depth: FloatArray, hidden: npt.NDArray[np.bool_], nearest: float) -> npt.NDArray[np.uint8]:
    """(H, W, 3) BGR of inverse depth: 1 / nearest and nearer is brightest, `hidden` pixels black."""
    bright = np.clip(nearest / np.maximum(depth, 1e-6), 0, 1) * 255
    coloured = cv2.applyColorMap(bright.astype(np.uint8), cv2.COLORMAP_INFERNO)
    coloured[hidden] = 0
    return np.asarray(coloured, np.uint8)


def fit(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """An image inside one cell, black around it."""
    factor = min(_CELL[0] / image.shape[0], _CELL[1] / image.shape[1])
    small = cv2.resize(
        image, (round(image.shape[1] * factor), round(image.shape[0] * factor)), interpolation=cv2.INTER_AREA
    )
    cell = np.zeros((*_CELL, 3), np.uint8)
    top, left = (_CELL[0] - small.shape[0]) // 2, (_CELL[1] - small.shape[1]) // 2
    cell[top : top + small.shape[0], left : left + small.shape[1]] = small
    return cell


def strip(picture: Picture, found: Estimate, note: str) -> npt.NDArray[np.uint8]:
    """Picture, truth and estimate of one scene in a row, with its AbsRel written on the estimate."""
    truth = picture.depth_m * np.float32(CANONICAL_FOCAL_PX / picture.focal_px)
    seen = truth > 0
    nearest = float(np.percentile(truth[seen], 3))
    scaled = found.depth * float(np.median(truth[seen] / found.depth[seen]))
    cells = [
        fit(np.asarray(picture.rgb[..., ::-1])),
        fit(shades(truth, ~seen, nearest)),
        fit(shades(scaled, found.sky >= SKY_THRESHOLD, nearest)),
    ]
    cv2.putText(cells[2], note, (3, 11), cv2.FONT_HERSHEY_SIMPLEX, 0.35, (255, 255, 255), 1, cv2.LINE_AA)
    return np.hstack(cells)


def evenly(samples: Iterable[Sample], count: int) -> list[Sample]:
    """`count` pictures spread evenly over a set."""
    rows = list(samples)
    return [rows[i] for i in np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--generator", type=int, default=12)
    parser.add_argument("--cycles", type=int, default=12)
    arguments = parser.parse_args()
    model = MiniModel(arguments.model)
    chosen = evenly(generator_samples(4 * arguments.generator), arguments.generator)
    chosen += evenly(cycles_samples(arguments.cache), arguments.cycles)
    strips = []
    for sample, judged in zip(chosen, judge(model, chosen), strict=True):
        strips.append(strip(sample.picture, model.estimate(sample.picture.rgb), f"{judged.model.aligned:.2f}"))
    while len(strips) % _COLUMNS:
        strips.append(np.zeros_like(strips[0]))
    rows = [np.hstack(strips[i : i + _COLUMNS]) for i in range(0, len(strips), _COLUMNS)]
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(arguments.out), np.vstack(rows), [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main()
