# SPDX-License-Identifier: Apache-2.0
"""What the server adds to a frame's way over ZeroMQ: its round trip beside that of a bare socket, in one run.

    python bench/bridge_round_trip.py [--rounds 300] [--width 1280] [--height 720]

Both sides get the same frames from the same Python client socket, one at a time: raw RGBA, a mask of u16, and the header of a real request. The
floor is a pyzmq ROUTER in a thread of a process of its own that receives them and answers 200 bytes. The server runs in a process of its own,
too, with a null engine: it takes the request apart, checks it, decodes picture and mask, and asks the engine, which knows everything at once;
nothing is measured. Rounds alternate, medians are compared. A second server measures what it is sent, to show what that costs on top.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import numpy.typing as npt
import zmq

from depthbridge.engines.camera import CameraIntrinsics, CameraSource
from depthbridge.engines.cancel import CancelToken
from depthbridge.engines.depth_map import DepthKind, DepthMap
from depthbridge.unity_bridge.framing import Kind, pack_message
from depthbridge.unity_bridge.measuring.frame import FrameMeasure, measure_frame
from depthbridge.unity_bridge.measuring.pixels import MaskObjects
from depthbridge.unity_bridge.measuring.records import ObjectRecord
from depthbridge.unity_bridge.serving.server import BridgeServer

LIMIT = 2.0


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
    """The floor, until it is told to stop by an empty message."""
    context = zmq.Context()
    with context.socket(zmq.ROUTER) as router:
        router.linger = 0
        port = router.bind_to_random_port("tcp://127.0.0.1")
        pipe.send(f"tcp://127.0.0.1:{port}")
        while len(frames := router.recv_multipart(copy=False)) > 2:
            router.send_multipart([frames[0], b"x" * 200])
    context.term()


def request(width: int, height: int) -> list[Any]:
    """A frame as Unity sends it: rows from the bottom, 20 objects that cover half of the picture and are named in the header."""
    rng = np.random.default_rng(0)
    rgba = rng.integers(0, 256, (height, width, 4), dtype=np.uint8)
    mask = np.zeros((height, width), np.uint16)
    cells = [(row, column) for row in range(4) for column in range(5)]
    for number, (row, column) in enumerate(cells, 1):
        top, left = row * height // 4, column * width // 5
        mask[top : top + round(height / 4 * 0.71), left : left + round(width / 5 * 0.71)] = number
    one = {"encoding": "raw", "width": width, "height": height, "origin": "bottom_left"}
    payloads = [{"name": "image", "dtype": "u8", "channels": 4, **one}, {"name": "mask", "dtype": "u16", "channels": 1, **one}]
    objects = [{"mask_value": number, "category": "box"} for number in range(1, len(cells) + 1)]
    camera = CameraIntrinsics.from_vertical_fov(60, width, height).to_json()
    return pack_message(Kind.INFER, b"1", {"payloads": payloads, "camera": camera, "objects": objects}, [rgba, mask])


def round_trip(socket: zmq.Socket[bytes], frames: list[Any]) -> tuple[float, list[bytes]]:
    started = time.perf_counter()
    socket.send_multipart(frames, copy=False)
    answer = socket.recv_multipart()
    return time.perf_counter() - started, answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=720)
    chosen = parser.parse_args()
    frames = request(chosen.width, chosen.height)
    spawn = multiprocessing.get_context("spawn")
    sides = {"bare ROUTER": (receive_and_answer, False), "null engine": (serve, False), "measured, 20 objects": (serve, True)}
    context = zmq.Context()
    times: dict[str, list[float]] = {name: [] for name in sides}
    sockets: dict[str, zmq.Socket[bytes]] = {}
    ends: list[Connection] = []
    processes = []
    for name, (work, flag) in sides.items():
        near, far = spawn.Pipe()
        processes.append(spawn.Process(target=work, args=(far, flag)))
        processes[-1].start()
        ends.append(near)
        sockets[name] = context.socket(zmq.DEALER)
        sockets[name].linger = 0
        sockets[name].connect(near.recv())
    for number in range(chosen.rounds + 10):
        for name, socket in sockets.items():
            took, answer = round_trip(socket, frames)
            if name != "bare ROUTER" and json.loads(answer[2])["status"] != "ok":
                raise SystemExit(answer[2].decode())
            if number >= 10:
                times[name].append(took)
    sockets["bare ROUTER"].send(b"")
    for end in ends[1:]:
        end.send("stop")
    for process in processes:
        process.join()
    context.destroy(linger=0)
    floor = statistics.median(times["bare ROUTER"])
    size = sum(memoryview(frame).nbytes for frame in frames) / 1e6
    print(f"{chosen.width}x{chosen.height} RGBA + u16 mask, {size:.1f} MB, median of {chosen.rounds}")
    for name, values in times.items():
        middle = statistics.median(values)
        print(f"{name:<22} {middle * 1e3:6.2f} ms (fastest {min(values) * 1e3:.2f}), ratio {middle / floor:.2f}")
    print(f"limit of the null engine: {LIMIT}")


if __name__ == "__main__":
    main()
