# SPDX-License-Identifier: Apache-2.0
"""What measuring costs over plain statistics: 40 objects that cover half of 1024 x 1024, all fields included.

    python bench/measure_objects.py [--side 1024] [--objects 40] [--rounds 25]

The floor is what one would write in a few lines: per object one boolean mask, and from its depths and ranges mean, median, least and
largest; no erosion, no centre, no boxes, no world, no borders. Beside it one `np.bincount` of the mask, the least that finding objects can
cost. The whole is `measure_frame` with extrinsics and without the picture, and its JSON; the look at the picture for a flipped mask comes
by itself. Rounds alternate in one process; least and median times of each, the least time of the processor (what a busy machine does not
add to), and the ratio of medians. Exits 1 when the whole takes more than 25 ms at least.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from depthbridge.engines import CameraIntrinsics, DepthMap
from depthbridge.unity_bridge.measuring.flip import mask_is_flipped
from depthbridge.unity_bridge.measuring.frame import measure_frame

LIMIT_MS = 25.0


def scene(side: int, count: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint16]]:
    """Ellipses in a grid that cover half the picture, each a slightly curved surface of its own depth, as smooth as a network's map is."""
    random = np.random.default_rng(0)
    columns = max(1, round((count * 1.6) ** 0.5))
    lines = -(-count // columns)
    rows, cols = np.mgrid[:side, :side]
    depth, mask = (8 - 4 * rows / side).astype(np.float32), np.zeros((side, side), np.uint16)
    reach = (0.5 * side * side / count / np.pi) ** 0.5
    stretch = (side / columns / (side / lines)) ** 0.5
    values = random.permutation(np.arange(1, count + 1))
    for index in range(count):
        y, x = (index // columns + 0.5) * side / lines, (index % columns + 0.5) * side / columns
        own = ((rows - y) / (reach / stretch)) ** 2 + ((cols - x) / (reach * stretch)) ** 2 < 1
        tilt = random.uniform(-2e-3, 2e-3, 2)
        surface = random.uniform(1, 5) + tilt[0] * (cols - x) + tilt[1] * (rows - y) + 1e-5 * (cols - x) ** 2
        mask[own], depth[own] = values[index], surface[own]
    relief = cv2.resize(random.normal(size=(side // 8, side // 8)).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    return depth * (1 + np.float32(0.01) * relief), mask


def plain(depth: npt.NDArray[np.float32], ranges: npt.NDArray[np.float32], mask: npt.NDArray[np.uint16]) -> list[Any]:
    """The floor."""
    answers = []
    for value in np.unique(mask)[1:]:
        own = mask == value
        for layer in (depth, ranges):
            here = layer[own]
            answers.append((here.mean(dtype=np.float64), np.median(here), here.min(), here.max()))
    return answers


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Milliseconds by the clock, and of this thread on a processor."""
    started, busy = time.perf_counter(), time.thread_time()
    work()
    return (time.perf_counter() - started) * 1e3, (time.thread_time() - busy) * 1e3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--objects", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=25)
    arguments = parser.parse_args()
    depth, mask = scene(arguments.side, arguments.objects)
    side = arguments.side
    camera = CameraIntrinsics.from_vertical_fov(60, side, side)
    depth_map = DepthMap.exact(depth, camera, "bench")
    ranges = depth_map.range_values()
    pose = np.hstack([np.diag([1.0, -1.0, -1.0]), [[0.0], [1.5], [0.0]]])
    image = cv2.applyColorMap((mask * 37).astype(np.uint8), cv2.COLORMAP_JET)
    works: dict[str, Callable[[], Any]] = {
        "bincount": lambda: np.bincount(mask.ravel()),
        "plain statistics": lambda: plain(depth, ranges, mask),
        "all fields": lambda: measure_frame(depth_map, mask, extrinsics=pose),
        "all fields, as JSON": lambda: measure_frame(depth_map, mask, extrinsics=pose).to_json(),
        "look for a flip": lambda: mask_is_flipped(image, mask),
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for turn in range(arguments.rounds + 1):
        for name, work in works.items():
            spent = timed(work)
            if turn:  # the first is for warming up
                times[name].append(spent)
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{arguments.objects} objects, {np.mean(mask > 0):.0%} of {side}x{side}, numpy {np.__version__}, {os.cpu_count()} cores{load}")
    floor = statistics.median(clock for clock, _ in times["plain statistics"])
    for name, spent in times.items():
        least, busy = (min(column) for column in zip(*spent, strict=True))
        median = statistics.median(clock for clock, _ in spent)
        print(f"{name:20} least {least:7.2f} ms   median {median:7.2f} ms   processor {busy:7.2f} ms   {median / floor:5.2f} x plain statistics")
    least = min(clock for clock, _ in times["all fields"])
    print(f"all fields: {least:.1f} ms of at most {LIMIT_MS:g} ms")
    return 0 if least <= LIMIT_MS else 1


if __name__ == "__main__":
    sys.exit(main())
