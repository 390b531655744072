# SPDX-License-Identifier: Apache-2.0
"""The server: one thread owns the ROUTER socket and answers at once; one worker thread runs the engine."""

from __future__ import annotations

import ipaddress
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import zmq

from ... import __version__
from ...engines.estimator import Estimator
from ..errors import BridgeError
from ..framing import (
    DEFAULT_ENDPOINT,
    MAX_HEADER_BYTES,
    MAX_REQUEST_ID_BYTES,
    PROTOCOL_VERSION,
    ErrorCode,
    Kind,
    Prefix,
    pack_header,
    unpack_prefix,
)
from ..maps import OUTPUTS
from .headers import CAPABILITIES, PlainHeader, RequestError, parse_header
from .payloads import MASK_DTYPES, ServerLimits, parse_infer
from .worker import CANCELLED, InferWorker, Job, ReplyTo, error_header

_log = logging.getLogger(__name__)

_INBOX = "inproc://depthbridge-inbox"
_RECEIVE_HWM = 8
_HEARTBEAT_MS = 5_000
# Also bounds how long one frame may be under way, as the answer to a heartbeat waits behind it: minutes, for pictures over a slow line.
_HEARTBEAT_TIMEOUT_MS = 180_000
# Linger is 0 everywhere but here: the last replies of a drain get this long to leave the socket.
_DRAIN_LINGER_MS = 300
# How long a stop waits for the inference that runs: most end within this, and then nothing is left behind.
_ABANDON_S = 2.0


@dataclass(slots=True)
class Counters:
    """What has happened since the start; the stats request answers them."""

    received: int = 0
    answered: int = 0
    errors: int = 0
    garbage: int = 0
    overloaded: int = 0
    cancelled: int = 0
    client_gone: int = 0


@dataclass(frozen=True, slots=True)
class _Message:
    """A received message, cut to the limits: ``parts``, after the routing frames. ``total_parts``, ``total_bytes`` count what came."""

    route: tuple[bytes, ...]
    parts: list[zmq.Frame]
    total_parts: int
    total_bytes: int


