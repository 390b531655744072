# SPDX-License-Identifier: Apache-2.0
"""Three threads in a row, each with a stage of its own: while one frame is in the model, the next goes up and the one before comes down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")
U = TypeVar("U")


class Lanes(Generic[T]):
    """Jobs of several stages, each stage in its one thread, so that jobs keep their order and a library that remembers its threads (CUDA
    graphs are captured for one) always meets the same."""

    def __init__(self, names: Sequence[str]) -> None:
        self._threads = [ThreadPoolExecutor(1, f"depthbridge-{name}") for name in names]

    def submit(self, stages: Sequence[Callable[[], object]], last: Callable[[], T], done: Callable[[], None]) -> Future[T]:
        """Starts a job: ``stages`` and then ``last``, whose result is the job's. What one raises is the job's, and skips the rest. ``done`` is
        called at the end, whichever it is, before anybody learns of the result."""
        answer: Future[T] = Future()
        answer.set_running_or_notify_cancel()

        def run(place: int) -> None:
            try:
                if place < len(stages):
                    stages[place]()
                    self._threads[place + 1].submit(run, place + 1)
                    return
                result = last()
            except BaseException as error:
                done()
                answer.set_exception(error)
            else:
                done()
                answer.set_result(result)

        self._threads[0].submit(run, 0)
        return answer

    def call(self, stage: int, work: Callable[[], U]) -> U:
        """What ``work`` gives in the thread of that stage, after the jobs that wait for it."""
        return self._threads[stage].submit(work).result()

    def close(self) -> None:
        """Lets what was started end, and waits for it."""
        for thread in self._threads:
            thread.shutdown(wait=True)
