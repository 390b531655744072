# SPDX-License-Identifier: Apache-2.0
"""The package as Blender sees it: installed, enabled, and leaving no trace where it has no business."""

from __future__ import annotations

import bpy


def test_the_extension_is_enabled(extension: str) -> None:
    import addon_utils  # importable once bpy is

    assert addon_utils.check(extension) == (True, True)
    assert extension in bpy.context.preferences.addons
