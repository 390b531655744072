# SPDX-License-Identifier: Apache-2.0
"""Layers that see the whole picture at once, and what tells a cell where it is; both follow any picture size."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_WAVES = (1, 2, 3, 4, 6, 8, 12, 16)
PLACE_CHANNELS = 2 + 4 * len(_WAVES)


class Attention(nn.Module):
    """A transformer layer over all cells of the coarsest grid, with a depthwise 3x3 inside its MLP."""

    def __init__(self, channels: int, heads: int, expand: int = 3) -> None:
        super().__init__()
        self.heads, self.width = heads, channels // heads
        self.scale = self.width**-0.5
        self.norm = nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)
        self.mlp_norm = nn.LayerNorm(channels)
        self.rise = nn.Linear(channels, expand * channels)
        self.mix = nn.Conv2d(expand * channels, expand * channels, 3, padding=1, groups=expand * channels)
        self.fall = nn.Linear(expand * channels, channels)

    def forward(self, tokens: Tensor, grid: Tensor) -> Tensor:
        """(B, N, C) tokens of a feature map; `grid` (B, C, h, w) only lends its size."""
        batch, count, channels = tokens.shape[0], tokens.shape[1], tokens.shape[2]
        parts = self.qkv(self.norm(tokens)).reshape(batch, count, 3, self.heads, self.width)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        weights = (query @ key.transpose(-1, -2) * self.scale).softmax(-1)
        # Transposed on both sides: OpenVINO 2026.4 gets `weights @ value` wrong ever after once it has run it with a single cell.
        mixed = (value.transpose(-1, -2) @ weights.transpose(-1, -2)).permute(0, 3, 1, 2)
        tokens = tokens + self.out(mixed.reshape(batch, count, channels))
        hidden = self.rise(self.mlp_norm(tokens)).transpose(1, 2)
        hidden = hidden.reshape(batch, hidden.shape[1], grid.shape[-2], grid.shape[-1])
        hidden = F.relu(hidden + self.mix(hidden)).flatten(2).transpose(1, 2)
        return tokens + self.fall(hidden)


def cell_positions(grid: Tensor) -> Tensor:
    """(1, 2 + 4 * waves, h, w): where each cell is, in units of half the longer side, and as sines of height and width.

    A ramp from -1 to 1 is stretched to the grid, then shrunk so that it gives cell centres: an exported graph holds one
    Resize and follows any picture size. Always float32: bfloat16 would blur the finest waves.
    """
    height, width = grid.shape[-2], grid.shape[-1]
    ramp = torch.tensor([[[[-1.0, -1.0], [1.0, 1.0]], [[-1.0, 1.0], [-1.0, 1.0]]]], device=grid.device)
    ramp = F.interpolate(ramp, size=(height, width), mode="bilinear", align_corners=True)
    one = torch.ones(1, 1, 1, 1, device=grid.device)
    y = ramp[:, :1] * ((one * height - 1) / (one * height))
    x = ramp[:, 1:] * ((one * width - 1) / (one * width))
    longer = torch.maximum(one * height, one * width)
    maps = [y * (one * height / longer), x * (one * width / longer)]
    for wave in _WAVES:
        angle = wave * torch.pi / 2
        maps += [torch.sin(angle * y), torch.cos(angle * y), torch.sin(angle * x), torch.cos(angle * x)]
    return torch.cat(maps, 1)
