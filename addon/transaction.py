# SPDX-License-Identifier: GPL-3.0-or-later
"""All or nothing: what a failed build had already added to the file is taken out again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bpy

# Users before what they use.
_KINDS = ("objects", "collections", "meshes", "pointclouds", "cameras", "materials", "textures", "node_groups", "images")


@contextmanager
def all_or_nothing() -> Iterator[None]:
    """When the block fails, everything it added to ``bpy.data`` is removed."""
    before = {kind: _pointers(kind) for kind in _KINDS}
    try:
        yield
    except BaseException:
        for kind in _KINDS:
            collection: Any = getattr(bpy.data, kind)
            for added in [item for item in collection if item.as_pointer() not in before[kind]]:
                collection.remove(added)
        raise


def _pointers(kind: str) -> set[int]:
    return {item.as_pointer() for item in getattr(bpy.data, kind)}
