# SPDX-License-Identifier: Apache-2.0
"""An infer request as a client writes it: pictures checked and laid out for the wire, and the header that describes them.

Needs the standard library and numpy, and nothing of the server.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..engines.camera import CameraIntrinsics, CameraSource
from .answers import ServerInfo
from .errors import BridgeError
from .framing import pack_header
from .maps import BYTES_PER_PIXEL, OVERLAY_BYTES_PER_PIXEL, DepthDtype

Origin = Literal["top_left", "bottom_left"]
Order = Literal["rgb", "bgr"]
OverlayEncoding = Literal["png", "jpeg"]

_MASK_CODES = {"uint8": "u8", "uint16": "u16", "int32": "i32", "uint32": "u32"}
_SENDABLE_SOURCES = (CameraSource.GIVEN, CameraSource.EXIF, CameraSource.ASSUMED)
# What a message has beside its payloads and the header as it stands here: prefix, id, deadline, token.
_ENVELOPE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class EncodedPicture:
    """The bytes of a PNG or JPEG file, and its size in pixels. A mask must be PNG. The first row of the file is the first row of ``origin``."""

    data: bytes
    width: int
    height: int

    @property
    def encoding(self) -> str:
        """``png`` or ``jpeg``, by the first bytes. Raises :class:`BridgeError` for anything else."""
        if self.data[:4] == b"\x89PNG":
            return "png"
        if self.data[:2] == b"\xff\xd8":
            return "jpeg"
        raise BridgeError("The encoded picture is neither PNG nor JPEG; send one of these, or its pixels as an array.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneObject:
    """One object to be answered: by its ``mask_value``, or in a colour-coded mask by its ``colour``, (r, g, b) or (r, g, b, a), 0 to 255.

    ``id`` defaults to the mask value, or to the place in the list from 1. ``category``, ``bbox`` and ``parent_id`` are any JSON and come back
    as they are; None is not sent. ``known_distance_m``: the true planar distance at the median of its pixels; the map is then fitted to it.
    """

    mask_value: int | None = None
    colour: tuple[int, ...] | None = None
    id: int | str | None = None
    category: Any = None
    bbox: Any = None
    parent_id: Any = None
    known_distance_m: float | None = None

    def to_json(self) -> dict[str, Any]:
        """What is given, in the protocol's words."""
        return {field.name: value for field in dataclasses.fields(self) if (value := getattr(self, field.name)) is not None}


ImageLike = npt.NDArray[np.uint8] | EncodedPicture
MaskLike = npt.NDArray[Any] | EncodedPicture
ObjectLike = SceneObject | Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class FrameRequest:
    """An infer request, complete but for its deadline. ``payloads`` are objects with the buffer interface, which are not copied."""

    header: dict[str, Any]
    payloads: tuple[Any, ...]
    width: int
    height: int

    def due(self, deadline: float) -> dict[str, Any]:
        """The header with the time that is left until ``deadline`` (:func:`time.monotonic`)."""
        return {**self.header, "deadline_ms": round(max(deadline - time.monotonic(), 0.001) * 1000.0, 3)}

    def check(self, info: ServerInfo, endpoint: str) -> None:
        """Raises :class:`BridgeError` for what that server would refuse or, worse, drop without a word."""
        outputs = self.header["outputs"]
        if "depth" in outputs:
            info.require_maps(endpoint)
        header_bytes = len(_packed(self.header))
        if header_bytes + _ENVELOPE_BYTES > info.max_header_bytes:
            raise BridgeError(
                f"The header needs {header_bytes} bytes and the server at {endpoint} reads at most {info.max_header_bytes}; name fewer objects."
            )
        # Over the limit ZeroMQ drops the connection and says nothing to either side: the one error that must be found before sending.
        needed = sum(memoryview(payload).nbytes for payload in self.payloads) + header_bytes + _ENVELOPE_BYTES
        if needed > info.max_message_bytes:
            raise BridgeError(
                f"The frame needs {needed} bytes and the server at {endpoint} takes at most {info.max_message_bytes}; "
                "send a smaller picture, or start the server with a larger --max-megapixels."
            )
        pixels = self.width * self.height
        answer = pixels * BYTES_PER_PIXEL[self.header.get("depth_dtype", "f32")] if "depth" in outputs else 0
        answer += pixels * OVERLAY_BYTES_PER_PIXEL if "overlay" in outputs else 0
        if answer > info.max_answer_bytes:
            raise BridgeError(
                f"The depth map of {self.width}x{self.height} pixels may need {answer} bytes and the server at {endpoint} answers at most "
                f"{info.max_answer_bytes}; send a smaller picture, or start the server with a larger --max-megapixels."
            )


