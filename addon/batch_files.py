# SPDX-License-Identifier: GPL-3.0-or-later
"""A built object as files, by Blender's own exporters: .blend, .glb, .ply, and its depth as .exr.

Points are exported as a mesh of vertices alone: the PLY exporter knows no point clouds at all, and glTF's loses their colours. GLB and
PLY stand as glTF has it, y up and the camera looking along -z, as the files of ``depthbridge estimate`` do.
"""

from __future__ import annotations

import gc
import json
import struct
import sys
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
from .compat import new_node_material
from .options import BuildAs
from .prepare import Prepared
from .scene import save_blend

_FLOATS = 5126  # glTF's number for them
_PLY_SIZES = {"char": 1, "uchar": 1, "short": 2, "ushort": 2, "int": 4, "uint": 4, "float": 4, "double": 8}
# Of the carrier's attributes, those that mean nothing once the sliders are applied.
_INSIDE = ("ray", "tear", "height")
# Of the points': name, type, the property that holds the values, and how many.
_OF_POINTS = (
    ("position", "FLOAT_VECTOR", "vector", 3),
    ("Color", "BYTE_COLOR", "color_srgb", 4),
    ("depth", "FLOAT", "value", 1),
    ("confidence", "FLOAT", "value", 1),
    ("sky", "FLOAT", "value", 1),
    ("radius", "FLOAT", "value", 1),
)


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
    if kind is SaveFormat.GLB and not points:
        # glTF multiplies the texture by a colour of the vertices, which is the same colour once more.
        shape.data.attributes.remove(shape.data.attributes["Color"])
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
                _mend_colors(path)
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
                _check_whole_ply(path, shape.data)
        except RuntimeError as error:
            failed = OutputError(f"Cannot write {path} ({_last_line(error)}); free some space or choose another folder.")
        else:
            return
    _let_go_of_files()
    raise failed


@contextmanager
def _exportable(built: Built, as_: BuildAs) -> Iterator[bpy.types.Object]:
    """An object, alone in the selection, whose mesh is what is seen of ``built``, its sliders applied. It goes after the block.

    It has the name of ``built`` meanwhile, for that is written into the files.
    """
    name, mesh_name = built.object.name, built.object.data.name
    mesh = _point_mesh(built) if as_ is BuildAs.POINTS else _surface_mesh(built)
    shape = bpy.data.objects.new("export", mesh)
    # Points have no material: a viewer shows them in their own colours.
    material = None if as_ is BuildAs.POINTS else _unlit_material(built.photo, name)
    bpy.context.scene.collection.objects.link(shape)
    try:
        if not mesh.vertices:
            raise DepthKindError(f"Nothing of {name} is left within the depth range and the sky's cut; widen them.")
        mesh.materials.clear()
        if material is not None:
            mesh.materials.append(material)
        for item in bpy.context.view_layer.objects:
            item.select_set(item is shape)
        bpy.context.view_layer.objects.active = shape
        built.object.name = built.object.data.name = f"{name} sliders"
        shape.name = mesh.name = name
        yield shape
    finally:
        bpy.data.objects.remove(shape)
        bpy.data.meshes.remove(mesh)
        if material is not None:
            bpy.data.materials.remove(material)
        built.object.name, built.object.data.name = name, mesh_name


def _surface_mesh(built: Built) -> bpy.types.Mesh:
    evaluated = built.object.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = bpy.data.meshes.new_from_object(evaluated)
    for layer in _INSIDE:
        attribute = mesh.attributes.get(layer)
        if attribute is not None:
            mesh.attributes.remove(attribute)
    return mesh


def _point_mesh(built: Built) -> bpy.types.Mesh:
    """The evaluated points of ``built`` as vertices, with their colours, depths and radii."""
    mesh = bpy.data.meshes.new("export")
    for instance in bpy.context.evaluated_depsgraph_get().object_instances:
        if instance.parent is None or instance.parent.original != built.object or instance.object.type != "POINTCLOUD":
            continue
        source: Any = instance.object.data
        mesh.vertices.add(len(source.points))
        for layer, kind, prop, width in _OF_POINTS:
            values = np.empty(len(source.points) * width, dtype=np.float32)
            source.attributes[layer].data.foreach_get(prop, values)
            target: Any = mesh.attributes.get(layer) or mesh.attributes.new(layer, kind, "POINT")
            target.data.foreach_set(prop, values)
        mesh.attributes.active_color = mesh.attributes["Color"]
        mesh.update()
        break
    return mesh


def _unlit_material(photo: bpy.types.Image, name: str) -> bpy.types.Material:
    """The photo straight into the surface: what the glTF exporter writes as unlit."""
    material = new_node_material(name)
    tree: Any = material.node_tree
    texture = tree.nodes.new("ShaderNodeTexImage")
    texture.image, texture.extension = photo, "EXTEND"
    tree.links.new(texture.outputs["Color"], tree.nodes.new("ShaderNodeOutputMaterial").inputs["Surface"])
    return material


def _mend_colors(path: Path) -> None:
    """Blender 4.2 writes the colours of points as three floats and calls them four: nobody can read that. The true word has as many letters."""
    content = bytearray(path.read_bytes())
    (length,) = struct.unpack_from("<I", content, 12)  # of the JSON, which follows the file's and its own header
    text = bytes(content[20 : 20 + length])
    tree = json.loads(text)
    for accessor in tree["accessors"]:
        size = tree["bufferViews"][accessor["bufferView"]]["byteLength"]
        if accessor["type"] == "VEC4" and accessor["componentType"] == _FLOATS and size == accessor["count"] * 3 * 4:
            accessor["type"] = "VEC3"
            mended = json.dumps(tree, separators=(",", ":"), ensure_ascii=False).encode().ljust(length)
            if len(mended) == length:
                path.write_bytes(content[:20] + mended + content[20 + length :])


def _let_go_of_files() -> None:
    """The glTF exporter fails with its file open, and Python keeps the last error with all it held: a full disk would stay full."""
    for name in ("last_exc", "last_value", "last_traceback", "last_type"):
        if hasattr(sys, name):
            delattr(sys, name)
    gc.collect()


def _check_whole_ply(path: Path, mesh: bpy.types.Mesh) -> None:
    """The exporter does not notice that a disk has filled up. A header tells how long a binary PLY is; only its lists vary, by the corners of
    the faces."""
    header, found, _ = path.read_bytes().partition(b"end_header\n")
    expected, count = len(header) + len(found), 0
    for words in (line.split() for line in header.decode(errors="replace").splitlines()):
        if words[:1] == ["element"]:
            count = int(words[2])
        elif words[:2] == ["property", "list"]:
            expected += count * _PLY_SIZES[words[2]] + len(mesh.loops) * _PLY_SIZES[words[3]]
        elif words[:1] == ["property"]:
            expected += count * _PLY_SIZES[words[1]]
    if not found or path.stat().st_size != expected:
        raise RuntimeError("the file came out incomplete")


def _last_line(error: Exception) -> str:
    """What went wrong, of a report that may hold a whole traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not line.startswith("Location:")]
    return lines[-1].removeprefix("Error: ").rstrip(".") if lines else type(error).__name__
