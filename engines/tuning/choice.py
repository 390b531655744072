# SPDX-License-Identifier: Apache-2.0
"""Which of the installed runtimes runs a model fastest: measured once on this machine, remembered, and measured again when anything changed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ... import __version__
from ..cancel import CancelToken
from ..errors import CancelledError, DepthbridgeError, OutputError, RuntimeUnavailableError, first_line
from ..model_spec import InputPolicy
from ..preprocess import plan_input
from ..progress import Progress
from ..recognise import Recognised, recognise
from ..runtimes.hardware import gpus
from ..runtimes.opening import open_target
from ..runtimes.runtime import Runtime
from ..runtimes.targets import Precision, Target
from .choice_notes import ChoiceKey, ChoiceNote, FailedTarget, MeasuredTarget, find_note, keep_note, ranked
from .libraries import library_versions
from .machine import this_processor
from .timing import Effort, Side, measure
from .trial import Trial, TrialError, trial_picture

if TYPE_CHECKING:
    from ..prepared.engine_cache import EngineCache


PICTURE_SIZE = (1920, 1080)
"""Width and height of the picture whose network input is measured, where none is named: most frames are 16:9."""

# A quick model should have its first depth soon; a slow one takes its time anyway.
_QUICK = Effort(budget_s=0.4, least_rounds=6, turn_s=0.02)
_SLOW = Effort(budget_s=2.0)
# What did not settle in that time is measured again when the model is next opened, for longer each time, and then believed.
_TRIES = 3
# One that takes this many times as long as another is no candidate any more, where its runs are long: they cost seconds, and memory. Of short
# ones the first two tell little.
_HOPELESS = 2.0
_LONG_MS = 150.0


@dataclass(frozen=True, slots=True)
class Choice:
    """The runtime to use, opened. ``reason``: why ``target`` was chosen, a sentence; ``measured``: every candidate, the chosen one first, none
    where nothing was measured; ``failed``: those that could not be used; ``notes``: sentences for the user."""

    target: Target
    runtime: Runtime
    reason: str
    measured: tuple[MeasuredTarget, ...] = ()
    failed: tuple[FailedTarget, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Asked:
    """What :func:`choose` was asked."""

    path: Path
    recognised: Recognised
    policy: InputPolicy
    size: tuple[int, int]
    threads: int | None
    cache: EngineCache | None
    progress: Progress | None
    cancel: CancelToken | None

    def open(self, target: Target) -> Runtime:
        """Raises also when the library quietly took another device."""
        runtime = open_target(self.path, target, threads=self.threads, cache=self.cache, progress=self.progress, cancel=self.cancel)
        if runtime.device != target.device or runtime.precision != target.precision:
            there = f"{runtime.device} {runtime.precision}"
            runtime.close()
            raise RuntimeUnavailableError(f"{target} came out as {there}.")
        return runtime

    def say(self, sentence: str) -> None:
        if self.progress is not None:
            self.progress(sentence)


@dataclass(slots=True)
class _Compared:
    """The candidates while they are compared: opened and tried, measured, or failed. One that is measured and not open was given up."""

    open: dict[Target, Trial] = field(default_factory=dict)
    measured: list[MeasuredTarget] = field(default_factory=list)
    failed: list[FailedTarget] = field(default_factory=list)

    def drop(self, target: Target) -> None:
        self.open.pop(target).runtime.close()

    def close(self) -> None:
        for target in list(self.open):
            self.drop(target)


def choose(
    path: Path,
    candidates: Sequence[Target],
    *,
    size: tuple[int, int] | None = None,
    threads: int | None = None,
    cache: EngineCache | None = None,
    progress: Progress | None = None,
    cancel: CancelToken | None = None,
    recognised: Recognised | None = None,
    policy: InputPolicy | None = None,
    again: bool = False,
) -> Choice:
    """The fastest of ``candidates`` for the model at ``path``, opened.

    ``size``: width and height of the pictures to come (16:9 where None). One candidate is opened and nothing measured. With several, what
    was measured before under the same circumstances counts, unless ``again``, or it was too close to call in the noise of the moment: then it
    is measured a few times more. Without a cache there is nothing to remember with, and a measurement each time would cost more than it
    brings: the first candidate that works is taken, for they come best guess first.

    A candidate that does not open or run, or whose depth is not that of an exact one, is passed over. Raises what the last one raised when
    none is left, :class:`ModelError` for a file that is no depth model, and ``CancelledError`` once ``cancel`` was called.
    """
    known = recognised or recognise(path)
    asked = _Asked(path, known, policy or known.spec.input, size or PICTURE_SIZE, threads, cache, progress, cancel)
    if len(candidates) == 1:
        return Choice(candidates[0], open_target(path, candidates[0], threads=threads, cache=cache, progress=progress, cancel=cancel),
                      f"It is the only one that can run {path.name} here.")  # fmt: skip
    if cache is None:
        why = "it is the best guess: nothing is measured where there is no cache folder to remember it in"
        return _first_that_opens(asked, candidates, why)
    key = choice_key(asked.path, candidates, asked.recognised, asked.policy, asked.size, threads, cache)
    note = find_note(cache, key)
    if note is not None and not again and (note.settled or note.tries >= _TRIES):
        return _remembered(asked, note)
    tries = _TRIES - 1 if again else 0 if note is None else note.tries
    return _measure_and_keep(asked, candidates, key, cache, tries)


def choice_key(
    path: Path,
    candidates: Sequence[Target],
    recognised: Recognised,
    policy: InputPolicy,
    size: tuple[int, int],
    threads: int | None,
    cache: EngineCache,
) -> ChoiceKey:
    """What a choice among ``candidates`` holds for."""
    from ..prepared.engine_cache import model_sha256

    signature = recognised.signature
    width, height = plan_input(*size, policy, (signature.height, signature.width)).size
    cards = [str(gpu) for gpu in gpus()] if any(target.device_kind != "cpu" for target in candidates) else []
    return ChoiceKey(
        model_sha256(path, cache),
        f"{width}x{height}",
        threads or 0,
        "; ".join([str(this_processor()), *cards]),
        tuple(f"{name} {version}" for name, version in {"depthbridge": __version__, **library_versions()}.items()),
        tuple(sorted(map(str, candidates))),
    )


# ---- from memory --------------------------------------------------------------------------------------------------------


def _remembered(asked: _Asked, note: ChoiceNote) -> Choice:
    order = [each.target for each in note.measured]
    why = f"measured on {note.day}: {_told(note.measured)}"
    return replace(_first_that_opens(asked, order, why), measured=note.measured, failed=note.failed)


def _first_that_opens(asked: _Asked, order: Sequence[Target], why: str) -> Choice:
    notes: list[str] = []
    for place, target in enumerate(order):
        try:
            runtime = asked.open(target)
        except CancelledError:
            raise
        except Exception as error:  # a library's own, of whatever class
            if place == len(order) - 1:
                raise
            notes.append(_passed_over(asked, FailedTarget(target, first_line(error))))
            continue
        return Choice(target, runtime, f"{why[0].upper()}{why[1:]}.", notes=tuple(notes))
    raise AssertionError("candidates are never none")


# ---- measured -----------------------------------------------------------------------------------------------------------


def _measure_and_keep(asked: _Asked, candidates: Sequence[Target], key: ChoiceKey, cache: EngineCache, tries: int) -> Choice:
    """``tries``: how often that was done in vain."""
    asked.say(f"Measuring which runtime is fastest for {asked.path.name} here; this happens once.")
    compared = _Compared()
    try:
        _try_all(asked, candidates, compared)
        settled = _measure(asked, compared, tries)
        measured = ranked(compared.measured)
        best = measured[0].target
        # One that was given up can only win when the others failed after that.
        runtime = compared.open.pop(best).runtime if best in compared.open else asked.open(best)
    finally:
        compared.close()
    try:
        note = ChoiceNote(key, asked.path.name, tuple(measured), tuple(compared.failed), time.time(), tries + 1, settled)
        notes = [_passed_over(asked, each) for each in compared.failed]
        try:
            keep_note(cache, note)
        except OutputError as error:
            notes.append(f"{str(error).rstrip('.')}; which runtime is fastest is measured anew each time.")
    except BaseException:
        runtime.close()
        raise
    return Choice(best, runtime, f"Measured just now: {_told(measured)}.", note.measured, note.failed, tuple(notes))


def _try_all(asked: _Asked, candidates: Sequence[Target], found: _Compared) -> None:
    """Opens each candidate and runs it twice; the order they come in decides about memory and time only."""
    picture = trial_picture(asked.size, asked.policy, asked.recognised.signature)
    last: Exception | None = None
    for target in candidates:
        runtime: Runtime | None = None
        try:
            runtime = asked.open(target)
            trial = Trial(runtime, asked.recognised, asked.path, asked.policy, picture, asked.cancel)
        except CancelledError:
            _close(runtime)
            raise
        except Exception as error:  # a library's own, of whatever class
            _close(runtime)
            last = error
            found.failed.append(FailedTarget(target, first_line(error)))
            continue
        found.open[target] = trial
        _drop_hopeless(found)
    if not found.open:
        assert last is not None
        raise last if isinstance(last, DepthbridgeError) else RuntimeUnavailableError(first_line(last))
    for target, reason in disagreeing(found.open).items():
        found.drop(target)
        found.failed.append(FailedTarget(target, reason))


def disagreeing(trials: dict[Target, Trial]) -> dict[Target, str]:
    """Those whose depth is off by more than is allowed from that of one that computes in FP32, with the reason."""
    exact = [target for target in trials if target.precision is Precision.FP32]
    if not exact:
        return {}
    reference = trials[min(exact, key=str)]
    found: dict[Target, str] = {}
    for target, trial in trials.items():
        try:
            trial.check_against(reference)
        except TrialError as error:
            found[target] = str(error)
    return found


def _drop_hopeless(found: _Compared) -> None:
    best = min(trial.quick_ms for trial in found.open.values())
    for target, trial in list(found.open.items()):
        if trial.quick_ms > max(_HOPELESS * best, _LONG_MS):
            found.measured.append(MeasuredTarget(target, trial.timing(str(target))))
            found.drop(target)


def _measure(asked: _Asked, found: _Compared, tries: int) -> bool:
    """Times those that are open; whether the fastest is known then."""
    trials = list(found.open.items())
    if len(trials) == 1:
        ((target, trial),) = trials
        found.measured.append(MeasuredTarget(target, trial.timing(str(target))))
        return True
    effort = _SLOW if sum(trial.quick_ms for _, trial in trials) > _LONG_MS else _QUICK
    effort = replace(effort, budget_s=effort.budget_s * 2**tries)
    result = measure([Side(str(target), trial.run) for target, trial in trials], effort, cancel=asked.cancel)
    timings = {timing.name: timing for timing in result.timings}
    for target, trial in trials:
        if str(target) in timings:
            found.measured.append(MeasuredTarget(target, replace(timings[str(target)], first_ms=trial.first_ms)))
        else:
            found.drop(target)
            found.failed.append(FailedTarget(target, result.failed[str(target)]))
    if not found.measured:
        raise RuntimeUnavailableError(f"Nothing can run {asked.path.name} here: {found.failed[-1].reason}")
    return result.settled


def _close(runtime: Runtime | None) -> None:
    if runtime is not None:
        runtime.close()


def _told(measured: Sequence[MeasuredTarget]) -> str:
    return ", ".join(f"{each.target} {each.timing.median_ms:.3g} ms" for each in measured)


def _passed_over(asked: _Asked, failed: FailedTarget) -> str:
    return f"{failed.target} was passed over for {asked.path.name}: {failed.reason}"
