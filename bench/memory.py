# SPDX-License-Identifier: Apache-2.0
"""Whether the engine's memory stays where it is: over thousands of frames, and over opening and closing.

    python bench/memory.py                                    # 2,000 frames of 1280 x 720 and 20 openings, embedded model
    python bench/memory.py FILE.onnx --frames 200 --runtime openvino
    python bench/memory.py --stream                           # through estimate_stream

Frames: resident memory every twentieth of the way, after a warm-up of a tenth; growth is the mean of the last quarter less that of the
first. Openings: an engine is opened, estimates one picture and is closed; growth is the least of the second half less what stays after the
second opening (the first loads libraries, which stay): allocators keep some tens of MB for a while and give them back, a leak only grows.
Prints a table, then the same as one line of JSON. Exits 1 when frames add more than 8 MB or openings
more than 50 MB.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import os
import sys
from pathlib import Path
from statistics import fmean

import numpy as np
import psutil

from depthbridge.engines.engine import DepthEngine
from depthbridge.engines.stream import estimate_stream

FRAMES_LIMIT_MB = 8.0
OPENINGS_LIMIT_MB = 50.0


def resident_mb() -> float:
    return float(psutil.Process(os.getpid()).memory_info().rss) / 1e6


def over_frames(arguments: argparse.Namespace) -> list[float]:
    """Megabytes at twenty points of the way."""
    width, height = (int(side) for side in arguments.size.split("x"))
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(4)]
    warm_up, marks = arguments.frames // 10, []
    with DepthEngine.open(arguments.model, runtime=arguments.runtime) as engine:
        frames = itertools.islice(itertools.cycle(pictures), warm_up + arguments.frames)
        maps = estimate_stream(engine, frames) if arguments.stream else map(engine.estimate, frames)
        step = max(1, arguments.frames // 20)
        for place, _ in enumerate(maps, start=1):
            if place > warm_up and (place - warm_up) % step == 0:
                marks.append(resident_mb())
    return marks


def over_openings(arguments: argparse.Namespace) -> list[float]:
    """Megabytes after each closing."""
    picture, marks = np.full((720, 1280, 3), 100, np.uint8), []
    for _ in range(arguments.openings):
        with DepthEngine.open(arguments.model, runtime=arguments.runtime) as engine:
            engine.estimate(picture)
        del engine
        gc.collect()
        marks.append(resident_mb())
    return marks


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="depthbridge-mini", help="catalogue id or ONNX file")
    parser.add_argument("--runtime", default="onnxruntime")
    parser.add_argument("--size", default="1280x720", help="of the pictures")
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--openings", type=int, default=20)
    parser.add_argument("--stream", action="store_true")
    arguments = parser.parse_args()
    arguments.model = Path(arguments.model) if arguments.model.endswith(".onnx") else arguments.model
    frames, openings = over_frames(arguments), over_openings(arguments)
    quarter = max(1, len(frames) // 4)
    of_frames = fmean(frames[-quarter:]) - fmean(frames[:quarter])
    of_openings = min(openings[len(openings) // 2 :]) - openings[min(1, len(openings) - 1)]
    print(f"{arguments.frames} frames: " + " ".join(f"{mark:.1f}" for mark in frames) + " MB")
    print(f"  growth {of_frames:+.2f} MB, at most {FRAMES_LIMIT_MB:g}")
    print(f"{arguments.openings} openings: " + " ".join(f"{mark:.1f}" for mark in openings) + " MB")
    print(f"  growth {of_openings:+.2f} MB, at most {OPENINGS_LIMIT_MB:g}")
    print(json.dumps({"frames_mb": frames, "frames_growth_mb": of_frames, "openings_mb": openings, "openings_growth_mb": of_openings}))
    return 0 if of_frames <= FRAMES_LIMIT_MB and of_openings <= OPENINGS_LIMIT_MB else 1


if __name__ == "__main__":
    sys.exit(main())
