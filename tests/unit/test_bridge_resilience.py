# SPDX-License-Identifier: Apache-2.0
"""What a server outlives: floods, bombs, clients that do not read, and many at once. Whoever behaves is served all the while."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
import zlib
from collections import Counter
from contextlib import contextmanager

import numpy as np
import pytest
import zmq

from depthbridge.unity_bridge.client import DepthClient, EncodedPicture
from depthbridge.unity_bridge.framing import Kind, pack_message, pack_prefix
from depthbridge.unity_bridge.serving.payloads import ServerLimits
from depthbridge.unity_bridge.serving.server import BridgeServer
from support.bridge_peers import LOOPBACK, dealer, exchange, stalling_line
from support.colour_depth import LONG_S, ColourDepth, distance_in, frame_at, picture_of


@contextmanager
def visited(engine=None, **more):
    """A server, a bad client's socket, and at the end the proof that a good one is served."""
    with BridgeServer(engine or ColourDepth(), LOOPBACK, **more) as server:
        with dealer(server.endpoint) as bad:
            yield server, bad
        with dealer(server.endpoint) as good:
            assert distance_in(exchange(good, frame_at(b"good", 1.25))[1]) == pytest.approx(1.25, abs=1e-4)


def test_a_message_of_two_hundred_thousand_parts():
    with visited() as (_, bad):
        _, answer = exchange(bad, [pack_prefix(Kind.INFER), b"x", b"{}", *[b"part"] * 200_000])
        assert answer["error"]["code"] == "too_large" and "200003 frames" in answer["error"]["message"]
        bad.send_multipart([b"part"] * 200_000)
        assert exchange(bad, pack_message(Kind.STATS, b"s", {}))[1]["counters"]["garbage"] == 1


def test_a_frame_over_the_limit_ends_the_connection_and_nothing_else():
    with visited(limits=ServerLimits(max_message_bytes=100_000)) as (server, bad), dealer(server.endpoint) as good:
        bad.send_multipart([pack_prefix(Kind.INFER), b"big", b"{}", bytes(100_001)])
        bad.rcvtimeo = 300
        with pytest.raises(zmq.Again):
            bad.recv_multipart()
        assert exchange(good, pack_message(Kind.HEALTH, b"1", {}))[1]["live"]
        bad.rcvtimeo = LONG_S * 1000
        assert exchange(bad, pack_message(Kind.HEALTH, b"2", {}))[1]["live"], "the same socket connects again by itself"


