# SPDX-License-Identifier: Apache-2.0
"""A capture folder, read: pictures, masks, cameras, annotations and, where there is one, true depth. Nothing here writes.

::

    capture/
      images/00042.png         the pictures, upright
      masks/00042.png          ids in one channel of 8 or 16 bits, 0 is background
      depth/00042.exr          optional truth: planar metres, 0 where there is none
      camera_intrinsics.json   of all pictures; an entry's own "camera" object replaces it
      annotations.json         [{"image": "00042.png", "objects": [{"id": 0, "category": "...", ...}]}]
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from ...engines.camera import CameraIntrinsics
from ...engines.errors import CameraError, CaptureError
from ...engines.images import decode_image
from ..measuring.measure import Mask

ANNOTATIONS = "annotations.json"
INTRINSICS = "camera_intrinsics.json"
_MAX_MASK_VALUE = 65535
# A field of view and focal lengths that differ by more than this describe two cameras.
_FOV_TOLERANCE = 0.005
# What Pillow multiplies grey values of fewer bits by; the bits per pixel stand in byte 24 of a PNG.
_GREY_STEP = {2: 85, 4: 17}


@dataclass(frozen=True, slots=True)
class CaptureObject:
    """One entry of a picture's ``objects``: ``record`` verbatim, and the value its pixels have in the mask."""

    record: Mapping[str, Any]
    mask_value: int


@dataclass(frozen=True, slots=True)
class CaptureFrame:
    """One entry of ``annotations.json``, verbatim; :meth:`Capture.load` reads its files."""

    name: str
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class LoadedFrame:
    """``image``: uint8 RGB (H,W,3). ``mask``: ids (H,W). ``depth_true_m``: float32 (H,W), planar metres, 0 for none; or None."""

    image: npt.NDArray[np.uint8]
    mask: Mask
    camera: CameraIntrinsics
    objects: tuple[CaptureObject, ...]
    depth_true_m: npt.NDArray[np.float32] | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Capture:
    """A folder whose two JSON files were read. ``ids_from_zero``: some id in the file is 0, so that mask values are id + 1."""

    folder: Path
    frames: tuple[CaptureFrame, ...]
    intrinsics: Mapping[str, Any] | None
    ids_from_zero: bool

    @classmethod
    def open(cls, folder: Path) -> Capture:
        """Read ``annotations.json`` and ``camera_intrinsics.json``. Raises :class:`CaptureError` naming the file and the entry."""
        folder = Path(folder)
        if not folder.is_dir():
            raise CaptureError(f"The capture {folder} is no folder; give the one that holds {ANNOTATIONS}.")
        entries = _read_json(folder / ANNOTATIONS)
        if not isinstance(entries, list) or not entries:
            raise CaptureError(f'{folder / ANNOTATIONS} is no list of pictures; write [{{"image": "...", "objects": [...]}}, ...].')
        frames = tuple(_frame(entry, number, folder) for number, entry in enumerate(entries, start=1))
        intrinsics = None
        if (folder / INTRINSICS).exists():
            intrinsics = _read_json(folder / INTRINSICS)
            if not isinstance(intrinsics, dict):
                raise CaptureError(f"{folder / INTRINSICS} holds no JSON object; write focal_length_x, width and height into one.")
        elif not all("camera" in frame.record for frame in frames):
            raise CaptureError(f"{folder} has no {INTRINSICS}, and not every picture has a camera of its own; add the file.")
        ids = (item.get("id") for frame in frames for item in _object_records(frame.record))
        return cls(folder, frames, intrinsics, any(type(i) is int and i == 0 for i in ids))

    def load(self, frame: CaptureFrame) -> LoadedFrame:
        """Read one picture's files. Raises :class:`CaptureError`, :class:`ImageError` or :class:`CameraError`, in one sentence."""
        objects = self._objects(frame)
        _check_name(frame.name)
        image = decode_image(self.folder / "images" / frame.name, name=f"images/{frame.name}").rgb
        height, width = image.shape[:2]
        camera, notes = self._camera(frame, width, height)
        mask = _read_mask(self.folder / "masks" / Path(frame.name).with_suffix(".png"), width, height)
        truth = self.folder / "depth" / Path(frame.name).with_suffix(".exr")
        depth = read_depth_exr(truth, width, height) if truth.exists() else None
        named = {item.mask_value for item in objects}
        unnamed = sorted({int(value) for value in np.unique(mask)} - named - {0})
        if unnamed:
            notes.append(f"{frame.name}: mask values {_shortened(unnamed)} belong to no object")
        return LoadedFrame(image, mask, camera, objects, depth, tuple(notes))

    def _camera(self, frame: CaptureFrame, width: int, height: int) -> tuple[CameraIntrinsics, list[str]]:
        own = frame.record.get("camera")
        source, where = (own, "its camera") if own is not None else (self.intrinsics, INTRINSICS)
        if not isinstance(source, Mapping):
            raise CaptureError(f'{where} is no JSON object; give {{"focal_length_x": ..., "focal_length_y": ...}}.')
        try:
            camera = CameraIntrinsics.from_json(source, width, height)
        except CameraError as error:
            raise CameraError(f"{where}: {error}") from error
        if (camera.width, camera.height) != (width, height):
            raise CameraError(
                f"{where} is for {camera.width}x{camera.height} pixels and the picture has {width}x{height}; "
                "write the intrinsics of the pictures as they are."
            )
        return camera, _fov_notes(source, camera, where)

    def _objects(self, frame: CaptureFrame) -> tuple[CaptureObject, ...]:
        records = frame.record.get("objects")
        if not isinstance(records, list) or not all(isinstance(item, dict) for item in records):
            raise CaptureError('it has no list "objects" of JSON objects; add one, empty if nothing is marked.')
        objects: dict[int, CaptureObject] = {}
        for record in records:
            item = CaptureObject(record, self._mask_value(record))
            if item.mask_value in objects:
                other = objects[item.mask_value].record.get("id")
                raise CaptureError(f"objects {other!r} and {record.get('id')!r} have the same mask value {item.mask_value}.")
            objects[item.mask_value] = item
        return tuple(objects.values())

    def _mask_value(self, record: Mapping[str, Any]) -> int:
        value = record.get("mask_value")
        if value is None:
            value = record.get("id")
            if type(value) is not int:
                raise CaptureError(f"an object has the id {value!r} and no mask_value; give one of them as a whole number.")
            value += 1 if self.ids_from_zero else 0
        if type(value) is not int or not 1 <= value <= _MAX_MASK_VALUE:
            raise CaptureError(
                f"object {record.get('id')!r} has the mask value {value!r}; give 1 to {_MAX_MASK_VALUE} (0 is the background)."
            )
        return value


