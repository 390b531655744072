# SPDX-License-Identifier: GPL-3.0-or-later
"""A built object as files, by Blender's own exporters: .blend, .glb, .ply, and its depth as .exr.

Points are exported as a mesh of vertices alone: the PLY exporter knows no point clouds at all, and glTF's loses their colours. GLB and
PLY stand as glTF has it, y up and the camera looking along -z, as the files of ``depthbridge estimate`` do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ..engines.errors import DepthKindError, OutputError
from ..engines.export.exr import write_exr
from .batch_options import SaveFormat
from .build import Built
from .material import color_material
from .options import BuildAs
from .prepare import Prepared
from .scene import save_blend


def write_files(targets: Mapping[SaveFormat, Path], built: Built, prepared: Prepared) -> None:
    """Write each target of ``targets``; the .blend holds the object with its sliders, the others the shape they make. Raises a
    ``DepthbridgeError``; what is written then is not to be kept."""
    for kind, path in targets.items():
        if kind is SaveFormat.BLEND:
            save_blend(path)
        elif kind is SaveFormat.EXR:
            write_exr(path, prepared.source)
        else:
            with _exportable(built, prepared.options.as_) as shape:
                _export(kind, path, shape)


def _export(kind: SaveFormat, path: Path, shape: bpy.types.Object) -> None:
    points = not shape.data.polygons
    with bpy.context.temp_override(object=shape, active_object=shape, selected_objects=[shape], selected_editable_objects=[shape]):
        try:
            if kind is SaveFormat.GLB:
                bpy.ops.export_scene.gltf(
                    filepath=str(path),
                    export_format="GLB",
                    use_selection=True,
                    export_yup=True,
                    export_cameras=False,
                    export_animations=False,
                    export_attributes=False,
                    use_mesh_vertices=points,
                )
            else:
                bpy.ops.wm.ply_export(
                    filepath=str(path),
                    export_selected_objects=True,
                    forward_axis="NEGATIVE_Z",
                    up_axis="Y",
                    export_uv=False,
                    export_normals=False,
                    export_colors="SRGB",
                    export_attributes=True,
                )
        except RuntimeError as error:
            raise OutputError(f"Cannot write {path} ({_last_line(error)}); free some space or choose another folder.") from error


@contextmanager
def _exportable(built: Built, as_: BuildAs) -> Iterator[bpy.types.Object]:
    """An object, alone in the selection, whose mesh is what is seen of ``built``, its sliders applied. It goes after the block."""
    depsgraph = bpy.context.evaluated_depsgraph_get()
    name = built.object.name
    mesh = (
        _point_mesh(built, depsgraph, name) if as_ is BuildAs.POINTS else bpy.data.meshes.new_from_object(built.object.evaluated_get(depsgraph))
    )
    shape = bpy.data.objects.new(f"{name} export", mesh)
    bpy.context.scene.collection.objects.link(shape)
    try:
        if not mesh.vertices:
            raise DepthKindError(f"Nothing of {name} is left within the depth range and the sky's cut; widen them.")
        for item in bpy.context.view_layer.objects:
            item.select_set(item is shape)
        bpy.context.view_layer.objects.active = shape
        mesh.name = name
        yield shape
    finally:
        bpy.data.objects.remove(shape)
        bpy.data.meshes.remove(mesh)


def _point_mesh(built: Built, depsgraph: bpy.types.Depsgraph, name: str) -> bpy.types.Mesh:
    """The evaluated points of ``built`` as vertices, with their colours, depths and radii."""
    mesh = bpy.data.meshes.new(name)
    for instance in depsgraph.object_instances:
        if instance.parent is None or instance.parent.original != built.object or instance.object.type != "POINTCLOUD":
            continue
        source: Any = instance.object.data
        mesh.vertices.add(len(source.points))
        for layer, kind, prop, width in (
            ("position", "FLOAT_VECTOR", "vector", 3),
            ("Color", "BYTE_COLOR", "color_srgb", 4),
            ("depth", "FLOAT", "value", 1),
            ("confidence", "FLOAT", "value", 1),
            ("radius", "FLOAT", "value", 1),
        ):
            values = np.empty(len(source.points) * width, dtype=np.float32)
            source.attributes[layer].data.foreach_get(prop, values)
            target: Any = mesh.attributes.get(layer) or mesh.attributes.new(layer, kind, "POINT")
            target.data.foreach_set(prop, values)
        mesh.materials.append(color_material(f"{name} points"))
        mesh.update()
        break
    return mesh


def _last_line(error: Exception) -> str:
    """What went wrong, of a report that may hold a whole traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not line.startswith("Location:")]
    return lines[-1].removeprefix("Error: ").rstrip(".") if lines else type(error).__name__
