# SPDX-License-Identifier: Apache-2.0
"""Who may reach a server: addresses, tokens, CURVE keys. Real sockets, real key files."""

from __future__ import annotations

import json
import logging
import shutil
import socket
import stat
import threading
import time

import pytest
import zmq
import zmq.auth

from depthbridge.engines.errors import DepthbridgeError
from depthbridge.unity_bridge.errors import BridgeError
from depthbridge.unity_bridge.framing import Kind, pack_message, pack_prefix
from depthbridge.unity_bridge.serving.access import Access, bind_address, unencrypted_warning
from depthbridge.unity_bridge.serving.keys import open_keys
from depthbridge.unity_bridge.serving.server import BridgeServer
from depthbridge.unity_bridge.tokens import read_token
from support.bridge_peers import LOOPBACK, dealer, exchange
from support.colour_depth import LONG_S, ColourDepth, frame_at

TOKEN = "sixteen or more letters: äöü"
LOCKED = Access(TOKEN)


# ---- addresses -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bind", ["tcp://127.0.0.1:5577", "tcp://127.9.8.7:0", "tcp://[::1]:5577", "tcp://localhost:5577", "tcp://lo:*"])
def test_the_loopback_needs_nothing(bind):
    assert bind_address(bind, Access()).loopback


OTHERS = ["tcp://0.0.0.0:5577", "tcp://*:5577", "tcp://192.168.1.4:5577", "tcp://[::]:5577", "tcp://[fe80::1]:5577", "tcp://8.8.8.8:0"]


@pytest.mark.parametrize("bind", OTHERS)
def test_an_address_that_others_reach_needs_a_token_or_keys(bind, tmp_path):
    with pytest.raises(BridgeError, match=r"loopback.*--token-file or --curve"):
        BridgeServer(ColourDepth(), bind)
    for access in (LOCKED, Access(keys=open_keys(tmp_path).keys)):
        assert not bind_address(bind, access).loopback


@pytest.mark.parametrize("token", ["", " ", "\n"])
def test_an_empty_token_is_none_at_all(token):
    with pytest.raises(BridgeError, match="token is empty"):
        Access(token)


@pytest.mark.parametrize(
    "bind",
    ["", "5577", "127.0.0.1:5577", "ipc:///tmp/x", "tcp://127.0.0.1", "tcp://127.0.0.1:port", "tcp://127.0.0.1:99999", "tcp://:5577",
     "tcp://[::1:5577", "tcp://::1:5577", "tcp://127.0.0.1:5577/x", "udp://127.0.0.1:1", "tcp://127.0.0.1:-1"],
)  # fmt: skip
def test_an_address_that_is_none_is_refused(bind):
    with pytest.raises(BridgeError, match=r"tcp://127\.0\.0\.1:5577"):
        BridgeServer(ColourDepth(), bind)


def test_names_are_looked_up():
    """The name of an interface that is not the loopback, and of a host that is not there."""
    interfaces = {name for _, name in socket.if_nameindex()} - {"lo", "lo0"}
    for name in interfaces:
        assert bind_address(f"tcp://{name}:0", LOCKED).text == f"tcp://{name}:0"
    with pytest.raises(BridgeError, match="neither a host nor a network interface"):
        bind_address("tcp://no-such-host.invalid:0", LOCKED)


def test_an_address_of_another_machine_is_told():
    with pytest.raises(BridgeError, match="none of this machine's"):
        BridgeServer(ColourDepth(), "tcp://192.0.2.1:0", access=LOCKED).start()


@pytest.mark.parametrize("bind", ["tcp://0.0.0.0:0", "tcp://*:0"])
def test_a_server_for_others_is_reached_at_its_address(bind):
    with BridgeServer(ColourDepth(), bind, access=LOCKED) as server:
        port = server.endpoint.rsplit(":", 1)[1]
        with dealer(f"tcp://127.0.0.1:{port}") as raw:
            assert exchange(raw, pack_message(Kind.HELLO, b"1", {"token": TOKEN}))[1]["status"] == "ok"


