# SPDX-License-Identifier: Apache-2.0
"""Giving up a request over real sockets: the client is free at once, the server stops working on it, and both go on.

No test here measures a time. An engine that would wait for ever is what a cancel has to get past.
"""

from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager

import numpy as np
import pytest

from depthbridge.engines import CameraSource, DepthKind, DepthMap
from depthbridge.engines.cancel import CancelToken
from depthbridge.engines.engine import DepthEngine
from depthbridge.engines.errors import CancelledError
from depthbridge.unity_bridge.client import DepthClient, RemoteEstimator
from depthbridge.unity_bridge.errors import BridgeTimeoutError
from depthbridge.unity_bridge.framing import Kind, pack_message, unpack_prefix
from depthbridge.unity_bridge.serving.server import BridgeServer
from support import onnx_models
from support.bridge_peers import LOOPBACK, dealer, exchange

LONG_S = 20
GREY = np.full((3, 4, 3), 100, np.uint8)
BLACK = np.zeros((3, 4, 3), np.uint8)


class WaitsWhenGrey:
    """Answers a black picture at once, and a grey one never: it waits until it is cancelled, or, if it is ``deaf``, until ``gate`` is set."""

    model_id = "patient"
    kind = DepthKind.METRIC
    needs_camera = False

    def __init__(self, deaf=False):
        self.deaf = deaf
        self.gate = threading.Event()
        self.entered = threading.Semaphore(0)
        self.ended = threading.Semaphore(0)
        self.seen = []

    def estimate(self, image, camera=None, *, cancel=None):
        self.seen.append(int(image[0, 0, 0]))
        if image.any():
            self.entered.release()
            if self.deaf:
                assert self.gate.wait(LONG_S)
            else:
                stopped = threading.Event()
                with cancel.on_cancel(stopped.set):
                    assert stopped.wait(LONG_S), "nobody cancelled it"
                self.ended.release()
                cancel.check()
        depth = np.ones(image.shape[:2], np.float32)
        return DepthMap(depth, self.kind, depth > 0, None, None, camera, self.model_id, CameraSource.NONE)


@contextmanager
def cancelling(when):
    """A token that a thread cancels once ``when()`` has returned."""
    token = CancelToken()
    thread = threading.Thread(target=lambda: (when(), token.cancel()))
    thread.start()
    yield token
    thread.join(LONG_S)


def infer(number, image=GREY, **more):
    payload = {"name": "image", "dtype": "u8", "channels": 3, "width": 4, "height": 3, "origin": "top_left"}
    return pack_message(Kind.INFER, number, {"payloads": [payload], "outputs": ["depth"], **more}, [image.tobytes()])


def answers(raw, count):
    """The next answers by (kind, id), as the code of their error, or what they say."""
    found = {}
    for _ in range(count):
        reply = raw.recv_multipart()
        header = json.loads(reply[2])
        kind = Kind(unpack_prefix(reply[0]).kind)
        found[kind, reply[1]] = header["error"]["code"] if header["status"] == "error" else header.get("state", "ok")
    return found


def test_a_cancel_during_an_inference_frees_client_and_server():
    engine = WaitsWhenGrey()
    with BridgeServer(engine, LOOPBACK, max_in_flight=1) as server, RemoteEstimator(server.endpoint) as remote:
        for _ in range(3):
            with cancelling(lambda: engine.entered.acquire(timeout=LONG_S)) as token, pytest.raises(CancelledError):
                remote.estimate(GREY, cancel=token)
            assert engine.ended.acquire(timeout=LONG_S), "the server went on working"
            # There is one place in this server, and the same client gets it.
            with DepthClient(server.endpoint) as other:
                while other.health()["in_flight"]:
                    pass
            assert remote.estimate(BLACK).valid.all()
        assert server.counters.cancelled == 3 and server.counters.errors == 0


