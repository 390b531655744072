# SPDX-License-Identifier: GPL-3.0-or-later
"""The Blender side: building scenes from depth maps. The only shipped code that imports ``bpy``."""
