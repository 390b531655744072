# SPDX-License-Identifier: Apache-2.0
"""A server's numbers: over HTTP as Prometheus reads them, and in the answer to stats."""

from __future__ import annotations

import socket
import threading
import urllib.request

import prometheus_client
import pytest
from prometheus_client.parser import text_string_to_metric_families

from depthbridge.unity_bridge.errors import BridgeError
from depthbridge.unity_bridge.framing import Kind, pack_message, pack_prefix
from depthbridge.unity_bridge.serving.access import Access, bind_address
from depthbridge.unity_bridge.serving.metrics import MetricsAddress, MetricsServer, ServerMetrics
from depthbridge.unity_bridge.serving.server import BridgeServer
from support.bridge_peers import LOOPBACK, dealer, exchange
from support.colour_depth import LONG_S, BatchColourDepth, ColourDepth, frame_at

STAGES = {"queue", "decode", "infer", "measure", "encode", "total"}


def scrape(url):
    """Every sample: (name, sorted labels) -> value."""
    with urllib.request.urlopen(url, timeout=LONG_S) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain")
        text = answer.read().decode()
    return {(s.name, *sorted(s.labels.values())): s.value for family in text_string_to_metric_families(text) for s in family.samples}


@pytest.fixture
def watched():
    """How to start a server that is watched; everything is closed at the end."""
    closing = []

    def start(engine, **more):
        metrics = ServerMetrics()
        server = BridgeServer(engine, LOOPBACK, observer=metrics, **more)
        metrics.watch(lambda: server.status)
        server.start()
        pages = MetricsServer(metrics, MetricsAddress("127.0.0.1", 0))
        closing.extend((pages.close, server.stop))
        return server, pages.url

    yield start
    for close in closing:
        close()


def test_everything_that_happens_is_counted_by_kind_and_code(watched):
    server, url = watched(ColourDepth())
    with dealer(server.endpoint) as raw:
        raw.send_multipart([b"garbage"])
        exchange(raw, pack_message(Kind.HELLO, b"1", {}))
        exchange(raw, [pack_prefix(99), b"1", b"{}"])
        exchange(raw, [pack_prefix(Kind.INFER), b"1", b"{"])
        for number in range(3):
            assert exchange(raw, frame_at(b"%d" % number, 1.5))[1]["status"] == "ok"
        exchange(raw, frame_at(b"9", 1.5, model="dragon"))
        found = scrape(url)
        assert {key[1:]: value for key, value in found.items() if key[0] == "depthbridge_requests_total"} == {
            ("hello", "ok"): 1, ("unknown", "unsupported"): 1, ("bad_header", "infer"): 1, ("infer", "ok"): 3, ("infer", "unknown_model"): 1,
        }  # fmt: skip
        assert found["depthbridge_garbage_total",] == 1 and found["depthbridge_received_total",] == 8
        assert (found["depthbridge_clients",], found["depthbridge_in_flight",], found["depthbridge_queue_length",]) == (1, 0, 0)
        for stage in STAGES:
            assert found["depthbridge_stage_seconds_count", stage] == 3
        total = found["depthbridge_stage_seconds_sum", "total"]
        parts = sum(found["depthbridge_stage_seconds_sum", stage] for stage in STAGES - {"total"})
        assert parts == pytest.approx(total, abs=1e-4) and 0 < total < LONG_S
        assert found["depthbridge_batch_frames_bucket", "1.0"] == found["depthbridge_batch_frames_count",] == 3
        if ("process_resident_memory_bytes",) not in found:
            pytest.skip("this system does not tell a process its memory the way Linux does")
        assert 1e6 < found["process_resident_memory_bytes",] < 1e12


def test_the_queue_is_seen_while_an_inference_runs(watched):
    gate = threading.Event()
    engine = ColourDepth(gate=gate)
    server, url = watched(engine)
    with dealer(server.endpoint) as raw:
        for number in range(3):
            raw.send_multipart(frame_at(b"%d" % number, 1.5))
        assert engine.entered.acquire(timeout=LONG_S)
        while exchange(raw, pack_message(Kind.HEALTH, b"h", {}))[1]["in_flight"] < 3:
            pass
        found = scrape(url)
        assert (found["depthbridge_queue_length",], found["depthbridge_in_flight",]) == (2, 3)
        gate.set()
        for _ in range(3):
            raw.recv_multipart()
        assert scrape(url)["depthbridge_in_flight",] == 0


def test_batches_are_seen(watched):
    server, url = watched(BatchColourDepth(), batch_delay_ms=2000)
    with dealer(server.endpoint) as raw:
        for number in range(4):
            raw.send_multipart(frame_at(b"%d" % number, 1.5))
        for _ in range(4):
            raw.recv_multipart()
    found = scrape(url)
    assert (found["depthbridge_batch_frames_bucket", "3.0"], found["depthbridge_batch_frames_bucket", "4.0"]) == (0, 4)


