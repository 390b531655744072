# SPDX-License-Identifier: Apache-2.0
"""The Python client. Needs the standard library, numpy and pyzmq, so that it also loads inside Blender.

::

    from depthbridge.engines import CameraIntrinsics
    from depthbridge.unity_bridge.client import DepthClient

    with DepthClient() as client:
        frame = client.measure(rgba, CameraIntrinsics.from_vertical_fov(60, 1280, 720), mask)
    print(frame.object(1).distance.center)
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from .. import __version__
from ..engines.camera import CameraIntrinsics, CameraSource
from ..engines.cancel import CancelToken
from ..engines.depth_map import DepthKind, DepthMap
from ..engines.errors import CameraError
from .connection import Connection, Reply
from .errors import BridgeConnectionError, BridgeError, BridgeTimeoutError
from .framing import DEFAULT_ENDPOINT, Kind
from .maps import BYTES_PER_PIXEL, map_from_wire
from .requests import Origin, describe_mask, image_array, infer_header, mask_array
from .results import FrameResult

DEFAULT_TIMEOUT_S = 300.0
"""Of a frame: a large model on a slow processor takes half a minute, and others may be before it. A server that dies is noticed at once."""

# What is asked about the server itself is answered at once, also while an inference runs.
_ABOUT_TIMEOUT_S = 10.0
_SENDABLE_SOURCES = (CameraSource.GIVEN, CameraSource.EXIF, CameraSource.ASSUMED)


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """A server's own account of itself."""

    server_version: str
    protocol: str
    model: str
    capabilities: tuple[str, ...]
    max_message_bytes: int
    max_answer_bytes: int
    max_pixels: int
    max_in_flight: int


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model of a server. ``kind``: what its maps are, once ``needs_camera`` is satisfied: whether it has metres only with the focal length."""

    id: str
    ready: bool
    kind: DepthKind
    needs_camera: bool


class DepthClient:
    """One connection to a server, for one thread. Nothing is sent before the first call.

    ``timeout_s`` bounds every frame, and goes along as the request's deadline, so that a server does not work on what nobody waits for;
    requests about the server itself wait at most 10 s of it. Errors: :class:`BridgeConnectionError` when no server listens (after
    2 s) or it went away, :class:`BridgeTimeoutError` when one does not answer in time, :class:`BridgeVersionError`, and
    :class:`RefusedError` with the server's code and sentence. After any of them the same client may be used again; it reconnects by itself.
    """

    def __init__(self, endpoint: str = DEFAULT_ENDPOINT, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        if not timeout_s > 0:
            raise BridgeError(f"A timeout of {timeout_s} s cannot be kept; give a positive number of seconds.")
        self._timeout_s = timeout_s
        self._info: ServerInfo | None = None
        self._connection = Connection(endpoint)

    def close(self) -> None:
        """Drop the connection. May be called again."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def stale_replies(self) -> int:
        """Answers that came after their call had been given up, and were discarded."""
        return self._connection.stale

    # ---- about the server --------------------------------------------------------------------------------------

    def hello(self, *, cancel: CancelToken | None = None) -> ServerInfo:
        """Who answers, and within which limits. Raises ``CancelledError`` soon after ``cancel`` was called."""
        header = self._ask(Kind.HELLO, {"client": "depthbridge-python", "client_version": __version__}, cancel)
        try:
            self._info = ServerInfo(
                server_version=str(header["server_version"]),
                protocol=str(header["protocol"]),
                model=str(header["model"]),
                capabilities=tuple(str(name) for name in header["capabilities"]),
                max_message_bytes=int(header["max_message_bytes"]),
                max_answer_bytes=int(header["max_answer_bytes"]),
                max_pixels=int(header["max_pixels"]),
                max_in_flight=int(header["max_in_flight"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise self._connection.not_understood(error) from error
        return self._info

    def health(self) -> dict[str, Any]:
        """``live``, ``ready``, ``in_flight``, ``max_in_flight``, ``uptime_s``; answered while an inference runs, too."""
        return self._ask(Kind.HEALTH, {})

    def models(self, *, cancel: CancelToken | None = None) -> list[ServedModel]:
        """The models that the server has; the first one answers."""
        header = self._ask(Kind.MODELS, {}, cancel)
        try:
            return [
                ServedModel(str(item["id"]), bool(item["ready"]), DepthKind(item["kind"]), bool(item["needs_camera"]))
                for item in header["models"]
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise self._connection.not_understood(error) from error

    def stats(self) -> dict[str, int]:
        """The server's counters since its start."""
        header = self._ask(Kind.STATS, {})
        try:
            return {str(name): int(value) for name, value in header["counters"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._connection.not_understood(error) from error

    # ---- frames ------------------------------------------------------------------------------------------------

    def measure(
        self,
        image: npt.NDArray[np.uint8],
        camera: CameraIntrinsics | None,
        mask: npt.NDArray[Any],
        *,
        origin: Origin = "top_left",
        mask_origin: Origin | None = None,
        model: str | None = None,
        timeout_s: float | None = None,
    ) -> FrameResult:
        """Distances of the objects of one frame.

        ``image``: uint8 RGB or RGBA (H,W,3|4). ``mask``: ids (H,W), bool or integers of up to 32 bits; 0 is background. ``camera``:
        of the upright image; None leaves it to the server, which refuses when its model needs one for metres. ``origin`` says which
        row comes first in the array (Unity's readbacks are ``bottom_left``); ``mask_origin`` where the mask's differs. ``model``
        demands that this model answers. Raises what the class says, and :class:`BridgeError` for arrays that cannot be sent.
        """
        deadline = self._deadline(timeout_s)
        pixels, ids = image_array(image), mask_array(mask)
        height, width = pixels.shape[:2]
        if ids.shape != (height, width):
            raise BridgeError(f"The mask is {ids.shape[1]}x{ids.shape[0]} and the image {width}x{height}; render both at one size.")
        header = infer_header(pixels, origin, camera, model)
        header["payloads"].append(describe_mask(ids, mask_origin or origin))
        self._check_size(self._info or self.hello(), pixels.nbytes + ids.nbytes)
        reply = self._infer(header, (pixels, ids), deadline)
        try:
            return FrameResult.from_json(reply.header)
        except (KeyError, TypeError, ValueError) as error:
            raise self._connection.not_understood(error) from error

    def estimate(
        self,
        image: npt.NDArray[np.uint8],
        camera: CameraIntrinsics | None = None,
        *,
        camera_source: CameraSource = CameraSource.GIVEN,
        model: str | None = None,
        timeout_s: float | None = None,
        cancel: CancelToken | None = None,
    ) -> DepthMap:
        """The whole depth map of one picture, bit for bit what the server's engine makes of it, of whatever kind.

        ``image``: upright uint8 RGB or RGBA (H,W,3|4). ``camera``: of this picture; ``camera_source``: how it is known, kept with the map.
        ``stage_ms`` of the map are the times of the server's engine. Raises what the class says, ``CancelledError`` within half a second
        after ``cancel`` was called (the server then lets go of the request, and the client may be used again), and :class:`BridgeError`
        for arrays that cannot be sent, pictures over the server's limits, and servers that answer no maps.
        """
        deadline = self._deadline(timeout_s)
        pixels = image_array(image)
        height, width = pixels.shape[:2]
        header = infer_header(pixels, "top_left", camera, model)
        header |= {"outputs": ["depth"], "requires": ["depth_map"]}
        if camera is not None and camera_source is not CameraSource.GIVEN:
            if camera_source not in _SENDABLE_SOURCES:
                raise BridgeError(f"A camera that is sent is {', '.join(_SENDABLE_SOURCES)}, not {camera_source}.")
            header["camera_source"] = str(camera_source)
            header["requires"].append("camera_source")
        info = self._info or self.hello(cancel=cancel)
        self._require_maps(info)
        self._check_size(info, pixels.nbytes)
        if width * height * BYTES_PER_PIXEL["f32"] > info.max_answer_bytes:
            raise BridgeError(
                f"The depth map of {width}x{height} pixels may need {width * height * BYTES_PER_PIXEL['f32']} bytes and the server at "
                f"{self._connection.endpoint} answers at most {info.max_answer_bytes}; send a smaller picture, or start the server with a "
                "larger --max-megapixels."
            )
        reply = self._infer(header, (pixels,), deadline, cancel)
        try:
            return map_from_wire(reply.header, reply.payloads, width, height)
        except (KeyError, TypeError, ValueError, AttributeError, CameraError) as error:
            raise self._connection.not_understood(error) from error

    # ---- inside ------------------------------------------------------------------------------------------------

    def _deadline(self, timeout_s: float | None) -> float:
        return time.monotonic() + (self._timeout_s if timeout_s is None else timeout_s)

    def _check_size(self, info: ServerInfo, payload_bytes: int) -> None:
        # Over the limit ZeroMQ drops the connection and says nothing to either side: the one error that must be found before sending.
        needed = payload_bytes + 4096
        if needed > info.max_message_bytes:
            raise BridgeError(
                f"The frame needs {needed} bytes and the server at {self._connection.endpoint} takes at most {info.max_message_bytes}; "
                "send a smaller picture, or start the server with a larger --max-megapixels."
            )

    def _require_maps(self, info: ServerInfo) -> None:
        if "depth_map" not in info.capabilities:
            raise BridgeError(
                f"The server at {self._connection.endpoint} (depthbridge {info.server_version}) answers distances of objects and no depth "
                "maps; bring it to this client's release."
            )

    def _ask(self, kind: Kind, header: dict[str, Any], cancel: CancelToken | None = None) -> dict[str, Any]:
        """About the server."""
        return self._exchange(kind, header, (), self._deadline(min(self._timeout_s, _ABOUT_TIMEOUT_S)), cancel).header

    def _infer(
        self, header: dict[str, Any], payloads: tuple[Any, ...], deadline: float, cancel: CancelToken | None = None
    ) -> Reply:
        header["deadline_ms"] = round(max(deadline - time.monotonic(), 0.001) * 1000.0, 3)
        return self._exchange(Kind.INFER, header, payloads, deadline, cancel)

    def _exchange(
        self, kind: Kind, header: dict[str, Any], payloads: tuple[Any, ...], deadline: float, cancel: CancelToken | None
    ) -> Reply:
        try:
            return self._connection.exchange(kind, header, payloads, deadline, cancel)
        except (BridgeConnectionError, BridgeTimeoutError):
            self._info = None  # who answers next may be another server
            raise


class RemoteEstimator:
    """A server's model as an :class:`~..engines.estimator.Estimator`: what can be done with a local engine can be done with it.

    Opening asks the server who it is, so that a wrong address is told at once; should another model answer there later, its pictures are
    refused and not mistaken. For one thread. Raises as :class:`DepthClient` does.
    """

    def __init__(
        self, address: str = DEFAULT_ENDPOINT, *, timeout_s: float = DEFAULT_TIMEOUT_S, cancel: CancelToken | None = None
    ) -> None:
        self._client = DepthClient(address, timeout_s=timeout_s)
        try:
            self._server = self._client.hello(cancel=cancel)
            self._client._require_maps(self._server)
            served = {model.id: model for model in self._client.models(cancel=cancel)}
            if self._server.model not in served:
                raise BridgeError(f"The server at {address} says nothing of its model {self._server.model}; bring it to this client's release.")
            self._model = served[self._server.model]
        except BaseException:
            self._client.close()
            raise

    @property
    def server(self) -> ServerInfo:
        """What the server said of itself."""
        return self._server

    @property
    def model_id(self) -> str:
        """The id of the server's model."""
        return self._model.id

    @property
    def kind(self) -> DepthKind:
        """What its maps are, once :attr:`needs_camera` is satisfied."""
        return self._model.kind

    @property
    def needs_camera(self) -> bool:
        """Whether it has metres only with the focal length: without a camera its maps are RELATIVE."""
        return self._model.needs_camera

    def estimate(
        self,
        image: npt.NDArray[np.uint8],
        camera: CameraIntrinsics | None = None,
        *,
        camera_source: CameraSource = CameraSource.GIVEN,
        cancel: CancelToken | None = None,
    ) -> DepthMap:
        """See :meth:`DepthClient.estimate`."""
        return self._client.estimate(image, camera, camera_source=camera_source, model=self.model_id, cancel=cancel)

    def close(self) -> None:
        """Drop the connection. May be called again."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
