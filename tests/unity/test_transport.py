# SPDX-License-Identifier: Apache-2.0
"""The C# transport against real ZeroMQ: the same cases run over the real libzmq, which is the judge (``support.transport.DIFFERENCES``)."""

from __future__ import annotations

import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
import zmq

from support.mono import CORE, PACKAGE, compile_cs, run_nunit, sources
from support.transport import CONFIG, DIFFERENCES, KINDS, LIBZMQ, failure, harness, message, run
from support.zmtp_peers import Handler, command, echo, frame, handshake, raw_peer, receive_frame, until_closed, zmq_peer


def test_nunit(tmp_path: Path) -> None:
    """The suite that Unity runs, too, and once more over libzmq; the fuzzer is in it."""
    files = [*sources(CORE / "Transport"), *(PACKAGE / "Tests" / "Core").glob("Transport*.cs"), *LIBZMQ.glob("Libzmq*.cs")]
    assembly = compile_cs(tmp_path / "transport_tests.dll", files, nunit=True)
    assembly.with_name("transport_tests.dll.config").write_text(CONFIG)
    result = run_nunit(assembly)
    assert not result.failures, "\n".join(result.failures)
    assert result.passed >= 81


# ---- what works


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_frames_of_every_size_come_back_as_they_were(kind: str, host: str) -> None:
    sizes = [0, 1, 254, 255, 256, 257, 4095, 4096, 4097, 65535, 65536, 65537, 1_000_003]
    sizes += [100_000_000] if host == "127.0.0.1" else []
    with zmq_peer(host="[::1]" if host == "[::1]" else "127.0.0.1", ipv6=host == "[::1]") as peer:
        said = run(kind, "echo", peer.endpoint.replace("127.0.0.1", host), *sizes)
    assert failure(said) == "none" and said["echo"] == list(map(str, sizes))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("server", [zmq.REP, zmq.DEALER])
def test_other_sockets_that_talk_to_a_dealer_do(kind: str, server: int) -> None:
    # A REP demands an empty delimiter first: it is connected to and no more.
    with zmq_peer(echo, kind=server) as peer:
        case, number = ("echo", 5000) if server == zmq.DEALER else ("connect", 5000)
        assert failure(run(kind, case, peer.endpoint, number)) == "none"


@pytest.mark.parametrize("kind", KINDS)
def test_messages_of_many_frames_stay_whole(kind: str) -> None:
    with zmq_peer() as peer:
        assert run(kind, "frames", peer.endpoint, 1000, 3000)["frames"] == ["1000"]


@pytest.mark.parametrize("kind", KINDS)
def test_messages_of_four_threads_never_mix(kind: str) -> None:
    with zmq_peer() as peer:
        assert run(kind, "senders", peer.endpoint, 4, 500)["messages"] == ["2000"]


@pytest.mark.parametrize("kind", KINDS)
def test_fifty_times_play_and_stop_leave_no_thread(kind: str) -> None:
    with zmq_peer() as peer:
        said = run(kind, "cycles", peer.endpoint, 50)
    assert failure(said) == "none"
    # 45 cycles lie between the two counts; the runtime's own pool may grow a little meanwhile.
    assert int(said["threads_after"][0]) <= int(said["threads_early"][0]) + 10, said


ECHO_PROGRAM = """
import sys, zmq
server = zmq.Context().socket(zmq.ROUTER)
server.linger = 0
server.bind(sys.argv[1])
print("up", flush=True)
while True:
    server.send_multipart(server.recv_multipart())
"""