def measure_request(
    image: ImageLike,
    camera: CameraIntrinsics | None,
    mask: MaskLike,
    *,
    objects: Sequence[ObjectLike] | None,
    extrinsics: npt.ArrayLike | None,
    overlay: OverlayEncoding | None,
    depth: DepthDtype | None,
    origin: Origin,
    mask_origin: Origin | None,
    order: Order,
    model: str | None,
) -> FrameRequest:
    """For :meth:`~.client.DepthClient.measure`, which explains the arguments. Raises :class:`BridgeError` for what cannot be sent."""
    named = None if objects is None else [_object(item) for item in objects]
    _check_choice("overlay", overlay, (None, "png", "jpeg"))
    _check_choice("depth", depth, (None, *BYTES_PER_PIXEL))
    coloured = any("colour" in item for item in named or ()) or (isinstance(mask, np.ndarray) and mask.ndim == 3)
    request = _with_image(image, origin, order, camera, model)
    about, payload = _mask(mask, mask_origin or origin, order, coloured)
    if (about["width"], about["height"]) != (request.width, request.height):
        raise BridgeError(
            f"The mask is {about['width']}x{about['height']} and the image {request.width}x{request.height}; render both at one size."
        )
    header = request.header
    header["payloads"].append(about)
    requires = header["requires"]
    if coloured:
        requires.append("colour_mask")
    if named is not None:
        header["objects"] = named
        requires.append("objects")
        requires += ["known_distances"] if any(item.get("known_distance_m") is not None for item in named) else []
    if extrinsics is not None:
        if camera is None:
            raise BridgeError("There are extrinsics without a camera; give its intrinsics, too.")
        header["camera"]["extrinsics"] = _pose(extrinsics)
        requires.append("extrinsics")
    header["outputs"] = ["objects", *(["depth"] if depth else []), *(["overlay"] if overlay else [])]
    if overlay is not None:
        header["overlay_encoding"] = overlay
    if depth is not None and depth != "f32":
        header["depth_dtype"] = depth
        requires.append("depth_f16")
    _packed(header)
    return dataclasses.replace(request, payloads=(*request.payloads, payload))


def estimate_request(
    image: ImageLike, camera: CameraIntrinsics | None, camera_source: CameraSource, depth: DepthDtype, model: str | None
) -> FrameRequest:
    """For :meth:`~.client.DepthClient.estimate`, which explains the arguments. Raises :class:`BridgeError` for what cannot be sent."""
    _check_choice("depth", depth, tuple(BYTES_PER_PIXEL))
    request = _with_image(image, "top_left", "rgb", camera, model)
    header = request.header
    header["outputs"] = ["depth"]
    header["requires"].append("depth_map")
    if depth != "f32":
        header["depth_dtype"] = depth
        header["requires"].append("depth_f16")
    if camera is not None and camera_source is not CameraSource.GIVEN:
        if camera_source not in _SENDABLE_SOURCES:
            raise BridgeError(f"A camera that is sent is {', '.join(_SENDABLE_SOURCES)}, not {camera_source}.")
        header["camera_source"] = str(camera_source)
        header["requires"].append("camera_source")
    return request


# ---- inside ----------------------------------------------------------------------------------------------------


def _object(item: ObjectLike) -> dict[str, Any]:
    if isinstance(item, SceneObject):
        return item.to_json()
    if not isinstance(item, Mapping):
        raise BridgeError(f"The objects hold {item!r:.60}; give a list of SceneObject, or of mappings with its fields.")
    return dict(item)


def _check_choice(name: str, value: Any, known: tuple[str | None, ...]) -> None:
    if value not in known:
        raise BridgeError(f"{name} is {value!r:.60}; give {' or '.join(repr(each) for each in known)}.")


