# SPDX-License-Identifier: Apache-2.0
"""The C# session on mono against the real server: what it answers is exact, and every request ends once, whatever the server does."""

from __future__ import annotations

import base64
import json
import signal
import socket
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from depthbridge.unity_bridge.framing import Kind, pack_header, pack_message, pack_prefix
from depthbridge.unity_bridge.serving.access import Access
from depthbridge.unity_bridge.serving.keys import open_keys
from depthbridge.unity_bridge.serving.payloads import ServerLimits
from depthbridge.unity_bridge.serving.server import BridgeServer
from support import zmtp_peers
from support.bridge_peers import LOOPBACK, dealer, exchange, impostor
from support.session_oracle import Oracle, oracle_process
from support.session_tool import SessionTool, build_session_tool


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_session_tool(tmp_path_factory.mktemp("session"))


@dataclass
class Camera:
    """A camera of Unity: its matrices, and where a pixel's ray goes, worked out apart from the code under test."""

    width: int
    height: int
    focal: float = 1.1  # of half the height
    stretch: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    place: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    turn: npt.NDArray[np.float64] = field(default_factory=lambda: np.eye(3))
    """Columns: right, up, forward."""

    @property
    def projection(self) -> npt.NDArray[np.float64]:
        matrix = np.zeros((4, 4))
        matrix[0, 0], matrix[1, 1] = self.focal * self.height / self.width * self.stretch, self.focal
        matrix[0, 2], matrix[1, 2] = self.shift
        matrix[2, 2], matrix[2, 3], matrix[3, 2] = -1.002, -0.2, -1
        return matrix

    @property
    def world_to_camera(self) -> npt.NDArray[np.float64]:
        matrix = np.eye(4)
        matrix[:3, :3] = np.diag([1, 1, -1]) @ self.turn.T
        matrix[:3, 3] = -matrix[:3, :3] @ self.place
        return matrix

    def local(self, u: float, v: float, depth: float) -> npt.NDArray[np.float64]:
        """Right, up and forward of the point at planar ``depth`` that is seen at pixel (u, v from above)."""
        right, up = 2 * u / self.width - 1, 1 - 2 * v / self.height
        matrix = self.projection
        return np.array([(right + matrix[0, 2]) * depth / matrix[0, 0], (up + matrix[1, 2]) * depth / matrix[1, 1], depth])


def random_camera(rng: np.random.Generator, width: int, height: int) -> Camera:
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turn[:, 0] *= np.linalg.det(turn)
    return Camera(width, height, rng.uniform(0.8, 3), rng.uniform(0.7, 1.4), tuple(rng.uniform(-0.3, 0.3, 2)), rng.uniform(-9, 9, 3), turn)


@dataclass
class Scene:
    """Rectangles at known depths before a wall; ``depths`` by mask value, in centimetres."""

    image: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.uint16]
    depths: dict[int, int]


