# SPDX-License-Identifier: Apache-2.0
"""Payloads turned into pixels: raw ones in any layout, and PNG and JPEG files. A file's own header is believed before its pixels are."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..framing import ErrorCode
from .headers import Payload, RequestError

if TYPE_CHECKING:
    from PIL import Image

MASK_DTYPES = {"u8": "<u1", "u16": "<u2", "i32": "<i4", "u32": "<u4"}
IMAGE_DTYPE = "u8"
ENCODINGS = ("raw", "png", "jpeg")
MASK_IDS = ("value", "colour")

BAD_IMAGE = "bad_image"
"""The engines' code for a file that is no picture."""

_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_GREY, _PNG_PALETTE = 0, 3
_START_OF_SCAN = b"\xff\xda"
# A progressive JPEG comes in about ten; one made of thousands would take minutes to decode.
_MAX_SCANS = 128


@dataclass(frozen=True, slots=True)
class Picture:
    """One payload: its description and its bytes as they arrived, not copied."""

    payload: Payload
    data: memoryview

    def upright(self, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Contiguous, the upper row first."""
        return np.ascontiguousarray(rows[::-1] if self.payload.origin == "bottom_left" else rows)


def image_pixels(picture: Picture) -> npt.NDArray[np.uint8]:
    """Upright RGB, uint8 (H,W,3), contiguous. Raises :class:`RequestError`: ``bad_image``, ``size_mismatch``, ``unsupported_encoding``."""
    if picture.payload.encoding != "raw":
        return picture.upright(_decoded(picture, lambda file: np.array(file if file.mode == "RGB" else file.convert("RGB"))))
    import cv2  # here, because a server answers hello long before it needs it

    rows = raw_rows(picture, "<u1")
    bgr = picture.payload.order == "bgr"
    # Dropping alpha row by row is ten times slower in numpy than OpenCV's conversion.
    if rows.shape[2] == 4:
        rows = cv2.cvtColor(rows, cv2.COLOR_BGRA2RGB if bgr else cv2.COLOR_RGBA2RGB)
    elif bgr:
        rows = cv2.cvtColor(rows, cv2.COLOR_BGR2RGB)
    return picture.upright(rows)


def mask_values(picture: Picture) -> npt.NDArray[Any]:
    """The values of a mask that is not colour-coded, upright (H,W), contiguous. Raises as :func:`image_pixels`."""
    if picture.payload.encoding == "raw":
        return picture.upright(raw_rows(picture, MASK_DTYPES[picture.payload.dtype or ""])[..., 0])
    return picture.upright(_decoded(picture, _values_of))


def mask_colours(picture: Picture) -> npt.NDArray[np.uint8]:
    """The colours of a mask, upright uint8 (H,W,3|4), in the payload's ``order``; a file's is RGB. Raises as :func:`image_pixels`."""
    return picture.upright(raw_rows(picture, "<u1") if picture.payload.encoding == "raw" else _decoded(picture, _colours_of))


def raw_rows(picture: Picture, dtype: str) -> npt.NDArray[Any]:
    """The pixels as they lie in the buffer, (H,W,C), not copied."""
    payload, item = picture.payload, np.dtype(dtype)
    pixel = item.itemsize * payload.channels
    stride = payload.width * pixel if payload.stride is None else payload.stride
    return np.ndarray(
        (payload.height, payload.width, payload.channels), dtype=item, buffer=picture.data, strides=(stride, pixel, item.itemsize)
    )


# ---- files -----------------------------------------------------------------------------------------------------


def _decoded(picture: Picture, read: Callable[[Image.Image], npt.NDArray[Any]]) -> npt.NDArray[Any]:
    payload, data = picture.payload, bytes(picture.data)
    try:
        with _opened(payload, data) as file:
            pixels = read(file)
    except RequestError:
        raise
    except Exception as error:  # whatever a stranger's file does to the decoder
        raise _bad(payload, f"is damaged ({str(error)[:80] or type(error).__name__})") from error
    if pixels.shape[:2] != (payload.height, payload.width):
        raise _bad(payload, "changes its size midway")
    return pixels


def _opened(payload: Payload, data: bytes) -> Image.Image:
    """The file with its header read and checked, and no pixel decoded."""
    # The plugins themselves, not Image.open: no other format is tried, and the limit on pixels is the server's and not Pillow's.
    from PIL.JpegImagePlugin import JpegImageFile
    from PIL.PngImagePlugin import PngImageFile

    png = payload.encoding == "png"
    if data[: len(_PNG_START)] != _PNG_START if png else data[:3] != b"\xff\xd8\xff":
        raise _bad(payload, f"is no {payload.encoding.upper()} file")
    if png:
        _check_size(payload, struct.unpack(">II", data[16:24].ljust(8, b"\0")))
        if data[24:25] == b"\x10" and (payload.name == "image" or data[25:26] != bytes([_PNG_GREY])):
            raise _unsupported(payload, "has 16 bits per channel; send 8")
        if payload.name == "mask" and payload.ids == "value" and (data[25] == _PNG_GREY) and data[24] < 8:
            raise _unsupported(payload, f"has {data[24]} bits per pixel; send 8 or 16, or a palette")
    elif data.count(_START_OF_SCAN) > _MAX_SCANS:
        raise _bad(payload, f"has more than {_MAX_SCANS} scans")
    file = PngImageFile(io.BytesIO(data)) if png else JpegImageFile(io.BytesIO(data))
    _check_size(payload, file.size)
    if not png and file.mode not in ("L", "RGB"):
        raise _unsupported(payload, f"has the colours {file.mode}; send RGB or grey")
    return file


def _values_of(file: Image.Image) -> npt.NDArray[Any]:
    if file.mode not in ("L", "P", "I", "I;16", "1"):
        raise RequestError(
            ErrorCode.UNSUPPORTED_ENCODING,
            f"The mask is a PNG of {file.mode} and its ids are values; send grey of 8 or 16 bits, a palette, or ids: colour.",
        )
    values = np.array(file)
    return values.astype(np.uint16) if file.mode in ("I", "I;16") else values.astype(np.uint8, copy=False)


def _colours_of(file: Image.Image) -> npt.NDArray[Any]:
    if file.mode == "P":  # as some optimisers write it
        file = file.convert("RGBA" if "transparency" in file.info else "RGB")
    if file.mode not in ("RGB", "RGBA"):
        raise RequestError(
            ErrorCode.UNSUPPORTED_ENCODING, f"The mask is a PNG of {file.mode} and its ids are colours; send RGB or RGBA, or ids: value."
        )
    return np.array(file)


def _check_size(payload: Payload, size: tuple[int, ...]) -> None:
    if tuple(size) != (payload.width, payload.height):
        raise RequestError(
            ErrorCode.SIZE_MISMATCH,
            f"The {payload.name} is described as {payload.width}x{payload.height} and its file is {size[0]}x{size[1]}; "
            "describe the file's own size.",
        )


def _bad(payload: Payload, what: str) -> RequestError:
    return RequestError(BAD_IMAGE, f"The {payload.name} {what}; send a whole {payload.encoding.upper()} file, or raw pixels.")


def _unsupported(payload: Payload, what: str) -> RequestError:
    return RequestError(ErrorCode.UNSUPPORTED_ENCODING, f"The {payload.encoding.upper()} file of the {payload.name} {what}.")
