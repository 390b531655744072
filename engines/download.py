# SPDX-License-Identifier: Apache-2.0
"""Downloads one file so that a cut line costs only what was lost, and nothing is believed that the host did not publish.

Bytes gather in ``NAME.part``; ``NAME.part.json`` beside it says what they are the beginning of. Both stay after a cut line, a
time-out or Ctrl-C, to be resumed; both go when they are of no use (another content, a wrong checksum, a full disk).
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .atomic import writing_to
from .checksums import Published
from .errors import DownloadError, OutputError
from .web import Cancelled, Response, RetryPolicy, TransientWebError, host_of, open_url, raise_for_status, stop_if

_CHUNK = 1 << 18

Progress = Callable[[int, int | None], None]
"""Called with the bytes that have arrived and the bytes in all (None while unknown). Raising from it stops the download."""


@dataclass(frozen=True, slots=True)
class DownloadSettings:
    """``timeout_s`` is the longest silence of the server."""

    timeout_s: float = 30.0
    retry: RetryPolicy = field(default_factory=RetryPolicy)


class PartFile:
    """The bytes of one file that have arrived. ``target`` is where the whole file will lie."""

    def __init__(self, target: Path, published: Published) -> None:
        self.target = target
        self.path = target.with_name(target.name + ".part")
        self._notes = target.with_name(target.name + ".part.json")
        self._published = published
        self.etag: str | None = None
        self._read_notes()

    @property
    def size(self) -> int:
        """Bytes that are here."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def resumable(self) -> bool:
        """Whether more may be added: only when a tag or a checksum will tell that the content changed meanwhile."""
        return self.etag is not None or self._published.checksum is not None

    def begin(self, etag: str | None) -> None:
        """Starts the file anew, as the content with the tag ``etag`` (a weak tag says too little, and counts as none)."""
        self.etag = etag if etag and not etag.startswith("W/") else None
        with writing_to(self.target):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_bytes(b"")
            self._notes.write_text(json.dumps(self._identity() | {"etag": self.etag}), encoding="utf-8")

    def discard(self) -> None:
        """Removes everything that arrived."""
        self.etag = None
        self.path.unlink(missing_ok=True)
        self._notes.unlink(missing_ok=True)

    def finish(self) -> None:
        """Renames the whole, checked file to its target."""
        with writing_to(self.target):
            self.path.replace(self.target)
            self._notes.unlink(missing_ok=True)

    def _identity(self) -> dict[str, str | int | None]:
        checksum = self._published.checksum
        return {"url": self._published.url, "size": self._published.size, "checksum": None if checksum is None else str(checksum)}

    def _read_notes(self) -> None:
        """Keeps an earlier part only when it is the beginning of this very content."""
        try:
            notes = json.loads(self._notes.read_text(encoding="utf-8"))
            etag = notes.pop("etag")
            if notes == self._identity() and isinstance(etag, (str, type(None))) and self.path.is_file():
                self.etag = etag
                return
        except (OSError, ValueError, KeyError, AttributeError):
            pass
        with writing_to(self.target):
            self.discard()


def download(published: Published, part: PartFile, *, settings: DownloadSettings, progress: Progress, cancelled: Cancelled) -> None:
    """Fills ``part`` with the file at ``published.url`` and checks its size and checksum; :meth:`PartFile.finish` is the caller's.

    Raises :class:`DownloadError` (no such file, lines that break again and again, another size or content than published; its child
    :class:`~.errors.DownloadCancelledError` when cancelled) and :class:`OutputError` (folder not writable, disk full).
    """
    earlier = part.size
    _gather(published, part, settings, progress, cancelled)
    # Judging reads the whole file, gigabytes maybe: once for each time it was gathered.
    right = _is_right(published, part)
    if earlier and not right:
        # Perhaps the bytes of the earlier run were to blame; the host gets one chance with a clean start.
        part.discard()
        _gather(published, part, settings, progress, cancelled)
        right = _is_right(published, part)
    if not right:
        part.discard()
        raise DownloadError(
            f"What arrived from {published.url} does not have the checksum that its host publishes ({published.checksum}); "
            "it was thrown away. Try again later, or ask its owner."
        )


def _is_right(published: Published, part: PartFile) -> bool:
    return published.checksum is None or published.checksum.matches(part.path)


def _gather(published: Published, part: PartFile, settings: DownloadSettings, progress: Progress, cancelled: Cancelled) -> None:
    """Asks again and again until the file is whole; gives up after too many failures in a row without a new byte."""
    failures, most = 0, part.size
    while True:
        try:
            _attempt(published, part, settings.timeout_s, progress, cancelled)
            return
        except TransientWebError as error:
            failures = 1 if part.size > most else failures + 1
            most = max(most, part.size)
            if failures >= settings.retry.attempts:
                raise DownloadError(_gave_up(error, published, part)) from error
            settings.retry.wait(failures, error, cancelled)


