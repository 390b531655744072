# SPDX-License-Identifier: Apache-2.0
"""The envelope of a message: magic, version, kind, request id, JSON header, payloads. Standard library only.

Every multi-byte number on the wire, in the prefix and in the payloads, is little-endian. ``docs/protocol.md`` explains the whole.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

MAGIC = b"DDST"
PROTOCOL_MAJOR = 0
PROTOCOL_MINOR = 3
PROTOCOL_VERSION = f"{PROTOCOL_MAJOR}.{PROTOCOL_MINOR}"
DEFAULT_ENDPOINT = "tcp://127.0.0.1:5577"

MAX_REQUEST_ID_BYTES = 64
MAX_HEADER_BYTES = 1024 * 1024
"""Of a request: its objects and their colours are in it. The header of a reply may be longer."""

_PREFIX = struct.Struct("<4sBBH")


class Kind(IntEnum):
    """What a message asks; its reply has the same kind."""

    HELLO = 1
    HEALTH = 2
    MODELS = 3
    INFER = 4
    CANCEL = 5
    STATS = 6
    BYE = 7


class ErrorCode(StrEnum):
    """Codes of an error reply that the bridge makes itself; an engine's own keeps its code (``bad_image``, ``bad_model`` ...)."""

    BAD_FRAME = "bad_frame"
    BAD_HEADER = "bad_header"
    BAD_CAMERA = "bad_camera"
    UNAUTHORIZED = "unauthorized"
    UNSUPPORTED = "unsupported"
    UNSUPPORTED_VERSION = "unsupported_version"
    UNSUPPORTED_ENCODING = "unsupported_encoding"
    TOO_LARGE = "too_large"
    SIZE_MISMATCH = "size_mismatch"
    UNKNOWN_MODEL = "unknown_model"
    NO_METRIC_DEPTH = "no_metric_depth"
    NOT_READY = "not_ready"
    OVERLOADED = "overloaded"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    CANCELLED = "cancelled"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Prefix:
    """The first frame: protocol version of the sender, and the kind as sent (maybe one that this version does not know)."""

    major: int
    minor: int
    kind: int

    @property
    def version(self) -> str:
        return f"{self.major}.{self.minor}"

    @property
    def fits(self) -> bool:
        """Whether the sender's version can be spoken with: same major, and while the major is 0 the same minor."""
        return self.major == PROTOCOL_MAJOR and (PROTOCOL_MAJOR > 0 or self.minor == PROTOCOL_MINOR)


def pack_prefix(kind: int, major: int = PROTOCOL_MAJOR, minor: int = PROTOCOL_MINOR) -> bytes:
    """The 8 bytes of the first frame."""
    return _PREFIX.pack(MAGIC, major, minor, kind)


def unpack_prefix(frame: bytes) -> Prefix | None:
    """The first frame read, or None when it is not one of ours: other length, other magic."""
    if len(frame) != _PREFIX.size:
        return None
    magic, major, minor, kind = _PREFIX.unpack(frame)
    return Prefix(major, minor, kind) if magic == MAGIC else None


def pack_header(header: Mapping[str, Any]) -> bytes:
    """Compact UTF-8 JSON; arrays and numbers of numpy become lists and numbers. Raises :class:`ValueError` for a NaN or an infinity, which
    JSON does not have, and :class:`TypeError` for what is no JSON at all."""
    return json.dumps(header, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain).encode("utf-8")


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not JSON")


def pack_message(kind: int, request_id: bytes, header: Mapping[str, Any], payloads: Sequence[Any] = ()) -> list[Any]:
    """The frames of a message. ``payloads`` are objects with the buffer interface and are not copied."""
    if not 1 <= len(request_id) <= MAX_REQUEST_ID_BYTES:
        raise ValueError(f"a request id has 1 to {MAX_REQUEST_ID_BYTES} bytes, this one {len(request_id)}")
    return [pack_prefix(kind), request_id, pack_header(header), *payloads]
