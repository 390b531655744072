# SPDX-License-Identifier: Apache-2.0
"""What one training run is told, and how fast it learns at each of its steps."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """So many steps on pictures shrunk by one factor, so many of them at a time. Small pictures teach more per second."""

    factor: float
    steps: int
    batch: int

    @classmethod
    def parse(cls, text: str) -> Stage:
        """`FACTORxSTEPSxBATCH`, such as `0.5x12000x48`. Raises ValueError for anything else."""
        factor, steps, batch = text.split("x")
        stage = cls(float(factor), int(steps), int(batch))
        if not (0 < stage.factor <= 1 and stage.steps > 0 and stage.batch > 0):
            raise ValueError(f"{text}: a stage is FACTORxSTEPSxBATCH, the factor at most 1, the others positive")
        return stage


@dataclass(frozen=True)
class Plan:
    """Stages one after the other. Counted in steps and not by the clock, so that the same plan and seed give the same weights."""

    stages: tuple[Stage, ...]
    matrix_rate: float = 0.02
    """Of the matrices (`orthogonal.Muon`)."""
    vector_rate: float = 1.5e-3
    """Of everything else (AdamW)."""
    weight_decay: float = 0.03
    warm_up: int = 200
    cool_down: float = 0.4
    """The last part of all steps, over which the rates fall to nothing."""
    average_over: int = 300
    """The weights that are kept are a running mean over about this many steps."""
    gradient_weight: float = 0.8
    """What the gradient term of the losses counts; more of it, sharper edges."""
    save_every: int = 200
    seed: int = 0

    @property
    def steps(self) -> int:
        return sum(stage.steps for stage in self.stages)

    def stage_at(self, step: int) -> Stage:
        """The stage that step (from 0) belongs to; the last one for steps beyond the plan."""
        for stage in self.stages:
            if step < stage.steps:
                return stage
            step -= stage.steps
        return self.stages[-1]

    def pace(self, step: int) -> float:
        """What the rates are multiplied by: a rise, a plateau, and a straight fall (Hu et al., MiniCPM, 2024, section 4)."""
        falling = (self.steps - step) / max(1.0, self.cool_down * self.steps)
        return min(1.0, (step + 1) / self.warm_up, max(falling, 0.0))

    def keep(self, step: int) -> float:
        """How much of the running mean stays; shorter memory at the start, where the weights are still bad."""
        return min(1 - 1 / self.average_over, (1 + step) / (10 + step))
