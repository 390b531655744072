# SPDX-License-Identifier: Apache-2.0
"""The C# session and a server gone mad: whatever it answers, each request ends once, every error explains, and a sane answer is still exact."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest
import zmq

from depthbridge.unity_bridge.framing import Kind
from depthbridge.unity_bridge.serving.server import BridgeServer
from support import zmtp_peers
from support.bridge_peers import LOOPBACK, dealer
from support.colour_depth import ColourDepth, picture_of
from support.fuzz import Mutator
from support.session_tool import SessionTool, build_session_tool

WIDTH, HEIGHT = 6, 4


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_session_tool(tmp_path_factory.mktemp("hostile"))


@contextmanager
def mad_server(seed, kind, mad):
    """A server whose answers of a kind come broken while ``mad()``; now and then one comes twice, or with another's."""
    mutator, chance, older = Mutator(seed), random.Random(seed), [[b""] * 3]
    with BridgeServer(ColourDepth(), LOOPBACK, max_in_flight=64) as running, dealer(running.endpoint) as behind:

        def answers(frames):
            behind.send_multipart(frames)
            real = behind.recv_multipart()
            if not mad() or real[0][6] != kind:
                return [real]
            broken = mutator.broken(real, older[0])
            older[0] = real
            what = chance.random()
            return [broken, broken, real] if what < 0.05 else [] if what < 0.07 else [broken]

        with zmtp_peers.zmq_peer(answers, kind=zmq.ROUTER) as peer:
            yield peer.endpoint


def frame_of(folder: Path, number: int, metres: float):
    path = folder / f"{number % 50}.rgba"
    path.write_bytes(picture_of([[metres] * WIDTH] * HEIGHT).tobytes())
    (folder / "mask").write_bytes(b"\1\0" * (WIDTH * HEIGHT))
    size = {"width": WIDTH, "height": HEIGHT}
    mask = {"path": str(folder / "mask"), "dtype": "u16", **size}
    return {"frame": number, "image": {"path": str(path), "channels": 4, **size}, "mask": mask, "depth": True, "overlay": number % 3 == 0}


def explains(event):
    return bool(event["code"]) and len(event["message"]) > 15 and event["message"][-1] in ".?)" and len(event["message"]) < 1000


@pytest.mark.parametrize(("flow", "seed"), [("Lossless", 1), ("LatestWins", 2)])
def test_broken_answers(program, tmp_path, flow, seed):
    """1280 frames, of which every 64th is answered as it should be."""
    sane, seen, count = False, Counter(), 1280
    with mad_server(seed, Kind.INFER, lambda: not sane) as endpoint, SessionTool(program) as tool:
        tool.start(endpoint, flow=flow, request_ms=1000, queue=80, reconnect_min_ms=20, reconnect_max_ms=50)
        tool.wait_state("Ready")
        ended, place, number = {}, 0, 0

        def collect(until):
            nonlocal place
            tool.wait(lambda: sum("frame" in event for event in tool.events[place:]) + len(ended) >= until, f"end of {until} frames")
            for event in (new := tool.events[place:]):
                if "frame" in event:
                    assert event["frame"] not in ended, event
                    ended[event["frame"]] = event
            place += len(new)

        while number < count:
            sane = False
            for _ in range(63):
                tool.ask("submit", **frame_of(tmp_path, number, 1.5))
                number += 1
            collect(number)
            sane = True
            tool.ask("submit", **{**frame_of(tmp_path, number, 2 + number / 1000), "overlay": False})
            number += 1
            collect(number)
            last = ended[number - 1]
            assert last["event"] == "Answered", last
            assert last["objects"][0]["distance"] == pytest.approx([2 + (number - 1) / 1000] * 5, abs=1e-4)
        for event in ended.values():
            seen[event.get("code", event["event"])] += 1
            assert event["event"] != "Failed" or explains(event), event
        tool.ask("stop")
        state = tool.state()
        assert state["releases"] == {str(frame): 1 for frame in range(count)}
    print(flow, dict(seen), {name: state[name] for name in ("stale", "reconnects", "timed_out")})
    assert seen["Answered"] > 20 and seen["bad_answer"] > 100


def test_broken_words_of_welcome(program):
    """Nobody connects to a server that contradicts itself, and everybody is told why."""
    seen = Counter()
    with mad_server(3, Kind.HELLO, lambda: True) as endpoint, SessionTool(program) as tool:
        for _ in range(200):
            report = tool.ask("test", endpoint=endpoint, connect_ms=150)
            seen["ok" if report["ok"] else report["code"]] += 1
            assert report["ok"] or (report["code"] and len(report["sentence"]) > 15 and report["sentence"][-1] in ".?"), report
        tool.start(endpoint, connect_ms=100, reconnect_min_ms=1, reconnect_max_ms=5)
        tool.wait(lambda: tool.state()["state"] in ("Ready", "Refused"), "an end of the trying")
        assert tool.ask("stop")["ms"] < 5000
    print(dict(seen))
    assert len(seen) >= 3
