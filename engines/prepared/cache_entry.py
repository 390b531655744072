# SPDX-License-Identifier: Apache-2.0
"""One entry of the engine cache: what names it, what its folder holds, and whether that is still what was built."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from enum import Enum, auto
from pathlib import Path
from typing import Any

from ..atomic import atomic_path
from ..errors import DepthbridgeError, OutputError
from ..file_hash import hash_file
from ..model_paths import inside

ENTRY_NAME = "entry.json"
_FORMAT = 1
_NAME_LENGTH = 40


@dataclass(frozen=True, slots=True)
class EngineKey:
    """What an engine depends on: another value in any field is another engine.

    ``model_sha256`` of the file it is made of, ``model_name`` for people, ``runtime`` with its version ("openvino 2026.4.1"), ``device`` with
    all that a compiled engine is tied to ("NVIDIA H100 sm90 driver 550.54"), ``precision``, ``profile``: the shapes ("dynamic", "1-8x280x504").
    """

    model_sha256: str
    model_name: str
    runtime: str
    device: str
    precision: str
    profile: str

    @property
    def slug(self) -> str:
        """The folder's name: readable, and safe on every system (lower case, no dot, never a device name of Windows)."""
        readable = re.sub(r"[^a-z0-9]+", "-", f"{self.model_name[:_NAME_LENGTH]} {self.precision[:8]}".lower()).strip("-")
        digest = hashlib.sha256(json.dumps([str(getattr(self, field.name)) for field in fields(self)]).encode()).hexdigest()
        return f"e-{readable}-{digest[:24]}"


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """An entry as listed: ``size`` in bytes, ``built`` and ``used`` (last) in seconds since 1970, ``took_s`` to build it."""

    key: EngineKey
    folder: Path
    size: int
    built: float
    used: float
    took_s: float


class State(Enum):
    """What :func:`check` found."""

    WHOLE = auto()
    MISSING = auto()
    DAMAGED = auto()
    UNSURE = auto()
    """Sizes fit but times do not: only the hashes can tell."""


def write_entry(folder: Path, key: EngineKey, took_s: float) -> None:
    """Lists the files of ``folder`` in its entry file, once they are safely on the disk. Raises ``OSError`` and :class:`OutputError`, this
    also when there is no file."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ENTRY_NAME)
    if not paths:
        raise OutputError(f"Cannot write {folder}: nothing was built.")
    listed = []
    for path in paths:
        with path.open("rb+") as file:
            os.fsync(file.fileno())
        listed.append({"path": path.relative_to(folder).as_posix(), "sha256": hash_file(path), **_stamp(path)})
    data = {"format": _FORMAT, "key": _plain(key), "built": datetime.now(UTC).isoformat(), "took_s": round(took_s, 3), "files": listed}
    _write(folder, data)


def read_entry(folder: Path) -> CacheEntry | None:
    """The entry of ``folder``; None when its entry file is missing or damaged."""
    data = _read(folder)
    if data is None:
        return None
    try:
        key = EngineKey(**data["key"])
        size = sum(int(item["size"]) for item in data["files"])
        built = datetime.fromisoformat(data["built"]).timestamp()
        return CacheEntry(key, folder, size, built, (folder / ENTRY_NAME).stat().st_mtime, float(data["took_s"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def check(folder: Path, key: EngineKey, *, hashes: bool = False) -> State:
    """Whether ``folder`` holds what was built for ``key``. With ``hashes`` a file whose times changed is hashed, and if its content is the
    same its new times are remembered; without, that is :attr:`State.UNSURE`."""
    if not folder.is_dir() or not (folder / ENTRY_NAME).exists():
        return State.MISSING  # without an entry file it was never finished, or is being removed
    data = _read(folder)
    if data is None or data.get("key") != _plain(key):
        return State.DAMAGED
    try:
        changed = False
        for item in data["files"]:
            path = inside(folder, item["path"], str(folder / ENTRY_NAME))
            stamp = _stamp(path)
            if stamp["size"] != item["size"]:
                return State.DAMAGED
            if stamp == {name: item[name] for name in stamp}:
                continue
            if not hashes:
                return State.UNSURE
            if hash_file(path) != item["sha256"]:
                return State.DAMAGED
            item.update(stamp)
            changed = True
    except (OSError, KeyError, TypeError, AttributeError, DepthbridgeError):
        return State.DAMAGED
    if changed:
        with suppress(OSError, OutputError):  # a folder that may only be read is hashed again next time
            _write(folder, data)
    return State.WHOLE


def remove_entry(folder: Path) -> None:
    """Removes ``folder``, the entry file first: what is left of it when that is interrupted is no entry. Raises ``OSError``."""
    if folder.is_dir():
        (folder / ENTRY_NAME).unlink(missing_ok=True)
        shutil.rmtree(folder)


def _plain(key: EngineKey) -> dict[str, str]:
    return {name: str(value) for name, value in asdict(key).items()}


def _stamp(path: Path) -> dict[str, int]:
    facts = path.stat()
    # The change time too: copying tools restore the modification time of what they replace.
    return {"size": facts.st_size, "mtime_ns": facts.st_mtime_ns, "ctime_ns": facts.st_ctime_ns}


def _read(folder: Path) -> dict[str, Any] | None:
    try:
        data = json.loads((folder / ENTRY_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    whole = isinstance(data, dict) and data.get("format") == _FORMAT and isinstance(data.get("files"), list) and bool(data["files"])
    return data if whole else None


def _write(folder: Path, data: dict[str, Any]) -> None:
    with atomic_path(folder / ENTRY_NAME, overwrite=True) as temporary:
        temporary.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
