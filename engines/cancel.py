# SPDX-License-Identifier: Apache-2.0
"""Stopping long work from another thread: a token that is asked, and that can reach into a library that does not ask."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from .errors import CancelledError

T = TypeVar("T")

_GRACE_S = 0.2


class CancelToken:
    """One request to stop, shared by the thread that works and those that may cancel. It cannot be taken back: use a new one for each job."""

    def __init__(self) -> None:
        self._event = threading.Event()
        # Reentrant: what is called by cancel() may cancel again.
        self._lock = threading.RLock()
        self._stops: dict[object, Callable[[], None]] = {}

    def cancel(self) -> None:
        """Asks the work to stop, from any thread; calling it twice does nothing."""
        with self._lock:
            if self._event.is_set():
                return
            self._event.set()
            stops = list(self._stops.values())
            self._stops.clear()
            for stop in stops:
                stop()

    @property
    def cancelled(self) -> bool:
        """Whether :meth:`cancel` was called."""
        return self._event.is_set()

    def check(self) -> None:
        """Raises :class:`CancelledError` once :meth:`cancel` was called."""
        if self._event.is_set():
            raise CancelledError("Stopped on request.")

    @contextmanager
    def on_cancel(self, stop: Callable[[], None]) -> Iterator[None]:
        """While the block runs, :meth:`cancel` calls ``stop`` (at once, when it was called before); never after the block has ended.

        ``stop`` runs in the cancelling thread, must not raise, and must not wait for the block. Leaving the block raises nothing:
        :meth:`check` afterwards.
        """
        key = object()
        with self._lock:
            if self._event.is_set():
                stop()
            else:
                self._stops[key] = stop
        try:
            yield
        finally:
            with self._lock:  # waits for a stop that is being called
                self._stops.pop(key, None)


def call_stoppable(work: Callable[[], T], cancel: CancelToken) -> T:
    """What ``work()`` returns or raises; :class:`CancelledError` soon after ``cancel`` was called, whatever ``work`` is doing.

    ``work`` watches ``cancel`` itself, but native code looks up only now and then (ONNX Runtime between two operations, and one of a large
    model can take a second). So it runs in a thread of its own, which gets a fifth of a second to end after a cancel and is then left to end by
    itself, its result unused. Until then it goes on using what it uses. The thread is no daemon: a process that ends waits for it, for one
    torn down beneath native code crashes.
    """
    cancel.check()
    call = _Call(work)
    awake = threading.Event()
    thread = threading.Thread(target=call.run, args=(awake,), name="depthbridge-stoppable")
    thread.start()
    try:
        with cancel.on_cancel(awake.set):
            awake.wait()
    except BaseException:  # Ctrl+C while waiting: nobody is left to use the result
        cancel.cancel()
        raise
    if cancel.cancelled:
        thread.join(_GRACE_S)
    cancel.check()
    return call.result()


class _Call(Generic[T]):
    """A call in another thread, and what came of it."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work: Callable[[], T] | None = work
        self._results: list[T] = []
        self.error: BaseException | None = None

    def run(self, finished: threading.Event) -> None:
        assert self._work is not None
        try:
            self._results.append(self._work())
        except BaseException as error:
            self.error = error
        finally:
            self._work = None  # it may hold a picture, or a model
            finished.set()

    def result(self) -> T:
        if self.error is not None:
            raise self.error
        return self._results[0]
