# SPDX-License-Identifier: Apache-2.0
"""Frames that share an inference, over real sockets: each gets its own answer, whatever happens to the others."""

from __future__ import annotations

import io
import json
import threading
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from depthbridge.engines.camera import CameraIntrinsics
from depthbridge.engines.engine import DepthEngine
from depthbridge.unity_bridge.client import DepthClient
from depthbridge.unity_bridge.errors import BridgeError
from depthbridge.unity_bridge.framing import Kind, pack_message, unpack_prefix
from depthbridge.unity_bridge.serving.server import BridgeServer
from support import onnx_models
from support.bridge_peers import LOOPBACK, dealer, exchange
from support.colour_depth import LONG_S, BatchColourDepth, ColourDepth, distance_in, frame_at, picture_of

# Long enough that what is sent at once is always collected; a full batch does not wait for its end.
DELAY_MS = 2_000


@contextmanager
def batching(engine, max_in_flight=4):
    with BridgeServer(engine, LOOPBACK, max_in_flight=max_in_flight, batch_delay_ms=DELAY_MS) as server, dealer(server.endpoint) as raw:
        yield server, raw


def infer_answers(raw, count):
    """The next answers to infer, by request id; answers of other kinds are passed over."""
    found = {}
    while len(found) < count:
        reply = raw.recv_multipart()
        if unpack_prefix(reply[0]).kind == Kind.INFER:
            assert reply[1] not in found, "answered twice"
            found[reply[1]] = json.loads(reply[2])
    return found


def test_frames_of_one_size_share_an_inference_and_each_gets_its_own_answer():
    engine = BatchColourDepth()
    with batching(engine) as (_, raw):
        for number in (1, 2, 3, 4):
            raw.send_multipart(frame_at(b"%d" % number, number + 0.5))
        answers = infer_answers(raw, 4)
    assert engine.batches == [4] and engine.calls == 0
    for number in (1, 2, 3, 4):
        answer = answers[b"%d" % number]
        assert distance_in(answer) == pytest.approx(number + 0.5, abs=1e-4)
        assert answer["batch"] == 4


def test_an_engine_that_cannot_say_how_many_it_takes_gets_them_one_by_one(caplog):
    class Odd(BatchColourDepth):
        def batch_limit(self, width, height):
            raise ZeroDivisionError

    with batching(Odd()) as (server, raw):
        for number in (1, 2):
            raw.send_multipart(frame_at(b"%d" % number, number + 0.5))
        answers = infer_answers(raw, 2)
        assert server.running
    assert [distance_in(answers[b"%d" % number]) for number in (1, 2)] == pytest.approx([1.5, 2.5], abs=1e-4)
    assert "ZeroDivisionError" in caplog.text


def test_a_frame_does_not_wait_for_others_until_its_deadline():
    with batching(BatchColourDepth()) as (server, raw):
        assert distance_in(exchange(raw, frame_at(b"1", 1.5, deadline_ms=DELAY_MS / 2))[1]) == pytest.approx(1.5, abs=1e-4)
        assert server.counters.expired == 0


