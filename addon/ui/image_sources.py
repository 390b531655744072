# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures that Blender holds, as the jobs take them: a file that is decoded upright and with its EXIF camera, or plain pixels.

Blender ignores the EXIF orientation of what it loads, and tells nothing of EXIF. So an image that is still what its file holds is read
from that file (or from its packed bytes) by our own decoder, and texture, depth and camera agree. Pixels are asked of Blender for what
exists in Blender alone (painted, generated, tiled), and for formats that only Blender reads (EXR, HDR, TGA).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from ...engines.errors import ImageError
from ...engines.images import read_header
from ..compat import set_image_format
from ..jobs.request import ImageArray
from ..overrides import overridden

Picture = Path | ImageArray

RENDER_RESULT = "Render Result"


def picture_from_file(path: Path) -> Picture:
    """``path`` itself, or its pixels when only Blender can read it. A file that nobody can read is left to the decoder's own sentence."""
    if not path.is_file() or read_header(path) is not None:
        return path
    image = bpy.data.images.load(str(path), check_existing=False)
    try:
        return _pixels(image) if min(image.size) > 0 else path
    finally:
        bpy.data.images.remove(image)


def picture_from_image(image: bpy.types.Image | None, scene: bpy.types.Scene, scratch: Path) -> Picture:
    """An image of the open file. ``scratch``: a folder for temporary files, to be kept as long as the picture is used.

    Raises :class:`ImageError` for none, for one without pixels, and for those that are many pictures.
    """
    if image is None:
        raise ImageError("No image is chosen, or it was deleted; pick one.")
    if image.type == "RENDER_RESULT":
        return picture_from_render(scene, scratch)
    if image.source in ("MOVIE", "SEQUENCE"):
        kind = "Movie" if image.source == "MOVIE" else "Folder"
        raise ImageError(f"{image.name} is many pictures; choose {kind} as the source, which builds an object that plays.")
    if image.source == "FILE" and not image.is_dirty:
        file = _unpacked(image, scratch) if image.packed_file is not None else Path(bpy.path.abspath(image.filepath, library=image.library))
        if file.is_file() and read_header(file) is not None:
            return file
    return _pixels(image)


def picture_from_render(scene: bpy.types.Scene, scratch: Path) -> Path:
    """The last render as it is shown, colour management included, as a PNG file in ``scratch``. Raises :class:`ImageError` without one."""
    image = bpy.data.images.get(RENDER_RESULT)
    file = scratch / "render.png"
    settings: Any = scene.render.image_settings
    # In this order, for each decides what the next may be; the first is new in 5.0.
    before = {name: getattr(settings, name) for name in ("media_type", "file_format", "color_mode", "color_depth") if hasattr(settings, name)}
    try:
        set_image_format(settings, "PNG", color_mode="RGB", color_depth="8")
        with overridden([(scene.render, "dither_intensity", 0.0)]):
            if image is not None:
                image.save_render(str(file), scene=scene)
    except RuntimeError:
        pass  # there is no render, which is told below
    finally:
        for name, value in before.items():
            setattr(settings, name, value)
    if not file.is_file() or file.stat().st_size == 0:
        raise ImageError("There is no render yet; render the scene first (F12), or choose another source.")
    return file


def _unpacked(image: bpy.types.Image, scratch: Path) -> Path:
    """The bytes that are packed in the .blend, as they once were on disk."""
    file = scratch / f"packed{Path(image.filepath or image.name).suffix.lower() or '.png'}"
    content: bytes = image.packed_file.data
    file.write_bytes(content)
    return file


def _pixels(image: bpy.types.Image) -> ImageArray:
    """uint8 RGB (H,W,3) of what Blender holds; alpha is dropped. Raises :class:`ImageError` when that is nothing."""
    width, height = image.size
    if width < 1 or height < 1:
        raise ImageError(f"{image.name} has no pixels: its file is missing or cannot be read; reload it or pick another image.")
    flat = np.empty(width * height * image.channels, dtype=np.float32)
    if len(image.pixels) < flat.size:
        raise ImageError(f"{image.name} has no pixels that can be read; save it as a picture file first.")
    image.pixels.foreach_get(flat)
    values = flat.reshape(height, width, image.channels)[::-1]
    values = np.repeat(values[..., :1], 3, axis=2) if image.channels < 3 else values[..., :3]
    # A float image is scene-linear in memory, whatever its file said; a byte image is as it was stored.
    if image.is_float and not image.colorspace_settings.is_data:
        values = _to_srgb(values)
    return np.ascontiguousarray(np.rint(np.clip(np.nan_to_num(values), 0, 1) * 255).astype(np.uint8))


def _to_srgb(linear: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The transfer curve of sRGB (IEC 61966-2-1)."""
    clipped = np.clip(np.nan_to_num(linear), 0, 1)
    return np.where(clipped <= 0.0031308, clipped * 12.92, 1.055 * clipped ** (1 / 2.4) - 0.055).astype(np.float32)
