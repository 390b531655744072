# SPDX-License-Identifier: Apache-2.0
"""What is done to training pictures before the network sees them. Every draw comes from one generator, so a step can be repeated.

A picture that is shrunk or zoomed has another focal length in pixels, so its canonical depth, metres * 300 / f, changes with it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from ...engines.preprocess import IMAGENET_MEAN, IMAGENET_STD

_RESIZES = (0.86, 1.0, 1.14)
"""A few fixed ones: every new size costs a processor's convolutions a compilation."""
_ZOOMED = 0.4
_MOST_ZOOM = 1.5


def from_stored(
    rgb: npt.NDArray[np.uint8], depth: npt.NDArray[np.float16], device: torch.device | str = "cpu"
) -> tuple[Tensor, Tensor]:
    """Pictures as shards hold them, (B, h, w, 3) and (B, h, w), as training takes them: float32 (B, 3, h, w) in [0, 1] and (B, h, w)."""
    return torch.from_numpy(rgb).to(device).permute(0, 3, 1, 2).float() / 255, torch.from_numpy(depth).to(device).float()


def step_dice(seed: int, step: int, device: torch.device | str = "cpu") -> torch.Generator:
    """What a step draws from on a device."""
    return torch.Generator(device).manual_seed(seed * 1_000_003 + step)


def normalise(rgb: Tensor) -> Tensor:
    """(B, 3, h, w) in [0, 1] to ImageNet-normalised, channels last."""
    mean = rgb.new_tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
    deviation = rgb.new_tensor(IMAGENET_STD).view(1, 3, 1, 1)
    return ((rgb - mean) / deviation).contiguous(memory_format=torch.channels_last)


def resized(rgb: Tensor, depth: Tensor, height: int, width: int, focal_factor: float) -> tuple[Tensor, Tensor]:
    """Pictures (B, 3, h, w) and canonical depth (B, h, w) at another size; `focal_factor`: new over old focal length in pixels."""
    if rgb.shape[-2:] != (height, width):
        rgb = F.interpolate(rgb, size=(height, width), mode="bilinear", antialias=True, align_corners=False)
        depth = F.interpolate(depth[:, None], size=(height, width), mode="nearest-exact")[:, 0]
    return rgb, depth / focal_factor


def reframed(rgb: Tensor, depth: Tensor, factor: float, dice: torch.Generator) -> tuple[Tensor, Tensor]:
    """Pictures at about `factor` of their size; sometimes a part of them, as a longer lens pointed elsewhere would take it."""
    height, width = rgb.shape[-2:]
    draws = torch.rand(3, generator=dice)
    factor *= _RESIZES[int(draws[0] * len(_RESIZES))]
    target = (max(7, round(height * factor)), max(7, round(width * factor)))
    zoom = 1 + (_MOST_ZOOM - 1) * float(draws[2]) if draws[1] < _ZOOMED else 1.0
    part = (round(height / zoom), round(width / zoom))
    if part != (height, width):
        corners = torch.rand(len(rgb), 2, generator=dice)
        tops = (corners[:, 0] * (height - part[0] + 1)).long().tolist()
        lefts = (corners[:, 1] * (width - part[1] + 1)).long().tolist()
        cuts = [(slice(y, y + part[0]), slice(x, x + part[1])) for y, x in zip(tops, lefts, strict=True)]
        rgb = torch.stack([picture[:, y, x] for picture, (y, x) in zip(rgb, cuts, strict=True)])
        depth = torch.stack([picture[y, x] for picture, (y, x) in zip(depth, cuts, strict=True)])
    focal_factor = (target[0] / part[0] + target[1] / part[1]) / 2
    return resized(rgb, depth, *target, focal_factor)


def recoloured(rgb: Tensor, dice: torch.Generator) -> Tensor:
    """Colour, contrast, tone, white balance and grain of each picture at random."""
    batch = rgb.shape[0]

    def draw(channels: int = 1) -> Tensor:
        return torch.rand(batch, channels, 1, 1, generator=dice).to(rgb.device)

    level = rgb.mean((1, 2, 3), keepdim=True)
    rgb = torch.lerp(rgb.mean(1, keepdim=True), rgb, 0.4 + 0.8 * draw())
    gain = (0.7 + 0.6 * draw()) * (0.9 + 0.2 * draw(3))
    rgb = ((rgb - level) * gain + level + 0.15 * (draw() - 0.5)).clamp(1e-4, 1)
    rgb = rgb ** torch.exp(0.8 * (draw() - 0.5) * (draw() < 0.5))
    grain = 0.03 * draw() * (draw() < 0.5)
    return rgb + grain * torch.randn(rgb.shape, generator=dice).to(rgb.device)


def augmented(rgb: Tensor, depth: Tensor, factor: float, dice: torch.Generator) -> tuple[Tensor, Tensor]:
    """Everything, half of the pictures mirrored. `rgb` (B, 3, h, w) in [0, 1], `depth` (B, h, w) canonical; `dice` is on the CPU."""
    rgb, depth = reframed(rgb, depth, factor, dice)
    flip = (torch.rand(len(rgb), generator=dice) < 0.5).to(rgb.device)[:, None, None]
    rgb, depth = torch.where(flip[:, None], rgb.flip(-1), rgb), torch.where(flip, depth.flip(-1), depth)
    return recoloured(rgb, dice), depth
