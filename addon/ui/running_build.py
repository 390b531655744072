# SPDX-License-Identifier: GPL-3.0-or-later
"""A build that is going on in its thread, as the window sees it: how far it is, and how to stop it. Holds nothing of Blender's."""

from __future__ import annotations

import time
from collections.abc import Callable

from ...engines.cancel import CancelToken
from ..jobs.model_fetch import time_text
from ..jobs.progress import Pace, Progress, Report
from ..jobs.worker import Done, Failed, Worker
from .requests import Wanted
from .work import Outcome, work

# How long a thread may take to end when Blender quits: native code that is torn down while it runs crashes.
_LAST_WAIT_S = 1.5


class RunningBuild:
    """Starts working when it is made. :meth:`end` it once its worker is over, or to stop it."""

    def __init__(self, wanted: Wanted, pace: Pace) -> None:
        self.name = wanted.request.source.name
        self.progress: Progress | None = None
        self._wanted = wanted
        self._started = time.monotonic()
        self._stopping = False
        self._worker: Worker[Outcome] = Worker()
        self._worker.start(_job(wanted, pace))

    def poll(self) -> Done[Outcome] | Failed | None:
        """Takes in what the thread told; its end, once it has come."""
        end: Done[Outcome] | Failed | None = None
        for event in self._worker.poll():
            if isinstance(event, Progress):
                self.progress = event
            else:
                end = event
        return end

    def stop(self) -> None:
        """Ask the thread to stop; the next :meth:`poll` says that it did."""
        self._stopping = True
        self._worker.cancel()

    def end(self) -> None:
        """Stop if that is still needed, wait a moment for the thread, and remove its temporary files."""
        self._worker.cancel()
        self._worker.join(_LAST_WAIT_S)
        self._wanted.scratch.close()

    def over(self) -> None:
        """The thread has told its end, or what it still does is of no use: its temporary files can go."""
        self._wanted.scratch.close()

    @property
    def fraction(self) -> float:
        """0 to 1, for a progress bar."""
        return self.progress.fraction if self.progress is not None else 0.0

    @property
    def stage(self) -> str:
        """What is being done."""
        if self._stopping:
            return "Stopping"
        return "Starting" if self.progress is None else self.progress.stage.value

    @property
    def time(self) -> str:
        """How long it will take, or has taken while nobody can know how long it will."""
        left = None if self.progress is None else self.progress.seconds_left
        return f"{time_text(time.monotonic() - self._started)} so far" if left is None else f"{time_text(max(1.0, left))} left"


def _job(wanted: Wanted, pace: Pace) -> Callable[[Report, CancelToken], Outcome]:
    return lambda report, cancel: work(wanted, report, cancel, pace)
