# SPDX-License-Identifier: Apache-2.0
"""An infer request as a client writes it: arrays checked and laid out for the wire, and the header that describes them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..engines.camera import CameraIntrinsics
from .errors import BridgeError

Origin = Literal["top_left", "bottom_left"]

_MASK_CODES = {"uint8": "u8", "uint16": "u16", "int32": "i32", "uint32": "u32"}


def infer_header(
    pixels: npt.NDArray[np.uint8], origin: Origin, camera: CameraIntrinsics | None, model: str | None
) -> dict[str, Any]:
    """The header of a request with this image alone, and the camera that belongs to it."""
    height, width, channels = pixels.shape
    if camera is not None and (camera.width, camera.height) != (width, height):
        raise BridgeError(
            f"The camera is for {camera.width}x{camera.height} pixels and the image has {width}x{height}; use camera.resized or "
            "the intrinsics of this image."
        )
    image = {"name": "image", "dtype": "u8", "channels": channels, "origin": origin, "colour": "srgb"}
    header: dict[str, Any] = {"payloads": [{**image, "width": width, "height": height, "encoding": "raw"}]}
    if camera is not None:
        header["camera"] = camera.to_json()
    if model is not None:
        header["model"] = model
    return header


def describe_mask(ids: npt.NDArray[Any], origin: Origin) -> dict[str, Any]:
    """The description of a mask that :func:`mask_array` made."""
    height, width = ids.shape
    code = _MASK_CODES[ids.dtype.name]
    return {"name": "mask", "dtype": code, "channels": 1, "origin": origin, "width": width, "height": height, "encoding": "raw"}


def image_array(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """uint8 (H,W,3|4), contiguous. Raises :class:`BridgeError` for anything that is no such picture."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in (3, 4) or 0 in image.shape:
        raise BridgeError(f"The image is {image.dtype} {image.shape}; send uint8 RGB or RGBA, (height, width, 3 or 4).")
    return np.ascontiguousarray(image)


def mask_array(mask: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Ids (H,W), contiguous, of a type that is sent. Raises :class:`BridgeError` for anything else."""
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
