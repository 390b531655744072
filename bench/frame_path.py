# SPDX-License-Identifier: Apache-2.0
"""What the way of a frame costs beside its network: `estimate` and the bare runtime on the very same tensor, in turn, in one process.

    python bench/frame_path.py                                       # the embedded model, a picture of 1920 x 1080
    python bench/frame_path.py FILE.onnx --rounds 15 --limit-ratio 1.05
    python bench/frame_path.py --runtime openvino --size 1280x720

`bare` is the runtime alone on the input tensor of that picture. `estimate` takes the picture, uint8, and gives a depth map of its size; of it
`preprocess`, `run` and `postprocess` are the stages that it reports itself. `over` is estimate minus bare, round by round. Least, median and
the processor's time of the calling thread, which a busy machine does not add to (OpenCV's and the runtime's own threads not counted).
Prints a table, then the same as one line of JSON. Exits 1 when the median of `over` is above `--limit-ms`, or `estimate / bare` above
`--limit-ratio`, where they are given; and when frames after the warm-up took memory for arrays of their size.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from depthbridge.engines.buffers import BufferPool
from depthbridge.engines.engine import DepthEngine
from depthbridge.engines.model_store import resolve
from depthbridge.engines.preprocess import make_tensor, plan_input
from depthbridge.engines.recognise import recognise
from depthbridge.engines.runtimes.opening import candidates, open_target
from depthbridge.engines.runtimes.targets import Wish

_WARM_UP = 5


def photo(width: int, height: int) -> npt.NDArray[np.uint8]:
    """Smooth shades, edges and noise, as a photo has."""
    random = np.random.default_rng(7)
    coarse = cv2.resize(random.integers(0, 255, (27, 48, 3)).astype(np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    noisy: npt.NDArray[np.uint8] = np.clip(coarse + random.normal(0, 6, coarse.shape), 0, 255).astype(np.uint8)
    return noisy


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds by the clock, and of this thread on a processor."""
    started, busy = time.perf_counter(), time.thread_time()
    work()
    return (time.perf_counter() - started) * 1e3, (time.thread_time() - busy) * 1e3


def rounds_of(arguments: argparse.Namespace) -> tuple[dict[str, list[float]], dict[str, object]]:
    """Milliseconds of each round by name, and what was measured."""
    width, height = (int(side) for side in arguments.size.split("x"))
    resolved = resolve(arguments.model)
    recognised = recognise(resolved.path, resolved.spec)
    target = candidates(resolved.path, Wish.parse(arguments.device, arguments.runtime, arguments.precision))[0]
    runtime = open_target(resolved.path, target, threads=arguments.threads)
    pool = BufferPool()
    with DepthEngine(runtime, recognised, resolved.path, pool=pool) as engine:
        picture = photo(width, height)
        engine.estimate(picture)
        plan = plan_input(width, height, recognised.spec.input, engine.info.fixed_size)
        feeds = {recognised.signature.image.name: make_tensor(picture, plan, recognised.spec.input.method, recognised.signature)}
        names = recognised.signature.output_names
        times: dict[str, list[float]] = {}
        for turn in range(_WARM_UP + arguments.rounds):
            if turn == _WARM_UP:
                times, misses = {}, pool.misses
            bare, bare_busy = measured(lambda: runtime.run(feeds, names))
            whole, whole_busy = measured(lambda: engine.estimate(picture))
            stages = engine.estimate(picture).stage_ms
            assert stages is not None
            row = {
                "bare": bare,
                "estimate": whole,
                "preprocess": stages.preprocess_ms,
                "run": stages.infer_ms,
                "postprocess": stages.postprocess_ms,
                "over": whole - bare,
                "over, processor": whole_busy - bare_busy,
            }
            for name, value in row.items():
                times.setdefault(name, []).append(value)
        facts: dict[str, object] = {
            "model": resolved.path.name,
            "runtime": engine.info.runtime,
            "device": engine.info.device,
            "precision": str(engine.info.precision),
            "picture": [width, height],
            "input": list(plan.size),
            "rounds": arguments.rounds,
            "new_buffers": pool.misses - misses,
        }
    return times, facts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="depthbridge-mini", help="catalogue id or ONNX file")
    parser.add_argument("--size", default="1920x1080", help="of the picture")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--runtime", default="onnxruntime")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--limit-ms", type=float)
    parser.add_argument("--limit-ratio", type=float)
    arguments = parser.parse_args()
    arguments.model = Path(arguments.model) if arguments.model.endswith(".onnx") else arguments.model
    times, facts = rounds_of(arguments)
    medians = {name: statistics.median(values) for name, values in times.items()}
    ratio = medians["estimate"] / medians["bare"]
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(", ".join(f"{name} {value}" for name, value in facts.items()) + f", {os.cpu_count()} cores{load}")
    for name, values in times.items():
        print(f"{name:16} least {min(values):8.2f} ms   median {medians[name]:8.2f} ms")
    print(f"estimate / bare  {ratio:.3f}")
    print(json.dumps({**facts, "median_ms": {name: round(value, 3) for name, value in medians.items()}, "ratio": round(ratio, 4)}))
    slow = arguments.limit_ms is not None and medians["over"] > arguments.limit_ms
    slow = slow or (arguments.limit_ratio is not None and ratio > arguments.limit_ratio)
    return 1 if slow or facts["new_buffers"] else 0


if __name__ == "__main__":
    sys.exit(main())
