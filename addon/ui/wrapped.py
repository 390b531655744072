# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentences in panels: Blender cuts labels off where a panel ends, so they are broken into lines that fit."""

from __future__ import annotations

import textwrap
from typing import Any

import bpy

# Measured in Blender's own font: a mean character, and what margins and an icon take, in pixels at scale 1.
_CHARACTER_PX = 6.6
_MARGIN_PX = 52


def draw_wrapped(layout: Any, context: bpy.types.Context, text: str, icon: str = "NONE") -> None:
    """``text`` as labels, one under the other, in the width of the region; ``icon`` before the first."""
    scale = context.preferences.system.ui_scale
    width = context.region.width if context.region is not None else 280
    column = layout.column(align=True)
    column.scale_y = 0.8
    for line in textwrap.wrap(text, max(16, int((width / scale - _MARGIN_PX) / _CHARACTER_PX))):
        column.label(text=line, icon=icon)
        icon = "BLANK1" if icon != "NONE" else "NONE"
