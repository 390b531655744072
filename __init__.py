# SPDX-License-Identifier: Apache-2.0
"""Depthbridge: Depth Anything's depth, in Blender and for Unity, without torch."""

__version__ = "0.1.0"