def random_scene(rng: np.random.Generator, width: int, height: int, across: int = 4) -> Scene:
    centimetres = np.full((height, width), 4000, np.int64)
    mask = np.zeros((height, width), np.uint16)
    depths = {}
    for cell in range(across * 2):
        left, top = cell % across * width // across, cell // across * height // 2
        mask_value = int(rng.integers(1, 65536))
        if mask_value in depths:
            continue
        right, bottom = left + int(rng.integers(1, width // across)), top + int(rng.integers(1, height // 2))
        depths[mask_value] = int(rng.integers(30, 3000))
        mask[top:bottom, left:right] = mask_value
        centimetres[top:bottom, left:right] = depths[mask_value]
    image = rng.integers(0, 256, (height, width, 4)).astype(np.uint8)
    image[..., 0], image[..., 1] = centimetres % 256, centimetres // 256
    return Scene(image, mask, depths)


def request_of(folder: Path, frame: int, scene: Scene, camera: Camera | None, *, image_origin="bottom_left", mask_origin="bottom_left", **more):
    """The command that submits a scene, its pixels in files as they lie in memory."""
    height, width = scene.mask.shape
    image = scene.image[::-1] if image_origin == "bottom_left" else scene.image
    mask = scene.mask[::-1] if mask_origin == "bottom_left" else scene.mask
    image_path, mask_path = folder / f"{frame}.rgba", folder / f"{frame}.u16"
    image_path.write_bytes(image.tobytes())
    mask_path.write_bytes(mask.astype("<u2").tobytes())
    size = {"width": width, "height": height}
    command: dict[str, Any] = {
        "frame": frame,
        "image": {"path": str(image_path), "channels": 4, "origin": image_origin, **size},
        "mask": {"path": str(mask_path), "dtype": "u16", "origin": mask_origin, **size},
        **more,
    }
    if camera is not None:
        command["projection"] = camera.projection.ravel().tolist()
        command["world_to_camera"] = camera.world_to_camera.ravel().tolist()
    return command


def check_objects(event: dict[str, Any], scene: Scene, camera: Camera) -> None:
    """Every number of every object against the scene's own."""
    assert event["event"] == "Answered" and event["unit"] == "m", event
    assert sorted(item["mask_value"] for item in event["objects"]) == sorted(scene.depths)
    for item in event["objects"]:
        depth = scene.depths[item["mask_value"]] / 100
        assert item["distance"] == pytest.approx([depth] * 5, abs=2e-6)
        assert item["pixels"] == (scene.mask == item["mask_value"]).sum()
        u, v = item["center_px"]
        assert scene.mask[int(v), int(u)] == item["mask_value"]
        right, up, forward = camera.local(u, v, depth)
        assert item["position"] == pytest.approx([right, -up, forward], abs=3e-5 * depth)
        assert item["range"][0] == pytest.approx(np.linalg.norm([right, up, forward]), abs=3e-5 * depth)
        assert item["world"] == pytest.approx(camera.place + camera.turn @ [right, up, forward], abs=3e-5 * depth)


def test_distances_positions_and_the_world_are_exact(program, tmp_path):
    rng = np.random.default_rng(4)
    with BridgeServer(Oracle(), LOOPBACK) as server, SessionTool(program) as tool:
        tool.start(server.endpoint, flow="Lossless", queue=100)
        sent = {}
        for frame in range(24):
            width, height = int(rng.integers(8, 90)), int(rng.integers(6, 70))
            scene, camera = random_scene(rng, width, height), random_camera(rng, width, height)
            origins = {name: ("bottom_left", "top_left")[int(rng.integers(2))] for name in ("image_origin", "mask_origin")}
            sent[frame] = scene, camera
            assert tool.ask("submit", **request_of(tmp_path, frame, scene, camera, **origins))["outcome"] == "Queued"
        ends = tool.wait_ends(24)
        for frame, (scene, camera) in sent.items():
            check_objects(ends[frame], scene, camera)
        tool.ask("stop")
        assert tool.state()["releases"] == {str(frame): 1 for frame in range(24)}


# ---- what goes along, and what comes back --------------------------------------------------------------------------


def raw(text: str, dtype: str) -> npt.NDArray[Any]:
    return np.frombuffer(base64.b64decode(text), dtype)


@pytest.mark.parametrize("half", [False, True])
def test_a_depth_map_comes_upright(program, tmp_path, half):
    rng = np.random.default_rng(7)
    scene, camera = random_scene(rng, 31, 18), random_camera(rng, 31, 18)
    with BridgeServer(Oracle(), LOOPBACK) as server, SessionTool(program) as tool:
        tool.start(server.endpoint)
        command = request_of(tmp_path, 1, scene, camera, depth=True, half=half, overlay=True)
        tool.ask("submit", **command)
        event = tool.wait_ends(1)[1]
    check_objects(event, scene, camera)
    truth = (scene.image[..., 0] + 256.0 * scene.image[..., 1]).astype(np.float32) / np.float32(100)
    want = truth.astype(np.float16).astype(np.float32) if half else truth
    assert np.array_equal(raw(event["depth"], "<f4").reshape(18, 31), want)
    assert raw(event["valid"], "u1").all()
    picture = cv2.imdecode(raw(event["overlay"], "u1"), cv2.IMREAD_COLOR)
    assert event["overlay_encoding"] == "jpeg" and picture.shape == (18, 31, 3)


def test_names_go_along_and_the_map_is_fitted_to_known_distances(program, tmp_path):
    rng = np.random.default_rng(8)
    scene, camera = random_scene(rng, 60, 40), random_camera(rng, 60, 40)
    first, second = list(scene.depths)[:2]
    objects = [
        {"mask_value": second, "id": "b\u00e4r \U0001f43b", "category": 'a "box"', "parent_id": "7", "bbox": [1, 2, 3, 4], "known_distance_m": 0.5},
        {"mask_value": first},
    ]
    with BridgeServer(Oracle(), LOOPBACK) as server, SessionTool(program) as tool:
        tool.start(server.endpoint)
        tool.ask("submit", **request_of(tmp_path, 1, scene, camera, objects=objects))
        one, other = tool.wait_ends(1)[1]["objects"]
    assert (one["id"], one["category"], one["parent_id"], one["mask_value"]) == ("b\u00e4r \U0001f43b", 'a "box"', "7", second)
    assert (other["id"], other["mask_value"]) == (str(first), first)
    scale = 0.5 / (scene.depths[second] / 100)
    assert one["distance"] == pytest.approx([0.5] * 5, abs=2e-6)
    assert other["distance"] == pytest.approx([scene.depths[first] / 100 * scale] * 5, rel=1e-5)


@pytest.mark.parametrize(("channels", "order", "encoding"), [(4, "rgb", "raw"), (3, "bgr", "raw"), (4, "rgb", "png")])
def test_colour_masks_and_files_measure_the_same(program, tmp_path, channels, order, encoding):
    rng = np.random.default_rng(9)
    scene, camera = random_scene(rng, 50, 30), random_camera(rng, 50, 30)
    code = (scene.mask.astype(np.int64) * 0x9E3779) % (1 << 24)
    colours = np.stack([code & 255, code >> 8 & 255, code >> 16, np.full_like(code, 255)], -1).astype(np.uint8)[..., :channels]
    command = request_of(tmp_path, 1, scene, camera, objects=[{"mask_value": value} for value in sorted(scene.depths)])
    image, mask = command["image"], command["mask"]
    if encoding == "png":
        cv2.imwrite(str(tmp_path / "i.png"), cv2.cvtColor(scene.image[..., :3], cv2.COLOR_RGB2BGR))
        cv2.imwrite(str(tmp_path / "m.png"), cv2.cvtColor(colours, cv2.COLOR_RGBA2BGRA))
        image |= {"path": str(tmp_path / "i.png"), "encoding": "png", "origin": "top_left"}
        mask |= {"path": str(tmp_path / "m.png"), "encoding": "png", "origin": "top_left"}
    else:
        stored = colours if order == "rgb" else colours[..., ::-1]
        (tmp_path / "m.raw").write_bytes(np.ascontiguousarray(stored[::-1]).tobytes())
        mask |= {"path": str(tmp_path / "m.raw"), "dtype": "u8", "order": order}
    mask |= {"channels": channels, "colour_ids": True}
    with BridgeServer(Oracle(), LOOPBACK) as server, SessionTool(program) as tool:
        tool.start(server.endpoint)
        tool.ask("submit", **command)
        check_objects(tool.wait_ends(1)[1], scene, camera)


def small_request(folder: Path, frame: int, **more: Any) -> dict[str, Any]:
    scene = random_scene(np.random.default_rng(frame), 24, 16)
    return request_of(folder, frame, scene, Camera(24, 16), **more)


def test_what_the_server_refuses_comes_with_its_code_and_sentence(program, tmp_path):
    with BridgeServer(Oracle(), LOOPBACK, limits=ServerLimits(max_message_bytes=100_000, max_pixels=10_000)) as server, SessionTool(program) as tool:
        tool.start(server.endpoint)
        tool.wait_state("Ready")
        assert tool.ask("submit", **small_request(tmp_path, 1, model="another"))["outcome"] == "Queued"
        end = tool.wait_ends(1)[1]
        assert (end["event"], end["code"], end["retryable"]) == ("Failed", "unknown_model", False) and "oracle" in end["message"]
        large = small_request(tmp_path, 2)
        large["image"] |= {"width": 200, "height": 100, "path": None, "bytes": 80_000}
        large["mask"] |= {"width": 200, "height": 100, "path": None, "bytes": 40_000}
        del large["projection"]
        assert tool.ask("submit", **large)["outcome"] == "TooLarge"
        reply = tool.try_ask("submit", **small_request(tmp_path, 3, mask={"bytes": 6, "dtype": "u16", "width": 3, "height": 1}))
        assert reply["type"] == "ArgumentException" and "3x1" in reply["message"]
        tool.ask("submit", **small_request(tmp_path, 4))
        assert tool.wait_ends(2)[4]["event"] == "Answered"
        assert server.counters.garbage == 0 and tool.state()["reconnects"] == 0


# ---- servers that are not there, go away, or will not have us -------------------------------------------------------


def free_endpoint() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"


def test_a_server_that_comes_later_gets_the_newest_frame(program, tmp_path):
    endpoint = free_endpoint()
    with SessionTool(program) as tool:
        tool.start(endpoint, reconnect_min_ms=50, reconnect_max_ms=200)
        tool.wait_state("Waiting")
        status = tool.state()["status"]
        assert endpoint in status and "start the server" in status and "Trying again in 0.1 s." in status, status
        for frame in range(3):
            tool.ask("submit", **small_request(tmp_path, frame))
        with BridgeServer(Oracle(), endpoint):
            ends = tool.wait_ends(3)
            assert [ends[frame]["event"] for frame in range(3)] == ["Dropped", "Dropped", "Answered"]
            tool.ask("stop")
        assert tool.state()["releases"] == {"0": 1, "1": 1, "2": 1}


@pytest.mark.parametrize("flow", ["Lossless", "LatestWins"])
def test_a_server_that_is_killed_and_comes_back(program, tmp_path, flow):
    endpoint, count = free_endpoint(), 60
    with SessionTool(program) as tool:
        tool.start(endpoint, flow=flow, queue=count, reconnect_min_ms=50, reconnect_max_ms=200)
        frame = 0
        for life in range(3):
            with oracle_process(endpoint, 0.01) as process:
                tool.wait_state("Ready")
                for _ in range(count // 3):
                    assert tool.ask("submit", **small_request(tmp_path, frame))["outcome"] in ("Queued", "ReplacedOlder")
                    frame += 1
                    time.sleep(0.005)
                if life < 2:
                    process.kill()
                    process.wait()
                else:
                    ends = tool.wait_ends(count)
        for number, end in ends.items():
            if end["event"] == "Answered":
                check_objects(end, random_scene(np.random.default_rng(number), 24, 16), Camera(24, 16))
            elif flow == "Lossless":
                pytest.fail(str(end))
            else:
                assert end["event"] == "Dropped" or end["code"] == "connection_lost", end
        tool.ask("stop")
        state = tool.state()
        assert state["releases"] == {str(number): 1 for number in range(count)} and state["reconnects"] >= 2


def test_a_server_that_freezes_is_left_and_found_again(program, tmp_path):
    endpoint = free_endpoint()
    with oracle_process(endpoint) as process, SessionTool(program) as tool:
        tool.start(endpoint, request_ms=1000, connect_ms=1000, reconnect_min_ms=50, reconnect_max_ms=200)
        tool.wait_state("Ready")
        process.send_signal(signal.SIGSTOP)
        try:
            tool.ask("submit", **small_request(tmp_path, 1))
            end = tool.wait_ends(1)[1]
            assert end["code"] == "timeout" and endpoint in end["message"]
            tool.wait(lambda: any("stopped answering" in event.get("message", "") for event in tool.events), "word of the dead connection")
        finally:
            process.send_signal(signal.SIGCONT)
        tool.wait_state("Ready")
        tool.ask("submit", **small_request(tmp_path, 2))
        assert tool.wait_ends(2)[2]["event"] == "Answered"
        state = tool.state()
        assert state["reconnects"] == 1 and state["timed_out"] == 1


def test_an_older_server_is_refused_and_both_versions_are_named(program):
    def older(frames: list[bytes]) -> list[bytes]:
        error = {"code": "unsupported_version", "message": "This server speaks 0.2.", "retryable": False}
        return [pack_prefix(Kind.HELLO, 0, 2), frames[1], pack_header({"status": "error", "error": error})]

    with impostor(older) as endpoint, SessionTool(program) as tool:
        tool.start(endpoint)
        tool.wait_state("Refused")
        assert "0.2" in tool.state()["status"] and "0.3" in tool.state()["status"]
        report = tool.ask("test", endpoint=endpoint)
        assert not report["ok"] and report["code"] == "version_mismatch"


def test_the_token(program, tmp_path):
    with BridgeServer(Oracle(), LOOPBACK, access=Access(token="open sesame")) as server, SessionTool(program) as tool:
        for token, word in ((None, "demands a token"), ("wrong", "does not accept this token")):
            tool.start(server.endpoint, **({"token": token} if token else {}))
            tool.wait_state("Refused")
            assert word in tool.state()["status"]
            assert tool.ask("submit", **small_request(tmp_path, 1))["outcome"] == "Stopped"
            tool.ask("stop")
        tool.start(server.endpoint, token="open sesame")
        tool.ask("submit", **small_request(tmp_path, 2))
        assert tool.wait_ends(1)[2]["event"] == "Answered"


def test_the_connection_test_says_what_is_there(program, tmp_path):
    with SessionTool(program) as tool:
        report = tool.ask("test", endpoint=free_endpoint())
        assert not report["ok"] and report["code"] == "no_server" and report["sentence"].endswith(".")
        with BridgeServer(Oracle(), LOOPBACK) as server:
            report = tool.ask("test", endpoint=server.endpoint)
            assert report["ok"] and "oracle" in report["sentence"] and report["round_trip_ms"] > 0
        with BridgeServer(Oracle(), LOOPBACK, access=Access(keys=open_keys(tmp_path / "keys").keys)) as server:
            report = tool.ask("test", endpoint=server.endpoint, connect_ms=10_000)
            assert not report["ok"] and "CURVE" in report["sentence"]
        with zmtp_peers.raw_peer(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as peer:
            assert not tool.ask("test", endpoint=peer.endpoint, connect_ms=10_000)["ok"]
        with impostor(lambda frames: None) as endpoint:
            report = tool.ask("test", endpoint=endpoint, connect_ms=2000)
            assert not report["ok"] and "did not answer hello" in report["sentence"]
        assert not tool.ask("test", endpoint="http://here")["ok"]


# ---- answers that come late, in another order, or not at all --------------------------------------------------------


def hello_of(max_in_flight: int = 4, max_message_bytes: int = 1 << 30) -> dict[str, Any]:
    with BridgeServer(Oracle(), LOOPBACK) as server, dealer(server.endpoint) as raw_socket:
        hello = exchange(raw_socket, pack_message(Kind.HELLO, b"1", {}))[1]
    return {**hello, "max_in_flight": max_in_flight, "max_message_bytes": max_message_bytes}


def answer_to(frames: list[bytes]) -> list[bytes]:
    """An answer that says in its objects which picture it is for: the first pixel."""
    spread = dict.fromkeys(("center", "mean", "median", "min", "max"), float(frames[3][0]))
    item = {"id": 1, "mask_value": 1, "pixel_count": 1, "valid_fraction": 1.0, "distance": spread, "center_px": None}
    result = {"model": "m", "kind": "metric", "unit": "m", "camera_source": "given", "width": 1, "height": 1, "objects": [item]}
    return [pack_prefix(Kind.INFER), frames[1], pack_header({"status": "ok", "timing_ms": {}, "result": result})]


def pixel_request(folder: Path, frame: int) -> dict[str, Any]:
    (folder / f"{frame}.px").write_bytes(bytes([frame, 0, 0, 255]))
    size = {"width": 1, "height": 1}
    return {
        "frame": frame,
        "image": {"path": str(folder / f"{frame}.px"), "channels": 4, **size},
        "mask": {"bytes": 2, "dtype": "u16", "channels": 1, **size},
    }


def test_answers_in_another_order_come_to_their_own_frames(program, tmp_path):
    hello, held = hello_of(), []

    def backwards(frames: list[bytes]) -> list[bytes] | None:
        if frames[0][6] == Kind.HELLO:
            return [frames[0], frames[1], pack_header(hello)]
        held.append(frames)
        return answer_to(held.pop(-2)) if len(held) > 1 else None  # each but the first before the one that came earlier

    with impostor(backwards) as endpoint, SessionTool(program) as tool:
        tool.start(endpoint, flow="Lossless", queue=50, request_ms=3000)
        for frame in range(30):
            tool.ask("submit", **pixel_request(tmp_path, frame))
        tool.wait_ends(29)
        for frame, end in tool.ends().items():
            assert end["objects"][0]["distance"][0] == frame, end


def test_a_late_answer_is_dropped_and_its_frame_was_cancelled(program, tmp_path):
    hello, first, cancelled = hello_of(), [], []

    def late(frames: list[bytes]) -> list[bytes] | None:
        kind = frames[0][6]
        if kind == Kind.HELLO:
            return [frames[0], frames[1], pack_header(hello)]
        if kind == Kind.CANCEL:
            cancelled.append(frames[1])
            return answer_to(first[0])  # now that nobody waits for it; it also shows that the server lives
        if kind == Kind.INFER and not first:
            first.append(frames)
            return None
        return answer_to(frames) if kind == Kind.INFER else None

    with impostor(late) as endpoint, SessionTool(program) as tool:
        tool.start(endpoint, request_ms=300)
        tool.ask("submit", **pixel_request(tmp_path, 1))
        assert tool.wait_ends(1)[1]["code"] == "timeout"
        tool.wait(lambda: tool.state()["stale"] == 1, "stale answer")
        tool.ask("submit", **pixel_request(tmp_path, 2))
        assert tool.wait_ends(2)[2]["objects"][0]["distance"][0] == 2
        assert cancelled == [first[0][1]] and tool.state()["reconnects"] == 0
        assert tool.state()["releases"] == {"1": 1, "2": 1}


def test_two_lossless_clients_of_a_server_for_one_lose_nothing(program, tmp_path):
    with BridgeServer(Oracle(0.005), LOOPBACK, max_in_flight=1) as server, SessionTool(program) as one, SessionTool(program) as other:
        for tool in (one, other):
            tool.start(server.endpoint, flow="Lossless", queue=30)
        for frame in range(30):
            for tool in (one, other):
                assert tool.ask("submit", **small_request(tmp_path, frame))["outcome"] == "Queued"
        for tool in (one, other):
            assert all(end["event"] == "Answered" for end in tool.wait_ends(30).values())
        assert server.counters.overloaded > 0


# ---- stopping -------------------------------------------------------------------------------------------------------


def test_fifty_times_start_and_stop_leave_no_thread(program, tmp_path):
    with BridgeServer(Oracle(), LOOPBACK) as server, SessionTool(program) as tool:
        tool.ask("make", endpoint=server.endpoint, flow="Lossless")
        for cycle in range(50):
            tool.ask("start")
            tool.ask("submit", **small_request(tmp_path, cycle))
            if cycle % 3:
                tool.wait_state("Ready")
                tool.wait(lambda: tool.state()["threads"] == 3, "sender, receiver and reader", 8)
            if cycle % 3 == 2:
                tool.wait_ends(cycle + 1)
            assert tool.ask("stop")["ms"] < 5000
            tool.wait(lambda: tool.state()["threads"] == 0, "end of the session's threads", 8)
        ends = tool.wait_ends(50)
        assert all(end["event"] == "Answered" or end["code"] == "stopped" for end in ends.values())
        assert tool.state()["releases"] == {str(cycle): 1 for cycle in range(50)}


def test_stop_while_a_peer_is_silent(program):
    done = threading.Event()
    with zmtp_peers.raw_peer(lambda connection: done.wait(20) and None) as peer, SessionTool(program) as tool:
        tool.start(peer.endpoint, connect_ms=15_000)
        time.sleep(0.3)
        assert tool.state()["state"] == "Connecting"
        assert tool.ask("stop")["ms"] < 5000
        assert tool.state()["state"] == "Stopped"
        tool.wait(lambda: tool.state()["threads"] == 0, "end of the session's threads", 8)
        done.set()


def test_stop_while_100_megabytes_are_sent_to_a_peer_that_does_not_read(program):
    hello, done, reading = hello_of(), threading.Event(), threading.Event()

    def peer_that_stops_reading(connection: socket.socket) -> None:
        zmtp_peers.handshake(connection)
        frames = [zmtp_peers.receive_frame(connection)[1] for _ in range(3)]
        answer = [frames[0], frames[1], json.dumps(hello).encode()]
        connection.sendall(b"".join(zmtp_peers.frame(body, more=place < 2) for place, body in enumerate(answer)))
        zmtp_peers.receive_exactly(connection, 1_000_000)
        reading.set()
        done.wait(20)

    with zmtp_peers.raw_peer(peer_that_stops_reading) as peer, SessionTool(program) as tool:
        tool.start(peer.endpoint)
        tool.wait_state("Ready")
        side = {"width": 5000, "height": 5000}
        image = {"bytes": 100_000_000, "channels": 4, **side}
        tool.ask("submit", frame=1, image=image, mask={"bytes": 50_000_000, "dtype": "u16", **side})
        assert reading.wait(20)
        assert tool.ask("stop")["ms"] < 5000
        assert tool.wait_ends(1)[1]["code"] == "stopped"
        assert tool.state()["releases"] == {"1": 1}
        tool.wait(lambda: tool.state()["threads"] == 0, "end of the session's threads", 8)
        done.set()
