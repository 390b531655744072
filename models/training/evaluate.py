# SPDX-License-Identifier: Apache-2.0
"""How good the model is, on scenes frozen before it was trained, beside two priors that never look at the picture.

    python -m depthbridge.models.training.evaluate --model models/depthbridge-mini.onnx --cache DIR [--json FILE]

Needs neither torch nor bpy: generator scenes are rendered on the spot, Cycles pictures are read from `--cache` (made by
`cycles_render render`). Plain onnxruntime at the pictures' own network size. Refuses scenes that are not the frozen ones.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from ...engines.depth_map import SKY_THRESHOLD
from ...engines.preprocess import IMAGENET_MEAN, IMAGENET_STD
from ...engines.recognise import CANONICAL_FOCAL_PX
from . import cycles_scenes, dataset, priors
from .scenes import FloatArray
from .shading import HORIZON_CANONICAL, Picture

DoubleArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """How one guess does on one picture. `aligned` figures are after one median-ratio scale."""

    aligned: float
    unaligned: float
    delta1: float
    delta1_unaligned: float


@dataclass(frozen=True)
class Judged:
    """One picture: what it is, and how model, priors and a stranger's estimate do on it."""

    group: str
    model: Score
    row: Score
    constant: Score
    shuffled: Score
    sky_accuracy: float
    sky_share: float


def absrel(guess: DoubleArray, truth: DoubleArray) -> float:
    return float(np.mean(np.abs(guess - truth) / truth))


def delta1(guess: DoubleArray, truth: DoubleArray) -> float:
    """Share of pixels within a factor of 1.25."""
    return float(np.mean(np.maximum(guess / truth, truth / guess) < 1.25))


def score(guess: FloatArray, truth: FloatArray, seen: npt.NDArray[np.bool_]) -> Score:
    """Scores of an (H, W) guess against truth over the pixels `seen`."""
    g, t = guess[seen].astype(np.float64), truth[seen].astype(np.float64)
    scaled = g * float(np.median(t / g))
    return Score(absrel(scaled, t), absrel(g, t), delta1(scaled, t), delta1(g, t))


def open_model(path: Path, threads: int = 2) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def run_model(
    session: onnxruntime.InferenceSession, rgb: npt.NDArray[np.uint8]
) -> tuple[FloatArray, FloatArray]:
    """Canonical depth and sky, (H, W) each, of an (H, W, 3) sRGB picture of network size."""
    normal = (rgb.astype(np.float32) / 255 - IMAGENET_MEAN) / IMAGENET_STD
    depth, sky = session.run(["depth", "sky"], {"image": normal.transpose(2, 0, 1)[None]})
    return np.asarray(depth)[0, 0], np.asarray(sky)[0, 0]


def judge(session: onnxruntime.InferenceSession, pictures: Iterable[tuple[str, Picture]]) -> list[Judged]:
    """Scores every picture; a picture's stranger is the previous picture of the same size (the first gets the last)."""
    rows = list(pictures)
    guesses = [run_model(session, picture.rgb) for _, picture in rows]
    by_size: dict[tuple[int, ...], list[int]] = {}
    for index, (_, picture) in enumerate(rows):
        by_size.setdefault(picture.sky.shape, []).append(index)
    stranger = {at: same[place - 1] for same in by_size.values() for place, at in enumerate(same)}
    judged = []
    for index, (group, picture) in enumerate(rows):
        truth = picture.depth_m * np.float32(CANONICAL_FOCAL_PX / picture.focal_px)
        seen = (truth > 0) & (truth <= HORIZON_CANONICAL)
        depth, sky = guesses[index]
        judged.append(
            Judged(
                group,
                score(depth, truth, seen),
                score(priors.row_prior(truth.shape[0], truth.shape[1]), truth, seen),
                score(priors.constant_prior(truth.shape[0], truth.shape[1]), truth, seen),
                score(guesses[stranger[index]][0], truth, seen),
                float(np.mean((sky < SKY_THRESHOLD) == seen)),
                float(np.mean(~seen)),
            )
        )
    return judged


def generator_pictures(count: int | None = None) -> Iterable[tuple[str, Picture]]:
    """The frozen generator scenes (the first `count`) with their layout."""
    for scene, picture in dataset.frozen_pictures(dataset.read_frozen()[:count]):
        yield scene.layout, picture


