# SPDX-License-Identifier: Apache-2.0
"""Files of captures: JSON that any editor may have written, names that must not lead out, and whether a file has changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from ...engines.errors import CaptureError


def read_json(path: Path) -> Any:
    """The content of a JSON file. Raises :class:`CaptureError` naming it."""
    try:
        # Unity and Windows editors put a byte order mark in front of UTF-8.
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise CaptureError(f"{path} does not exist; give a capture folder that holds it.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise CaptureError(f"{path} is not readable JSON ({first_line(error)}).") from error


def check_name(name: str, folder: str) -> None:
    """Raise :class:`CaptureError` for a name that leads out of ``folder``, in the notation of any system."""
    for path in (PurePosixPath(name), PureWindowsPath(name)):
        if path.is_absolute() or path.drive or ".." in path.parts or not path.name or "\0" in name:
            raise CaptureError(f"the name {name!r} leads out of {folder}; give a file name in there.")


def with_suffix(folder: Path, name: str, suffix: str) -> Path:
    """``folder/name`` with another suffix; a name that is none (``.``, ``..``) stays, for :func:`check_name` to refuse."""
    try:
        return folder / Path(name).with_suffix(suffix)
    except ValueError:
        return folder / name


def fingerprint(content: object, files: Iterable[Path]) -> str:
    """A digest of ``content`` (JSON) and of the sizes and times of ``files``, missing ones included."""
    stats = []
    for path in files:
        try:
            stat = path.stat()
            stats.append([path.name, stat.st_size, stat.st_mtime_ns])
        except (OSError, ValueError):
            stats.append([path.name, None, None])
    text = json.dumps([content, stats], sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def shortened(values: list[int]) -> str:
    """At most five of them, in words."""
    return ", ".join(str(value) for value in values[:5]) + (f" and {len(values) - 5} more" if len(values) > 5 else "")


def shown(value: object) -> str:
    """A value from a file, in a sentence; cut where it is long."""
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."


def first_line(error: Exception) -> str:
    """What an error says, in one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
