# SPDX-License-Identifier: Apache-2.0
"""Depthbridge: Depth Anything's depth, in Blender and for Unity, without torch.

The repository root is the Python package and the Blender extension alike. Blender calls :func:`register` and :func:`unregister`;
nothing of Blender's is imported before that, so that the package can be imported where there is none.
"""

__version__ = "0.1.0"


def register() -> None:
    """Switch the extension on, inside Blender."""
    from .addon.registration import register as register_addon

    register_addon()


def unregister() -> None:
    """Switch the extension off, inside Blender."""
    from .addon.registration import unregister as unregister_addon

    unregister_addon()