# ---- token -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def locked():
    with BridgeServer(ColourDepth(), LOOPBACK, access=LOCKED) as server:
        yield server


@pytest.mark.parametrize("token", [None, "", "sixteen or more letters: äö", TOKEN + " ", TOKEN.upper(), "\udcff"])
@pytest.mark.parametrize("kind", Kind)
def test_nothing_is_answered_without_the_token(kind, token, locked):
    header = {} if token is None else {"token": token}
    with dealer(locked.endpoint) as raw:
        reply, answer = exchange(raw, [pack_prefix(kind), b"x", json.dumps(header).encode()])
        if token == "\udcff":  # no text: JSON may write it, and means nothing by it
            assert answer["error"]["code"] in ("unauthorized", "bad_header")
            return
        assert (answer["error"]["code"], answer["error"]["retryable"], len(reply)) == ("unauthorized", False, 3)
        assert TOKEN not in reply[2].decode()


def test_a_stranger_learns_nothing_about_the_rest_of_his_request(locked):
    """Whatever else is wrong with it, the token comes first."""
    header = {"payloads": [], "camera": {"fx": -1, "fy": 0}, "requires": ["telepathy"], "model": "dragon"}
    with dealer(locked.endpoint) as raw:
        assert exchange(raw, [pack_prefix(Kind.INFER), b"x", json.dumps(header).encode()])[1]["error"]["code"] == "unauthorized"
        assert exchange(raw, [pack_prefix(99), b"x", b"{}"])[1]["error"]["code"] == "unauthorized"
        assert exchange(raw, [pack_prefix(Kind.HELLO), b"x", b'{"token":5}'])[1]["error"]["code"] == "bad_header"


def test_who_has_the_token_is_served(locked):
    with dealer(locked.endpoint) as raw:
        for kind in (Kind.HELLO, Kind.HEALTH, Kind.MODELS, Kind.STATS, Kind.CANCEL, Kind.BYE):
            assert exchange(raw, pack_message(kind, b"1", {"token": TOKEN}))[1]["status"] == "ok"
        assert exchange(raw, frame_at(b"1", 1.5, token=TOKEN))[1]["status"] == "ok"
    assert locked.counters.unauthorized >= 1


def test_a_server_without_a_token_does_not_mind_one():
    with BridgeServer(ColourDepth(), LOOPBACK) as server, dealer(server.endpoint) as raw:
        assert exchange(raw, frame_at(b"1", 1.5, token="whatever"))[1]["status"] == "ok"
        assert exchange(raw, frame_at(b"1", 1.5, token=None))[1]["status"] == "ok"


@pytest.mark.parametrize(
    "data", [b"0123456789abcdef", b"0123456789abcdef\n", b"\xef\xbb\xbf0123456789abcdef\r\nmore", b"  0123456789abcdef  \n"]
)
def test_the_token_is_the_first_line(data, tmp_path):
    (tmp_path / "token").write_bytes(data)
    assert read_token(tmp_path / "token") == "0123456789abcdef"


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"", "0 characters"), (b"short\n0123456789abcdef", "5 characters"), (b"\xff" * 40, "not text"), (None, "cannot be read")],
)
def test_a_token_file_without_a_token_is_told(data, words, tmp_path):
    path = tmp_path / "token"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(BridgeError, match=words):
        read_token(path)
    with pytest.raises(BridgeError, match="cannot be read"):
        read_token(tmp_path)


def test_a_token_in_the_clear_is_warned_of(tmp_path):
    keys = open_keys(tmp_path).keys
    assert unencrypted_warning(bind_address("tcp://*:1", LOCKED), LOCKED)
    for bind, access in (("tcp://127.0.0.1:1", LOCKED), ("tcp://*:1", Access(keys=keys)), ("tcp://*:1", Access(TOKEN, keys))):
        assert unencrypted_warning(bind_address(bind, access), access) is None


# ---- CURVE -----------------------------------------------------------------------------------------------------


