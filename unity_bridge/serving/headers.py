# SPDX-License-Identifier: Apache-2.0
"""The JSON headers a server reads, as typed structs; whatever breaks them becomes one :class:`RequestError` with a clear sentence.

Unknown keys are ignored (a newer client may send more); what a client cannot do without it lists in ``requires``.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from ...engines.camera import CameraIntrinsics
from ...engines.errors import CameraError
from ..framing import MAX_HEADER_BYTES, ErrorCode
from ..measuring.poses import FARTHEST_M, checked_extrinsics

CAPABILITIES = (
    "raw_image",
    "encoded_image",
    "integer_mask",
    "colour_mask",
    "objects",
    "extrinsics",
    "known_distances",
    "overlay",
    "depth_f16",
    "deadline",
    "depth_map",
    "camera_source",
    "cancel",
    "bye",
)
"""What ``requires`` may name in this version."""

_LONGEST_QUOTE = 300

_Side = Annotated[int, msgspec.Meta(ge=1, le=65535)]
_Byte = Annotated[int, msgspec.Meta(ge=0, le=255)]
_Row = tuple[float, float, float, float]
_Struct = TypeVar("_Struct", bound=msgspec.Struct)


class RequestError(Exception):
    """A request that is answered with an error reply."""

    def __init__(self, code: str, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable


class Payload(msgspec.Struct, frozen=True):
    """How the bytes of one payload frame are to be read.

    ``origin`` has no default: a mask that is flipped against its image still gives plausible numbers. ``dtype``, ``channels``, ``order``
    and ``stride`` are those of raw pixels; an encoded file says its own.
    """

    name: str
    width: _Side
    height: _Side
    origin: Literal["top_left", "bottom_left"]
    dtype: str | None = None
    encoding: str = "raw"
    channels: int = 1
    order: Literal["rgb", "bgr"] = "rgb"
    ids: Literal["value", "colour"] = "value"
    stride: int | None = None
    colour: str = "srgb"


class CameraHeader(msgspec.Struct, frozen=True):
    """Pixels of the image sent, edge convention; the principal point defaults to the centre, the size to the image's. ``extrinsics``:
    world to camera, rows of [R | t], metres."""

    fx: float
    fy: float
    cx: float | None = None
    cy: float | None = None
    width: int | None = None
    height: int | None = None
    extrinsics: tuple[_Row, _Row, _Row] | None = None

    def intrinsics(self, width: int, height: int) -> CameraIntrinsics:
        """The camera of an image of that size. Raises :class:`RequestError`: ``size_mismatch`` or ``bad_camera``."""
        if self.width not in (None, width) or self.height not in (None, height):
            raise RequestError(
                ErrorCode.SIZE_MISMATCH,
                f"The camera is for {self.width or width}x{self.height or height} pixels and the image has {width}x{height}; "
                "send the intrinsics of the image's own pixels.",
            )
        cx = width / 2 if self.cx is None else self.cx
        cy = height / 2 if self.cy is None else self.cy
        try:
            return CameraIntrinsics(self.fx, self.fy, cx, cy, width, height)
        except CameraError as error:
            raise RequestError(ErrorCode.BAD_CAMERA, str(error)) from error

    def pose(self) -> npt.NDArray[np.float64] | None:
        """The extrinsics (3,4), or None. Raises :class:`RequestError` ``bad_camera`` for a matrix that turns and moves and does more."""
        if self.extrinsics is None:
            return None
        try:
            return checked_extrinsics(self.extrinsics)
        except CameraError as error:
            raise RequestError(ErrorCode.BAD_CAMERA, str(error)) from error


class ObjectHeader(msgspec.Struct, frozen=True):
    """One of ``objects``. What is only passed through is any JSON."""

    mask_value: Annotated[int, msgspec.Meta(ge=1, le=2**32 - 1)] | None = None
    colour: Annotated[tuple[_Byte, ...], msgspec.Meta(min_length=3, max_length=4)] | None = None
    id: int | str | None = None
    category: Any = msgspec.UNSET
    bbox: Any = msgspec.UNSET
    parent_id: Any = msgspec.UNSET
    known_distance_m: Annotated[float, msgspec.Meta(gt=0, le=FARTHEST_M)] | None = None


class TokenHeader(msgspec.Struct, frozen=True):
    """Of every kind: what a server with a token looks at first."""

    token: str | None = None


class PlainHeader(TokenHeader, frozen=True):
    """Of all kinds but infer."""

    requires: list[str] = []


class InferHeader(TokenHeader, frozen=True, kw_only=True):
    """Of infer. ``deadline_ms`` counts from the moment the server received the request; ``camera_source`` is how the client knows its camera."""

    payloads: list[Payload]
    outputs: tuple[str, ...] = ("objects",)
    objects: list[ObjectHeader] | None = None
    camera: CameraHeader | None = None
    camera_source: Literal["given", "exif", "assumed"] | None = None
    depth_dtype: Literal["f32", "f16"] = "f32"
    overlay_encoding: Literal["png", "jpeg"] = "jpeg"
    model: str | None = None
    deadline_ms: Annotated[float, msgspec.Meta(gt=0)] | None = None
    requires: list[str] = []


def parse_header(raw: bytes, struct: type[_Struct]) -> _Struct:
    """Decode and validate. Raises :class:`RequestError`: ``bad_header``, or ``unsupported`` for a capability this version lacks."""
    if len(raw) > MAX_HEADER_BYTES:
        raise RequestError(ErrorCode.BAD_HEADER, f"The header has {len(raw)} bytes; at most {MAX_HEADER_BYTES} are read.")
    try:
        header = msgspec.json.decode(raw, type=struct)
    except msgspec.ValidationError as error:
        raise RequestError(ErrorCode.BAD_HEADER, f"The header is not valid: {_shortened(str(error))}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(ErrorCode.BAD_HEADER, _why_not_json(raw, error)) from error
    missing = [name for name in getattr(header, "requires", ()) if name not in CAPABILITIES]
    if missing:
        named = ", ".join(name[:40] for name in missing[:4])
        raise RequestError(
            ErrorCode.UNSUPPORTED, f"The request requires {named}, which this server does not have; it has {', '.join(CAPABILITIES)}."
        )
    return header


def _shortened(text: str) -> str:
    """Without the middle of a long value that it quotes; the place in the header stands at the end."""
    return text if len(text) <= _LONGEST_QUOTE else f"{text[: _LONGEST_QUOTE // 2]} ... {text[-_LONGEST_QUOTE // 2 :]}"


class _Constant(ValueError):
    """A literal that Python's and Unity's writers produce and JSON does not have."""


def _why_not_json(raw: bytes, error: Exception) -> str:
    def refuse(name: str) -> float:
        raise _Constant(name)

    try:
        json.loads(raw, parse_constant=refuse)
    except _Constant as constant:
        return f"The header holds {constant}, which is no JSON number; send finite numbers."
    except (ValueError, RecursionError):
        pass
    return f"The header is not JSON in UTF-8 ({error})."
