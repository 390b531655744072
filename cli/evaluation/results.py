# SPDX-License-Identifier: Apache-2.0
"""The run as files: JSON with every picture and the totals, and one line of CSV for each picture and model."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ... import __version__
from .candidates import ALIGNMENTS, Candidate
from .figures import FIGURES, KEYS
from .run import Row, Run
from .totals import Totals

SCHEMA = "depthbridge-evaluation/1"
JSON_FILE, CSV_FILE, PAGE_FILE = "evaluation.json", "pictures.csv", "evaluation.html"

_FACTS = ("compared", "coverage", "scale")


def gather(run: Run, keep: int) -> dict[str, Totals]:
    """Each model's totals by its label; ``keep`` as :class:`Totals` has it."""
    found = {candidate.label: Totals(keep) for candidate in run.candidates}
    for candidate in run.candidates:
        for place, row in enumerate(run.rows(candidate)):
            if row.score is not None:
                found[candidate.label].add(place, row.score)
    return found


def write_json(path: Path, run: Run, totals: Mapping[str, Totals], data_set: str) -> None:
    """One picture a line, so that many thousand are never in memory together; null for a figure that does not exist."""
    head = {
        "schema": SCHEMA,
        "depthbridge": __version__,
        "data_set": {
            "name": data_set,
            "layout": run.dataset.layout,
            "protocol": run.dataset.protocol,
            "estimates_clamped_to_m": run.dataset.clamp_m,
            "pictures": len(run.dataset.names()),
            "evaluated": len(run.names),
            "fov_vertical_deg_where_no_camera": run.fov_vertical_deg,
        },
        "figures": {figure.key: figure.meaning for figure in FIGURES},
        "models": [_model(run, candidate, totals[candidate.label]) for candidate in run.candidates],
    }
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(_dumps(head, indent=1).removesuffix("\n}") + ',\n "pictures": [')
        for place, name in enumerate(run.names):
            file.write(("," if place else "") + "\n  " + _dumps(_picture(run, name)))
        file.write("\n ]\n}\n")


def write_csv(path: Path, run: Run) -> None:
    """Empty cells for figures that do not exist."""
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("picture", "model", "counted", *_FACTS, *KEYS, "error"))
        for name in run.names:
            for candidate in run.candidates:
                row = run.row(candidate, name)
                facts = result(row)
                writer.writerow((name, candidate.label, row.counted, *(facts.get(key) for key in (*_FACTS, *KEYS)), row.error))


def result(row: Row) -> dict[str, Any]:
    """The figures of one model on one picture; its error alone where it failed."""
    if row.score is None:
        return {"error": row.error}
    values = {key: getattr(row.score, key) for key in (*_FACTS, *KEYS)}
    return {key: None if math.isnan(value) else value for key, value in values.items()}


def _model(run: Run, candidate: Candidate, totals: Totals) -> dict[str, Any]:
    rows = list(_without_figures(run, candidate))
    return {
        "label": candidate.label,
        "named": candidate.model,
        "file": candidate.path.name,
        "sha256": candidate.sha256,
        "family": candidate.family,
        "kind": str(candidate.kind),
        "alignment": str(candidate.alignment),
        "alignment_means": ALIGNMENTS[candidate.alignment],
        "ran_on": run.runtimes(candidate),
        "notes": run.notes(candidate),
        "pictures": totals.pictures,
        "total": {key: totals.total(key) for key in KEYS},
        "median": {key: totals.median(key) for key in KEYS},
        "count": {key: totals.count(key) for key in KEYS},
        "by_true_depth": [asdict(each) for each in totals.by_depth()],
        "without_counted_pixel": [row.name for row in rows if row.error is None],
        "failed": [{"picture": row.name, "error": row.error} for row in rows if row.error is not None],
    }


def _without_figures(run: Run, candidate: Candidate) -> Iterator[Row]:
    return (row for row in run.rows(candidate) if row.score is None or not row.score.compared)


def _picture(run: Run, name: str) -> dict[str, Any]:
    rows = {candidate.label: run.row(candidate, name) for candidate in run.candidates}
    read = next((row for row in rows.values() if row.score is not None), None)
    facts = {} if read is None else {key: getattr(read, key) for key in ("width", "height", "camera", "counted")}
    return {"picture": name, **facts, "results": {label: result(row) for label, row in rows.items()}}


def _dumps(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=True, allow_nan=False, indent=indent)  # ASCII: half a pair of surrogates in a file's name is no UTF-8
