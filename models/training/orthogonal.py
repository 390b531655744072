# SPDX-License-Identifier: Apache-2.0
"""An optimiser for the weight matrices of a small network: momentum whose directions all count alike.

Muon (Jordan et al., 2024): each update is the nearest orthogonal matrix to the momentum, by five Newton-Schulz steps. Convolutions count as
matrices of (outputs, inputs * size). Torch's own `Muon` takes only two-dimensional weights, and came after the oldest torch supported.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)


@torch.no_grad()
def orthogonalised(matrix: Tensor, rounds: int = 5) -> Tensor:
    """A matrix with the singular vectors of `matrix` and singular values near 1 (0.7 to 1.2)."""
    a, b, c = _COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = (x / (x.norm() + 1e-7)).bfloat16()
    for _ in range(rounds):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return (x.T if tall else x).to(matrix.dtype)


class Muon(torch.optim.Optimizer):
    """For weights of two or more dimensions; biases and norms belong to another optimiser."""

    def __init__(self, parameters: Iterable[nn.Parameter], rate: float, momentum: float = 0.95, weight_decay: float = 0.03) -> None:
        super().__init__(parameters, {"lr": rate, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["momentum"] = torch.zeros_like(weight.grad)
                momentum = state["momentum"].mul_(group["momentum"]).add_(weight.grad)
                ahead = weight.grad.add(momentum, alpha=group["momentum"])
                update = orthogonalised(ahead.flatten(1))
                size = max(1.0, update.shape[0] / update.shape[1]) ** 0.5
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(update.view_as(weight), alpha=-group["lr"] * size)
