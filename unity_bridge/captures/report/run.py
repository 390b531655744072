# SPDX-License-Identifier: Apache-2.0
"""All frames of a run, gathered once: the tables, the numbers of the summary, and which frames are worth a picture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import numpy as np

from .frames import ReportAbout, ReportFrame
from .markup import number, shown
from .tables import CLASS_COLUMNS, FRAME_COLUMNS, Table, Texts, accuracy_cells, object_columns, object_row, objects_of

FAILED, SUSPECTED, GOOD = "failed", "mask flipped?", "ok"
WORST, SPREAD, ALL = "among the largest errors", "evenly spaced", ""
"""Why a frame is shown with pictures; without a reason all are."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A frame of which there are pictures. ``score``: how much it should be looked at; 0 is nothing in particular."""

    order: int
    frame: ReportFrame
    score: float


@dataclass(slots=True)
class Run:
    """What :func:`gather` found. ``candidates`` and the lists of names are in the order of the frames."""

    texts: Texts
    objects: Table
    frames: Table
    unit: str = "m"
    model: str = ""
    cameras: dict[str, int] = field(default_factory=dict)
    failed: list[ReportFrame] = field(default_factory=list)
    suspected: list[str] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)
    candidates: list[Candidate] = field(default_factory=list)
    without: int = 0


def gather(frames: Iterable[ReportFrame]) -> Run:
    """Read every frame once. The unit and the model are those of the first frame that has them."""
    texts = Texts()
    run = Run(texts, Table((), texts), Table(FRAME_COLUMNS, texts, frozenset({"frame", "state", "objects"})))
    for order, frame in enumerate(frames):
        unit = frame.record.get("unit")
        if not run.objects.columns and frame.error is None:
            run.unit = unit if isinstance(unit, str) else "m"
            run.objects = Table(object_columns(run.unit), texts, frozenset({"frame", "id", "category", "median", "min", "max"}))
        _add(run, order, frame)
    if not run.objects.columns:
        run.objects = Table(object_columns(run.unit), texts, frozenset({"frame", "id", "category", "median", "min", "max"}))
    return run


def _add(run: Run, order: int, frame: ReportFrame) -> None:
    records = objects_of(frame.record)
    errors = []
    without = 0
    if frame.error is None:
        for place, record in enumerate(records):
            row = object_row(frame, place, record)
            run.objects.add(row)
            without += number(row["median"]) is None
            relative = number(row["relative"])
            errors += [relative] if relative is not None else []
        run.without += without
        _count(run.cameras, frame.record.get("camera_source"))
        run.model = run.model or shown(frame.record.get("model"))
    worst = max(errors, key=abs, default=None)
    suspected = frame.record.get("mask_flip_suspected") is True
    run.frames.add(
        {
            "frame": frame.name,
            "state": FAILED if frame.error is not None else SUSPECTED if suspected else GOOD,
            "objects": len(records) if frame.error is None else None,
            "without": without or None,
            "worst": worst,
            **accuracy_cells(frame.accuracy),
            "note": " ".join([frame.error] if frame.error is not None else _sentences(frame)),
        }
    )
    for note in _sentences(frame):
        _count(run.notes, note)
    run.suspected += [frame.name] if suspected else []
    if frame.error is not None:
        run.failed.append(frame)
    elif frame.pictures is not None:
        run.candidates.append(Candidate(order, frame, urgency(frame)))


def urgency(frame: ReportFrame) -> float:
    """How much a frame should be looked at: its AbsRel, else the largest relative error of its objects; a suspected mask before all."""
    mean = number(frame.accuracy.abs_rel) if frame.accuracy is not None else None
    errors = [abs(error) for item in objects_of(frame.record) if (error := number(item.get("distance_error_relative"))) is not None]
    return (mean if mean is not None else max(errors, default=0.0)) + (1e6 if frame.record.get("mask_flip_suspected") is True else 0.0)


def choose(candidates: list[Candidate], most: int) -> list[tuple[Candidate, str]]:
    """At most ``most`` of the frames, each with why: all in the order of the run where they are few enough; else by turns those that
    should be looked at first, the worst before all, and those evenly spaced from the first to the last of the rest, half of each."""
    if len(candidates) <= most:
        return [(candidate, ALL) for candidate in candidates]
    ranked = sorted((item for item in candidates if item.score > 0), key=lambda item: (-item.score, item.order))
    worst = ranked[: most // 2]
    taken = {item.order for item in worst}
    rest = [item for item in candidates if item.order not in taken]
    spread = [rest[place] for place in np.linspace(0, len(rest) - 1, most - len(worst)).round().astype(int)]
    turns = zip_longest([(item, WORST) for item in worst], [(item, SPREAD) for item in spread])
    return [chosen for turn in turns for chosen in turn if chosen is not None]


def class_table(run: Run, about: ReportAbout) -> Table:
    """The objects by category, the most frequent first."""
    names = [run.texts.values[int(place or 0)] for place in run.objects.numbers("category")]
    medians, errors = run.objects.numbers("median"), run.objects.numbers("relative")
    members: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        members.setdefault(name, []).append(row)
    accuracy = {shown(name): numbers for name, numbers in about.classes.items()}
    table = Table(CLASS_COLUMNS, run.texts, frozenset({"category", "objects"}))
    for name, rows in sorted(members.items(), key=lambda item: (-len(item[1]), item[0])):
        known = [value for row in rows if (value := medians[row]) is not None]
        relative = [value for row in rows if (value := errors[row]) is not None]
        cells: dict[str, Any] = {"category": name, "objects": len(rows), "without": len(rows) - len(known) or None}
        if known:
            cells |= {"nearest": min(known), "median": float(np.median(known)), "farthest": max(known)}
        cells["bias"] = float(np.median(relative)) if relative else None
        table.add({**cells, **accuracy_cells(accuracy.get(name))})
    return table


def _sentences(frame: ReportFrame) -> list[str]:
    """The frame's notes and its record's warnings, each once."""
    warnings = frame.record.get("warnings")
    return list(dict.fromkeys([*frame.notes, *([shown(text) for text in warnings] if isinstance(warnings, list) else [])]))


def _count(counts: dict[str, int], value: object) -> None:
    if value:
        counts[shown(value)] = counts.get(shown(value), 0) + 1
