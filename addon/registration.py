# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything Blender is told when the extension is switched on, and untold when it is switched off.

A module of ``ui/`` names its classes in ``CLASSES``, in the order they need each other, and may have ``register_more`` and
``unregister_more`` for what is no class (a property of the scene, a command of the command line).
"""

from __future__ import annotations

import importlib
from types import ModuleType

import bpy

# Settings first: the panels and operators point at them.
MODULES: tuple[str, ...] = (
    "ui.preferences",
    "ui.settings",
    "ui.remote_operators",
    "ui.build_operators",
    "ui.model_operators",
    "ui.result_operators",
    "ui.backfill_operators",
    "ui.scale_operators",
    "ui.pick",
    "ui.panels",
    "ui.model_panel",
    "ui.result_panel",
    "ui.menus",
    "batch.command_line",
)


def register() -> None:
    """Switch the extension on. Should one class be refused, those before it are taken back."""
    done: list[ModuleType] = []
    try:
        for name in MODULES:
            module = importlib.import_module(f".{name}", package=__package__)
            done.append(module)
            for cls in getattr(module, "CLASSES", ()):
                bpy.utils.register_class(cls)
            if hasattr(module, "register_more"):
                module.register_more()
    except Exception:
        _unregister(done)
        raise


def unregister() -> None:
    """Switch it off: the reverse of :func:`register`."""
    _unregister([importlib.import_module(f".{name}", package=__package__) for name in MODULES])


def _unregister(modules: list[ModuleType]) -> None:
    for module in reversed(modules):
        if hasattr(module, "unregister_more"):
            module.unregister_more()
        for cls in reversed(getattr(module, "CLASSES", ())):
            if getattr(cls, "is_registered", False):
                bpy.utils.unregister_class(cls)
