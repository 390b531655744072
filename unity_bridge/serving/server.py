# SPDX-License-Identifier: Apache-2.0
"""The server: one thread owns the ROUTER socket and answers at once; one worker thread runs the engine."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import zmq

from ...engines.estimator import Estimator
from ..errors import BridgeError
from ..framing import DEFAULT_ENDPOINT
from ..measuring.frame import measure_frame
from .access import Access, bind_address
from .counters import Counters, Observer, StageSummary, Statistics
from .desk import Desk
from .doorkeeper import Doorkeeper
from .frames import FrameWork, Measure
from .jobs import JobQueue
from .payloads import ServerLimits
from .worker import DRAIN, STOP, InferWorker

MAX_BATCH = 8
"""Frames that share an inference, at most."""

_INBOX = "inproc://depthbridge-inbox"
_RECEIVE_HWM = 8
_HEARTBEAT_MS = 5_000
# Also bounds how long one frame may be under way, as the answer to a heartbeat waits behind it: minutes, for pictures over a slow line.
_HEARTBEAT_TIMEOUT_MS = 180_000


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """A moment of a server: accepted frames that wait, all that are not yet answered, connections that are up, connections turned away
    for their keys; the accepted frames answered so far, what else has happened, and how long the last frames took."""

    waiting: int
    in_flight: int
    clients: int
    turned_away: int
    frames: int
    counters: Counters
    stages: dict[str, StageSummary]


class BridgeServer:
    """Answers the bridge's protocol with any engine, in threads of its own.

    ``with BridgeServer(engine, bind="tcp://127.0.0.1:0") as server:`` serves on ``server.endpoint`` until the block ends, then drains:
    accepted requests are answered, new ones are refused with ``not_ready``. ``max_in_flight`` bounds the infer requests accepted and
    not yet answered, over all clients; one more is refused with ``overloaded``. ``batch_delay_ms``: how long a frame may wait for others of
    its size to share an inference with, where the engine can; 0: not at all. ``access`` says who may use it: an address off the
    loopback needs a token or keys. ``observer`` hears of every answer. ``measure`` is what is made of a map and its mask. The engine stays
    the caller's to close. Raises :class:`BridgeError` when the address is malformed, in use, or open to others without token or keys.
    """

    def __init__(
        self,
        engine: Estimator,
        bind: str = DEFAULT_ENDPOINT,
        *,
        max_in_flight: int = 4,
        batch_delay_ms: float = 0.0,
        limits: ServerLimits | None = None,
        access: Access | None = None,
        observer: Observer | None = None,
        measure: Measure = measure_frame,
    ) -> None:
        if max_in_flight < 1:
            raise BridgeError(f"max_in_flight is {max_in_flight}; at least one request must be allowed.")
        if not 0 <= batch_delay_ms <= 10_000:
            raise BridgeError(f"A batch delay of {batch_delay_ms} ms cannot be kept; give 0 to 10000.")
        self._access = access or Access()
        self._address = bind_address(bind, self._access)
        self._engine = engine
        self._limits = limits or ServerLimits()
        self._statistics = Statistics(observer)
        batch_max = min(MAX_BATCH, max_in_flight) if batch_delay_ms > 0 else 1
        self._queue = JobQueue(batch_max, batch_delay_ms / 1000.0)
        self._frames = FrameWork(self._limits, measure)
        self._desk = Desk(engine, self._limits, self._access, self._queue, self._statistics, max_in_flight=max_in_flight, batch_max=batch_max)
        self._endpoint = ""
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._doorkeeper: Doorkeeper | None = None
        self._thread: threading.Thread | None = None
        # The one socket that any thread may use, under this lock; None before the start and after the end.
        self._control: zmq.Socket[bytes] | None = None
        self._control_lock = threading.Lock()

    @property
    def endpoint(self) -> str:
        """The address in use, with the port that ``:0`` became."""
        return self._endpoint

    @property
    def counters(self) -> Counters:
        """A live view; other threads only read it."""
        return self._statistics.counters

    @property
    def status(self) -> ServerStatus:
        """Right now; from any thread."""
        door = self._doorkeeper
        return ServerStatus(
            waiting=len(self._queue),
            in_flight=self._desk.in_flight,
            clients=door.clients if door is not None else 0,
            turned_away=door.turned_away if door is not None else 0,
            frames=self._statistics.frames,
            counters=self._statistics.counters,
            stages=self._statistics.stages(),
        )

    @property
    def running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Bind, then serve in the background."""
        if self._thread is not None:
            raise BridgeError("The server was started before; make a new one.")
        self._context = zmq.Context()
        router = self._context.socket(zmq.ROUTER)
        inbox = self._context.socket(zmq.PULL)
        try:
            self._configure(router)
            self._doorkeeper = Doorkeeper(self._context, router, self._access)
            router.bind(self._address.text)
            inbox.bind(_INBOX)
            self._control = self._context.socket(zmq.PUSH)
            self._control.linger = 0
            self._control.connect(_INBOX)
        except zmq.ZMQError as error:
            if self._doorkeeper is not None:
                self._doorkeeper.close()
            self._context.destroy(linger=0)
            raise BridgeError(_why_not_bound(self._address.text, error)) from error
        self._endpoint = router.get_string(zmq.LAST_ENDPOINT)
        worker = InferWorker(self._engine, self._frames, self._queue, self._context, _INBOX)
        worker.start()
        # The sockets now belong to the I/O thread; starting it is the full memory barrier that ZeroMQ asks for.
        self._thread = threading.Thread(
            target=self._desk.run, args=(router, inbox, worker, self._doorkeeper), name="depthbridge-io", daemon=True
        )
        self._thread.start()

    def stop(self, *, drain: bool = True, timeout_s: float = 30.0) -> bool:
        """Stop serving; may be called again, from any thread. ``drain`` answers what was accepted first.

        False when the engine is still busy, ``timeout_s`` later: its thread is left behind and ends with the process.
        """
        thread, context = self._thread, self._context
        if thread is None or context is None:
            return True
        self._tell(DRAIN if drain else STOP)
        thread.join(timeout_s)
        if thread.is_alive():
            self._tell(STOP)
            thread.join()
        with self._control_lock:
            if self._control is not None:
                self._control.close()
                self._control = None
                if self._desk.worker_ended:
                    context.term()  # with a socket left in a busy worker it would wait for that
        return self._desk.worker_ended

    def _tell(self, word: bytes) -> None:
        # Again: the I/O thread has closed its end, and is ending already.
        with self._control_lock, suppress(zmq.Again):
            if self._control is not None:
                self._control.send(word, flags=zmq.NOBLOCK)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None) -> None:
        self.stop(drain=exc_type is None)

    def _configure(self, router: zmq.Socket[bytes]) -> None:
        router.linger = 0
        router.rcvhwm = _RECEIVE_HWM
        router.maxmsgsize = self._limits.max_message_bytes
        router.router_mandatory = True
        router.heartbeat_ivl = _HEARTBEAT_MS
        router.heartbeat_timeout = _HEARTBEAT_TIMEOUT_MS
        router.ipv6 = "[" in self._address.text


def _why_not_bound(address: str, error: zmq.ZMQError) -> str:
    if error.errno == zmq.EADDRINUSE:
        return f"The address {address} is in use, perhaps by another depthbridge serve; stop that one or choose another --bind."
    if error.errno == zmq.EADDRNOTAVAIL:
        return f"The address {address} is none of this machine's; choose another --bind, or * for all that it has."
    return f"The address {address} cannot be used ({error.strerror}); choose another --bind."
