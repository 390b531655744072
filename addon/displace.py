# SPDX-License-Identifier: GPL-3.0-or-later
"""The relief for those who want the modifier stack: a flat grid under a Displace modifier that reads a packed float image.

The image is read without interpolation, texel by texel: interpolated, Blender mixes the border rows and columns with the opposite ones.
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ..engines.export.exr import encode_exr
from .picture_files import EncodedPicture
from .pictures import add_data
from .prepare import Prepared

DISPLACE_NAME = "Depthbridge Displace"


def add_displace(built: bpy.types.Object, prepared: Prepared) -> None:
    """Raise the flat carrier ``built`` by its heights: Strength and Midlevel are the modifier's own."""
    texture: Any = bpy.data.textures.new(f"{built.name} height", "IMAGE")
    texture.image = add_data(_height_picture(prepared), f"{built.name} height")
    texture.extension = "EXTEND"
    texture.use_interpolation = False
    if hasattr(texture, "use_mipmap"):
        texture.use_mipmap = False  # gone in 5.2, where nothing blurs the texels any more
    modifier: Any = built.modifiers.new(DISPLACE_NAME, "DISPLACE")
    modifier.texture = texture
    modifier.texture_coords = "UV"
    modifier.uv_layer = "UVMap"
    modifier.direction = "NORMAL"
    modifier.strength = prepared.options.strength
    modifier.mid_level = 0.0


def remove_unused(texture: Any) -> None:
    """Remove the texture of a modifier that is gone, and its image, unless something else uses them."""
    image = texture.image
    if texture.users == 0:
        bpy.data.textures.remove(texture)
    if image is not None and image.users == 0:
        bpy.data.images.remove(image)


def _height_picture(prepared: Prepared) -> EncodedPicture:
    """The heights at the map's resolution; 0 where the grid has no vertex, which nothing reads."""
    assert prepared.height is not None
    shape = prepared.shape
    heights = np.zeros((shape.height * shape.width, 3), dtype=np.float32)
    heights[prepared.grid.pixels] = prepared.height[:, None]
    return EncodedPicture(encode_exr(heights.reshape(shape.height, shape.width, 3)), ".exr", shape.width, shape.height)
