# SPDX-License-Identifier: Apache-2.0
"""An engine whose depth is known, because it is written in the colours of the picture; and requests for it, frame by frame."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from depthbridge.engines import CameraSource, DepthKind, DepthMap
from depthbridge.engines.camera import CameraIntrinsics
from depthbridge.engines.cancel import CancelToken
from depthbridge.unity_bridge.framing import Kind, pack_message

LONG_S = 20


class ColourDepth:
    """Millimetres are 256 * red + green. ``gate`` holds an estimate until it is set."""

    model_id = "oracle"
    needs_camera = False

    def __init__(self, kind: DepthKind = DepthKind.METRIC, gate: threading.Event | None = None, failure: BaseException | None = None) -> None:
        self.kind, self.gate, self.failure = kind, gate, failure
        self.entered = threading.Semaphore(0)
        self.calls = 0

    def estimate(self, image: npt.NDArray[np.uint8], camera: CameraIntrinsics | None = None, *, cancel: CancelToken | None = None) -> DepthMap:
        self.calls += 1
        self.entered.release()
        if self.gate is not None:
            assert self.gate.wait(LONG_S)
        if self.failure is not None:
            raise self.failure
        return self.known(image, camera)

    def known(self, image: npt.NDArray[np.uint8], camera: CameraIntrinsics | None) -> DepthMap:
        """The map of a picture."""
        assert image.dtype == np.uint8 and image.shape[2] == 3 and image.flags.c_contiguous
        depth = ((image[..., 0].astype(np.float32) * 256 + image[..., 1]) / 1000).astype(np.float32)
        source = CameraSource.NONE if camera is None else CameraSource.GIVEN
        return DepthMap(depth, self.kind, depth > 0, None, None, camera, self.model_id, source)


class BatchColourDepth(ColourDepth):
    """Takes up to ``limit`` pictures at once; ``batches`` are the sizes it was asked for. ``fails_together``: it cannot after all."""

    def __init__(self, gate: threading.Event | None = None, *, limit: int = 8, fails_together: bool = False) -> None:
        super().__init__(gate=gate)
        self.limit, self.fails_together = limit, fails_together
        self.batches: list[int] = []
        self.stopped = threading.Semaphore(0)
        self.waits_for_cancel = False

    def batch_limit(self, width: int, height: int) -> int:
        return self.limit

    def estimate_batch(self, images: Any, cameras: Any = None, *, cancel: CancelToken | None = None) -> list[DepthMap]:
        self.batches.append(len(images))
        self.entered.release()
        if self.waits_for_cancel and cancel is not None:
            told = threading.Event()
            with cancel.on_cancel(told.set):
                assert told.wait(LONG_S), "nobody cancelled it"
            self.stopped.release()
            cancel.check()
        if self.gate is not None:
            assert self.gate.wait(LONG_S)
            if cancel is not None:
                cancel.check()
        if self.fails_together:
            raise RuntimeError("not together")
        return [self.known(image, camera) for image, camera in zip(images, cameras, strict=True)]


def picture_of(depth_m: npt.ArrayLike, channels: int = 4) -> npt.NDArray[np.uint8]:
    """The picture that says this depth, (H,W) metres."""
    millimetres = np.round(np.asarray(depth_m) * 1000).astype(np.uint32)
    image = np.full((*millimetres.shape, channels), 200, np.uint8)
    image[..., 0], image[..., 1] = millimetres >> 8, millimetres & 255
    return image


def frame_at(request_id: bytes, depth_m: float, width: int = 4, height: int = 3, *, camera: bool = True, **header: Any) -> list[Any]:
    """A request for one object, id 1, that fills a picture of that depth."""
    one = {"width": width, "height": height, "origin": "top_left"}
    payloads = [{"name": "image", "dtype": "u8", "channels": 4, **one}, {"name": "mask", "dtype": "u8", **one}]
    whole: dict[str, Any] = {"payloads": payloads, **({"camera": {"fx": 4, "fy": 4}} if camera else {}), **header}
    image = picture_of(np.full((height, width), depth_m))
    return pack_message(Kind.INFER, request_id, whole, [image.tobytes(), bytes([1]) * (width * height)])


def distance_in(header: dict[str, Any]) -> float:
    """The one object's distance in the answer to such a request."""
    (item,) = header["result"]["objects"]
    return float(item["distance"]["median"])
