# SPDX-License-Identifier: Apache-2.0
"""An infer request taken apart: everything that can be checked without touching a pixel first, the pixels later, in the worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...engines.camera import CameraIntrinsics, CameraSource
from ..framing import ErrorCode
from ..maps import BYTES_PER_PIXEL, OUTPUTS
from ..measuring.measure import Mask
from .headers import InferHeader, Payload, RequestError, parse_header

MASK_DTYPES = {"u8": "<u1", "u16": "<u2", "i32": "<i4", "u32": "<u4"}
IMAGE_DTYPE = "u8"
_KNOWN = ("image", "mask")


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """What one request may cost. ``max_message_bytes`` bounds all frames of it together, and each one; ``max_answer_bytes`` the maps that
    come back. Both let the largest picture through: RGB has 3 bytes a pixel, a map with all its layers 13."""

    max_message_bytes: int = 128 * 1024 * 1024
    max_answer_bytes: int = 512 * 1024 * 1024
    max_frames: int = 16
    max_pixels: int = 36_000_000
    max_objects: int = 4096

    @classmethod
    def for_pixels(cls, max_pixels: int) -> ServerLimits:
        """For pictures of up to so many pixels: the usual limits, or as much more as RGBA and a whole map of such a picture take."""
        usual = cls()
        return cls(
            max_message_bytes=max(usual.max_message_bytes, 4 * max_pixels + 1024 * 1024),
            max_answer_bytes=max(usual.max_answer_bytes, BYTES_PER_PIXEL * max_pixels),
            max_pixels=max_pixels,
        )


@dataclass(frozen=True, slots=True)
class Picture:
    """One payload: its description and its bytes as they arrived, not copied."""

    payload: Payload
    data: memoryview


@dataclass(frozen=True, slots=True)
class InferRequest:
    """A validated request. There is a ``mask`` exactly when objects are asked for, and a depth map is wanted when ``depth`` is True."""

    image: Picture
    mask: Picture | None
    depth: bool
    camera: CameraIntrinsics | None
    camera_source: CameraSource
    deadline_s: float | None

    def decode_image(self) -> npt.NDArray[np.uint8]:
        """Upright RGB, uint8 (H,W,3), contiguous."""
        import cv2  # here, because a server answers hello long before it needs it

        rows = _rows(self.image, "<u1")
        # Dropping alpha row by row is ten times slower in numpy than OpenCV's conversion.
        rgb = np.asarray(cv2.cvtColor(rows, cv2.COLOR_RGBA2RGB), dtype=np.uint8) if rows.shape[2] == 4 else rows
        return np.ascontiguousarray(_upright(self.image, rgb))

    def decode_mask(self) -> Mask | None:
        """Upright integer ids (H,W), contiguous; None when no objects are asked for."""
        if self.mask is None:
            return None
        rows = _rows(self.mask, MASK_DTYPES[self.mask.payload.dtype])[..., 0]
        return np.ascontiguousarray(_upright(self.mask, rows))


def parse_infer(header: bytes, payloads: Sequence[memoryview], model_id: str, limits: ServerLimits) -> InferRequest:
    """Check a request against itself, this server and its limits. Raises :class:`RequestError` with one sentence."""
    infer = parse_header(header, InferHeader)
    if infer.model is not None and infer.model != model_id:
        raise RequestError(ErrorCode.UNKNOWN_MODEL, f"This server has the model {model_id}, not {infer.model!r}.")
    _check_outputs(infer)
    found = _match(infer.payloads, payloads, limits)
    image, mask = found.get("image"), found.get("mask")
    if image is None:
        raise RequestError(ErrorCode.BAD_HEADER, "There is no image payload; send one.")
    if (mask is None) == ("objects" in infer.outputs):
        raise RequestError(
            ErrorCode.BAD_HEADER,
            "There is no mask payload, and objects are asked for; send a mask, or ask for depth alone."
            if mask is None
            else "There is a mask payload, and no objects are asked for; add objects to outputs, or leave the mask out.",
        )
    width, height = image.payload.width, image.payload.height
    if mask is not None and (mask.payload.width, mask.payload.height) != (width, height):
        raise RequestError(
            ErrorCode.SIZE_MISMATCH,
            f"The mask is {mask.payload.width}x{mask.payload.height} and the image {width}x{height}; render both at one size.",
        )
    depth = "depth" in infer.outputs
    if depth and width * height * BYTES_PER_PIXEL > limits.max_answer_bytes:
        raise RequestError(
            ErrorCode.TOO_LARGE,
            f"The depth map of {width}x{height} pixels may need {width * height * BYTES_PER_PIXEL} bytes; this server answers at most "
            f"{limits.max_answer_bytes}: send a smaller picture, or start the server with a larger --max-megapixels.",
        )
    return InferRequest(
        image=image,
        mask=mask,
        depth=depth,
        camera=infer.camera.intrinsics(width, height) if infer.camera is not None else None,
        camera_source=CameraSource(infer.camera_source or "given"),
        deadline_s=infer.deadline_ms / 1000.0 if infer.deadline_ms is not None else None,
    )


def _check_outputs(infer: InferHeader) -> None:
    unknown = [name for name in infer.outputs if name not in OUTPUTS]
    if unknown:
        raise RequestError(
            ErrorCode.UNSUPPORTED, f"The output {unknown[0][:40]!r} is not known; this version answers {' and '.join(OUTPUTS)}."
        )
    if not infer.outputs:
        raise RequestError(ErrorCode.BAD_HEADER, f"The list of outputs is empty; ask for {' or '.join(OUTPUTS)}, or leave it out.")
    if infer.camera_source is not None and infer.camera is None:
        raise RequestError(ErrorCode.BAD_HEADER, "There is a camera_source without a camera; send the camera, or leave both out.")


def _match(described: Sequence[Payload], payloads: Sequence[memoryview], limits: ServerLimits) -> dict[str, Picture]:
    """The payloads by name, each one checked for itself."""
    if len(described) != len(payloads):
        raise RequestError(
            ErrorCode.BAD_FRAME, f"The header describes {len(described)} payloads and {len(payloads)} payload frames followed."
        )
    found: dict[str, Picture] = {}
    for payload, buffer in zip(described, payloads, strict=True):
        if payload.name not in _KNOWN:
            raise RequestError(
                ErrorCode.UNSUPPORTED, f"The payload {payload.name[:40]!r} is not known; this version takes image and mask."
            )
        if payload.name in found:
            raise RequestError(ErrorCode.BAD_HEADER, f"The payload {payload.name!r} is described twice.")
        _check_encoding(payload)
        _check_size(payload, len(buffer), limits)
        found[payload.name] = Picture(payload, buffer)
    return found


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
            f"The {payload.name} has {payload.width}x{payload.height} pixels and this server takes at most {limits.max_pixels}; send a "
            "smaller one, or start the server with a larger --max-megapixels.",
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


def _rows(picture: Picture, dtype: str) -> npt.NDArray[Any]:
    """The pixels as they lie in the buffer, (H,W,C), not copied."""
    payload, item = picture.payload, np.dtype(dtype)
    pixel = item.itemsize * payload.channels
    stride = payload.width * pixel if payload.stride is None else payload.stride
    return np.ndarray(
        (payload.height, payload.width, payload.channels), dtype=item, buffer=picture.data, strides=(stride, pixel, item.itemsize)
    )


def _upright(picture: Picture, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return rows[::-1] if picture.payload.origin == "bottom_left" else rows
