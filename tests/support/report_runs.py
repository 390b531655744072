# SPDX-License-Identifier: Apache-2.0
"""Runs for the report: records as ``annotate`` writes them, with pictures drawn on demand."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np

from depthbridge.engines.depth_map import DepthKind, DepthMap
from depthbridge.unity_bridge.captures.report import ReportFrame, ReportPictures

WIDTH, HEIGHT = 160, 120


@dataclass(frozen=True)
class Accuracy:
    pixels: int
    abs_rel: float
    rmse_m: float
    delta1: float


def record_of(objects: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    return {"image": "picture", "objects": objects, "unit": "m", "model": "oracle", "camera_source": "given", **fields}


def object_of(number: int, distance: float | None, *, category: Any = "cube", true: float | None = None, **fields: Any) -> dict[str, Any]:
    """An object whose median is ``distance``; its other numbers lie around it."""
    spread = (
        None if distance is None else {"center": distance, "mean": distance, "median": distance, "min": distance * 0.9, "max": distance * 1.1}
    )
    record = {
        "id": number,
        "category": category,
        "distance": spread,
        "range": spread,
        "valid_fraction": 1.0,
        "border_fraction": 0.0,
        "pixel_count": 600,
    }
    if true is not None:
        error = None if distance is None else {"median": distance - true}
        record |= {
            "distance_true": {"median": true},
            "distance_error": error,
            "distance_error_relative": None if distance is None else (distance - true) / true,
        }
    return {**record, **fields}


def pictures_of(count: int) -> ReportPictures:
    """A grey picture with ``count`` squares in a row, at 1, 2, ... m."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint16)
    for place in range(count):
        mask[20 + 30 * (place // 4) : 44 + 30 * (place // 4), 10 + 36 * (place % 4) : 34 + 36 * (place % 4)] = place + 1
    depth = np.where(mask > 0, mask, 9).astype(np.float32)
    image = np.repeat(np.uint8(60 + 20 * (mask[..., None] % 8)), 3, axis=2)
    depth_map = DepthMap(depth, DepthKind.METRIC, depth > 0, None, None, None, "oracle")
    return ReportPictures(image, mask, tuple(range(1, count + 1)), depth_map, depth)


def frame_of(name: str, objects: list[dict[str, Any]], *, pictures: Callable[[], ReportPictures] | None = None, **fields: Any) -> ReportFrame:
    """A frame; with pictures of its objects unless others are given."""
    return ReportFrame(name, record_of(objects, image=name), pictures=pictures or (lambda: pictures_of(len(objects))), **fields)


def many_frames(frames: int, objects: int) -> Iterator[ReportFrame]:
    """``frames`` frames of ``objects`` objects with truth, errors that grow with the distance; every row's median is its own."""
    chance = np.random.default_rng(7)
    for number in range(frames):
        true = chance.uniform(1, 30, objects)
        measured = true * (1 + chance.normal(0.02, 0.01 + 0.004 * true))
        records = [
            object_of(place, float(measured[place]), category=("crate", "barrel", "person", "door")[place % 4], true=float(true[place]))
            for place in range(objects)
        ]
        yield ReportFrame(f"{number:05d}.png", record_of(records), pictures=lambda: pictures_of(min(objects, 12)))


def page_data(page: Path) -> dict[str, Any]:
    """The page's data block, which must be JSON without NaN."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    text = page.read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1], parse_constant=refuse)
    return data


def rows_of(data: dict[str, Any], table: str) -> list[dict[str, Any]]:
    """A table's rows as a reader sees them, by column key."""
    source = data["tables"][table]
    kinds = {column["key"]: column["kind"] for column in source["columns"]}
    columns = {key: [data["texts"][value] for value in values] if kinds[key] == "text" else values for key, values in source["values"].items()}
    assert all(len(values) == source["count"] for values in columns.values())
    return [{key: values[row] for key, values in columns.items()} for row in range(source["count"])]


class Markup(HTMLParser):
    """The elements of a page with the names of their attributes, and its visible text."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.text: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)
