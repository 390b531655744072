# SPDX-License-Identifier: Apache-2.0
"""What the device path needs of a runtime, on the CPU: the same graphs compute the same there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from depthbridge.engines.camera import CameraIntrinsics, CameraSource
from depthbridge.engines.depth_map import DepthMap
from depthbridge.engines.device_path.frames import DeviceFrames
from depthbridge.engines.device_path.way import DeviceWay
from depthbridge.engines.engine import DepthEngine
from depthbridge.engines.model_spec import InputPolicy, ModelSpec
from depthbridge.engines.recognise import recognise


@dataclass(frozen=True)
class BareRuntime:
    """A session on the CPU."""

    session: onnxruntime.InferenceSession
    device: str = "cpu"
    cuda_graph: bool = False

    @classmethod
    def open(cls, path: Path) -> BareRuntime:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        return cls(onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]))


class Both:
    """A model by the ordinary path and by the device's, side by side."""

    def __init__(self, path: Path, policy: InputPolicy | None = None, spec: ModelSpec | None = None) -> None:
        self.engine = DepthEngine.open(path, device="cpu", runtime="onnxruntime", policy=policy, spec=spec)
        recognised = recognise(path, spec)
        policy = policy or recognised.spec.input
        self.frames = DeviceFrames(BareRuntime.open(path), recognised.signature, recognised.spec, policy)
        self.way = DeviceWay(self.frames, recognised.spec, policy, self.engine._network)

    def __enter__(self) -> Both:
        return self

    def __exit__(self, *error: object) -> None:
        self.way.close()
        self.engine.close()

    def maps(self, pictures: Sequence[np.ndarray], camera: CameraIntrinsics | None = None) -> tuple[list[DepthMap], list[DepthMap]]:
        """The ordinary path's, then the device's, of pictures of one size, run together."""
        cameras = [camera] * len(pictures)
        ordinary = self.engine.estimate_batch(pictures, cameras) if len(pictures) > 1 else [self.engine.estimate(pictures[0], camera)]
        self.way.learn(pictures, cameras, ordinary)
        device = self.way.estimate(pictures, cameras, [CameraSource.GIVEN if camera else CameraSource.NONE] * len(pictures), None)
        assert device is not None, self.way.notes
        return ordinary, device


def assert_same_maps(device: DepthMap, ordinary: DepthMap) -> None:
    """Within a thousandth in the median, and a hundredth for all but one pixel in a thousand; every other fact the same."""
    assert device.values.shape == ordinary.values.shape and device.values.dtype == np.float32
    both = device.valid & ordinary.valid
    assert np.mean(device.valid != ordinary.valid) <= 1e-3
    if both.any():
        off = np.abs(device.values[both] - ordinary.values[both]) / np.abs(ordinary.values[both]).clip(1e-6)
        assert np.median(off) <= 1e-3 and np.quantile(off, 0.999) <= 1e-2
    assert (device.values[~device.valid & ~ordinary.valid & (ordinary.values == 0)] == 0).all()
    for name in ("sky", "confidence"):
        mine, theirs = getattr(device, name), getattr(ordinary, name)
        assert (mine is None) == (theirs is None)
        if theirs is not None:
            assert np.quantile(np.abs(mine - theirs), 0.999) <= 1e-2 * max(1.0, float(np.abs(theirs).max()))
    for name in ("kind", "camera", "camera_source", "scale_note", "focal_px", "max_depth_m", "model_id"):
        assert getattr(device, name) == getattr(ordinary, name), name
    assert (device.extrinsics is None) == (ordinary.extrinsics is None)
    if ordinary.extrinsics is not None:
        assert np.allclose(device.extrinsics, ordinary.extrinsics)
