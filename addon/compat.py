# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between Blender 4.2 and 5.2, found by asking for the feature and not for the version."""

from __future__ import annotations

from typing import Any, Literal

import bpy

RELATIVE_PATH: set[str] = (
    {"PATH_SUPPORTS_BLEND_RELATIVE"} if "is_path_supports_blend_relative" in bpy.types.StringProperty.bl_rna.properties else set()
)
"""Options of a path property that may begin with ``//``, beside the .blend. From 4.5 on Blender shows such a path in red without them."""


def new_node_material(name: str) -> bpy.types.Material:
    """A material with an empty node tree. Up to 4.5 a new one has none, from 5.0 it always has one and the switch is deprecated."""
    material = bpy.data.materials.new(name)
    if material.node_tree is None:
        material.use_nodes = True
    material.node_tree.nodes.clear()
    return material


def set_image_format(settings: Any, file_format: Literal["PNG", "OPEN_EXR"], *, color_mode: str, color_depth: str) -> None:
    """Choose the file format of a render. From 5.0 the kind of media has to be chosen before the format."""
    if hasattr(settings, "media_type"):
        settings.media_type = "IMAGE"
    settings.file_format = file_format
    settings.color_mode = color_mode
    settings.color_depth = color_depth
