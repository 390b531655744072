# SPDX-License-Identifier: Apache-2.0
"""Where prepared engines are kept: one folder for each model, library, device, precision and shape; built once, whole or not at all.

``<cache>/engines/<slug>/entry.json`` lists the files of an entry with size and SHA-256. Hashing a gigabyte costs a second, too much for every
opening: a file whose size and times are those of the day it was built counts as unchanged, one whose times differ is hashed, and what
a library refuses all the same is told to :meth:`EngineCache.discard`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..atomic import make_folder, writing_to
from ..cancel import CancelToken
from ..errors import OutputError
from ..file_lock import exclusive
from ..progress import Progress
from .cache_entry import CacheEntry, EngineKey, State, check, read_entry, remove_entry, write_entry
from .model_hash import remembered_sha256
from .temporary_folder import temporary_folder

__all__ = ["ENVIRONMENT_VARIABLE", "CacheEntry", "EngineCache", "EngineKey", "model_sha256"]

ENVIRONMENT_VARIABLE = "DEPTHBRIDGE_CACHE"
"""Names the folder of what is kept, instead of the user's cache folder."""

Build = Callable[[Path], None]

_POLL_S = 0.1
_STAGING_PREFIX = ".building-"
_LOCK_SUFFIX = ".lock"
_RENAME_TRIES = 20
NOT_KEPT = "is prepared anew each time it is opened."
"""How the note ends that says that the cache cannot be written."""
MODEL_HASHES = "model-hashes"
"""The note that remembers the hashes of model files."""


