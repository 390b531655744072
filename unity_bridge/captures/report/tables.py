# SPDX-License-Identifier: Apache-2.0
"""The tables of the page as columns of numbers and texts: complete, and short enough for many thousand rows."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan, nan
from typing import Any

from .frames import AccuracyNumbers, ReportFrame
from .markup import json_numbers, number, script_json, shown

TEXT, LENGTH, PART, SIGNED_PART, COUNT = "text", "length", "part", "signed", "count"
"""What a column holds: text; metres or the unit of the map; a fraction shown in percent, with its sign or without; a whole number."""


class Texts:
    """Every text of the page once; tables hold places in this list."""

    def __init__(self) -> None:
        self.values: list[str] = []
        self._places: dict[str, int] = {}

    def place(self, value: object) -> int:
        text = shown(value)
        place = self._places.setdefault(text, len(self.values))
        if place == len(self.values):
            self.values.append(text)
        return place


@dataclass(frozen=True, slots=True)
class Column:
    """``hint`` stands under the pointer over the column's head."""

    key: str
    title: str
    kind: str
    hint: str = ""


@dataclass(slots=True)
class Table:
    """Rows, kept by column; those in which nothing ever stood are left out of the page, except ``always``."""

    columns: Sequence[Column]
    texts: Texts
    always: frozenset[str] = frozenset()
    count: int = 0
    _data: dict[str, array[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._data = {column.key: array("d") for column in self.columns}

    def add(self, row: Mapping[str, Any]) -> None:
        """One row; a key that is missing is an empty cell."""
        for column in self.columns:
            value = row.get(column.key)
            if column.kind == TEXT:
                self._data[column.key].append(self.texts.place(value))
            else:
                known = number(value)
                self._data[column.key].append(nan if known is None else known)
        self.count += 1

    def numbers(self, key: str) -> list[float | None]:
        """A column, None where nothing stands."""
        return [None if isnan(value) else value for value in self._data[key]]

    def json_parts(self) -> Iterator[str]:
        """The table as JSON, in pieces: ``{"count", "columns": [{key, title, kind, hint}], "values": {key: [...]}}``."""
        used = [column for column in self.columns if column.key in self.always or self._has_content(column)]
        heads = [{"key": column.key, "title": column.title, "kind": column.kind, "hint": column.hint} for column in used]
        yield f'{{"count":{self.count},"columns":{script_json(heads)},"values":{{'
        for place, column in enumerate(used):
            yield f"{',' if place else ''}{script_json(column.key)}:"
            yield json_numbers(self.numbers(column.key), digits=9 if column.kind in (TEXT, COUNT) else 6)
        yield "}}"

    def _has_content(self, column: Column) -> bool:
        if column.kind == TEXT:
            return any(self.texts.values[int(place)] for place in set(self._data[column.key]))
        return any(not isnan(value) for value in self._data[column.key])


def object_columns(unit: str) -> tuple[Column, ...]:
    """The table of objects, for a unit of :class:`~depthbridge.engines.depth_map.DepthKind`."""
    what, along = ("Disparity", "larger is nearer") if unit == "disparity" else ("Distance", "along the optical axis")
    suffix = " [m]" if unit == "m" else ""
    return (
        Column("frame", "Frame", TEXT),
        Column("id", "Id", TEXT),
        Column("category", "Category", TEXT),
        Column("median", f"{what}{suffix}", LENGTH, f"Median over the object, {along}"),
        Column("min", f"Min{suffix}", LENGTH, f"Smallest, {along}"),
        Column("max", f"Max{suffix}", LENGTH, f"Largest, {along}"),
        Column("range", f"Range{suffix}", LENGTH, "Median along each pixel's ray, from the camera"),
        Column("true", "True [m]", LENGTH, "Median of the true distance"),
        Column("error", "Error [m]", LENGTH, "Median measured minus median true"),
        Column("relative", "Error [%]", SIGNED_PART, "Median measured against median true"),
        Column("abs_rel", "AbsRel", PART, "Mean of |error| / truth over the object's pixels"),
        Column("rmse", "RMSE [m]", LENGTH, "Root mean square error over the object's pixels"),
        Column("delta1", "δ < 1.25", PART, "Part of the object's pixels within a factor of 1.25 of the truth"),
        Column("pixels", "Pixels", COUNT, "Pixels of the mask"),
        Column("valid", "Valid", PART, "Part of the mask's pixels that have a depth"),
        Column("border", "Border", PART, "Part of the outline at the picture's border: 0 % is wholly in view"),
        Column("note", "Note", TEXT),
    )


def object_row(frame: ReportFrame, place: int, record: Mapping[str, Any]) -> dict[str, Any]:
    """One object of a frame; ``place`` is its place in the frame's list."""
    spread = _mapping(record.get("distance")) or _mapping(record.get("disparity"))
    accuracy = frame.object_accuracy[place] if place < len(frame.object_accuracy) else None
    note = [shown(record["reason"])] if record.get("reason") else []
    note += ["At the end of what the model can tell."] if record.get("out_of_range") is True else []
    return {
        "frame": frame.name,
        "id": record.get("id"),
        "category": record.get("category"),
        "median": spread.get("median"),
        "min": spread.get("min"),
        "max": spread.get("max"),
        "range": _mapping(record.get("range")).get("median"),
        "true": _mapping(record.get("distance_true")).get("median"),
        "error": _mapping(record.get("distance_error")).get("median"),
        "relative": record.get("distance_error_relative"),
        **accuracy_cells(accuracy),
        "pixels": record.get("pixel_count"),
        "valid": record.get("valid_fraction"),
        "border": record.get("border_fraction"),
        "note": " ".join(note),
    }


FRAME_COLUMNS = (
    Column("frame", "Frame", TEXT),
    Column("state", "State", TEXT),
    Column("objects", "Objects", COUNT),
    Column("without", "Without distance", COUNT, "Objects of which no distance could be told"),
    Column("worst", "Largest error [%]", SIGNED_PART, "Of the objects' medians, the one farthest from the truth"),
    Column("abs_rel", "AbsRel", PART, "Mean of |error| / truth over the pixels of the frame's objects"),
    Column("rmse", "RMSE [m]", LENGTH, "Root mean square error over the pixels of the frame's objects"),
    Column("delta1", "δ < 1.25", PART, "Part of those pixels within a factor of 1.25 of the truth"),
    Column("note", "Notes", TEXT),
)

CLASS_COLUMNS = (
    Column("category", "Category", TEXT),
    Column("objects", "Objects", COUNT),
    Column("without", "Without distance", COUNT, "Objects of which no distance could be told"),
    Column("nearest", "Nearest", LENGTH, "Smallest median of an object"),
    Column("median", "Median", LENGTH, "Median of the objects' medians"),
    Column("farthest", "Farthest", LENGTH, "Largest median of an object"),
    Column("bias", "Median error [%]", SIGNED_PART, "Median of the objects' relative errors"),
    Column("abs_rel", "AbsRel", PART, "Mean of |error| / truth over the pixels of the class"),
    Column("rmse", "RMSE [m]", LENGTH, "Root mean square error over the pixels of the class"),
    Column("delta1", "δ < 1.25", PART, "Part of those pixels within a factor of 1.25 of the truth"),
)


def objects_of(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The objects of a frame's record; empty where it has none."""
    objects = record.get("objects")
    return [item for item in objects if isinstance(item, Mapping)] if isinstance(objects, list) else []


def accuracy_cells(accuracy: AccuracyNumbers | None) -> dict[str, float | None]:
    """The three numbers under the keys of the columns; empty without."""
    if accuracy is None:
        return {}
    return {"abs_rel": number(accuracy.abs_rel), "rmse": number(accuracy.rmse_m), "delta1": number(accuracy.delta1)}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
