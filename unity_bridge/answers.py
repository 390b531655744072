# SPDX-License-Identifier: Apache-2.0
"""Answers of a server as clients return them. What reads one raises KeyError, TypeError or ValueError for what is no such answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..engines.depth_map import DepthKind, DepthMap
from .errors import BridgeError
from .maps import map_from_wire, overlay_from_wire
from .results import FrameResult


@dataclass(frozen=True, slots=True, eq=False)
class Reply:
    """An ``ok`` answer: its header, and its payload frames in the memory they arrived in."""

    header: dict[str, Any]
    payloads: list[memoryview]


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """A server's own account of itself. ``kind`` and ``needs_camera`` are its model's: see :class:`ServedModel`."""

    server_version: str
    protocol: str
    model: str
    kind: DepthKind
    needs_camera: bool
    capabilities: tuple[str, ...]
    max_header_bytes: int
    max_message_bytes: int
    max_answer_bytes: int
    max_pixels: int
    max_in_flight: int

    def require_maps(self, endpoint: str) -> None:
        """Raises :class:`BridgeError` unless the server answers depth maps."""
        if "depth_map" not in self.capabilities:
            raise BridgeError(
                f"The server at {endpoint} (depthbridge {self.server_version}) answers distances of objects and no depth maps; bring it to "
                "this client's release."
            )

    @classmethod
    def from_json(cls, header: Mapping[str, Any]) -> ServerInfo:
        """From the answer to hello."""
        return cls(
            server_version=str(header["server_version"]),
            protocol=str(header["protocol"]),
            model=str(header["model"]),
            kind=DepthKind(header["kind"]),
            needs_camera=bool(header["needs_camera"]),
            capabilities=tuple(str(name) for name in header["capabilities"]),
            max_header_bytes=int(header["max_header_bytes"]),
            max_message_bytes=int(header["max_message_bytes"]),
            max_answer_bytes=int(header["max_answer_bytes"]),
            max_pixels=int(header["max_pixels"]),
            max_in_flight=int(header["max_in_flight"]),
        )


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model of a server. ``kind``: what its maps are, once ``needs_camera`` is satisfied: whether it has metres only with the focal length."""

    id: str
    ready: bool
    kind: DepthKind
    needs_camera: bool


def models_of(header: Mapping[str, Any]) -> list[ServedModel]:
    """From the answer to models."""
    return [
        ServedModel(str(item["id"]), bool(item["ready"]), DepthKind(item["kind"]), bool(item["needs_camera"])) for item in header["models"]
    ]


def counters_of(header: Mapping[str, Any]) -> dict[str, int]:
    """From the answer to stats."""
    return {str(name): int(value) for name, value in dict(header["counters"]).items()}


def frame_of(reply: Reply, width: int, height: int) -> FrameResult:
    """From the answer to a request for objects, whatever else it asked for."""
    result = FrameResult.from_json(reply.header)
    overlay = overlay_from_wire(reply.header, reply.payloads)
    return dataclasses.replace(result, overlay=overlay, depth_map=map_of(reply, width, height) if "depth" in reply.header["result"] else None)


def map_of(reply: Reply, width: int, height: int) -> DepthMap:
    """The depth map of an answer to a picture of that size. Raises a ``CameraError``, too."""
    return map_from_wire(reply.header, reply.payloads, width, height)