def test_two_servers_in_one_process_count_apart_and_nothing_is_global(watched):
    (one, one_url), (_, two_url) = watched(ColourDepth()), watched(ColourDepth())
    with dealer(one.endpoint) as raw:
        exchange(raw, pack_message(Kind.HELLO, b"1", {}))
    assert ("depthbridge_requests_total", "hello", "ok") in scrape(one_url)
    assert ("depthbridge_requests_total", "hello", "ok") not in scrape(two_url)
    assert "depthbridge" not in prometheus_client.generate_latest().decode()


def test_where_metrics_are_served():
    assert MetricsAddress.parse(":9577") == MetricsAddress("127.0.0.1", 9577)
    assert MetricsAddress.parse("0.0.0.0:0") == MetricsAddress("0.0.0.0", 0)
    assert MetricsAddress.parse("[::1]:9577") == MetricsAddress("::1", 9577)
    for text in ("", "9577", ":", ":port", "host:99999", "http://127.0.0.1:1", ":1/metrics"):
        with pytest.raises(BridgeError, match=":9577"):
            MetricsAddress.parse(text)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(BridgeError, match="choose another --metrics"):
        MetricsServer(ServerMetrics(), MetricsAddress("127.0.0.1", taken.getsockname()[1]))


@pytest.mark.parametrize("text", [":1", "127.0.0.1:0", "127.9.8.7:1", "[::1]:1", "localhost:1", "no such host:1"])
def test_metrics_that_only_this_machine_reads_are_not_warned_of(text):
    assert MetricsAddress.parse(text).warning() is None


@pytest.mark.parametrize("text", ["0.0.0.0:1", "[::]:1", "192.168.1.4:1", "[fe80::1]:1"])
def test_metrics_that_others_read_are_warned_of(text):
    assert f"Whoever reaches {text} can read the metrics" in MetricsAddress.parse(text).warning()


@pytest.mark.parametrize(
    ("metrics", "bind", "same"),
    [
        (":5577", "tcp://127.0.0.1:5577", True),
        ("localhost:5577", "tcp://lo:5577", True),
        ("0.0.0.0:5577", "tcp://127.0.0.1:5577", True),
        (":5577", "tcp://*:5577", True),
        ("[::]:5577", "tcp://*:5577", True),
        (":5577", "tcp://[::]:5577", True),
        ("[::1]:5577", "tcp://[::1]:5577", True),
        ("0.0.0.0:5577", "tcp://[::1]:5577", False),
        ("[::1]:5577", "tcp://*:5577", False),
        ("127.0.0.2:5577", "tcp://127.0.0.1:5577", False),
        (":5578", "tcp://127.0.0.1:5577", False),
        (":0", "tcp://127.0.0.1:0", False),
        (":5577", "tcp://127.0.0.1:*", False),
    ],
)
def test_metrics_are_apart_from_the_server(metrics, bind, same):
    address, token = MetricsAddress.parse(metrics), Access("a token of many letters")
    if not same:
        address.check_apart(bind_address(bind, token))
        return
    with pytest.raises(BridgeError, match=r"of the metrics is that of --bind.*--metrics a port of its own"):
        address.check_apart(bind_address(bind, token))


def test_stats_has_the_stages_of_the_last_frames():
    gate = threading.Event()
    engine = ColourDepth(gate=gate)
    with BridgeServer(engine, LOOPBACK, max_in_flight=2) as server, dealer(server.endpoint) as raw:
        nothing = {"count": 0, "mean_ms": None, "p50_ms": None, "p99_ms": None}
        assert exchange(raw, pack_message(Kind.STATS, b"s", {}))[1]["stages"] == dict.fromkeys(STAGES, nothing)
        raw.send_multipart(frame_at(b"slow", 1.5))
        assert engine.entered.acquire(timeout=LONG_S)
        raw.send_multipart(frame_at(b"late", 1.5, deadline_ms=50))
        assert raw.recv_multipart()[1] == b"late"
        gate.set()
        assert raw.recv_multipart()[1] == b"slow"
        stages = exchange(raw, pack_message(Kind.STATS, b"s", {}))[1]["stages"]
        # One was answered, the other only waited.
        assert {name: stage["count"] for name, stage in stages.items()} == {
            "queue": 2, "total": 2, "decode": 1, "infer": 1, "measure": 1, "encode": 1,
        }  # fmt: skip
        assert stages["infer"]["mean_ms"] == stages["infer"]["p50_ms"] == stages["infer"]["p99_ms"] >= 50
        assert stages["total"]["p50_ms"] <= stages["total"]["p99_ms"]


def test_the_window_of_the_stages_is_a_thousand_frames():
    with BridgeServer(ColourDepth(), LOOPBACK) as server, dealer(server.endpoint) as raw:
        for _ in range(1003):
            raw.send_multipart(frame_at(b"1", 1.5))
            raw.recv_multipart()
        assert server.status.stages["total"].count == 1000 and server.status.frames == 1003