class BridgeServer:
    """Answers the bridge's protocol with any engine, in threads of its own.

    ``with BridgeServer(engine, bind="tcp://127.0.0.1:0") as server:`` serves on ``server.endpoint`` until the block ends, then drains:
    accepted requests are answered, new ones are refused with ``not_ready``. ``max_in_flight`` bounds the infer requests accepted and
    not yet answered, over all clients; one more is refused with ``overloaded``. The engine stays the caller's to close. Raises
    :class:`BridgeError` when the address is malformed, in use, or not this machine's loopback.
    """

    def __init__(
        self, engine: Estimator, bind: str = DEFAULT_ENDPOINT, *, max_in_flight: int = 4, limits: ServerLimits | None = None
    ) -> None:
        if max_in_flight < 1:
            raise BridgeError(f"max_in_flight is {max_in_flight}; at least one request must be allowed.")
        self._address = loopback_address(bind)
        self._engine = engine
        self._max_in_flight = max_in_flight
        self._limits = limits or ServerLimits()
        self._counters = Counters()
        self._in_flight = 0
        self._draining = False
        self._worker_ended = True
        self._started_at = 0.0
        self._endpoint = ""
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._thread: threading.Thread | None = None

    # ---- life --------------------------------------------------------------------------------------------------

    @property
    def endpoint(self) -> str:
        """The address in use, with the port that ``:0`` became."""
        return self._endpoint

    @property
    def counters(self) -> Counters:
        """A live view; other threads only read it."""
        return self._counters

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
            router.bind(self._address)
            inbox.bind(_INBOX)
        except zmq.ZMQError as error:
            self._context.destroy(linger=0)
            raise BridgeError(_why_not_bound(self._address, error)) from error
        self._endpoint = router.get_string(zmq.LAST_ENDPOINT)
        self._started_at = time.monotonic()
        worker = InferWorker(self._engine, self._limits, self._context, _INBOX)
        worker.start()
        # The sockets now belong to the I/O thread; starting it is the full memory barrier that ZeroMQ asks for.
        self._thread = threading.Thread(target=self._serve, args=(router, inbox, worker), name="depthbridge-io", daemon=True)
        self._thread.start()

    def stop(self, *, drain: bool = True, timeout_s: float = 30.0) -> bool:
        """Stop serving; may be called again, from any thread. ``drain`` answers what was accepted first.

        False when the engine is still busy, ``timeout_s`` later: its thread is left behind and ends with the process.
        """
        thread, context = self._thread, self._context
        if thread is None or context is None:
            return True
        if thread.is_alive():
            with context.socket(zmq.PUSH) as control:
                control.linger = 0
                control.connect(_INBOX)
                control.send(b"drain" if drain else b"stop", flags=zmq.NOBLOCK)
                thread.join(timeout_s)
                if thread.is_alive():
                    control.send(b"stop", flags=zmq.NOBLOCK)
                    thread.join()
        if self._worker_ended:
            context.term()  # with a socket left in a busy worker it would wait for that
        return self._worker_ended

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop(drain=exc_type is None)

    def _configure(self, router: zmq.Socket[bytes]) -> None:
        router.linger = 0
        router.rcvhwm = _RECEIVE_HWM
        router.maxmsgsize = self._limits.max_message_bytes
        router.router_mandatory = True
        router.heartbeat_ivl = _HEARTBEAT_MS
        router.heartbeat_timeout = _HEARTBEAT_TIMEOUT_MS
        router.ipv6 = "[" in self._address

    # ---- the I/O thread ----------------------------------------------------------------------------------------

    def _serve(self, router: zmq.Socket[bytes], inbox: zmq.Socket[bytes], worker: InferWorker) -> None:
        poller = zmq.Poller()
        poller.register(router, zmq.POLLIN)
        poller.register(inbox, zmq.POLLIN)
        stopping = False
        try:
            while not stopping and not (self._draining and self._in_flight == 0):
                ready = dict(poller.poll())
                # Finished work first: it frees a place that a waiting request may take.
                if inbox in ready:
                    stopping = self._on_inbox(router, inbox.recv_multipart(copy=False))
                if router in ready:
                    self._on_request(router, worker)
        finally:
            router.close(linger=_DRAIN_LINGER_MS if self._draining else 0)
            inbox.close(linger=0)
            self._worker_ended = worker.stop(abandon=True, timeout_s=_ABANDON_S)

    def _on_inbox(self, router: zmq.Socket[bytes], frames: list[zmq.Frame]) -> bool:
        """True when serving must end now."""
        word = frames[0].bytes
        if word == b"reply":
            self._in_flight -= 1
            self._send(router, frames[1:])
        elif word == b"drain":
            self._draining = True
        return word == b"stop"

    def _on_request(self, router: zmq.Socket[bytes], worker: InferWorker) -> None:
        message = _receive(router, self._limits)
        self._counters.received += 1
        try:
            self._dispatch(router, message, worker)
        except Exception:  # whatever bytes arrive, the server stays
            self._counters.garbage += 1
            _log.exception("a message was dropped")

    def _dispatch(self, router: zmq.Socket[bytes], message: _Message, worker: InferWorker) -> None:
        parts = message.parts
        prefix = unpack_prefix(parts[0].bytes) if parts and len(parts[0]) <= 64 else None
        if prefix is None or len(parts) < 2 or not 1 <= len(parts[1]) <= MAX_REQUEST_ID_BYTES:
            self._counters.garbage += 1  # nothing says that this was meant for us: no answer
            return
        reply_to = ReplyTo(message.route, prefix.kind, parts[1].bytes)
        try:
            self._check_envelope(prefix, message)
            if prefix.kind == Kind.INFER:
                self._accept(reply_to, parts, worker)
                return
            parse_header(parts[2].bytes, PlainHeader)
            header = self._cancel(router, reply_to, worker) if prefix.kind == Kind.CANCEL else self._answer(prefix.kind)
        except RequestError as error:
            self._counters.errors += 1
            header = error_header(error)
        self._send(router, reply_to.frames(header))

    def _check_envelope(self, prefix: Prefix, message: _Message) -> None:
        if not prefix.fits:
            raise RequestError(
                ErrorCode.UNSUPPORTED_VERSION,
                f"The client speaks protocol {prefix.version} and this server (depthbridge {__version__}) {PROTOCOL_VERSION}; "
                "bring both to one release.",
            )
        if message.total_bytes > self._limits.max_message_bytes or message.total_parts > self._limits.max_frames:
            raise RequestError(
                ErrorCode.TOO_LARGE,
                f"The message has {message.total_bytes} bytes in {message.total_parts} frames; this server takes at most "
                f"{self._limits.max_message_bytes} bytes in {self._limits.max_frames} frames.",
            )
        if len(message.parts) < 3:
            raise RequestError(ErrorCode.BAD_FRAME, "The message has no header frame; send at least {} there.")

    def _accept(self, reply_to: ReplyTo, parts: list[zmq.Frame], worker: InferWorker) -> None:
        if self._draining:
            raise RequestError(ErrorCode.NOT_READY, "The server is shutting down; ask again when it is back.", retryable=True)
        request = parse_infer(parts[2].bytes, [part.buffer for part in parts[3:]], self._engine.model_id, self._limits)
        if self._in_flight >= self._max_in_flight:
            self._counters.overloaded += 1
            raise RequestError(
                ErrorCode.OVERLOADED,
                f"The server has {self._in_flight} requests in work, which is its limit; wait for an answer before sending the next.",
                retryable=True,
            )
        self._in_flight += 1
        worker.submit(Job(reply_to, request, time.monotonic()))

    def _cancel(self, router: zmq.Socket[bytes], reply_to: ReplyTo, worker: InferWorker) -> bytes:
        """End the client's own request of the same id, wherever it is."""
        dropped, stopping = worker.cancel(reply_to.route[0], reply_to.request_id)
        for job in dropped:
            self._in_flight -= 1
            self._send(router, job.reply_to.frames(error_header(CANCELLED)))
        self._counters.cancelled += len(dropped) + stopping
        return pack_header({"status": "ok", "state": "stopping" if stopping else "dropped" if dropped else "unknown"})

    def _answer(self, kind: int) -> bytes:
        model = self._engine.model_id
        if kind == Kind.HELLO:
            return pack_header(
                {
                    "status": "ok",
                    "server": "depthbridge",
                    "server_version": __version__,
                    "protocol": PROTOCOL_VERSION,
                    "model": model,
                    "capabilities": CAPABILITIES,
                    "encodings": ["raw"],
                    "mask_dtypes": list(MASK_DTYPES),
                    "outputs": list(OUTPUTS),
                    "max_in_flight": self._max_in_flight,
                    "max_header_bytes": MAX_HEADER_BYTES,
                    **asdict(self._limits),
                }
            )
        if kind == Kind.HEALTH:
            state = {"live": True, "ready": not self._draining, "in_flight": self._in_flight, "max_in_flight": self._max_in_flight}
            return pack_header({"status": "ok", **state, "uptime_s": round(time.monotonic() - self._started_at, 3)})
        if kind == Kind.MODELS:
            about = {"id": model, "ready": True, "kind": str(self._engine.kind), "needs_camera": self._engine.needs_camera}
            return pack_header({"status": "ok", "models": [about]})
        if kind == Kind.STATS:
            return pack_header({"status": "ok", "counters": asdict(self._counters)})
        raise RequestError(ErrorCode.UNSUPPORTED, f"This server (protocol {PROTOCOL_VERSION}) knows no requests of kind {kind}.")

    def _send(self, router: zmq.Socket[bytes], frames: Sequence[Any]) -> None:
        try:
            router.send_multipart(frames, flags=zmq.NOBLOCK, copy=False)
            self._counters.answered += 1
        except (zmq.Again, zmq.ZMQError):
            # EHOSTUNREACH: it disconnected. EAGAIN: it stopped reading. Either way nobody waits for this answer.
            self._counters.client_gone += 1


