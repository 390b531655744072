# SPDX-License-Identifier: Apache-2.0
"""Everything a training run needs to go on as if it had never stopped, in one file that is whole or not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .network import MiniDepth
from .orthogonal import Muon
from .plan import Plan


def split_parameters(network: MiniDepth) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Weight matrices inside the network, and everything else: first and last layers, depthwise weights, norms, biases."""
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    outer = ("enter.", "place.", "head.", "finer.")
    for name, parameter in network.named_parameters():
        inner = parameter.ndim in (2, 4) and not name.startswith(outer) and ".mix." not in name
        (matrices if inner else others).append(parameter)
    return matrices, others


@dataclass
class Run:
    """A network in training: its optimisers, the running mean of its weights, and how far it is."""

    network: MiniDepth
    average: MiniDepth
    matrices: Muon
    others: torch.optim.AdamW
    step: int = 0

    @classmethod
    def begin(cls, plan: Plan, device: torch.device) -> Run:
        torch.manual_seed(plan.seed)
        network = MiniDepth().to(device, memory_format=torch.channels_last)
        average = MiniDepth().to(device, memory_format=torch.channels_last)
        average.load_state_dict(network.state_dict())
        matrices, others = split_parameters(network)
        return cls(
            network,
            average.requires_grad_(False),
            Muon(matrices, plan.matrix_rate, weight_decay=plan.weight_decay),
            torch.optim.AdamW(others, plan.vector_rate, (0.9, 0.98), weight_decay=plan.weight_decay),
        )

    def set_rates(self, plan: Plan) -> None:
        pace = plan.pace(self.step)
        for optimiser, rate in ((self.matrices, plan.matrix_rate), (self.others, plan.vector_rate)):
            for group in optimiser.param_groups:
                group["lr"] = rate * pace

    @torch.no_grad()
    def follow(self, keep: float) -> None:
        """Moves the running mean towards the weights. Its batch statistics are its own: see `own_statistics`."""
        for mean, now in zip(self.average.parameters(), self.network.parameters(), strict=True):
            mean.lerp_(now, 1 - keep)

    def save(self, path: Path) -> None:
        partial = path.with_suffix(".partial")
        torch.save(self._state(), partial)
        partial.replace(path)

    def load(self, path: Path, device: torch.device) -> None:
        state = torch.load(path, map_location=device, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.matrices.load_state_dict(state["matrices"])
        self.others.load_state_dict(state["others"])
        self.step = int(state["step"])

    def start_from(self, path: Path, device: torch.device) -> None:
        """Begins with the kept weights of an earlier run, at step 0."""
        weights = torch.load(path, map_location=device, weights_only=True)["average"]
        self.network.load_state_dict(weights)
        self.average.load_state_dict(weights)

    def _state(self) -> dict[str, Any]:
        parts = {"network": self.network, "average": self.average, "matrices": self.matrices, "others": self.others}
        return {name: part.state_dict() for name, part in parts.items()} | {"step": self.step}


@contextmanager
def own_statistics(network: MiniDepth) -> Iterator[None]:
    """Inside, every picture that the network sees counts alike towards its batch statistics, which begin anew.

    A mean of weights scores worse than the weights themselves with the statistics gathered by them.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    network.train()
    with torch.no_grad():
        yield
    network.eval()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def load_average(path: Path) -> dict[str, Tensor]:
    """The weights that a checkpoint is kept for."""
    weights: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)["average"]
    return weights
