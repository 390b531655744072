# SPDX-License-Identifier: Apache-2.0
"""Depth edges as steep as things have them: a network's own are ramps of a few pixels, along which a mesh grows skirts."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

REACH = 5
"""Side of the window, in pixels."""
GAIN = 2.0
"""How much further each value goes from the middle of its window. A small change of the input grows to three times itself at most."""


def steeper(log_depth: Tensor) -> Tensor:
    """(B, 1, H, W) logarithms of depth, each moved away from the middle between the least and the largest within its window, and never
    beyond those two. What rises evenly stays; any scale of depth gives the same.

    The toggle of Kramer and Bruckner (Pattern Recognition 7, 1975), which takes the nearer of the two, made continuous: at a toggle's
    threshold the least rounding would decide.
    """
    largest = F.max_pool2d(log_depth, REACH, 1, REACH // 2)
    least = -F.max_pool2d(-log_depth, REACH, 1, REACH // 2)
    middle = (largest + least) / 2
    return torch.minimum(torch.maximum(middle + GAIN * (log_depth - middle), least), largest)
