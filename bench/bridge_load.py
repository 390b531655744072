# SPDX-License-Identifier: Apache-2.0
"""Many clients at once: whether each request is answered exactly once or refused with a code, how long that takes, and what memory does.

    python bench/bridge_load.py [--frames 1000] [--clients 8] [--max-in-flight 16] [--window 2] [--warm-up 500] [--flat-mib 110]

The server runs in a process of its own and measures every frame; its engine reads the depth from the picture's first pixel, so that each answer
shows whose it is. The clients are threads with sockets of their own, which each keep ``--window`` requests under way; when that is more
than the server has places for, it has to refuse some. Exits with 1 when an answer is missing, comes twice, is another's or has no code,
or when the server's resident memory grows by more than ``--flat-mib`` after the warm-up: one frame in ten that is never given back would be five
times that.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zmq

from depthbridge.engines.camera import CameraIntrinsics, CameraSource
from depthbridge.engines.cancel import CancelToken
from depthbridge.engines.depth_map import DepthKind, DepthMap
from depthbridge.unity_bridge.framing import ErrorCode, Kind, pack_message
from depthbridge.unity_bridge.serving.server import BridgeServer

PATIENCE_MS = 30_000
SHOWN = 10
"""How often the memory is read after the warm-up."""


class FirstPixel:
    """The whole picture is as many millimetres away as its first pixel says: 256 * red + green."""

    model_id = "first pixel"
    kind = DepthKind.METRIC
    needs_camera = False

    def estimate(self, image: npt.NDArray[np.uint8], camera: CameraIntrinsics | None = None, *, cancel: CancelToken | None = None) -> DepthMap:
        millimetres = 256 * int(image[0, 0, 0]) + int(image[0, 0, 1])
        values = np.full(image.shape[:2], millimetres / 1000, np.float32)
        return DepthMap(values, self.kind, np.ones(values.shape, np.bool_), None, None, camera, self.model_id, CameraSource.GIVEN)

    def batch_limit(self, width: int, height: int) -> int:
        return 8

    def estimate_batch(self, images: Sequence[Any], cameras: Sequence[Any], *, cancel: CancelToken | None = None) -> list[DepthMap]:
        return [self.estimate(image, camera) for image, camera in zip(images, cameras, strict=True)]


def serve(pipe: Connection, max_in_flight: int, batch_delay_ms: float) -> None:
    """A server, until the pipe says something; then it tells how many are left without an answer."""
    with BridgeServer(FirstPixel(), "tcp://127.0.0.1:0", max_in_flight=max_in_flight, batch_delay_ms=batch_delay_ms) as server:
        pipe.send(server.endpoint)
        pipe.recv()
        pipe.send(server.status.in_flight)


@dataclass
class Tally:
    """What all clients saw together. ``took`` are seconds from sending to the answer, of what was measured."""

    statuses: Counter[str] = field(default_factory=Counter)
    took: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    largest_batch: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Client(threading.Thread):
    """Sends ``count`` frames, its own, and takes what comes back."""

    def __init__(self, number: int, endpoint: str, count: int, chosen: argparse.Namespace, tally: Tally) -> None:
        super().__init__(name=f"client {number}")
        self._number, self._endpoint, self._count, self._window, self._tally = number, endpoint, count, chosen.window, tally
        width, height = chosen.width, chosen.height
        self._pixels = np.random.default_rng(number).integers(0, 256, (height, width, 4), dtype=np.uint8)
        self._mask = np.zeros((height, width), np.uint16)
        self._mask[height // 4 :, : width // 2] = 1
        one = {"encoding": "raw", "width": width, "height": height, "origin": "top_left"}
        payloads = [{"name": "image", "dtype": "u8", "channels": 4, **one}, {"name": "mask", "dtype": "u16", "channels": 1, **one}]
        self._header = {"payloads": payloads, "camera": CameraIntrinsics.from_vertical_fov(60, width, height).to_json()}

    def run(self) -> None:
        context = zmq.Context()
        socket = context.socket(zmq.DEALER)
        socket.linger, socket.rcvtimeo = 0, PATIENCE_MS
        try:
            socket.connect(self._endpoint)
            self._work(socket)
        except Exception as error:
            self._complain(f"{type(error).__name__}: {error}")
        finally:
            context.destroy(linger=0)

    def _work(self, socket: zmq.Socket[bytes]) -> None:
        under_way: dict[bytes, tuple[float, int]] = {}
        sent = done = 0
        while done < self._count:
            while sent < self._count and len(under_way) < self._window:
                millimetres = 500 + (self._number * 7919 + sent) % 60_000
                self._pixels[0, 0, :2] = millimetres >> 8, millimetres & 255
                under_way[b"%d" % sent] = time.perf_counter(), millimetres
                # A copy: the pixels are changed for the next frame.
                socket.send_multipart(pack_message(Kind.INFER, b"%d" % sent, self._header, [self._pixels.tobytes(), self._mask]))
                sent += 1
            answer = socket.recv_multipart()
            started, millimetres = under_way.pop(answer[1], (0.0, 0))
            if not started:
                self._complain(f"an answer to {answer[1]!r}, which waited for none")
                continue
            done += 1
            self._judge(json.loads(answer[2]), time.perf_counter() - started, millimetres / 1000)
        if socket.poll(100):
            self._complain("an answer too many")

    def _judge(self, header: dict[str, Any], took: float, metres: float) -> None:
        with self._tally.lock:
            if header["status"] == "ok":
                self._tally.largest_batch = max(self._tally.largest_batch, header["batch"])
                self._tally.statuses["ok"] += 1
                self._tally.took.append(took)
                (item,) = header["result"]["objects"]
                if abs(item["distance"]["median"] - metres) > 1e-3:
                    self._tally.wrong.append(f"{metres} m came back as {item['distance']['median']}")
                return
            code = str(header["error"]["code"])
            self._tally.statuses[code] += 1
            if code != ErrorCode.OVERLOADED:
                self._tally.wrong.append(f"refused with {code}: {header['error']['message']}")
        time.sleep(0.005)  # as the code asks for

    def _complain(self, what: str) -> None:
        with self._tally.lock:
            self._tally.wrong.append(f"{self.name}: {what}")


def resident_mib(pid: int) -> float:
    """The memory that a process holds (Linux)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def crowd(endpoint: str, frames: int, chosen: argparse.Namespace) -> Tally:
    """All clients at once, until each has its answers."""
    tally = Tally()
    shares = [frames // chosen.clients + (number < frames % chosen.clients) for number in range(chosen.clients)]
    clients = [Client(number, endpoint, share, chosen, tally) for number, share in enumerate(shares)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    if tally.statuses.total() != frames:
        tally.wrong.append(f"{tally.statuses.total()} answers to {frames} requests")
    return tally


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--window", type=int, default=2)
    parser.add_argument("--max-in-flight", type=int, default=16)
    parser.add_argument("--batch-delay-ms", type=float, default=0.0)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=720)
    parser.add_argument("--warm-up", type=int, default=500)
    parser.add_argument("--flat-mib", type=float, default=110.0)
    return parser.parse_args()


def main() -> None:
    chosen = parsed()
    spawn = multiprocessing.get_context("spawn")
    near, far = spawn.Pipe()
    process = spawn.Process(target=serve, args=(far, chosen.max_in_flight, chosen.batch_delay_ms))
    process.start()
    endpoint = near.recv()
    wrong = crowd(endpoint, chosen.warm_up, chosen).wrong
    memory = [resident_mib(process.pid or 0)]
    started, total = time.perf_counter(), Tally()
    for _ in range(SHOWN):
        part = crowd(endpoint, chosen.frames // SHOWN, chosen)
        total.statuses += part.statuses
        total.took += part.took
        total.largest_batch = max(total.largest_batch, part.largest_batch)
        wrong += part.wrong
        memory.append(resident_mib(process.pid or 0))
        if wrong:
            break
    seconds = time.perf_counter() - started
    near.send("stop")
    if left := near.recv():
        wrong.append(f"{left} requests were left in work")
    process.join()
    grown = min(memory[-3:]) - memory[0]  # the allocator keeps a queue's worth of frames for the next ones, and sometimes not
    if grown > chosen.flat_mib:
        wrong.append(f"resident memory grew by {grown:.1f} MiB")
    p50, p90, p99 = np.percentile(total.took, (50, 90, 99)) * 1e3 if total.took else (0.0, 0.0, 0.0)
    size = f"{chosen.width}x{chosen.height}"
    print(f"{chosen.clients} clients with {chosen.window} each under way, {chosen.max_in_flight} places, {size}, {seconds:.1f} s")
    print(f"answers: {dict(total.statuses)}, up to {total.largest_batch} in one inference")
    print(f"of the measured p50 {p50:.1f} ms, p90 {p90:.1f} ms, p99 {p99:.1f} ms")
    print(f"resident memory after the warm-up {memory[0]:.1f} MiB, then {', '.join(f'{value - memory[0]:+.1f}' for value in memory[1:])}")
    for line in wrong[:10]:
        print(f"wrong: {line}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
