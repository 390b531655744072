# SPDX-License-Identifier: Apache-2.0
"""A depth map on the wire: what the header says of it, and the payload frames behind the header. numpy and the standard library only.

Writing and reading stand side by side, so that what one end says the other understands: a map that crosses as f32 comes back bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..engines.camera import CameraIntrinsics, CameraSource
from ..engines.depth_map import DepthKind, DepthMap, StageTimes

OUTPUTS = ("objects", "depth", "overlay")
"""What a request may ask for."""
LAYERS = {"depth": "f32", "valid": "u8", "sky": "f32", "confidence": "f32"}
"""The payloads of a map, in their order, with their types; the last two only when the model has them."""
DepthDtype = Literal["f32", "f16"]
"""How a request wants the layers that are no bytes."""
BYTES_PER_PIXEL = {"f32": 13, "f16": 7}
"""Of a map with all its layers: what an answer is reckoned at before anyone knows which the model has."""
OVERLAY = "overlay"
"""The payload of the picture with distances drawn into it: an encoded file, which passes through as it is."""
OVERLAY_BYTES_PER_PIXEL = 4
"""What it is reckoned at; a PNG of noise has three."""

_DTYPES: dict[str, np.dtype[Any]] = {"f32": np.dtype("<f4"), "f16": np.dtype("<f2"), "u8": np.dtype("u1")}
_STAGES = ("preprocess", "infer", "postprocess")


@dataclass(frozen=True, slots=True, eq=False)
class WireMap:
    """A map taken apart: ``about`` and the ``payloads``' descriptions for the header, ``layers`` (H,W) for the frames behind it."""

    about: dict[str, Any]
    payloads: list[dict[str, Any]]
    layers: list[npt.NDArray[Any]]


def map_to_wire(depth_map: DepthMap, dtype: DepthDtype = "f32") -> WireMap:
    """Nothing is copied that lies in memory as the wire wants it, so the map must not be changed until it is sent.

    With ``dtype`` ``f16`` the layers that are no bytes are rounded to 11 significant bits; what is deeper than 65504 becomes infinite and is
    no longer valid, and what would be rounded to 0 likewise (below 3e-8), unless the map is of disparity, which may be 0.
    """
    found = {"depth": depth_map.values, "valid": depth_map.valid, "sky": depth_map.sky, "confidence": depth_map.confidence}
    types = {name: dtype if LAYERS[name] == "f32" else LAYERS[name] for name in LAYERS}
    layers = {name: _as_wire(layer, types[name]) for name, layer in found.items() if layer is not None}
    if dtype == "f16":
        layers["valid"] = layers["valid"] * depth_map.kind.holds(layers["depth"])
    size = {"width": depth_map.width, "height": depth_map.height, "origin": "top_left"}
    stages = depth_map.stage_ms
    about = {
        "kind": str(depth_map.kind),
        "camera": None if depth_map.camera is None else depth_map.camera.to_json(),
        "focal_px": None if depth_map.focal_px is None else float(depth_map.focal_px),
        "scale_note": depth_map.scale_note,
        "extrinsics": None if depth_map.extrinsics is None else depth_map.extrinsics.tolist(),
        "stage_ms": None if stages is None else {name: round(getattr(stages, f"{name}_ms"), 3) for name in _STAGES},
        "max_depth_m": None if depth_map.max_depth_m is None else float(depth_map.max_depth_m),
    }
    payloads = [{"name": name, "encoding": "raw", "dtype": types[name], "channels": 1, **size} for name in layers]
    return WireMap(about, payloads, list(layers.values()))


