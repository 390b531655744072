# SPDX-License-Identifier: Apache-2.0
"""The C# transport where things go wrong: no server, another server, one that breaks, stops reading or goes away. Each ends with a reason."""

from __future__ import annotations

import http.server
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import zmq
from zmq.auth.thread import ThreadAuthenticator

from support.transport import DIFFERENCES, KINDS, failure, message, run
from support.zmtp_peers import (
    GREETING,
    Peer,
    command,
    dribble,
    frame,
    handshake,
    raw_peer,
    ready,
    receive_exactly,
    receive_frame,
    reset,
    until_closed,
    zmq_peer,
)

# ---- no connection


def test_an_endpoint_that_is_none_is_told_before_anything_is_tried() -> None:
    cases = {
        "127.0.0.1:5577": "tcp:// is missing",
        "ipc://x": "only tcp",
        "tcp://127.0.0.1": "port is missing",
        "tcp://h:0": "1 to 65535",
        "tcp://h:65536": "1 to 65535",
    }
    cases |= {
        "tcp://*:5577": "address to bind",
        "tcp://:5577": "host is missing",
        "tcp://::1:5577": "brackets",
        "tcp://[::1]": "port is missing",
        "tcp://[x]:1": "brackets",
    }
    for endpoint, why in cases.items():
        said = run("managed", "connect", endpoint, 1000)
        assert failure(said) == "BadEndpoint" and why in message(said) and "tcp://127.0.0.1:5577" in message(said), (endpoint, said)


