# SPDX-License-Identifier: Apache-2.0
"""A job whose engine runs elsewhere: the same result through a real socket, the same words when it is gone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from depthbridge.addon.jobs.pipeline import Ready, run
from depthbridge.addon.jobs.progress import Progress, Stage
from depthbridge.addon.jobs.remote import RemoteServer
from depthbridge.addon.jobs.request import BuildRequest, EngineChoice, Source
from depthbridge.addon.jobs.worker import Failed, Worker
from depthbridge.engines.camera import CameraSource
from depthbridge.engines.cancel import CancelToken
from depthbridge.engines.depth_map import DepthKind
from depthbridge.engines.engine import DepthEngine
from depthbridge.engines.errors import DepthbridgeError
from depthbridge.unity_bridge.serving.access import Access
from depthbridge.unity_bridge.serving.keys import open_keys
from depthbridge.unity_bridge.serving.server import BridgeServer
from support import onnx_models as models

PICTURE = np.random.default_rng(0).integers(60, 200, (56, 84, 3), dtype=np.uint8)


def request(engine: EngineChoice, picture: np.ndarray = PICTURE) -> BuildRequest:
    return BuildRequest(Source("x", picture=picture), engine)


def ready(wanted: BuildRequest) -> Ready:
    return run(wanted, progress=lambda item: None, cancel=CancelToken())


@pytest.mark.parametrize("kind", [DepthKind.METRIC, DepthKind.DISPARITY])
def test_a_remote_engine_gives_what_a_local_one_gives(kind: DepthKind, tmp_path: Path) -> None:
    """Also the assumed camera, of which the model's metres depend: the server says whether they do."""
    if kind is DepthKind.METRIC:
        path = models.da3_single(tmp_path / "da3metric.onnx", size=("height", "width"))
    else:
        path = models.da2_relative(tmp_path / "depth_anything_v2_vits.onnx")
    local = ready(request(EngineChoice(model=str(path), device="cpu"))).prepared
    with DepthEngine.open(path) as engine, BridgeServer(engine, bind="tcp://127.0.0.1:0") as server:
        remote = ready(request(EngineChoice(model="unused", remote=RemoteServer(server.endpoint)))).prepared
    assert remote.source.kind is kind
    assert (remote.source.camera, remote.source.camera_source) == (local.source.camera, CameraSource.ASSUMED)
    np.testing.assert_array_equal(remote.source.values, local.source.values)
    np.testing.assert_array_equal(remote.positions, local.positions)


def test_a_server_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(DepthbridgeError, match=r"127\.0\.0\.1:9"):
        ready(request(EngineChoice(remote=RemoteServer("tcp://127.0.0.1:9"))))


def test_a_cancel_reaches_a_remote_inference(tmp_path: Path) -> None:
    bright = np.full((56, 84, 3), 250, dtype=np.uint8)
    with DepthEngine.open(models.slow_when_bright(tmp_path / "da3.onnx")) as engine, BridgeServer(engine, bind="tcp://127.0.0.1:0") as server:
        worker: Worker[Ready] = Worker()
        begun: list[Stage] = []

        def job(report: object, cancel: CancelToken) -> Ready:
            def heard(item: Progress) -> None:
                begun.append(item.stage)
                if item.stage is Stage.ESTIMATE:
                    worker.cancel()

            return run(request(EngineChoice(remote=RemoteServer(server.endpoint)), bright), progress=heard, cancel=cancel)

        worker.start(job)
        assert worker.join(20)
        (event,) = worker.poll()
        assert isinstance(event, Failed) and event.cancelled
        assert begun[-1] is Stage.ESTIMATE
        dark = np.full((56, 84, 3), 40, dtype=np.uint8)
        assert ready(request(EngineChoice(remote=RemoteServer(server.endpoint)), dark)).prepared.source.valid.all()


def test_a_guarded_server_lets_in_who_has_its_token_and_keys(tmp_path: Path) -> None:
    path, keys, token = models.da2_relative(tmp_path / "depth_anything_v2_vits.onnx"), tmp_path / "keys", "a token that is long enough"
    access = Access(token=token, keys=open_keys(keys).keys)
    with DepthEngine.open(path) as engine, BridgeServer(engine, bind="tcp://127.0.0.1:0", access=access) as server:
        known = RemoteServer(server.endpoint, token, keys)
        assert "depth_anything_v2_vits" in known.greeting(5.0)
        assert ready(request(EngineChoice(remote=known))).prepared.source.kind is DepthKind.DISPARITY
        with pytest.raises(DepthbridgeError, match="token"):
            RemoteServer(server.endpoint, None, keys).greeting(5.0)
        with pytest.raises(DepthbridgeError, match=r"CURVE|key"):
            RemoteServer(server.endpoint, token).greeting(2.0)
    assert token not in repr(known)
