# SPDX-License-Identifier: Apache-2.0
"""What server and clients add to a frame's way over ZeroMQ: their round trips beside that of bare sockets, in one run.

    python bench/bridge_round_trip.py [--rounds 300] [--width 1280] [--height 720]

All get the same frames, one at a time: raw RGBA, a mask of u16, a camera and twenty named objects. The floor is a pyzmq ROUTER in a process of
its own that receives them from a pyzmq DEALER and answers 200 bytes. The server runs in a process of its own, too, with a null engine:
it takes the request apart, checks it, decodes picture and mask, and asks the engine, which knows everything at once; nothing is measured. It is
asked by the floor's own socket, by the Python client and by the C# session of the Unity package, which mono runs (left out without mcs and
mono). Rounds alternate, medians are compared. A second server measures what it is sent, to show what that costs on top.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zmq

from depthbridge.engines.camera import CameraIntrinsics, CameraSource
from depthbridge.engines.cancel import CancelToken
from depthbridge.engines.depth_map import DepthKind, DepthMap
from depthbridge.unity_bridge.client import DepthClient, SceneObject
from depthbridge.unity_bridge.framing import Kind, pack_message
from depthbridge.unity_bridge.measuring.frame import FrameMeasure, measure_frame
from depthbridge.unity_bridge.measuring.pixels import MaskObjects
from depthbridge.unity_bridge.measuring.records import ObjectRecord
from depthbridge.unity_bridge.serving.server import BridgeServer

LIMITS = {"null engine, Python client": 2.0, "null engine, C# session": 3.0}
ROOT = Path(__file__).resolve().parents[1]
CORE = ROOT / "unity_bridge" / "com.depthbridge.unity" / "Runtime" / "Core"
OBJECTS = 20

RoundTrip = Callable[[], float]
"""One round trip; how many seconds it took."""


class NullEngine:
    """Knows the depth of every picture at once."""

    model_id = "null"
    kind = DepthKind.METRIC
    needs_camera = False

    def __init__(self) -> None:
        self._values: npt.NDArray[np.float32] = np.zeros((0, 0), np.float32)
        self._valid: npt.NDArray[np.bool_] = np.zeros((0, 0), np.bool_)

    def estimate(self, image: npt.NDArray[np.uint8], camera: CameraIntrinsics | None = None, *, cancel: CancelToken | None = None) -> DepthMap:
        if self._values.shape != image.shape[:2]:
            self._values, self._valid = np.full(image.shape[:2], 2, np.float32), np.ones(image.shape[:2], np.bool_)
        return DepthMap(self._values, self.kind, self._valid, None, None, camera, self.model_id, CameraSource.GIVEN)


def measure_nothing(
    depth_map: DepthMap,
    mask: npt.NDArray[Any] | MaskObjects,
    records: Sequence[ObjectRecord] | None = None,
    *,
    extrinsics: npt.NDArray[np.float64] | None = None,
    image: npt.NDArray[np.uint8] | None = None,
) -> FrameMeasure:
    """An answer without objects."""
    return FrameMeasure(DepthKind.METRIC, "m", None, None, (), (), 0, (), (), depth_map)


def serve(pipe: Connection, measures: bool) -> None:
    """A server, until the pipe says something."""
    with BridgeServer(NullEngine(), "tcp://127.0.0.1:0", measure=measure_frame if measures else measure_nothing) as server:
        pipe.send(server.endpoint)
        pipe.recv()


def receive_and_answer(pipe: Connection, _: bool) -> None:
    """The floor, until the pipe says something."""
    context = zmq.Context()
    with context.socket(zmq.ROUTER) as router:
        router.linger = 0
        port = router.bind_to_random_port("tcp://127.0.0.1")
        pipe.send(f"tcp://127.0.0.1:{port}")
        while not pipe.poll():
            while router.poll(100):
                router.send_multipart([router.recv_multipart(copy=False)[0], b"x" * 200])
    context.term()


class Scene:
    """A frame as Unity sends it: rows from the bottom, 20 objects that cover half of the picture and are named."""

    def __init__(self, width: int, height: int) -> None:
        self.rgba = np.random.default_rng(0).integers(0, 256, (height, width, 4), dtype=np.uint8)
        self.mask = np.zeros((height, width), np.uint16)
        for place in range(OBJECTS):
            top, left = place // 5 * height // 4, place % 5 * width // 5
            self.mask[top : top + round(height / 4 * 0.71), left : left + round(width / 5 * 0.71)] = place + 1
        self.camera = CameraIntrinsics.from_vertical_fov(60, width, height)

    def message(self) -> list[Any]:
        """Its request."""
        height, width = self.mask.shape
        one = {"encoding": "raw", "width": width, "height": height, "origin": "bottom_left"}
        payloads = [{"name": "image", "dtype": "u8", "channels": 4, **one}, {"name": "mask", "dtype": "u16", "channels": 1, **one}]
        objects = [{"mask_value": number, "category": "box"} for number in range(1, OBJECTS + 1)]
        header = {"payloads": payloads, "camera": self.camera.to_json(), "objects": objects}
        return pack_message(Kind.INFER, b"1", header, [self.rgba, self.mask])


def by_socket(stack: ExitStack, endpoint: str, scene: Scene) -> RoundTrip:
    """A bare DEALER."""
    socket = stack.enter_context(stack.enter_context(zmq.Context()).socket(zmq.DEALER))
    socket.linger = 0
    socket.connect(endpoint)
    frames = scene.message()

    def once() -> float:
        started = time.perf_counter()
        socket.send_multipart(frames, copy=False)
        answer = socket.recv_multipart()
        took = time.perf_counter() - started
        if len(answer) > 2 and json.loads(answer[2])["status"] != "ok":
            raise SystemExit(answer[2].decode())
        return took

    return once


def by_client(stack: ExitStack, endpoint: str, scene: Scene) -> RoundTrip:
    """The Python client, checks and all."""
    client = stack.enter_context(DepthClient(endpoint))
    objects = [SceneObject(mask_value=number, category="box") for number in range(1, OBJECTS + 1)]

    def once() -> float:
        started = time.perf_counter()
        client.measure(scene.rgba, scene.camera, scene.mask, objects=objects, origin="bottom_left")
        return time.perf_counter() - started

    return once


def by_session(stack: ExitStack, endpoint: str, scene: Scene) -> RoundTrip | None:
    """The Unity package's session, in a mono process; None without mono."""
    if shutil.which("mcs") is None or shutil.which("mono") is None:
        return None
    program = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "RoundTrip.exe"
    files = [*sorted(CORE.rglob("*.cs")), ROOT / "bench" / "csharp" / "RoundTrip.cs"]
    subprocess.run(["mcs", "-langversion:7.2", "-optimize", f"-out:{program}", *map(str, files)], check=True)
    height, width = scene.mask.shape
    command = ["mono", str(program), endpoint, str(width), str(height), str(OBJECTS)]
    process = stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1))
    asked, said = process.stdin, process.stdout
    assert asked is not None and said is not None
    stack.callback(asked.close)
    if said.readline().strip() != "ready":
        raise SystemExit("the C# session did not connect")

    def once() -> float:
        asked.write("\n")
        line = said.readline().strip()
        try:
            return float(line) / 1e3
        except ValueError:
            raise SystemExit(f"the C# session: {line}") from None

    return once