def bomb(width, height):
    """A PNG of one colour, small for what it unpacks to, whose own header says its size."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    packer = zlib.compressobj(9)
    row = bytes(1 + width * 3)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_a_decompression_bomb_is_refused_by_its_header():
    engine = ColourDepth()
    data = bomb(8000, 8000)
    assert len(data) < 500_000 and ServerLimits().max_pixels < 8000 * 8000
    with visited(engine) as (_, bad):
        for described, code in (((8000, 8000), "too_large"), ((4, 3), "size_mismatch"), ((65535, 65535), "too_large"), ((0, 0), "bad_header")):
            image = {"name": "image", "encoding": "png", "width": described[0], "height": described[1], "origin": "top_left"}
            header = {"payloads": [image], "outputs": ["depth"]}
            assert exchange(bad, pack_message(Kind.INFER, b"b", header, [data]))[1]["error"]["code"] == code
        assert engine.calls == 0


def test_half_open_connections_and_other_protocols_are_left_standing():
    with visited() as (server, _):
        port = int(server.endpoint.rsplit(":", 1)[1])
        strangers = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(20)]
        for number, stranger in enumerate(strangers):
            stranger.sendall((b"", b"GET / HTTP/1.1\r\n\r\n", b"\xff\0\0\0\0\0\0\0\x09\x7f", b"\x16\x03\x01\x02\x00")[number % 4])
        with dealer(server.endpoint) as good:
            assert exchange(good, frame_at(b"1", 1.5))[1]["status"] == "ok"
        for stranger in strangers:
            stranger.close()


@pytest.mark.parametrize(
    "camera",
    [
        {"fx": 1e-300, "fy": 1e-300}, {"fx": 1e300, "fy": 1e300}, {"fx": 4, "fy": 4, "cx": 1e300}, {"fx": 0, "fy": 4}, {"fx": 4, "fy": -0.0},
        {"fx": 4, "fy": 4, "extrinsics": [[0, 0, 0, 0]] * 3}, {"fx": 4, "fy": 4, "extrinsics": [[1e200, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]},
        {"fx": 4, "fy": 4, "extrinsics": [[1, 0, 0, 1e300], [0, 1, 0, 0], [0, 0, 1, 0]]},
    ],
)  # fmt: skip
def test_absurd_cameras_are_refused_before_anything_is_done(camera):
    engine = ColourDepth()
    with visited(engine) as (_, bad):
        frames = frame_at(b"1", 1.5)
        header = {**json.loads(frames[2]), "camera": camera}
        assert exchange(bad, pack_message(Kind.INFER, b"1", header, frames[3:]))[1]["error"]["code"] == "bad_camera"
        assert engine.calls == 0


def test_one_id_sent_twice_is_answered_twice():
    gate = threading.Event()
    with visited(ColourDepth(gate=gate)) as (_, bad):
        for depth in (1.0, 2.0):
            bad.send_multipart(frame_at(b"same", depth))
        gate.set()
        assert [distance_in(json.loads(bad.recv_multipart()[2])) for _ in range(2)] == pytest.approx([1, 2], abs=1e-4)


def test_a_client_that_does_not_read_its_maps_is_held_back_and_others_are_not():
    # 400x300 pixels: a map of 600 kB, of which the limit lets some three wait; the sockets in between hold less than a hundred.
    limits = ServerLimits(max_answer_bytes=2_000_000)
    with BridgeServer(ColourDepth(), LOOPBACK, limits=limits) as server, dealer(server.endpoint) as good:
        image = {"name": "image", "dtype": "u8", "channels": 4, "width": 400, "height": 300, "origin": "top_left"}
        pixels = picture_of(np.full((300, 400), 1.5)).tobytes()
        context = zmq.Context()
        with context.socket(zmq.DEALER) as reader:
            reader.linger, reader.rcvhwm, reader.rcvbuf, reader.rcvtimeo = 0, 1, 65536, LONG_S * 1000
            reader.connect(server.endpoint)
            sent = 0
            while server.counters.overloaded == 0:
                assert sent < 400, "answers that nobody reads pile up without end"
                reader.send_multipart(pack_message(Kind.INFER, b"%d" % sent, {"payloads": [image], "outputs": ["depth"]}, [pixels]))
                sent += 1
                while server.status.in_flight:
                    pass
                # The good one is served in between.
                assert exchange(good, frame_at(b"good", 1.25))[1]["status"] == "ok"
            answers = [json.loads(reader.recv_multipart()[2]) for _ in range(sent)]
            refused = [answer["error"] for answer in answers if answer["status"] == "error"]
            assert {error["code"] for error in refused} == {"overloaded"} and "not read" in refused[0]["message"]
            # It has read everything now, and is served again.
            assert exchange(reader, frame_at(b"again", 1.5))[1]["status"] == "ok"
        context.term()


@pytest.mark.parametrize("delay_ms", [0, 5])
def test_eight_clients_at_once_get_one_answer_to_each_request(delay_ms):
    """More is sent than there are places: what is over is refused with its code, and nothing is lost or answered twice."""
    count, clients = 60, 8
    wrong = []
    tally = Counter()

    def work(endpoint, number):
        with dealer(endpoint) as raw:
            for place in range(count):
                raw.send_multipart(frame_at(b"%d" % place, number + place / 100))
            seen = set()
            for _ in range(count):
                reply = raw.recv_multipart()
                header = json.loads(reply[2])
                place = int(reply[1])
                if place in seen:
                    wrong.append("answered twice")
                seen.add(place)
                if header["status"] == "ok":
                    tally["ok"] += 1
                    if abs(distance_in(header) - (number + place / 100)) > 1e-3:
                        wrong.append("somebody else's answer")
                else:
                    tally[header["error"]["code"]] += 1
            if seen != set(range(count)):
                wrong.append("answers are missing")

    with BridgeServer(ColourDepth(), LOOPBACK, max_in_flight=4, batch_delay_ms=delay_ms) as server:
        threads = [threading.Thread(target=work, args=(server.endpoint, number)) for number in range(1, clients + 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        status = server.status
    assert wrong == [] and set(tally) <= {"ok", "overloaded"} and sum(tally.values()) == count * clients and tally["ok"] >= 4
    assert (status.in_flight, status.waiting, status.counters.answered) == (0, 0, count * clients)


def test_an_engine_that_ends_its_thread_ends_the_server_and_not_in_silence(caplog):
    server = BridgeServer(ColourDepth(failure=SystemExit(3)), LOOPBACK)
    server.start()
    with dealer(server.endpoint) as raw:
        raw.send_multipart(frame_at(b"1", 1.5))
        until = time.monotonic() + LONG_S
        while server.running and time.monotonic() < until:
            time.sleep(0.01)
    assert not server.running and server.stop() and "SystemExit" in caplog.text


def test_a_flood_of_one_failure_is_logged_once(caplog):
    with BridgeServer(ColourDepth(failure=ValueError("odd")), LOOPBACK) as server, dealer(server.endpoint) as raw:
        for _ in range(50):
            assert exchange(raw, frame_at(b"1", 1.5))[1]["error"]["code"] == "internal"
    assert caplog.text.count("Traceback") == 1


def test_a_drain_lets_the_last_map_out_over_a_slow_line():
    """More than the sockets' buffers hold, and a line that stands still for a while just when the server stops."""
    width, height = 2400, 1600
    found = []
    server = BridgeServer(ColourDepth(), LOOPBACK)
    server.start()
    with stalling_line(server.endpoint, 1_000_000, 1.5) as (address, stalls), DepthClient(address, timeout_s=LONG_S) as client:
        picture = EncodedPicture(bomb(width, height), width, height)
        asking = threading.Thread(target=lambda: found.append(client.estimate(picture)))
        asking.start()
        until = time.monotonic() + LONG_S
        while not stalls and time.monotonic() < until:
            time.sleep(0.01)
        assert server.stop() is True and len(stalls) == 1
        asking.join(LONG_S)
    assert [depth_map.values.shape for depth_map in found] == [(height, width)]
