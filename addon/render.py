# SPDX-License-Identifier: GPL-3.0-or-later
"""A still picture of the open scene, as PNG, from its own camera or one that stepped aside. Cycles on the CPU: it needs no screen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from mathutils import Matrix, Vector

from ..engines.atomic import atomic_path
from ..engines.errors import OutputError
from .compat import set_image_format
from .console import quiet_console
from .overrides import overridden

# The last chunk of every PNG; Blender does not tell when a full disk cut it off.
_PNG_END = b"IEND\xaeB`\x82"


def add_shifted_camera(
    camera: bpy.types.Object, *, right: float = 0.0, up: float = 0.0, forward: float = 0.0, look_at_depth: float | None = None
) -> bpy.types.Object:
    """A copy of ``camera`` moved along its own axes, in scene units.

    With ``look_at_depth`` it turns to the point that lay this far ahead of the first camera. The scene's camera stays as it is.
    """
    bpy.context.view_layer.update()
    here = camera.matrix_world.copy()
    step = Vector((right, up, -forward))
    turn = Matrix.Identity(4)
    if look_at_depth is not None:
        ahead = Vector((0.0, 0.0, -look_at_depth)) - step
        turn = Vector((0.0, 0.0, -1.0)).rotation_difference(ahead).to_matrix().to_4x4()
    shifted = bpy.data.objects.new(f"{camera.name} shifted", camera.data.copy())
    shifted.matrix_world = here @ Matrix.Translation(step) @ turn
    (camera.users_collection or [bpy.context.scene.collection])[0].objects.link(shifted)
    return shifted


def render_still(
    path: Path,
    *,
    camera: bpy.types.Object | None = None,
    samples: int = 16,
    percentage: int = 100,
    denoise: bool = False,
    overwrite: bool = False,
) -> None:
    """Render the scene from ``camera`` (default: its own) to a PNG at ``percentage`` of the scene's size.

    A built scene shines by itself and needs no ``denoise``; one that is lit does.

    The scene's settings are put back afterwards. Raises :class:`OutputError` when the file cannot be written, and when there is
    no camera to look through.
    """
    scene = bpy.context.scene
    camera = camera or scene.camera
    if camera is None:
        raise OutputError(f"Cannot render {path}: the scene has no camera; add one or name one.")
    render, cycles = scene.render, scene.cycles
    with atomic_path(path, overwrite=overwrite) as temporary:
        settings: list[tuple[Any, str, Any]] = [
            (scene, "camera", camera), (render, "engine", "CYCLES"), (render, "resolution_percentage", percentage),
            (render, "filepath", str(temporary)), (render, "use_file_extension", False), (render, "dither_intensity", 0.0),
            (cycles, "samples", samples), (cycles, "use_denoising", denoise),
        ]  # fmt: skip
        with overridden(settings):
            set_image_format(render.image_settings, "PNG", color_mode="RGB", color_depth="8")
            try:
                with quiet_console():
                    bpy.ops.render.render(write_still=True)
            except RuntimeError as error:
                reason = " ".join(str(error).replace("Error:", "").split())
                raise OutputError(f"Cannot render {path} ({reason}); free some space or choose another folder.") from error
        if not temporary.is_file() or not temporary.read_bytes().endswith(_PNG_END):
            raise OutputError(f"Cannot render {path} (the file came out incomplete); free some space or choose another folder.")
