# SPDX-License-Identifier: Apache-2.0
"""What training minimises, all in the logarithm of canonical depth, where one scale per picture is a plain shift."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

METRIC_WEIGHT, SHAPE_WEIGHT, EDGE_WEIGHT, SKY_WEIGHT = 0.3, 1.0, 0.15, 0.2
_NEAREST = 0.02


def gradient_error(error: Tensor, seen: Tensor) -> Tensor:
    """Mean absolute gradient of the error (B, h, w) where both neighbours are seen, over strides 1, 2, 4 and 8.

    The multi-scale gradient term of MegaDepth (Li and Snavely, 2018, eq. 5), here on log depth.
    """
    total = error.new_zeros(())
    for stride in (1, 2, 4, 8):
        e, m = error[:, ::stride, ::stride], seen[:, ::stride, ::stride]
        across = (e[:, :, 1:] - e[:, :, :-1]).abs() * m[:, :, 1:] * m[:, :, :-1]
        down = (e[:, 1:] - e[:, :-1]).abs() * m[:, 1:] * m[:, :-1]
        total = total + across.mean() + down.mean()
    return total


def aligned_relative_error(error: Tensor, seen: Tensor) -> Tensor:
    """(B, h, w) mean of |log ratio| and |ratio - 1| after one median scale per picture; half of it is AbsRel itself.

    Scale invariance as Eigen et al. (2014, eq. 1), with the median where they take the mean. Ratios beyond e^1.5 count
    as that.
    """
    flat = torch.where(seen > 0, error, torch.nan).flatten(1)
    shift = flat.detach().nanmedian(dim=1).values.nan_to_num(0.0)[:, None, None]
    left = error - shift
    return 0.5 * left.abs() + 0.5 * (torch.exp(left.clamp(max=1.5)) - 1).abs()


def depth_and_sky_loss(logits: Tensor, target: Tensor) -> tuple[Tensor, dict[str, float]]:
    """Loss of (B, 2, h', w') logits against canonical depth (B, h, w), 0 on sky; and its parts for the log.

    Parts: L1 of log depth (metric), the error that is left after one scale per picture (shape), gradients (edges), binary
    cross entropy (sky).
    """
    full = F.interpolate(logits.float(), size=target.shape[-2:], mode="bilinear", align_corners=False)
    seen = (target > 0).float()
    error = (full[:, 0] - torch.log(target.clamp_min(_NEAREST))) * seen
    count = seen.sum((1, 2)).clamp_min(1)
    metric = (error.abs().sum((1, 2)) / count).mean()
    shape = ((aligned_relative_error(error, seen) * seen).sum((1, 2)) / count).mean()
    edges = gradient_error(error, seen)
    sky = F.binary_cross_entropy_with_logits(full[:, 1], 1 - seen)
    total = METRIC_WEIGHT * metric + SHAPE_WEIGHT * shape + EDGE_WEIGHT * edges + SKY_WEIGHT * sky
    parts = {"metric": metric.item(), "shape": shape.item(), "edges": edges.item(), "sky": sky.item()}
    return total, parts
