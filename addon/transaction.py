# SPDX-License-Identifier: GPL-3.0-or-later
"""All or nothing: what a failed build had already added to the file is taken out again, and the scene set up as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bpy

# Users before what they use.
_KINDS = ("objects", "collections", "meshes", "pointclouds", "cameras", "materials", "textures", "node_groups", "images")


@contextmanager
def all_or_nothing() -> Iterator[None]:
    """When the block fails, everything it added to ``bpy.data`` is removed, and the scene's camera, render size and colours are put back."""
    before = {kind: _pointers(kind) for kind in _KINDS}
    settings = _scene_settings(bpy.context.scene)
    try:
        yield
    except BaseException:
        for kind in _KINDS:
            collection: Any = getattr(bpy.data, kind)
            for added in [item for item in collection if item.as_pointer() not in before[kind]]:
                collection.remove(added)
        for owner, name, value in settings:
            setattr(owner, name, value)
        raise


def _scene_settings(scene: bpy.types.Scene) -> list[tuple[Any, str, Any]]:
    """What a build sets of the scene: (owner, name, value now)."""
    render, view = scene.render, scene.view_settings
    names = ("resolution_x", "resolution_y", "resolution_percentage", "pixel_aspect_x", "pixel_aspect_y")
    colours = ("view_transform", "look", "exposure", "gamma")  # in this order: the transform decides which looks there are
    return [
        (scene, "camera", scene.camera),
        *((render, name, getattr(render, name)) for name in names),
        *((view, name, getattr(view, name)) for name in colours),
    ]


def _pointers(kind: str) -> set[int]:
    return {item.as_pointer() for item in getattr(bpy.data, kind)}
