# SPDX-License-Identifier: GPL-3.0-or-later
"""From what the user chose to arrays that are ready to build: reading, estimating, preparing, in any thread. Imports no bpy."""
