# SPDX-License-Identifier: Apache-2.0
"""How fast each way to run a model is here, stage by stage, in one run that takes them in turns; and what opening one costs a new program."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..cancel import CancelToken
from ..depth_map import StageTimes
from ..engine import DepthEngine
from ..errors import CancelledError, RuntimeUnavailableError, first_line
from ..model_spec import InputPolicy
from ..preprocess import make_tensor, plan_input
from ..progress import Progress
from ..recognise import Recognised
from ..runtimes.opening import candidates, installed_targets, open_target
from ..runtimes.targets import AUTO, Precision, Target, Wish
from .first_frame import FirstFrame, first_frame
from .timing import Effort, Side, Timing, measure
from .trial import sample_picture

if TYPE_CHECKING:
    from ..prepared.engine_cache import EngineCache



@dataclass(frozen=True, slots=True)
class Workload:
    """What is run. ``model``: its id or path as the user gave it; ``size``: width and height of the picture; ``frames``: rounds of each
    target, at least three; ``threads``: of the CPU, None for the library's choice."""

    model: str
    path: Path
    recognised: Recognised
    policy: InputPolicy
    size: tuple[int, int]
    frames: int
    threads: int | None = None
    models_dir: Path | None = None


@dataclass(frozen=True, slots=True)
class TargetReport:
    """One target's medians, in milliseconds. ``total_ms``: a whole ``estimate``; ``bare_ms``: the runtime alone on the same tensor;
    ``network_size``: width and height it really ran at; ``first``: None when that was not asked for."""

    target: Target
    library: str
    network_size: tuple[int, int]
    preprocess_ms: float
    infer_ms: float
    postprocess_ms: float
    total_ms: float
    bare_ms: float
    spread_ms: float
    first: FirstFrame | None
    notes: tuple[str, ...]

    @property
    def frames_per_s(self) -> float:
        return 1e3 / self.total_ms

    @property
    def overhead(self) -> float:
        """The whole over the bare runtime: 1 is a module that costs nothing."""
        return self.total_ms / self.bare_ms


@dataclass(frozen=True, slots=True)
class BenchReport:
    """``targets`` from fast to slow; ``failed``: target and reason of those that could not run."""

    targets: tuple[TargetReport, ...]
    failed: tuple[tuple[Target, str], ...]


def wanted_targets(path: Path, runtimes: Sequence[str], device: str = AUTO, precision: str = AUTO) -> list[Target]:
    """The installed targets that the words of a command line mean; ``all`` is every one, INT8 only when ``precision`` names it.

    Raises :class:`RuntimeUnavailableError` for a word that is not known, and with the remedy for a target that is not installed.
    """
    found: dict[Target, None] = {}
    for word in runtimes:
        wish = Wish.parse(device, AUTO if word == "all" else word, precision)
        allowed = candidates(path, wish)  # says how to get what is not there
        if word == "all":
            allowed = [each for each in installed_targets(path) if wish.allows(each)]
            if wish.precision is None:
                allowed = [each for each in allowed if each.precision is not Precision.INT8]
        found.update(dict.fromkeys(allowed))
    return list(found)


