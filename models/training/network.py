# SPDX-License-Identifier: Apache-2.0
"""The network of `depthbridge-mini`: a convolutional encoder, global attention on its coarsest grid, an FPN decoder, guided doublings, steeper
edges.

Interface of DA3METRIC: `image` (B, 3, H, W), RGB normalised with the ImageNet mean and deviation, H and W multiples of 14;
out come, each (B, 1, H, W): `depth`, canonical (metres = depth * f / 300); `sky`, in (0, 1), high on sky; and `confidence`,
1 + 1 / b on ground, b the expected |log error| of depth after one scale per picture, and 1, the lowest, on sky.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .attention import PLACE_CHANNELS, Attention, cell_positions
from .doubling import Doubling
from .steepening import steeper

STAGES = (24, 48, 96, 192)
"""Channels at 1/2, 1/4, 1/8, 1/16 of the halved picture."""
DEPTH_BLOCKS = (0, 2, 3)
ATTENTION_LAYERS = 6
ATTENTION_HEADS = 6
DECODER = (32, 48, 64, 96)
MAPS = 3
"""What the network says of each cell: log canonical depth, sky logit, log of the expected error."""
SPREAD_RANGE = (-4.0, 1.0)
"""Bounds of the log of the expected error: from 2 % to a factor of e."""


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


class MiniDepth(nn.Module):
    """The whole network; see the module's text for its interface."""

    def __init__(self, mirror: bool = False) -> None:
        """`mirror`: look twice, once mirrored, and take the mean; a little better, at twice the time."""
        super().__init__()
        self.mirror = mirror
        c2, c4, c8, c16 = STAGES
        self.enter = conv(3, c2, 2)
        self.down = nn.ModuleList([conv(c2, c4, 2), conv(c4, c8, 2), conv(c8, c16, 2)])
        self.blocks = nn.ModuleList(
            [
                nn.Sequential(*[Residual(c) for _ in range(n)])
                for c, n in zip(STAGES[:3], DEPTH_BLOCKS, strict=True)
            ]
        )
        self.place = nn.Conv2d(PLACE_CHANNELS, c16, 1)
        self.attention = nn.ModuleList([Attention(c16, ATTENTION_HEADS) for _ in range(ATTENTION_LAYERS)])
        self.lateral = nn.ModuleList([nn.Conv2d(c, d, 1) for c, d in zip(STAGES, DECODER, strict=True)])
        self.narrow = nn.ModuleList([nn.Conv2d(DECODER[i + 1], DECODER[i], 1) for i in range(3)])
        self.fuse = nn.ModuleList([Residual(d) for d in DECODER])
        self.head = nn.Conv2d(DECODER[0], MAPS, 3, padding=1)
        nn.init.constant_(self.head.bias, 0.0)
        self.finer = Doubling(MAPS)

    def features(self, halved: Tensor) -> list[Tensor]:
        """Feature maps at 1/2, 1/4, 1/8 and 1/16 of the halved picture."""
        x = F.relu(self.enter(halved))
        maps = []
        for blocks, down in zip(self.blocks, self.down, strict=True):
            x = blocks(x)
            maps.append(x)
            x = F.relu(down(x))
        # Added as tokens: OpenVINO 2026.4 fuses a sum right behind a convolution as if both had the same batch, and answers nothing.
        tokens = x.flatten(2).transpose(1, 2) + self.place(cell_positions(x)).flatten(2).transpose(1, 2)
        for layer in self.attention:
            tokens = layer(tokens, x)
        maps.append(tokens.transpose(1, 2).reshape(x.shape))
        return maps

    def coarse(self, halved: Tensor) -> Tensor:
        """(B, 3, ceil(h / 2), ceil(w / 2)) maps, from a picture already averaged over 2x2 pixels."""
        maps = self.features(halved)
        y = self.fuse[3](self.lateral[3](maps[3]))
        for level in (2, 1, 0):
            y = F.interpolate(
                self.narrow[level](y), size=maps[level].shape[-2:], mode="bilinear", align_corners=False
            )
            y = self.fuse[level](y + self.lateral[level](maps[level]))
        found: Tensor = self.head(y)
        return found

    def halved_maps(self, halved: Tensor) -> tuple[Tensor, Tensor]:
        """The coarse maps, and what one doubling makes of them: (B, 3, h, w). This is what training compares with the truth."""
        coarse = self.coarse(halved)
        return coarse, self.doubled(coarse, halved)

    def doubled(self, coarse: Tensor, guide: Tensor) -> Tensor:
        """Twice as fine, as large as the guide; an odd side of the guide is extended by one pixel and cut again."""
        height, width = guide.shape[-2], guide.shape[-1]
        spare = F.pad(guide, (0, 1, 0, 1), mode="replicate")
        even = spare[..., : 2 * coarse.shape[-2], : 2 * coarse.shape[-1]]
        fine: Tensor = self.finer(coarse, even)
        return fine[..., :height, :width]

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Canonical depth, sky and confidence, each (B, 1, H, W), of (B, 3, H, W) normalised pictures."""
        halved = F.avg_pool2d(image, 2)
        if self.mirror:
            seen, mirrored = self.coarse(torch.cat([halved, halved.flip(-1)])).chunk(2)
            coarse = (seen + mirrored.flip(-1)) / 2
        else:
            coarse = self.coarse(halved)
        full = self.doubled(self.doubled(coarse, halved), image)
        depth, sky, spread = full.split(1, 1)
        sky = torch.sigmoid(sky)
        return torch.exp(steeper(depth)), sky, 1 + (1 - sky) * torch.exp(-spread.clamp(*SPREAD_RANGE))
