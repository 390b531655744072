# SPDX-License-Identifier: Apache-2.0
"""What is known of the files of an installed model: ``depthbridge.lock.json`` in its folder pins their content."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .atomic import atomic_path
from .errors import ModelError
from .model_paths import inside

LOCK_NAME = "depthbridge.lock.json"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Pin:
    """One file as it was first seen.

    ``url`` is "" for a file of the user's own. ``host_checksum`` is "algorithm:hex" as the host published it, None where it published
    none: then ``sha256`` is what arrived, trusted on first use. ``checksum_source`` says which, in words. ``fetched`` is a UTC date.
    """

    path: str
    url: str
    sha256: str
    size: int
    host_checksum: str | None
    checksum_source: str
    revision: str | None
    fetched: str

    @property
    def trusted_on_first_use(self) -> bool:
        """Whether nobody but the first download vouches for the content."""
        return self.host_checksum is None


@dataclass(frozen=True, slots=True)
class ModelLock:
    """The pins of one model. The first file is the graph, the others hold its weights."""

    model_id: str
    pins: tuple[Pin, ...]

    def pin(self, path: str) -> Pin | None:
        """The pin of the file ``path``."""
        return next((pin for pin in self.pins if pin.path == path), None)


def now_utc() -> str:
    """The time for :attr:`Pin.fetched`."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_lock(folder: Path) -> ModelLock | None:
    """The lock in ``folder``; None when there is none. Raises :class:`ModelError` when it is damaged."""
    path = folder / LOCK_NAME
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != _FORMAT:
            raise ModelError(f"{path} has format {data['format']!r}, which this version does not read; update Depthbridge.")
        pins = tuple(_pin(item) for item in data["files"])
        model_id = data["model"]
        if not pins or not isinstance(model_id, str):
            raise ValueError("no files")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{path}, which pins the files of this model, cannot be read; remove {folder} and fetch or add it again."
        ) from error
    for pin in pins:
        inside(folder, pin.path, str(path))
    return ModelLock(model_id, pins)


def write_lock(folder: Path, lock: ModelLock) -> None:
    """Writes ``lock`` into ``folder``, whole or not at all. Raises :class:`~.errors.OutputError`."""
    data = {"format": _FORMAT, "model": lock.model_id, "files": [asdict(pin) for pin in lock.pins]}
    with atomic_path(folder / LOCK_NAME, overwrite=True) as temporary:
        temporary.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")


def _pin(item: Mapping[str, Any]) -> Pin:
    pin = Pin(**item)
    texts = (pin.path, pin.url, pin.sha256, pin.checksum_source, pin.fetched)
    optional = (pin.host_checksum, pin.revision)
    if not all(isinstance(text, str) for text in texts) or not all(isinstance(text, (str, type(None))) for text in optional):
        raise ValueError("not a text")
    if type(pin.size) is not int or pin.size < 0:
        raise ValueError("not a size")
    return pin
