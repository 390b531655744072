# SPDX-License-Identifier: Apache-2.0
"""A message as it arrives: taken off the socket within limits, and its envelope judged before anything in it is read."""

from __future__ import annotations

from dataclasses import dataclass

import zmq

from ... import __version__
from ..framing import MAX_REQUEST_ID_BYTES, PROTOCOL_VERSION, ErrorCode, Prefix, unpack_prefix
from .headers import RequestError
from .jobs import ReplyTo
from .payloads import ServerLimits

_LONGEST_PREFIX = 64  # what is longer is not even copied


@dataclass(frozen=True, slots=True)
class Message:
    """A received message, cut to the limits: ``parts``, after the routing frames. ``total_parts``, ``total_bytes`` count what came."""

    route: tuple[bytes, ...]
    parts: list[zmq.Frame]
    total_parts: int
    total_bytes: int

    @property
    def prefix(self) -> Prefix | None:
        """The first frame, read; None when it is not one of ours."""
        return unpack_prefix(self.parts[0].bytes) if self.parts and len(self.parts[0]) <= _LONGEST_PREFIX else None

    def reply_to(self, kind: int) -> ReplyTo | None:
        """Where an answer goes; None when there is no request id that could be answered."""
        if len(self.parts) < 2 or not 1 <= len(self.parts[1]) <= MAX_REQUEST_ID_BYTES:
            return None
        return ReplyTo(self.route, kind, self.parts[1].bytes)

    def check_envelope(self, prefix: Prefix, limits: ServerLimits) -> None:
        """Raise :class:`RequestError` for another version, too much, or too little."""
        if not prefix.fits:
            raise RequestError(
                ErrorCode.UNSUPPORTED_VERSION,
                f"The client speaks protocol {prefix.version} and this server (depthbridge {__version__}) {PROTOCOL_VERSION}; "
                "bring both to one release.",
            )
        if self.total_bytes > limits.max_message_bytes or self.total_parts > limits.max_frames:
            raise RequestError(
                ErrorCode.TOO_LARGE,
                f"The message has {self.total_bytes} bytes in {self.total_parts} frames; this server takes at most "
                f"{limits.max_message_bytes} bytes in {limits.max_frames} frames.",
            )
        if len(self.parts) < 3:
            raise RequestError(ErrorCode.BAD_FRAME, "The message has no header frame; send at least {} there.")


def receive(router: zmq.Socket[bytes], limits: ServerLimits) -> Message:
    """One message, part by part, so that a message of a hundred thousand parts is counted and never held."""
    identity = router.recv()
    route: tuple[bytes, ...] = (identity,)
    parts: list[zmq.Frame] = []
    count = size = 0
    more = bool(router.rcvmore)
    while more:
        part = router.recv(copy=False)
        more = bool(part.more)
        if count == 0 and len(route) == 1 and len(part) == 0:
            route = (identity, b"")  # a REQ client's delimiter, mirrored in the reply
            continue
        count += 1
        size += len(part)
        if count <= limits.max_frames and size <= limits.max_message_bytes:
            parts.append(part)
    return Message(route, parts, count, size)
