# SPDX-License-Identifier: Apache-2.0
"""Makes graphs with the true architecture of published models and random weights, so that speed is measured without a download:

    python bench/graphs.py FOLDER --models da2-small,da3metric-large

Depth Anything V2 comes from transformers with its published configurations; its height and width are dynamic, which the plain export of
transformers only claims (its head fixes the size it was traced at). DA3METRIC-LARGE is the same plain ViT-L with taps after blocks 5, 12, 18 and
24, a DPT head of its widths, and its tail: an exponential depth and a rectified sky, at 280x504. Takes the `bench` extra. Each graph is run by
ONNX Runtime and compared with PyTorch. What they answer means nothing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

PATCH = 14
LIMIT = 1e-3  # of the largest value: PyTorch and ONNX Runtime add up in another order


@dataclass(frozen=True)
class Architecture:
    """``size``: height and width it is traced at; ``dynamic``: whether it takes others; ``taps``: blocks whose output the head sees, from 1."""

    hidden: int
    blocks: int
    heads: int
    taps: tuple[int, int, int, int]
    neck: tuple[int, int, int, int]
    fusion: int
    size: tuple[int, int]
    dynamic: bool
    opset: int
    with_sky: bool


ARCHITECTURES = {
    "da2-small": Architecture(384, 12, 6, (3, 6, 9, 12), (48, 96, 192, 384), 64, (518, 924), True, 17, False),
    "da2-base": Architecture(768, 12, 12, (3, 6, 9, 12), (96, 192, 384, 768), 128, (518, 924), True, 17, False),
    "da2-large": Architecture(1024, 24, 16, (5, 12, 18, 24), (256, 512, 1024, 1024), 256, (518, 924), True, 17, False),
    "da3metric-large": Architecture(1024, 24, 16, (5, 12, 18, 24), (256, 512, 1024, 1024), 256, (280, 504), False, 18, True),
}


class Tail(nn.Module):
    """The head's last convolutions, in place of transformers' own, which fixes the size; with or without sky."""

    def __init__(self, fusion: int, with_sky: bool) -> None:
        super().__init__()
        self.shared = nn.Conv2d(fusion, fusion // 2, 3, padding=1)
        self.depth = _branch(fusion // 2)
        self.sky = _branch(fusion // 2) if with_sky else None
        if not with_sky:
            nn.init.constant_(self.depth[-1].bias, 1.0)  # or half of a random disparity is 0

    def forward(self, features: list[torch.Tensor], rows: torch.Tensor, columns: torch.Tensor) -> tuple[torch.Tensor, ...]:
        wide = self.shared(features[-1])
        wide = nn.functional.interpolate(wide, (rows * PATCH, columns * PATCH), mode="bilinear", align_corners=True)
        if self.sky is None:
            return (torch.relu(self.depth(wide)).squeeze(1),)
        return torch.exp(self.depth(wide)), torch.relu(self.sky(wide))


class Network(nn.Module):
    """Backbone, neck and tail, with the outputs an export has."""

    def __init__(self, what: Architecture) -> None:
        super().__init__()
        from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

        backbone = Dinov2Config(
            hidden_size=what.hidden, num_hidden_layers=what.blocks, num_attention_heads=what.heads, out_indices=list(what.taps),
            image_size=518, patch_size=PATCH, apply_layernorm=True, reshape_hidden_states=False,
        )  # fmt: skip
        config = DepthAnythingConfig(
            backbone_config=backbone, reassemble_hidden_size=what.hidden, neck_hidden_sizes=list(what.neck), fusion_hidden_size=what.fusion,
        )  # fmt: skip
        model = DepthAnythingForDepthEstimation(config)
        self.backbone, self.neck, self.tail = model.backbone, model.neck, Tail(what.fusion, what.with_sky)

    def forward(self, picture: torch.Tensor) -> tuple[torch.Tensor, ...]:
        rows, columns = picture.shape[2] // PATCH, picture.shape[3] // PATCH
        features = self.backbone(picture).feature_maps
        return self.tail(self.neck(features, rows, columns), rows, columns)


def _branch(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 1, 1))


def build(name: str) -> Network:
    """The network of that name; the same random weights each time."""
    torch.manual_seed(0)
    return Network(ARCHITECTURES[name]).eval()


def export(name: str, network: Network, path: Path) -> None:
    """Writes the graph, with the names of the published files; it appears whole or not at all."""
    what = ARCHITECTURES[name]
    names = ["depth", "sky"] if what.with_sky else ["predicted_depth"]
    image = "image" if what.with_sky else "pixel_values"
    axes = {image: {0: "batch_size", 2: "height", 3: "width"}, names[0]: {0: "batch_size", 1: "height", 2: "width"}} if what.dynamic else None
    picture = torch.randn(1, 3, *what.size)
    with tempfile.TemporaryDirectory(dir=path.parent) as staging, warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # the tracer's remarks about sizes that are constant on purpose
        written = Path(staging) / path.name
        torch.onnx.export(
            network, (picture,), str(written), input_names=[image], output_names=names, opset_version=what.opset, dynamic_axes=axes,
            dynamo=False, do_constant_folding=True,
        )  # fmt: skip
        written.replace(path)


def worst_difference(network: Network, path: Path, size: tuple[int, int]) -> float:
    """Between PyTorch and ONNX Runtime at height and width ``size``, as a fraction of the largest value."""
    import onnxruntime

    picture = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = [value.numpy() for value in network(picture)]
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    answers = session.run(None, {session.get_inputs()[0].name: picture.numpy()})
    if [value.shape for value in answers] != [value.shape for value in expected]:
        return float("inf")
    return max(float(np.abs(answer - right).max() / max(np.abs(right).max(), 1e-9)) for answer, right in zip(answers, expected, strict=True))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the graphs go; outside the repository")
    parser.add_argument("--models", default="da2-small", help=f"of {','.join(ARCHITECTURES)}, with commas between them, or all")
    parser.add_argument("--force", action="store_true", help="make those anew that are there")
    options = parser.parse_args()
    wanted = list(ARCHITECTURES) if options.models == "all" else options.models.split(",")
    unknown = [name for name in wanted if name not in ARCHITECTURES]
    if unknown:
        parser.error(f"{', '.join(unknown)} is not known; choose from {', '.join(ARCHITECTURES)}")
    options.folder.mkdir(parents=True, exist_ok=True)
    failed = False
    for name in wanted:
        path = options.folder / f"{name}-random.onnx"
        if path.exists() and not options.force:
            print(f"{path} is there already")
            continue
        started = time.perf_counter()
        network = build(name)
        export(name, network, path)
        took = time.perf_counter() - started
        what = ARCHITECTURES[name]
        sizes = [(280, 504), (518, 518)] if what.dynamic else [what.size]
        off = max(worst_difference(network, path, size) for size in sizes)
        parameters = sum(each.numel() for each in network.parameters())
        verdict = "agrees with PyTorch" if off <= LIMIT else f"DIFFERS FROM PyTorch (limit {LIMIT})"
        print(f"{path}: {parameters:,} parameters, {path.stat().st_size / 1e6:.0f} MB, {took:.0f} s; {verdict}, worst {off:.1e}", flush=True)
        failed |= off > LIMIT
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
