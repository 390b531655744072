# SPDX-License-Identifier: Apache-2.0
"""The other end of a bridge, for tests: a bare socket that sends any frames, and a server that answers whatever it is told to."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import zmq

LOOPBACK = "tcp://127.0.0.1:0"


@contextmanager
def dealer(endpoint: str, kind: int = zmq.DEALER, *, keys: tuple[bytes, bytes, bytes] | None = None) -> Iterator[zmq.Socket[bytes]]:
    """A bare socket, connected; encrypted with ``keys``, the server's public one, its own public and its own secret one."""
    context = zmq.Context()
    raw = context.socket(kind)
    raw.linger, raw.rcvtimeo, raw.sndtimeo = 0, 20_000, 5_000
    if keys is not None:
        raw.curve_serverkey, raw.curve_publickey, raw.curve_secretkey = keys
    raw.connect(endpoint)
    try:
        yield raw
    finally:
        raw.close()
        context.term()


def exchange(raw: zmq.Socket[bytes], frames: list[Any]) -> tuple[list[bytes], dict[str, Any]]:
    """The frames of the next answer, and its header."""
    raw.send_multipart(frames)
    reply = raw.recv_multipart()
    return reply, json.loads(reply[2])


@contextmanager
def impostor(answer: Callable[[list[bytes]], list[bytes] | None]) -> Iterator[str]:
    """The address of a ROUTER that answers each message by ``answer(frames) -> frames``, and says nothing where that is None."""
    context = zmq.Context()
    router = context.socket(zmq.ROUTER)
    router.linger = 0
    port = router.bind_to_random_port("tcp://127.0.0.1")
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            if router.poll(20):
                identity, *frames = router.recv_multipart()
                reply = answer(frames)
                if reply is not None:
                    router.send_multipart([identity, *reply])

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"tcp://127.0.0.1:{port}"
    finally:
        stop.set()
        thread.join()
        router.close()
        context.term()


@contextmanager
def stalling_line(endpoint: str, after_bytes: int, stall_s: float) -> Iterator[tuple[str, list[int]]]:
    """The address of a line to ``endpoint`` that holds everything up for ``stall_s``, both ways, once ``after_bytes`` have passed one way; and
    the list that grows by one with each stall."""
    host, port = endpoint.removeprefix("tcp://").split(":")
    listener = socket.create_server(("127.0.0.1", 0))
    open_sockets: list[socket.socket] = [listener]
    stalls: list[int] = []
    moving = threading.Event()
    moving.set()

    def pump(source: socket.socket, target: socket.socket) -> None:
        passed = 0
        with suppress(OSError):
            while data := source.recv(16384):
                passed += len(data)
                if not stalls and passed > after_bytes:
                    stalls.append(passed)
                    moving.clear()
                    threading.Timer(stall_s, moving.set).start()
                moving.wait()
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection((host, int(port)))
                open_sockets.extend((near, far))
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=pump, args=ends, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}", stalls
    finally:
        moving.set()
        for end in open_sockets:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
