# SPDX-License-Identifier: Apache-2.0
"""The shipped file as evaluation runs it: plain onnxruntime at a picture's own network size, no resizing, nothing fitted."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from ...engines.preprocess import IMAGENET_MEAN, IMAGENET_STD
from .scenes import FloatArray


@dataclass(frozen=True)
class Estimate:
    """Canonical depth, sky value and confidence, (H, W) each; models before the second have no confidence."""

    depth: FloatArray
    sky: FloatArray
    confidence: FloatArray | None


class MiniModel:
    """An ONNX file with DA3METRIC's interface, on the processor."""

    def __init__(self, path: Path, threads: int = 2) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.path = path
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.outputs = [output.name for output in self.session.get_outputs()]

    def estimate(self, rgb: npt.NDArray[np.uint8]) -> Estimate:
        """Of an (H, W, 3) sRGB picture, sides multiples of 14."""
        normal = (rgb.astype(np.float32) / 255 - IMAGENET_MEAN) / IMAGENET_STD
        found = dict(zip(self.outputs, self.session.run(None, {"image": normal.transpose(2, 0, 1)[None]}), strict=True))
        maps = {name: np.asarray(value)[0, 0] for name, value in found.items()}
        return Estimate(maps["depth"], maps["sky"], maps.get("confidence"))

    def milliseconds(self, height: int = 280, width: int = 504, runs: int = 40) -> float:
        """Median wall time of one picture after warm-up."""
        image = np.zeros((1, 3, height, width), np.float32)
        times = []
        for _ in range(runs + 5):
            begin = time.perf_counter()
            self.session.run(None, {"image": image})
            times.append((time.perf_counter() - begin) * 1000)
        return float(np.median(times[5:]))
