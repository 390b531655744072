# SPDX-License-Identifier: Apache-2.0
"""Trains the network on a folder of shards for a given wall time.

    python -m depthbridge.models.training.train --data DIR --validation DIR --minutes 75 --out DIR

CPU or CUDA, bfloat16 autocast on both. `checkpoint.pt` in `--out` is rewritten every few minutes (whole or not at all)
and resumed from when it is there. The learning rate follows elapsed training time: warm-up, then a cosine to nothing.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...engines.depth_map import SKY_THRESHOLD
from ...engines.preprocess import IMAGENET_MEAN, IMAGENET_STD
from .losses import depth_and_sky_loss
from .network import MiniDepth

_PIXELS_PER_BATCH = 12 * 140 * 252


@dataclass(frozen=True)
class Plan:
    """What one training run is told."""

    minutes: float
    peak_rate: float = 5e-4
    weight_decay: float = 0.03
    warm_up_steps: int = 300
    factor: float = 1.0
    """Pictures are shrunk by this; small pictures teach more per second."""
    save_every_minutes: float = 3.0
    seed: int = 0


@dataclass
class Shards:
    """All training pictures in memory, grouped by size: (N, h, w, 3) uint8 and (N, h, w) float16 canonical depth."""

    rgb: dict[str, Tensor] = field(default_factory=dict)
    depth: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path) -> Shards:
        parts: dict[str, list[Tensor]] = {}
        for path in sorted(folder.glob("shard_????????.npz")):
            with np.load(path) as arrays:
                for name in arrays.files:
                    parts.setdefault(name, []).append(torch.from_numpy(arrays[name]))
        if not parts:
            raise FileNotFoundError(
                f"no shard_*.npz in {folder}: make them with dataset pictures --out {folder}"
            )
        whole = {name: torch.cat(tensors) for name, tensors in parts.items()}
        sizes = sorted(name.removeprefix("rgb_") for name in whole if name.startswith("rgb_"))
        return cls({s: whole[f"rgb_{s}"] for s in sizes}, {s: whole[f"depth_{s}"] for s in sizes})

    def count(self) -> int:
        return sum(len(d) for d in self.depth.values())


def normalise(rgb: Tensor) -> Tensor:
    """(B, 3, h, w) in [0, 1] to ImageNet-normalised, channels last."""
    mean = rgb.new_tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
    deviation = rgb.new_tensor(IMAGENET_STD).view(1, 3, 1, 1)
    return ((rgb - mean) / deviation).contiguous(memory_format=torch.channels_last)


def augment(rgb: Tensor, depth: Tensor) -> tuple[Tensor, Tensor]:
    """Mirrors, and changes colour, contrast and tone of each picture at random; depth only mirrors."""
    batch = rgb.shape[0]
    flip = torch.rand(batch) < 0.5
    rgb, depth = rgb.clone(), depth.clone()
    rgb[flip], depth[flip] = rgb[flip].flip(-1), depth[flip].flip(-1)
    one = (batch, 1, 1, 1)
    level = rgb.mean((1, 2, 3), keepdim=True)
    grey = rgb.mean(1, keepdim=True)
    rgb = torch.lerp(grey, rgb, 0.4 + 0.8 * torch.rand(one))
    gain = (0.7 + 0.6 * torch.rand(one)) * (0.9 + 0.2 * torch.rand(batch, 3, 1, 1))
    rgb = ((rgb - level) * gain + level + 0.15 * (torch.rand(one) - 0.5)).clamp_(1e-4, 1)
    if torch.rand(()) < 0.5:
        rgb = rgb ** torch.exp(0.8 * (torch.rand(one) - 0.5))
    return rgb, depth


def shrink(rgb: Tensor, depth: Tensor, factor: float) -> tuple[Tensor, Tensor]:
    """Pictures made smaller: their focal length shrinks too, so canonical depth grows by 1 / factor."""
    if factor == 1:
        return rgb, depth
    size = (round(rgb.shape[-2] * factor), round(rgb.shape[-1] * factor))
    small = F.interpolate(rgb, size=size, mode="bilinear", antialias=True, align_corners=False)
    return small, F.interpolate(depth[:, None], size=size, mode="nearest-exact")[:, 0] / factor


class Batches:
    """Endless batches of one picture size each, every picture once per round of its size."""

    def __init__(self, shards: Shards) -> None:
        self.shards = shards
        self.sizes = list(shards.depth)
        self.left: dict[str, Tensor] = {size: torch.empty(0, dtype=torch.long) for size in self.sizes}
        counts = torch.tensor([float(len(shards.depth[s])) for s in self.sizes])
        per_batch = torch.tensor([float(self.batch_size(s)) for s in self.sizes])
        self.weights = counts / per_batch

    def batch_size(self, size: str) -> int:
        height, width = self.shards.depth[size].shape[-2:]
        return max(4, round(_PIXELS_PER_BATCH / (height * width)))

    def draw(self, factor: float = 1.0) -> tuple[Tensor, Tensor]:
        """(B, 3, h, w) in [0, 1] and (B, h, w) canonical depth, shrunk by a factor; smaller pictures come in larger batches."""
        size = self.sizes[int(torch.multinomial(self.weights, 1))]
        wanted = round(self.batch_size(size) / factor)
        if len(self.left[size]) < wanted:
            self.left[size] = torch.randperm(len(self.shards.depth[size]))
        chosen, self.left[size] = self.left[size][:wanted], self.left[size][wanted:]
        rgb = self.shards.rgb[size][chosen].permute(0, 3, 1, 2).float() / 255
        return shrink(rgb, self.shards.depth[size][chosen].float(), factor)


@torch.no_grad()
def validate(network: MiniDepth, shards: Shards, device: torch.device, factor: float) -> dict[str, float]:
    """Mean AbsRel after one median scale per picture, mean AbsRel without it, sky accuracy at 0.3; pictures shrunk by `factor`."""
    network.eval()
    aligned, plain, sky_right = [], [], []
    for size, depths in shards.depth.items():
        for i in range(0, len(depths), 8):
            whole = shards.rgb[size][i : i + 8].permute(0, 3, 1, 2).float() / 255
            rgb, truth = shrink(whole, depths[i : i + 8].float(), factor)
            with torch.autocast(device.type, torch.bfloat16):
                small = network.logits(normalise(rgb).to(device))
            full = F.interpolate(small.float().cpu(), size=truth.shape[-2:], mode="bilinear")
            guess, sky = full[:, 0].exp(), full[:, 1].sigmoid()
            for g, s, t in zip(guess, sky, truth, strict=True):
                seen = t > 0
                ratio = t[seen] / g[seen]
                plain.append((1 / ratio - 1).abs().mean().item())
                aligned.append((ratio.median() / ratio - 1).abs().mean().item())
                sky_right.append(((s < SKY_THRESHOLD) == seen).float().mean().item())
    network.train()
    means = (sum(values) / len(values) for values in (aligned, plain, sky_right))
    return dict(zip(("absrel_aligned", "absrel", "sky_accuracy"), means, strict=True))


def rate_at(plan: Plan, step: int, share: float) -> float:
    """Learning rate: linear warm-up over steps, cosine over the share of wall time used."""
    cosine = 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))
    return plan.peak_rate * min(1.0, (step + 1) / plan.warm_up_steps) * (0.99 * cosine + 0.01)


def train(plan: Plan, shards: Shards, validation: Shards, out: Path, start: Path | None = None) -> None:
    """Trains until the plan's minutes are used up; leaves `checkpoint.pt` and `log.jsonl` in `out`.

    Resumes from `out/checkpoint.pt`; where there is none, begins with the weights of checkpoint `start`, if given.
    """
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(plan.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = MiniDepth().to(device, memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters(), lr=plan.peak_rate, weight_decay=plan.weight_decay)
    used, step = 0.0, 0
    checkpoint = out / "checkpoint.pt"
    source = checkpoint if checkpoint.exists() else start
    if source is not None:
        state = torch.load(source, map_location=device, weights_only=True)
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        used, step = (float(state["used_s"]) if source == checkpoint else 0.0), int(state["step"])
        torch.manual_seed(plan.seed + step)
    batches = Batches(shards)
    begin, saved = time.monotonic() - used, used
    while used < plan.minutes * 60:
        share = used / 60 / plan.minutes
        for group in optimiser.param_groups:
            group["lr"] = rate_at(plan, step, share)
        rgb, depth = augment(*batches.draw(plan.factor))
        with torch.autocast(device.type, torch.bfloat16):
            logits = network.logits(normalise(rgb).to(device))
        loss, parts = depth_and_sky_loss(logits, depth.to(device))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        step += 1
        used = time.monotonic() - begin
        if used - saved > plan.save_every_minutes * 60 or used >= plan.minutes * 60:
            saved = used
            row = (
                {"minutes": used / 60, "step": step, "factor": plan.factor}
                | parts
                | validate(network, validation, device, plan.factor)
            )
            with (out / "log.jsonl").open("a") as log:
                log.write(json.dumps({k: round(v, 4) for k, v in row.items()}) + "\n")
            state = {"network": network.state_dict(), "optimiser": optimiser.state_dict(),
                     "used_s": used, "step": step}  # fmt: skip
            torch.save(state, out / "checkpoint.partial")
            (out / "checkpoint.partial").replace(checkpoint)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--validation", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=75.0)
    parser.add_argument("--factor", type=float, default=1.0, help="shrink pictures by this")
    parser.add_argument("--peak-rate", type=float, default=Plan.peak_rate)
    parser.add_argument("--start", type=Path, help="checkpoint of an earlier run to begin with")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    shards = Shards.load(arguments.data)
    print(f"{shards.count()} training pictures", flush=True)
    plan = Plan(arguments.minutes, peak_rate=arguments.peak_rate, factor=arguments.factor)
    train(plan, shards, Shards.load(arguments.validation), arguments.out, arguments.start)


if __name__ == "__main__":
    main()
