# SPDX-License-Identifier: Apache-2.0
"""What was measured when a runtime was chosen, kept in a small file of the cache. A file that cannot be understood counts as empty."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..atomic import atomic_path, make_folder
from ..runtimes.targets import Precision, RuntimeName, Target
from .timing import Timing

if TYPE_CHECKING:
    from ..prepared.engine_cache import EngineCache

NOTE_NAME = "choices"
_MOST = 200
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True)
class ChoiceKey:
    """What a measurement holds for. ``size``: of the network's input, such as ``504x280``; ``machine``: processor and graphics cards;
    ``libraries``: packages with their versions; ``candidates``: the targets that were compared, sorted; ``threads`` 0: the library's choice."""

    model_sha256: str
    size: str
    threads: int
    machine: str
    libraries: tuple[str, ...]
    candidates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MeasuredTarget:
    """One candidate and how long a run of it took."""

    target: Target
    timing: Timing


@dataclass(frozen=True, slots=True)
class FailedTarget:
    """One candidate that could not be used, and why."""

    target: Target
    reason: str


@dataclass(frozen=True, slots=True)
class ChoiceNote:
    """A measurement. ``measured`` has the chosen one first, then the others from fast to slow; ``when`` is Unix time. ``tries``: how many
    measurements there were, of which this is the last; ``settled``: whether it told the fastest for sure."""

    key: ChoiceKey
    model: str
    measured: tuple[MeasuredTarget, ...]
    failed: tuple[FailedTarget, ...]
    when: float
    tries: int = 1
    settled: bool = True

    @property
    def day(self) -> str:
        """Such as ``2030-01-31``, in local time."""
        return time.strftime("%Y-%m-%d", time.localtime(self.when))


def find_note(cache: EngineCache, key: ChoiceKey) -> ChoiceNote | None:
    """What was measured for exactly ``key``; None when nothing was, or it cannot be read."""
    wanted = _key_facts(key)
    for facts in reversed(_read(cache.note_path(NOTE_NAME))):
        with suppress(*_UNREADABLE):
            if facts["key"] == wanted:
                return _from_json(facts, key)
    return None


def keep_note(cache: EngineCache, note: ChoiceNote) -> None:
    """Adds ``note``, in place of an earlier one for the same key. Two programs that write at once may lose one of the notes, which is then
    measured again. Raises :class:`~..errors.OutputError` when the folder cannot be written."""
    wanted = _key_facts(note.key)
    path = cache.note_path(NOTE_NAME)
    others = [facts for facts in _read(path) if isinstance(facts, dict) and facts.get("key") != wanted]
    make_folder(path.parent)
    with atomic_path(path, overwrite=True) as temporary:
        temporary.write_text(json.dumps([*others[-_MOST + 1 :], _to_json(note)], indent=1) + "\n", encoding="utf-8")


def _read(path: Path) -> list[Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except _UNREADABLE:
        return []
    return found if isinstance(found, list) else []


def _key_facts(key: ChoiceKey) -> Any:
    return json.loads(json.dumps(asdict(key)))  # tuples as JSON gives them back


def _to_json(note: ChoiceNote) -> dict[str, Any]:
    return {
        "key": _key_facts(note.key),
        "model": note.model,
        "when": note.when,
        "tries": note.tries,
        "settled": note.settled,
        "measured": [{**_target_facts(each.target), **_timing_facts(each.timing)} for each in note.measured],
        "failed": [{**_target_facts(each.target), "reason": each.reason} for each in note.failed],
    }


def _from_json(facts: Any, key: ChoiceKey) -> ChoiceNote:
    measured = tuple(MeasuredTarget(target := _target(each), _timing(str(target), each)) for each in facts["measured"])
    failed = tuple(FailedTarget(_target(each), str(each["reason"])) for each in facts["failed"])
    if not measured or not {str(each.target) for each in measured} <= set(key.candidates):
        raise ValueError("it names none, or one that is no candidate")
    return ChoiceNote(key, str(facts["model"]), measured, failed, _number(facts["when"]), int(facts["tries"]), facts["settled"] is True)


def _target_facts(target: Target) -> dict[str, str]:
    return {"runtime": str(target.runtime), "device": target.device, "precision": str(target.precision)}


def _target(facts: Any) -> Target:
    return Target(RuntimeName(facts["runtime"]), str(facts["device"]), Precision(facts["precision"]))


def _timing_facts(timing: Timing) -> dict[str, float]:
    return {"first_ms": timing.first_ms, "median_ms": timing.median_ms, "spread_ms": timing.spread_ms, "rounds": timing.rounds}


def _timing(name: str, facts: Any) -> Timing:
    return Timing(name, _number(facts["first_ms"]), _number(facts["median_ms"]), _number(facts["spread_ms"]), int(facts["rounds"]))


def _number(value: Any) -> float:
    number = float(value)
    if not (math.isfinite(number) and number >= 0):
        raise ValueError(f"{number} is no duration")
    return number


# ---- which one -----------------------------------------------------------------------------------------------------------

EQUAL = 0.02
"""Candidates within this fraction of the fastest count as equally fast."""

_EXACT = (Precision.FP32, Precision.BF16, Precision.FP16, Precision.INT8)


def ranked(measured: Sequence[MeasuredTarget]) -> list[MeasuredTarget]:
    """The one to take first, then the others from fast to slow. Those that are as fast as the fastest, within ``EQUAL``, are told apart by
    what is exact and by name: the order they come in never counts."""
    by_time = sorted(measured, key=lambda each: (each.timing.median_ms, str(each.target)))
    if not by_time:
        return []
    limit = by_time[0].timing.median_ms * (1 + EQUAL)
    chosen = min(
        (each for each in by_time if each.timing.median_ms <= limit),
        key=lambda each: (_EXACT.index(each.target.precision), list(RuntimeName).index(each.target.runtime), each.target.device),
    )
    return [chosen, *(each for each in by_time if each is not chosen)]