def running(stack: ExitStack, work: Callable[[Connection, bool], None], flag: bool) -> str:
    """A process that serves until the stack is closed; its endpoint."""
    spawn = multiprocessing.get_context("spawn")
    near, far = spawn.Pipe()
    process = spawn.Process(target=work, args=(far, flag), daemon=True)
    process.start()
    stack.callback(process.join)
    stack.callback(near.send, "stop")
    return str(near.recv())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=720)
    chosen = parser.parse_args()
    scene = Scene(chosen.width, chosen.height)
    with ExitStack() as stack:
        floor, null, whole = running(stack, receive_and_answer, False), running(stack, serve, False), running(stack, serve, True)
        sides: dict[str, RoundTrip | None] = {
            "bare ROUTER": by_socket(stack, floor, scene),
            "null engine, bare socket": by_socket(stack, null, scene),
            "null engine, Python client": by_client(stack, null, scene),
            "null engine, C# session": by_session(stack, null, scene),
            "measured, 20 objects": by_socket(stack, whole, scene),
        }
        times: dict[str, list[float]] = {name: [] for name, once in sides.items() if once is not None}
        for number in range(chosen.rounds + 30):
            for name, once in sides.items():
                if once is None:
                    continue
                took = once()
                if number >= 30:  # mono compiles what it runs often
                    times[name].append(took)
    size = sum(memoryview(frame).nbytes for frame in scene.message()) / 1e6
    print(f"{chosen.width}x{chosen.height} RGBA + u16 mask, {size:.1f} MB, median of {chosen.rounds}")
    middle = {name: statistics.median(values) for name, values in times.items()}
    for name, values in times.items():
        limit = f", limit {LIMITS[name]}" if name in LIMITS else ""
        ratio = middle[name] / middle["bare ROUTER"]
        print(f"{name:<27} {middle[name] * 1e3:6.2f} ms (fastest {min(values) * 1e3:.2f}), ratio {ratio:.2f}{limit}")


if __name__ == "__main__":
    main()
