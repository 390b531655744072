# SPDX-License-Identifier: Apache-2.0
"""Trains the network on folders of shards, stage by stage.

    python -m depthbridge.models.training.train --data DIR[=SHARE] ... --validation DIR --stages 0.5x12000x48 1x4000x16 --out DIR

CPU or CUDA, bfloat16 autocast on both. With `--on-the-fly SHARE` a part of what is shown, or without `--data` all of it, is drawn for each step
and rendered on the device that trains. `checkpoint.pt` in `--out` is rewritten every few hundred steps (whole or not at all) and resumed
from when it is there: seed and step decide everything, so a run that was stopped ends with the weights it would have had. Shards that
were added meanwhile are taken in at the next save. A plan may be changed between runs, to end one sooner: it is followed from there.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from .augment import augmented, normalise, step_dice
from .checkpoint import Run, own_statistics
from .learning_curve import write_curve
from .losses import depth_losses
from .on_the_fly.mixture import Mixture, share
from .plan import Plan, Stage
from .shards import NoPictures, Pictures, Source
from .validate import validate

STATISTICS_BATCHES = 16


def batch_of(shown: Mixture, plan: Plan, step: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Normalised pictures (B, 3, h, w) and canonical depth (B, h, w) of a step."""
    stage = plan.stage_at(step)
    seen, target = augmented(*shown.draw(plan.seed, step, stage.batch, device), stage.factor, step_dice(plan.seed, step))
    return normalise(seen), target


def one_step(run: Run, plan: Plan, image: Tensor, target: Tensor) -> dict[str, Tensor]:
    """One update of weights and running mean; the parts of the loss."""
    run.set_rates(plan)
    with torch.autocast(image.device.type, torch.bfloat16):
        _, maps = run.network.halved_maps(image)
    losses = depth_losses(maps, target, plan.gradient_weight)
    run.matrices.zero_grad()
    run.others.zero_grad()
    losses.total.backward()
    torch.nn.utils.clip_grad_norm_(run.network.parameters(), 1.0)
    run.matrices.step()
    run.others.step()
    run.follow(plan.keep(run.step))
    run.step += 1
    return losses.parts


def settle(run: Run, plan: Plan, shown: Mixture, device: torch.device) -> None:
    """Gathers the batch statistics of the running mean, on pictures of steps that come next."""
    last = plan.steps - 1
    with own_statistics(run.average), torch.autocast(device.type, torch.bfloat16):
        for ahead in range(STATISTICS_BATCHES):
            run.average.coarse(batch_of(shown, plan, min(run.step, last) + ahead, device)[0])


def train(
    plan: Plan, sources: Sequence[Source], validation: Sequence[Source], out: Path, start: Path | None = None, drawn: float = 0.0
) -> Run:
    """Trains to the end of the plan; leaves `checkpoint.pt`, `log.jsonl` and `curve.svg` in `out`. `drawn`: see `Mixture`.

    Resumes from `out/checkpoint.pt`; where there is none, begins with the kept weights of checkpoint `start`, if given.
    """
    shown, unseen = Mixture(sources, drawn), Pictures(validation)
    out.mkdir(parents=True, exist_ok=True)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # a sixth of a step, and nothing here reads what it did not write
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    run = Run.begin(plan, device)
    checkpoint = out / "checkpoint.pt"
    if checkpoint.exists():
        run.load(checkpoint, device)
    elif start is not None:
        run.start_from(start, device)
    print(f"{shown.count()} training pictures, {shown.drawn_part:.0%} drawn on the fly, step {run.step} of {plan.steps}, {device}", flush=True)
    seconds, processor = time.monotonic(), time.process_time()
    sums: dict[str, float] = {}
    while run.step < plan.steps:
        for name, part in one_step(run, plan, *batch_of(shown, plan, run.step, device)).items():
            sums[name] = sums.get(name, 0.0) + part.item()
        if run.step % plan.save_every and run.step < plan.steps:
            continue
        settle(run, plan, shown, device)
        stage = plan.stage_at(run.step - 1)
        row = {"step": run.step, "pictures": shown.count(), "drawn": shown.drawn_part, **asdict(stage)}
        row |= {name: value / (run.step % plan.save_every or plan.save_every) for name, value in sums.items()}
        row |= validate(run.average, unseen, device, stage.factor)
        row |= {"wall_s": time.monotonic() - seconds, "processor_s": time.process_time() - processor}
        run.save(checkpoint)
        with (out / "log.jsonl").open("a") as log:
            log.write(json.dumps({k: round(v, 4) for k, v in row.items()}) + "\n")
        write_curve(out / "log.jsonl", out / "curve.svg")
        shown, sums = Mixture(sources, drawn), {}
        seconds, processor = time.monotonic(), time.process_time()
    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Source.parse, nargs="+", default=[], help="folders, each with an optional =SHARE")
    parser.add_argument(
        "--on-the-fly", type=share, default=0.0, metavar="SHARE", help="of pictures of the simpler generator, made for each step"
    )
    parser.add_argument("--validation", type=Source.parse, nargs="+", required=True)
    parser.add_argument("--stages", type=Stage.parse, nargs="+", required=True, help="each FACTORxSTEPSxBATCH")
    parser.add_argument("--matrix-rate", type=float, default=Plan.matrix_rate)
    parser.add_argument("--vector-rate", type=float, default=Plan.vector_rate)
    parser.add_argument("--warm-up", type=int, default=Plan.warm_up)
    parser.add_argument("--cool-down", type=float, default=Plan.cool_down)
    parser.add_argument("--gradient-weight", type=float, default=Plan.gradient_weight, help="more of it, sharper edges")
    parser.add_argument("--save-every", type=int, default=Plan.save_every)
    parser.add_argument("--seed", type=int, default=Plan.seed)
    parser.add_argument("--threads", type=int, help="processor threads; torch's own choice by default")
    parser.add_argument("--start", type=Path, help="checkpoint of an earlier run to begin with")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    plan = Plan(
        tuple(given.stages), given.matrix_rate, given.vector_rate, warm_up=given.warm_up, cool_down=given.cool_down,
        save_every=given.save_every, gradient_weight=given.gradient_weight, seed=given.seed,
    )  # fmt: skip
    try:
        train(plan, given.data, given.validation, given.out, given.start, given.on_the_fly)
    except NoPictures as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
