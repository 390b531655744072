# SPDX-License-Identifier: GPL-3.0-or-later
"""A console that shows what we say and not what Blender mutters. Imports no bpy, whose import prints already."""

from __future__ import annotations

import ctypes
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path


@contextmanager
def quiet_console() -> Iterator[None]:
    """Keep what Blender itself prints (a line per render step, "Info: Saved ...", notes on missing GPUs) off the console.

    Part of it goes past Python to the file descriptors and part through ``sys.stdout`` and ``sys.stderr``, so all are redirected for the
    block. When the block fails, what was held back becomes a note of the exception: a traceback shows it, a one-line message does not.
    """
    _flush()
    reports = io.StringIO()
    with tempfile.TemporaryFile() as held:
        saved = [(fd, os.dup(fd)) for fd in (1, 2)]
        try:
            for fd, _ in saved:
                os.dup2(held.fileno(), fd)
            with redirect_stdout(reports), redirect_stderr(reports):
                yield
        except BaseException as error:
            held.seek(0)
            error.add_note(reports.getvalue() + held.read().decode(errors="replace"))
            raise
        finally:
            _restore(saved)


def drop_pending() -> None:
    """Forget what Blender's C code has printed to stdout and C has not written yet, such as its greeting: lines of ours are to come alone."""
    sys.stdout.flush()
    with Path(os.devnull).open("wb") as nowhere:
        saved = [(1, os.dup(1))]
        os.dup2(nowhere.fileno(), 1)
        _restore(saved)


def _restore(saved: list[tuple[int, int]]) -> None:
    _flush()
    for fd, copy in saved:
        os.dup2(copy, fd)
        os.close(copy)


def _flush() -> None:
    """Empty the buffers of Python and of C: what Blender's C code prints into a pipe would come out long after the block otherwise."""
    sys.stdout.flush()
    sys.stderr.flush()
    with suppress(OSError, AttributeError):  # a platform whose C library has another name prints as it always did
        ctypes.CDLL("ucrtbase" if os.name == "nt" else None).fflush(None)