def test_what_a_batch_answers_is_what_each_frame_gets_alone(tmp_path):
    """A real graph with a batch axis, and cameras of their own: metres are by the focal length."""
    graph = onnx_models.Graph("image", ["batch", 3, "h", "w"])
    value = graph.node("Mul", [graph.mean(), graph.scalar("quarter", 0.25)], "log_depth")
    graph.output(graph.node("Exp", [value], "exp"), "depth", ["batch", 1, "h", "w"])
    path = graph.save(tmp_path / "da3metric-large.onnx")
    mask = np.ones((48, 64), np.uint8)
    images = [np.full((48, 64, 3), 40 + 50 * place, np.uint8) for place in range(4)]
    cameras = [CameraIntrinsics.from_vertical_fov(30 + 20 * place, 64, 48) for place in range(4)]
    found = {}
    with DepthEngine.open(path) as engine:
        engine.warm_up(64, 48, batches=True)
        with BridgeServer(engine, LOOPBACK, batch_delay_ms=DELAY_MS) as server:

            def ask(place):
                with DepthClient(server.endpoint, timeout_s=LONG_S) as client:
                    found[place] = client.measure(images[place], cameras[place], mask)

            threads = [threading.Thread(target=ask, args=(place,)) for place in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(LONG_S)
        assert [found[place].batch for place in range(4)] == [4] * 4
        for place in range(4):
            alone = engine.estimate(images[place], cameras[place])
            assert found[place].object(1).distance.median == pytest.approx(float(np.median(alone.values)), rel=1e-5)
    assert len({round(found[place].object(1).distance.median, 3) for place in range(4)}) == 4


def test_frames_that_differ_go_apart_in_the_order_of_the_first_ones():
    engine = BatchColourDepth(threading.Event())
    with batching(engine, 6) as (_, raw):
        frames = [
            frame_at(b"wide 1", 1.0, 6, 2),
            frame_at(b"tall 1", 2.0, 2, 6),
            frame_at(b"wide 2", 3.0, 6, 2),
            frame_at(b"no camera", 4.0, 6, 2, camera=False),
            frame_at(b"tall 2", 5.0, 2, 6),
            frame_at(b"wide 3", 6.0, 6, 2),
        ]
        for frame in frames:
            raw.send_multipart(frame)
        engine.gate.set()
        answers = infer_answers(raw, 6)
    assert {name: answer["batch"] for name, answer in answers.items()} == {
        b"wide 1": 3, b"wide 2": 3, b"wide 3": 3, b"tall 1": 2, b"tall 2": 2, b"no camera": 1,
    }  # fmt: skip
    assert engine.batches == [3, 2] and engine.calls == 1
    assert [distance_in(answers[frame[1]]) for frame in frames] == pytest.approx([1, 2, 3, 4, 5, 6], abs=1e-4)


def damaged_png(request_id):
    """A frame whose header is right, and whose picture breaks off."""
    file = io.BytesIO()
    Image.fromarray(picture_of(np.full((3, 4), 9.0), 3)).save(file, "png")
    frames = frame_at(request_id, 9.0)
    header = json.loads(frames[2])
    header["payloads"][0]["encoding"] = "png"
    return pack_message(Kind.INFER, request_id, header, [file.getvalue()[: len(file.getvalue()) // 2], frames[4]])


def test_a_bad_frame_does_not_spoil_the_others():
    engine = BatchColourDepth()
    with batching(engine) as (_, raw):
        for frame in (frame_at(b"1", 1.0), damaged_png(b"bad"), frame_at(b"2", 2.0), frame_at(b"3", 3.0)):
            raw.send_multipart(frame)
        answers = infer_answers(raw, 4)
    assert answers[b"bad"]["error"]["code"] == "bad_image" and "batch" not in answers[b"bad"]
    assert [distance_in(answers[number]) for number in (b"1", b"2", b"3")] == pytest.approx([1, 2, 3], abs=1e-4)
    assert engine.batches == [3]


def test_a_frame_that_is_given_up_does_not_stop_the_others():
    engine = BatchColourDepth(threading.Event())
    with batching(engine) as (_, raw):
        for number in (b"1", b"2", b"3", b"4"):
            raw.send_multipart(frame_at(number, 1.5))
        assert engine.entered.acquire(timeout=LONG_S)
        assert exchange(raw, pack_message(Kind.CANCEL, b"2", {}))[1]["state"] == "stopping"
        engine.gate.set()
        answers = infer_answers(raw, 4)
    assert answers[b"2"]["error"]["code"] == "cancelled"
    assert all(answers[number]["status"] == "ok" for number in (b"1", b"3", b"4"))
    assert engine.batches == [4] and engine.calls == 0


def test_a_batch_that_nobody_waits_for_is_stopped():
    engine = BatchColourDepth()
    engine.waits_for_cancel = True
    with batching(engine, 2) as (_, raw):
        for number in (b"1", b"2"):
            raw.send_multipart(frame_at(number, 1.5))
        assert engine.entered.acquire(timeout=LONG_S)
        raw.send_multipart(pack_message(Kind.CANCEL, b"1", {}))
        raw.send_multipart(pack_message(Kind.CANCEL, b"2", {}))
        assert engine.stopped.acquire(timeout=LONG_S), "the engine went on"
        answers = infer_answers(raw, 2)
    assert {answer["error"]["code"] for answer in answers.values()} == {"cancelled"} and engine.calls == 0


def test_an_engine_that_fails_with_several_gets_them_one_by_one():
    engine = BatchColourDepth(fails_together=True)
    with batching(engine) as (_, raw):
        for number in (1, 2, 3, 4):
            raw.send_multipart(frame_at(b"%d" % number, float(number)))
        answers = infer_answers(raw, 4)
    assert [distance_in(answers[b"%d" % number]) for number in (1, 2, 3, 4)] == pytest.approx([1, 2, 3, 4], abs=1e-4)
    assert {answer["batch"] for answer in answers.values()} == {1} and (engine.batches, engine.calls) == ([4], 4)


@pytest.mark.parametrize("engine", [ColourDepth(), BatchColourDepth(limit=1)])
def test_an_engine_for_one_picture_is_not_waited_for(engine):
    """Had these frames waited for one another, the test would take longer than it may."""
    with BridgeServer(engine, LOOPBACK, batch_delay_ms=10_000) as server, dealer(server.endpoint) as raw:
        raw.rcvtimeo = 5_000
        assert exchange(raw, frame_at(b"1", 1.0))[1]["batch"] == 1


def test_a_batch_is_as_large_as_the_engine_takes():
    engine = BatchColourDepth(threading.Event(), limit=2)
    with batching(engine) as (_, raw):
        for number in (b"1", b"2", b"3", b"4"):
            raw.send_multipart(frame_at(number, 1.5))
        engine.gate.set()
        assert {answer["batch"] for answer in infer_answers(raw, 4).values()} == {2}
    assert engine.batches == [2, 2]


def test_without_a_delay_each_frame_goes_alone():
    engine = BatchColourDepth(threading.Event())
    with BridgeServer(engine, LOOPBACK) as server, dealer(server.endpoint) as raw:
        assert exchange(raw, pack_message(Kind.HELLO, b"h", {}))[1]["batch_max"] == 1
        for number in (b"1", b"2", b"3"):
            raw.send_multipart(frame_at(number, 1.5))
        engine.gate.set()
        assert {answer["batch"] for answer in infer_answers(raw, 3).values()} == {1}
    assert (engine.batches, engine.calls) == ([], 3)


@pytest.mark.parametrize(("max_in_flight", "expected"), [(3, 3), (20, 8)])
def test_how_large_a_batch_may_be_is_announced(max_in_flight, expected):
    with batching(BatchColourDepth(), max_in_flight) as (_, raw):
        assert exchange(raw, pack_message(Kind.HELLO, b"h", {}))[1]["batch_max"] == expected


def test_a_drain_does_not_wait_for_a_batch_to_fill():
    engine = BatchColourDepth()
    server = BridgeServer(engine, LOOPBACK, batch_delay_ms=10_000)
    server.start()
    with dealer(server.endpoint) as raw:
        raw.send_multipart(frame_at(b"1", 1.0))
        raw.send_multipart(frame_at(b"2", 1.0))
        while exchange(raw, pack_message(Kind.HEALTH, b"h", {}))[1]["in_flight"] < 2:
            pass
        raw.rcvtimeo = 5_000
        stopper = threading.Thread(target=server.stop)
        stopper.start()
        assert set(infer_answers(raw, 2)) == {b"1", b"2"}
        stopper.join(LONG_S)


@pytest.mark.parametrize("delay", [-1, 1e6, float("nan")])
def test_a_delay_that_cannot_be_kept_is_refused(delay):
    with pytest.raises(BridgeError, match="batch delay"):
        BridgeServer(ColourDepth(), LOOPBACK, batch_delay_ms=delay)