def test_a_cancel_stops_a_real_engine(tmp_path):
    bright, dark = (np.full((280, 504, 3), value, np.uint8) for value in (240, 60))
    with (
        DepthEngine.open(onnx_models.slow_when_bright(tmp_path / "da3.onnx"), threads=1) as engine,
        BridgeServer(engine, LOOPBACK, max_in_flight=1) as server,
        RemoteEstimator(server.endpoint) as remote,
        DepthClient(server.endpoint) as other,
    ):

        def at_work():
            while not other.health()["in_flight"]:
                pass

        with cancelling(at_work) as token, pytest.raises(CancelledError):
            remote.estimate(bright, cancel=token)
        while other.health()["in_flight"]:  # the slow graph takes minutes
            pass
        assert remote.estimate(dark).values.tobytes() == engine.estimate(dark).values.tobytes()


def test_an_engine_that_cannot_be_stopped_still_frees_its_client():
    engine = WaitsWhenGrey(deaf=True)
    with BridgeServer(engine, LOOPBACK) as server, DepthClient(server.endpoint) as client:
        with cancelling(lambda: engine.entered.acquire(timeout=LONG_S)) as token, pytest.raises(CancelledError):
            client.estimate(GREY, cancel=token)
        assert client.health()["in_flight"] == 1  # this very client, while the engine is still at it
        engine.gate.set()
        assert client.estimate(BLACK).valid.all()
        assert client.stale_replies == 1


def test_a_request_that_waits_is_dropped_and_answered_at_once():
    engine = WaitsWhenGrey(deaf=True)
    with BridgeServer(engine, LOOPBACK, max_in_flight=2) as server, dealer(server.endpoint) as raw:
        raw.send_multipart(infer(b"works"))
        assert engine.entered.acquire(timeout=LONG_S)
        raw.send_multipart(infer(b"waits", BLACK))
        raw.send_multipart(pack_message(Kind.CANCEL, b"waits", {}))
        assert answers(raw, 2) == {(Kind.INFER, b"waits"): "cancelled", (Kind.CANCEL, b"waits"): "dropped"}
        # Its place is free again, while the first is still being worked on.
        assert exchange(raw, pack_message(Kind.HEALTH, b"h", {}))[1]["in_flight"] == 1
        raw.send_multipart(infer(b"next", BLACK))
        engine.gate.set()
        assert answers(raw, 2) == {(Kind.INFER, b"works"): "ok", (Kind.INFER, b"next"): "ok"}
        assert engine.seen == [100, 0], "what was dropped reached the engine"


def test_a_request_in_work_is_stopped_and_says_so():
    engine = WaitsWhenGrey()
    with BridgeServer(engine, LOOPBACK) as server, dealer(server.endpoint) as raw:
        raw.send_multipart(infer(b"works"))
        assert engine.entered.acquire(timeout=LONG_S)
        raw.send_multipart(pack_message(Kind.CANCEL, b"works", {}))
        assert answers(raw, 2) == {(Kind.INFER, b"works"): "cancelled", (Kind.CANCEL, b"works"): "stopping"}


def test_an_answer_that_comes_too_late_to_be_stopped_is_not_sent():
    engine = WaitsWhenGrey(deaf=True)
    with BridgeServer(engine, LOOPBACK) as server, dealer(server.endpoint) as raw:
        raw.send_multipart(infer(b"works"))
        assert engine.entered.acquire(timeout=LONG_S)
        assert exchange(raw, pack_message(Kind.CANCEL, b"works", {}))[1]["state"] == "stopping"
        engine.gate.set()
        assert answers(raw, 1) == {(Kind.INFER, b"works"): "cancelled"}