class EngineCache:
    """The cache in ``folder``, which need not exist. Several programs may use one folder at once; one object belongs to one thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = Path(folder)
        self._engines = self._folder / "engines"
        self._notes: dict[str, None] = {}

    @classmethod
    def default(cls) -> EngineCache | None:
        """The folder that ``DEPTHBRIDGE_CACHE`` names, else the user's cache folder for Depthbridge; None where that cannot be told
        (platformdirs is absent, as inside Blender)."""
        named = os.environ.get(ENVIRONMENT_VARIABLE, "").strip()
        if named:
            return cls(Path(named).expanduser())
        try:
            import platformdirs
        except ImportError:
            return None
        return cls(platformdirs.user_cache_path("depthbridge", appauthor=False))

    @property
    def folder(self) -> Path:
        return self._folder

    def take_notes(self) -> tuple[str, ...]:
        """Sentences for the user since this was last called: an entry that had to be rebuilt, a folder that cannot be written."""
        notes = tuple(self._notes)
        self._notes.clear()
        return notes

    def note_path(self, name: str) -> Path:
        """The file for small measured facts called ``name``. It need not exist; write it through :func:`~..atomic.atomic_path`."""
        return self._folder / f"{name}.json"

    # ---- one entry ----------------------------------------------------------------------------------------------

    def obtain(self, key: EngineKey, build: Build, *, progress: Progress | None = None, cancel: CancelToken | None = None) -> Path:
        """The folder of the complete, checked entry of ``key``. When it is missing or damaged, ``build(folder)`` writes its files into an
        empty folder, which becomes the entry once it returns; another program that wants the same entry waits meanwhile.

        Where the cache cannot be written (read-only, full), the files are built in a temporary folder that goes with this process, and a
        note says so. Raises what ``build`` raises, and ``CancelledError`` once ``cancel`` was called; nothing half-built is left.
        """
        target = self._engines / key.slug
        if check(target, key) is State.WHOLE:
            _mark_used(target)
            return target
        try:
            with writing_to(self._folder, self._engines):  # what fails elsewhere is no matter of the cache
                make_folder(self._engines)
                with self._locked(key, progress, cancel):
                    return self._obtain_locked(target, key, build, progress, cancel)
        except OutputError as error:
            if check(target, key, hashes=True) is State.WHOLE:  # a cache that may be read, but not written
                return target
            # The sentence names what is wrong; the engine runs all the same.
            self._notes[f"{str(error).rstrip('.')}; {key.model_name} {NOT_KEPT}"] = None
            _check(cancel)
            return self._build_temporarily(key, build, progress)

    def discard(self, key: EngineKey) -> None:
        """Forgets an entry that a library refused: the next :meth:`obtain` builds it anew. Nothing happens when there is none."""
        with suppress(OSError):
            remove_entry(self._engines / key.slug)

    def _obtain_locked(self, target: Path, key: EngineKey, build: Build, progress: Progress | None, cancel: CancelToken | None) -> Path:
        state = check(target, key, hashes=True)
        if state is State.WHOLE:
            _mark_used(target)
            return target
        if state is State.DAMAGED:
            self._notes[f"What was kept of {key.model_name} for {key.runtime} was damaged; it was prepared anew."] = None
        remove_entry(target)
        # Its name is fixed: under the lock nobody else is at work in it, and what a killed program left there goes now.
        staging = self._engines / f"{_STAGING_PREFIX}{key.slug}"
        remove_entry(staging)
        staging.mkdir()
        try:
            _say_start(key, progress)
            started = time.monotonic()
            build(staging)
            _check(cancel)
            write_entry(staging, key, time.monotonic() - started)
            _rename(staging, target)
        finally:
            with suppress(OSError):
                remove_entry(staging)
        return target

    def _build_temporarily(self, key: EngineKey, build: Build, progress: Progress | None) -> Path:
        folder = temporary_folder()
        with writing_to(folder, folder):
            _say_start(key, progress)
            build(folder)
        return folder

    @contextmanager
    def _locked(self, key: EngineKey, progress: Progress | None, cancel: CancelToken | None) -> Iterator[None]:
        """Waits until the entry is ours to build."""
        told = False
        while True:
            _check(cancel)
            with exclusive(self._engines / f"{key.slug}{_LOCK_SUFFIX}") as ours:
                if ours:
                    yield
                    return
            if not told and progress is not None:
                progress(f"Another program is preparing {key.model_name} for {key.runtime}; waiting for it.")
            told = True
            time.sleep(_POLL_S)

    # ---- all of them --------------------------------------------------------------------------------------------

    def entries(self) -> list[CacheEntry]:
        """What is kept, by model, library, precision and shape; damaged entries are left out."""
        found = [entry for folder in self._folders() if not folder.name.startswith(".") and (entry := read_entry(folder)) is not None]
        return sorted(found, key=lambda entry: (entry.key.model_name, entry.key.runtime, entry.key.precision, entry.key.profile))

    def clear(self, model: str | None = None, *, only: Callable[[CacheEntry], bool] | None = None) -> int:
        """Removes entries and returns how many: all (what killed programs left included), those of one model (its name as kept, or
        its SHA-256), or those that ``only`` picks. One that another program is building stays. Raises :class:`OutputError`."""
        removed = 0
        for folder in self._folders():
            entry = None if folder.name.startswith(".") else read_entry(folder)
            if model is not None and (entry is None or model not in (entry.key.model_name, entry.key.model_sha256)):
                continue
            if only is not None and (entry is None or not only(entry)):
                continue
            slug = folder.name.removeprefix(_STAGING_PREFIX)
            with writing_to(folder), exclusive(self._engines / f"{slug}{_LOCK_SUFFIX}") as ours:
                if ours:
                    remove_entry(folder)
                    removed += entry is not None
        return removed

    def _folders(self) -> list[Path]:
        try:
            return sorted(path for path in self._engines.iterdir() if path.is_dir())
        except OSError:
            return []


def model_sha256(path: Path, cache: EngineCache | None = None) -> str:
    """SHA-256 of the model file at ``path``; when weights lie beside it, of its hash and theirs together.

    ``cache`` (the user's when None) remembers it by size and times of each file, so that opening a gigabyte does not read it each time.
    Raises :class:`ModelError` when a file is missing or cannot be read.
    """
    kept = cache or EngineCache.default()
    return remembered_sha256(path, None if kept is None else kept.note_path(MODEL_HASHES))


def _say_start(key: EngineKey, progress: Progress | None) -> None:
    if progress is not None:
        progress(f"Preparing {key.model_name} for {key.runtime} ({key.precision}, {key.profile}); this happens once.")


def _check(cancel: CancelToken | None) -> None:
    if cancel is not None:
        cancel.check()


def _mark_used(folder: Path) -> None:
    """The entry's own file carries the time it was last used; a cache that may only be read does without."""
    with suppress(OSError):
        os.utime(folder / "entry.json")


def _rename(staging: Path, target: Path) -> None:
    """Windows refuses while a scanner looks at a fresh file, which passes."""
    for attempt in range(_RENAME_TRIES):
        try:
            staging.rename(target)
            return
        except PermissionError:
            if attempt == _RENAME_TRIES - 1:
                raise
            time.sleep(_POLL_S)
