# SPDX-License-Identifier: Apache-2.0
"""``depthbridge scene``: pictures as Blender scenes, by the batch command that Blender itself has, under plain Python with bpy."""

from __future__ import annotations

import os
import sys

import click

from .blender import addon_module

PROGRAM = "depthbridge scene"


@click.command(
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Build pictures, or depth files, as Blender scenes.

    The arguments are those of ``blender -c depthbridge build`` and are read there; so is ``--help``, which needs no Blender.
    """
    if "--help" in arguments or "-h" in arguments or not arguments:
        from ..addon.batch.options import parse

        parse(arguments, PROGRAM)  # prints, and leaves by SystemExit
    status: int = addon_module("batch.main").main(list(arguments), PROGRAM)
    sys.stdout.flush()
    sys.stderr.flush()
    # Not by way of Python's end: after a glTF export Blender 4.2's module frees Python classes when Python is gone already, and crashes.
    os._exit(status)
