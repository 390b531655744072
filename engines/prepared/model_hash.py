# SPDX-License-Identifier: Apache-2.0
"""The hash of a model, weights outside its file included; remembered, so that opening a gigabyte does not read it each time."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..atomic import atomic_path, make_folder
from ..errors import ModelError, OutputError
from ..file_hash import hash_file
from ..model_paths import inside
from ..onnx_graph import external_data_files

# A file written again within the resolution of its times would pass for unchanged (FAT: two seconds).
_YOUNG_NS = 3 * 10**9


def remembered_sha256(path: Path, note: Path | None) -> str:
    """What :func:`~.engine_cache.model_sha256` returns; the file ``note`` remembers it."""
    path = path.absolute()
    remembered = None if note is None else _read(note).get(str(path))
    if remembered is not None and not remembered["young"] and _is_unchanged(path, remembered):
        return str(remembered["sha256"])
    names = [path.name, *_external(path)]
    before = _stamps(path.parent, names)
    try:
        parts = {name: hash_file(inside(path.parent, name, path.name) if name != path.name else path) for name in names}
    except OSError as error:
        raise ModelError(f"The model {path} cannot be read ({error.strerror}).") from error
    digest = parts[path.name] if len(parts) == 1 else hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    if note is not None and before is not None:
        young = time.time_ns() - max(max(stamp[2:]) for stamp in before) < _YOUNG_NS
        _remember(note, path, {"files": before, "sha256": digest, "young": young})
    return digest


def hashes_of_models_there(note: Path) -> set[str]:
    """The hashes of all models ever hashed whose files are still there, as these are now."""
    found: set[str] = set()
    for name in _read(note):
        if Path(name).is_file():
            with suppress(ModelError):
                found.add(remembered_sha256(Path(name), note))
    return found


def _is_unchanged(path: Path, facts: dict[str, Any]) -> bool:
    files: list[list[Any]] = facts["files"]
    return _stamps(path.parent, [str(item[0]) for item in files]) == files


def _external(path: Path) -> tuple[str, ...]:
    try:
        return tuple(sorted(external_data_files(path)))
    except ModelError:
        if not path.is_file():
            raise
        return ()  # a compiled engine, or not a model at all: opening it tells


def _stamps(folder: Path, names: Sequence[str]) -> list[list[Any]] | None:
    stamps: list[list[Any]] = []
    for name in names:
        try:
            facts = (folder / name).stat()
        except OSError:
            return None
        stamps.append([name, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns])
    return stamps


def _read(note: Path) -> dict[str, dict[str, Any]]:
    try:
        data = json.loads(note.read_text(encoding="utf-8"))
        items = {
            str(name): {"files": facts["files"], "sha256": str(facts["sha256"]), "young": bool(facts["young"])} for name, facts in data.items()
        }
        return {name: facts for name, facts in items.items() if facts["files"] and all(len(item) == 4 for item in facts["files"])}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _remember(note: Path, path: Path, facts: dict[str, Any]) -> None:
    """Two programs that write at once lose one of the facts, which is then found out again."""
    with suppress(OutputError, OSError):
        make_folder(note.parent)
        # What is gone is forgotten.
        known = {name: fact for name, fact in _read(note).items() if Path(name).exists()} | {str(path): facts}
        with atomic_path(note, overwrite=True) as temporary:
            temporary.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
