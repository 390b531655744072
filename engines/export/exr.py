# SPDX-License-Identifier: Apache-2.0
"""A depth map as OpenEXR: one 32-bit float channel (``Y``), ZIP compressed, exact. 0 where not valid.

Zero and not NaN: a blur or resize in a compositor would spread one NaN over the picture. The values are planar depth, in metres for
metric maps, or disparity. What they are, and whose, stands in the header as one line of JSON, the string attribute ``depthbridge``: ``kind``,
``model``, ``camera_source``, ``camera`` (as :meth:`CameraIntrinsics.to_json`, or null), ``scale_note`` (or null). Other programs ignore it.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..atomic import atomic_path
from ..camera import CameraIntrinsics, CameraSource
from ..depth_map import DepthKind, DepthMap
from ..errors import DepthbridgeError, ImageError, OutputError
from .exr_parts import ExrChannel, ExrLayout, ExrLayoutError

_SWITCH = "OPENCV_IO_ENABLE_OPENEXR"
_ATTRIBUTE = "depthbridge"
_MAX_PIXELS = 2**27


@dataclass(frozen=True, slots=True, eq=False)
class ExrDepth:
    """One channel of an EXR file: float32 (H,W) as stored. ``channels``: the names of all. ``own``: the map that :func:`write_exr` wrote."""

    values: npt.NDArray[np.float32]
    channel: ExrChannel
    channels: tuple[str, ...]
    own: DepthMap | None


def write_exr(path: Path, depth: DepthMap, *, overwrite: bool = False) -> None:
    """Writes the values of the valid pixels, 0 elsewhere. Raises :class:`~..errors.OutputError`."""
    try:
        plain = encode_exr(np.where(depth.valid, depth.values, np.float32(0)).astype(np.float32))
    except OutputError as error:
        raise OutputError(f"Cannot write {path}: {error}") from error
    content = ExrLayout(plain).with_text(_ATTRIBUTE, json.dumps(_meaning(depth)))
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(content)


def encode_exr(values: npt.NDArray[np.float32]) -> bytes:
    """The content of an EXR file of 32-bit floats, ZIP compressed and exact: (H,W), or (H,W,3) with blue first. Raises
    :class:`~..errors.OutputError`."""
    options = [
        cv2.IMWRITE_EXR_TYPE,
        cv2.IMWRITE_EXR_TYPE_FLOAT,
        cv2.IMWRITE_EXR_COMPRESSION,
        cv2.IMWRITE_EXR_COMPRESSION_ZIP,
    ]
    _switch_on()
    try:
        done, encoded = cv2.imencode(".exr", values, options)
    except cv2.error as error:
        raise OutputError(f"{_reason(error)}.") from error
    if not done:
        raise OutputError(
            f"OpenCV could not make an EXR file of {values.shape[1]}x{values.shape[0]} pixels, which passes through the folder for temporary "
            "files; free some space there."
        )
    content = bytes(encoded.tobytes())
    try:
        # OpenCV writes through a temporary file, and overlooks that its disk was full.
        ExrLayout(content).check_whole()
    except ExrLayoutError as error:
        raise OutputError("the folder for temporary files is full, and an EXR file passes through it; free some space there.") from error
    return content


def read_exr(path: Path) -> npt.NDArray[np.float32]:
    """The values of a one-channel EXR file, float32 (H,W). Raises :class:`~..errors.ImageError` for anything else."""
    read = read_exr_depth(path)
    if len(read.channels) != 1 or read.channel.kind != "float":
        raise ImageError(f"{path} is no OpenEXR file with one 32-bit channel; give one written by depthbridge.")
    return read.values


def read_exr_depth(path: Path) -> ExrDepth:
    """The depth channel of an EXR file of any program.

    Taken is the only channel; else the one named as depth (``Z``, ``ViewLayer.Depth.Z``, ``depth``, ...); else R where R, G and B are the same
    picture. Raises :class:`~..errors.ImageError` when there is none, and for what is no readable EXR file.
    """
    path = Path(path)
    content = _read_bytes(path)
    try:
        layout = ExrLayout(content)
        channel = depth_channel(layout.channels)
        if channel is not None:
            values = _decode_channel(path, layout, channel)
        else:
            channel, values = _equal_colours(path, layout)
    except ExrLayoutError as error:
        raise ImageError(f"{path} {error}.") from error
    text = layout.text(_ATTRIBUTE)
    own = None if text is None else _own(path, values, text)
    return ExrDepth(values, channel, tuple(each.name for each in layout.channels), own)


def depth_channel(channels: tuple[ExrChannel, ...]) -> ExrChannel | None:
    """The only channel, or the one whose name says that it is depth; None when no name does."""
    if len(channels) == 1:
        return channels[0]
    names = {channel.name for channel in channels}
    ranked = [(rank, channel) for channel in channels if channel.sampled and (rank := _rank(channel.name, names)) is not None]
    return min(ranked, key=lambda pair: pair[0])[1] if ranked else None


def _rank(name: str, names: set[str]) -> int | None:
    """How well ``name`` names a depth channel, 0 best. Layers and passes come before the last dot, as in ``ViewLayer.Depth.Z``."""
    *groups, last = name.split(".")
    if last in ("Y", "Z") and ".".join([*groups, "X"]) in names:
        return None  # a coordinate of a normal or a position
    group, last = (groups[-1].casefold() if groups else ""), last.casefold()
    if group == "depth" or (not groups and last in ("z", "depth")):
        return 0
    if not groups and last.startswith("depth"):
        return 1
    if "depth" in group or "distance_to_image_plane" in group:
        return 2
    return None


def _equal_colours(path: Path, layout: ExrLayout) -> tuple[ExrChannel, npt.NDArray[np.float32]]:
    by_name = {channel.name: channel for channel in layout.channels}
    colours = [by_name[name] for name in "RGB" if name in by_name and by_name[name].sampled]
    if len(colours) == 3:
        red, green, blue = (_decode_channel(path, layout, channel) for channel in colours)
        if np.array_equal(red, green, equal_nan=True) and np.array_equal(red, blue, equal_nan=True):
            return colours[0], red
    listing = ", ".join(list(by_name)[:12]) + (", ..." if len(by_name) > 12 else "")
    raise ImageError(f"{path} has no channel that is depth (it has {listing}); save depth as a channel Z, or as a file of one channel.")


def _decode_channel(path: Path, layout: ExrLayout, channel: ExrChannel) -> npt.NDArray[np.float32]:
    if channel.width * channel.height > _MAX_PIXELS:
        raise ImageError(f"{path} says it has {channel.width}x{channel.height} pixels, which no depth map has; resize it first.")
    if not channel.sampled:
        raise ImageError(f"{path}: the channel {channel.name} does not have a value at every pixel; save it in full resolution.")
    try:
        values = decode_exr(layout.showing_only(channel))
    except cv2.error as error:
        raise ImageError(f"{path} could not be read: {_reason(error)}.") from error
    if values is None or values.shape != (channel.height, channel.width):
        raise ImageError(f"{path} is damaged; write or download it again.")
    return np.ascontiguousarray(values, dtype=np.float32)


def decode_exr(content: bytes) -> npt.NDArray[np.generic] | None:
    """The pixels of an EXR file's ``content`` as OpenCV orders them: (H,W), or (H,W,C) with blue first. None when it is no picture.

    Raises ``cv2.error`` for damaged content.
    """
    _switch_on()
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED) if content else None


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ImageError(f"{path} does not exist; check the path.") from error
    except OSError as error:
        raise ImageError(f"{path} could not be read; check its permissions.") from error


# ---- what the numbers mean ------------------------------------------------------------------------------------------


def _meaning(depth: DepthMap) -> dict[str, Any]:
    return {
        "kind": depth.kind.value,
        "model": depth.model_id,
        "camera_source": depth.camera_source.value,
        "camera": None if depth.camera is None else depth.camera.to_json(),
        "scale_note": depth.scale_note,
    }


def _own(path: Path, values: npt.NDArray[np.float32], text: str) -> DepthMap:
    try:
        data = json.loads(text)
        note = data["scale_note"]
        return DepthMap(
            values=values,
            kind=DepthKind(data["kind"]),
            valid=np.isfinite(values) & (values > 0),
            sky=None,
            confidence=None,
            camera=None if data["camera"] is None else CameraIntrinsics.from_json(data["camera"]),
            model_id=str(data["model"]),
            camera_source=CameraSource(data["camera_source"]),
            scale_note=None if note is None else str(note),
        )
    except (KeyError, TypeError, ValueError, DepthbridgeError) as error:
        raise ImageError(f"{path}: what its header says of its depth is damaged ({error}); write it again.") from error


def _switch_on() -> None:
    # OpenCV asks the environment when the process first touches an EXR file, and remembers the answer (seen on 4.11.0): setting it here is
    # in time unless somebody else was first.
    os.environ.setdefault(_SWITCH, "1")


def _reason(error: cv2.error) -> str:
    if "disabled" in str(error):
        return f"OpenCV's EXR support is switched off in this process; set {_SWITCH}=1 in the environment and start again"
    return " ".join(str(error).split())
