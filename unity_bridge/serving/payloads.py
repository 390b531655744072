# SPDX-License-Identifier: Apache-2.0
"""An infer request taken apart: everything that can be checked without touching a pixel first, the pixels later, in the worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from ...engines.camera import CameraIntrinsics, CameraSource
from ..errors import BridgeError
from ..framing import ErrorCode
from ..maps import BYTES_PER_PIXEL, OUTPUTS, OVERLAY_BYTES_PER_PIXEL
from ..measuring.colour_masks import MAX_COLOURS, ColourError, ColourTable
from ..measuring.records import ObjectRecord
from ..results import PASSED_THROUGH
from .headers import InferHeader, ObjectHeader, Payload, RequestError, parse_header
from .pictures import ENCODINGS, IMAGE_DTYPE, MASK_DTYPES, MASK_IDS, Picture, image_pixels, mask_colours, mask_values

__all__ = ["ENCODINGS", "MASK_DTYPES", "MASK_IDS", "DecodedMask", "InferRequest", "Picture", "ServerLimits", "parse_infer"]

_KNOWN = ("image", "mask")


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """What one request may cost. ``max_message_bytes`` bounds all frames of it together, and each one; ``max_answer_bytes`` the maps that
    come back. Both let the largest picture through: RGBA with a mask of 32 bits has 8 bytes a pixel, a map with all its layers and an
    overlay 17. Raises :class:`BridgeError` for more objects than a mask of colours tells apart."""

    max_message_bytes: int = 288 * 1024 * 1024
    max_answer_bytes: int = 640 * 1024 * 1024
    max_frames: int = 16
    max_pixels: int = 36_000_000
    max_objects: int = 4096

    def __post_init__(self) -> None:
        if self.max_objects > MAX_COLOURS:
            raise BridgeError(
                f"max_objects is {self.max_objects} and a mask of colours tells at most {MAX_COLOURS} objects apart; allow no more than these."
            )

    @classmethod
    def for_pixels(cls, max_pixels: int) -> ServerLimits:
        """For pictures of up to so many pixels: the usual limits, or as much more as such a picture with its mask and its whole map take."""
        usual = cls()
        return cls(
            max_message_bytes=max(usual.max_message_bytes, 8 * max_pixels + 2 * 1024 * 1024),
            max_answer_bytes=max(usual.max_answer_bytes, (BYTES_PER_PIXEL["f32"] + OVERLAY_BYTES_PER_PIXEL) * max_pixels),
            max_pixels=max_pixels,
        )


@dataclass(frozen=True, slots=True, eq=False)
class DecodedMask:
    """Upright integers (H,W), contiguous; 0 is background. ``unlisted_pixels`` of a colour-coded one: how many had a colour, not black, that
    no object names; None where ids are values, which measuring counts."""

    values: npt.NDArray[Any]
    unlisted_pixels: int | None


@dataclass(frozen=True, slots=True, eq=False)
class InferRequest:
    """A validated request. There is a ``mask`` exactly when objects are asked for.

    ``objects``: those that the request names, in its order; None: every value in the mask. ``colours``: of a colour-coded mask, whose
    decoded values are then the objects' places from 1. ``extrinsics``: float64 (3,4), world to camera, metres, or None. ``outputs``: of
    ``objects``, ``depth``, ``overlay``.
    """

    image: Picture
    mask: Picture | None
    outputs: frozenset[str]
    camera: CameraIntrinsics | None
    camera_source: CameraSource
    extrinsics: npt.NDArray[np.float64] | None
    objects: tuple[ObjectRecord, ...] | None
    colours: ColourTable | None
    depth_dtype: Literal["f32", "f16"]
    overlay_encoding: Literal["png", "jpeg"]
    deadline_s: float | None

    @property
    def depth(self) -> bool:
        """Whether the depth map is wanted."""
        return "depth" in self.outputs

    @property
    def overlay(self) -> bool:
        """Whether the picture with distances drawn into it is wanted."""
        return "overlay" in self.outputs

    def decode_image(self) -> npt.NDArray[np.uint8]:
        """Upright RGB, uint8 (H,W,3), contiguous. Raises :class:`RequestError` for a file that is not what was described."""
        return image_pixels(self.image)

    def decode_mask(self) -> DecodedMask | None:
        """The mask; None when no objects are asked for. Raises :class:`RequestError` for a file that is not what was described."""
        if self.mask is None:
            return None
        if self.colours is None:
            return DecodedMask(mask_values(self.mask), None)
        order = self.mask.payload.order if self.mask.payload.encoding == "raw" else "rgb"
        try:
            return DecodedMask(*self.colours.look_up(mask_colours(self.mask), order))
        except ColourError as error:
            raise RequestError(ErrorCode.BAD_HEADER, str(error)) from error


def parse_infer(header: bytes, payloads: Sequence[memoryview], model_id: str, limits: ServerLimits) -> InferRequest:
    """Check a request against itself, this server and its limits. Raises :class:`RequestError` with one sentence."""
    infer = parse_header(header, InferHeader)
    if infer.model is not None and infer.model != model_id:
        raise RequestError(ErrorCode.UNKNOWN_MODEL, f"This server has the model {model_id}, not {infer.model[:80]!r}.")
    _check_outputs(infer)
    found = _match(infer.payloads, payloads, limits)
    image, mask = found.get("image"), found.get("mask")
    if image is None:
        raise RequestError(ErrorCode.BAD_HEADER, "There is no image payload; send one.")
    _check_mask(infer, mask, image.payload)
    width, height = image.payload.width, image.payload.height
    _check_answer(infer, width * height, limits, f"{width}x{height}")
    coded = mask is not None and mask.payload.ids == "colour"
    return InferRequest(
        image=image,
        mask=mask,
        outputs=frozenset(infer.outputs),
        camera=infer.camera.intrinsics(width, height) if infer.camera is not None else None,
        camera_source=CameraSource(infer.camera_source or "given"),
        extrinsics=infer.camera.pose() if infer.camera is not None else None,
        objects=_objects(infer.objects, coded, limits),
        colours=_colours(infer.objects or []) if coded else None,
        depth_dtype=infer.depth_dtype,
        overlay_encoding=infer.overlay_encoding,
        deadline_s=infer.deadline_ms / 1000.0 if infer.deadline_ms is not None else None,
    )


# ---- the header against itself ---------------------------------------------------------------------------------


def _check_outputs(infer: InferHeader) -> None:
    unknown = [name for name in infer.outputs if name not in OUTPUTS]
    if unknown:
        raise RequestError(
            ErrorCode.UNSUPPORTED, f"The output {unknown[0][:40]!r} is not known; this version answers {', '.join(OUTPUTS)}."
        )
    if not infer.outputs:
        raise RequestError(ErrorCode.BAD_HEADER, f"The list of outputs is empty; ask for {', '.join(OUTPUTS)}, or leave it out.")
    if "overlay" in infer.outputs and "objects" not in infer.outputs:
        raise RequestError(ErrorCode.BAD_HEADER, "An overlay shows the objects, and none are asked for; add objects to outputs.")
    if infer.camera_source is not None and infer.camera is None:
        raise RequestError(ErrorCode.BAD_HEADER, "There is a camera_source without a camera; send the camera, or leave both out.")


def _check_mask(infer: InferHeader, mask: Picture | None, image: Payload) -> None:
    if (mask is None) == ("objects" in infer.outputs):
        raise RequestError(
            ErrorCode.BAD_HEADER,
            "There is no mask payload, and objects are asked for; send a mask, or ask for depth alone."
            if mask is None
            else "There is a mask payload, and no objects are asked for; add objects to outputs, or leave the mask out.",
        )
    if mask is None:
        if infer.objects is not None:
            raise RequestError(ErrorCode.BAD_HEADER, "There are objects without a mask, and none are asked for; leave them out.")
        return
    if (mask.payload.width, mask.payload.height) != (image.width, image.height):
        raise RequestError(
            ErrorCode.SIZE_MISMATCH,
            f"The mask is {mask.payload.width}x{mask.payload.height} and the image {image.width}x{image.height}; render both at one size.",
        )
    if mask.payload.ids == "colour" and infer.objects is None:
        raise RequestError(ErrorCode.BAD_HEADER, "The mask is colour-coded and there is no list of objects; send objects with their colours.")


def _check_answer(infer: InferHeader, pixels: int, limits: ServerLimits, size: str) -> None:
    needed = 0
    if "depth" in infer.outputs:
        needed += pixels * BYTES_PER_PIXEL[infer.depth_dtype]
    if "overlay" in infer.outputs:
        needed += pixels * OVERLAY_BYTES_PER_PIXEL
    if needed > limits.max_answer_bytes:
        what = " and ".join(name for name in ("depth map", "overlay") if name.split()[0] in infer.outputs)
        raise RequestError(
            ErrorCode.TOO_LARGE,
            f"The {what} of {size} pixels may need {needed} bytes; this server answers at most {limits.max_answer_bytes}: send a smaller "
            "picture, or start the server with a larger --max-megapixels.",
        )


def _objects(items: list[ObjectHeader] | None, coded: bool, limits: ServerLimits) -> tuple[ObjectRecord, ...] | None:
    if items is None:
        return None
    if len(items) > limits.max_objects:
        raise RequestError(ErrorCode.TOO_LARGE, f"The request names {len(items)} objects; this server measures at most {limits.max_objects}.")
    found: list[ObjectRecord] = []
    ids: set[int | str] = set()
    values: set[int] = set()
    for place, item in enumerate(items, 1):
        given, other = (item.colour, item.mask_value) if coded else (item.mask_value, item.colour)
        if given is None or other is not None:
            wanted = ("a colour and no mask_value", "is colour-coded") if coded else ("a mask_value and no colour", "holds values")
            raise RequestError(ErrorCode.BAD_HEADER, f"Object {place} of the list needs {wanted[0]}, as the mask {wanted[1]}.")
        value = place if coded or item.mask_value is None else item.mask_value
        named = value if item.id is None else item.id
        if value in values or named in ids:
            what = f"mask_value {value}" if value in values else f"id {str(named)[:40]!r}" if isinstance(named, str) else f"id {named}"
            raise RequestError(ErrorCode.BAD_HEADER, f"Object {place} of the list has the {what} of an earlier one; give each object its own.")
        values.add(value)
        ids.add(named)
        sent = {name: getattr(item, name) for name in PASSED_THROUGH}
        record = {name: raw for name, raw in sent.items() if raw is not msgspec.UNSET}
        found.append(ObjectRecord(named, value, record, item.known_distance_m, coded))
    return tuple(found)


def _colours(items: list[ObjectHeader]) -> ColourTable:
    try:
        return ColourTable.of([item.colour for item in items])
    except ColourError as error:
        raise RequestError(ErrorCode.BAD_HEADER, str(error)) from error


# ---- payloads --------------------------------------------------------------------------------------------------


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
        _check_pixels(payload, limits)
        _check_encoding(payload)
        if payload.encoding == "raw":
            _check_bytes(payload, buffer.nbytes)
        found[payload.name] = Picture(payload, buffer)
    return found


def _check_encoding(payload: Payload) -> None:
    def refuse(text: str) -> RequestError:
        return RequestError(ErrorCode.UNSUPPORTED_ENCODING, text)

    if payload.encoding not in ENCODINGS:
        raise refuse(f"The {payload.name} is encoded as {payload.encoding[:40]!r}; send {', '.join(ENCODINGS)}.")
    if payload.name == "image" and payload.colour != "srgb":
        raise refuse(f"The image's colour is {payload.colour[:40]!r}; send sRGB-encoded bytes (srgb).")
    if payload.encoding == "jpeg" and payload.name == "mask":
        raise refuse("The mask is a JPEG file, which mixes neighbouring ids into new ones; send it raw or as PNG.")
    if payload.encoding != "raw":
        return
    if payload.dtype is None:
        raise RequestError(ErrorCode.BAD_HEADER, f"The {payload.name} is raw and has no dtype; say what its numbers are, u8 for instance.")
    has = f"has {payload.channels} channels of {payload.dtype[:40]}"
    if payload.name == "image":
        if payload.dtype != IMAGE_DTYPE or payload.channels not in (3, 4):
            raise refuse(f"The image {has}; send RGB or RGBA as u8 (3 or 4 channels).")
    elif payload.ids == "colour":
        if payload.dtype != IMAGE_DTYPE or payload.channels not in (3, 4):
            raise refuse(f"The mask is colour-coded and {has}; send RGB or RGBA as u8 (3 or 4 channels).")
    elif payload.dtype not in MASK_DTYPES or payload.channels != 1:
        raise refuse(f"The mask {has}; send 1 channel of ids as {', '.join(MASK_DTYPES)}, or ids: colour.")


def _check_pixels(payload: Payload, limits: ServerLimits) -> None:
    if payload.width * payload.height > limits.max_pixels:
        raise RequestError(
            ErrorCode.TOO_LARGE,
            f"The {payload.name} has {payload.width}x{payload.height} pixels and this server takes at most {limits.max_pixels}; send a "
            "smaller one, or start the server with a larger --max-megapixels.",
        )


def _check_bytes(payload: Payload, size: int) -> None:
    row = payload.width * payload.channels * np.dtype(MASK_DTYPES[payload.dtype or ""]).itemsize
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