def map_from_wire(header: Mapping[str, Any], frames: Sequence[memoryview], width: int, height: int) -> DepthMap:
    """The map of an ``ok`` reply to an image of ``width`` x ``height`` pixels; its arrays are the frames' own memory, where that is aligned.

    Raises KeyError, TypeError, ValueError or ``CameraError`` for a header or frames that are not those of such a map.
    """
    result = header["result"]
    about = result["depth"]
    layers = _layers(header["payloads"], frames, width, height)
    kind = DepthKind(about["kind"])
    camera, stages, extrinsics = about["camera"], about["stage_ms"], about["extrinsics"]
    return DepthMap(
        values=layers["depth"],
        kind=kind,
        # Whatever a server says, a value that means nothing is not valid.
        valid=(layers["valid"] != 0) & kind.holds(layers["depth"]),
        sky=layers.get("sky"),
        confidence=layers.get("confidence"),
        camera=None if camera is None else CameraIntrinsics(**{name: camera[name] for name in ("fx", "fy", "cx", "cy", "width", "height")}),
        model_id=str(result["model"]),
        camera_source=CameraSource(result["camera_source"]),
        extrinsics=None if extrinsics is None else np.asarray(extrinsics, dtype=np.float64).reshape(3, 4),
        focal_px=None if about["focal_px"] is None else float(about["focal_px"]),
        stage_ms=None if stages is None else StageTimes(*(float(stages[name]) for name in _STAGES)),
        scale_note=None if about["scale_note"] is None else str(about["scale_note"]),
        max_depth_m=None if about.get("max_depth_m") is None else float(about["max_depth_m"]),
    )


def _as_wire(layer: npt.NDArray[Any], dtype: str) -> npt.NDArray[Any]:
    if layer.dtype == np.bool_:
        return np.ascontiguousarray(layer).view(np.uint8)
    with np.errstate(over="ignore"):  # infinity, as float32 would give it one range further
        return np.ascontiguousarray(layer, dtype=_DTYPES[dtype])


def overlay_payload(encoding: str, width: int, height: int) -> dict[str, Any]:
    """The description of an overlay's file."""
    size = {"width": width, "height": height, "origin": "top_left"}
    return {"name": OVERLAY, "encoding": encoding, "dtype": "u8", "channels": 3, **size}


def overlay_from_wire(header: Mapping[str, Any], frames: Sequence[memoryview]) -> bytes | None:
    """The file of the overlay, as it came; None when the reply has none. Raises as :func:`map_from_wire`."""
    payloads = header.get("payloads", ())
    if len(payloads) != len(frames):
        raise ValueError(f"{len(payloads)} payloads are described and {len(frames)} followed")
    for payload, frame in zip(payloads, frames, strict=True):
        if payload["name"] == OVERLAY:
            return bytes(frame)
    return None


def _layers(payloads: Any, frames: Sequence[memoryview], width: int, height: int) -> dict[str, npt.NDArray[Any]]:
    """The known payloads by name, (height, width), writable. One that is not known is passed over: a newer server may send more."""
    if len(payloads) != len(frames):
        raise ValueError(f"{len(payloads)} payloads are described and {len(frames)} followed")
    found: dict[str, npt.NDArray[Any]] = {}
    for payload, frame in zip(payloads, frames, strict=True):
        name = payload["name"]
        if name not in LAYERS:
            continue
        code, *described = (payload.get(key) for key in ("dtype", "encoding", "channels", "origin", "width", "height"))
        half = code == "f16" and LAYERS[name] == "f32"
        if not (code == LAYERS[name] or half) or described != ["raw", 1, "top_left", width, height]:
            raise ValueError(f"the {name} map is described as {code} {described} for an image of {width}x{height}")
        dtype = _DTYPES[code]
        if frame.nbytes != width * height * dtype.itemsize:
            raise ValueError(f"the {name} map has {frame.nbytes} bytes")
        # A small frame may lie unaligned in ZeroMQ's buffer; a large one never does.
        layer = np.require(np.frombuffer(frame, dtype), requirements=["ALIGNED", "WRITEABLE"]).reshape(height, width)
        found[name] = layer.astype(np.float32) if half else layer if dtype.isnative else layer.astype(dtype.newbyteorder("="))
    return found
