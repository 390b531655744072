# SPDX-License-Identifier: GPL-3.0-or-later
"""A job in a thread of its own, and a queue that the main thread empties when it has time. Imports no bpy."""

from __future__ import annotations

import queue
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ...engines.cancel import CancelToken
from ...engines.errors import CancelledError, DepthbridgeError
from .progress import Progress, Report

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Done(Generic[T]):
    """The job ended well."""

    result: T


@dataclass(frozen=True, slots=True, eq=False)
class Failed:
    """The job ended otherwise. ``error``: one sentence for the user, a :class:`CancelledError` when it was stopped on request.
    ``trace``: for the console, when the failure is ours and no sentence was prepared for it."""

    error: DepthbridgeError
    trace: str | None = None

    @property
    def cancelled(self) -> bool:
        return isinstance(self.error, CancelledError)


class Worker(Generic[T]):
    """Runs one job. Its owner calls :meth:`poll` until that brings a :class:`Done` or a :class:`Failed`, which is the last event.

    :meth:`cancel` answers at once. Work that cannot be interrupted (a library that reads a large file) is left to itself then: it holds
    nothing but its own data, and what comes of it is dropped.
    """

    def __init__(self) -> None:
        self._events: queue.SimpleQueue[Progress | Done[T] | Failed] = queue.SimpleQueue()
        self._token = CancelToken()
        self._thread: threading.Thread | None = None
        self._over = False

    def start(self, job: Callable[[Report, CancelToken], T]) -> None:
        """Run ``job(report, cancel)`` in a thread. A worker runs one job: a second start is a mistake of the caller's."""
        if self._thread is not None:
            raise RuntimeError("this worker has had its job; make another")
        # A daemon: should nobody cancel it, a program that quits does not wait for it.
        self._thread = threading.Thread(target=self._run, args=(job,), name="depthbridge-job", daemon=True)
        self._thread.start()

    def poll(self) -> list[Progress | Done[T] | Failed]:
        """What has happened since the last call, oldest first; of several progresses the last. Never waits. Nothing follows the end."""
        if self._over:
            return []
        if self._token.cancelled:
            self._over = True
            return [Failed(CancelledError("Stopped on request."))]
        events: list[Progress | Done[T] | Failed] = []
        while True:
            try:
                event = self._events.get_nowait()
            except queue.Empty:
                return events
            if isinstance(event, Progress) and events and isinstance(events[-1], Progress):
                events[-1] = event
            else:
                events.append(event)
            if not isinstance(event, Progress):
                self._over = True
                return events

    def cancel(self) -> None:
        """Stop, from any thread: the next :meth:`poll` says so, and a result that came meanwhile is dropped. Twice does nothing."""
        self._token.cancel()

    @property
    def alive(self) -> bool:
        """Whether the thread still runs; for a while after :meth:`cancel` it may."""
        return self._thread is not None and self._thread.is_alive()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread to end; whether it did."""
        if self._thread is not None:
            self._thread.join(timeout_s)
        return not self.alive

    def _run(self, job: Callable[[Report, CancelToken], T]) -> None:
        try:
            self._events.put(Done(job(self._events.put, self._token)))
        except DepthbridgeError as error:
            self._events.put(Failed(error))
        except BaseException as error:
            # Whatever it was, somebody is waiting for an answer.
            self._events.put(Failed(unexpected(error), traceback.format_exc()))


def unexpected(error: BaseException) -> DepthbridgeError:
    """One sentence about a failure that nobody foresaw."""
    if isinstance(error, MemoryError):
        return DepthbridgeError("The memory is full; take a smaller picture, a larger stride, or close other programs.")
    told = " ".join(str(error).split()) or "no message"
    return DepthbridgeError(
        f"Depthbridge failed in a way it should not ({type(error).__name__}: {told}); please report it to its makers, with the lines that "
        "the console shows."
    )
