# SPDX-License-Identifier: GPL-3.0-or-later
"""Exact planar depth and object indices of the open scene as Cycles sees them: one value per pixel, none mixed across an edge.

Every surface is overridden by a material that emits the number wanted; one sample through the middle of each pixel, no light
bounces, a float32 file. Quicker than the compositor (tens of milliseconds) and the same in every version.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from ..compat import new_node_material, set_image_format
from ..console import quiet_console
from ..material import emit
from ..overrides import overridden


def render_depth() -> npt.NDArray[np.float32]:
    """Planar depth from the scene's camera, float32 (H,W), in scene units, 0 where no surface is."""
    return _render_number("ShaderNodeCameraData", "View Z Depth")


def render_indices() -> npt.NDArray[np.int32]:
    """``pass_index`` of the object at each pixel, int32 (H,W), 0 where no surface is."""
    return np.rint(_render_number("ShaderNodeObjectInfo", "Object Index")).astype(np.int32)


def _render_number(node_type: str, output: str) -> npt.NDArray[np.float32]:
    scene = bpy.context.scene
    material = _emitting(node_type, output)
    try:
        with _one_exact_sample(scene, material), tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "value.exr"
            scene.render.filepath = str(path)
            with quiet_console():
                bpy.ops.render.render(write_still=True)
            return _read_first_channel(path)
    finally:
        bpy.data.materials.remove(material)


def _emitting(node_type: str, output: str) -> bpy.types.Material:
    material = new_node_material("truth")
    tree: Any = material.node_tree
    emit(material, tree.nodes.new(node_type).outputs[output])
    return material


@contextmanager
def _one_exact_sample(scene: bpy.types.Scene, material: bpy.types.Material) -> Iterator[None]:
    render, cycles, layer = scene.render, scene.cycles, bpy.context.view_layer
    wanted: list[tuple[Any, str, Any]] = [
        (layer, "material_override", material),
        (scene, "world", None),
        (render, "engine", "CYCLES"),
        (render, "filepath", render.filepath),
        (render, "film_transparent", False),
        (cycles, "samples", 1),
        (cycles, "use_adaptive_sampling", False),
        (cycles, "use_denoising", False),
        (cycles, "max_bounces", 0),
        (cycles, "sample_clamp_direct", 0.0),
        (cycles, "film_exposure", 1.0),
        (cycles, "pixel_filter_type", "BLACKMAN_HARRIS"),
        (cycles, "filter_width", 0.01),
    ]
    settings: Any = render.image_settings
    image_before = (settings.file_format, settings.color_mode, settings.color_depth)
    with overridden(wanted):
        try:
            set_image_format(settings, "OPEN_EXR", color_mode="RGB", color_depth="32")
            yield
        finally:
            set_image_format(settings, *image_before[:1], color_mode=image_before[1], color_depth=image_before[2])


def _read_first_channel(path: Path) -> npt.NDArray[np.float32]:
    image = bpy.data.images.load(str(path))
    try:
        image.colorspace_settings.name = "Non-Color"
        width, height = image.size
        pixels = np.empty(width * height * 4, dtype=np.float32)
        image.pixels.foreach_get(pixels)
    finally:
        bpy.data.images.remove(image)
    return np.ascontiguousarray(pixels.reshape(height, width, 4)[::-1, :, 0])
