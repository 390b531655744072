# SPDX-License-Identifier: Apache-2.0
"""Garbage, by the hundred thousand and by the hundred megabytes: the server stays up and small, who behaves is served as if alone, and whatever
can be answered is answered once, with a code."""

from __future__ import annotations

import json
import random
import socket
import struct
import time
from collections import Counter
from contextlib import ExitStack, contextmanager, suppress

import numpy as np
import pytest
import zmq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from depthbridge.engines.camera import CameraIntrinsics
from depthbridge.engines.depth_map import DepthKind
from depthbridge.engines.errors import DepthbridgeError
from depthbridge.unity_bridge import framing
from depthbridge.unity_bridge.client import DepthClient
from depthbridge.unity_bridge.framing import Kind, pack_message, pack_prefix
from depthbridge.unity_bridge.serving.access import Access
from depthbridge.unity_bridge.serving.headers import CAPABILITIES
from depthbridge.unity_bridge.serving.payloads import ServerLimits
from depthbridge.unity_bridge.serving.server import BridgeServer
from support import zmtp_peers
from support.beside import Bystander, server_process
from support.bombs import bombs, png_bomb
from support.bridge_peers import LOOPBACK, dealer, exchange, impostor
from support.colour_depth import ColourDepth
from support.fuzz import DEEP, Mutator, RequestFuzzer, requests_of_every_kind, who_is_answered

MESSAGES = 100_000
WINDOW = 32
FLAT_MIB = 24
"""What memory may grow by after the warm-up: allocators keep some, a leak of all that is sent would be hundreds."""
CODES = {*framing.ErrorCode, "bad_image"} - {framing.ErrorCode.INTERNAL}
"""``internal`` is an exception that nobody thought of."""


@pytest.fixture
def server(tmp_path):
    """A server in a process of its own, and a client that must not notice what else goes on there."""
    with server_process(tmp_path / "server.log") as running, Bystander(running.endpoint) as bystander:
        yield running
    assert running.counted["left"] == 0
    print(f"bystander: {bystander.answers} answers, the slowest {bystander.slowest_s * 1e3:.0f} ms")


def strict(text):
    def refuse(name):
        raise ValueError(name)

    return json.loads(text.decode("utf-8"), parse_constant=refuse)


def check_answer(frames):
    """Whose answer it is; fails for one that says nothing."""
    delimited = not frames[0]
    prefix, request_id, header, *_ = frames[1:] if delimited else frames
    said = strict(header)
    if said["status"] != "ok":
        error = said["error"]
        assert error["code"] in CODES and isinstance(error["retryable"], bool), said
        assert 10 < len(error["message"]) < 1000 and error["message"][-1] in ".)" and "Traceback" not in error["message"], said
    return (delimited, struct.unpack("<H", prefix[6:])[0], request_id), said


class Accountant:
    """Sends messages, and takes exactly one answer for each that deserves one. ``statuses`` counts what they said."""

    def __init__(self, raw):
        self.raw, self.outstanding, self.statuses = raw, Counter(), Counter()
        self.sent = self.owed = 0

    def send(self, frames):
        self.raw.send_multipart(frames)
        self.sent += 1
        if (wanted := who_is_answered(frames)) is not None:
            self.outstanding[wanted] += 1
            self.owed += 1

    def settle(self):
        while self.outstanding.total():
            try:
                frames = self.raw.recv_multipart()
            except zmq.Again:
                pytest.fail(f"no answer to {list(self.outstanding)[:3]}")
            answered, said = check_answer(frames)
            assert self.outstanding[answered] > 0, f"an answer that nobody asked for: {frames[:3]}"
            self.outstanding[answered] -= 1
            if not self.outstanding[answered]:
                del self.outstanding[answered]
            self.statuses["ok" if said["status"] == "ok" else said["error"]["code"]] += 1

    def finish(self):
        """Nothing comes after the last answer."""
        self.settle()
        assert not self.raw.poll(200)
        _, said = exchange(self.raw, pack_message(Kind.STATS, b"the end", {}))
        return said["counters"]


