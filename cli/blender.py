# SPDX-License-Identifier: Apache-2.0
"""The way from a command to Blender, which is an optional part: bpy is large and exists for two Python versions only."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType

from ..engines.errors import RuntimeUnavailableError


def addon_module(name: str) -> ModuleType:
    """The module ``name`` of the add-on, ready to use. Raises :class:`RuntimeUnavailableError` with the remedy where there is no bpy."""
    if importlib.util.find_spec("bpy") is None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise RuntimeUnavailableError(
            f"This needs Blender as a Python module, and Python {version} here has no bpy: with CPython 3.11 or 3.13, "
            "install the blender extra (pip install 'depthbridge[blender]')."
        )
    from ..addon.console import quiet_console

    try:
        # Blender tells on stdout that it found OCIO in the environment, and stdout is for results.
        with quiet_console():
            return importlib.import_module(f"..addon.{name}", package=__package__)
    except ImportError as error:
        raise RuntimeUnavailableError(
            f"Blender's Python module is installed but does not load ({error}): install the blender extra again, and the system "
            "libraries it names."
        ) from error
