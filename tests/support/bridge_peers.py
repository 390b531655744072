# SPDX-License-Identifier: Apache-2.0
"""The other end of a bridge, for tests: a bare socket that sends any frames, and a server that answers whatever it is told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import zmq

LOOPBACK = "tcp://127.0.0.1:0"


@contextmanager
def dealer(endpoint: str, kind: int = zmq.DEALER) -> Iterator[zmq.Socket[bytes]]:
    """A bare socket, connected."""
    context = zmq.Context()
    raw = context.socket(kind)
    raw.linger, raw.rcvtimeo, raw.sndtimeo = 0, 20_000, 5_000
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
