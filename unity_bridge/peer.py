# SPDX-License-Identifier: Apache-2.0
"""The server as a client sees it, blocking or not: how a socket to it is made, what is said to it, how its answers are read, and the words
for when there are none."""

from __future__ import annotations

import json
import socket as tcp
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import zmq

from .. import __version__
from ..engines.errors import CameraError
from .answers import Reply
from .curve import CurveKeys
from .errors import BridgeConnectionError, BridgeError, BridgeTimeoutError, BridgeVersionError, RefusedError
from .framing import DEFAULT_ENDPOINT, PROTOCOL_VERSION, ErrorCode, Kind, pack_message, unpack_prefix

CONNECT_TIMEOUT_S = 2.0
"""A server on this machine accepts at once; the rest is for one that is just starting."""
LOOK_UP_S = 0.05
"""How often a wait looks up: whether it was cancelled, and whether the server is still there."""
PARTING_MS = 200
"""How long a closing client lets its last words, a cancel or a bye, leave the socket."""

# A machine that is gone without a word (a cut cable) is found out by TCP's own keepalive, in half a minute. ZeroMQ's heartbeat would also
# end a connection over which one large frame takes longer than its timeout, as the answer to it waits behind the frame.
_KEEPALIVE_IDLE_S = 15
_KEEPALIVE_INTERVAL_S = 5
_KEEPALIVE_COUNT = 3


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """A message that a server sent: which request it is the answer to, and the reply or the error to raise."""

    request_id: bytes
    kind: int
    reply: Reply | None
    error: BridgeError | None

    def result(self) -> Reply:
        """The reply; raises the error."""
        if self.reply is None:
            assert self.error is not None
            raise self.error
        return self.reply


@dataclass(frozen=True, slots=True)
class Peer:
    """``token`` goes along in every header, without the line end that it may have from its file."""

    endpoint: str
    curve: CurveKeys | None = None
    token: str | None = None

    def __repr__(self) -> str:
        return f"Peer({self.endpoint!r})"  # a token is nobody's to read

    def connect(self, socket: zmq.Socket[Any]) -> None:
        """Configure a DEALER, and connect it. Raises :class:`BridgeError` for an address or keys that cannot be used."""
        socket.linger = 0
        # Without a connection a send waits here, where it can be reported, and not unseen in a queue.
        socket.immediate = True
        socket.tcp_keepalive = 1
        socket.tcp_keepalive_idle = _KEEPALIVE_IDLE_S
        socket.tcp_keepalive_intvl = _KEEPALIVE_INTERVAL_S
        socket.tcp_keepalive_cnt = _KEEPALIVE_COUNT
        socket.ipv6 = "[" in self.endpoint
        if self.curve is not None:
            self.curve.apply(socket)
        try:
            socket.connect(self.endpoint)
        except zmq.ZMQError as error:
            raise BridgeError(f"The address {self.endpoint!r} is not understood; write it as {DEFAULT_ENDPOINT}.") from error

    def frames(self, kind: Kind, request_id: bytes, header: Mapping[str, Any], payloads: Sequence[Any] = ()) -> list[Any]:
        """A message to it. ``payloads`` are not copied."""
        return pack_message(kind, request_id, header if self.token is None else {**header, "token": self.token.strip()}, payloads)

    def read(self, frames: Sequence[zmq.Frame]) -> Answer:
        """A message from it. Raises :class:`BridgeError` for one that is none of this protocol."""
        prefix = unpack_prefix(frames[0].bytes)
        if prefix is None or len(frames) < 3:
            raise self.not_understood("its message is not one of this protocol")
        reply: Reply | None = None
        error: BridgeError | None = None
        try:
            header = json.loads(frames[2].bytes, parse_constant=_no_number)
            if header["status"] == "ok":
                reply = Reply(header, [frame.buffer for frame in frames[3:]])
            else:
                about = header["error"]
                error = self._refused(prefix.version, str(about["code"]), str(about["message"]), bool(about.get("retryable", False)))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as problem:
            error = self.not_understood(problem)
        return Answer(frames[1].bytes, prefix.kind, reply, error)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Around what reads an answer: an answer that cannot be read becomes a :class:`BridgeError`."""
        try:
            yield
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, CameraError) as error:
            raise self.not_understood(error) from error

    def _refused(self, version: str, code: str, message: str, retryable: bool) -> BridgeError:
        if code == ErrorCode.UNSUPPORTED_VERSION:
            return BridgeVersionError(
                f"The server at {self.endpoint} speaks protocol {version} and this client (depthbridge {__version__}) {PROTOCOL_VERSION}; "
                "bring both to one release."
            )
        return RefusedError(code, message, retryable=retryable)

    # ---- when there is no answer -------------------------------------------------------------------------------

    def not_understood(self, error: object) -> BridgeError:
        """For an answer that no server of this protocol gives."""
        return BridgeError(f"What answers at {self.endpoint} is not a depth server that this client understands ({error}).")

    def unreachable(self) -> BridgeConnectionError:
        """For a connection that does not come about. Tries the port once, as a closed one and a handshake that fails look alike from here."""
        if not self._listens():
            return BridgeConnectionError(
                f"No depth server answers at {self.endpoint}; start one with: depthbridge serve --bind {self.endpoint}"
            )
        if self.curve is None:
            why = "a server that was started with --curve wants keys: give curve=CurveKeys.from_folder(...)"
        else:
            why = "it may be a server without --curve, or one that does not know these keys"
        return BridgeConnectionError(f"Something listens at {self.endpoint} and does not let this client in; {why}, or it is no depth server.")

    def gone(self) -> BridgeConnectionError:
        """For a connection that ended before the answer."""
        return BridgeConnectionError(
            f"The server at {self.endpoint} went away before it answered; start it again with: depthbridge serve --bind {self.endpoint}"
        )

    def late(self) -> BridgeTimeoutError:
        """For a server that takes longer than it may."""
        return BridgeTimeoutError(
            f"The server at {self.endpoint} took the request and gave no answer in time; it may be busy or restarting: "
            "ask again, or give a longer timeout."
        )

    def _listens(self) -> bool:
        with suppress(OSError, ValueError):
            address = urlsplit(self.endpoint)
            with tcp.create_connection((address.hostname or "", address.port or 0), timeout=0.5):
                return True
        return False


def _no_number(name: str) -> float:
    raise ValueError(f"its answer holds {name}, which is no JSON number")