def _receive(router: zmq.Socket[bytes], limits: ServerLimits) -> _Message:
    """One message, part by part, so that a message of a hundred thousand parts is counted and never held."""
    identity = router.recv()
    route: tuple[bytes, ...] = (identity,)
    parts: list[zmq.Frame] = []
    count = size = 0
    more = bool(router.rcvmore)
    while more:
        part = router.recv(copy=False)
        more = bool(part.more)
        if count == 0 and len(route) == 1 and len(part) == 0:
            route = (identity, b"")  # a REQ client's delimiter, mirrored in the reply
            continue
        count += 1
        size += len(part)
        if count <= limits.max_frames and size <= limits.max_message_bytes:
            parts.append(part)
    return _Message(route, parts, count, size)


def loopback_address(bind: str) -> str:
    """The address for ZeroMQ. Raises :class:`BridgeError` unless it is TCP on this machine's loopback."""
    try:
        parsed = urlsplit(bind)
        host, port = parsed.hostname or "", parsed.port
    except ValueError:
        host, port = "", None
    if not bind.startswith("tcp://") or not host or port is None:
        raise BridgeError(f"The address {bind!r} is not understood; write it as tcp://127.0.0.1:5577.")
    if host == "localhost":
        host = "127.0.0.1"  # ZeroMQ binds to numbers only
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise BridgeError(
            f"The address {bind!r} is not on this machine's loopback, and this version has neither password nor encryption: bind to "
            "tcp://127.0.0.1:PORT, and reach it from elsewhere through an SSH tunnel."
        )
    return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"


def _why_not_bound(address: str, error: zmq.ZMQError) -> str:
    if error.errno == zmq.EADDRINUSE:
        return f"The address {address} is in use, perhaps by another depthbridge serve; stop that one or choose another --bind."
    return f"The address {address} cannot be used ({error.strerror}); choose another --bind."