def start_echo(endpoint: str) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", ECHO_PROGRAM, endpoint], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "up\n"
    return process


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_killed_in_mid_stream_is_told_and_a_new_connection_goes_on(kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        endpoint = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    server = start_echo(endpoint)
    client = subprocess.Popen(["mono", "--debug", str(harness()), kind, "stream", endpoint, "3000"], stdout=subprocess.PIPE, text=True)
    try:
        for _ in range(2):
            assert client.stdout is not None
            while not client.stdout.readline().startswith("connected="):
                pass
            time.sleep(0.2)
            server.send_signal(signal.SIGKILL)
            server.wait()
            server = start_echo(endpoint)
        rest = client.communicate(timeout=60)[0]
    finally:
        client.kill()
        server.kill()
        server.wait()
    assert "made=3000" in rest and "failure=none" in rest, rest


# ---- heartbeats


def burst(count: int, size: int) -> Handler:
    """Answers "begin" with numbered messages and an end, anything else with itself."""

    def handler(parts: list[bytes]) -> list[list[bytes]]:
        if parts[0] != b"begin":
            return [parts]
        return [[struct.pack("<i", i), bytes(size)] for i in range(count)] + [[b"end"]]

    return handler


@pytest.mark.parametrize("kind", KINDS)
def test_heartbeats_are_answered_while_the_consumer_sleeps(kind: str) -> None:
    with zmq_peer(burst(20, 1000), heartbeat_ivl=200, heartbeat_timeout=400) as peer:
        said = run(kind, "pause", peer.endpoint, 4000, 64)
        seen = peer.disconnects
    assert failure(said) == "none" and said["received"] == ["20"] and said["answer"] == ["still here"]
    assert seen <= 1, "the connection was cut while the consumer slept"


@pytest.mark.parametrize("kind", KINDS)
def test_heartbeats_are_answered_while_the_inbox_is_full(kind: str) -> None:
    # More than the sockets' buffers hold: the pings of the server lie unread behind its messages.
    with zmq_peer(burst(200, 100_000), heartbeat_ivl=200, heartbeat_timeout=400) as peer:
        said = run(kind, "pause", peer.endpoint, 3000, 2)
    if kind == "managed":
        assert failure(said) == "none" and said["received"] == ["200"] and said["answer"] == ["still here"], said
    else:
        assert failure(said) == "Closed", DIFFERENCES["full inbox"]


def pings(connection: socket.socket) -> None:
    """PINGs of every form, also between a message's frames; each PONG brings its context back."""
    handshake(connection)
    contexts = [b"", b"x", b"0123456789abcdef"]
    for context in contexts:
        connection.sendall(command("PING", bytes(2) + context))
    connection.sendall(frame(b"one", more=True) + command("PING", bytes(2) + b"between") + frame(b"two"))
    answers: list[bytes] = []
    while len(answers) < 4:
        flags, body = receive_frame(connection)
        if flags & 4:
            answers.append(body)
    assert answers == [b"\x04PONG" + context for context in [*contexts, b"between"]]
    connection.sendall(command("PONG", b"unasked") + command("UNKNOWN", b"future") + frame(b"end"))
    time.sleep(0.2)


@pytest.mark.parametrize("kind", KINDS)
def test_every_ping_is_answered_with_its_context(kind: str) -> None:
    with raw_peer(pings) as peer:
        said = run(kind, "receive", peer.endpoint, 1000)
    assert failure(said) == "Closed" and said["message_frames"] == ["2", "1"], said


def promises(connection: socket.socket) -> None:
    """A PING that promises a sign of life every 300 ms, kept for a while and then broken."""
    handshake(connection)
    for _ in range(8):
        connection.sendall(command("PING", struct.pack(">H", 3)))
        time.sleep(0.15)
    connection.sendall(frame(b"last") + command("PING", struct.pack(">H", 3)))
    until_closed(connection)


@pytest.mark.parametrize("kind", KINDS)
def test_a_half_open_server_is_noticed_by_the_time_it_promised(kind: str) -> None:
    with raw_peer(promises) as peer:
        said = run(kind, "receive", peer.endpoint, 1000)
    assert said["message_first"] == ["4"], "cut while the promise was kept"
    assert failure(said) == ("Timeout" if kind == "managed" else "Closed"), DIFFERENCES["promise"]
    assert kind == "libzmq" or "every 300 ms" in message(said)