def test_what_is_not_there_is_not_cancelled():
    engine = WaitsWhenGrey()
    with BridgeServer(engine, LOOPBACK) as server, dealer(server.endpoint) as raw, dealer(server.endpoint) as stranger:
        raw.send_multipart(infer(b"1"))
        assert engine.entered.acquire(timeout=LONG_S)
        raw.send_multipart(infer(b"2", BLACK))
        while exchange(raw, pack_message(Kind.HEALTH, b"h", {}))[1]["in_flight"] < 2:
            pass
        for number in (b"1", b"2"):  # ids are a client's own: another cannot reach them
            assert exchange(stranger, pack_message(Kind.CANCEL, number, {}))[1] == {"status": "ok", "state": "unknown"}
        assert exchange(raw, pack_message(Kind.CANCEL, b"3", {}))[1]["state"] == "unknown"
        assert server.counters.cancelled == 0 and exchange(raw, pack_message(Kind.HEALTH, b"h", {}))[1]["in_flight"] == 2
        raw.send_multipart(pack_message(Kind.CANCEL, b"1", {}))
        assert answers(raw, 3)[Kind.INFER, b"2"] == "ok"
        # A request that was answered is gone, too.
        assert exchange(raw, pack_message(Kind.CANCEL, b"2", {}))[1]["state"] == "unknown"


def test_a_request_that_timed_out_is_taken_back():
    engine = WaitsWhenGrey()
    with BridgeServer(engine, LOOPBACK) as server, DepthClient(server.endpoint) as client:
        client.hello()
        with pytest.raises(BridgeTimeoutError):
            client.estimate(GREY, timeout_s=0.3)
        assert engine.ended.acquire(timeout=LONG_S), "the server went on working on what nobody waits for"
        assert client.estimate(BLACK).valid.all()


def test_a_cancel_ends_the_wait_for_a_server_that_is_not_there():
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never speaks
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with cancelling(lambda: silent.accept()) as token, pytest.raises(CancelledError):
            RemoteEstimator(address, cancel=token)


def test_a_token_cancelled_before_sends_nothing():
    engine, token = WaitsWhenGrey(), CancelToken()
    token.cancel()
    with BridgeServer(engine, LOOPBACK) as server, RemoteEstimator(server.endpoint) as remote:
        with pytest.raises(CancelledError):
            remote.estimate(BLACK, cancel=token)
        assert remote.estimate(BLACK).valid.all() and engine.seen == [0]


def test_a_server_that_stops_at_once_stops_its_engine():
    engine = WaitsWhenGrey()
    server = BridgeServer(engine, LOOPBACK)
    server.start()
    with dealer(server.endpoint) as raw:
        raw.send_multipart(infer(b"1"))
        assert engine.entered.acquire(timeout=LONG_S)
        assert server.stop(drain=False) is True
    assert engine.ended.acquire(timeout=0)


# ---- bye -------------------------------------------------------------------------------------------------------


def test_bye_takes_back_everything_of_its_connection_and_nothing_of_others():
    engine = WaitsWhenGrey()
    with BridgeServer(engine, LOOPBACK, max_in_flight=6) as server, dealer(server.endpoint) as raw, dealer(server.endpoint) as other:
        raw.send_multipart(infer(b"works"))
        assert engine.entered.acquire(timeout=LONG_S)
        other.send_multipart(infer(b"waits 1", BLACK))
        while exchange(raw, pack_message(Kind.HEALTH, b"h", {}))[1]["in_flight"] < 2:
            pass
        for number in (b"waits 1", b"waits 2"):
            raw.send_multipart(infer(number, BLACK))
        raw.send_multipart(pack_message(Kind.BYE, b"bye", {}))
        found, dropped = {}, None
        while len(found) < 3 or dropped is None:
            reply = raw.recv_multipart()
            header = json.loads(reply[2])
            if unpack_prefix(reply[0]).kind == Kind.BYE:
                assert reply[1] == b"bye"
                dropped = header
            else:
                found[reply[1]] = header["error"]["code"]
        assert dropped == {"status": "ok", "dropped": 2}
        assert found == dict.fromkeys((b"works", b"waits 1", b"waits 2"), "cancelled")
        assert engine.ended.acquire(timeout=LONG_S), "the engine went on"
        assert answers(other, 1) == {(Kind.INFER, b"waits 1"): "ok"}
        # Who said goodbye may come again on the same connection.
        raw.send_multipart(infer(b"again", BLACK))
        assert answers(raw, 1) == {(Kind.INFER, b"again"): "ok"}
        assert server.counters.cancelled == 3 and server.status.in_flight == 0