def run_benchmark(
    work: Workload,
    targets: Sequence[Target],
    *,
    cache: EngineCache | None,
    fresh: bool = True,
    progress: Progress | None = None,
    cancel: CancelToken | None = None,
) -> BenchReport:
    """Measures ``targets`` in one run. With ``fresh`` each is also opened by a program of its own, for its first frame and its memory.

    A target that fails is named in the report. Raises :class:`RuntimeUnavailableError` when none is left, and ``CancelledError``.
    """
    say = progress or (lambda sentence: None)
    failed: list[tuple[Target, str]] = []
    with ExitStack() as stack:
        lanes: list[_Lane] = []
        for target in targets:
            say(f"opening {target}")
            try:
                lanes.append(_Lane.open(work, target, stack, cache, progress, cancel))
            except CancelledError:
                raise
            except Exception as error:  # a library's own, of whatever class
                failed.append((target, first_line(error)))
        if lanes:
            say(f"{work.frames} rounds of {', '.join(str(lane.target) for lane in lanes)}")
        effort = Effort(budget_s=math.inf, least_rounds=work.frames, most_rounds=work.frames)
        measured = measure([side for lane in lanes for side in lane.sides], effort, cancel=cancel)
        timings = {timing.name: timing for timing in measured.timings}
        done = [lane for lane in lanes if all(side.name in timings for side in lane.sides)]
        failed += [(lane.target, lane.reason(measured.failed)) for lane in lanes if lane not in done]
        reports = [lane.report(timings) for lane in done]
    if not reports:
        raise RuntimeUnavailableError(f"Nothing could run {work.path.name}: {'; '.join(f'{target}: {why}' for target, why in failed)}")
    if fresh:
        reports = [_with_first(work, report, say, cancel) for report in reports]
    return BenchReport(tuple(sorted(reports, key=lambda report: report.total_ms)), tuple(failed))


def network_size(work: Workload) -> tuple[int, int]:
    """Width and height of the network's input for the workload's picture."""
    signature = work.recognised.signature
    return plan_input(*work.size, work.policy, (signature.height, signature.width)).size


def _with_first(work: Workload, report: TargetReport, say: Progress, cancel: CancelToken | None) -> TargetReport:
    if cancel is not None:
        cancel.check()
    say(f"first frame of {report.target} in a new program")
    first = first_frame(work.model, report.target, work.size, work.threads, work.models_dir)
    return replace(report, first=first)


@dataclass(slots=True)
class _Lane:
    """A target that was opened: the engine around its runtime, and the runtime alone."""

    target: Target
    engine: DepthEngine
    sides: tuple[Side, Side]
    network_size: tuple[int, int]
    stages: list[StageTimes] = field(default_factory=list)

    @classmethod
    def open(
        cls, work: Workload, target: Target, stack: ExitStack, cache: EngineCache | None, progress: Progress | None, cancel: CancelToken | None
    ) -> _Lane:
        runtime = open_target(work.path, target, threads=work.threads, cache=cache, progress=progress, cancel=cancel)
        engine = stack.enter_context(DepthEngine(runtime, work.recognised, work.path, work.policy))
        picture = sample_picture(*work.size)
        engine.estimate(picture, cancel=cancel)  # finds out the size of a graph that takes one only
        signature = work.recognised.signature
        plan = plan_input(*work.size, work.policy, engine.info.fixed_size)
        feeds = {signature.image.name: make_tensor(picture, plan, work.policy.method, signature).copy()}
        stages: list[StageTimes] = []

        def estimate() -> None:
            times = engine.estimate(picture).stage_ms
            assert times is not None
            stages.append(times)

        sides = Side(str(target), estimate), Side(f"{target} bare", lambda: runtime.run(feeds, signature.output_names))
        return cls(target, engine, sides, plan.size, stages)

    def reason(self, failed: dict[str, str]) -> str:
        return next(failed[side.name] for side in self.sides if side.name in failed)

    def report(self, timings: dict[str, Timing]) -> TargetReport:
        whole, bare = (timings[side.name] for side in self.sides)
        counted = self.stages[1:]  # the first run counts for nothing, as in the whole
        info = self.engine.info
        return TargetReport(
            target=self.target,
            library=info.runtime,
            network_size=self.network_size,
            preprocess_ms=statistics.median(each.preprocess_ms for each in counted),
            infer_ms=statistics.median(each.infer_ms for each in counted),
            postprocess_ms=statistics.median(each.postprocess_ms for each in counted),
            total_ms=whole.median_ms,
            bare_ms=bare.median_ms,
            spread_ms=whole.spread_ms,
            first=None,
            notes=info.notes,
        )
