# SPDX-License-Identifier: Apache-2.0
"""An infer request taken apart: everything that can be checked without touching a pixel first, the pixels later, in the worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..engines.camera import CameraIntrinsics
from .framing import ErrorCode
from .headers import InferHeader, Payload, RequestError, parse_header
from .measure import Mask

MASK_DTYPES = {"u8": "<u1", "u16": "<u2", "i32": "<i4", "u32": "<u4"}
IMAGE_DTYPE = "u8"
_KNOWN = ("image", "mask")


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """What one request may cost. ``max_message_bytes`` bounds all frames of it together, and each one."""

    max_message_bytes: int = 64 * 1024 * 1024
    max_frames: int = 16
    max_pixels: int = 36_000_000
    max_objects: int = 4096


@dataclass(frozen=True, slots=True)
class InferRequest:
    """A validated request. The buffers are those that arrived, not copied."""

    image: Payload
    image_bytes: memoryview
    mask: Payload
    mask_bytes: memoryview
    camera: CameraIntrinsics | None
    deadline_s: float | None

    def decode_image(self) -> npt.NDArray[np.uint8]:
        """Upright RGB, uint8 (H,W,3), contiguous."""
        import cv2  # here, because a server answers hello long before it needs it

        rows = _rows(self.image, self.image_bytes, "<u1")
        # Dropping alpha row by row is ten times slower in numpy than OpenCV's conversion.
        rgb = np.asarray(cv2.cvtColor(rows, cv2.COLOR_RGBA2RGB), dtype=np.uint8) if self.image.channels == 4 else rows
        return np.ascontiguousarray(_upright(self.image, rgb))

    def decode_mask(self) -> Mask:
        """Upright integer ids (H,W), contiguous."""
        rows = _rows(self.mask, self.mask_bytes, MASK_DTYPES[self.mask.dtype])[..., 0]
        return np.ascontiguousarray(_upright(self.mask, rows))


def parse_infer(header: bytes, payloads: Sequence[memoryview], model_id: str, limits: ServerLimits) -> InferRequest:
    """Check a request against itself, this server and its limits. Raises :class:`RequestError` with one sentence."""
    infer = parse_header(header, InferHeader)
    if infer.model is not None and infer.model != model_id:
        raise RequestError(ErrorCode.UNKNOWN_MODEL, f"This server has the model {model_id}, not {infer.model!r}.")
    if len(infer.payloads) != len(payloads):
        raise RequestError(
            ErrorCode.BAD_FRAME, f"The header describes {len(infer.payloads)} payloads and {len(payloads)} payload frames followed."
        )
    found: dict[str, tuple[Payload, memoryview]] = {}
    for payload, buffer in zip(infer.payloads, payloads, strict=True):
        if payload.name not in _KNOWN:
            raise RequestError(
                ErrorCode.UNSUPPORTED, f"The payload {payload.name[:40]!r} is not known; this version takes image and mask."
            )
        if payload.name in found:
            raise RequestError(ErrorCode.BAD_HEADER, f"The payload {payload.name!r} is described twice.")
        _check_encoding(payload)
        _check_size(payload, len(buffer), limits)
        found[payload.name] = (payload, buffer)
    for name in _KNOWN:
        if name not in found:
            raise RequestError(ErrorCode.BAD_HEADER, f"There is no {name} payload; send an image and a mask.")
    (image, image_bytes), (mask, mask_bytes) = found["image"], found["mask"]
    if (mask.width, mask.height) != (image.width, image.height):
        raise RequestError(
            ErrorCode.SIZE_MISMATCH,
            f"The mask is {mask.width}x{mask.height} and the image {image.width}x{image.height}; render both at one size.",
        )
    return InferRequest(
        image=image,
        image_bytes=image_bytes,
        mask=mask,
        mask_bytes=mask_bytes,
        camera=infer.camera.intrinsics(image.width, image.height) if infer.camera is not None else None,
        deadline_s=infer.deadline_ms / 1000.0 if infer.deadline_ms is not None else None,
    )


def _check_encoding(payload: Payload) -> None:
    if payload.encoding != "raw":
        raise RequestError(
            ErrorCode.UNSUPPORTED_ENCODING, f"The {payload.name} is encoded as {payload.encoding[:40]!r}; send raw pixels (raw)."
        )
    if payload.name == "image":
        if payload.dtype != IMAGE_DTYPE or payload.channels not in (3, 4):
            raise RequestError(
                ErrorCode.UNSUPPORTED_ENCODING,
                f"The image has {payload.channels} channels of {payload.dtype[:40]}; send RGB or RGBA as u8 (3 or 4 channels).",
            )
        if payload.colour != "srgb":
            raise RequestError(
                ErrorCode.UNSUPPORTED_ENCODING, f"The image's colour is {payload.colour[:40]!r}; send sRGB-encoded bytes (srgb)."
            )
    elif payload.dtype not in MASK_DTYPES or payload.channels != 1:
        raise RequestError(
            ErrorCode.UNSUPPORTED_ENCODING,
            f"The mask has {payload.channels} channels of {payload.dtype[:40]}; send 1 channel of ids as {', '.join(MASK_DTYPES)}.",
        )


def _pixel_bytes(payload: Payload) -> int:
    return payload.channels * np.dtype(MASK_DTYPES[payload.dtype]).itemsize


def _check_size(payload: Payload, size: int, limits: ServerLimits) -> None:
    pixels = payload.width * payload.height
    if pixels > limits.max_pixels:
        raise RequestError(
            ErrorCode.TOO_LARGE,
            f"The {payload.name} has {payload.width}x{payload.height} pixels; this server takes at most {limits.max_pixels} pixels.",
        )
    row = payload.width * _pixel_bytes(payload)
    stride = row if payload.stride is None else payload.stride
    if stride < row:
        raise RequestError(
            ErrorCode.SIZE_MISMATCH, f"The {payload.name} has a stride of {stride} bytes and its rows need {row}; give bytes per row."
        )
    # The padding behind the last row may be missing: that is how a window into a larger buffer ends.
    if size not in (stride * payload.height, stride * (payload.height - 1) + row):
        raise RequestError(
            ErrorCode.SIZE_MISMATCH,
            f"The {payload.name} has {size} bytes and {payload.width}x{payload.height} pixels with {stride} bytes per row "
            f"need {stride * payload.height}.",
        )


def _rows(payload: Payload, buffer: memoryview, dtype: str) -> npt.NDArray[Any]:
    """The pixels as they lie in the buffer, (H,W,C), not copied."""
    item = np.dtype(dtype)
    pixel = item.itemsize * payload.channels
    stride = payload.width * pixel if payload.stride is None else payload.stride
    return np.ndarray(
        (payload.height, payload.width, payload.channels), dtype=item, buffer=buffer, strides=(stride, pixel, item.itemsize)
    )


def _upright(payload: Payload, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return rows[::-1] if payload.origin == "bottom_left" else rows