def test_bye_of_somebody_who_has_nothing_is_answered():
    with BridgeServer(WaitsWhenGrey(), LOOPBACK) as server, dealer(server.endpoint) as raw:
        assert exchange(raw, pack_message(Kind.BYE, b"1", {}))[1] == {"status": "ok", "dropped": 0}


# ---- deadlines -------------------------------------------------------------------------------------------------


def test_a_request_that_expires_behind_others_is_answered_while_they_are_worked_on():
    engine = WaitsWhenGrey()
    with BridgeServer(engine, LOOPBACK) as server, dealer(server.endpoint) as raw:
        raw.send_multipart(infer(b"works"))
        assert engine.entered.acquire(timeout=LONG_S)
        raw.send_multipart(infer(b"patient", BLACK))
        raw.send_multipart(infer(b"hurried", BLACK, deadline_ms=50))
        # The engine waits for ever: nobody's turn comes.
        assert answers(raw, 1) == {(Kind.INFER, b"hurried"): "deadline_exceeded"}
        assert exchange(raw, pack_message(Kind.HEALTH, b"h", {}))[1]["in_flight"] == 2
        assert exchange(raw, pack_message(Kind.CANCEL, b"hurried", {}))[1]["state"] == "unknown"
        raw.send_multipart(pack_message(Kind.CANCEL, b"works", {}))
        assert answers(raw, 3)[Kind.INFER, b"patient"] == "ok"
        assert engine.seen == [100, 0] and server.counters.expired == 1


def test_a_place_of_what_expired_is_free():
    engine = WaitsWhenGrey()
    with BridgeServer(engine, LOOPBACK, max_in_flight=2) as server, dealer(server.endpoint) as raw:
        raw.send_multipart(infer(b"works"))
        assert engine.entered.acquire(timeout=LONG_S)
        for _ in range(5):
            raw.send_multipart(infer(b"hurried", BLACK, deadline_ms=1))
            assert answers(raw, 1) == {(Kind.INFER, b"hurried"): "deadline_exceeded"}
        raw.send_multipart(pack_message(Kind.CANCEL, b"works", {}))
        answers(raw, 2)
        assert (server.counters.expired, server.counters.overloaded, server.status.in_flight) == (5, 0, 0)


# ---- how far it came -------------------------------------------------------------------------------------------


def timing_of(raw, request_id):
    while True:
        reply = raw.recv_multipart()
        if reply[1] == request_id and unpack_prefix(reply[0]).kind == Kind.INFER:
            header = json.loads(reply[2])
            return header, header["timing_ms"]


def test_an_error_says_which_stages_the_request_went_through():
    engine = WaitsWhenGrey()
    with BridgeServer(engine, LOOPBACK) as server, dealer(server.endpoint) as raw:
        raw.send_multipart(infer(b"works"))
        assert engine.entered.acquire(timeout=LONG_S)
        raw.send_multipart(infer(b"hurried", BLACK, deadline_ms=20))
        header, timing = timing_of(raw, b"hurried")
        assert set(timing) == {"queue", "total"} and timing["queue"] == timing["total"] >= 20 and "batch" not in header
        raw.send_multipart(infer(b"waits", BLACK))
        raw.send_multipart(pack_message(Kind.CANCEL, b"waits", {}))
        assert set(timing_of(raw, b"waits")[1]) == {"queue", "total"}
        raw.send_multipart(pack_message(Kind.CANCEL, b"works", {}))
        header, timing = timing_of(raw, b"works")
        assert list(timing) == ["queue", "decode", "infer", "total"] and timing["infer"] >= 20 and header["batch"] == 1
        assert timing["total"] == pytest.approx(sum(timing.values()) - timing["total"], abs=0.01)
        # What was never accepted was in no stage.
        assert "timing_ms" not in exchange(raw, infer(b"odd", BLACK, model="another"))[1]
