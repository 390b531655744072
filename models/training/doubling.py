# SPDX-License-Identifier: Apache-2.0
"""Maps made twice as fine without smearing their edges: each new value is a mean of nine coarse ones, and a picture says of which.

Convex upsampling (RAFT; Teed and Deng, 2020, section 3.3), with weights that are worked out from a picture of the finer size and from the
coarse map's own steps. Nothing in it knows how large a pixel is or how far anything, so the same weights serve at every size: they
are trained where a picture of the finer size has a truth to compare with, and used once more beyond it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

NEIGHBOURS = 9
_HIDDEN = 24


def neighbours(maps: Tensor) -> Tensor:
    """(B, C * 9, h, w): each value's 3x3 surroundings, C-major, row by row; beyond the border the border's own value.

    Slices of a padded map and not `unfold`, which exports as a gather over indices worked out from the size.
    """
    height, width = maps.shape[-2], maps.shape[-1]
    padded = F.pad(maps, (1, 1, 1, 1), mode="replicate")
    shifted = [padded[..., y : y + height, x : x + width] for y in range(3) for x in range(3)]
    return torch.stack(shifted, 2).flatten(1, 2)


class Doubling(nn.Module):
    """(B, C, h, w) to (B, C, 2h, 2w), led by a picture of (B, 3, 2h, 2w)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.see = nn.Conv2d(3, _HIDDEN, 6, stride=2, padding=2)
        self.feel = nn.Conv2d(NEIGHBOURS, _HIDDEN, 3, padding=1)
        self.again = nn.Conv2d(_HIDDEN, _HIDDEN, 3, padding=1)
        self.weigh = nn.Conv2d(_HIDDEN, 4 * NEIGHBOURS, 1)
        nn.init.zeros_(self.weigh.weight)
        self.weigh.bias.data = _bilinear_bias()

    def forward(self, coarse: Tensor, guide: Tensor) -> Tensor:
        """`coarse`'s first channel is the logarithm of depth: its steps say where edges may be."""
        around = neighbours(coarse)
        steps = around[:, :NEIGHBOURS] - coarse[:, :1]
        hidden = F.relu(self.see(guide) + self.feel(steps.clamp(-2, 2)))
        hidden = F.relu(hidden + self.again(hidden))
        scores = self.weigh(hidden).float()
        fine = []
        for part in scores.split(NEIGHBOURS, 1):
            share = part.softmax(1)
            fine += [
                (share * values).sum(1, keepdim=True) for values in around.float().split(NEIGHBOURS, 1)
            ]
        by_channel = [fine[c :: self.channels] for c in range(self.channels)]
        return F.pixel_shuffle(torch.cat([torch.cat(maps, 1) for maps in by_channel], 1), 2)


def _bilinear_bias() -> Tensor:
    """Scores whose softmax is bilinear interpolation: where learning starts."""
    line = torch.tensor([[0.25, 0.75, 1e-3], [1e-3, 0.75, 0.25]])
    share = torch.stack([torch.outer(line[y], line[x]).flatten() for y in range(2) for x in range(2)])
    return torch.log(share).flatten()
