# SPDX-License-Identifier: Apache-2.0
"""What a run has done so far, kept in the output folder so that an interrupted one goes on and a finished one is not done again.

``progress.jsonl`` is one JSON object a line: first what the run is of (``run``), then a finished picture each (``key``, ``result``), and what
was written of it (``written``: digests of the files, noted before they are put in place). A line that was cut off by a crash is dropped.
Pictures that failed are not in it: the next run tries them again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from ...engines.atomic import writing_to
from ...engines.errors import OutputError

PROGRESS = "progress.jsonl"
_FORMAT = 1
# How the first line begins, torn or not.
_HEAD = b'{"run": {"format"'


class Progress:
    """The open file. Results stay on disk: only where each of them stands is in memory."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        self._places: dict[str, tuple[int, int]] = {}
        self._written: dict[str, set[str]] = {}
        self._written_of: str | None = None
        self._end = 0

    @classmethod
    def open(cls, folder: Path, run: Mapping[str, Any], *, fresh: bool) -> Progress:
        """Go on with the run that ``folder`` holds, or start one. ``run`` describes it; ``fresh`` forgets an earlier one.

        Raises :class:`OutputError` when the folder holds that of another run, or cannot be written.
        """
        path = folder / PROGRESS
        head = {"format": _FORMAT, **run}
        with writing_to(path):
            exists = path.exists() and not fresh
            file = path.open("r+b" if exists else "w+b")
            progress = cls(path, file)
            try:
                found = progress._read() if exists else None
                if found is None:
                    progress._restart(head, fresh)
                elif found != head:
                    raise OutputError(_other_run(folder, found, head))
            except BaseException:
                file.close()
                raise
            return progress

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def add(self, key: str, result: Mapping[str, Any]) -> None:
        """Note a finished picture; it is on its way to the disk when this returns."""
        self._places[key] = self._append({"key": key, "result": result})

    def result(self, key: str) -> dict[str, Any]:
        """What :meth:`add` noted. Raises :class:`KeyError`."""
        start, length = self._places[key]
        with writing_to(self._path):
            self._file.seek(start)
            found: dict[str, Any] = json.loads(self._file.read(length))["result"]
            return found

    def note_written(self, files: Iterable[Path], keys: Iterable[str] | None = None) -> None:
        """Remember the content of files that are about to be put into the folder as this run's own, and of which pictures they are."""
        record: dict[str, Any] = {"written": {path.name: _digest(path) for path in files}}
        if keys is not None:
            record["of"] = _digest_of(keys)
        self._append(record)
        self._remember(record)

    def is_current(self, keys: Iterable[str]) -> bool:
        """Whether what was written last is of exactly these pictures."""
        return self._written_of == _digest_of(keys)

    def wrote(self, path: Path) -> bool:
        """Whether the file is one that this run, or an earlier part of it, wrote, and nobody has changed it."""
        return path.is_file() and _digest(path) in self._written.get(path.name, ())

    def remove(self) -> None:
        """Forget everything."""
        self._file.close()
        self._path.unlink(missing_ok=True)

    def _restart(self, head: Mapping[str, Any], fresh: bool) -> None:
        self._file.seek(0)
        if not fresh and not _HEAD.startswith(self._file.read(len(_HEAD))):
            raise OutputError(f"{self._path} is no file of depthbridge; choose another folder, or add --force to replace it.")
        self._file.seek(0)
        self._file.truncate()
        self._places, self._written, self._written_of, self._end = {}, {}, None, 0
        self._append({"run": head})

    def _append(self, record: Mapping[str, Any]) -> tuple[int, int]:
        line = json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"
        with writing_to(self._path):
            self._file.seek(self._end)
            self._file.write(line)
            self._file.flush()
        place = (self._end, len(line))
        self._end += len(line)
        return place

    def _read(self) -> dict[str, Any] | None:
        """The head, None when not even that is whole; a torn end is cut off."""
        head: dict[str, Any] | None = None
        for line in self._file:
            record = _parsed(line)
            if record is None:
                break
            if head is None:
                head = record.get("run")
                if not isinstance(head, dict):
                    return None
            elif isinstance(record.get("key"), str) and isinstance(record.get("result"), dict):
                self._places[record["key"]] = (self._end, len(line))
            elif isinstance(record.get("written"), dict):
                self._remember(record)
            self._end += len(line)
        if head is not None and self._file.seek(0, os.SEEK_END) > self._end:
            self._file.truncate(self._end)
        return head

    def _remember(self, record: Mapping[str, Any]) -> None:
        for name, digest in record["written"].items():
            self._written.setdefault(name, set()).add(digest)
        self._written_of = record.get("of", self._written_of)


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _digest_of(keys: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(keys).encode()).hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _other_run(folder: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    differing = [name for name in {**found, **wanted} if found.get(name) != wanted.get(name)]
    words = " and ".join(f"{name} {found.get(name)!r}, now {wanted.get(name)!r}" for name in differing[:3])
    return (
        f"{folder} holds results of another run ({words}). Give the same again to go on with it, choose another folder, or add --force "
        "to start anew."
    )
