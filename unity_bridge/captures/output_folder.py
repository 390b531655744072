# SPDX-License-Identifier: Apache-2.0
"""The folder a long run writes into: one run's own at a time, gone on with, never a stranger's files, and as it was when nothing was done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from ...engines.atomic import make_folder, writing_to
from ...engines.errors import OutputError
from ...engines.file_lock import exclusive
from .progress import Progress


@contextmanager
def output_folder(out: Path, command: str, run: Mapping[str, Any], files: Iterable[str], *, overwrite: bool) -> Iterator[Progress]:
    """``out``, made if need be and locked while the block lasts, and what a run of ``command`` has done in it so far.

    ``run`` describes the run (:meth:`Progress.open`), ``files`` are the names it will write; ``overwrite`` forgets an earlier run and
    replaces files that are not of this one. Raises :class:`OutputError` when ``out`` cannot be written, is in use, or holds another run or
    such a file. When the block is left by an error before one picture is done, nothing stays.
    """
    existed = out.exists()
    make_folder(out)
    try:
        with ExitStack() as stack:
            with writing_to(out):
                ours = stack.enter_context(exclusive(out / f".depthbridge-{command}"))
            if not ours:
                raise OutputError(f"Another depthbridge {command} is at work in {out}; wait for it, or choose another folder.")
            progress = stack.enter_context(Progress.open(out, run, fresh=overwrite))
            try:
                if not overwrite:
                    refuse_taken((out / name for name in files), progress)
                yield progress
            except BaseException:
                if not len(progress):
                    progress.remove()
                raise
    except BaseException:
        if not existed:
            with suppress(OSError):
                out.rmdir()
        raise


def refuse_taken(paths: Iterable[Path], progress: Progress) -> None:
    """Raises :class:`OutputError` for a file that this run did not write as it is now."""
    for path in paths:
        if path.exists() and not progress.wrote(path):
            raise OutputError(
                f"Cannot write {path}: it exists already, and this run did not write it as it is now; choose another folder or add --force."
            )


def refuse_inside(out: Path, source: Path, what: str) -> None:
    """Raises :class:`OutputError` when ``out`` is ``source`` or lies in it, whatever links or letter case its name is given by.

    ``what`` the source is ("capture") stands in the sentence.
    """
    place = out.resolve()
    for folder in (place, *place.parents):
        if folder.exists() and source.is_dir() and folder.samefile(source):
            raise OutputError(f"The output folder {out} lies in the {what} {source}, which stays as it is; give another.")
