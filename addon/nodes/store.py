# SPDX-License-Identifier: GPL-3.0-or-later
"""Groups that all objects of a file share, kept apart by the version of their making."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy

_KEY = "depthbridge_group"
GROUP_VERSION = 1
"""Raised whenever a group's nodes change: objects built before keep the group they were built with."""


def shared_group(name: str, build: Callable[[str], Any]) -> Any:
    """The file's own group of this name and version, made by ``build(name)`` when there is none. A group that the user linked from
    another file, or copied, is left alone."""
    mark = f"{name} {GROUP_VERSION}"
    for group in bpy.data.node_groups:
        if group.library is None and group.get(_KEY) == mark and group.name.startswith(name):
            return group
    made = build(name)
    made[_KEY] = mark
    return made
