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

import json
import time
from dataclasses import dataclass
from itertools import count
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import zmq

from .. import __version__
from ..engines.camera import CameraIntrinsics
from .errors import BridgeConnectionError, BridgeError, BridgeTimeoutError, BridgeVersionError, RefusedError
from .framing import DEFAULT_ENDPOINT, PROTOCOL_VERSION, ErrorCode, Kind, pack_message, unpack_prefix
from .results import FrameResult

Origin = Literal["top_left", "bottom_left"]

_MASK_CODES = {"uint8": "u8", "uint16": "u16", "int32": "i32", "uint32": "u32"}
# A server on this machine accepts at once; the rest is for one that is just starting.
_CONNECT_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """A server's own account of itself."""

    server_version: str
    protocol: str
    model: str
    capabilities: tuple[str, ...]
    max_message_bytes: int
    max_pixels: int
    max_in_flight: int


class DepthClient:
    """One connection to a server, for one thread. Nothing is sent before the first call.

    ``timeout_s`` bounds every call, and goes along as the request's deadline, so that a server does not work on what nobody waits
    for. Errors: :class:`BridgeConnectionError` when no server listens, :class:`BridgeTimeoutError` when one does not answer in time,
    :class:`BridgeVersionError`, and :class:`RefusedError` with the server's code and sentence. After any of them the same client may
    be used again; it reconnects by itself.
    """

    def __init__(self, endpoint: str = DEFAULT_ENDPOINT, *, timeout_s: float = 30.0) -> None:
        if not timeout_s > 0:
            raise BridgeError(f"A timeout of {timeout_s} s cannot be kept; give a positive number of seconds.")
        self._endpoint = endpoint
        self._timeout_s = timeout_s
        self._ids = count(1)
        self._info: ServerInfo | None = None
        self._stale = 0
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.linger = 0
        # Without a connection a send waits here, where it can be reported, and not unseen in a queue.
        self._socket.immediate = True
        self._socket.ipv6 = "[" in endpoint
        try:
            self._socket.connect(endpoint)
        except zmq.ZMQError as error:
            self.close()
            raise BridgeError(f"The address {endpoint!r} is not understood; write it as {DEFAULT_ENDPOINT}.") from error

    def close(self) -> None:
        """Drop the connection. May be called again."""
        self._socket.close(linger=0)
        self._context.term()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def stale_replies(self) -> int:
        """Answers that came after their call had timed out, and were discarded."""
        return self._stale

    # ---- requests ----------------------------------------------------------------------------------------------

    def hello(self) -> ServerInfo:
        """Who answers, and within which limits."""
        header = self._call(Kind.HELLO, {"client": "depthbridge-python", "client_version": __version__}, (), self._deadline(None))
        try:
            self._info = ServerInfo(
                server_version=str(header["server_version"]),
                protocol=str(header["protocol"]),
                model=str(header["model"]),
                capabilities=tuple(str(name) for name in header["capabilities"]),
                max_message_bytes=int(header["max_message_bytes"]),
                max_pixels=int(header["max_pixels"]),
                max_in_flight=int(header["max_in_flight"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise self._not_understood(error) from error
        return self._info

    def health(self) -> dict[str, Any]:
        """``live``, ``ready``, ``in_flight``, ``max_in_flight``, ``uptime_s``; answered while an inference runs, too."""
        return self._call(Kind.HEALTH, {}, (), self._deadline(None))

    def models(self) -> list[str]:
        """The ids of the models that the server has."""
        header = self._call(Kind.MODELS, {}, (), self._deadline(None))
        try:
            return [str(item["id"]) for item in header["models"]]
        except (KeyError, TypeError) as error:
            raise self._not_understood(error) from error

    def stats(self) -> dict[str, int]:
        """The server's counters since its start."""
        header = self._call(Kind.STATS, {}, (), self._deadline(None))
        try:
            return {str(name): int(value) for name, value in header["counters"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._not_understood(error) from error

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
        pixels, ids = _image_array(image), _mask_array(mask)
        height, width = pixels.shape[:2]
        if ids.shape != (height, width):
            raise BridgeError(f"The mask is {ids.shape[1]}x{ids.shape[0]} and the image {width}x{height}; render both at one size.")
        if camera is not None and (camera.width, camera.height) != (width, height):
            raise BridgeError(
                f"The camera is for {camera.width}x{camera.height} pixels and the image has {width}x{height}; use camera.resized or "
                "the intrinsics of this image."
            )
        common = {"width": width, "height": height, "encoding": "raw"}
        header: dict[str, Any] = {
            "payloads": [
                {"name": "image", "dtype": "u8", "channels": pixels.shape[2], "origin": origin, "colour": "srgb", **common},
                {"name": "mask", "dtype": _MASK_CODES[ids.dtype.name], "channels": 1, "origin": mask_origin or origin, **common},
            ],
            "deadline_ms": round(max(deadline - time.monotonic(), 0.001) * 1000.0, 3),
        }
        if camera is not None:
            header["camera"] = camera.to_json()
        if model is not None:
            header["model"] = model
        self._check_size(pixels.nbytes + ids.nbytes)
        reply = self._call(Kind.INFER, header, (pixels, ids), deadline)
        try:
            return FrameResult.from_json(reply)
        except (KeyError, TypeError, ValueError) as error:
            raise self._not_understood(error) from error

    # ---- one exchange ------------------------------------------------------------------------------------------

    def _deadline(self, timeout_s: float | None) -> float:
        return time.monotonic() + (self._timeout_s if timeout_s is None else timeout_s)

    def _check_size(self, payload_bytes: int) -> None:
        # Over the limit ZeroMQ drops the connection and says nothing to either side: the one error that must be found before sending.
        info = self._info or self.hello()
        needed = payload_bytes + 4096
        if needed > info.max_message_bytes:
            raise BridgeError(
                f"The frame needs {needed} bytes and the server at {self._endpoint} takes at most {info.max_message_bytes}; "
                "send a smaller picture, or start the server with a larger --max-message-mib."
            )

    def _call(self, kind: Kind, header: dict[str, Any], payloads: tuple[Any, ...], deadline: float) -> dict[str, Any]:
        request_id = b"%d" % next(self._ids)
        frames = pack_message(kind, request_id, header, payloads)
        self._wait_for_connection(deadline)
        # Large arrays are handed over, not copied; should the caller change one after a timeout, its late answer is discarded anyway.
        self._socket.send_multipart(frames, flags=zmq.NOBLOCK, copy=not payloads)
        while True:
            remaining = deadline - time.monotonic()
            if remaining <= 0 or not self._socket.poll(max(1, int(remaining * 1000)), zmq.POLLIN):
                self._info = None  # who answers next may be another server
                raise BridgeTimeoutError(
                    f"The server at {self._endpoint} took the request and gave no answer in time; it may be busy or restarting: "
                    "ask again, or give a longer timeout."
                )
            reply = self._socket.recv_multipart()
            parsed = self._read_reply(reply, request_id)
            if parsed is not None:
                return parsed

    def _wait_for_connection(self, deadline: float) -> None:
        wait_s = min(_CONNECT_TIMEOUT_S, deadline - time.monotonic())
        if not self._socket.poll(max(1, int(wait_s * 1000)), zmq.POLLOUT):
            self._info = None
            raise BridgeConnectionError(
                f"No depth server answers at {self._endpoint}; start one with: depthbridge serve --bind {self._endpoint}"
            )

    def _read_reply(self, frames: list[bytes], request_id: bytes) -> dict[str, Any] | None:
        """The header of the answer to ``request_id``; None for an answer to an earlier request."""
        prefix = unpack_prefix(frames[0])
        if prefix is None or len(frames) < 3:
            raise self._not_understood("its message is not one of this protocol")
        if frames[1] != request_id:
            self._stale += 1
            return None
        try:
            header = json.loads(frames[2])
            ok = header["status"] == "ok"
            code, message = ("", "") if ok else (str(header["error"]["code"]), str(header["error"]["message"]))
            retryable = not ok and bool(header["error"].get("retryable", False))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._not_understood(error) from error
        if not prefix.fits or code == ErrorCode.UNSUPPORTED_VERSION:
            raise BridgeVersionError(
                f"The server at {self._endpoint} speaks protocol {prefix.version} and this client (depthbridge {__version__}) "
                f"{PROTOCOL_VERSION}; bring both to one release."
            )
        if not ok:
            raise RefusedError(code, message, retryable=retryable)
        assert isinstance(header, dict)
        return header

    def _not_understood(self, error: object) -> BridgeError:
        return BridgeError(f"What answers at {self._endpoint} is not a depth server that this client understands ({error}).")


def _image_array(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (3, 4) or 0 in image.shape:
        raise BridgeError(f"The image is {image.dtype} {image.shape}; send uint8 RGB or RGBA, (height, width, 3 or 4).")
    return np.ascontiguousarray(image)


def _mask_array(mask: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if mask.ndim != 2 or mask.dtype.kind not in "biu":
        raise BridgeError(f"The mask is {mask.dtype} {mask.shape}; send integer ids, (height, width).")
    if mask.dtype.name in ("int8", "int16", "int64", "uint64"):
        low, high = (int(mask.min()), int(mask.max())) if mask.size else (0, 0)
        if low < -(2**31) or high >= 2**31:
            raise BridgeError(f"The mask holds ids from {low} to {high}; only 32 bits are sent, use smaller ids.")
        mask = mask.astype(np.int32)
    elif mask.dtype.kind == "b":
        mask = mask.astype(np.uint8)
    return np.ascontiguousarray(mask, dtype=mask.dtype.newbyteorder("<"))