def test_what_the_fuzzer_breaks_is_whole():
    with BridgeServer(ColourDepth(), LOOPBACK) as running, dealer(running.endpoint) as raw:
        for kind, header, payloads in requests_of_every_kind():
            assert exchange(raw, pack_message(kind, b"1", header, payloads))[1]["status"] == "ok", header


def test_a_hundred_thousand_broken_messages(server):
    fuzzer = RequestFuzzer(seed=20)
    warm = 0.0
    with dealer(server.endpoint) as raw:
        accountant = Accountant(raw)
        while accountant.sent < MESSAGES:
            for _ in range(WINDOW):
                accountant.send(fuzzer.message(accountant.sent))
            accountant.settle()
            if not warm and accountant.sent >= MESSAGES // 4:
                warm = server.resident_mib
        counters = accountant.finish()
    grown = server.resident_mib - warm
    print(f"{accountant.sent} messages, {accountant.owed} answers: {dict(accountant.statuses)}; memory {warm:.0f} MiB and {grown:+.1f}")
    assert counters["garbage"] == accountant.sent - accountant.owed and counters["client_gone"] == 0
    # Every way to refuse was met, and enough of what was broken was still whole in what counts.
    assert set(accountant.statuses) >= CODES - {"unauthorized", "not_ready", "overloaded", "deadline_exceeded"} | {"ok"}
    assert grown < FLAT_MIB


def test_no_broken_message_gets_past_a_token():
    engine, fuzzer = ColourDepth(), RequestFuzzer(seed=21)
    with BridgeServer(engine, LOOPBACK, access=Access(token="another")) as running, dealer(running.endpoint) as raw:
        accountant = Accountant(raw)
        while accountant.sent < 4000:
            for _ in range(WINDOW):
                accountant.send(fuzzer.message(accountant.sent))
            accountant.settle()
    assert engine.calls == 0 and accountant.statuses["unauthorized"] > 500
    assert accountant.statuses.keys() <= {"unauthorized", "bad_header", "bad_frame", "unsupported_version", "too_large"}


# ---- headers of any shape --------------------------------------------------------------------------------------------

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([*CAPABILITIES, "image", "mask", "raw", "png"])
)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4), max_leaves=12
)


def keys(**known):
    """A mapping of which each key may be right, wrong or missing."""
    return st.fixed_dictionaries({}, optional={name: strategy | anything for name, strategy in known.items()})


numbers = st.floats() | st.integers(-10, 10)
payload = keys(
    name=st.sampled_from(["image", "mask"]), encoding=st.sampled_from(["raw", "png", "jpeg"]), dtype=st.sampled_from(["u8", "u16", "i32", "u32"]),
    channels=st.integers(0, 5), width=st.integers(0, 9), height=st.integers(0, 9), origin=st.sampled_from(["top_left", "bottom_left"]),
    stride=st.integers(-5, 50), order=st.sampled_from(["rgb", "bgr"]), ids=st.sampled_from(["value", "colour"]), colour=st.just("srgb"),
)  # fmt: skip
thing = keys(
    mask_value=st.integers(-1, 2**33), colour=st.lists(st.integers(-1, 256), max_size=5), id=st.integers() | st.text(max_size=5),
    category=anything, bbox=anything, parent_id=anything, known_distance_m=numbers,
)  # fmt: skip
camera = keys(
    fx=numbers,
    fy=numbers,
    cx=numbers,
    cy=numbers,
    width=st.just(3),
    height=st.just(2),
    extrinsics=st.lists(st.lists(numbers, max_size=5), max_size=4),
)
headers = keys(
    payloads=st.lists(payload, max_size=3), outputs=st.lists(st.sampled_from(["objects", "depth", "overlay", "x"]), max_size=4),
    objects=st.lists(thing, max_size=4), camera=camera, camera_source=st.sampled_from(["given", "exif", "assumed"]),
    depth_dtype=st.sampled_from(["f32", "f16"]), overlay_encoding=st.sampled_from(["png", "jpeg"]), model=st.just("oracle"),
    deadline_ms=numbers, requires=st.lists(st.sampled_from(CAPABILITIES), max_size=3), token=st.text(max_size=5),
)  # fmt: skip
# Half of them are right in everything but the camera and the objects, which are checked last.
image_of_3x2 = {"name": "image", "dtype": "u8", "channels": 4, "width": 3, "height": 2, "origin": "top_left"}
nearly = st.builds(
    lambda objects, camera: {"payloads": [image_of_3x2, {**image_of_3x2, "name": "mask", "channels": 1}], "objects": objects, "camera": camera},
    st.lists(st.builds(lambda value, more: {**more, "mask_value": value}, st.integers(1, 4), thing), max_size=3),
    st.builds(lambda more: {"fx": 3.0, "fy": 3.0, **more}, camera),
)


