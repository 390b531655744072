# SPDX-License-Identifier: Apache-2.0
"""Fetches a catalogued model: asks the host what it publishes, downloads, checks, and pins the content in the model's folder.

Two steps, so that a user can be asked between them: :func:`plan_fetch` learns sizes and checksums and refuses a content that changed
since it was pinned; :func:`fetch` downloads. Files appear under their names only when all of them are whole and right.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .checksums import GitHubHost, Published, ask_host
from .download import DownloadSettings, PartFile, Progress, download
from .errors import DownloadError, ModelError
from .file_hash import hash_file
from .file_lock import working_in
from .model_lock import ModelLock, Pin, now_utc, read_lock, write_lock
from .model_paths import check_model_id, inside
from .model_spec import ModelFile, ModelSpec
from .onnx_graph import external_data_files
from .web import Cancelled


@dataclass(frozen=True, slots=True)
class FetchSettings:
    """Where GitHub is, and how patient downloads are."""

    download: DownloadSettings = field(default_factory=DownloadSettings)
    github: GitHubHost = field(default_factory=GitHubHost)


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """One file, what its host says of it, its earlier pin, and whether it lies here as it should."""

    file: ModelFile
    published: Published
    pin: Pin | None
    present: bool


@dataclass(frozen=True, slots=True)
class FetchPlan:
    """What :func:`fetch` will do. The graph comes first: it may name further files of weights that only it knows."""

    spec: ModelSpec
    folder: Path
    files: tuple[PlannedFile, ...]
    accept_change: bool
    settings: FetchSettings = field(repr=False)

    @property
    def missing(self) -> tuple[PlannedFile, ...]:
        """The files to download."""
        return tuple(planned for planned in self.files if not planned.present)

    @property
    def bytes_to_download(self) -> int | None:
        """Bytes of :attr:`missing`; None when a host does not tell."""
        sizes = [planned.published.size for planned in self.missing]
        return None if None in sizes else sum(size for size in sizes if size is not None)


@dataclass(frozen=True, slots=True)
class Fetched:
    """An installed model. ``notes`` are sentences for the user, such as a checksum that nobody published."""

    path: Path
    lock: ModelLock
    notes: tuple[str, ...]


def plan_fetch(spec: ModelSpec, models_dir: Path, *, accept_change: bool = False, settings: FetchSettings | None = None) -> FetchPlan:
    """Asks the hosts of the model's files for size and checksum, and compares with what is pinned and present in ``models_dir``.

    Raises :class:`ModelError` for a model that is embedded or not published as ONNX, :class:`DownloadError` when a host cannot be
    asked or offers another content than the one pinned, unless ``accept_change``.
    """
    settings = settings or FetchSettings()
    if spec.embedded:
        raise ModelError(f"{spec.id} comes with Depthbridge; there is nothing to fetch.")
    if not spec.files:
        raise ModelError(f"{spec.id} cannot be fetched. {spec.how_to_get}")
    folder = models_dir / check_model_id(spec.id)
    lock = read_lock(folder)
    if lock is not None and not lock.pins[0].url:
        raise ModelError(f"{spec.id} is installed from a file of your own; remove {folder} to fetch the published one.")
    files = _with_pinned_weights(spec.files, lock)
    planned = tuple(_plan_file(spec, folder, file, lock, accept_change, settings) for file in files)
    return FetchPlan(spec, folder, planned, accept_change, settings)


def fetch(plan: FetchPlan, *, progress: Progress = lambda done, total: None, cancelled: Cancelled = lambda: False) -> Fetched:
    """Downloads what ``plan`` misses and installs it.

    ``progress`` is called with bytes done and bytes in all (None while unknown), over all files; ``cancelled`` is asked often. Raises
    :class:`DownloadError` (see :func:`~.download.download`; also when a content differs from its pin), :class:`ModelError` when another
    program fetches the same model, and :class:`~.errors.OutputError`. A model that was installed before stays as it was until all
    downloads are right.
    """
    with working_in(plan.folder, plan.spec.id):
        run = _Run(plan, progress, cancelled)
        for planned in plan.files:
            run.add(planned)
        for file in _further_weights(plan, run.graph_path):
            run.add(_plan_file(plan.spec, plan.folder, file, read_lock(plan.folder), plan.accept_change, plan.settings))
        return run.install()


class _Run:
    """Gathers the files of one fetch, and puts them into place together."""

    def __init__(self, plan: FetchPlan, progress: Progress, cancelled: Cancelled) -> None:
        self._plan = plan
        self._progress = progress
        self._cancelled = cancelled
        self._total = plan.bytes_to_download
        self._done = 0
        self._parts: list[PartFile] = []
        self._pins: list[Pin] = []
        self._notes: list[str] = []
        self.graph_path = inside(plan.folder, plan.files[0].file.path, plan.spec.id)

    def add(self, planned: PlannedFile) -> None:
        """Downloads one file, unless it is here, and checks it against its pin."""
        target = inside(self._plan.folder, planned.file.path, self._plan.spec.id)
        if planned.present:
            self._pins.append(planned.pin or _new_pin(planned, target))
            return
        is_first = not self._pins
        if planned not in self._plan.files and self._total is not None:
            size = planned.published.size
            self._total = None if size is None else self._total + size
        part = PartFile(target, planned.published)
        settings = self._plan.settings.download
        download(planned.published, part, settings=settings, progress=self._report, cancelled=self._cancelled)
        self._done += part.size
        if is_first:
            self._require_onnx(planned, part)
            self.graph_path = part.path
        pin = _new_pin(planned, part.path)
        if planned.pin is not None and planned.pin.sha256 != pin.sha256 and not self._plan.accept_change:
            part.discard()
            raise _changed(self._plan.spec, planned.pin, f"its sha256 was {planned.pin.sha256} and is {pin.sha256} now")
        if pin.trusted_on_first_use:
            self._notes.append(f"{planned.published.note} {planned.file.path} is trusted as it arrived first, and pinned.")
        self._parts.append(part)
        self._pins.append(pin)

    def _require_onnx(self, planned: PlannedFile, part: PartFile) -> None:
        """A host may answer with a page of text, and a graph may name files of weights outside its folder."""
        try:
            names = external_data_files(part.path)
        except ModelError as error:
            part.discard()
            raise DownloadError(f"What {planned.file.url} delivers is not an ONNX model; it was thrown away.") from error
        try:
            for name in names:
                inside(self._plan.folder, name, f"The graph at {planned.file.url}")
        except ModelError:
            part.discard()
            raise

    def install(self) -> Fetched:
        """Renames what arrived into place and writes the pins."""
        for part in self._parts:
            part.finish()
        lock = ModelLock(self._plan.spec.id, tuple(self._pins))
        write_lock(self._plan.folder, lock)
        return Fetched(inside(self._plan.folder, self._pins[0].path, self._plan.spec.id), lock, tuple(self._notes))

    def _report(self, done: int, _: int | None) -> None:
        self._progress(self._done + done, self._total)


def _plan_file(
    spec: ModelSpec, folder: Path, file: ModelFile, lock: ModelLock | None, accept_change: bool, settings: FetchSettings
) -> PlannedFile:  # fmt: skip
    published = ask_host(file.url, timeout_s=settings.download.timeout_s, retry=settings.download.retry, github=settings.github)
    pin = lock.pin(file.path) if lock is not None else None
    path = inside(folder, file.path, spec.id)
    difference = None if pin is None else _difference(pin, published)
    if pin is not None and difference is not None and not accept_change:
        raise _changed(spec, pin, difference)
    if not path.exists():
        return PlannedFile(file, published, pin, present=False)
    if pin is not None:
        # Without a published checksum only a new download can tell whether the content changed; accepting a change asks for that.
        stale = difference is not None or (accept_change and published.checksum is None)
        return PlannedFile(file, published, pin, present=not stale and hash_file(path) == pin.sha256)
    if published.checksum is None or not published.checksum.matches(path):
        raise ModelError(
            f"{path} is in the way: it did not come from fetch, and is not the published file. "
            f"Move it elsewhere, or use it with `depthbridge models add {path}`."
        )
    return PlannedFile(file, published, None, present=True)


def _difference(pin: Pin, published: Published) -> str | None:
    """How what the host publishes now differs from what was pinned; None when it does not, or when that cannot be told yet."""
    if published.checksum is not None:
        before = f"sha256:{pin.sha256}" if published.checksum.algorithm == "sha256" else pin.host_checksum
        if before is not None and before.partition(":")[0] == published.checksum.algorithm and before != str(published.checksum):
            return f"its checksum was {before} and is {published.checksum} now"
    if published.size is not None and published.size != pin.size:
        return f"it had {pin.size} bytes and has {published.size} now"
    return None


def _changed(spec: ModelSpec, pin: Pin, difference: str) -> DownloadError:
    return DownloadError(
        f"{pin.path} of {spec.id} is no longer what was pinned on {pin.fetched}: {difference}. It is refused; "
        f"if you know why it changed, `depthbridge models fetch {spec.id} --accept-change` takes it."
    )


def _new_pin(planned: PlannedFile, path: Path) -> Pin:
    """The pin of a file that has just been found to have its published checksum, where there is one."""
    checksum = planned.published.checksum
    known = checksum.hexdigest if checksum is not None and checksum.algorithm == "sha256" else None
    return Pin(
        path=planned.file.path,
        url=planned.file.url,
        sha256=known or hash_file(path),
        size=path.stat().st_size,
        host_checksum=None if checksum is None else str(checksum),
        checksum_source="none published; trusted on first use" if checksum is None else checksum.source,
        revision=planned.published.revision,
        fetched=now_utc(),
    )


def _with_pinned_weights(files: tuple[ModelFile, ...], lock: ModelLock | None) -> tuple[ModelFile, ...]:
    """The catalogue's files, and those that an earlier fetch found named in the graph."""
    known = {file.path for file in files}
    more = [ModelFile(pin.path, pin.url) for pin in (lock.pins if lock is not None else ()) if pin.path not in known]
    return (*files, *more)


def _further_weights(plan: FetchPlan, graph: Path) -> Iterator[ModelFile]:
    """Files of weights that the graph names and the plan does not know: beside the graph, on disk as at the host."""
    first = plan.files[0].file
    known = {planned.file.path for planned in plan.files}
    prefix = first.path.rpartition("/")[0]
    for name in external_data_files(graph):
        path = f"{prefix}/{name}" if prefix else name
        if path not in known:
            yield ModelFile(path, urllib.parse.urljoin(first.url, urllib.parse.quote(name)))
