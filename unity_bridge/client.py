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
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from .. import __version__
from ..engines.camera import CameraIntrinsics, CameraSource
from ..engines.cancel import CancelToken
from ..engines.depth_map import DepthKind, DepthMap
from .answers import Reply, ServedModel, ServerInfo, counters_of, frame_of, map_of, models_of
from .connection import Connection
from .curve import CurveKeys
from .errors import BridgeConnectionError, BridgeError, BridgeTimeoutError
from .framing import DEFAULT_ENDPOINT, Kind
from .maps import DepthDtype
from .peer import Peer
from .requests import (
    EncodedPicture,
    FrameRequest,
    ImageLike,
    MaskLike,
    ObjectLike,
    Order,
    Origin,
    OverlayEncoding,
    SceneObject,
    estimate_request,
    measure_request,
)
from .results import FrameResult
from .tokens import read_token

__all__ = [
    "CurveKeys", "DepthClient", "EncodedPicture", "FrameResult", "RemoteEstimator",
    "SceneObject", "ServedModel", "ServerInfo", "read_token",
]  # fmt: skip

DEFAULT_TIMEOUT_S = 300.0
"""Of a frame: a large model on a slow processor takes half a minute, and others may be before it. A server that dies is noticed at once."""

ABOUT_TIMEOUT_S = 10.0
"""What is asked about the server itself is answered at once, also while an inference runs."""
_LONGEST_TIMEOUT_S = 1e9
CLIENT = {"client": "depthbridge-python", "client_version": __version__}


def checked_timeout(timeout_s: float) -> float:
    """Raises :class:`BridgeError` for one that cannot be kept."""
    if not 0 < timeout_s <= _LONGEST_TIMEOUT_S:
        raise BridgeError(f"A timeout of {timeout_s} s cannot be kept; give seconds above 0, at most {_LONGEST_TIMEOUT_S:.0f}.")
    return timeout_s


