# SPDX-License-Identifier: Apache-2.0
"""The files of a finished run, written one picture at a time: annotations in our layout, in COCO's, and the accuracy."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from .accuracy import FORMULAS, Accuracy
from .capture import ANNOTATIONS
from .coco import CocoCapture
from .measured import FRAME_FIELDS, OBJECT_FIELDS, without_fields
from .run import AnnotatedFrame, Run

ANNOTATIONS_COCO = "annotations_coco.json"
ACCURACY_JSON, ACCURACY_CSV = "accuracy.json", "accuracy.csv"

_COLUMNS = ("scope", "image", "id", "category", "pixels", "abs_rel", "rmse_m", "delta1")


@dataclass(slots=True)
class Totals:
    """Accuracy over all pictures: of the pixels of objects, of whole pictures, and by category. ``classes``: sums, and how many objects."""

    of_objects: Accuracy = field(default_factory=Accuracy)
    whole: Accuracy = field(default_factory=Accuracy)
    classes: dict[str, tuple[Accuracy, int]] = field(default_factory=dict)

    def add(self, result: AnnotatedFrame) -> None:
        """Add one picture's; one without truth adds nothing."""
        if result.accuracy is None:
            return
        self.of_objects += result.accuracy.of_objects
        self.whole += result.accuracy.whole
        for record, accuracy in zip(result.entry["objects"], result.accuracy.objects, strict=True):
            if accuracy.pixels:
                name = category_of(record)
                known, count = self.classes.get(name, (Accuracy(), 0))
                self.classes[name] = (known + accuracy, count + 1)

    @property
    def known(self) -> bool:
        """Whether there was anything to compare."""
        return self.whole.pixels > 0


def category_of(record: Mapping[str, Any]) -> str:
    """What an object is called, as text; empty when it is not."""
    value = record.get("category")
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)


def write_outputs(run: Run, folder: Path) -> Totals:
    """Write all files into ``folder``, those of accuracy only where there is truth; the totals over all pictures."""
    totals = Totals()
    _write_list(folder / ANNOTATIONS, _adding(run.results(), totals))
    if isinstance(run.reader, CocoCapture):
        _write_coco(folder / ANNOTATIONS_COCO, run, run.reader)
    if totals.known:
        _write_accuracy_json(folder / ACCURACY_JSON, run, totals)
        _write_accuracy_csv(folder / ACCURACY_CSV, run, totals)
    return totals


def totals_of(run: Run) -> Totals:
    """The totals alone."""
    totals = Totals()
    for result in run.results():
        totals.add(result)
    return totals


def _adding(results: Iterable[AnnotatedFrame], totals: Totals) -> Iterator[Mapping[str, Any]]:
    for result in results:
        totals.add(result)
        yield result.entry


def _write_list(path: Path, entries: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        _list(file, entries, 0)
        file.write("\n")


def _list(file: IO[str], values: Iterable[Any], level: int) -> None:
    """A JSON list, indented as ``json.dumps(..., indent=2)`` does it at that depth, without having all of it in memory."""
    margin = "  " * (level + 1)
    empty = True
    for value in values:
        file.write(("[" if empty else ",") + "\n" + margin + _dumps(value).replace("\n", "\n" + margin))
        empty = False
    file.write("[]" if empty else "\n" + "  " * level + "]")


def _dumps(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, indent=2)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # half of a pair of surrogates, which JSON can hold and UTF-8 cannot
        return json.dumps(value, indent=2)
    return text


def _write_coco(path: Path, run: Run, reader: CocoCapture) -> None:
    """The dataset's own file with our fields in its images and annotations; the annotations are grouped by image, in the images' order."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write("{\n")
        for name, value in reader.head.items():
            if name != "images":
                file.write(f"  {json.dumps(name)}: " + _dumps(value).replace("\n", "\n  ") + ",\n")
        file.write('  "images": ')
        _list(file, (_coco_image(result, reader) for result in run.results()), 1)
        file.write(',\n  "annotations": ')
        _list(file, _coco_annotations(run, reader), 1)
        file.write("\n}\n")


def _coco_image(result: AnnotatedFrame, reader: CocoCapture) -> dict[str, Any]:
    ours = {name: result.entry[name] for name in FRAME_FIELDS if name in result.entry}
    return {**without_fields(reader.image(result.frame), FRAME_FIELDS), **ours}


def _coco_annotations(run: Run, reader: CocoCapture) -> Iterator[dict[str, Any]]:
    for result in run.results():
        objects = result.entry["objects"] if result.error is None else ()
        annotations = reader.annotations(result.frame)
        for place, annotation in enumerate(annotations):
            ours = {name: objects[place][name] for name in OBJECT_FIELDS if name in objects[place]} if objects else {}
            yield {**without_fields(annotation, OBJECT_FIELDS), **ours}
    yield from (dict(annotation) for annotation in reader.orphans)


def _write_accuracy_json(path: Path, run: Run, totals: Totals) -> None:
    classes = {name: {"objects": count, **(accuracy.to_json() or {})} for name, (accuracy, count) in sorted(totals.classes.items())}
    head = {"formulas": FORMULAS, "all_objects": totals.of_objects.to_json(), "whole_frames": totals.whole.to_json(), "classes": classes}
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(_dumps(head).removesuffix("\n}") + ',\n  "frames": ')
        _list(file, _accuracy_frames(run), 1)
        file.write("\n}\n")


def _accuracy_frames(run: Run) -> Iterator[dict[str, Any]]:
    for result in run.results():
        accuracy = result.accuracy
        if accuracy is not None:
            objects = [
                {"id": record.get("id"), "category": record.get("category"), **(each.to_json() or {"pixels": 0})}
                for record, each in zip(result.entry["objects"], accuracy.objects, strict=True)
            ]
            together, whole = accuracy.of_objects.to_json(), accuracy.whole.to_json()
            yield {"image": result.frame.name, "all_objects": together, "whole_frame": whole, "objects": objects}


def _write_accuracy_csv(path: Path, run: Run, totals: Totals) -> None:
    with path.open("w", encoding="utf-8", newline="", errors="replace") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        _row(writer, totals.of_objects, "all objects")
        _row(writer, totals.whole, "whole frames")
        for name, (accuracy, _) in sorted(totals.classes.items()):
            _row(writer, accuracy, "class", category=name)
        for result in run.results():
            if result.accuracy is None:
                continue
            image = result.frame.name
            _row(writer, result.accuracy.of_objects, "objects of frame", image)
            _row(writer, result.accuracy.whole, "whole frame", image)
            for record, accuracy in zip(result.entry["objects"], result.accuracy.objects, strict=True):
                _row(writer, accuracy, "object", image, record.get("id"), category_of(record))


def _row(writer: Any, accuracy: Accuracy, scope: str, image: str = "", identity: object = "", category: str = "") -> None:
    numbers = accuracy.to_json() or {"pixels": 0}
    writer.writerow([scope, image, identity, category, *(numbers.get(name, "") for name in _COLUMNS[4:])])