def _gave_up(error: TransientWebError, published: Published, part: PartFile) -> str:
    here = part.size
    if not here:
        return f"{published.url} could not be downloaded. {error}"
    whole = f" of {published.size}" if published.size is not None else ""
    later = "what arrived is kept, and fetching again goes on from there" if part.resumable else "fetch it again later"
    return f"Only {here}{whole} bytes of {published.url} arrived; {later}. {error}"


def _attempt(published: Published, part: PartFile, timeout_s: float, progress: Progress, cancelled: Cancelled) -> None:
    """One request. Returns when the file is whole; raises :class:`TransientWebError` when asking again may help."""
    stop_if(cancelled)
    here = part.size if part.resumable else 0
    if here and published.size is not None:
        if here == published.size:
            progress(here, here)
            return
        if here > published.size:
            part.discard()
            here = 0
    headers = {"Range": f"bytes={here}-"} if here else {}
    if here and part.etag is not None:
        headers["If-Range"] = part.etag
    with open_url(published.url, headers=headers, timeout_s=timeout_s) as response:
        if response.status == 416 and here:
            if _range_total(response) == here and published.size is None:
                progress(here, here)
                return
            part.discard()
            if _range_total(response) == here:
                raise _wrong_size(published, here)
            raise TransientWebError(f"{host_of(published.url)} has nothing after byte {here}; the download starts over.")
        raise_for_status(response)
        whole = _accept(response, published, part, here)
        _receive(response, part, whole, progress, cancelled)


def _accept(response: Response, published: Published, part: PartFile, here: int) -> int | None:
    """Judges status and length; begins the part anew unless the answer goes on where it ends. Returns the size of the whole file."""
    etag = response.headers.get("ETag")
    if response.status == 206:
        whole = _range_total(response)
        # A server should not answer 206 for another content than that of If-Range, but some do. Without a tag only a checksum helps.
        same = part.etag is None or etag == part.etag or (etag is None and published.checksum is not None)
        if _range_start(response) != here or not same:
            part.discard()
            raise TransientWebError(f"{host_of(response.url)} sent another part than was asked for; the download starts over.")
    elif response.status == 200:
        length = response.headers.get("Content-Length", "")
        whole = int(length) if length.isascii() and length.isdigit() else None
    else:
        raise DownloadError(f"The host answers HTTP {response.status} for {response.url}, which is no download.")
    if published.size is not None and whole not in (None, published.size):
        part.discard()
        raise _wrong_size(published, whole)
    size = published.size if whole is None else whole
    if response.status == 200:
        part.begin(etag)
    if size is not None:
        _require_space(part, size)
    return size


def _wrong_size(published: Published, offered: int | None) -> DownloadError:
    return DownloadError(
        f"{published.url} is {published.size} bytes by what its host publishes, but {offered} bytes are offered; "
        "nothing was kept. Try again later, or ask its owner."
    )


def _receive(response: Response, part: PartFile, whole: int | None, progress: Progress, cancelled: Cancelled) -> None:
    here = part.size
    try:
        with writing_to(part.target), part.path.open("ab") as file:
            while True:
                stop_if(cancelled)
                progress(here, whole)
                # One byte more than there should be is asked for: that is how a longer file shows.
                chunk = response.read(_CHUNK if whole is None else min(_CHUNK, whole - here + 1))
                if not chunk:
                    break
                here += len(chunk)
                if whole is not None and here > whole:
                    break
                file.write(chunk)
                # Now, so that a full disk is told here and not when the file is closed.
                file.flush()
    except OutputError:
        # Of no use: on a full disk it is in the way.
        part.discard()
        raise
    if whole is not None and here > whole:
        part.discard()
        raise DownloadError(f"{response.url} sends more than the {whole} bytes that its host promises; nothing was kept.")
    if whole is not None and here < whole:
        raise TransientWebError(f"The connection to {host_of(response.url)} ended early.")


def _require_space(part: PartFile, size: int) -> None:
    """Refuses before a gigabyte is loaded what the disk cannot hold anyway."""
    free = shutil.disk_usage(part.path.parent).free
    needed = size - part.size
    if needed > free:
        part.discard()
        raise OutputError(
            f"Cannot write {part.target}: {needed} more bytes are needed and {free} are free; free some space or choose another folder."
        )


def _range_start(response: Response) -> int | None:
    found = re.match(r"bytes (\d+)-\d+/(?:\d+|\*)$", response.headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def _range_total(response: Response) -> int | None:
    """The size of the whole file, from "bytes 5-9/10" or, with 416, "bytes */10"."""
    found = re.match(r"bytes (?:\d+-\d+|\*)/(\d+)$", response.headers.get("Content-Range", ""))
    return int(found[1]) if found else None
