# SPDX-License-Identifier: GPL-3.0-or-later
"""Building without a window: many inputs in one process, from Blender's command line and from `depthbridge scene`."""
