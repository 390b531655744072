# SPDX-License-Identifier: GPL-3.0-or-later
"""The Blender side: building scenes from depth maps. The only shipped code that imports ``bpy``.

Nothing here is imported by this file: each module imports ``bpy`` itself, so that the package can be named where there is none.
"""
