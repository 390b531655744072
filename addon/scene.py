# SPDX-License-Identifier: GPL-3.0-or-later
"""The open file as a whole: an empty one to begin with, a picture's scene in it, and the .blend it is saved as."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from ..engines.atomic import atomic_path
from ..engines.depth_map import DepthMap
from ..engines.errors import OutputError
from .build import Built, build_objects
from .console import quiet_console
from .options import BuildOptions
from .prepare import prepare


def start_empty_file() -> bpy.types.Scene:
    """A new file with nothing in it, in place of the one that is open, and colours shown as they are in the photo."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = bpy.context.scene
    world: Any = bpy.data.worlds.new("World")
    world.color = (0.05, 0.05, 0.05)
    scene.world = world
    return scene


def build_scene(depth: DepthMap, image: npt.NDArray[np.uint8], options: BuildOptions | None = None, *, name: str = "Depth") -> Built:
    """Build ``depth`` (H,W), coloured by ``image`` (uint8 RGB, same size), into the open file, matched by the scene's camera.

    METRIC maps come out in metres, RELATIVE ones and disparity in a unit of their own, and the object says which (``depthbridge_unit``).
    Raises what :func:`~.prepare.prepare` and :func:`~.build.build_objects` raise; nothing is added to the file then.
    """
    return build_objects(prepare(depth, image, options or BuildOptions()), name)


def save_blend(path: Path, *, overwrite: bool = False) -> None:
    """Save the open file to ``path``; it appears whole or not at all. Raises :class:`OutputError`."""
    with atomic_path(path, overwrite=overwrite) as temporary:
        try:
            with quiet_console():
                # Paths stay as they are: made relative, they would be so to the temporary place.
                bpy.ops.wm.save_as_mainfile(filepath=str(temporary), check_existing=False, compress=True, relative_remap=False, copy=True)
                _check_whole(temporary)
        except RuntimeError as error:
            raise OutputError(f"Cannot write {path} ({_reason(error)}); free some space or choose another folder.") from error


def _check_whole(written: Path) -> None:
    """Blender 4.5 overlooks a disk that fills up at the last write. What comes last in a file is needed to list what it holds."""
    try:
        with bpy.data.libraries.load(str(written)):
            pass
    except OSError as error:
        raise RuntimeError("the file came out incomplete") from error


def _reason(error: Exception) -> str:
    """What Blender reports, on one line and without its own label."""
    return " ".join(str(error).replace("Error:", "").split())
