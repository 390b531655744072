# SPDX-License-Identifier: Apache-2.0
"""Every figure of the model card, from the shipped file: on scenes frozen before it was trained, beside two priors that never look.

    python -m depthbridge.models.training.evaluate --model models/depthbridge-mini.onnx --cache DIR [--beside OLD.onnx] [--json FILE]

Needs neither torch nor bpy: generator scenes are rendered on the spot, Cycles pictures are read from `--cache` (made by
`cycles_render render`). Plain onnxruntime at the pictures' own network size, but for one line that says so. Refuses scenes that are not
the frozen ones.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import onnxruntime

from ...engines.engine import DepthEngine
from . import tables
from .evaluation_sets import Sample, cycles_place_samples, cycles_samples, generator_samples, place_samples
from .judging import Judged, Summary, judge, summary
from .mini_model import MiniModel
from .stability import Stability, stability

STABILITY_PICTURES = 60
CUES = ("eye height", "tabletop")


def chosen_sets(cache: Path | None, count: int | None) -> dict[str, Iterable[Sample]]:
    """The frozen sets by name; Cycles pictures only where there is a cache of them."""
    sets: dict[str, Iterable[Sample]] = {"generator": generator_samples(count), "places": place_samples(count)}
    if cache is not None:
        sets["Cycles"] = cycles_samples(cache)
        sets["Cycles places"] = cycles_place_samples(cache)
    return sets


def by_group(name: str, judged: Sequence[Judged]) -> dict[str, Summary]:
    """Figures of each kind of scene of a set, and of its pictures whose camera tells something of metres."""
    found = {f"{name}: {group}": [j for j in judged if j.group == group] for group in sorted({j.group for j in judged})}
    found |= {f"{name}, {cue}": [j for j in judged if j.cue == cue] for cue in CUES}
    return {label: summary(part) for label, part in found.items() if part}


def report(model: MiniModel, sets: dict[str, list[Sample]]) -> tuple[dict[str, Summary], dict[str, Summary], dict[str, Stability]]:
    """Figures of a model on each set, on each part of it, and how stable it is."""
    whole: dict[str, Summary] = {}
    parts: dict[str, Summary] = {}
    steady: dict[str, Stability] = {}
    with DepthEngine.open(model.path, device="cpu", runtime="onnxruntime", cache=None) as engine:
        for name, samples in sets.items():
            judged = judge(model, samples)
            whole[name] = summary(judged)
            parts |= by_group(name, judged)
            steady[name] = stability(model, engine, [sample.picture for sample in samples[:STABILITY_PICTURES]])
    return whole, parts, steady


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--beside", type=Path, help="another model of the same interface, such as the one before")
    parser.add_argument("--cache", type=Path, help="folder of rendered Cycles pictures; without it only generator scenes")
    parser.add_argument("--count", type=int, help="only the first so many scenes of each generator set")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    given = parser.parse_args()
    sets = {name: list(samples) for name, samples in chosen_sets(given.cache, given.count).items()}
    figures: dict[str, object] = {"runtime": f"onnxruntime {onnxruntime.__version__}, Python {platform.python_version()}"}
    summaries: dict[str, dict[str, Summary]] = {}
    for path in filter(None, (given.model, given.beside)):
        model = MiniModel(path)
        whole, parts, steady = report(model, sets)
        milliseconds, megabytes = model.milliseconds(), path.stat().st_size / 1e6
        summaries[path.name if path == given.model else f"{path.name} (beside)"] = whole
        print(tables.model_report(path.name, whole, parts, steady, milliseconds, megabytes))
        figures[path.name if path == given.model else f"beside: {path.name}"] = {
            "sets": {name: each.to_json() for name, each in (whole | parts).items()},
            "stability": {name: asdict(each) for name, each in steady.items()},
            "milliseconds_280x504_two_threads": milliseconds,
            "megabytes": megabytes,
        }
    print(tables.side_by_side(summaries))
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
