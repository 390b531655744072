# SPDX-License-Identifier: Apache-2.0
"""One socket to a server for the tasks of one event loop: many exchanges at once, each answer handed to the task whose request it answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from itertools import count
from typing import Any

import zmq
import zmq.asyncio

from .answers import Reply
from .errors import BridgeError
from .framing import Kind
from .peer import CONNECT_TIMEOUT_S, LOOK_UP_S, PARTING_MS, Answer, Peer

_Key = tuple[bytes, int]
_FIRST_LOOK_S = 0.001
# An engine that was told to stop does so within seconds, if at all: then its place counts as free, whatever the server says.
_SETTLE_S = 30.0


class AsyncConnection:
    """To be made inside the event loop. ``stale`` counts answers whose request had been given up, and which were discarded."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.stale = 0
        self._ids = count(1)
        self._waiting: dict[_Key, asyncio.Future[Answer]] = {}
        self._given_up: dict[_Key, Callable[[], None]] = {}
        self._context = zmq.asyncio.Context()
        self._socket = self._context.socket(zmq.DEALER)
        try:
            peer.connect(self._socket)
        except BaseException:
            self._context.destroy(linger=0)
            raise
        self._tasks = (asyncio.create_task(self._read()), asyncio.create_task(self._watch()))

    async def close(self) -> None:
        """Drop the connection; whoever waits gets a :class:`BridgeError`. May be called again."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._waiting and self._connected():
            self._send_unasked(Kind.BYE, b"bye")
        self._fail(BridgeError("The client was closed before the answer was there."))
        self._context.destroy(linger=PARTING_MS)

    async def exchange(
        self, kind: Kind, header: dict[str, Any], payloads: tuple[Any, ...], deadline: float, settled: Callable[[], None] = lambda: None
    ) -> Reply:
        """The answer to one request, by ``deadline`` (:func:`time.monotonic`). ``payloads`` are not copied.

        Raises what :class:`~.client.DepthClient` says. A frame that is given up, its task cancelled included, is taken back from the server.
        ``settled`` is called once when the server has its place free again: for a frame that is given up that is later than the return.
        """
        request_id = b"%d" % next(self._ids)
        key = (request_id, int(kind))
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        try:
            await self._send(self.peer.frames(kind, request_id, header, payloads), deadline, copy=not payloads)
            self._waiting[key] = answer
            async with asyncio.timeout(deadline - time.monotonic()):
                return (await answer).result()
        except TimeoutError as error:
            raise self.peer.late() from error
        finally:
            self._waiting.pop(key, None)
            if kind is Kind.INFER and answer.cancelled():
                self._take_back(key, settled)
            else:
                settled()

    # ---- inside ------------------------------------------------------------------------------------------------

    async def _send(self, frames: list[Any], deadline: float, *, copy: bool) -> None:
        give_up, look = min(time.monotonic() + CONNECT_TIMEOUT_S, deadline), _FIRST_LOOK_S
        while not self._connected():
            if self._socket.closed:
                raise BridgeError("The client was closed; make a new one.")
            if time.monotonic() >= give_up:
                raise await asyncio.to_thread(self.peer.unreachable)
            await asyncio.sleep(look)
            look = min(2 * look, LOOK_UP_S)
        try:
            await self._socket.send_multipart(frames, flags=zmq.NOBLOCK, copy=copy)
        except zmq.Again as error:
            raise self.peer.gone() from error

    def _connected(self) -> bool:
        # With `immediate` set a socket is writable only while it is connected.
        return not self._socket.closed and bool(int(self._socket.get(zmq.EVENTS)) & zmq.POLLOUT)

    def _take_back(self, key: _Key, settled: Callable[[], None]) -> None:
        if not self._connected():
            settled()
            return
        self._given_up[key] = settled
        asyncio.get_running_loop().call_later(_SETTLE_S, self._settle, key)
        self._send_unasked(Kind.CANCEL, key[0])

    def _send_unasked(self, kind: Kind, request_id: bytes) -> None:
        """What nobody waits for: sent now or not at all."""
        sent = asyncio.ensure_future(self._socket.send_multipart(self.peer.frames(kind, request_id, {}), flags=zmq.NOBLOCK))
        sent.add_done_callback(lambda done: None if done.cancelled() else done.exception())

    def _settle(self, key: _Key) -> None:
        self._given_up.pop(key, lambda: None)()

    async def _read(self) -> None:
        while True:
            frames = await self._socket.recv_multipart(copy=False)
            try:
                answer = self.peer.read(frames)
            except BridgeError as error:
                self._fail(error)  # nothing says whose answer this was
                continue
            key = (answer.request_id, answer.kind)
            waiting = self._waiting.get(key)
            if waiting is None or waiting.done():
                self.stale += answer.kind != Kind.CANCEL
                self._settle(key)
            else:
                waiting.set_result(answer)

    async def _watch(self) -> None:
        """Tell those who wait when the server is gone. What arrived before its end is read first, hence the second look."""
        missed = 0
        while True:
            await asyncio.sleep(LOOK_UP_S)
            missed = missed + 1 if (self._waiting or self._given_up) and not self._connected() else 0
            if missed >= 2:
                self._fail(self.peer.gone())

    def _fail(self, error: BridgeError) -> None:
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(type(error)(str(error)))  # each its own: a traceback belongs to one task
        for key in list(self._given_up):
            self._settle(key)
