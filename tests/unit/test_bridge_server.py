# SPDX-License-Identifier: Apache-2.0
"""The server over real sockets, with an engine whose depth is known: it is written in the colours of the picture.

As the depth travels inside the image, a picture and a mask that are not upright in the same way give wrong distances here.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st

from depthbridge.engines import CameraIntrinsics, DepthKind
from depthbridge.engines.errors import ImageError
from depthbridge.unity_bridge.client import DepthClient, ServedModel
from depthbridge.unity_bridge.errors import (
    BridgeConnectionError,
    BridgeError,
    BridgeTimeoutError,
    BridgeVersionError,
    RefusedError,
)
from depthbridge.unity_bridge.framing import PROTOCOL_VERSION, Kind, pack_message, pack_prefix, unpack_prefix
from depthbridge.unity_bridge.serving.payloads import ServerLimits
from depthbridge.unity_bridge.serving.server import BridgeServer
from support.bridge_peers import LOOPBACK, dealer, exchange, impostor
from support.colour_depth import ColourDepth, picture_of

HEIGHT, WIDTH = 48, 64
CAMERA = CameraIntrinsics(60.0, 55.0, 30.0, 25.0, WIDTH, HEIGHT)


def scene():
    """A floor that rises to the horizon, two boxes of constant depth, and one slanted object. No symmetry, so that no flip can hide."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    depth = 2.0 + (HEIGHT - rows) * 0.37 + columns * 0.011
    mask = np.zeros((HEIGHT, WIDTH), np.int64)
    mask[5:15, 8:20], depth[5:15, 8:20] = 1, 1.234
    mask[20:44, 40:60], depth[20:44, 40:60] = 2, 5.678
    mask[30:40, 3:30] = 250
    return np.round(depth, 3), mask


def core_of(mask, value):
    """Its pixels whose neighbours in the picture are all of it: those that are measured, of an object that has enough."""
    padded = np.pad(mask == value, 1, mode="edge")
    height, width = mask.shape
    return np.all([padded[row : row + height, column : column + width] for row in range(3) for column in range(3)], axis=0)


