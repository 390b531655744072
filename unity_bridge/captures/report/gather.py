# SPDX-License-Identifier: Apache-2.0
"""All frames of a run, gathered once: the tables, the numbers of the summary, and which frames are worth a picture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .choose import Shortlist
from .frames import ReportAbout, ReportFrame
from .markup import number, shown
from .tables import CLASS_COLUMNS, FRAME_COLUMNS, Table, Texts, accuracy_cells, object_columns, object_row, objects_of

FAILED, SUSPECTED, GOOD = "failed", "mask flipped?", "ok"
_OBJECT_KEYS = frozenset({"frame", "id", "category", "median", "min", "max"})


@dataclass(slots=True)
class Gathered:
    """What :func:`gather` found; no frame is held but those on the shortlist. ``failed``: names and sentences."""

    texts: Texts
    objects: Table
    frames: Table
    shortlist: Shortlist
    unit: str = "m"
    model: str = ""
    cameras: dict[str, int] = field(default_factory=dict)
    failed: list[tuple[str, str]] = field(default_factory=list)
    suspected: list[str] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)
    without: int = 0


def gather(frames: Iterable[ReportFrame], max_pictures: int) -> Gathered:
    """Read every frame once. The unit and the model are those of the first frame that has them."""
    texts = Texts()
    found = Gathered(texts, Table((), texts), Table(FRAME_COLUMNS, texts, frozenset({"frame", "state", "objects"})), Shortlist(max_pictures))
    for order, frame in enumerate(frames):
        unit = frame.record.get("unit")
        if not found.objects.columns and frame.error is None:
            found.unit = unit if isinstance(unit, str) else "m"
            found.objects = Table(object_columns(found.unit), texts, _OBJECT_KEYS)
        _add(found, order, frame)
    if not found.objects.columns:
        found.objects = Table(object_columns(found.unit), texts, _OBJECT_KEYS)
    return found


def _add(found: Gathered, order: int, frame: ReportFrame) -> None:
    records = objects_of(frame.record)
    errors = []
    without = 0
    if frame.error is None:
        for place, record in enumerate(records):
            row = object_row(frame, place, record)
            found.objects.add(row)
            without += number(row["median"]) is None
            relative = number(row["relative"])
            errors += [relative] if relative is not None else []
        found.without += without
        _count(found.cameras, frame.record.get("camera_source"))
        found.model = found.model or shown(frame.record.get("model"))
    worst = max(errors, key=abs, default=None)
    suspected = frame.record.get("mask_flip_suspected") is True
    found.frames.add(
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
        _count(found.notes, note)
    found.suspected += [frame.name] if suspected else []
    if frame.error is not None:
        found.failed.append((frame.name, frame.error))
    elif frame.pictures is not None:
        found.shortlist.offer(order, frame)


def class_table(found: Gathered, about: ReportAbout) -> Table:
    """The objects by category, the most frequent first."""
    names = [found.texts.values[int(place or 0)] for place in found.objects.numbers("category")]
    medians, errors = found.objects.numbers("median"), found.objects.numbers("relative")
    members: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        members.setdefault(name, []).append(row)
    accuracy = {shown(name): numbers for name, numbers in about.classes.items()}
    table = Table(CLASS_COLUMNS, found.texts, frozenset({"category", "objects"}))
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