def test_headers_of_any_shape(server):
    with dealer(server.endpoint) as raw:
        accountant = Accountant(raw)

        @settings(max_examples=1500, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(st.sampled_from([*Kind, Kind.INFER, Kind.INFER, Kind.INFER]), headers | nearly, st.lists(st.binary(max_size=60), max_size=3))
        def sent(kind, header, payloads):
            text = json.dumps(header).encode()
            described = header.get("payloads")
            pixels = [b"\x03\x04\x05\x06" * 6, b"\x01\x02\x00" * 2] if isinstance(described, list) and len(described) == 2 else payloads
            accountant.send([pack_prefix(kind), b"%d" % accountant.sent, text, *pixels])
            accountant.settle()

        sent()
        accountant.finish()
    print(dict(accountant.statuses))
    assert accountant.statuses["ok"] > 20 and accountant.statuses["bad_camera"] > 0


# ---- too much --------------------------------------------------------------------------------------------------------


def with_file(request_id, name, encoding, size, data):
    width, height = size
    one = {"width": width, "height": height, "origin": "top_left"}
    file = {"name": name, "encoding": encoding, **one}
    if name == "image":
        return pack_message(Kind.INFER, request_id, {"payloads": [file], "outputs": ["depth"]}, [data])
    image, picture = {"name": "image", "encoding": "png", **one}, png_bomb(min(width, 6_000), min(height, 6_000))
    return pack_message(Kind.INFER, request_id, {"payloads": [image, file]}, [picture, data])


def test_bombs(server):
    """Files that are small and would be large: refused, or paid for once and given back."""
    all_bombs = list(bombs())
    assert max(len(data) for *_, data in all_bombs) < 400_000
    with dealer(server.endpoint) as raw:
        statuses, warm = Counter(), 0.0
        for number in range(3 * len(all_bombs)):
            raw.send_multipart(with_file(b"%d" % number, *all_bombs[number % len(all_bombs)]))
            (_, _, answered), said = check_answer(raw.recv_multipart())
            assert answered == b"%d" % number
            statuses["ok" if said["status"] == "ok" else said["error"]["code"]] += 1
            if number == len(all_bombs):
                warm = server.resident_mib  # the decoder and the allocator keep some of the largest picture for the next one
        grown = server.resident_mib - warm
    print(f"{dict(statuses)}; memory {warm:.0f} MiB and {grown:+.1f}, at most {server.peak_mib:.0f}")
    assert statuses.keys() <= {"ok", "too_large", "size_mismatch", "bad_image"} and statuses["ok"] == 9
    # 36 megapixels, which the limits allow, are 144 MB in the decoder, 108 as image, 144 as depth and 36 of validity, twice for a moment.
    # After it the allocator keeps one large block more at times (39 MiB), by what else is under way just then. Of the six pictures that follow
    # the warm-up, the smallest array, kept each time, would be 206 MiB.
    assert grown < 100 and server.peak_mib < 1000


def test_messages_of_two_hundred_thousand_parts_and_of_too_many_bytes(server):
    parts, limit = [b"part"] * 200_000, ServerLimits().max_message_bytes
    with dealer(server.endpoint) as raw:
        for kind, header, payloads in requests_of_every_kind():
            exchange(raw, pack_message(kind, b"1", header, payloads))
        before = server.peak_mib
        exchange(raw, [pack_prefix(Kind.INFER), b"1", b"{}", *parts])
        assert server.peak_mib - before < 30, "each part is held, and not only counted"
        accountant = Accountant(raw)
        warm = 0.0
        for turn in range(4):
            for frames in (
                parts,
                [b"", *parts],
                [pack_prefix(Kind.INFER), b"%d" % turn, b"{}", *parts],
                [pack_prefix(9), b"9%d" % turn, *parts],
            ):
                accountant.send(frames)
            accountant.settle()
            accountant.send([pack_prefix(Kind.HEALTH), b"h%d" % turn, b"{}", *[bytes(limit // 10)] * 10])  # no part is over the limit, all are
            accountant.settle()
            warm = warm or server.resident_mib
        assert accountant.finish()["garbage"] == 8
        assert accountant.statuses == {"too_large": 12}
        grown = server.resident_mib - warm
        print(f"memory {warm:.0f} MiB and {grown:+.1f}, at most {server.peak_mib:.0f}")
        assert grown < FLAT_MIB
    for _ in range(3):
        with dealer(server.endpoint) as raw:  # one frame over the limit: ZeroMQ ends the connection
            raw.send_multipart([pack_prefix(Kind.INFER), b"big", b"{}", bytes(limit + 1)], copy=False)
            assert not raw.poll(300)
    assert server.resident_mib - warm < FLAT_MIB + 8


def test_floods_of_cancels_and_byes_for_everybodys_requests(server):
    """The bystander's ids are small numbers, as these are: nobody ends another's requests."""
    with ExitStack() as stack:
        accountants = [Accountant(stack.enter_context(dealer(server.endpoint))) for _ in range(4)]
        for turn in range(150):
            for accountant in accountants:
                for number in range(20):
                    kind = (Kind.CANCEL, Kind.CANCEL, Kind.BYE, Kind.CANCEL)[number % 4]
                    accountant.send(pack_message(kind, b"%d" % (turn * 5 + number), {}))
            for accountant in accountants:
                accountant.settle()
        for accountant in accountants:
            accountant.finish()
            assert set(accountant.statuses) == {"ok"}


# ---- what is no ZeroMQ, or only half -----------------------------------------------------------------------------------

_HELLO = zmtp_peers.GREETING
STRANGERS = (
    b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"POST /infer HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n{", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    b"SSH-2.0-OpenSSH_9\r\n", b"\0" * 4096, b"\xff" * 4096, b"\x01\x00", b"\x09\x00DDSTxxxx", b"\xff\0\0\0\0\0\0\0\x01\x7f", _HELLO[:10], _HELLO[:40], _HELLO,
    _HELLO + zmtp_peers.ready("PUB"), _HELLO + zmtp_peers.ready("REP"), _HELLO[:12] + b"CURVE".ljust(20, b"\0") + bytes(32),
    _HELLO + zmtp_peers.ready("DEALER") + zmtp_peers.command("PING", b"\0\1") * 100, _HELLO + zmtp_peers.command("READY", b"\xff" * 300),
    _HELLO + zmtp_peers.ready("DEALER") + b"\x02" + b"\x7f" + b"\xff" * 7, _HELLO + zmtp_peers.ready("DEALER") + b"\x03" + struct.pack(">Q", 2**62),
    _HELLO + zmtp_peers.ready("DEALER") + zmtp_peers.frame(b"DDST", more=True) * 50, _HELLO + zmtp_peers.ready("DEALER") + b"\xf8\x05hello",
)  # fmt: skip
"""What is said on a fresh connection: nothing, other protocols, ZMTP/1.0, handshakes that stop or contradict themselves, lengths that are lies."""


@contextmanager
def left_open(port, count):
    """Connections, the oldest of which is closed for each one over ``count``."""
    held = []

    def say(data):
        connection = socket.create_connection(("127.0.0.1", port), timeout=10)
        held.append(connection)
        with suppress(OSError):
            connection.sendall(data)
        if len(held) > count:
            held.pop(0).close()

    yield say
    for connection in held:
        connection.close()


def test_strangers_on_the_port(server):
    port = int(server.endpoint.rsplit(":", 1)[1])
    rng = random.Random(3)
    whole = _HELLO + zmtp_peers.ready("DEALER")
    real = b"".join(zmtp_peers.frame(part, more=place < 2) for place, part in enumerate(pack_message(Kind.STATS, b"1", {})))
    warm = 0.0
    with left_open(port, 150) as say:
        for number in range(1500):
            if number % 3 == 0:
                say(STRANGERS[number // 3 % len(STRANGERS)])
            else:
                data = bytearray(whole + real * 3)
                start = 0 if number % 3 == 1 else len(whole)
                for _ in range(rng.randint(1, 5)):
                    data[rng.randrange(start, len(data))] = rng.randrange(256)
                say(bytes(data[: rng.randint(start, len(data))]))
            if number == 500:
                warm = server.resident_mib
        grown = server.resident_mib - warm
        with dealer(server.endpoint) as raw:
            assert exchange(raw, pack_message(Kind.HEALTH, b"1", {}))[1]["live"]
    print(f"memory {warm:.0f} MiB and {grown:+.1f}")
    assert grown < FLAT_MIB


# ---- the other way round: a client whose server is mad -------------------------------------------------------------------


def test_a_client_outlives_the_answers_of_a_mad_server():
    """Whatever comes back is an answer or an error of ours, within the timeout; and the next real answer is exact."""
    mutator, mask = Mutator(7), np.ones((4, 6), np.uint8)
    picture, camera = np.full((4, 6, 4), 7, np.uint8), CameraIntrinsics(5, 5, 3, 2, 6, 4)
    mad, seen = False, Counter()
    with BridgeServer(ColourDepth(DepthKind.METRIC), LOOPBACK) as running, dealer(running.endpoint) as behind:

        def answer(frames):
            behind.send_multipart(frames)
            real = behind.recv_multipart()
            return mutator.broken(real, frames) if mad and frames[0][6] == Kind.INFER else real

        with impostor(answer) as endpoint, DepthClient(endpoint, timeout_s=0.05) as client:
            for number in range(1000):
                mad = number % 10 != 9
                started = time.monotonic()
                try:
                    found = client.measure(picture, camera, mask, depth="f32", overlay="png", timeout_s=0.05 if mad else 20)
                except DepthbridgeError as error:
                    assert mad and str(error), number
                    seen[type(error).__name__] += 1
                else:
                    seen["answer"] += 1
                    if not mad:
                        assert found.object(1).distance.median == pytest.approx(1.799, abs=1e-4) and found.depth_map.values.shape == (4, 6)
                assert time.monotonic() - started < 20
    print(dict(seen))
    assert {"BridgeError", "BridgeTimeoutError", "answer"} <= set(seen)


def test_the_deepest_header_is_one_sentence(server):
    with dealer(server.endpoint) as raw:
        for text in (DEEP, b'{"payloads":' + DEEP, b'{"a":' * 100_000):
            _, said = exchange(raw, [pack_prefix(Kind.INFER), b"1", text])
            assert said["error"]["code"] == "bad_header" and len(said["error"]["message"]) < 300
