# SPDX-License-Identifier: Apache-2.0
"""One socket to a server, and one exchange at a time on it: send, wait, recognise the answer, or say why there is none."""

from __future__ import annotations

import time
from contextlib import suppress
from itertools import count
from typing import Any

import zmq

from ..engines.cancel import CancelToken
from .answers import Reply
from .errors import BridgeError
from .framing import Kind
from .peer import CONNECT_TIMEOUT_S, LOOK_UP_S, PARTING_MS, Peer


class Connection:
    """For one thread. ``stale`` counts answers that came after their request had been given up, and were discarded."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.stale = 0
        self._ids = count(1)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        try:
            peer.connect(self._socket)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Drop the connection. May be called again."""
        self._socket.close(linger=PARTING_MS)
        self._context.term()

    def exchange(
        self, kind: Kind, header: dict[str, Any], payloads: tuple[Any, ...], deadline: float, cancel: CancelToken | None = None
    ) -> Reply:
        """The answer to one request, by ``deadline`` (:func:`time.monotonic`). ``payloads`` are not copied.

        Raises what :class:`~.client.DepthClient` says, and ``CancelledError`` soon after ``cancel`` was called. A frame that is given up,
        for whatever reason, is taken back from the server, so that it does not work on what nobody waits for.
        """
        if self._socket.closed:
            raise BridgeError("The client was closed; make a new one.")
        request_id = b"%d" % next(self._ids)
        frames = self.peer.frames(kind, request_id, header, payloads)
        self._wait_for_connection(deadline, cancel)
        try:
            # Large arrays are handed over, not copied; should the caller change one after a timeout, its late answer is discarded anyway.
            self._socket.send_multipart(frames, flags=zmq.NOBLOCK, copy=not payloads)
        except zmq.Again as error:
            raise self.peer.gone() from error
        while True:
            try:
                answer = self.peer.read(self._receive(deadline, cancel))
            except BaseException:  # Ctrl-C included
                if kind is Kind.INFER:
                    with suppress(zmq.ZMQError):
                        self._socket.send_multipart(self.peer.frames(Kind.CANCEL, request_id, {}), flags=zmq.NOBLOCK)
                raise
            if answer.request_id == request_id and answer.kind == kind:
                return answer.result()
            self.stale += answer.kind != Kind.CANCEL

    # ---- inside ------------------------------------------------------------------------------------------------

    def _wait_for_connection(self, deadline: float, cancel: CancelToken | None) -> None:
        give_up = min(time.monotonic() + CONNECT_TIMEOUT_S, deadline)
        while not self._socket.poll(_slice_ms(give_up), zmq.POLLOUT):
            if cancel is not None:
                cancel.check()
            if time.monotonic() >= give_up:
                raise self.peer.unreachable()
        if cancel is not None:
            cancel.check()

    def _receive(self, deadline: float, cancel: CancelToken | None) -> list[zmq.Frame]:
        while not self._socket.poll(_slice_ms(deadline), zmq.POLLIN):
            if cancel is not None:
                cancel.check()
            if time.monotonic() >= deadline:
                raise self.peer.late()
            # With `immediate` set a socket is writable only while it is connected. What arrived before the end is still to be read.
            if not self._socket.poll(0, zmq.POLLOUT) and not self._socket.poll(0, zmq.POLLIN):
                raise self.peer.gone()
        return self._socket.recv_multipart(copy=False)


def _slice_ms(until: float) -> int:
    """Milliseconds to poll for, at least one."""
    return max(1, int(min(until - time.monotonic(), LOOK_UP_S) * 1000))
