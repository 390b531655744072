# SPDX-License-Identifier: Apache-2.0
"""Accepted requests: who waits for the answer, which wait, which are in work, and what became of them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...engines.cancel import CancelToken
from ..framing import ErrorCode, pack_header, pack_prefix
from .headers import RequestError
from .payloads import InferRequest

OK = "ok"

CANCELLED = RequestError(ErrorCode.CANCELLED, "The request was cancelled by its client.", retryable=True)


@dataclass(frozen=True, slots=True)
class ReplyTo:
    """Where an answer goes: the frames before the prefix (routing id, a REQ client's empty one), the kind and the id to mirror."""

    route: tuple[bytes, ...]
    kind: int
    request_id: bytes

    def frames(self, header: bytes, payloads: Sequence[Any] = ()) -> list[Any]:
        """All frames of the answer. ``payloads`` are not copied."""
        return [*self.route, pack_prefix(self.kind), self.request_id, header, *payloads]


@dataclass(slots=True, eq=False)
class Job:
    """One accepted infer request. ``received_at`` is :func:`time.monotonic`; ``stage_ms`` are the stages it has been through, without the
    waiting; ``batch``: how many frames shared its inference, once it had one."""

    reply_to: ReplyTo
    request: InferRequest
    received_at: float
    cancel: CancelToken = field(default_factory=CancelToken)
    stage_ms: dict[str, float] = field(default_factory=dict)
    batch: int | None = None

    def is_of(self, client: bytes, request_id: bytes | None) -> bool:
        """Whether it is the client's request of that id; None: of any."""
        return self.reply_to.route[0] == client and request_id in (None, self.reply_to.request_id)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of its picture."""
        return self.request.image.payload.width, self.request.image.payload.height

    @property
    def expires_at(self) -> float | None:
        """When work on it must have begun."""
        return None if self.request.deadline_s is None else self.received_at + self.request.deadline_s

    def alike(self, other: Job) -> bool:
        """Whether both may share an inference."""
        return self.size == other.size and (self.request.camera is None) == (other.request.camera is None)

    def timing_ms(self) -> dict[str, float]:
        """The stages reached, ``queue`` being what is left of the whole time since the request came, and ``total``."""
        total = (time.monotonic() - self.received_at) * 1e3
        timing = {"queue": max(total - sum(self.stage_ms.values()), 0.0), **self.stage_ms, "total": total}
        return {name: round(value, 3) for name, value in timing.items()}

    def check_deadline(self) -> None:
        """Raise :class:`RequestError` ``deadline_exceeded`` when it has waited too long."""
        now = time.monotonic()
        if self.expires_at is not None and now > self.expires_at:
            raise RequestError(
                ErrorCode.DEADLINE_EXCEEDED,
                f"The request waited {(now - self.received_at) * 1000:.0f} ms and its deadline was "
                f"{(self.expires_at - self.received_at) * 1000:.0f} ms; send fewer at once, or give a later deadline.",
                retryable=True,
            )


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a job came to: the frames to send, its status (``ok`` or the error's code), and what its stages took."""

    frames: list[Any]
    status: str
    timing_ms: dict[str, float]
    batch: int | None

    @classmethod
    def refusing(cls, job: Job, error: RequestError) -> Answer:
        """An error reply, with the times of the stages that were reached."""
        timing = job.timing_ms()
        extra: dict[str, Any] = {"timing_ms": timing}
        if job.batch is not None:
            extra["batch"] = job.batch
        return cls(job.reply_to.frames(error_header(error, **extra)), str(error.code), timing, job.batch)


def error_header(error: RequestError, **extra: Any) -> bytes:
    """The header of an error reply."""
    body = {"code": str(error.code), "message": error.message, "retryable": error.retryable}
    return pack_header({"status": "error", "error": body, **extra})


class JobQueue:
    """Jobs that wait, and those in work. The I/O thread fills and thins it, the worker empties it.

    ``batch_delay_s``: how long the worker waits for frames that may share an inference with the first one; 0: each goes alone.
    """

    def __init__(self, batch_max: int = 1, batch_delay_s: float = 0.0) -> None:
        self._batch_max = batch_max
        self._batch_delay_s = batch_delay_s
        self._changed = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._running: list[Job] = []
        self._token = CancelToken()
        self._closed = False

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def submit(self, job: Job) -> None:
        """Queue a job. The caller bounds how many there are."""
        with self._changed:
            self._waiting.append(job)
            self._changed.notify()

    def next_batch(self, limit_of: Callable[[Job], int]) -> list[Job]:
        """The next jobs to work on together, as many as ``limit_of(first)`` allows; waits for them. Empty once the queue is closed and empty."""
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            if not self._waiting:
                return []
            first = self._waiting.popleft()
            self._running, self._token = [first], first.cancel
            limit = min(self._batch_max, limit_of(first)) if self._batch_delay_s > 0 else 1
            until = self._collect_until(first)
            while True:
                self._take_alike(first, limit)
                left = until - time.monotonic()
                if len(self._running) >= limit or self._closed or left <= 0:
                    break
                self._changed.wait(left)
            if len(self._running) > 1:
                self._token = CancelToken()
            return list(self._running)

    def _collect_until(self, first: Job) -> float:
        now = time.monotonic()
        # Half of its time at most: with all of it gone its deadline would be, for company that nobody promised.
        left = self._batch_delay_s if first.expires_at is None else min(self._batch_delay_s, (first.expires_at - now) / 2)
        return now + left

    def _take_alike(self, first: Job, limit: int) -> None:
        kept: deque[Job] = deque()
        for job in self._waiting:
            (self._running if len(self._running) < limit and job.alike(first) else kept).append(job)
        self._waiting = kept

    @property
    def token(self) -> CancelToken:
        """Cancelled when all of the jobs in work are."""
        return self._token

    def done(self, job: Job) -> None:
        """Before its answer leaves: what has been answered cannot be cancelled."""
        with self._changed:
            self._running.remove(job)
            self._stop_if_nobody_waits()

    def cancel(self, client: bytes, request_id: bytes | None) -> tuple[list[Job], int]:
        """Take back what a client asked for, one request or (None) all: the jobs that were waiting, which the caller answers, and how many in
        work were told to stop, which answer themselves."""
        with self._changed:
            dropped = [job for job in self._waiting if job.is_of(client, request_id)]
            self._waiting = deque(job for job in self._waiting if job not in dropped)
            told = [job for job in self._running if job.is_of(client, request_id)]
            for job in told:
                job.cancel.cancel()
            self._stop_if_nobody_waits()
        return dropped, len(told)

    def _stop_if_nobody_waits(self) -> None:
        if self._running and all(job.cancel.cancelled for job in self._running):
            self._token.cancel()

    def expired(self) -> list[Job]:
        """Take out the jobs that waited beyond their deadline; the caller answers them."""
        now = time.monotonic()
        with self._changed:
            late = [job for job in self._waiting if job.expires_at is not None and now > job.expires_at]
            if late:
                self._waiting = deque(job for job in self._waiting if job not in late)
        return late

    def next_expiry(self) -> float | None:
        """When the next waiting job expires (:func:`time.monotonic`); None when none does."""
        with self._changed:
            return min((job.expires_at for job in self._waiting if job.expires_at is not None), default=None)

    def close(self, *, abandon: bool) -> None:
        """No more jobs come. ``abandon``: drop those that wait, and stop those in work."""
        with self._changed:
            self._closed = True
            if abandon:
                self._waiting.clear()
                for job in self._running:
                    job.cancel.cancel()
                self._token.cancel()
            self._changed.notify_all()
