# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between Blender 4.2 and 5.2, found by asking for the feature and not for the version."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any, Literal

import bpy


def new_node_material(name: str) -> bpy.types.Material:
    """A material with an empty node tree. Up to 4.5 a new one has none, from 5.0 it always has one and the switch is deprecated."""
    material = bpy.data.materials.new(name)
    if material.node_tree is None:
        material.use_nodes = True
    material.node_tree.nodes.clear()
    return material


def set_image_format(settings: Any, file_format: Literal["PNG", "OPEN_EXR"], *, color_mode: str, color_depth: str) -> None:
    """Choose the file format of a render. From 5.0 the kind of media has to be chosen before the format."""
    if hasattr(settings, "media_type"):
        settings.media_type = "IMAGE"
    settings.file_format = file_format
    settings.color_mode = color_mode
    settings.color_depth = color_depth


@contextmanager
def quiet_console() -> Iterator[None]:
    """Keep what Blender itself prints (a line per render step, "Info: Saved ...", notes on missing GPUs) off the console.

    Part of it goes past Python to the file descriptors and part through ``sys.stdout``, so both are redirected for the block. When the
    block fails, what was held back is printed to stderr, since it then explains the failure.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    reports = io.StringIO()
    with tempfile.TemporaryFile() as held:
        saved = [(fd, os.dup(fd)) for fd in (1, 2)]
        try:
            for fd, _ in saved:
                os.dup2(held.fileno(), fd)
            with redirect_stdout(reports):
                yield
        except BaseException:
            _restore(saved)
            saved = []
            held.seek(0)
            sys.stderr.write(reports.getvalue() + held.read().decode(errors="replace"))
            raise
        finally:
            _restore(saved)


def _restore(saved: list[tuple[int, int]]) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    for fd, copy in saved:
        os.dup2(copy, fd)
        os.close(copy)
