# SPDX-License-Identifier: Apache-2.0
"""``docs/protocol.md`` is true: its bytes are what the code makes, its answer is what a server gives, its tables are complete."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import zmq

from depthbridge.engines import CameraSource, DepthKind, DepthMap
from depthbridge.unity_bridge.framing import PROTOCOL_VERSION, ErrorCode, Kind, pack_message, unpack_prefix
from depthbridge.unity_bridge.headers import CAPABILITIES
from depthbridge.unity_bridge.payloads import MASK_DTYPES
from depthbridge.unity_bridge.server import BridgeServer

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")


class TwoMetresLeftThreeRight:
    """The engine of the document's example."""

    model_id = "example"

    def estimate(self, image, camera=None):
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
    context = zmq.Context()
    with BridgeServer(TwoMetresLeftThreeRight(), "tcp://127.0.0.1:0") as server, context.socket(zmq.DEALER) as dealer:
        dealer.linger, dealer.rcvtimeo = 0, 5000
        dealer.connect(server.endpoint)
        dealer.send_multipart(frames_of(block("example request")))
        reply = dealer.recv_multipart()
        shown = frames_of(block("example reply"))
        assert reply[:2] == shown[:2] and len(reply) == len(shown) == 3
        got, want = json.loads(reply[2]), json.loads(shown[2])
        assert list(got) == list(want) and list(got["timing_ms"]) == list(want["timing_ms"])
        assert json.dumps(got["result"]) == json.dumps(want["result"])  # order of keys and spelling of numbers included
        dealer.send_multipart(pack_message(Kind.HELLO, b"1", {}))
        assert set(json.loads(dealer.recv_multipart()[2])) == set(json.loads(block("hello reply")))
        dealer.send_multipart(pack_message(Kind.HEALTH, b"1", {}))
        assert set(json.loads(dealer.recv_multipart()[2])) == set(json.loads(block("health reply")))
        dealer.send_multipart(pack_message(Kind.STATS, b"1", {}))
        assert json.loads(dealer.recv_multipart()[2])["counters"].keys() == json.loads(block("stats reply"))["counters"].keys()
    context.term()


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
