# SPDX-License-Identifier: Apache-2.0
"""What a .blend file holds, to be compared before and after."""

from __future__ import annotations

from typing import Any

import bpy

# Blender itself adds and removes these as it renders and shows.
_OWN = {"Render Result", "Viewer Node"}


def contents() -> dict[str, list[str]]:
    """Names of every datablock of the open file, by kind."""
    kinds = [prop.identifier for prop in bpy.data.bl_rna.properties if prop.type == "COLLECTION"]
    found: dict[str, list[str]] = {}
    for kind in kinds:
        collection: Any = getattr(bpy.data, kind)
        found[kind] = sorted(item.name for item in collection if getattr(item, "name", "") not in _OWN and hasattr(item, "name"))
    return found
