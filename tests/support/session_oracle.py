# SPDX-License-Identifier: Apache-2.0
"""An engine that knows the depth of every pixel, and a server of its own process with it that can be frozen and killed.

``python session_oracle.py ENDPOINT [SECONDS_PER_FRAME]`` serves until it is killed.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from depthbridge.engines import CameraSource, DepthKind, DepthMap
from depthbridge.unity_bridge.serving.server import BridgeServer


class Oracle:
    """Red and green of a picture hold its depth in centimetres."""

    model_id = "oracle"
    kind = DepthKind.METRIC
    needs_camera = True

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds

    def estimate(self, image, camera=None, *, cancel=None):
        time.sleep(self.seconds)
        depth = (image[..., 0].astype(np.float32) + 256 * image[..., 1].astype(np.float32)) / 100
        return DepthMap(depth, DepthKind.METRIC, depth > 0, None, None, camera, self.model_id, CameraSource.GIVEN)


@contextmanager
def oracle_process(endpoint: str, seconds: float = 0.0) -> Iterator[subprocess.Popen[str]]:
    """A process that serves at ``endpoint``; ready when this returns."""
    process = subprocess.Popen([sys.executable, __file__, endpoint, str(seconds)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline().strip() == endpoint
        yield process
    finally:
        process.kill()
        process.communicate()


if __name__ == "__main__":
    with BridgeServer(Oracle(float(sys.argv[2])), sys.argv[1], max_in_flight=2) as running:
        print(running.endpoint, flush=True)
        while True:
            time.sleep(60)
