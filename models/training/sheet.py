# SPDX-License-Identifier: Apache-2.0
"""A picture to look at: evaluation scenes, their true depth and the model's, side by side; the worst of each set; photographs.

    python -m depthbridge.models.training.sheet --model models/depthbridge-mini.onnx --cache DIR --out docs/pictures/mini-sheet.png
        [--photographs FILE ...]

Shown is inverse depth, near bright, sky black; the estimate after its one scale, in the truth's own range of colours. Photographs have
no truth and lie outside the model's domain: they get a place of their own, and say so.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from ...engines.depth_map import SKY_THRESHOLD
from ...engines.recognise import CANONICAL_FOCAL_PX
from .evaluate import chosen_sets
from .evaluation_sets import Sample
from .judging import Judged, judge
from .mini_model import Estimate, MiniModel
from .scenes import FloatArray

Image = npt.NDArray[np.uint8]
_CELL = (105, 189)
_COLUMNS = 3
_PATCH = 14
_TITLE = 20
_LONGER_SIDE = 504


def shades(depth: FloatArray, hidden: npt.NDArray[np.bool_], nearest: float) -> Image:
    """(H, W, 3) BGR of inverse depth: 1 / nearest and nearer is brightest, `hidden` pixels black."""
    bright = np.clip(nearest / np.maximum(depth, 1e-6), 0, 1) * 255
    coloured = cv2.applyColorMap(bright.astype(np.uint8), cv2.COLORMAP_INFERNO)
    coloured[hidden] = 0
    return np.asarray(coloured, np.uint8)


def fit(image: Image) -> Image:
    """An image inside one cell, black around it."""
    factor = min(_CELL[0] / image.shape[0], _CELL[1] / image.shape[1])
    small = cv2.resize(image, (round(image.shape[1] * factor), round(image.shape[0] * factor)), interpolation=cv2.INTER_AREA)
    cell = np.zeros((*_CELL, 3), np.uint8)
    top, left = (_CELL[0] - small.shape[0]) // 2, (_CELL[1] - small.shape[1]) // 2
    cell[top : top + small.shape[0], left : left + small.shape[1]] = small
    return cell


def noted(cell: Image, note: str) -> Image:
    """The cell with a word in its corner."""
    return np.asarray(cv2.putText(cell, note, (3, 11), cv2.FONT_HERSHEY_SIMPLEX, 0.35, (255, 255, 255), 1, cv2.LINE_AA), np.uint8)


def strip(sample: Sample, found: Estimate, note: str) -> Image:
    """Picture, truth and estimate of one scene in a row, with its AbsRel written on the estimate."""
    picture = sample.picture
    truth = picture.depth_m * np.float32(CANONICAL_FOCAL_PX / picture.focal_px)
    seen = truth > 0
    nearest = float(np.percentile(truth[seen], 3))
    scaled = found.depth * float(np.median(truth[seen] / found.depth[seen]))
    estimate = noted(fit(shades(scaled, found.sky >= SKY_THRESHOLD, nearest)), note)
    return np.hstack([fit(np.asarray(picture.rgb[..., ::-1])), fit(shades(truth, ~seen, nearest)), estimate])


def photograph_strip(model: MiniModel, path: Path) -> Image:
    """A photograph and its estimate, no truth between them."""
    whole = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if whole is None:
        raise FileNotFoundError(f"{path} is not a picture that can be read; check the path")
    factor = _LONGER_SIDE / max(whole.shape[:2])
    height, width = (max(1, round(side * factor / _PATCH)) * _PATCH for side in whole.shape[:2])
    small = np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    found = model.estimate(np.ascontiguousarray(small[..., ::-1]))
    sky = found.sky >= SKY_THRESHOLD
    nearest = float(np.percentile(found.depth[~sky], 3)) if not sky.all() else 1.0
    return np.hstack([fit(small), noted(np.zeros((*_CELL, 3), np.uint8), "no truth"), fit(shades(found.depth, sky, nearest))])


def section(title: str, strips: Sequence[Image]) -> Image:
    """Strips below a title, three in a row."""
    padded = [*strips, *[np.zeros_like(strips[0])] * (-len(strips) % _COLUMNS)]
    rows = [np.hstack(padded[i : i + _COLUMNS]) for i in range(0, len(padded), _COLUMNS)]
    bar = np.full((_TITLE, rows[0].shape[1], 3), 40, np.uint8)
    cv2.putText(bar, title, (6, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
    return np.vstack([bar, *rows])


def chosen(judged: Sequence[Judged], usual: int, worst: int) -> tuple[list[int], list[int]]:
    """Which pictures of a set are shown: some spread evenly over it, and those with the largest AbsRel after one scale."""
    evenly = np.linspace(0, len(judged) - 1, min(usual, len(judged))).astype(int)
    by_error = np.argsort([-each.model.aligned for each in judged], kind="stable")
    return [int(at) for at in evenly], [int(at) for at in by_error[:worst]]


def set_sections(model: MiniModel, name: str, samples: Sequence[Sample], usual: int, worst: int) -> list[Image]:
    judged = judge(model, samples)

    def strips(which: list[int]) -> list[Image]:
        return [strip(samples[i], model.estimate(samples[i].picture.rgb), f"{judged[i].model.aligned:.2f}") for i in which]

    some, bad = chosen(judged, usual, worst)
    whole = [section(f"{name}: picture, truth, estimate; spread evenly over the set", strips(some))]
    return [*whole, section(f"{name}: the worst of {len(samples)}", strips(bad))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True, help="folder of rendered Cycles pictures")
    parser.add_argument("--photographs", type=Path, nargs="*", default=[])
    parser.add_argument("--usual", type=int, default=9, help="pictures of each set")
    parser.add_argument("--worst", type=int, default=3, help="and its worst")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    model = MiniModel(given.model)
    parts: list[Image] = []
    for name, samples in chosen_sets(given.cache, None).items():
        parts += set_sections(model, name, list(samples), given.usual, given.worst)
    if given.photographs:
        title = "photographs: outside the model's domain, it has never been trained on one"
        parts.append(section(title, [photograph_strip(model, path) for path in given.photographs]))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(given.out), np.vstack(parts), [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main()