def check_exact(result, depth, mask, camera=CAMERA):
    assert [item.id for item in result.objects] == sorted(set(mask.ravel().tolist()) - {0})
    rays = np.sqrt(
        1 + ((np.arange(WIDTH) + 0.5 - camera.cx) / camera.fx) ** 2 + (((np.arange(HEIGHT) + 0.5 - camera.cy) / camera.fy) ** 2)[:, None]
    )
    for item in result.objects:
        core = core_of(mask, item.id)
        z, ray = depth[core], (depth * rays)[core]
        for spread, values in ((item.distance, z), (item.range, ray)):
            got = (spread.mean, spread.median, spread.min, spread.max)
            assert got == pytest.approx((values.mean(), np.median(values), values.min(), values.max()), abs=1e-4)
        u, v = item.center_px
        assert mask[int(v), int(u)] == item.id
        assert item.distance.center == pytest.approx(depth[int(v), int(u)], abs=1e-4)
        at = (item.position.x, item.position.y, item.position.z)
        expected = ((u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, 1.0)
        assert at == pytest.approx([part * item.distance.center for part in expected], abs=1e-4)
        assert (item.pixel_count, item.measured_pixel_count) == (np.count_nonzero(mask == item.id), len(z)) and item.valid_fraction == 1.0


def infer_header(**changes):
    image = {"name": "image", "encoding": "raw", "dtype": "u8", "channels": 4, "width": 4, "height": 3, "origin": "top_left"}
    mask = {"name": "mask", "encoding": "raw", "dtype": "u8", "channels": 1, "width": 4, "height": 3, "origin": "top_left"}
    image.update(changes.pop("image", {}))
    mask.update(changes.pop("mask", {}))
    return {"payloads": [image, mask], "camera": {"fx": 4, "fy": 4}, **changes}


IMAGE, MASK = picture_of(np.full((3, 4), 1.5)).tobytes(), b"\x01" * 12


# ---- what a frame comes back with -----------------------------------------------------------------------------


@pytest.mark.parametrize("image_origin", ["top_left", "bottom_left"])
@pytest.mark.parametrize("mask_origin", ["top_left", "bottom_left"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.uint32, ">u2", np.int64])
def test_distances_are_exact_for_every_origin_and_type(image_origin, mask_origin, dtype):
    depth, mask = scene()
    if np.dtype(dtype).itemsize >= 2:
        mask = np.where(mask == 2, 60_000, mask)
    image = picture_of(depth, channels=3 if dtype == np.uint16 else 4)
    with BridgeServer(ColourDepth(), LOOPBACK) as server, DepthClient(server.endpoint, timeout_s=10) as client:
        result = client.measure(
            image[::-1] if image_origin == "bottom_left" else image,
            CAMERA,
            (mask[::-1] if mask_origin == "bottom_left" else mask).astype(dtype),
            origin=image_origin,
            mask_origin=mask_origin,
        )
    check_exact(result, depth, mask)
    assert (result.unit, result.model, result.camera_source) == ("m", "oracle", "given")
    assert (result.width, result.height) == (WIDTH, HEIGHT)
    assert result.timing_ms.infer > 0 and result.timing_ms.total < 10_000


def test_a_mask_flipped_against_its_image_changes_the_distances():
    depth, mask = scene()
    with BridgeServer(ColourDepth(), LOOPBACK) as server, DepthClient(server.endpoint, timeout_s=10) as client:
        flipped = client.measure(picture_of(depth), CAMERA, mask[::-1], mask_origin="top_left")
    assert abs(flipped.object(2).distance.mean - 5.678) > 1


@pytest.mark.parametrize("trailing", [True, False])
@pytest.mark.parametrize("origin", ["top_left", "bottom_left"])
def test_padded_rows(trailing, origin):
    depth, mask = scene()
    image_rows = np.full((HEIGHT, WIDTH * 4 + 21), 99, np.uint8)
    mask_rows = np.full((HEIGHT, WIDTH * 2 + 10), 99, np.uint8)
    step = -1 if origin == "bottom_left" else 1
    image_rows[:, : WIDTH * 4] = picture_of(depth)[::step].reshape(HEIGHT, -1)
    mask_rows[:, : WIDTH * 2] = mask[::step].astype("<u2").view(np.uint8).reshape(HEIGHT, -1)
    image_bytes, mask_bytes = image_rows.tobytes(), mask_rows.tobytes()
    if not trailing:
        image_bytes, mask_bytes = image_bytes[:-21], mask_bytes[:-10]
    common = {"width": WIDTH, "height": HEIGHT, "origin": origin}
    header = infer_header(
        image={**common, "stride": WIDTH * 4 + 21}, mask={**common, "dtype": "u16", "stride": WIDTH * 2 + 10}, camera=CAMERA.to_json()
    )
    from depthbridge.unity_bridge.results import FrameResult

    with BridgeServer(ColourDepth(), LOOPBACK) as server, dealer(server.endpoint) as raw:
        _, reply = exchange(raw, pack_message(Kind.INFER, b"r", header, [image_bytes, mask_bytes]))
    check_exact(FrameResult.from_json(reply), depth, mask)


def test_objects_without_depth_come_back_with_nulls_and_a_reason():
    depth, mask = scene()
    depth[mask == 1] = 0
    depth[20:32, 40:60] = 0  # the upper half of object 2
    with BridgeServer(ColourDepth(), LOOPBACK) as server, DepthClient(server.endpoint, timeout_s=10) as client:
        result = client.measure(picture_of(depth), CAMERA, mask)
    lost, half = result.object(1), result.object(2)
    assert lost.distance is None and lost.position is None and lost.valid_fraction == 0 and "sky" in lost.reason
    assert half.valid_fraction == 0.5 and half.distance.min == pytest.approx(5.678, abs=1e-4)


def test_an_empty_mask_has_no_objects():
    with BridgeServer(ColourDepth(), LOOPBACK) as server, DepthClient(server.endpoint, timeout_s=10) as client:
        assert client.measure(picture_of(scene()[0]), CAMERA, np.zeros((HEIGHT, WIDTH), np.uint8)).objects == ()


def test_the_requests_about_the_server():
    limits = ServerLimits(max_message_bytes=1_000_000)
    with BridgeServer(ColourDepth(), LOOPBACK, max_in_flight=3, limits=limits) as server, DepthClient(server.endpoint) as client:
        info = client.hello()
        assert (info.model, info.max_in_flight, info.max_message_bytes, info.protocol) == ("oracle", 3, 1_000_000, PROTOCOL_VERSION)
        assert client.models() == [ServedModel("oracle", True, DepthKind.METRIC, False)]
        health = client.health()
        assert health["live"] and health["ready"] and health["in_flight"] == 0
        # The answer to this very request is counted after it is made.
        none = ("errors", "garbage", "overloaded", "cancelled", "expired", "unauthorized", "client_gone")
        assert client.stats() == {"received": 4, "answered": 3, **dict.fromkeys(none, 0)}


def test_a_req_client_needs_five_lines():
    with BridgeServer(ColourDepth(), LOOPBACK) as server, dealer(server.endpoint, zmq.REQ) as request:
        for number in (b"1", b"2"):
            request.send_multipart(pack_message(Kind.INFER, number, infer_header(), [IMAGE, MASK]))
            prefix, request_id, header = request.recv_multipart()
            assert unpack_prefix(prefix).kind == Kind.INFER and request_id == number
            assert json.loads(header)["result"]["objects"][0]["distance"]["mean"] == pytest.approx(1.5, abs=1e-4)


# ---- metres, or the word that there are none ---------------------------------------------------------------------


@pytest.mark.parametrize("camera", [CAMERA, None])
def test_a_relative_model_says_so(camera):
    depth, mask = scene()
    with BridgeServer(ColourDepth(DepthKind.RELATIVE), LOOPBACK) as server, DepthClient(server.endpoint, timeout_s=10) as client:
        result = client.measure(picture_of(depth), camera, mask)
    assert (result.kind, result.unit) == (DepthKind.RELATIVE, "relative") and "metric model" in result.warnings[0]
    assert result.object(2).distance.median == pytest.approx(5.678, abs=1e-4)


def test_disparity_has_no_lengths():
    depth, mask = scene()
    with BridgeServer(ColourDepth(DepthKind.DISPARITY), LOOPBACK) as server, DepthClient(server.endpoint, timeout_s=10) as client:
        result = client.measure(picture_of(depth), CAMERA, mask)
    item = result.object(2)
    assert (result.kind, result.unit) == (DepthKind.DISPARITY, "relative") and (item.distance, item.range, item.position) == (None, None, None)
    assert item.disparity.median == pytest.approx(5.678, abs=1e-4) and "known distances" in item.reason


def test_a_model_that_lacks_only_the_camera_is_refused_with_the_remedy():
    class ByFocalLength(ColourDepth):
        needs_camera = True

        def estimate(self, image, camera=None, *, cancel=None):
            depth_map = super().estimate(image, camera, cancel=cancel)
            return depth_map if camera else replace(depth_map, kind=DepthKind.RELATIVE, scale_note="Give a camera.")

    depth, mask = scene()
    with BridgeServer(ByFocalLength(), LOOPBACK) as server, DepthClient(server.endpoint, timeout_s=10) as client:
        assert client.measure(picture_of(depth), CAMERA, mask).unit == "m"
        with pytest.raises(RefusedError, match="intrinsics") as caught:
            client.measure(picture_of(depth), None, mask)
    assert caught.value.code == "no_metric_depth" and not caught.value.retryable


def test_an_engine_that_fails_costs_one_frame():
    depth, mask = scene()
    engine = ColourDepth(failure=ValueError("secret detail"))
    with BridgeServer(engine, LOOPBACK) as server, DepthClient(server.endpoint, timeout_s=10) as client:
        with pytest.raises(RefusedError, match="ValueError") as caught:
            client.measure(picture_of(depth), CAMERA, mask)
        assert caught.value.code == "internal" and "secret" not in str(caught.value)
        engine.failure = ImageError("The picture is too odd.")
        with pytest.raises(RefusedError, match="too odd") as caught:
            client.measure(picture_of(depth), CAMERA, mask)
        assert caught.value.code == "bad_image"
        engine.failure = None
        check_exact(client.measure(picture_of(depth), CAMERA, mask), depth, mask)


# ---- bad requests ----------------------------------------------------------------------------------------------

BAD_HEADERS = {
    "mask of another size": (infer_header(mask={"width": 5}), [IMAGE, b"\1" * 15], "size_mismatch", "5x3"),
    "nan focal": (b'{"payloads":[],"camera":{"fx":NaN,"fy":4}}', [IMAGE, MASK], "bad_header", "NaN"),
    "infinite focal": (b'{"payloads":[],"camera":{"fx":-Infinity,"fy":4}}', [IMAGE, MASK], "bad_header", "-Infinity"),
    "focal too large for a float": (b'{"payloads":[],"camera":{"fx":1e999,"fy":4}}', [IMAGE, MASK], "bad_header", ""),
    "negative focal": (infer_header(camera={"fx": -4, "fy": 4}), [IMAGE, MASK], "bad_camera", "positive"),
    "absurd focal": (infer_header(camera={"fx": 4e9, "fy": 4}), [IMAGE, MASK], "bad_camera", "no lens"),
    "focal as text": (infer_header(camera={"fx": "4", "fy": 4}), [IMAGE, MASK], "bad_header", "camera.fx"),
    "half a camera": (infer_header(camera={"fx": 4}), [IMAGE, MASK], "bad_header", "fy"),
    "camera of another size": (infer_header(camera={"fx": 4, "fy": 4, "width": 640, "height": 480}), [IMAGE, MASK], "size_mismatch", "640x480"),
    "short image": (infer_header(), [IMAGE[:-1], MASK], "size_mismatch", "47 bytes"),
    "long mask": (infer_header(), [IMAGE, MASK + b"\0"], "size_mismatch", "13 bytes"),
    "stride below a row": (infer_header(image={"stride": 15}), [IMAGE, MASK], "size_mismatch", "stride"),
    "a payload missing": (infer_header(), [IMAGE], "bad_frame", "1 payload frames"),
    "no mask": ({"payloads": infer_header()["payloads"][:1]}, [IMAGE], "bad_header", "no mask"),
    "no image": ({"payloads": infer_header()["payloads"][1:]}, [MASK], "bad_header", "no image"),
    "no image for a map": ({"payloads": [], "outputs": ["depth"]}, [], "bad_header", "no image"),
    "a mask nobody asked to measure": (infer_header(outputs=["depth"]), [IMAGE, MASK], "bad_header", "add objects"),
    "objects and a map without a mask": (
        {"payloads": infer_header()["payloads"][:1], "outputs": ["objects", "depth"]},
        [IMAGE],
        "bad_header",
        "no mask",
    ),
    "an output of later": (infer_header(outputs=["objects", "normals"]), [IMAGE, MASK], "unsupported", "normals"),
    "no output": (infer_header(outputs=[]), [IMAGE, MASK], "bad_header", "empty"),
    "a source without a camera": (
        {"payloads": infer_header()["payloads"], "camera_source": "exif"},
        [IMAGE, MASK],
        "bad_header",
        "camera_source",
    ),
    "a source that no client has": (infer_header(camera_source="model"), [IMAGE, MASK], "bad_header", "camera_source"),
    "two images": ({"payloads": [infer_header()["payloads"][0]] * 2}, [IMAGE, IMAGE], "bad_header", "twice"),
    "unknown payload": (infer_header(mask={"name": "normals"}), [IMAGE, MASK], "unsupported", "normals"),
    "no origin": ({"payloads": [{"name": "image", "dtype": "u8", "width": 4, "height": 3}]}, [IMAGE], "bad_header", "origin"),
    "odd origin": (infer_header(mask={"origin": "top_right"}), [IMAGE, MASK], "bad_header", "top_right"),
    "a jpeg that is none": (infer_header(image={"encoding": "jpeg"}), [IMAGE, MASK], "bad_image", "no JPEG"),
    "a mask as jpeg": (infer_header(mask={"encoding": "jpeg"}), [IMAGE, MASK], "unsupported_encoding", ""),
    "float image": (infer_header(image={"dtype": "f32"}), [IMAGE, MASK], "unsupported_encoding", "f32"),
    "float mask": (infer_header(mask={"dtype": "f32"}), [IMAGE, MASK], "unsupported_encoding", "f32"),
    "colour mask": (infer_header(mask={"channels": 4}), [IMAGE, MASK * 4], "unsupported_encoding", "4 channels"),
    "linear image": (infer_header(image={"colour": "linear"}), [IMAGE, MASK], "unsupported_encoding", "sRGB"),
    "no pixels": (infer_header(image={"width": 0}), [IMAGE, MASK], "bad_header", "width"),
    "huge claim": (infer_header(image={"width": 65535, "height": 65535}), [IMAGE, MASK], "too_large", "65535x65535"),
    "other model": (infer_header(model="dragon"), [IMAGE, MASK], "unknown_model", "dragon"),
    "deadline of zero": (infer_header(deadline_ms=0), [IMAGE, MASK], "bad_header", "deadline_ms"),
    "capability": (infer_header(requires=["telepathy"]), [IMAGE, MASK], "unsupported", "telepathy"),
    "no json": (b"{", [IMAGE, MASK], "bad_header", "JSON"),
    "a list": (b"[]", [], "bad_header", "object"),
    "not utf-8": (b'{"payloads":"\xff"}', [], "bad_header", ""),
    "nested for ever": (b"[" * 60_000, [], "bad_header", ""),
    "long header": (b" " * 1_100_000, [], "bad_header", "1100000 bytes"),
}


@pytest.fixture(scope="module")
def shared_server():
    with BridgeServer(ColourDepth(), LOOPBACK) as server:
        yield server


@pytest.mark.parametrize("case", BAD_HEADERS)
def test_a_bad_request_gets_its_code_and_one_sentence(case, shared_server):
    header, payloads, code, words = BAD_HEADERS[case]
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    with dealer(shared_server.endpoint) as raw:
        reply, answer = exchange(raw, [pack_prefix(Kind.INFER), b"the-id", header, *payloads])
        assert len(reply) == 3 and reply[1] == b"the-id" and unpack_prefix(reply[0]).kind == Kind.INFER
        error = answer["error"]
        assert (answer["status"], error["code"], error["retryable"]) == ("error", code, False)
        assert words in error["message"] and "\n" not in error["message"] and len(error["message"]) < 400
        # The same connection goes on.
        assert exchange(raw, pack_message(Kind.INFER, b"2", infer_header(), [IMAGE, MASK]))[1]["status"] == "ok"


def test_bad_envelopes_that_can_be_read_are_answered(shared_server):
    good = json.dumps(infer_header()).encode()
    with dealer(shared_server.endpoint) as raw:
        for frames, code in (
            ([pack_prefix(Kind.INFER), b"x"], "bad_frame"),
            ([pack_prefix(99), b"x", b"{}"], "unsupported"),
            ([pack_prefix(Kind.BYE), b"x", b"[]"], "bad_header"),
            ([pack_prefix(Kind.CANCEL), b"x", b"{"], "bad_header"),
            ([pack_prefix(Kind.INFER, 0, 1), b"x", good, IMAGE, MASK], "unsupported_version"),
            ([pack_prefix(Kind.INFER, 1, 1), b"x", good, IMAGE, MASK], "unsupported_version"),
            ([pack_prefix(Kind.INFER), b"x", good, *[b""] * 50], "too_large"),
        ):
            reply, answer = exchange(raw, frames)
            assert reply[1] == b"x" and answer["error"]["code"] == code
        _, answer = exchange(raw, [pack_prefix(Kind.HELLO, 0, 1), b"x", b"{}"])
        assert "0.1" in answer["error"]["message"] and PROTOCOL_VERSION in answer["error"]["message"]


def test_a_mask_of_noise_is_refused_before_the_engine_runs():
    mask = np.arange(1, 101 * 50 + 1, dtype=np.uint16).reshape(50, 101)
    engine = ColourDepth()
    with (
        BridgeServer(engine, LOOPBACK) as server,
        DepthClient(server.endpoint, timeout_s=10) as client,
        pytest.raises(RefusedError, match="5050 different ids") as caught,
    ):
        client.measure(np.ones((50, 101, 3), np.uint8), None, mask)
    assert caught.value.code == "too_large" and engine.calls == 0


def test_all_frames_together_are_bounded_too():
    # ZeroMQ's own limit is per frame: ten frames below it pass it.
    with BridgeServer(ColourDepth(), LOOPBACK, limits=ServerLimits(max_message_bytes=10_000)) as server, dealer(server.endpoint) as raw:
        frames = [pack_prefix(Kind.INFER), b"x", b"{}", *[b"\0" * 9_000] * 10]
        assert exchange(raw, frames)[1]["error"]["code"] == "too_large"


# ---- garbage ---------------------------------------------------------------------------------------------------


def test_random_bytes_and_foreign_protocols_do_not_hurt():
    rng = np.random.default_rng(5)
    with BridgeServer(ColourDepth(), LOOPBACK) as server:
        host, port = server.endpoint.removeprefix("tcp://").split(":")
        for text in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", rng.bytes(4000), b"\x01\x00" + rng.bytes(7), bytes(64)):
            with socket.create_connection((host, int(port)), timeout=5) as stranger:
                stranger.sendall(text)
        with dealer(server.endpoint) as raw, DepthClient(server.endpoint, timeout_s=10) as client:
            garbage = [
                [rng.bytes(40)],
                [b""],
                [b"", b"", b""],
                [b"DDST"],
                [b"DDSX\x00\x02\x04\x00", b"id", b"{}"],
                [pack_prefix(Kind.HELLO)],
                [pack_prefix(Kind.HELLO), b"", b"{}"],
                [pack_prefix(Kind.HELLO), b"i" * 65, b"{}"],
                [b"\0"] * 20_000,
            ]
            for frames in garbage:
                raw.send_multipart(frames)
            # Messages of one connection stay in order, so an answer to this one means that all of those were met.
            _, answer = exchange(raw, pack_message(Kind.STATS, b"s", {}))
            assert answer["counters"]["garbage"] >= len(garbage) and answer["counters"]["answered"] == 0
            depth, mask = scene()
            check_exact(client.measure(picture_of(depth), CAMERA, mask), depth, mask)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_mutated_messages_are_dropped_or_answered_and_the_server_stays(shared_server, data):
    both = infer_header(outputs=["objects", "depth"], camera_source="exif", requires=["cancel"])
    whole = [
        pack_message(Kind.INFER, b"mutant", infer_header(), [IMAGE, MASK]),
        pack_message(Kind.INFER, b"mutant", both, [IMAGE, MASK]),
        pack_message(Kind.CANCEL, b"mutant", {}),
    ]
    frames = [bytearray(frame) for frame in data.draw(st.sampled_from(whole))]
    for _ in range(data.draw(st.integers(1, 4))):
        index = data.draw(st.integers(0, len(frames) - 1))
        what = data.draw(st.sampled_from(["flip", "cut", "drop", "double", "swap"]))
        if what == "flip" and frames[index]:
            frames[index][data.draw(st.integers(0, len(frames[index]) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        elif what == "cut":
            del frames[index][data.draw(st.integers(0, len(frames[index]))) :]
        elif what == "drop" and len(frames) > 1:
            del frames[index]
        elif what == "double":
            frames.insert(index, frames[index][:])
        elif what == "swap":
            other = data.draw(st.integers(0, len(frames) - 1))
            frames[index], frames[other] = frames[other], frames[index]
    assert shared_server.running
    with dealer(shared_server.endpoint) as raw:
        raw.send_multipart([bytes(frame) for frame in frames])
        raw.send_multipart(pack_message(Kind.HEALTH, b"healthy", {}))
        while (reply := raw.recv_multipart())[1] != b"healthy":
            # A message that begins with an empty frame is a REQ's, and so is its answer.
            answer = json.loads(reply[3] if reply[0] == b"" else reply[2])
            assert answer["status"] == "ok" or set(answer["error"]) == {"code", "message", "retryable"}
    assert shared_server.running


# ---- load, deadlines, order -----------------------------------------------------------------------------------


def test_requests_about_the_server_are_answered_during_an_inference_and_the_queue_is_bounded():
    gate = threading.Event()
    engine = ColourDepth(gate=gate)
    with BridgeServer(engine, LOOPBACK, max_in_flight=2) as server, dealer(server.endpoint) as raw:
        for number in (b"1", b"2", b"3"):
            raw.send_multipart(pack_message(Kind.INFER, number, infer_header(), [IMAGE, MASK]))
        reply = raw.recv_multipart()  # while the first is being worked on
        error = json.loads(reply[2])["error"]
        assert reply[1] == b"3" and error["code"] == "overloaded" and error["retryable"]
        _, health = exchange(raw, pack_message(Kind.HEALTH, b"h", {}))
        assert health["in_flight"] == 2
        assert exchange(raw, pack_message(Kind.HELLO, b"h", {}))[1]["model"] == "oracle"
        gate.set()
        assert [raw.recv_multipart()[1] for _ in range(2)] == [b"1", b"2"]
        assert exchange(raw, pack_message(Kind.INFER, b"4", infer_header(), [IMAGE, MASK]))[1]["status"] == "ok"


def test_a_request_whose_deadline_has_passed_is_not_worked_on():
    gate = threading.Event()
    engine = ColourDepth(gate=gate)
    with BridgeServer(engine, LOOPBACK) as server, dealer(server.endpoint) as raw:
        raw.send_multipart(pack_message(Kind.INFER, b"slow", infer_header(), [IMAGE, MASK]))
        assert engine.entered.acquire(timeout=5)
        raw.send_multipart(pack_message(Kind.INFER, b"late", infer_header(deadline_ms=20), [IMAGE, MASK]))
        raw.send_multipart(pack_message(Kind.INFER, b"patient", infer_header(deadline_ms=60_000), [IMAGE, MASK]))
        while exchange(raw, pack_message(Kind.HEALTH, b"h", {}))[1]["in_flight"] < 3:
            pass
        time.sleep(0.05)
        gate.set()
        replies = {reply[1]: json.loads(reply[2]) for reply in (raw.recv_multipart() for _ in range(3))}
    assert replies[b"late"]["error"]["code"] == "deadline_exceeded" and replies[b"late"]["error"]["retryable"]
    assert replies[b"slow"]["status"] == replies[b"patient"]["status"] == "ok"
    assert replies[b"patient"]["timing_ms"]["queue"] >= 50 and engine.calls == 2


def test_two_clients_at_once_get_their_own_answers():
    wrong, done = [], []

    def work(endpoint, distance):
        with DepthClient(endpoint, timeout_s=30) as client:
            image, mask = picture_of(np.full((3, 4), distance)), np.full((3, 4), 3, np.uint8)
            for _ in range(40):
                result = client.measure(image, None, mask)
                if abs(result.object(3).distance.mean - distance) > 1e-4:
                    wrong.append(distance)
            done.append(distance)

    with BridgeServer(ColourDepth(), LOOPBACK) as server:
        threads = [threading.Thread(target=work, args=(server.endpoint, distance)) for distance in (1.0, 2.0)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert sorted(done) == [1.0, 2.0] and wrong == []


def test_a_late_answer_is_not_taken_for_the_next_one():
    gate = threading.Event()
    engine = ColourDepth(gate=gate)
    mask = np.full((3, 4), 3, np.uint8)
    with BridgeServer(engine, LOOPBACK) as server, DepthClient(server.endpoint, timeout_s=20) as client:
        client.hello()
        with pytest.raises(BridgeTimeoutError, match=server.endpoint):
            client.measure(picture_of(np.full((3, 4), 1.0)), None, mask, timeout_s=0.3)
        assert engine.entered.acquire(timeout=5)
        gate.set()
        result = client.measure(picture_of(np.full((3, 4), 2.0)), None, mask)
        assert result.object(3).distance.mean == pytest.approx(2.0, abs=1e-4)
        assert client.stale_replies == 1


def test_a_client_survives_a_restart_of_its_server():
    depth, mask = scene()
    first = BridgeServer(ColourDepth(), LOOPBACK)
    first.start()
    endpoint = first.endpoint
    with DepthClient(endpoint, timeout_s=10) as client:
        check_exact(client.measure(picture_of(depth), CAMERA, mask), depth, mask)
        assert first.stop(drain=False)
        with pytest.raises((BridgeConnectionError, BridgeTimeoutError), match=endpoint):
            client.measure(picture_of(depth), CAMERA, mask, timeout_s=0.3)
        with BridgeServer(ColourDepth(), endpoint):
            check_exact(client.measure(picture_of(depth), CAMERA, mask), depth, mask)


def test_a_server_killed_in_the_middle_of_a_request_is_noticed_at_once_and_costs_nothing_else():
    gate = threading.Event()
    engine = ColourDepth(gate=gate)
    server = BridgeServer(engine, LOOPBACK)
    server.start()
    with DepthClient(server.endpoint, timeout_s=10) as client:
        client.hello()
        stopper = threading.Thread(target=lambda: (engine.entered.acquire(timeout=5), server.stop(drain=False)))
        stopper.start()
        # Not a timeout: the call may wait for minutes, and nobody would.
        with pytest.raises(BridgeConnectionError, match="went away"):
            client.measure(picture_of(np.ones((3, 4))), None, np.ones((3, 4), np.uint8), timeout_s=60)
        gate.set()
        stopper.join(20)
        with BridgeServer(ColourDepth(), server.endpoint):
            assert client.measure(picture_of(np.ones((3, 4))), None, np.ones((3, 4), np.uint8)).object(1).distance.max == 1.0


def test_a_client_that_left_is_counted():
    gate = threading.Event()
    engine = ColourDepth(gate=gate)
    with BridgeServer(engine, LOOPBACK) as server:
        with dealer(server.endpoint) as raw:
            raw.send_multipart(pack_message(Kind.INFER, b"1", infer_header(), [IMAGE, MASK]))
            assert engine.entered.acquire(timeout=5)
        time.sleep(0.2)
        gate.set()
        deadline = time.monotonic() + 10
        while server.counters.client_gone == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert server.counters.client_gone == 1 and server.counters.answered == 0


# ---- starting and stopping --------------------------------------------------------------------------------------


def test_a_drain_answers_what_was_accepted_and_refuses_the_rest():
    gate = threading.Event()
    engine = ColourDepth(gate=gate)
    server = BridgeServer(engine, LOOPBACK)
    server.start()
    with dealer(server.endpoint) as raw:
        for number in (b"1", b"2"):
            raw.send_multipart(pack_message(Kind.INFER, number, infer_header(), [IMAGE, MASK]))
        assert engine.entered.acquire(timeout=5)
        while exchange(raw, pack_message(Kind.HEALTH, b"h", {}))[1]["in_flight"] < 2:
            pass
        stopper = threading.Thread(target=server.stop)
        stopper.start()
        while exchange(raw, pack_message(Kind.HEALTH, b"h", {}))[1]["ready"]:
            time.sleep(0.01)
        _, refused = exchange(raw, pack_message(Kind.INFER, b"3", infer_header(), [IMAGE, MASK]))
        assert refused["error"]["code"] == "not_ready" and refused["error"]["retryable"]
        gate.set()
        assert [raw.recv_multipart()[1] for _ in range(2)] == [b"1", b"2"]
        stopper.join(20)
    assert not server.running and server.stop() is True


@pytest.mark.parametrize("stops", [1, 3])
def test_a_server_that_is_ending_can_be_told_to_stop_again(stops):
    """From several threads, and by the caller who does not wait long: while the I/O thread waits for a busy engine nobody listens."""
    gate = threading.Event()
    engine = ColourDepth(gate=gate)
    server = BridgeServer(engine, LOOPBACK)
    server.start()
    found: list[object] = []

    def stop():
        try:
            found.append(server.stop(drain=False, timeout_s=0.3))
        except BaseException as error:
            found.append(error)

    with dealer(server.endpoint) as raw:
        raw.send_multipart(pack_message(Kind.INFER, b"1", infer_header(), [IMAGE, MASK]))
        assert engine.entered.acquire(timeout=5)
        stoppers = [threading.Thread(target=stop, daemon=True) for _ in range(stops)]
        for thread in stoppers:
            thread.start()
            time.sleep(0.4)
        gate.set()
        for thread in stoppers:
            thread.join(20)
    assert found == [True] * stops and not server.running


def test_thirty_starts_and_stops_on_one_port():
    before = set(threading.enumerate())
    with BridgeServer(ColourDepth(), LOOPBACK) as server:
        endpoint = server.endpoint
    for _ in range(30):
        with BridgeServer(ColourDepth(), endpoint), DepthClient(endpoint, timeout_s=10) as client:
            assert [model.id for model in client.models()] == ["oracle"]
    assert set(threading.enumerate()) <= before


def test_an_address_in_use_is_told():
    with BridgeServer(ColourDepth(), "tcp://localhost:0") as server, pytest.raises(BridgeError, match="in use") as caught:
        BridgeServer(ColourDepth(), server.endpoint).start()
    assert server.endpoint in str(caught.value)


# ---- the client's own errors -----------------------------------------------------------------------------------


def test_no_server_is_told_with_the_way_to_start_one():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    endpoint = f"tcp://127.0.0.1:{port}"
    with DepthClient(endpoint, timeout_s=0.3) as client, pytest.raises(BridgeConnectionError, match=f"serve --bind {endpoint}"):
        client.hello()


def test_a_listener_that_is_no_server_is_told():
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        DepthClient(f"tcp://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.3) as client,
        pytest.raises(BridgeConnectionError, match="no depth server"),
    ):
        client.hello()


def test_a_server_of_another_version_is_told_with_both_versions():
    error = {"status": "error", "error": {"code": "unsupported_version", "message": "no", "retryable": False}}
    with (
        impostor(lambda frames: [pack_prefix(1, 3, 7), frames[1], json.dumps(error).encode()]) as endpoint,
        DepthClient(endpoint, timeout_s=5) as client,
        pytest.raises(BridgeVersionError, match=rf"3\.7.*{PROTOCOL_VERSION}"),
    ):
        client.hello()


@pytest.mark.parametrize(
    "frames",
    [
        [b"what"],
        [pack_prefix(1), b"1", b"no json"],
        [pack_prefix(1), b"1", b"[]"],
        [pack_prefix(1), b"1", b'{"status":"ok"}'],
        [pack_prefix(1), b"1", b'{"status":"error"}'],
    ],
)
def test_an_answer_that_is_none_is_told(frames):
    with (
        impostor(lambda _: frames) as endpoint,
        DepthClient(endpoint, timeout_s=5) as client,
        pytest.raises(BridgeError, match="not a depth server"),
    ):
        client.hello()


def test_a_frame_over_the_limit_is_refused_before_it_is_sent():
    limits = ServerLimits(max_message_bytes=50_000)
    with BridgeServer(ColourDepth(), LOOPBACK, limits=limits) as server, DepthClient(server.endpoint, timeout_s=5) as client:
        with pytest.raises(BridgeError, match="at most 50000"):
            client.measure(np.zeros((200, 200, 4), np.uint8), None, np.zeros((200, 200), np.uint8))
        assert client.stats()["received"] == 2  # the hello that told the limit, and this


@pytest.mark.parametrize(
    ("image", "mask", "camera", "words"),
    [
        (np.zeros((4, 4, 3), np.float32), np.zeros((4, 4), int), None, "float32"),
        (np.zeros((4, 4), np.uint8), np.zeros((4, 4), int), None, "RGB"),
        (np.zeros((0, 4, 3), np.uint8), np.zeros((0, 4), int), None, "RGB"),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5), int), None, "5x4"),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4)), None, "float64"),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4, 4), np.uint8), None, "colour-coded"),
        (np.zeros((4, 4, 3), np.uint8), np.full((4, 4), 2**40), None, "32 bits"),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), int), CAMERA, "64x48"),
    ],
)
def test_arrays_that_cannot_be_sent_are_told(image, mask, camera, words, shared_server):
    with DepthClient(shared_server.endpoint, timeout_s=5) as client, pytest.raises(BridgeError, match=words):
        client.measure(image, camera, mask)


@pytest.mark.parametrize("endpoint", ["nonsense", "tcp://", "tcp://host"])
def test_an_endpoint_that_is_none_is_told(endpoint):
    with pytest.raises(BridgeError, match="understood"):
        DepthClient(endpoint)


def test_the_client_loads_with_numpy_and_pyzmq_alone():
    code = (
        "import sys; import depthbridge.unity_bridge.client; "
        "print([name for name in ('msgspec', 'cv2', 'PIL', 'onnxruntime', 'click') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
