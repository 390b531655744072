# SPDX-License-Identifier: Apache-2.0
"""How a network in training does on pictures it is not trained on: the figures of the log, on stored, half-size pictures."""

from __future__ import annotations

import numpy as np
import torch

from ...engines import depth_edges
from ...engines.depth_map import SKY_THRESHOLD
from .augment import from_stored, normalise, resized
from .network import MiniDepth
from .shards import Pictures


@torch.no_grad()
def validate(network: MiniDepth, pictures: Pictures, device: torch.device, factor: float, batch: int = 8) -> dict[str, float]:
    """Means over all pictures, shrunk by `factor`: AbsRel after one median scale and without it, depth-edge F1, sky accuracy."""
    network.eval()
    aligned, plain, edges, sky_right = [], [], [], []
    for part in (part for parts in pictures.parts.values() for part in parts):
        for i in range(0, len(part.depth), batch):
            rgb, depth = from_stored(np.array(part.rgb[i : i + batch]), np.array(part.depth[i : i + batch]))
            size = (round(depth.shape[-2] * factor), round(depth.shape[-1] * factor))
            rgb, truth = resized(rgb, depth, *size, factor)
            with torch.autocast(device.type, torch.bfloat16):
                _, maps = network.halved_maps(normalise(rgb).to(device))
            logs, skies = maps[:, 0].float().cpu().numpy(), maps[:, 1].float().sigmoid().cpu().numpy()
            for log_depth, sky, true in zip(logs, skies, truth.numpy(), strict=True):
                seen, guess = true > 0, np.exp(log_depth)
                ratio = guess[seen] / true[seen]
                plain.append(float(np.abs(ratio - 1).mean()))
                aligned.append(float(np.abs(ratio / np.median(ratio) - 1).mean()))
                edges.append(depth_edges.edge_f1(guess, true, seen))
                sky_right.append(float(((sky < SKY_THRESHOLD) == seen).mean()))
    means = {"absrel_aligned": aligned, "absrel": plain, "edge_f1": edges, "sky_accuracy": sky_right}
    return {name: float(np.nanmean(values)) for name, values in means.items()}
