# SPDX-License-Identifier: Apache-2.0
"""One worker at a time in a model's folder: a lock file that the system itself frees when its holder dies."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from .atomic import make_folder, writing_to
from .errors import ModelError

_LOCK_FILE = ".depthbridge-busy"

if sys.platform == "win32":
    import msvcrt

    def _try_lock(handle: int) -> bool:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@contextmanager
def working_in(folder: Path, model_id: str) -> Iterator[None]:
    """Makes ``folder`` and keeps other programs out of it for the block. A folder that stays empty goes again, and so do new parents.

    Raises :class:`ModelError` when another program is at work there, :class:`~.errors.OutputError` when it cannot be written.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    make_folder(folder)
    try:
        with ExitStack() as stack:
            with writing_to(folder):
                ours = stack.enter_context(exclusive(folder / _LOCK_FILE))
            if not ours:
                raise ModelError(f"{model_id} is already being fetched or added by another program; wait for it, or stop it.")
            yield
    finally:
        for path in made or [folder]:
            with suppress(OSError):
                path.rmdir()


@contextmanager
def exclusive(path: Path) -> Iterator[bool]:
    """Yields whether the lock file ``path`` is ours for the block; False when another process or thread has it.

    The file is removed afterwards. A lock of the system rather than the file's mere presence, so that a killed process leaves nothing
    that stops the next one. Raises ``OSError`` when the file cannot be made.
    """
    handle = _open_current(path)
    if handle is None:
        yield False
        return
    try:
        yield True
    finally:
        try:
            # Removed while it is still locked: whoever opened it meanwhile sees that its file has gone, and starts anew. Windows
            # keeps an open file; then it stays behind, empty and unlocked.
            path.unlink(missing_ok=True)
        except PermissionError:
            pass
        finally:
            os.close(handle)


def _open_current(path: Path) -> int | None:
    """An open, locked handle on the file that ``path`` names now; None when another has it."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        if not _try_lock(handle):
            os.close(handle)
            return None
        try:
            if os.path.samestat(os.fstat(handle), path.stat()):
                return handle
        except FileNotFoundError:
            pass
        os.close(handle)