def cycles_pictures(cache: Path) -> Iterable[tuple[str, Picture]]:
    for scene, picture in cycles_scenes.frozen_pictures(cache):
        yield scene.setting, picture


def summary(judged: Sequence[Judged]) -> dict[str, float]:
    """The figures of one set of pictures."""

    def mean(values: Iterable[float]) -> float:
        return float(np.mean(list(values)))

    found: dict[str, float] = {"pictures": float(len(judged))}
    for name in ("model", "row", "constant", "shuffled"):
        scores: list[Score] = [getattr(j, name) for j in judged]
        found[f"{name}_absrel"] = mean(s.aligned for s in scores)
        found[f"{name}_absrel_median"] = float(np.median([s.aligned for s in scores]))
        found[f"{name}_absrel_unaligned"] = mean(s.unaligned for s in scores)
        found[f"{name}_delta1"] = mean(s.delta1 for s in scores)
        found[f"{name}_delta1_unaligned"] = mean(s.delta1_unaligned for s in scores)
    better = min(found["row_absrel"], found["constant_absrel"])
    found["ratio_to_better_prior"] = found["model_absrel"] / better
    found["shuffled_ratio"] = found["shuffled_absrel"] / better
    found["sky_accuracy"] = mean(j.sky_accuracy for j in judged)
    with_sky = [j.sky_accuracy for j in judged if j.sky_share > 0.01]
    found["sky_accuracy_where_sky"] = mean(with_sky) if with_sky else float("nan")
    return found


def milliseconds(
    session: onnxruntime.InferenceSession, height: int = 280, width: int = 504, runs: int = 40
) -> float:
    """Median wall time of one picture after warm-up."""
    image = np.zeros((1, 3, height, width), np.float32)
    times = []
    for _ in range(runs + 5):
        begin = time.perf_counter()
        session.run(None, {"image": image})
        times.append((time.perf_counter() - begin) * 1000)
    return float(np.median(times[5:]))


def table(name: str, found: dict[str, float]) -> str:
    """One set of pictures as a Markdown table."""
    lines = [f"{name} ({found['pictures']:.0f} pictures)", ""]
    lines += [
        "| guess | AbsRel, one scale | its median | delta1 | AbsRel, no scale | delta1, no scale |",
        "|---|---|---|---|---|---|",
    ]
    labels = {
        "model": "depthbridge-mini",
        "row": "row-mean prior",
        "constant": "constant prior",
        "shuffled": "mini, shuffled pictures",
    }
    columns = ("absrel", "absrel_median", "delta1", "absrel_unaligned", "delta1_unaligned")
    for key, label in labels.items():
        lines.append(
            f"| {label} | " + " | ".join(f"{found[f'{key}_{column}']:.3f}" for column in columns) + " |"
        )
    lines.append("")
    lines.append(f"ratio to the better prior {found['ratio_to_better_prior']:.3f}, shuffled {found['shuffled_ratio']:.3f}; "
                 f"sky accuracy {found['sky_accuracy']:.4f}, on pictures with sky {found['sky_accuracy_where_sky']:.4f}\n")  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument(
        "--cache", type=Path, help="folder of rendered Cycles pictures; without it only generator scenes"
    )
    parser.add_argument("--count", type=int, help="only the first so many generator scenes")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    session = open_model(arguments.model)
    figures: dict[str, dict[str, float]] = {}
    generator = judge(session, generator_pictures(arguments.count))
    figures["generator"] = summary(generator)
    print(table("Generator scenes", figures["generator"]))
    sets = [("generator", generator)]
    if arguments.cache:
        cycles = judge(session, cycles_pictures(arguments.cache))
        figures["cycles"] = summary(cycles)
        print(table("Cycles scenes", figures["cycles"]))
        sets.append(("cycles", cycles))
    for name, judged in sets:
        for group in sorted({j.group for j in judged}):
            part = figures[f"{name} {group}"] = summary([j for j in judged if j.group == group])
            print(f"{name} {group}: {part['pictures']:.0f} pictures, AbsRel {part['model_absrel']:.3f}, row prior {part['row_absrel']:.3f}, "
                  f"constant {part['constant_absrel']:.3f}, no scale {part['model_absrel_unaligned']:.3f}")  # fmt: skip
    figures["speed"] = {"milliseconds_280x504_two_threads": milliseconds(session)}
    print(
        f"\n{figures['speed']['milliseconds_280x504_two_threads']:.0f} ms per 280x504 picture on two threads"
    )
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