def read_depth_exr(path: Path, width: int, height: int) -> npt.NDArray[np.float32]:
    """True depth from an OpenEXR file, float32 (H,W), planar metres; 0 where there is none, which non-finite values become, too.

    Of several channels the red one counts: writers put one-channel textures there. Raises :class:`CaptureError`.
    """
    import cv2

    from ...engines.export.exr import decode_exr

    name = f"depth/{path.name}"
    try:
        depth = decode_exr(path.read_bytes())
    except (OSError, cv2.error) as error:
        raise CaptureError(f"{name} cannot be read as OpenEXR ({_first_line(error)}); write float32 planar metres.") from error
    if depth is None:
        raise CaptureError(f"{name} is empty, damaged or no OpenEXR file; write float32 planar metres.")
    values = np.asarray(depth if depth.ndim == 2 else depth[..., 2], dtype=np.float32)  # OpenCV's order is blue, green, red
    if values.shape != (height, width):
        raise CaptureError(f"{name} is {values.shape[1]}x{values.shape[0]} and the picture {width}x{height}; render both at one size.")
    return np.where(np.isfinite(values) & (values > 0), values, np.float32(0))


def _read_mask(path: Path, width: int, height: int) -> Mask:
    name = f"masks/{path.name}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # its size is checked before it is decoded
            with Image.open(path, formats=("PNG",)) as image:
                if image.size != (width, height):
                    raise CaptureError(
                        f"{name} is {image.size[0]}x{image.size[1]} and the picture {width}x{height}; render both at one size."
                    )
                return _mask_values(image, name, _png_bits(path))
    except FileNotFoundError as error:
        raise CaptureError(f"{name} is missing; save the mask under the picture's name, as PNG.") from error
    except UnidentifiedImageError as error:
        raise CaptureError(f"{name} is no PNG file; save masks as PNG with one channel of 8 or 16 bits.") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise CaptureError(f"{name} cannot be read ({_first_line(error)}); save it again as PNG.") from error


def _mask_values(image: Image.Image, name: str, bits: int) -> Mask:
    if image.mode == "P":
        indices = np.asarray(image)
        palette = np.asarray(image.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)
        # An optimiser may turn a grey picture into a grey palette, where the colour is the id; in a coloured one the index is.
        if np.all(palette == palette[:, :1]):
            return np.asarray(palette[indices, 0])
        return indices
    values = np.asarray(image)
    if values.ndim != 2 or values.dtype.kind not in "biu":
        raise CaptureError(
            f"{name} has {len(image.getbands())} channels ({image.mode}); this version reads ids in one channel of 8 or 16 bits, "
            "not colours: save it as a grey PNG."
        )
    return values.astype(np.int32) // _GREY_STEP.get(bits, 1)


def _png_bits(path: Path) -> int:
    with path.open("rb") as file:
        return file.read(25)[24]


def _frame(entry: object, number: int, folder: Path) -> CaptureFrame:
    if not isinstance(entry, dict) or not isinstance(entry.get("image"), str) or not entry["image"]:
        raise CaptureError(f'Entry {number} of {folder / ANNOTATIONS} names no picture; each is {{"image": "...", "objects": [...]}}.')
    return CaptureFrame(entry["image"], entry)


def _object_records(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    objects = record.get("objects")
    return [item for item in objects if isinstance(item, dict)] if isinstance(objects, list) else []


def _check_name(name: str) -> None:
    """Raise :class:`CaptureError` for a name that leads out of ``images/``, in the notation of any system."""
    for path in (PurePosixPath(name), PureWindowsPath(name)):
        if path.is_absolute() or path.drive or ".." in path.parts or not path.name:
            raise CaptureError(f"the name {name!r} leads out of images/; give a file name in there.")


def _fov_notes(source: Mapping[str, Any], camera: CameraIntrinsics, where: str) -> list[str]:
    fov = source.get("fov_vertical")
    if not isinstance(fov, (int, float)) or isinstance(fov, bool) or not 0 < fov < 179:
        return []
    expected = CameraIntrinsics.from_vertical_fov(float(fov), camera.width, camera.height).fy
    if abs(camera.fy - expected) <= _FOV_TOLERANCE * expected:
        return []
    return [
        f"{where}: a fov_vertical of {fov:g} degrees makes {expected:.2f} px and focal_length_y is {camera.fy:.2f} px, which was used"
    ]


def _read_json(path: Path) -> Any:
    try:
        # Unity and Windows editors put a byte order mark in front of UTF-8.
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise CaptureError(f"{path} does not exist; give a capture folder that holds it.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise CaptureError(f"{path} is not readable JSON ({_first_line(error)}).") from error


def _shortened(values: list[int]) -> str:
    return ", ".join(str(value) for value in values[:5]) + (f" and {len(values) - 5} more" if len(values) > 5 else "")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
