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


def depth_and_sky_loss(logits: Tensor, target: Tensor) -> tuple[Tensor, dict[str, float]]:
    """Loss of (B, 2, h', w') logits against canonical depth (B, h, w), 0 on sky; and its parts for the log.

    Parts: L1 of log depth (metric), L1 after removing each picture's mean error (shape: the shift term of Eigen et al.,
    2014, with L1), gradients (edges), binary cross entropy (sky).
    """
    full = F.interpolate(logits.float(), size=target.shape[-2:], mode="bilinear", align_corners=False)
    seen = (target > 0).float()
    error = (full[:, 0] - torch.log(target.clamp_min(_NEAREST))) * seen
    count = seen.sum((1, 2)).clamp_min(1)
    shift = (error.sum((1, 2)) / count)[:, None, None]
    metric = (error.abs().sum((1, 2)) / count).mean()
    shape = (((error - shift) * seen).abs().sum((1, 2)) / count).mean()
    edges = gradient_error(error, seen)
    sky = F.binary_cross_entropy_with_logits(full[:, 1], 1 - seen)
    total = METRIC_WEIGHT * metric + SHAPE_WEIGHT * shape + EDGE_WEIGHT * edges + SKY_WEIGHT * sky
    parts = {"metric": metric.item(), "shape": shape.item(), "edges": edges.item(), "sky": sky.item()}
    return total, parts