@pytest.mark.parametrize("kind", KINDS)
def test_a_port_where_nothing_listens(kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    said = run(kind, "connect", f"tcp://127.0.0.1:{port}", 2000)
    assert failure(said) == "Refused"
    if kind == "managed":
        assert f":{port}" in message(said) and "start the server" in message(said)


def test_a_host_that_nobody_knows() -> None:
    said = run("managed", "connect", "tcp://no-such-host.invalid:5577", 5000)
    assert failure(said) == "UnknownHost" and "no-such-host.invalid" in message(said) and "spelling" in message(said)


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_accepts_and_says_nothing(kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the system accepts for it
        said = run(kind, "connect", f"tcp://127.0.0.1:{silent.getsockname()[1]}", 1000)
    assert failure(said) == "Timeout"
    assert kind == "libzmq" or "said nothing" in message(said)


def test_a_server_whose_queue_of_connections_is_full() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1) as full:
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        said = run("managed", "connect", f"tcp://127.0.0.1:{address[1]}", 1000)
        for one in waiting:
            one.close()
    assert failure(said) == "Timeout" and "firewall" in message(said)


@pytest.mark.parametrize("kind", KINDS)
def test_a_curve_server_is_named(kind: str) -> None:
    public, secret = zmq.curve_keypair()
    with zmq_peer(curve_server=True, curve_publickey=public, curve_secretkey=secret) as peer:
        said = run(kind, "connect", peer.endpoint, 3000)
    assert failure(said) in (("NeedsCurve",) if kind == "managed" else ("Closed", "Violation")), DIFFERENCES["mechanism"]
    assert kind == "libzmq" or "needs CURVE; this client speaks NULL: " in message(said)


@pytest.mark.parametrize("kind", KINDS)
def test_a_plain_server_is_named(kind: str) -> None:
    with zmq_peer(plain_server=True) as peer:
        said = run(kind, "connect", peer.endpoint, 3000)
    assert failure(said) in (("NeedsCurve",) if kind == "managed" else ("Closed", "Violation")), DIFFERENCES["mechanism"]
    assert kind == "libzmq" or "needs PLAIN; this client speaks NULL: " in message(said)


def test_a_server_that_admits_nobody() -> None:
    context = zmq.Context()
    gate = ThreadAuthenticator(context)
    gate.start()
    gate.deny("127.0.0.1")
    server = context.socket(zmq.ROUTER)
    server.zap_domain = b"test"
    port = server.bind_to_random_port("tcp://127.0.0.1")
    said = run("managed", "connect", f"tcp://127.0.0.1:{port}", 3000)
    gate.stop()
    context.destroy(linger=0)
    assert failure(said) == "Refused" and "'400'" in message(said), said


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("server", [zmq.PUB, zmq.PULL, zmq.PAIR])
def test_a_socket_of_a_type_that_cannot_talk_to_a_dealer(kind: str, server: int) -> None:
    with zmq_peer(None, kind=server) as peer:
        said = run(kind, "connect", peer.endpoint, 3000)
    if kind == "managed":
        assert failure(said) == "WrongPeer" and f"of type {zmq.SocketType(server).name}" in message(said)
    else:
        assert failure(said) in ("Closed", "Violation"), DIFFERENCES["type"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_http_server(kind: str) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        said = run(kind, "connect", f"tcp://127.0.0.1:{server.server_port}", 2000)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    if kind == "managed":
        assert failure(said) == "NotZeroMq" and "an HTTP server" in message(said), said
    else:
        assert failure(said) == "Timeout", DIFFERENCES["http"]


def says(data: bytes) -> Callable[[socket.socket], None]:
    """A server that says this whatever it hears."""

    def handler(connection: socket.socket) -> None:
        connection.sendall(data)
        until_closed(connection)

    return handler


SIGNATURE = b"\xff" + bytes(8) + b"\x7f"
GREETINGS = {
    "http at once": (b"HTTP/1.1 400 Bad Request\r\n\r\n", "NotZeroMq", "an HTTP server"),
    "ssh": (b"SSH-2.0-OpenSSH_9.2\r\n", "NotZeroMq", "SSH-2.0-OpenSSH_9.2"),
    "binary": (b"\x15\x03\x03\x00\x02\x02\x28", "NotZeroMq", "no ZeroMQ server"),
    "ff, and no signature": (b"\xff" + b"\x00" * 20, "NotZeroMq", "no ZeroMQ server"),
    "zmtp 1": (b"\x01\x00", "NotZeroMq", "before version 3"),
    "zmtp 1 with identity": (b"\x04\x00abc", "NotZeroMq", "before version 3"),
    "zmtp 2": (SIGNATURE + b"\x01\x06\x00\x00", "NotZeroMq", "before version 3"),
    "half a greeting": (GREETING[:30], "Timeout", "did not finish"),
    "no ready": (GREETING, "Timeout", "did not finish"),
    "a message for a ready": (GREETING + frame(b"hello"), "Violation", "handshake"),
    "a large message for a ready": (GREETING + frame(bytes(300_000)), "TooLarge", "300000"),
    "a ready without a type": (GREETING + command("READY", b"\x08Identity" + bytes(4)), "Violation", "READY"),
    "a ready cut short": (GREETING + command("READY", b"\x0bSocket-Type\x00\x00\x01\x00ROUTER"), "Violation", "READY"),
    "a ready of a huge property": (GREETING + command("READY", b"\x0bSocket-Type\xff\xff\xff\xffROUTER"), "Violation", "READY"),
    "an error": (GREETING + command("ERROR", b"\x07no room"), "Refused", "'no room'"),
    "an error of lies": (GREETING + command("ERROR", b"\xffno"), "Refused", "'no'"),
    "reserved flags": (GREETING + b"\x0c\x01x", "Violation", "0x0c"),
    "lower case, and more": (GREETING + command("READY", b"\x0bsocket-TYPE\x00\x00\x00\x06ROUTER\x01X\x00\x00\x00\x01y"), "none", ""),
    "a newer version": (GREETING[:10] + b"\x04\x02" + GREETING[12:] + ready("ROUTER"), "none", ""),
}


@pytest.mark.parametrize("name", GREETINGS)
def test_every_wrong_beginning_is_explained(name: str) -> None:
    data, expected, words = GREETINGS[name]
    with raw_peer(says(data)) as peer:
        said = run("managed", "connect", peer.endpoint, 1500)
    assert failure(said) == expected and words in message(said), said
    assert expected == "none" or peer.endpoint in message(said)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("after", [0, 1, 10, 12, 33, 64, 70])
def test_closed_during_the_handshake(kind: str, after: int) -> None:
    def handler(connection: socket.socket) -> None:
        connection.sendall((GREETING + ready("ROUTER"))[:after])
        receive_exactly(connection, 10)

    with raw_peer(handler) as peer:
        said = run(kind, "connect", peer.endpoint, 3000)
    assert failure(said) in (("Closed",) if kind == "managed" else ("Closed", "Refused", "Violation")), said
    assert kind == "libzmq" or "during the handshake" in message(said) or "lost" in message(said)


def test_a_server_that_speaks_only_when_it_has_heard_all() -> None:
    def handler(connection: socket.socket) -> None:
        receive_exactly(connection, 64)
        connection.sendall(GREETING)
        receive_frame(connection)
        connection.sendall(ready("ROUTER"))
        until_closed(connection)

    with raw_peer(handler) as peer:  # a client that waits for the end of its own limit is stuck as far as this test goes
        assert failure(run("managed", "connect", peer.endpoint, 60000, timeout_s=25)) == "none"


# ---- what goes wrong later


def stream(*parts: bytes) -> Callable[[socket.socket], None]:
    """A good handshake, then these bytes, then the end once the client has hung up or everything is out."""

    def handler(connection: socket.socket) -> None:
        handshake(connection)
        for part in parts:
            connection.sendall(part)
        connection.shutdown(socket.SHUT_WR)
        until_closed(connection)

    return handler


LIMIT = 1_000_000
BROKEN = {
    "reserved bit": (b"\x08\x01x", "Violation"),
    "all bits": (b"\xff" * 40, "Violation"),
    "command that continues": (b"\x05\x07\x04PING\x00\x00", "Violation"),
    "length beyond 63 bits": (b"\x02" + b"\xff" * 8, "Violation"),
    "length of 2^62": (b"\x02\x40" + bytes(7) + b"x" * 100, "TooLarge"),
    "one byte over the limit": (b"\x02" + struct.pack(">Q", LIMIT + 1), "TooLarge"),
    "frames that add up": (frame(bytes(LIMIT), more=True) * 2 + frame(bytes(1)), "TooLarge"),
    "too many frames": (frame(b"", more=True) * 1000, "TooLarge"),
    "long command": (b"\x06" + struct.pack(">Q", 1 << 40), "Violation"),
    "empty command": (b"\x04\x00", "Violation"),
    "command without its name": (b"\x04\x03\x09PI", "Violation"),
    "ping without its time": (command("PING", b"\x00"), "Violation"),
    "error": (command("ERROR", b"\x04full"), "Closed"),
    "end in a frame": (frame(bytes(1000))[:500], "Closed"),
    "end in a length": (b"\x02\x00\x00", "Closed"),
    "end in a message": (frame(b"x", more=True), "Closed"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_stream_that_breaks_ends_with_a_reason_after_what_was_good(name: str) -> None:
    data, expected = BROKEN[name]
    with raw_peer(stream(frame(b"good"), data)) as peer:
        said = run("managed", "receive", peer.endpoint, LIMIT)
    assert said["message_first"] == ["4"], "what came before is delivered, what broke is not"
    assert failure(said) == expected and peer.endpoint in message(said), said
    assert int(said["peak_mib"][0]) < 100


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["length of 2^62", "one byte over the limit", "end in a frame", "end in a message"])
def test_both_transports_deliver_the_good_and_end_at_the_bad(kind: str, name: str) -> None:
    with raw_peer(stream(frame(b"good"), BROKEN[name][0])) as peer:
        said = run(kind, "receive", peer.endpoint, LIMIT)
    assert said["message_first"] == ["4"] and failure(said) != "none"


def test_announced_bytes_cost_no_memory_until_they_come() -> None:
    def handler(connection: socket.socket) -> None:
        handshake(connection)
        connection.sendall(b"\x02" + struct.pack(">Q", 1_500_000_000) + bytes(100_000))
        time.sleep(0.5)

    with raw_peer(handler) as peer:
        said = run("managed", "receive", peer.endpoint, 2_000_000_000)
    # Untouched pages are not resident: the address space tells what was asked for (about 500 MiB without any message).
    assert failure(said) == "Closed" and int(said["peak_mib"][0]) < 100 and int(said["peak_virtual_mib"][0]) < 1200, said


@pytest.mark.parametrize("seed", range(10))
def test_random_bytes_end_with_a_reason(seed: int) -> None:
    garbage = random.Random(seed).randbytes(100_000)
    with raw_peer(stream(garbage)) as peer:
        said = run("managed", "receive", peer.endpoint, LIMIT)
    assert failure(said) in ("Violation", "TooLarge", "Closed") and int(said["peak_mib"][0]) < 100


@pytest.mark.parametrize("kind", KINDS)
def test_a_reset_in_mid_frame(kind: str) -> None:
    def handler(connection: socket.socket) -> None:
        handshake(connection)
        connection.sendall(frame(b"good") + frame(bytes(100_000))[:50_000])
        receive_frame(connection)
        time.sleep(0.3)
        reset(connection)

    with raw_peer(handler) as peer:
        said = run(kind, "receive", peer.endpoint, LIMIT)
    assert said["message_first"] == ["4"] and failure(said) == "Closed"


@pytest.mark.parametrize("kind", KINDS)
def test_one_byte_at_a_time(kind: str) -> None:
    def handler(connection: socket.socket) -> None:
        dribble(connection, GREETING)
        receive_exactly(connection, 64)
        dribble(
            connection,
            ready("ROUTER") + frame(b"a", more=True) + command("PING", bytes(2) + b"c") + frame(bytes(300), more=True) + frame(b"", long=True),
        )
        seen = b""
        while not seen.endswith(b"\x04PONGc"):
            seen += receive_exactly(connection, 1)

    with raw_peer(handler) as peer:
        said = run(kind, "receive", peer.endpoint, LIMIT)
    assert said["message_frames"] == ["3"] and failure(said) == "Closed"


def deaf(connection: socket.socket) -> None:
    handshake(connection)
    deafness.wait(30)


deafness = threading.Event()


@pytest.fixture
def deaf_peer() -> Iterator[Peer]:
    """A server that reads nothing after the handshake."""
    deafness.clear()
    with raw_peer(deaf) as peer:
        try:
            yield peer
        finally:
            deafness.set()


@pytest.mark.parametrize("kind", KINDS)
def test_a_send_to_a_server_that_does_not_read_gives_up(kind: str, deaf_peer: Peer) -> None:
    said = run(kind, "stuck", deaf_peer.endpoint, 500, 0, 1)
    assert failure(said) == "Timeout"
    assert kind == "libzmq" or "took no byte for 500 ms" in message(said)


@pytest.mark.parametrize("kind", KINDS)
def test_close_wakes_a_send(kind: str, deaf_peer: Peer) -> None:
    said = run(kind, "stuck", deaf_peer.endpoint, 25000, 500, 1)
    assert failure(said) == "Closed", said


def test_a_send_that_advances_is_not_given_up() -> None:
    def handler(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        handshake(connection)
        for _ in range(40):  # the first message alone takes longer than the limit
            time.sleep(0.1)
            receive_exactly(connection, 300_000)

    with raw_peer(handler) as peer:
        said = run("managed", "stuck", peer.endpoint, 1000, 0, 8)
    assert failure(said) == "Closed" and said["sent"][0] == "1", said
