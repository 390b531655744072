# SPDX-License-Identifier: Apache-2.0
"""Scenes of the simpler generator, drawn for a step of training and rendered on the device that trains.

A graphics card renders whole batches with `render_batch`; a processor is eight times faster with `shading.render`, which leaves out what a
solid cannot reach, and takes that. Both give the same pictures but for the grain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ....engines.recognise import CANONICAL_FOCAL_PX
from ..augment import from_stored, step_dice
from ..dataset import CANONICAL_RANGE, LEAST_GROUND, NEAREST_M, TRAINING_DEPTH_SPREAD, Pair, layout_pair
from ..layouts import FRAME_WEIGHTS, FRAMES, draw_scene
from ..scenes import Scene
from .rendering import render_batch
from .scene_batch import batch_scenes

SEEDS = 8_000_000
"""Below those of validation and of evaluation."""
AT_ONCE = 32
"""Scenes that are rendered together: some 3 GB for the largest frame."""

Batch = tuple[Tensor, Tensor]
"""(B, 3, h, w) float32 sRGB in [0, 1] and (B, h, w) float32 canonical depth, 0 on sky; h, w half of the network's size, as in shards."""


def frame_of(seed: int, step: int) -> tuple[int, int]:
    """Height and width of a step's scenes where no folder decides them."""
    dice = np.random.Generator(np.random.PCG64((seed, step, 3)))
    width, height = FRAMES[int(dice.choice(len(FRAMES), p=np.array(FRAME_WEIGHTS) / sum(FRAME_WEIGHTS)))]
    return height, width


def scenes_of(seed: int, step: int, frame: tuple[int, int]) -> Iterator[Scene]:
    """Without end: the scenes of a step whose pictures are `frame` (height, width). ValueError for one that no scene has."""
    if (frame[1], frame[0]) not in FRAMES:
        raise ValueError(f"no scene is drawn at {frame[1]}x{frame[0]}; on the fly there are " + ", ".join(f"{w}x{h}" for w, h in FRAMES))
    dice = np.random.Generator(np.random.PCG64((seed, step, 1)))
    while True:
        scene = draw_scene(int(dice.integers(SEEDS)))
        if (scene.camera.height, scene.camera.width) == frame:
            yield scene


def pictures_of(seed: int, step: int, count: int, frame: tuple[int, int], device: torch.device) -> Batch:
    """The first `count` of a step's scenes that are worth seeing: the same call gives the same pictures on the same kind of device."""
    scenes = scenes_of(seed, step, frame)
    dice = step_dice(seed, step, device)
    parts: list[Batch] = []
    while (missing := count - sum(len(depth) for _, depth in parts)) > 0:
        some = list(islice(scenes, min(missing, AT_ONCE)))
        parts.append(_by_processor(some) if device.type == "cpu" else by_device(some, device, dice))
    return torch.cat([rgb for rgb, _ in parts]), torch.cat([depth for _, depth in parts])


def by_device(scenes: Sequence[Scene], device: torch.device, dice: torch.Generator | None) -> Batch:
    """Those of `scenes` that are worth seeing, all at once on a device; stored as by `dataset.training_pair`: colour averaged over 2x2 pixels,
    depth one of the four."""
    batch = batch_scenes(scenes, device)
    found = render_batch(batch, dice)
    metres = found.depth_m[:, 1::2, 1::2]
    kept = worth_seeing(metres, TRAINING_DEPTH_SPREAD)
    rgb = (F.avg_pool2d(found.rgb[kept] * 255, 2) + 0.5).floor() / 255
    canonical = (metres * (CANONICAL_FOCAL_PX / batch.focal)[..., None]).clamp(*CANONICAL_RANGE)
    return rgb, torch.where(metres > 0, canonical, 0.0)[kept]


def worth_seeing(metres: Tensor, spread: float) -> Tensor:
    """(B,) bool: `dataset.worth_seeing` of planar depths (B, h, w), 0 on sky."""
    flat = metres.flatten(1)
    ground = torch.where(flat > 0, flat, torch.nan)
    near, far = ground.nanquantile(0.1, 1), ground.nanquantile(0.9, 1)
    nearest = torch.where(flat > 0, flat, torch.inf).amin(1)
    return (torch.isfinite(ground).float().mean(1) >= LEAST_GROUND) & (nearest >= NEAREST_M) & (far / near > spread)


def _by_processor(scenes: Sequence[Scene]) -> Batch:
    pairs: list[Pair] = [pair for pair in map(layout_pair, scenes) if pair is not None]
    if not pairs:
        height, width = scenes[0].camera.height // 2, scenes[0].camera.width // 2
        return torch.zeros(0, 3, height, width), torch.zeros(0, height, width)
    return from_stored(np.stack([rgb for rgb, _ in pairs]), np.stack([depth for _, depth in pairs]))
