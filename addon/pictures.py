# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures stored inside the .blend: the photo, and the float depth that a build can be repeated from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from ..engines.camera import CameraIntrinsics, CameraSource
from ..engines.depth_map import SKY_THRESHOLD, DepthKind, DepthMap
from ..engines.errors import ImageError
from .picture_files import EncodedPicture


def add_photo(picture: EncodedPicture, name: str) -> bpy.types.Image:
    """The photo as an image of sRGB colours. Raises :class:`ImageError` when Blender cannot decode it."""
    image = _add_packed(picture, name)
    # Asking for the size decodes the picture, which the next redraw would do anyway.
    if tuple(image.size) != (picture.width, picture.height):
        bpy.data.images.remove(image)
        raise ImageError(f"Blender cannot read the {picture.suffix} picture of {name}; convert the photo to PNG or JPEG first.")
    return image


def add_data(picture: EncodedPicture, name: str) -> bpy.types.Image:
    """A 32-bit float picture whose numbers are left alone (Non-Color). It is decoded when something needs its pixels: that takes a second
    for 24 megapixels, and most builds are never built again."""
    image = _add_packed(picture, name)
    image.colorspace_settings.name = "Non-Color"
    return image


def _add_packed(picture: EncodedPicture, name: str) -> bpy.types.Image:
    image = bpy.data.images.new(name, 1, 1, alpha=False)
    image.pack(data=picture.content, data_len=len(picture.content))
    image.source = "FILE"  # from here on its pixels are those of the packed file
    image.filepath_raw = f"//{bpy.path.clean_name(name)}{picture.suffix}"  # where "Unpack" would write it
    return image


def read_rgb(image: bpy.types.Image) -> npt.NDArray[np.uint8]:
    """The image's pixels as they are shown: uint8 RGB (H,W,3), sRGB, first row on top. Raises :class:`ImageError` when it has none."""
    return np.rint(np.clip(_pixels(image)[..., :3], 0, 1) * 255).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class DepthMeaningRecord:
    """What a stored depth picture cannot say of itself."""

    kind: DepthKind
    camera: CameraIntrinsics
    camera_source: CameraSource
    model_id: str
    has_sky: bool
    has_confidence: bool
    scale_note: str | None


def read_depth(image: bpy.types.Image, meaning: DepthMeaningRecord) -> DepthMap:
    """The map that :func:`~.picture_files.encode_depth` stored, bit for bit unless somebody painted in it. Raises :class:`ImageError`
    when the image is gone or has another size than the camera."""
    pixels = _pixels(image)
    camera = meaning.camera
    if pixels.shape[:2] != (camera.height, camera.width):
        raise ImageError(
            f"The depth image {image.name} is {pixels.shape[1]}x{pixels.shape[0]} and was {camera.width}x{camera.height} when the object was "
            "built; undo its resizing or build again from the photo."
        )
    values = np.ascontiguousarray(pixels[..., 0])
    sky = np.ascontiguousarray(pixels[..., 1]) if meaning.has_sky else None
    valid = meaning.kind.holds(values)
    if sky is not None:
        valid &= sky < SKY_THRESHOLD
    return DepthMap(
        values=np.where(values < 0, np.float32(0), values),
        kind=meaning.kind,
        valid=valid,
        sky=sky,
        confidence=np.ascontiguousarray(pixels[..., 2]) if meaning.has_confidence else None,
        camera=camera,
        model_id=meaning.model_id,
        camera_source=meaning.camera_source,
        scale_note=meaning.scale_note,
    )


def _pixels(image: bpy.types.Image) -> npt.NDArray[np.float32]:
    """float32 (H,W,C), first row on top."""
    width, height = image.size
    channels = int(image.channels)
    if width == 0 or height == 0 or channels < 3:
        raise ImageError(f"The image {image.name} has no pixels (was its file deleted?); reload it or choose another.")
    flat = np.empty(width * height * channels, dtype=np.float32)
    pixels: Any = image.pixels
    pixels.foreach_get(flat)
    return flat.reshape(height, width, channels)[::-1]