def said(caplog, words):
    """Whether a warning with these words comes, in a while."""
    until = time.monotonic() + LONG_S
    while time.monotonic() < until:
        if any(words in record.getMessage() for record in caplog.records):
            return True
        time.sleep(0.01)
    return False


HEALTH = pack_message(Kind.HEALTH, b"1", {})


def test_keys_are_made_once_and_the_secret_ones_are_secret(tmp_path):
    folder = tmp_path / "new" / "keys"
    first = open_keys(folder)
    names = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert set(names) == {"server.key", "server.key_secret", "clients/client.key", "clients/client.key_secret"}
    assert first.made and [path.relative_to(folder).as_posix() for path in first.for_client] == ["server.key", "clients/client.key_secret"]
    for path in folder.rglob("*.key_secret"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = open_keys(folder)
    assert again.keys == first.keys and not again.made and again.for_client == first.for_client
    assert {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()} == names


def test_a_client_whose_key_was_taken_away_does_not_come_back_by_a_restart(tmp_path):
    open_keys(tmp_path)
    (tmp_path / "clients" / "client.key").unlink()
    with pytest.raises(BridgeError, match=r"has no \*\.key, .* bring back .* or remove client\.key_secret"):
        open_keys(tmp_path)
    (tmp_path / "clients" / "client.key_secret").unlink()
    assert open_keys(tmp_path).made


@pytest.mark.parametrize("lost", [False, True])
def test_the_two_files_are_what_a_client_needs(lost, tmp_path):
    opened = open_keys(tmp_path)
    if lost:
        (tmp_path / "server.key").unlink()
        opened = open_keys(tmp_path)
    server_key, _ = zmq.auth.load_certificate(opened.for_client[0])
    public, secret = zmq.auth.load_certificate(opened.for_client[1])
    with BridgeServer(ColourDepth(), LOOPBACK, access=Access(keys=opened.keys)) as server:
        with dealer(server.endpoint, keys=(server_key, public, secret)) as raw:
            assert exchange(raw, frame_at(b"1", 1.5))[1]["status"] == "ok"
            assert (server.status.clients, server.status.turned_away) == (1, 0)
        until = time.monotonic() + LONG_S
        while server.status.clients and time.monotonic() < until:
            time.sleep(0.01)
        assert server.status.clients == 0


def test_a_client_that_is_added_may_come_in_at_once(tmp_path, caplog):
    keys = open_keys(tmp_path / "server").keys
    file, _ = zmq.auth.create_certificates(tmp_path, "newcomer")
    public, secret = zmq.auth.load_certificate(tmp_path / "newcomer.key_secret")
    with BridgeServer(ColourDepth(), LOOPBACK, access=Access(keys=keys)) as server:
        with dealer(server.endpoint, keys=(keys.public, public, secret)) as raw, caplog.at_level(logging.WARNING):
            raw.send_multipart(HEALTH)
            assert said(caplog, "not in") and "127.0.0.1" in caplog.text
        assert server.status.turned_away == 1
        shutil.copy(file, keys.clients)
        with dealer(server.endpoint, keys=(keys.public, public, secret)) as raw:
            assert exchange(raw, HEALTH)[1]["live"]


def test_clients_without_keys_are_turned_away_and_the_server_says_so_once(tmp_path, caplog):
    keys = open_keys(tmp_path).keys
    with BridgeServer(ColourDepth(), LOOPBACK, access=Access(keys=keys)) as server, caplog.at_level(logging.WARNING):
        for count in range(1, 6):
            with dealer(server.endpoint) as raw:
                raw.send_multipart(HEALTH)
                until = time.monotonic() + LONG_S
                while server.status.turned_away < count and time.monotonic() < until:
                    time.sleep(0.01)
        assert server.status.turned_away >= 5 and caplog.text.count("without keys") == 1
        assert (server.counters.received, server.status.clients) == (0, 0)


def test_a_client_with_another_servers_key_is_told_apart(tmp_path, caplog):
    keys, others = open_keys(tmp_path / "one").keys, open_keys(tmp_path / "two").keys
    public, secret = zmq.curve_keypair()
    with (
        BridgeServer(ColourDepth(), LOOPBACK, access=Access(keys=keys)) as server,
        dealer(server.endpoint, keys=(others.public, public, secret)) as raw,
        caplog.at_level(logging.WARNING),
    ):
        raw.send_multipart(HEALTH)
        assert said(caplog, "another server's key")


def test_a_damaged_key_file_keeps_out_nobody_who_is_known(tmp_path, caplog):
    opened = open_keys(tmp_path)
    (opened.keys.clients / "aaa.key").write_bytes(b"\xff\x00 nothing")
    (opened.keys.clients / "zzz.key").write_text('curve\n    public-key = "short"\n')
    public, secret = zmq.auth.load_certificate(opened.for_client[1])
    with BridgeServer(ColourDepth(), LOOPBACK, access=Access(keys=opened.keys)) as server, caplog.at_level(logging.WARNING):
        with dealer(server.endpoint, keys=(opened.keys.public, public, secret)) as raw:
            assert exchange(raw, HEALTH)[1]["live"]
        with dealer(server.endpoint, keys=(opened.keys.public, *zmq.curve_keypair())) as raw:
            raw.send_multipart(HEALTH)
            assert said(caplog, "zzz.key")


def test_strangers_on_the_port_do_not_hurt(tmp_path):
    opened = open_keys(tmp_path)
    public, secret = zmq.auth.load_certificate(opened.for_client[1])
    with BridgeServer(ColourDepth(), LOOPBACK, access=Access(keys=opened.keys)) as server:
        port = int(server.endpoint.rsplit(":", 1)[1])
        for text in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x01\x00abc", bytes(64), b"\xff" * 4000):
            with socket.create_connection(("127.0.0.1", port), timeout=5) as stranger:
                stranger.sendall(text)
        with dealer(server.endpoint, keys=(opened.keys.public, public, secret)) as raw:
            assert exchange(raw, HEALTH)[1]["live"]
        assert server.counters.garbage == 0


def test_token_and_keys_together_are_both_asked_for(tmp_path):
    opened = open_keys(tmp_path)
    public, secret = zmq.auth.load_certificate(opened.for_client[1])
    with (
        BridgeServer(ColourDepth(), LOOPBACK, access=Access(TOKEN, opened.keys)) as server,
        dealer(server.endpoint, keys=(opened.keys.public, public, secret)) as raw,
    ):
        assert exchange(raw, HEALTH)[1]["error"]["code"] == "unauthorized"
        assert exchange(raw, pack_message(Kind.HEALTH, b"1", {"token": TOKEN}))[1]["live"]


@pytest.mark.parametrize("missing", ["server.key_secret", "clients/client.key"])
def test_half_a_pair_is_never_written_over(missing, tmp_path):
    open_keys(tmp_path)
    (tmp_path / missing).unlink()
    left = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(DepthbridgeError, match=r"server\.key|client\.key_secret"):
        open_keys(tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == left


@pytest.mark.parametrize("content", ["", 'curve\n    public-key = "x"\n    secret-key = "y"\n', "no keys"])
def test_keys_that_are_none_are_told(content, tmp_path):
    open_keys(tmp_path)
    (tmp_path / "server.key_secret").write_text(content)
    with pytest.raises(BridgeError, match=r"server\.key_secret"):
        open_keys(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(DepthbridgeError, match="it is a file"):
        open_keys(tmp_path / "file")


def test_twenty_starts_and_stops_with_keys_leave_nothing(tmp_path):
    access = Access(keys=open_keys(tmp_path).keys)
    before = set(threading.enumerate())
    with BridgeServer(ColourDepth(), LOOPBACK, access=access) as server:
        endpoint = server.endpoint
    for _ in range(20):
        with BridgeServer(ColourDepth(), endpoint, access=access):
            pass
    assert set(threading.enumerate()) <= before
