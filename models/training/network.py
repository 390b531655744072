# SPDX-License-Identifier: Apache-2.0
"""The network of `depthbridge-mini`: a small convolutional encoder, global attention on its coarsest grid, an FPN decoder.

Interface of DA3METRIC: `image` (B, 3, H, W), RGB normalised with the ImageNet mean and deviation, H and W multiples of 14;
out come `depth` and `sky`, (B, 1, H, W): canonical depth (metres = depth * f / 300) and a value in (0, 1), high on sky.
Pictures are first averaged over `pool` x `pool` pixels, and looked at twice, once mirrored.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STAGES = (24, 40, 80, 160)
"""Channels at 1/2, 1/4, 1/8, 1/16 of the halved picture."""
DEPTH_BLOCKS = (0, 2, 3)
ATTENTION_LAYERS = 4
ATTENTION_HEADS = 5
DECODER = (24, 48, 48, 64)
_WAVES = (1, 2, 3, 4, 6, 8, 12, 16)


def conv(inputs: int, outputs: int, stride: int = 1, size: int = 3) -> nn.Sequential:
    """Convolution and batch normalisation; stride 2 gives ceil(n / 2), so that a 14-pixel side survives four of them."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False), nn.BatchNorm2d(outputs)
    )


class Residual(nn.Module):
    """Two 3x3 convolutions beside an identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = conv(channels, channels)
        self.second = conv(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(F.relu(self.first(x))))


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
        tokens = tokens + self.out((weights @ value).transpose(1, 2).reshape(batch, count, channels))
        hidden = self.rise(self.mlp_norm(tokens)).transpose(1, 2)
        hidden = hidden.reshape(batch, -1, grid.shape[-2], grid.shape[-1])
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


class MiniDepth(nn.Module):
    """The whole network; see the module's text for its interface."""

    def __init__(self, pool: int = 2) -> None:
        """`pool`: how many pixels across the graph averages first; more than 2 for weights trained on shrunk pictures."""
        super().__init__()
        self.pool = pool
        c2, c4, c8, c16 = STAGES
        self.enter = conv(3, c2, 2)
        self.down = nn.ModuleList([conv(c2, c4, 2), conv(c4, c8, 2), conv(c8, c16, 2)])
        self.blocks = nn.ModuleList(
            [
                nn.Sequential(*[Residual(c) for _ in range(n)])
                for c, n in zip(STAGES[:3], DEPTH_BLOCKS, strict=True)
            ]
        )
        self.place = nn.Conv2d(2 + 4 * len(_WAVES), c16, 1)
        self.attention = nn.ModuleList([Attention(c16, ATTENTION_HEADS) for _ in range(ATTENTION_LAYERS)])
        self.lateral = nn.ModuleList([nn.Conv2d(c, d, 1) for c, d in zip(STAGES, DECODER, strict=True)])
        self.narrow = nn.ModuleList([nn.Conv2d(DECODER[i + 1], DECODER[i], 1) for i in range(3)])
        self.fuse = nn.ModuleList([Residual(d) for d in DECODER])
        self.head = nn.Conv2d(DECODER[0], 2, 3, padding=1)
        nn.init.constant_(self.head.bias, 0.0)

    def features(self, halved: Tensor) -> list[Tensor]:
        """Feature maps at 1/2, 1/4, 1/8 and 1/16 of the halved picture."""
        x = F.relu(self.enter(halved))
        maps = []
        for blocks, down in zip(self.blocks, self.down, strict=True):
            x = blocks(x)
            maps.append(x)
            x = F.relu(down(x))
        tokens = (x + self.place(cell_positions(x))).flatten(2).transpose(1, 2)
        for layer in self.attention:
            tokens = layer(tokens, x)
        maps.append(tokens.transpose(1, 2).reshape(x.shape))
        return maps

    def logits(self, halved: Tensor) -> Tensor:
        """(B, 2, h/2, w/2) log canonical depth and sky logit, from a picture already averaged over 2x2 pixels."""
        maps = self.features(halved)
        y = self.fuse[3](self.lateral[3](maps[3]))
        for level in (2, 1, 0):
            y = F.interpolate(
                self.narrow[level](y), size=maps[level].shape[-2:], mode="bilinear", align_corners=False
            )
            y = self.fuse[level](y + self.lateral[level](maps[level]))
        found: Tensor = self.head(y)
        return found

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Canonical depth and sky, each (B, 1, H, W), of (B, 3, H, W) normalised pictures.

        The picture is looked at twice, once mirrored, and the two logits are averaged.
        """
        shrunk = F.avg_pool2d(image, self.pool, ceil_mode=True, count_include_pad=False)
        seen, mirrored = self.logits(torch.cat([shrunk, shrunk.flip(-1)])).chunk(2)
        small = (seen + mirrored.flip(-1)) / 2
        full = F.interpolate(small, size=image.shape[-2:], mode="bilinear", align_corners=False)
        return torch.exp(full[:, :1] - math.log(self.pool / 2)), torch.sigmoid(full[:, 1:])
