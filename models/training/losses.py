# SPDX-License-Identifier: Apache-2.0
"""What training minimises, all in the logarithm of canonical depth, where one scale per picture is a plain shift."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from .network import SPREAD_RANGE
from .plan import Plan

METRIC_WEIGHT, SHAPE_WEIGHT, SKY_WEIGHT, SPREAD_WEIGHT = 0.4, 1.0, 0.2, 0.05
EDGE_GAIN = 2.0
"""Pixels beside a depth edge count this much more."""
EDGE_RATIO = 1.1
_NEAREST = 0.02
_FARTHEST_OFF = 1.5


@dataclass(frozen=True)
class Losses:
    """The sum to minimise, and its parts for the log."""

    total: Tensor
    parts: dict[str, Tensor]


def edge_weights(log_depth: Tensor, seen: Tensor) -> Tensor:
    """(B, h, w): 1, and 1 + `EDGE_GAIN` within two pixels of where neighbouring depths, or ground and sky, differ by `EDGE_RATIO`."""
    filled = torch.where(seen > 0, log_depth, math.log(1e5))[:, None]
    spread = F.max_pool2d(filled, 3, 1, 1) + F.max_pool2d(-filled, 3, 1, 1)
    near = F.max_pool2d((spread > math.log(EDGE_RATIO)).float(), 3, 1, 1)[:, 0]
    return 1 + EDGE_GAIN * near


def gradient_error(error: Tensor, seen: Tensor) -> Tensor:
    """Mean absolute gradient of the error (B, h, w) where both neighbours are seen, over strides 1, 2, 4 and 8.

    The multi-scale gradient term of MegaDepth (Li and Snavely, 2018, eq. 5), here on log depth: no scale changes it.
    """
    total = error.new_zeros(())
    for stride in (1, 2, 4, 8):
        e, m = error[:, ::stride, ::stride], seen[:, ::stride, ::stride]
        across = (e[:, :, 1:] - e[:, :, :-1]).abs() * m[:, :, 1:] * m[:, :, :-1]
        down = (e[:, 1:] - e[:, :-1]).abs() * m[:, 1:] * m[:, :-1]
        total = total + across.mean() + down.mean()
    return total


def relative_error(error: Tensor) -> Tensor:
    """Mean of |log ratio| and |ratio - 1|, element by element: the latter is AbsRel itself. Ratios beyond e^1.5 count as that there."""
    return 0.5 * error.abs() + 0.5 * (torch.exp(error.clamp(max=_FARTHEST_OFF)) - 1).abs()


def without_scale(error: Tensor, seen: Tensor) -> Tensor:
    """The error after one median scale per picture, from every third pixel of every third row.

    Scale invariance as Eigen et al. (2014, eq. 1), with the median where they take the mean.
    """
    some = torch.where(seen > 0, error, torch.nan).detach()[:, 1::3, 1::3].flatten(1)
    return error - some.nanmedian(dim=1).values.nan_to_num(0.0)[:, None, None]


def depth_losses(maps: Tensor, target: Tensor, gradient_weight: float = Plan.gradient_weight) -> Losses:
    """Losses of (B, 3, h, w) maps of the network against canonical depth (B, h, w), 0 on sky.

    Parts: error of depth as it is (metric), what is left of it after one scale per picture (shape), its gradients, cross entropy of
    sky, and the negative log-likelihood of the expected error (Laplace; Kendall and Gal, 2017, section 4), which teaches confidence only.
    """
    maps = maps.float()
    seen = (target > 0).float()
    truth = torch.log(target.clamp_min(_NEAREST))
    weights = edge_weights(truth, seen) * seen
    count = weights.sum((1, 2)).clamp_min(1)
    error = maps[:, 0] - truth
    left = without_scale(error, seen)

    def mean(values: Tensor) -> Tensor:
        return ((values * weights).sum((1, 2)) / count).mean()

    spread = maps[:, 2].clamp(*SPREAD_RANGE)
    parts = {
        "metric": mean(relative_error(error)),
        "shape": mean(relative_error(left)),
        "gradient": gradient_error(error, seen),
        "sky": F.binary_cross_entropy_with_logits(maps[:, 1], 1 - seen),
        "spread": mean(left.detach().abs() * torch.exp(-spread) + spread),
    }
    factors = (METRIC_WEIGHT, SHAPE_WEIGHT, gradient_weight, SKY_WEIGHT, SPREAD_WEIGHT)
    total = maps.new_zeros(())
    for factor, part in zip(factors, parts.values(), strict=True):
        total = total + factor * part
    return Losses(total, {name: part.detach() for name, part in parts.items()})
