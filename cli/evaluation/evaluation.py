# SPDX-License-Identifier: Apache-2.0
"""The whole of an evaluation: go on with what an output folder holds, score what is missing, write everything at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ... import __version__
from ...engines.atomic import atomic_folder_contents
from ...engines.errors import CaptureError, ImageError
from ...unity_bridge.captures.output_folder import output_folder, refuse_inside, refuse_taken
from .candidates import Candidate, OneEngine, Opener
from .page.write import write_page
from .pictures import choose, kept_per_model, take_pictures
from .results import CSV_FILE, JSON_FILE, PAGE_FILE, SCHEMA, gather, write_csv, write_json
from .run import OnRow, Run, key_of, refuse_without_camera, score_all
from .samples import Dataset, DatasetError
from .totals import Totals

_FILES = (JSON_FILE, CSV_FILE, PAGE_FILE)


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for. ``options``: whatever else makes two runs different, in words: engine options, size. ``limit``: only the first so
    many pictures; a run may go on with another limit."""

    dataset: Dataset
    folder: Path
    candidates: Sequence[Candidate]
    options: Mapping[str, Any]
    fov_vertical_deg: float | None = None
    limit: int | None = None
    overwrite: bool = False


@contextmanager
def evaluation(order: Order, out: Path, open_engine: Opener, on_row: OnRow) -> Iterator[tuple[Run, dict[str, Totals]]]:
    """Every model over every picture; when the block begins, ``evaluation.json``, ``pictures.csv`` and ``evaluation.html`` are in ``out``.

    A picture that cannot be used is in ``run.failed``. What is done stands in ``progress.jsonl`` at once: after an interruption the same
    order goes on from there. Raises :class:`OutputError` when ``out`` lies in the data set, cannot be written, is in use, or holds another
    run's results and ``overwrite`` is False; :class:`DatasetError` when not one picture could be used; and what would come for every one.
    """
    refuse_inside(out, order.folder, "data set")
    names = list(order.dataset.names()[: order.limit])
    if not names:
        raise DatasetError(f"{order.folder} ({order.dataset.layout}) holds no picture to evaluate; check the path.")
    with output_folder(out, "evaluate", _head(order), _FILES, overwrite=order.overwrite) as progress, OneEngine(open_engine) as engines:
        run = Run(order.dataset, names, order.candidates, progress, order.fov_vertical_deg)
        _refuse_cameraless(run)
        new = any(run.missing(candidate) for candidate in order.candidates)
        score_all(run, engines, on_row)
        _refuse_nothing(run, order.folder)
        totals = gather(run, kept_per_model(len(order.candidates)))
        if new or not _is_written(run, out):
            _write(run, totals, engines, order, out)
        engines.close()
        yield run, totals


def _write(run: Run, totals: Mapping[str, Totals], engines: OneEngine, order: Order, out: Path) -> None:
    chosen = choose(run, totals)
    take_pictures(run, chosen, engines)
    name = order.folder.resolve().name
    with atomic_folder_contents(out, overwrite=True) as staging:
        write_json(staging / JSON_FILE, run, totals, name)
        write_csv(staging / CSV_FILE, run)
        write_page(staging / PAGE_FILE, run, totals, chosen, name)
        if not order.overwrite:
            refuse_taken((out / file for file in _FILES), run.progress)
        run.progress.note_written([staging / file for file in _FILES], _keys(run))


def _is_written(run: Run, out: Path) -> bool:
    return run.progress.is_current(_keys(run)) and not run.failed and all(run.progress.wrote(out / name) for name in _FILES)


def _keys(run: Run) -> Iterator[str]:
    return (key_of(candidate, name) for candidate in run.candidates for name in run.names)


def _head(order: Order) -> dict[str, Any]:
    """What makes two runs different; flat and in words, for the sentence that says in what they differ."""
    return {
        "results": SCHEMA,
        "data set": str(order.folder.resolve()),
        "layout": order.dataset.layout,
        "protocol": order.dataset.protocol,
        "models": "; ".join(sorted(f"{each.label} ({each.sha256[:16]}, --align {each.alignment})" for each in order.candidates)),
        "field of view": order.fov_vertical_deg,
        **order.options,
        "depthbridge": __version__,
    }


def _refuse_cameraless(run: Run) -> None:
    """Before a model is loaded: a data set whose first picture has no camera has none for the others either."""
    for candidate in run.candidates:
        if candidate.needs_camera and run.missing(candidate):
            with suppress(DatasetError, ImageError, CaptureError):
                refuse_without_camera(candidate, run.load(run.names[0])[1])


def _refuse_nothing(run: Run, folder: Path) -> None:
    for candidate in run.candidates:
        failed = [name for name in run.names if (candidate.label, name) in run.failed]
        if len(failed) == len(run.names):
            reason = run.failed[(candidate.label, failed[0])]
            raise DatasetError(f"Not one of the {len(failed)} pictures of {folder} could be used; {failed[0]}: {reason}")