def _with_image(image: ImageLike, origin: Origin, order: Order, camera: CameraIntrinsics | None, model: str | None) -> FrameRequest:
    """The request with this image alone, and the camera that belongs to it."""
    about, payload = _image(image, origin, order)
    width, height = about["width"], about["height"]
    if camera is not None and (camera.width, camera.height) != (width, height):
        raise BridgeError(
            f"The camera is for {camera.width}x{camera.height} pixels and the image has {width}x{height}; use camera.resized or "
            "the intrinsics of this image."
        )
    header: dict[str, Any] = {"payloads": [about], "requires": []}
    if camera is not None:
        header["camera"] = camera.to_json()
    if model is not None:
        header["model"] = model
    return FrameRequest(header, (payload,), width, height)


def _image(image: ImageLike, origin: Origin, order: Order) -> tuple[dict[str, Any], Any]:
    if isinstance(image, EncodedPicture):
        return _file("image", image, origin), image.data
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (3, 4) or 0 in image.shape:
        raise BridgeError(f"The image is {image.dtype} {image.shape}; send uint8 RGB or RGBA, (height, width, 3 or 4).")
    return {**_raw("image", image, "u8", origin), "order": order, "colour": "srgb"}, np.ascontiguousarray(image)


def _mask(mask: MaskLike, origin: Origin, order: Order, coloured: bool) -> tuple[dict[str, Any], Any]:
    ids = {"ids": "colour"} if coloured else {}
    if isinstance(mask, EncodedPicture):
        return {**_file("mask", mask, origin), **ids}, mask.data
    if coloured:
        if mask.dtype != np.uint8 or mask.ndim != 3 or mask.shape[2] not in (3, 4):
            raise BridgeError(f"The mask is {mask.dtype} {mask.shape} and its ids are colours; send uint8 RGB or RGBA, (height, width, 3 or 4).")
        return {**_raw("mask", mask, "u8", origin), "order": order, **ids}, np.ascontiguousarray(mask)
    values = _values(mask)
    return _raw("mask", values, _MASK_CODES[values.dtype.name], origin), values


def _values(mask: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Ids (H,W), contiguous, of a type that is sent."""
    if mask.ndim != 2 or mask.dtype.kind not in "biu":
        raise BridgeError(f"The mask is {mask.dtype} {mask.shape}; send integer ids, (height, width), or colours, (height, width, 3 or 4).")
    if mask.dtype.name in ("int8", "int16", "int64", "uint64"):
        low, high = (int(mask.min()), int(mask.max())) if mask.size else (0, 0)
        if low < -(2**31) or high >= 2**31:
            raise BridgeError(f"The mask holds ids from {low} to {high}; only 32 bits are sent, use smaller ids.")
        mask = mask.astype(np.int32)
    elif mask.dtype.kind == "b":
        mask = mask.astype(np.uint8)
    return np.ascontiguousarray(mask, dtype=mask.dtype.newbyteorder("<"))


def _raw(name: str, pixels: npt.NDArray[Any], dtype: str, origin: Origin) -> dict[str, Any]:
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    size = {"width": pixels.shape[1], "height": pixels.shape[0]}
    return {"name": name, "encoding": "raw", "dtype": dtype, "channels": channels, **size, "origin": origin}


def _file(name: str, picture: EncodedPicture, origin: Origin) -> dict[str, Any]:
    return {"name": name, "encoding": picture.encoding, "width": picture.width, "height": picture.height, "origin": origin}


def _pose(extrinsics: npt.ArrayLike) -> list[list[float]]:
    matrix = np.asarray(extrinsics, dtype=np.float64)
    if matrix.shape not in ((3, 4), (4, 4)) or not np.isfinite(matrix).all():
        raise BridgeError(f"The extrinsics have the shape {matrix.shape}; give world to camera, finite, 3 rows of 4.")
    rows: list[list[float]] = matrix[:3].tolist()
    return rows


def _packed(header: Mapping[str, Any]) -> bytes:
    try:
        return pack_header(header)
    except (TypeError, ValueError) as error:
        raise BridgeError(f"The objects hold something that is no JSON ({error}); send numbers, text, lists and mappings.") from error
