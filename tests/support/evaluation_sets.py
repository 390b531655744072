# SPDX-License-Identifier: Apache-2.0
"""Data sets for the evaluation: pictures in memory, and plain folders of real files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from depthbridge.cli.evaluation.samples import Sample
from depthbridge.engines.camera import CameraIntrinsics
from depthbridge.engines.depth_map import DepthKind, DepthMap

WIDTH, HEIGHT = 84, 56
CAMERA = CameraIntrinsics.from_vertical_fov(50, WIDTH, HEIGHT)


def picture(seed: int) -> np.ndarray:
    """uint8 RGB: a ramp and some boxes, different for each seed."""
    draw = np.random.default_rng(seed)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    image = np.stack([40 + 2 * rows, 60 + columns, 200 - 2 * rows], axis=-1).astype(np.uint8)
    for _ in range(4):
        top, left = draw.integers(0, HEIGHT - 12), draw.integers(0, WIDTH - 12)
        image[top : top + 12, left : left + 12] = draw.integers(0, 255, 3)
    return image


def depth_of(values: np.ndarray, kind: DepthKind = DepthKind.METRIC, sky: np.ndarray | None = None) -> DepthMap:
    """An estimate; ``sky``: bool."""
    values = values.astype(np.float32)
    valid = kind.holds(values) if sky is None else kind.holds(values) & ~sky
    return DepthMap(values, kind, valid, None if sky is None else sky.astype(np.float32), None, None, "by hand")


def sample_of(truth: np.ndarray, counted: np.ndarray | None = None, sky: np.ndarray | None = None, name: str = "a") -> Sample:
    """A grey picture with that truth; all of it counts that has a depth."""
    truth = truth.astype(np.float32)
    return Sample(name, np.full((*truth.shape, 3), 127, np.uint8), truth, truth > 0 if counted is None else counted, sky)


@dataclass
class MemorySet:
    """A data set of samples; ``asked`` holds the names that were loaded."""

    samples: Sequence[Sample]
    clamp_m: tuple[float, float] | None = None
    layout: str = "memory"
    protocol: str = "every pixel, metres"
    asked: list[str] = field(default_factory=list)

    def names(self) -> list[str]:
        return [sample.name for sample in self.samples]

    def load(self, name: str) -> Sample:
        self.asked.append(name)
        return next(sample for sample in self.samples if sample.name == name)


def plain_folder(folder: Path, depths: Sequence[np.ndarray], *, camera: bool = True) -> Path:
    """``rgb/0000.png``, ``depth/0000.npy`` in metres and, unless ``camera`` is False, ``camera.json``."""
    for name in ("rgb", "depth"):
        (folder / name).mkdir(parents=True)
    for place, depth in enumerate(depths):
        Image.fromarray(picture(place)).save(folder / "rgb" / f"{place:04d}.png")
        np.save(folder / "depth" / f"{place:04d}.npy", depth.astype(np.float32))
    if camera:
        (folder / "camera.json").write_text(json.dumps(CAMERA.to_json()))
    return folder


def ramp(seed: int = 0, near: float = 1.0, far: float = 6.0) -> np.ndarray:
    """float32 (HEIGHT, WIDTH): a floor that goes away, and a nearer box that differs with the seed."""
    depth = np.linspace(far, near, HEIGHT, dtype=np.float32)[:, None].repeat(WIDTH, axis=1)
    left = 8 + 5 * seed % (WIDTH - 32)
    depth[20:40, left : left + 20] = near * 0.8
    return depth
