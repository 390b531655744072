# SPDX-License-Identifier: Apache-2.0
"""Peers for a ZeroMQ DEALER: real pyzmq sockets, and servers that write ZMTP by hand and break it on purpose (RFC 37/ZMTP)."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import zmq
from zmq.utils.monitor import recv_monitor_message

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01" + b"NULL".ljust(20, b"\0") + bytes(32)
Handler = Callable[[list[bytes]], list[list[bytes]]]
"""From a message without its routing id to the answers."""


def frame(body: bytes, *, more: bool = False, command: bool = False, long: bool | None = None) -> bytes:
    """One frame on the wire; ``long`` forces the form of its length."""
    flags = (1 if more else 0) | (4 if command else 0)
    if long or (long is None and len(body) > 255):
        return bytes([flags | 2]) + struct.pack(">Q", len(body)) + body
    return bytes([flags, len(body)]) + body


def command(name: str, data: bytes = b"") -> bytes:
    return frame(bytes([len(name)]) + name.encode() + data, command=True)


def ready(socket_type: str) -> bytes:
    """READY with a socket type and an empty identity."""
    return command("READY", b"\x0bSocket-Type" + struct.pack(">I", len(socket_type)) + socket_type.encode() + b"\x08Identity" + bytes(4))


@dataclass
class Peer:
    """A running server: where, and what it saw."""

    endpoint: str
    disconnects: int = 0
    notes: list[str] = field(default_factory=list)


def echo(message: list[bytes]) -> list[list[bytes]]:
    return [message]


@contextlib.contextmanager
def zmq_peer(
    handler: Handler | None = echo, *, kind: int = zmq.ROUTER, host: str = "127.0.0.1", port: int = 0, **options: object
) -> Iterator[Peer]:
    """A real ZeroMQ socket in a thread of its own; options are those of pyzmq, in lower case. Without a handler it never reads."""
    context = zmq.Context()
    server = context.socket(kind)
    for name, value in {"linger": 0, "sndhwm": 0, **options}.items():
        setattr(server, name, value)
    monitor = server.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    server.bind(f"tcp://{host}:{port or '*'}")
    peer = Peer(server.getsockopt_string(zmq.LAST_ENDPOINT))
    stop = threading.Event()
    thread = threading.Thread(target=_serve, args=(server, monitor, handler, peer, stop))
    thread.start()
    try:
        yield peer
    finally:
        stop.set()
        thread.join()
        server.disable_monitor()
        context.destroy(linger=0)


def _serve(server: zmq.Socket[bytes], monitor: zmq.Socket[bytes], handler: Handler | None, peer: Peer, stop: threading.Event) -> None:
    poller = zmq.Poller()
    poller.register(monitor, zmq.POLLIN)
    if handler is not None:
        poller.register(server, zmq.POLLIN)
    routed = server.type == zmq.ROUTER
    while not stop.is_set():
        ready_now = dict(poller.poll(50))
        if monitor in ready_now:
            recv_monitor_message(monitor)
            peer.disconnects += 1
        if server in ready_now and handler is not None:
            message = server.recv_multipart()
            for answer in handler(message[1:] if routed else message):
                server.send_multipart([*message[:1], *answer] if routed else answer)


@contextlib.contextmanager
def raw_peer(handler: Callable[[socket.socket], None], *, host: str = "127.0.0.1") -> Iterator[Peer]:
    """A TCP server; the handler has each connection in a thread of its own, and what it raises is told when the block ends (a lost connection is not)."""
    listener = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    peer = Peer(f"tcp://{host}:{listener.getsockname()[1]}")
    threads: list[threading.Thread] = []

    def work(connection: socket.socket) -> None:
        try:
            with connection:
                connection.settimeout(30)
                handler(connection)
        except ConnectionError:
            pass
        except Exception as problem:
            peer.notes.append(repr(problem))

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threads.append(threading.Thread(target=work, args=(connection,)))
                threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield peer
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in [accepting, *threads]:
            thread.join()
    assert not peer.notes, peer.notes


def receive_exactly(connection: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count:
        part = connection.recv(count - len(received))
        if not part:
            raise ConnectionError("closed")
        received += part
    return received


def receive_frame(connection: socket.socket) -> tuple[int, bytes]:
    """Flags and body."""
    flags = receive_exactly(connection, 1)[0]
    size = struct.unpack(">Q", receive_exactly(connection, 8))[0] if flags & 2 else receive_exactly(connection, 1)[0]
    return flags, receive_exactly(connection, size)


def handshake(connection: socket.socket, socket_type: str = "ROUTER") -> bytes:
    """The server's part by hand; the client's READY."""
    connection.sendall(GREETING)
    theirs = receive_exactly(connection, 64)
    assert theirs[:1] == b"\xff" and theirs[9:12] == b"\x7f\x03\x01" and theirs[12:33] == b"NULL".ljust(21, b"\0"), theirs
    connection.sendall(ready(socket_type))
    flags, body = receive_frame(connection)
    assert flags & 4 and body.startswith(b"\x05READY"), body
    return body


def until_closed(connection: socket.socket) -> bytes:
    """Everything that comes until the client hangs up."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65536):
            received += part
    return received


def dribble(connection: socket.socket, data: bytes, pause_s: float = 0.001) -> None:
    """One byte at a time, each in a packet of its own."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in data:
        connection.sendall(bytes([byte]))
        time.sleep(pause_s)


def reset(connection: socket.socket) -> None:
    """Close with RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
