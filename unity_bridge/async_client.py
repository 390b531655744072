# SPDX-License-Identifier: Apache-2.0
"""The Python client for asyncio: the same requests, several of them under way at once on one connection.

::

    async with AsyncDepthClient() as client:
        frames = await asyncio.gather(*(client.measure(rgba, camera, mask) for rgba, mask in pictures))
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from copy import copy
from types import TracebackType
from typing import Any, Self

import numpy.typing as npt

from ..engines.camera import CameraIntrinsics, CameraSource
from ..engines.depth_map import DepthMap
from .answers import Reply, ServedModel, ServerInfo, counters_of, frame_of, map_of, models_of
from .async_connection import AsyncConnection
from .client import ABOUT_TIMEOUT_S, CLIENT, DEFAULT_TIMEOUT_S, checked_timeout
from .curve import CurveKeys
from .errors import BridgeConnectionError, BridgeError, BridgeTimeoutError
from .framing import DEFAULT_ENDPOINT, Kind
from .maps import DepthDtype
from .peer import Peer
from .requests import FrameRequest, ImageLike, MaskLike, ObjectLike, Order, Origin, OverlayEncoding, estimate_request, measure_request
from .results import FrameResult

__all__ = ["AsyncDepthClient"]


class AsyncDepthClient:
    """One connection to a server, for the tasks of one event loop (on Windows a selector loop, as pyzmq needs). Nothing is sent before the
    first call.

    Any number of tasks may ask at once. As many frames are under way as the server gives credit (``max_in_flight`` of :meth:`hello`), the
    others wait here, their own timeouts running; a server that is shared may still answer :class:`RefusedError` ``overloaded``, which is
    retryable. A task that is cancelled takes its frame back from the server. Arguments and errors are those of
    :class:`~.client.DepthClient`.
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
        self._peer = Peer(endpoint, curve, token)
        self._connection: AsyncConnection | None = None
        self._known: tuple[ServerInfo, asyncio.Semaphore] | None = None
        self._doubtful = True
        self._introduction = asyncio.Lock()
        self._failures = 0
        self._failure: BridgeError | None = None

    async def close(self) -> None:
        """Drop the connection; what is under way raises a :class:`~.errors.BridgeError`. May be called again."""
        if self._connection is not None:
            await self._connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def stale_replies(self) -> int:
        """Answers that came after their call had been given up, and were discarded."""
        return 0 if self._connection is None else self._connection.stale

    # ---- about the server --------------------------------------------------------------------------------------

    async def hello(self) -> ServerInfo:
        """Who answers, and within which limits."""
        header = await self._ask(Kind.HELLO, dict(CLIENT))
        with self._peer.reading():
            info = ServerInfo.from_json(header)
        if self._known is None or self._known[0] != info:
            self._known = info, asyncio.Semaphore(max(1, info.max_in_flight))
        self._doubtful = False
        return info

    async def health(self) -> dict[str, Any]:
        """``live``, ``ready``, ``in_flight``, ``max_in_flight``, ``uptime_s``; answered while an inference runs, too."""
        return await self._ask(Kind.HEALTH, {})

    async def models(self) -> list[ServedModel]:
        """The models that the server has; the first one answers."""
        header = await self._ask(Kind.MODELS, {})
        with self._peer.reading():
            return models_of(header)

    async def stats(self) -> dict[str, int]:
        """The server's counters since its start."""
        header = await self._ask(Kind.STATS, {})
        with self._peer.reading():
            return counters_of(header)

    async def bye(self) -> int:
        """Have the server drop everything of this connection; how many requests it dropped. Those raise ``RefusedError`` ``cancelled``."""
        header = await self._ask(Kind.BYE, {})
        with self._peer.reading():
            return int(header["dropped"])

    # ---- frames ------------------------------------------------------------------------------------------------

    async def measure(
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
        """See :meth:`~.client.DepthClient.measure`. The arrays must not change before the answer is there: they are not copied."""
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
        reply = await self._infer(request, deadline)
        with self._peer.reading():
            return frame_of(reply, request.width, request.height)

    async def estimate(
        self,
        image: ImageLike,
        camera: CameraIntrinsics | None = None,
        *,
        camera_source: CameraSource = CameraSource.GIVEN,
        depth: DepthDtype = "f32",
        model: str | None = None,
        timeout_s: float | None = None,
    ) -> DepthMap:
        """See :meth:`~.client.DepthClient.estimate`. The array must not change before the answer is there: it is not copied."""
        deadline = self._deadline(timeout_s)
        request = estimate_request(image, camera, camera_source, depth, model)
        reply = await self._infer(request, deadline)
        with self._peer.reading():
            return map_of(reply, request.width, request.height)

    # ---- inside ------------------------------------------------------------------------------------------------

    def _deadline(self, timeout_s: float | None) -> float:
        return time.monotonic() + (self._timeout_s if timeout_s is None else checked_timeout(timeout_s))

    async def _ask(self, kind: Kind, header: dict[str, Any]) -> dict[str, Any]:
        """About the server."""
        return (await self._exchange(kind, header, (), self._deadline(min(self._timeout_s, ABOUT_TIMEOUT_S)))).header

    async def _infer(self, request: FrameRequest, deadline: float) -> Reply:
        info, credit = await self._introduced(deadline)
        request.check(info, self._peer.endpoint)
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                await credit.acquire()
        except TimeoutError as error:
            raise BridgeTimeoutError(
                f"The server at {self._peer.endpoint} takes {info.max_in_flight} frames at once and the earlier ones were not answered "
                "in time; ask for fewer, or give a longer timeout."
            ) from error
        return await self._exchange(Kind.INFER, request.due(deadline), request.payloads, deadline, credit.release)

    async def _introduced(self, deadline: float) -> tuple[ServerInfo, asyncio.Semaphore]:
        failures = self._failures
        try:
            # Many tasks may begin at once, and one hello is enough: what it fails of, all who waited for it are told.
            async with asyncio.timeout(deadline - time.monotonic()), self._introduction:
                if self._doubtful:
                    if self._failure is not None and self._failures != failures:
                        raise copy(self._failure)  # each its own: a traceback belongs to one task
                    try:
                        await self.hello()
                    except BridgeError as error:
                        self._failures, self._failure = self._failures + 1, error
                        raise
                assert self._known is not None
                return self._known
        except TimeoutError as error:
            raise self._peer.late() from error

    async def _exchange(
        self, kind: Kind, header: dict[str, Any], payloads: tuple[Any, ...], deadline: float, settled: Callable[[], None] = lambda: None
    ) -> Reply:
        if self._connection is None:
            self._connection = AsyncConnection(self._peer)
        try:
            return await self._connection.exchange(kind, header, payloads, deadline, settled)
        except (BridgeConnectionError, BridgeTimeoutError):
            self._doubtful = True  # who answers next may be another server
            raise
