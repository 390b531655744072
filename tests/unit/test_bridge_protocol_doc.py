# SPDX-License-Identifier: Apache-2.0
"""``docs/protocol.md`` is true: its bytes are what the code makes, its answer is what a server gives, its tables are complete."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path

import numpy as np

from depthbridge.engines import CameraSource, DepthKind, DepthMap
from depthbridge.unity_bridge.framing import PROTOCOL_VERSION, ErrorCode, Kind, pack_message, unpack_prefix
from depthbridge.unity_bridge.maps import LAYERS, OUTPUTS
from depthbridge.unity_bridge.serving.headers import CAPABILITIES
from depthbridge.unity_bridge.serving.payloads import MASK_DTYPES, ServerLimits
from depthbridge.unity_bridge.serving.server import BridgeServer
from support.bridge_peers import dealer, exchange

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")


class TwoMetresLeftThreeRight:
    """The engine of the document's example."""

    model_id = "example"
    kind = DepthKind.METRIC
    needs_camera = False

    def estimate(self, image, camera=None, *, cancel=None):
        depth = np.full(image.shape[:2], 3, np.float32)
        depth[:, : image.shape[1] // 2] = 2
        return DepthMap(depth, DepthKind.METRIC, depth > 0, None, None, camera, self.model_id, CameraSource.GIVEN)


def block(name):
    """The fenced block behind ``<!-- name -->``."""
    found = re.search(rf"<!-- {name} -->\n```\w*\n(.*?)```", DOCUMENT, re.DOTALL)
    assert found, f"docs/protocol.md has no block {name}"
    return found[1]


def frames_of(text):
    """``[n] bytes in hexadecimal   comment`` lines, and ``[n] {json}`` lines, as frames."""
    frames = {}
    for line in text.splitlines():
        number, rest = re.fullmatch(r"\[(\d)\] (.*)", line).groups()
        data = rest.encode() if rest.startswith("{") else bytes.fromhex(rest.split("  ")[0])
        frames.setdefault(int(number), b"")
        frames[int(number)] += data
    return [frames[number] for number in sorted(frames)]


def test_the_example_is_what_the_code_makes():
    frames = frames_of(block("example request"))
    header = json.loads(frames[2])
    assert frames == pack_message(Kind.INFER, b"42", header, frames[3:])
    image, mask = header["payloads"]
    assert len(frames[3]) == image["stride"] * image["height"] and len(frames[4]) == mask["stride"] * mask["height"]


def test_the_example_gets_the_answer_it_shows():
    with BridgeServer(TwoMetresLeftThreeRight(), "tcp://127.0.0.1:0") as server, dealer(server.endpoint) as raw:
        reply, _ = exchange(raw, frames_of(block("example request")))
        shown = frames_of(block("example reply"))
        assert reply[:2] == shown[:2] and len(reply) == len(shown) == 3
        got, want = json.loads(reply[2]), json.loads(shown[2])
        assert list(got) == list(want) and list(got["timing_ms"]) == list(want["timing_ms"])
        assert json.dumps(got["result"]) == json.dumps(want["result"])  # order of keys and spelling of numbers included
        assert set(exchange(raw, pack_message(Kind.HELLO, b"1", {}))[1]) == set(json.loads(block("hello reply")))
        assert set(exchange(raw, pack_message(Kind.HEALTH, b"1", {}))[1]) == set(json.loads(block("health reply")))
        assert exchange(raw, pack_message(Kind.MODELS, b"1", {}))[1] == json.loads(block("models reply"))
        assert exchange(raw, pack_message(Kind.STATS, b"1", {}))[1]["counters"].keys() == json.loads(block("stats reply"))["counters"].keys()


def test_the_example_of_a_map_gets_the_answer_it_shows():
    request, shown = frames_of(block("map request")), frames_of(block("map reply"))
    assert request == pack_message(Kind.INFER, b"43", json.loads(request[2]), request[3:])
    with BridgeServer(TwoMetresLeftThreeRight(), "tcp://127.0.0.1:0") as server, dealer(server.endpoint) as raw:
        reply, got = exchange(raw, request)
        want = json.loads(shown[2])
        assert reply[:2] == shown[:2] and reply[3:] == shown[3:]
        assert list(got) == list(want) and list(got["timing_ms"]) == list(want["timing_ms"])
        assert json.dumps((got["result"], got["payloads"])) == json.dumps((want["result"], want["payloads"]))
        # It was answered, so there is nothing left to cancel.
        reply, got = exchange(raw, frames_of(block("cancel request")))
        assert reply[1] == request[1] and unpack_prefix(reply[0]).kind == Kind.CANCEL and got == {"status": "ok", "state": "unknown"}


def test_what_the_document_says_of_a_map_is_all_there_is():
    for name, dtype in LAYERS.items():
        assert f"| `{name}` | `{dtype}` |" in DOCUMENT
    for name in (*DepthKind, *OUTPUTS, *json.loads(frames_of(block("map reply"))[2])["result"]["depth"]):
        assert f"`{name}`" in DOCUMENT
    limits = json.loads(block("hello reply"))
    assert {name: limits[name] for name in asdict(ServerLimits())} == asdict(ServerLimits())
    assert limits["capabilities"] == list(CAPABILITIES) and limits["outputs"] == list(OUTPUTS)


def test_the_short_client_runs():
    with BridgeServer(TwoMetresLeftThreeRight(), "tcp://127.0.0.1:0") as server:
        code = block("short client")
        assert "tcp://127.0.0.1:5577" in code
        names = {"rgba": np.zeros((6, 8, 4), np.uint8), "mask": np.ones((6, 8), "<u2")}
        exec(code.replace("tcp://127.0.0.1:5577", server.endpoint), names)
        assert names["answer"]["result"]["objects"][0]["distance"]["mean"] == 2.5
        names["context"].term()


def test_its_tables_are_complete():
    assert f"version {PROTOCOL_VERSION}" in DOCUMENT
    for code in ErrorCode:
        assert f"| `{code}` |" in DOCUMENT
    for kind in Kind:
        assert f"| {int(kind)} | {kind.name.lower()} |" in DOCUMENT
    for name in (*CAPABILITIES, *MASK_DTYPES):
        assert f"`{name}`" in DOCUMENT
    assert unpack_prefix(frames_of(block("example request"))[0]).version == PROTOCOL_VERSION
