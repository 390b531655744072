# SPDX-License-Identifier: Apache-2.0
"""The thread that owns the ROUTER socket: it answers at once what it can, queues the frames, and sends off what the worker has finished."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from typing import Any

import zmq

from ...engines.estimator import Estimator
from ..framing import PROTOCOL_VERSION, ErrorCode, Kind, pack_header
from . import about
from .access import Access
from .counters import Statistics
from .doorkeeper import Doorkeeper
from .headers import PlainHeader, RequestError, TokenHeader, parse_header
from .jobs import CANCELLED, OK, Answer, Job, JobQueue, ReplyTo, error_header
from .messages import Message, receive
from .payloads import ServerLimits, parse_infer
from .seldom import SeldomLog
from .unread import UnreadAnswers
from .worker import DRAIN, STOP, WAKE, InferWorker

_log = logging.getLogger(__name__)

# How long a drain lets the last answers leave: a map has tens of megabytes, and its client's line may be slow.
_LET_OUT_S = 10.0
# And then stays connected: libzmq's client, which is told of the end together with the last bytes, throws away what it has not yet read.
_REST_S = 0.25
_LOOK_MS = 20
# Linger is 0 everywhere but at the end of a drain.
_DRAIN_LINGER_MS = 300
# How long a stop waits for the inference that runs: most end within this, and then nothing is left behind.
_ABANDON_S = 2.0
# A client may give a deadline in a million years, which no poll can wait for.
_LONGEST_POLL_S = 60.0


class Desk:
    """``run`` is the body of the thread, and owns the sockets from then on; other threads only read the numbers."""

    def __init__(
        self,
        engine: Estimator,
        limits: ServerLimits,
        access: Access,
        queue: JobQueue,
        statistics: Statistics,
        *,
        max_in_flight: int,
        batch_max: int,
    ) -> None:
        self.in_flight = 0
        self.worker_ended = True
        self._engine = engine
        self._limits = limits
        self._access = access
        self._queue = queue
        self._statistics = statistics
        self._counters = statistics.counters
        self._max_in_flight = max_in_flight
        self._batch_max = batch_max
        self._draining = False
        self._sent_at = self._left_at = -math.inf
        self._started_at = time.monotonic()
        self._unread = UnreadAnswers()
        self._log = SeldomLog(_log)

    def run(self, router: zmq.Socket[bytes], inbox: zmq.Socket[bytes], worker: InferWorker, doorkeeper: Doorkeeper) -> None:
        poller = zmq.Poller()
        poller.register(router, zmq.POLLIN)
        poller.register(inbox, zmq.POLLIN)
        doorkeeper.register(poller)
        stopping = False
        try:
            while not stopping and not self._drained():
                ready = dict(poller.poll(self._until_next_expiry_ms()))
                # Finished work first: it frees a place that a waiting request may take.
                if inbox in ready:
                    stopping = self._on_inbox(router, inbox.recv(), worker)
                for job in self._queue.expired():
                    self._refuse_expired(router, job)
                doorkeeper.attend(ready)
                if router in ready:
                    self._on_request(router)
        finally:
            doorkeeper.close()
            router.close(linger=_DRAIN_LINGER_MS if self._draining else 0)
            inbox.close(linger=0)
            self.worker_ended = worker.stop(abandon=True, timeout_s=_ABANDON_S)

    # ---- what has been worked on ---------------------------------------------------------------------------------

    def _on_inbox(self, router: zmq.Socket[bytes], word: bytes, worker: InferWorker) -> bool:
        """True when serving must end now."""
        if word == WAKE:
            self._finish(router, worker.answers.popleft())
        elif word == DRAIN:
            self._draining = True
            self._queue.close(abandon=False)  # no batch waits for more
        return word == STOP

    def _finish(self, router: zmq.Socket[bytes], answer: Answer) -> None:
        self.in_flight -= 1
        if answer.status not in (OK, ErrorCode.CANCELLED):
            self._counters.errors += 1
        self._counters.expired += answer.status == ErrorCode.DEADLINE_EXCEEDED
        # Before it is sent: who has the answer may ask for these numbers.
        self._statistics.frame(answer.timing_ms, answer.batch)
        self._statistics.request(Kind.INFER, answer.status)
        # Maps are handed over, not copied: nobody changes them, and they are freed once they have left.
        self._send(router, self._unread.follow(answer.frames), copy=False)
        self._sent_at = self._left_at = time.monotonic()

    def _drained(self) -> bool:
        """Whether nothing is in work, and what was answered has had its time to arrive."""
        if not self._draining or self.in_flight:
            return False
        now = time.monotonic()
        if self._unread.any() and now < self._sent_at + _LET_OUT_S:
            self._left_at = now
        return now >= self._left_at + _REST_S

    def _until_next_expiry_ms(self) -> int | None:
        if self._draining and not self.in_flight:
            return _LOOK_MS
        expiry = self._queue.next_expiry()
        if expiry is None:
            return None
        return max(0, math.ceil(min(expiry - time.monotonic(), _LONGEST_POLL_S) * 1000))

    def _refuse_expired(self, router: zmq.Socket[bytes], job: Job) -> None:
        try:
            job.check_deadline()
        except RequestError as error:
            self._finish(router, Answer.refusing(job, error))

    # ---- what comes in -------------------------------------------------------------------------------------------

    def _on_request(self, router: zmq.Socket[bytes]) -> None:
        message = receive(router, self._limits)
        self._counters.received += 1
        try:
            self._dispatch(router, message)
        except Exception as error:  # whatever bytes arrive, the server stays
            self._counters.garbage += 1
            self._log.say("dropped", "A message was dropped.", level=logging.ERROR, error=error)

    def _dispatch(self, router: zmq.Socket[bytes], message: Message) -> None:
        prefix = message.prefix
        reply_to = None if prefix is None else message.reply_to(prefix.kind)
        if prefix is None or reply_to is None:
            self._counters.garbage += 1  # nothing says that this was meant for us: no answer
            return
        try:
            message.check_envelope(prefix, self._limits)
            self._check_token(message.parts[2])
            if prefix.kind == Kind.INFER:
                self._accept(reply_to, message.parts)
                return
            parse_header(message.parts[2].bytes, PlainHeader)
            header, status = pack_header(self._answer(router, reply_to)), OK
        except RequestError as error:
            self._counters.errors += 1
            header, status = error_header(error), str(error.code)
        self._statistics.request(prefix.kind, status)
        self._send(router, reply_to.frames(header))

    def _check_token(self, header: zmq.Frame) -> None:
        if self._access.token is None or self._access.admits(parse_header(header.bytes, TokenHeader).token):
            return
        self._counters.unauthorized += 1
        self._log.say("unauthorized", "A request without the right token was refused.")
        raise RequestError(
            ErrorCode.UNAUTHORIZED, "This server asks for a token, and the request has none, or another; send the one it was started with."
        )

    def _accept(self, reply_to: ReplyTo, parts: list[zmq.Frame]) -> None:
        if self._draining:
            raise RequestError(ErrorCode.NOT_READY, "The server is shutting down; ask again when it is back.", retryable=True)
        request = parse_infer(parts[2].bytes, [part.buffer for part in parts[3:]], self._engine.model_id, self._limits)
        if self.in_flight >= self._max_in_flight:
            self._counters.overloaded += 1
            raise RequestError(
                ErrorCode.OVERLOADED,
                f"The server has {self.in_flight} requests in work, which is its limit; wait for an answer before sending the next.",
                retryable=True,
            )
        unread = self._unread.bytes_of(reply_to.route[0])
        if unread > self._limits.max_answer_bytes:
            self._counters.overloaded += 1
            raise RequestError(
                ErrorCode.OVERLOADED,
                f"This client has not read {unread} bytes of answers yet, and the limit is {self._limits.max_answer_bytes}; read them before "
                "sending the next request.",
                retryable=True,
            )
        self.in_flight += 1
        self._queue.submit(Job(reply_to, request, time.monotonic()))

    def _answer(self, router: zmq.Socket[bytes], reply_to: ReplyTo) -> dict[str, Any]:
        kind = reply_to.kind
        if kind == Kind.HELLO:
            return about.hello(self._engine, self._limits, self._max_in_flight, self._batch_max)
        if kind == Kind.HEALTH:
            state = {"live": True, "ready": not self._draining, "in_flight": self.in_flight, "max_in_flight": self._max_in_flight}
            return {"status": OK, **state, "uptime_s": round(time.monotonic() - self._started_at, 3)}
        if kind == Kind.MODELS:
            return about.models(self._engine)
        if kind == Kind.STATS:
            return about.stats(self._statistics)
        if kind == Kind.CANCEL:
            dropped, told = self._take_back(router, reply_to.route[0], reply_to.request_id)
            return {"status": OK, "state": "stopping" if told else "dropped" if dropped else "unknown"}
        if kind == Kind.BYE:
            return {"status": OK, "dropped": self._take_back(router, reply_to.route[0], None)[0]}
        raise RequestError(ErrorCode.UNSUPPORTED, f"This server (protocol {PROTOCOL_VERSION}) knows no requests of kind {kind}.")

    def _take_back(self, router: zmq.Socket[bytes], client: bytes, request_id: bytes | None) -> tuple[int, int]:
        """End the client's request of that id, or all of its; how many were waiting and have been answered, and how many in work stop."""
        dropped, told = self._queue.cancel(client, request_id)
        for job in dropped:
            self._finish(router, Answer.refusing(job, CANCELLED))
        self._counters.cancelled += len(dropped) + told
        return len(dropped), told

    def _send(self, router: zmq.Socket[bytes], frames: Sequence[Any], *, copy: bool = True) -> None:
        try:
            router.send_multipart(frames, flags=zmq.NOBLOCK, copy=copy)
            self._counters.answered += 1
        except zmq.ZMQError:
            # EHOSTUNREACH: it disconnected. EAGAIN: it stopped reading. Either way nobody waits for this answer.
            self._counters.client_gone += 1
