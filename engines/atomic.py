# SPDX-License-Identifier: Apache-2.0
"""Outputs that appear whole or not at all: written under a temporary name in the target's folder, then renamed."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import OutputError

_TEMPORARY_PREFIX = ".depthbridge-"

_REASONS = {
    errno.ENOSPC: "the disk is full; free some space or choose another folder",
    errno.EDQUOT: "the disk quota is used up; free some space or choose another folder",
    errno.EFBIG: "the file is larger than the system allows here; choose another folder or fewer points",
    errno.EROFS: "the folder is read-only; choose another folder",
    errno.EACCES: "the folder may not be written; choose another folder or change its permissions",
    errno.EPERM: "the folder may not be written; choose another folder or change its permissions",
    errno.ENOTDIR: "a part of the path is a file, not a folder; choose another folder",
    errno.ENOENT: "the folder does not exist; create it or check the path",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
}


@contextmanager
def atomic_path(target: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A free path beside ``target``, with its suffix, that becomes ``target`` when the block ends well and vanishes otherwise.

    The folder is tried out first, so that an unwritable one is told before any work is done; the yielded path does not exist
    yet. Raises :class:`OutputError` when the folder is missing, read-only or full, when ``target`` exists and ``overwrite`` is
    False, when it is no plain file, and when the block wrote nothing. An ``OSError`` about another file passes unchanged.
    """
    target = Path(target)
    with writing_to(target):
        _refuse_taken(target, overwrite)
        handle, name = tempfile.mkstemp(prefix=_TEMPORARY_PREFIX, suffix=target.suffix, dir=target.parent)
        os.close(handle)
        temporary = Path(name)
        # Only the name is kept: a file made by mkstemp is private (0600), and some writers back up a file that exists.
        temporary.unlink()
    try:
        with writing_to(target, temporary):
            yield temporary
            if not temporary.is_file():
                raise OutputError(f"Cannot write {_shown(target)}: nothing was written; is the disk full?")
            _refuse_taken(target, overwrite)
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder_contents(folder: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A temporary folder inside ``folder`` whose files all move into ``folder`` when the block ends well, and vanish otherwise.

    For outputs that belong together: all of them appear, or none. Only plain files directly in the temporary folder move. Raises
    :class:`OutputError` as :func:`atomic_path` does, and moves nothing then.
    """
    folder = Path(folder)
    with writing_to(folder):
        staging = Path(tempfile.mkdtemp(prefix=_TEMPORARY_PREFIX, dir=folder))
    try:
        with writing_to(folder, staging):
            yield staging
            _move_all(staging, folder, overwrite)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def make_folder(folder: Path) -> None:
    """Makes ``folder`` and its parents. Raises :class:`OutputError` when that is impossible, also when a file has its name."""
    with writing_to(folder):
        if folder.exists() and not folder.is_dir():
            raise OutputError(f"Cannot write into {folder}: it is a file, not a folder; choose another name.")
        folder.mkdir(parents=True, exist_ok=True)


@contextmanager
def writing_to(target: Path, temporary: Path | None = None) -> Iterator[None]:
    """Turns an ``OSError`` of the block into an :class:`OutputError` that names ``target``.

    With ``temporary`` only an error about that path, what lies in it, ``target``, or no path at all (a full disk) is turned; one
    about any other file passes.
    """
    try:
        yield
    except OSError as error:
        if temporary is not None and isinstance(error.filename, (str, bytes)):
            about = Path(os.fsdecode(error.filename))
            if about not in (temporary, target) and temporary not in about.parents:
                raise
        reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
        raise OutputError(f"Cannot write {_shown(target)}: {reason}.") from error


def _shown(target: Path) -> Path:
    """Where the user will find ``target``: what lies in a temporary folder of ours is named as it will be called after the move."""
    return target.parent.parent / target.name if target.parent.name.startswith(_TEMPORARY_PREFIX) else target


def _refuse_taken(target: Path, overwrite: bool) -> None:
    if target.is_dir():
        raise OutputError(f"Cannot write {target}: it is a folder; give a file name.")
    if os.path.lexists(target):
        if not overwrite:
            raise OutputError(f"Cannot write {target}: it exists already; choose another name or ask to overwrite it.")
        if not target.is_file() and not target.is_symlink():
            raise OutputError(f"Cannot write {target}: it is a device or pipe, not a file; choose another name.")


def _move_all(staging: Path, folder: Path, overwrite: bool) -> None:
    """Renames each file into place; a failure takes back those that were not there before."""
    moves = [(path, folder / path.name) for path in sorted(staging.iterdir()) if path.is_file()]
    for _, target in moves:
        _refuse_taken(target, overwrite)
    new: list[Path] = []
    try:
        for path, target in moves:
            was_there = os.path.lexists(target)
            path.replace(target)
            if not was_there:
                new.append(target)
    except OSError:
        for target in new:
            target.unlink(missing_ok=True)
        raise
