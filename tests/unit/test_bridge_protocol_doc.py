# SPDX-License-Identifier: Apache-2.0
"""``docs/protocol.md`` is true: its bytes are what the code makes, its answer is what a server gives, its tables are complete."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from depthbridge.engines import CameraSource, DepthKind, DepthMap
from depthbridge.unity_bridge.framing import MAX_HEADER_BYTES, PROTOCOL_VERSION, ErrorCode, Kind, pack_header, pack_message, unpack_prefix
from depthbridge.unity_bridge.maps import LAYERS, OUTPUTS, overlay_payload
from depthbridge.unity_bridge.serving.headers import CAPABILITIES, CameraHeader, InferHeader, ObjectHeader, Payload
from depthbridge.unity_bridge.serving.payloads import ENCODINGS, MASK_DTYPES, MASK_IDS, ServerLimits
from depthbridge.unity_bridge.serving.server import BridgeServer
from support.bridge_peers import dealer, exchange

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")


class TwoMetresLeftThreeRight:
    """The engine of the document's example."""

    model_id = "example"
    kind = DepthKind.METRIC
    needs_camera = False

    def __init__(self, answer_kind=DepthKind.METRIC):
        self.answer_kind = answer_kind

    def estimate(self, image, camera=None, *, cancel=None):
        depth = np.full(image.shape[:2], 3, np.float32)
        depth[:, : image.shape[1] // 2] = 2
        return DepthMap(depth, self.answer_kind, depth > 0, None, None, camera, self.model_id, CameraSource.GIVEN)


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


def same(got, want):
    """Keys and their order, types, texts; numbers to the last digit that is written, as processors round differently there."""
    if isinstance(want, dict):
        assert list(got) == list(want)
        for key in want:
            same(got[key], want[key])
    elif isinstance(want, list):
        assert len(got) == len(want)
        for left, right in zip(got, want, strict=True):
            same(left, right)
    else:
        assert type(got) is type(want) and got == (pytest.approx(want, abs=2e-6) if isinstance(want, float) else want)


@pytest.fixture(scope="module")
def raw():
    with BridgeServer(TwoMetresLeftThreeRight(), "tcp://127.0.0.1:0") as server, dealer(server.endpoint) as raw:
        yield raw


def test_the_examples_are_what_the_code_makes():
    for name, request_id in (("example", b"42"), ("scene", b"s1"), ("map", b"43")):
        frames = frames_of(block(f"{name} request"))
        header = json.loads(frames[2])
        assert frames == pack_message(Kind.INFER, request_id, header, frames[3:])
        for payload, data in zip(header["payloads"], frames[3:], strict=True):
            size = np.dtype(MASK_DTYPES[payload["dtype"]]).itemsize * payload["channels"] * payload["width"] * payload["height"]
            assert len(data) == size and payload.get("stride", size // payload["height"]) * payload["height"] == size


@pytest.mark.parametrize("name", ["example", "scene", "map"])
def test_the_examples_get_the_answers_they_show(raw, name):
    reply, got = exchange(raw, frames_of(block(f"{name} request")))
    shown = frames_of(block(f"{name} reply"))
    want = json.loads(shown[2])
    assert reply[:2] == shown[:2] and reply[3:] == shown[3:]
    assert list(got) == list(want) and list(got["timing_ms"]) == list(want["timing_ms"])
    same({**got, "timing_ms": None}, {**want, "timing_ms": None})


def test_the_map_in_half_floats_is_as_shown(raw):
    request = frames_of(block("map request"))
    reply, _ = exchange(raw, [*request[:2], pack_header(json.loads(request[2]) | {"depth_dtype": "f16"}), *request[3:]])
    assert reply[3:] == frames_of(block("half map reply"))


def test_the_error_is_as_shown(raw):
    request, shown = frames_of(block("example request")), frames_of(block("error reply"))
    header = json.loads(request[2])
    header["payloads"][1]["dtype"] = "f32"
    reply, got = exchange(raw, [*request[:2], pack_header(header), *request[3:]])
    assert reply[:2] == shown[:2] and got == json.loads(shown[2])


def test_what_was_answered_cannot_be_cancelled_any_more(raw):
    exchange(raw, frames_of(block("map request")))
    reply, got = exchange(raw, frames_of(block("cancel request")))
    assert reply[1] == b"43" and unpack_prefix(reply[0]).kind == Kind.CANCEL and got == {"status": "ok", "state": "unknown"}
    assert exchange(raw, pack_message(Kind.BYE, b"1", {}))[1] == {"status": "ok", "dropped": 0}


def test_what_the_server_says_of_itself_is_as_shown(raw):
    hello = json.loads(block("hello reply"))
    assert list(exchange(raw, pack_message(Kind.HELLO, b"1", {"client": "x"}))[1].items()) == list(hello.items())
    assert list(exchange(raw, pack_message(Kind.HEALTH, b"1", {}))[1]) == list(json.loads(block("health reply")))
    assert exchange(raw, pack_message(Kind.MODELS, b"1", {}))[1] == json.loads(block("models reply"))
    stats, shown = exchange(raw, pack_message(Kind.STATS, b"1", {}))[1], json.loads(block("stats reply"))
    assert list(stats) == list(shown)
    assert list(stats["counters"]) == list(shown["counters"]) and list(stats["stages"]) == list(shown["stages"])
    assert {name: list(stage) for name, stage in stats["stages"].items()} == {name: list(stage) for name, stage in shown["stages"].items()}


def test_every_key_of_a_request_and_of_an_answer_is_explained():
    for struct in (InferHeader, Payload, CameraHeader, ObjectHeader):
        for name in struct.__struct_fields__:
            assert f"`{name}`" in DOCUMENT or f"camera.{name}" in DOCUMENT, name
    answers = [json.loads(frames_of(block(f"{name} reply"))[2]) for name in ("example", "scene", "map")]
    for answer in answers:
        result = answer["result"]
        names = {*answer, *result, *answer["timing_ms"]} | {key for item in result.get("objects", ()) for key in item}
        for name in names - {"status"}:
            assert f"`{name}`" in DOCUMENT, name


def test_disparity_is_explained():
    request = frames_of(block("example request"))
    with BridgeServer(TwoMetresLeftThreeRight(DepthKind.DISPARITY), "tcp://127.0.0.1:0") as server, dealer(server.endpoint) as raw:
        _, got = exchange(raw, request)
    first = got["result"]["objects"][0]
    assert got["result"]["unit"] == "relative" and first["disparity"]["mean"] == 2 and first["distance"] is None and first["reason"]
    for name in first:
        assert f"| `{name}` |" in DOCUMENT or f"`{name}`" in DOCUMENT


def test_what_the_document_says_of_a_map_is_all_there_is():
    for name, dtype in LAYERS.items():
        assert f"| `{name}` | `{dtype}` |" in DOCUMENT
    for name in (*DepthKind, *OUTPUTS, *json.loads(frames_of(block("map reply"))[2])["result"]["depth"]):
        assert f"`{name}`" in DOCUMENT
    assert list(overlay_payload("jpeg", 1, 2)) == re.findall(r'"(\w+)":', re.search(r'\{"name": "overlay".*?\}', DOCUMENT, re.DOTALL)[0])
    limits = json.loads(block("hello reply"))
    assert {name: limits[name] for name in asdict(ServerLimits())} == asdict(ServerLimits()) and limits["max_header_bytes"] == MAX_HEADER_BYTES
    assert f"at most {MAX_HEADER_BYTES} bytes" in DOCUMENT


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
    for code in (*ErrorCode, "bad_image"):
        assert f"| `{code}` |" in DOCUMENT
    for kind in Kind:
        assert f"| {int(kind)} | {kind.name.lower()} |" in DOCUMENT
    for name in CAPABILITIES:
        assert f"| `{name}` |" in DOCUMENT
    for name in (*MASK_DTYPES, *ENCODINGS, *MASK_IDS):
        assert f"`{name}`" in DOCUMENT
    assert unpack_prefix(frames_of(block("example request"))[0]).version == PROTOCOL_VERSION


def test_its_links_lead_somewhere():
    headings = {re.sub(r"[^\w -]", "", line.lstrip("# ")).lower().replace(" ", "-") for line in DOCUMENT.splitlines() if line.startswith("#")}
    assert {link for link in re.findall(r"\]\(#([\w-]+)\)", DOCUMENT)} <= headings
