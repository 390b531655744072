# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetching a model from inside Blender, without Blender: what is said of its licence, and how far it has come. Imports no bpy."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from ...engines.catalog import load_catalog
from ...engines.errors import DownloadCancelledError
from ...engines.fetch import Fetched, fetch, plan_fetch
from ...engines.model_spec import ModelSpec

FREE_LICENCES = ("Apache-2.0", "CC0-1.0", "MIT")
"""Those that allow every use, commercial ones included; weights under any other are fetched only once somebody agreed."""

# Below this nothing can be said of the speed.
_SPEED_AFTER_S = 1.0


@dataclass(slots=True)
class FetchState:
    """How far one download is. Written by the thread that fetches, read by the window; bytes."""

    model_id: str
    done: int = 0
    total: int | None = None
    _began_s: float = 0.0
    _began_at: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def report(self, done: int, total: int | None) -> None:
        """Takes what :func:`~...engines.fetch.fetch` tells; an earlier, resumed part does not count for the speed."""
        if not self._began_s:
            self._began_s, self._began_at = time.monotonic(), done
        self.done, self.total = done, total

    def stop(self) -> None:
        """Ends the download soon; any thread, more than once."""
        self._stop.set()

    @property
    def stopped(self) -> bool:
        return self._stop.is_set()

    @property
    def fraction(self) -> float:
        """0 to 1; 0 while the size is unknown."""
        return min(1.0, self.done / self.total) if self.total else 0.0

    @property
    def seconds_left(self) -> float | None:
        """By the mean speed so far; None while that or the size is unknown."""
        elapsed = time.monotonic() - self._began_s
        if not self._began_s or self.total is None or elapsed < _SPEED_AFTER_S or self.done <= self._began_at:
            return None
        return (self.total - self.done) * elapsed / (self.done - self._began_at)

    @property
    def text(self) -> str:
        """One line for a progress bar: percent, bytes, time left."""
        if self.stopped:
            return "Stopping"
        if not self._began_s:
            return "Asking the host"
        if not self.total:
            return size_text(self.done)
        if self.done >= self.total:
            return f"Checking {size_text(self.total)}"
        left = self.seconds_left
        return f"{self.fraction:.0%} of {size_text(self.total)}" + ("" if left is None else f", {time_text(left)} left")


def fetch_model(state: FetchState, models_dir: Path, *, accept_change: bool = False) -> Fetched:
    """Downloads the catalogued model ``state.model_id`` into ``models_dir``; in any thread, until ``state.stop()``.

    Raises :class:`~..engines.errors.DepthbridgeError`; :class:`~..engines.errors.DownloadCancelledError` when stopped. What had arrived
    then is kept aside to be resumed, and no model is there that was not there before.
    """
    plan = plan_fetch(load_catalog().get(state.model_id), models_dir, accept_change=accept_change)
    if state.stopped:
        raise DownloadCancelledError("The download was stopped before it began.")
    state.total = plan.bytes_to_download
    return fetch(plan, progress=state.report, cancelled=lambda: state.stopped)


def needs_agreement(spec: ModelSpec) -> bool:
    """Whether somebody has to read the licence of the weights first: it limits what may be done with them, or is unclear."""
    return spec.licence not in FREE_LICENCES


def licence_text(spec: ModelSpec) -> str:
    """The licence in a few words, marked when it excludes commercial use."""
    return f"{spec.licence} (non-commercial)" if "-NC" in spec.licence else spec.licence


def download_text(spec: ModelSpec) -> str:
    """The size of the download as published, for a label; the host is asked for the true one later."""
    sizes = [file.about_bytes for file in spec.files if file.about_bytes is not None]
    return f"about {size_text(sum(sizes))}" if sizes else "size unknown"


def size_text(count: int) -> str:
    """Bytes, as people read them: powers of ten."""
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count} bytes"


def time_text(seconds: float) -> str:
    """Seconds, as people read them."""
    whole = round(seconds)
    return f"{whole} s" if whole < 90 else f"{round(seconds / 60)} min" if whole < 5400 else f"{seconds / 3600:.1f} h"
