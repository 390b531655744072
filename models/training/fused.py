# SPDX-License-Identifier: Apache-2.0
"""The network as a file holds it: batch norms inside the convolutions before them, weights rounded to half precision."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .network import MiniDepth

HALVED_FROM = 1024
"""Weights of at least so many numbers are stored in half precision; norms and biases never are."""


def fused(network: MiniDepth) -> MiniDepth:
    """A copy without batch norms that computes the same; `network` is in inference mode."""
    found: MiniDepth = copy.deepcopy(network).eval()
    for module in found.modules():
        for name, pair in list(module.named_children()):
            if isinstance(pair, nn.Sequential) and len(pair) == 2 and isinstance(pair[1], nn.BatchNorm2d):
                first = pair[0]
                assert isinstance(first, nn.Conv2d)
                setattr(module, name, fuse_conv_bn_eval(first, pair[1]))
    return found


@torch.no_grad()
def rounded(network: MiniDepth) -> MiniDepth:
    """A copy whose large weights are what half precision keeps of them."""
    found = copy.deepcopy(network)
    for parameter in found.parameters():
        if parameter.numel() >= HALVED_FROM:
            parameter.copy_(parameter.half().float())
    return found
