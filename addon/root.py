# SPDX-License-Identifier: GPL-3.0-or-later
"""The name that Blender knows this extension by. Imports no bpy."""

from __future__ import annotations

ROOT = (__package__ or "").rpartition(".")[0]
"""``bl_ext.<repository>.depthbridge`` inside Blender, ``depthbridge`` under plain Python. Preferences and user folders go by it."""
