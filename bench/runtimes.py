# SPDX-License-Identifier: Apache-2.0
"""Every installed runtime beside the one that `auto` takes, in one run:

    python bench/runtimes.py                              # the embedded model
    python bench/runtimes.py FOLDER/*.onnx --frames 20    # and the graphs of bench/graphs.py

First how long a new program takes to the first depth of the embedded model, with nothing known of this machine and with everything kept. Then
for each graph a table of the bare runtimes, and whether `auto` is within 5 % of the fastest. Where torch and transformers are
installed, graphs that `bench/graphs.py` knows by name are also run by PyTorch, in FP32 and BF16: floors from outside. Measures in a cache
folder of its own, so that `auto` is chosen anew. Prints Markdown, for docs/performance.md. Exit status 1 when a limit is missed.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from depthbridge.engines.model_store import SHIPPED_MODELS
from depthbridge.engines.prepared.engine_cache import EngineCache
from depthbridge.engines.preprocess import make_tensor, plan_input
from depthbridge.engines.recognise import recognise
from depthbridge.engines.runtimes.opening import candidates, open_target
from depthbridge.engines.runtimes.runtime import Runtime
from depthbridge.engines.runtimes.targets import Precision, RuntimeName, Target, Wish
from depthbridge.engines.tuning.benchmark import wanted_targets
from depthbridge.engines.tuning.choice import choose
from depthbridge.engines.tuning.first_frame import first_frame
from depthbridge.engines.tuning.libraries import library_versions
from depthbridge.engines.tuning.machine import this_processor
from depthbridge.engines.tuning.timing import Effort, Side, Timing, measure
from depthbridge.engines.tuning.trial import sample_picture

LIMIT = 1.05
COLD_LIMIT_S = 1.5
COLD_ROUNDS = 3
PICTURE = (1920, 1080)


def torch_sides(path: Path, tensor: np.ndarray) -> list[Side]:
    """PyTorch's FP32 and BF16 of a graph that bench/graphs.py made; none where torch is absent or the graph is another."""
    name = path.stem.removesuffix("-random")
    if name == path.stem or not all(importlib.util.find_spec(each) for each in ("torch", "transformers")):
        return []
    import graphs
    import torch

    network = graphs.build(name)
    picture = torch.from_numpy(tensor)

    def run(half: bool) -> Callable[[], object]:
        def once() -> object:
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
                return network(picture)

        return once

    return [Side(f"PyTorch {torch.__version__} fp32", run(False)), Side(f"PyTorch {torch.__version__} bf16", run(True))]


def compare(path: Path, frames: int, threads: int | None, cache: EngineCache, outside: bool) -> bool:
    """Prints the table of one graph; whether `auto` is within the limit."""
    known = recognise(path)
    signature = known.signature
    plan = plan_input(*PICTURE, known.spec.input, (signature.height, signature.width))
    tensor = np.ascontiguousarray(make_tensor(sample_picture(*PICTURE), plan, known.spec.input.method, signature)).copy()
    for _ in range(3):  # openings; a measurement that a busy machine left open is repeated
        choice = choose(path, candidates(path, Wish()), threads=threads, cache=cache, recognised=known)
        choice.runtime.close()
    opened: dict[Target, Runtime] = {}
    for target in wanted_targets(path, ["all"]):
        try:
            opened[target] = open_target(path, target, threads=threads, cache=cache)
        except Exception as error:  # a library's own, of whatever class
            print(f"{target} does not open: {error}")

    def bare(runtime: Runtime) -> Callable[[], object]:
        return lambda: runtime.run({signature.image.name: tensor}, signature.output_names)

    sides = [Side(str(target), bare(runtime)) for target, runtime in opened.items()]
    result = measure([*sides, *(torch_sides(path, tensor) if outside else [])], Effort(0, least_rounds=frames, most_rounds=frames))
    for runtime in opened.values():
        runtime.close()
    return report(path, plan.size, choice.target, result.timings, result.failed)


def report(path: Path, size: tuple[int, int], auto: Target, timings: tuple[Timing, ...], failed: dict[str, str]) -> bool:
    """The table; ratios are to the fastest of ours."""
    ours = {each.name: each for each in timings if not each.name.startswith("PyTorch")}
    fastest = min(each.median_ms for each in ours.values())
    print(f"\n**{path.stem}**, input {size[0]}x{size[1]}\n\n| runtime | ms a run | ± | of the fastest | first run, ms |\n|---|---|---|---|---|")
    for each in sorted(timings, key=lambda each: each.median_ms):
        name = f"{each.name} (`auto`)" if each.name == str(auto) else each.name
        print(f"| {name} | {each.median_ms:.1f} | {each.spread_ms:.1f} | {each.median_ms / fastest:.2f} x | {each.first_ms:.0f} |")
    print()
    for name, reason in failed.items():
        print(f"{name} failed: {reason}")
    ratio = ours[str(auto)].median_ms / fastest
    print(f"`auto` is at {ratio:.3f} x the fastest (limit {LIMIT}){'' if ratio <= LIMIT else '  TOO SLOW'}", flush=True)
    return ratio <= LIMIT


def cold_starts(folder: Path) -> bool:
    """New programs with the embedded model, each side in turn; whether they keep to the limit."""
    only = Target(RuntimeName.ONNXRUNTIME, "cpu", Precision.FP32)
    seconds: dict[str, list[float]] = {"auto, nothing known": [], "auto, measured before": [], str(only): []}
    for number in range(COLD_ROUNDS):
        os.environ["DEPTHBRIDGE_CACHE"] = str(folder / f"cold-{number}")
        for name, target in zip(seconds, (None, None, only), strict=True):
            found = first_frame("depthbridge-mini", target, PICTURE)
            if found.seconds is None:
                print(f"{name} failed: {found.error}")
                return False
            seconds[name].append(found.seconds)
    print(f"\n| depthbridge-mini, from the start of a program to the first depth | seconds (limit {COLD_LIMIT_S}) |\n|---|---|")
    for name, each in seconds.items():
        print(f"| {name} | {statistics.median(each):.2f} |")
    return all(statistics.median(each) <= COLD_LIMIT_S for each in seconds.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("graphs", nargs="*", type=Path, help="ONNX files; the embedded model always comes first")
    parser.add_argument("--frames", type=int, default=12, help="rounds")
    parser.add_argument("--threads", type=int, help="of the CPU; otherwise the library's choice")
    parser.add_argument("--cache", type=Path, help="where compiled engines are kept; otherwise a folder that goes afterwards")
    parser.add_argument("--no-cold", action="store_true", help="leave the new programs out")
    parser.add_argument("--no-torch", action="store_true", help="leave PyTorch out")
    options = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parent))
    os.environ.pop("DEPTHBRIDGE_RUNTIME", None)
    print(f"{this_processor()}; " + ", ".join(f"{name} {version}" for name, version in library_versions().items()))
    with tempfile.TemporaryDirectory(prefix="depthbridge-bench-") as folder:
        kept = options.cache or Path(folder)
        good = [options.no_cold or cold_starts(Path(folder))]
        (kept / "choices.json").unlink(missing_ok=True)
        cache = EngineCache(kept)
        paths = [SHIPPED_MODELS / "depthbridge-mini.onnx", *options.graphs]
        good += [compare(path, options.frames, options.threads, cache, not options.no_torch) for path in paths]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
