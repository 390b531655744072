# SPDX-License-Identifier: Apache-2.0
"""One socket to a server, and one exchange at a time on it: send, wait, recognise the answer, or say why there is none."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any

import zmq

from .. import __version__
from ..engines.cancel import CancelToken
from .errors import BridgeConnectionError, BridgeError, BridgeTimeoutError, BridgeVersionError, RefusedError
from .framing import DEFAULT_ENDPOINT, PROTOCOL_VERSION, ErrorCode, Kind, pack_message, unpack_prefix

# A server on this machine accepts at once; the rest is for one that is just starting.
_CONNECT_TIMEOUT_S = 2.0
# How often a wait looks up: whether it was cancelled, and whether the server is still there.
_LOOK_UP_S = 0.05
# A machine that is gone without a word (a cut cable) is found out by TCP's own keepalive, in half a minute. ZeroMQ's heartbeat would also
# end a connection over which one large frame takes longer than its timeout, as the answer to it waits behind the frame.
_KEEPALIVE_IDLE_S = 15
_KEEPALIVE_INTERVAL_S = 5
_KEEPALIVE_COUNT = 3


@dataclass(frozen=True, slots=True, eq=False)
class Reply:
    """An ``ok`` answer: its header, and its payload frames in the memory they arrived in."""

    header: dict[str, Any]
    payloads: list[memoryview]


class Connection:
    """For one thread. ``stale`` counts answers that came after their request had been given up, and were discarded."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.stale = 0
        self._ids = count(1)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.linger = 0
        # Without a connection a send waits here, where it can be reported, and not unseen in a queue.
        self._socket.immediate = True
        self._socket.tcp_keepalive = 1
        self._socket.tcp_keepalive_idle = _KEEPALIVE_IDLE_S
        self._socket.tcp_keepalive_intvl = _KEEPALIVE_INTERVAL_S
        self._socket.tcp_keepalive_cnt = _KEEPALIVE_COUNT
        self._socket.ipv6 = "[" in endpoint
        try:
            self._socket.connect(endpoint)
        except zmq.ZMQError as error:
            self.close()
            raise BridgeError(f"The address {endpoint!r} is not understood; write it as {DEFAULT_ENDPOINT}.") from error

    def close(self) -> None:
        """Drop the connection. May be called again."""
        self._socket.close(linger=0)
        self._context.term()

    def exchange(
        self, kind: Kind, header: dict[str, Any], payloads: tuple[Any, ...], deadline: float, cancel: CancelToken | None = None
    ) -> Reply:
        """The answer to one request, by ``deadline`` (:func:`time.monotonic`). ``payloads`` are not copied.

        Raises what :class:`~.client.DepthClient` says, and ``CancelledError`` soon after ``cancel`` was called. A frame that is given up,
        for whatever reason, is taken back from the server, so that it does not work on what nobody waits for.
        """
        request_id = b"%d" % next(self._ids)
        frames = pack_message(kind, request_id, header, payloads)
        self._wait_for_connection(deadline, cancel)
        try:
            # Large arrays are handed over, not copied; should the caller change one after a timeout, its late answer is discarded anyway.
            self._socket.send_multipart(frames, flags=zmq.NOBLOCK, copy=not payloads)
        except zmq.Again as error:
            raise self._gone() from error
        while True:
            try:
                answer = self._receive(deadline, cancel)
            except BaseException:  # Ctrl-C included
                if kind is Kind.INFER:
                    with suppress(zmq.ZMQError):
                        self._socket.send_multipart(pack_message(Kind.CANCEL, request_id, {}), flags=zmq.NOBLOCK)
                raise
            reply = self._read_reply(answer, kind, request_id)
            if reply is not None:
                return reply

    def not_understood(self, error: object) -> BridgeError:
        """For an answer that no server of this protocol gives."""
        return BridgeError(f"What answers at {self.endpoint} is not a depth server that this client understands ({error}).")

    # ---- inside ------------------------------------------------------------------------------------------------

    def _wait_for_connection(self, deadline: float, cancel: CancelToken | None) -> None:
        give_up = min(time.monotonic() + _CONNECT_TIMEOUT_S, deadline)
        while not self._socket.poll(_slice_ms(give_up), zmq.POLLOUT):
            if cancel is not None:
                cancel.check()
            if time.monotonic() >= give_up:
                raise BridgeConnectionError(
                    f"No depth server answers at {self.endpoint}; start one with: depthbridge serve --bind {self.endpoint}"
                )
        if cancel is not None:
            cancel.check()

    def _receive(self, deadline: float, cancel: CancelToken | None) -> list[zmq.Frame]:
        while not self._socket.poll(_slice_ms(deadline), zmq.POLLIN):
            if cancel is not None:
                cancel.check()
            if time.monotonic() >= deadline:
                raise BridgeTimeoutError(
                    f"The server at {self.endpoint} took the request and gave no answer in time; it may be busy or restarting: "
                    "ask again, or give a longer timeout."
                )
            # With `immediate` set a socket is writable only while it is connected. What arrived before the end is still to be read.
            if not self._socket.poll(0, zmq.POLLOUT) and not self._socket.poll(0, zmq.POLLIN):
                raise self._gone()
        return self._socket.recv_multipart(copy=False)

    def _gone(self) -> BridgeConnectionError:
        return BridgeConnectionError(
            f"The server at {self.endpoint} went away before it answered; start it again with: depthbridge serve --bind {self.endpoint}"
        )

    def _read_reply(self, frames: list[zmq.Frame], kind: Kind, request_id: bytes) -> Reply | None:
        """The answer to ``request_id``; None for one to an earlier request."""
        prefix = unpack_prefix(frames[0].bytes)
        if prefix is None or len(frames) < 3:
            raise self.not_understood("its message is not one of this protocol")
        if frames[1].bytes != request_id or prefix.kind != kind:
            self.stale += prefix.kind != Kind.CANCEL
            return None
        try:
            header = json.loads(frames[2].bytes)
            ok = header["status"] == "ok"
            code, message = ("", "") if ok else (str(header["error"]["code"]), str(header["error"]["message"]))
            retryable = not ok and bool(header["error"].get("retryable", False))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self.not_understood(error) from error
        if not prefix.fits or code == ErrorCode.UNSUPPORTED_VERSION:
            raise BridgeVersionError(
                f"The server at {self.endpoint} speaks protocol {prefix.version} and this client (depthbridge {__version__}) "
                f"{PROTOCOL_VERSION}; bring both to one release."
            )
        if not ok:
            raise RefusedError(code, message, retryable=retryable)
        assert isinstance(header, dict)
        return Reply(header, [frame.buffer for frame in frames[3:]])


def _slice_ms(until: float) -> int:
    """Milliseconds to poll for, at least one."""
    return max(1, int(min(until - time.monotonic(), _LOOK_UP_S) * 1000))
