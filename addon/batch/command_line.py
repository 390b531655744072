# SPDX-License-Identifier: GPL-3.0-or-later
"""Depthbridge on Blender's command line: ``blender -c depthbridge build ...``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import bpy

from ...engines.model_paths import ENVIRONMENT_VARIABLE
from ..console import drop_pending

COMMAND = "depthbridge"

_USAGE = f"""usage: blender -c {COMMAND} build INPUT... --out DIR [options]

  build    pictures, or depth files, as Blender scenes; `blender -c {COMMAND} build --help` lists the options
"""

CLASSES: tuple[type, ...] = ()

_handles: list[Any] = []


def run(arguments: list[str]) -> int:
    """What Blender calls with everything after the command's name; returns the exit status."""
    drop_pending()
    if arguments[:1] == ["build"]:
        # Not before it is needed: a start of Blender with a window should not wait for it.
        from .main import main

        return _as_status(lambda: main([*_models_dir(), *arguments[1:]]))
    asked = arguments[:1] in (["--help"], ["-h"])
    print(_USAGE, end="", file=sys.stdout if asked else sys.stderr)
    return 0 if asked else 2


def _models_dir() -> list[str]:
    """Where the sidebar keeps its models, as an argument that one of the user's outdoes; nothing where the environment names a folder."""
    from ..ui.preferences import models_folder

    return [] if os.environ.get(ENVIRONMENT_VARIABLE, "").strip() else ["--models-dir", str(models_folder(bpy.context))]


def _as_status(work: Callable[[], int]) -> int:
    try:
        return work()
    except BrokenPipeError:
        # The reader of our lines left (`| head`): nothing more can be said on stdout.
        return 141


def register_more() -> None:
    """Tell Blender the command."""
    _handles.append(bpy.utils.register_cli_command(COMMAND, run))


def unregister_more() -> None:
    """Take it back."""
    while _handles:
        bpy.utils.unregister_cli_command(_handles.pop())