class DepthClient:
    """One connection to a server, for one thread. Nothing is sent before the first call.

    ``timeout_s`` bounds every frame, and goes along as the request's deadline, so that a server does not work on what nobody waits for;
    requests about the server itself wait at most 10 s of it. ``token``: of a server that was started with one. ``curve``: the keys to an
    encrypted server. Errors: :class:`BridgeConnectionError` when no server listens (after
    2 s) or it went away, :class:`BridgeTimeoutError` when one does not answer in time, :class:`BridgeVersionError`, and
    :class:`RefusedError` with the server's code and sentence. After any of them the same client may be used again; it reconnects by itself.
    """

    def __init__(
        self,
        endpoint: str = DEFAULT_ENDPOINT,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        token: str | None = None,
        curve: CurveKeys | None = None,
    ) -> None:
        self._timeout_s = checked_timeout(timeout_s)
        self._info: ServerInfo | None = None
        self._peer = Peer(endpoint, curve, token)
        self._connection = Connection(self._peer)

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
        header = self._ask(Kind.HELLO, dict(CLIENT), cancel)
        with self._peer.reading():
            self._info = ServerInfo.from_json(header)
        return self._info

    def health(self) -> dict[str, Any]:
        """``live``, ``ready``, ``in_flight``, ``max_in_flight``, ``uptime_s``; answered while an inference runs, too."""
        return self._ask(Kind.HEALTH, {})

    def models(self, *, cancel: CancelToken | None = None) -> list[ServedModel]:
        """The models that the server has; the first one answers."""
        header = self._ask(Kind.MODELS, {}, cancel)
        with self._peer.reading():
            return models_of(header)

    def stats(self) -> dict[str, int]:
        """The server's counters since its start."""
        header = self._ask(Kind.STATS, {})
        with self._peer.reading():
            return counters_of(header)

    # ---- frames ------------------------------------------------------------------------------------------------

    def measure(
        self,
        image: ImageLike,
        camera: CameraIntrinsics | None,
        mask: MaskLike,
        *,
        objects: Sequence[ObjectLike] | None = None,
        extrinsics: npt.ArrayLike | None = None,
        overlay: OverlayEncoding | None = None,
        depth: DepthDtype | None = None,
        origin: Origin = "top_left",
        mask_origin: Origin | None = None,
        order: Order = "rgb",
        model: str | None = None,
        timeout_s: float | None = None,
    ) -> FrameResult:
        """Distances of the objects of one frame.

        ``image``: uint8 RGB or RGBA (H,W,3|4), or with ``order="bgr"`` BGR or BGRA; or an :class:`EncodedPicture`. ``camera``: of the upright
        image; None leaves it to the server, which refuses when its model needs one for metres. ``mask``: ids (H,W), bool or integers of up to
        32 bits, 0 being background; or colours, uint8 (H,W,3|4), which ``objects`` name; or an encoded PNG of either. ``objects``: what is
        to be answered, in this order (:class:`SceneObject`, or mappings with its fields); None: every value in the mask, ascending.
        ``extrinsics``: (3,4) or (4,4), world to camera (x right, y down, z forward), metres; the answer then has world coordinates.
        ``overlay``: also the picture with distances drawn into it, as this kind of file; ``depth``: also the depth map, in this precision.

        ``origin`` says which row comes first in the image (Unity's readbacks are ``bottom_left``); ``mask_origin`` where the mask's differs.
        ``model`` demands that this model answers. Raises what the class says, and :class:`BridgeError` for what cannot be sent.
        """
        deadline = self._deadline(timeout_s)
        request = measure_request(
            image,
            camera,
            mask,
            objects=objects,
            extrinsics=extrinsics,
            overlay=overlay,
            depth=depth,
            origin=origin,
            mask_origin=mask_origin,
            order=order,
            model=model,
        )
        reply = self._infer(request, deadline)
        with self._peer.reading():
            return frame_of(reply, request.width, request.height)

    def estimate(
        self,
        image: ImageLike,
        camera: CameraIntrinsics | None = None,
        *,
        camera_source: CameraSource = CameraSource.GIVEN,
        depth: DepthDtype = "f32",
        model: str | None = None,
        timeout_s: float | None = None,
        cancel: CancelToken | None = None,
    ) -> DepthMap:
        """The whole depth map of one picture, bit for bit what the server's engine makes of it, of whatever kind.

        ``image``: upright uint8 RGB or RGBA (H,W,3|4), or an :class:`EncodedPicture`. ``camera``: of this picture; ``camera_source``: how it is
        known, kept with the map. ``depth="f16"`` halves what crosses, and rounds to 11 significant bits.
        ``stage_ms`` of the map are the times of the server's engine. Raises what the class says, ``CancelledError`` within half a second
        after ``cancel`` was called (the server then lets go of the request, and the client may be used again), and :class:`BridgeError`
        for pictures that cannot be sent or are over the server's limits, and servers that answer no maps.
        """
        deadline = self._deadline(timeout_s)
        request = estimate_request(image, camera, camera_source, depth, model)
        reply = self._infer(request, deadline, cancel)
        with self._peer.reading():
            return map_of(reply, request.width, request.height)

    def bye(self) -> int:
        """Tell the server that nothing of this connection is waited for any more; how many requests it dropped."""
        header = self._ask(Kind.BYE, {})
        with self._peer.reading():
            return int(header["dropped"])

    # ---- inside ------------------------------------------------------------------------------------------------

    def _deadline(self, timeout_s: float | None) -> float:
        return time.monotonic() + (self._timeout_s if timeout_s is None else checked_timeout(timeout_s))

    def _ask(self, kind: Kind, header: dict[str, Any], cancel: CancelToken | None = None) -> dict[str, Any]:
        """About the server."""
        return self._exchange(kind, header, (), self._deadline(min(self._timeout_s, ABOUT_TIMEOUT_S)), cancel).header

    def _infer(self, request: FrameRequest, deadline: float, cancel: CancelToken | None = None) -> Reply:
        request.check(self._info or self.hello(cancel=cancel), self._peer.endpoint)
        return self._exchange(Kind.INFER, request.due(deadline), request.payloads, deadline, cancel)

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
    refused and not mistaken. For one thread. Takes what :class:`DepthClient` takes, and raises as it does.
    """

    def __init__(
        self,
        address: str = DEFAULT_ENDPOINT,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        token: str | None = None,
        curve: CurveKeys | None = None,
        cancel: CancelToken | None = None,
    ) -> None:
        self._client = DepthClient(address, timeout_s=timeout_s, token=token, curve=curve)
        try:
            self._server = self._client.hello(cancel=cancel)
            self._server.require_maps(address)
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
        return self._server.model

    @property
    def kind(self) -> DepthKind:
        """What its maps are, once :attr:`needs_camera` is satisfied."""
        return self._server.kind

    @property
    def needs_camera(self) -> bool:
        """Whether it has metres only with the focal length: without a camera its maps are RELATIVE."""
        return self._server.needs_camera

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
