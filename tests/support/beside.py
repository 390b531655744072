# SPDX-License-Identifier: Apache-2.0
"""A server in a process of its own, whose memory can be looked at, and a client beside everybody else that must never notice them.

``python beside.py MAX_IN_FLIGHT`` serves until its input ends, and then says what it counted.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from depthbridge.engines.camera import CameraIntrinsics
from depthbridge.unity_bridge.client import DepthClient
from depthbridge.unity_bridge.serving.server import BridgeServer
from support.colour_depth import ColourDepth, picture_of


class ServerProcess:
    """``endpoint``; after the block ``counted``, the server's own counters, and ``said``, its log."""

    def __init__(self, process: subprocess.Popen[str], endpoint: str) -> None:
        self.endpoint = endpoint
        self.counted: dict[str, int] = {}
        self.said = ""
        self._process = process

    @property
    def resident_mib(self) -> float:
        """The memory it holds now."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    @property
    def peak_mib(self) -> float:
        """The most it ever held."""
        (line,) = (text for text in Path(f"/proc/{self._process.pid}/status").read_text().splitlines() if text.startswith("VmHWM"))
        return int(line.split()[1]) / 1024


@contextmanager
def server_process(log: Path, max_in_flight: int = 64) -> Iterator[ServerProcess]:
    """Runs until the block ends; fails the test when it ended before, or does not end then."""
    with log.open("w") as errors:
        command = [sys.executable, __file__, str(max_in_flight)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True)
        assert process.stdin is not None and process.stdout is not None
        try:
            server = ServerProcess(process, process.stdout.readline().strip())
            yield server
            assert process.poll() is None, f"the server ended:\n{log.read_text()[-3000:]}"
            process.stdin.close()
            server.counted = json.loads(process.stdout.readline())
            assert process.wait(30) == 0
            server.said = log.read_text()
        finally:
            process.kill()
            process.wait()


class Bystander:
    """Measures one object over and over, at distances it knows, while the block lasts; then fails the test if any answer was wrong, late or
    refused. ``answers``: how many there were; ``slowest_s``: the longest that one took."""

    def __init__(self, endpoint: str, timeout_s: float = 20.0) -> None:
        self.answers = 0
        self.slowest_s = 0.0
        self._problems: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(endpoint, timeout_s), name="bystander")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()
        assert not self._problems, self._problems[:3]
        assert kind is not None or self.answers > 0

    def _work(self, endpoint: str, timeout_s: float) -> None:
        camera, mask = CameraIntrinsics(40, 40, 16, 12, 32, 24), np.ones((24, 32), np.uint8)
        with DepthClient(endpoint, timeout_s=timeout_s) as client:
            while not self._stop.is_set():
                metres = 1 + (self.answers % 1000) / 1000
                started = time.monotonic()
                try:
                    found = client.measure(picture_of(np.full((24, 32), metres)), camera, mask).object(1).distance
                    if found is None or abs(found.median - metres) > 1e-4:
                        self._problems.append(f"{metres} m came back as {found}")
                except Exception as error:
                    self._problems.append(repr(error))
                self.slowest_s = max(self.slowest_s, time.monotonic() - started)
                self.answers += 1
                self._stop.wait(0.01)


def _serve(max_in_flight: int) -> None:
    logging.basicConfig(level=logging.WARNING)
    with BridgeServer(ColourDepth(), "tcp://127.0.0.1:0", max_in_flight=max_in_flight) as server:
        print(server.endpoint, flush=True)
        sys.stdin.read()
        counted: dict[str, Any] = dataclasses.asdict(server.counters)
        print(json.dumps({**counted, "left": server.status.in_flight}), flush=True)


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
