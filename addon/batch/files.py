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

from ...engines.errors import DepthKindError, OutputError
from ...engines.export.exr import write_exr
from ..backfill import backfill_of
from ..build import Built
from ..compat import new_node_material
from ..options import BuildAs
from ..prepare import Prepared
from ..scene import save_blend
from .options import SaveFormat

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
            with _exportable(built, prepared.options.as_) as shapes:
                _export(kind, path, shapes)


def _export(kind: SaveFormat, path: Path, shapes: list[bpy.types.Object]) -> None:
    points = not any(len(shape.data.polygons) for shape in shapes)
    if kind is SaveFormat.GLB and not points:
        for shape in shapes:
            # glTF multiplies the texture by a colour of the vertices, which is the same colour once more.
            shape.data.attributes.remove(shape.data.attributes["Color"])
    with bpy.context.temp_override(object=shapes[0], active_object=shapes[0], selected_objects=shapes, selected_editable_objects=shapes):
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
                _check_whole_ply(path, sum(len(shape.data.loops) for shape in shapes))
        except RuntimeError as error:
            failed = OutputError(f"Cannot write {path} ({_last_line(error)}); free some space or choose another folder.")
        else:
            return
    _let_go_of_files()
    raise failed


@contextmanager
def _exportable(built: Built, as_: BuildAs) -> Iterator[list[bpy.types.Object]]:
    """Objects, alone in the selection, whose meshes are what is seen of ``built`` and of its backfill, their sliders applied. They go after
    the block."""
    layer = backfill_of(built.object)
    shapes: list[bpy.types.Object] = []
    try:
        for item in (built.object, layer):
            if item is not None:
                mesh = _point_mesh(item) if as_ is BuildAs.POINTS else _surface_mesh(item)
                shapes.append(bpy.data.objects.new("export", mesh))
                bpy.context.scene.collection.objects.link(shapes[-1])
        if not shapes[0].data.vertices:
            raise DepthKindError(f"Nothing of {built.object.name} is left within the depth range and the sky's cut; widen them.")
        for item in bpy.context.view_layer.objects:
            item.select_set(item in shapes)
        bpy.context.view_layer.objects.active = shapes[0]
        with _named_like(shapes, [item for item in (built.object, layer) if item is not None]):
            yield shapes
    finally:
        for shape in shapes:
            mesh, materials = shape.data, list(shape.data.materials)
            bpy.data.objects.remove(shape)
            bpy.data.meshes.remove(mesh)
            for material in materials:
                bpy.data.materials.remove(material)


@contextmanager
def _named_like(shapes: list[bpy.types.Object], originals: list[bpy.types.Object]) -> Iterator[None]:
    """The names of ``originals`` for ``shapes`` meanwhile: they are written into the files."""
    names = [(item.name, item.data.name) for item in originals]
    for shape, item, (name, _) in zip(shapes, originals, names, strict=True):
        item.name = item.data.name = f"{name} sliders"
        shape.name = shape.data.name = name
    try:
        yield
    finally:
        for shape, item, (name, mesh_name) in zip(shapes, originals, names, strict=True):
            shape.name = shape.data.name = "export"
            item.name, item.data.name = name, mesh_name


def _surface_mesh(item: bpy.types.Object) -> bpy.types.Mesh:
    mesh = bpy.data.meshes.new_from_object(item.evaluated_get(bpy.context.evaluated_depsgraph_get()))
    photo = next(node.image for node in item.data.materials[0].node_tree.nodes if node.type == "TEX_IMAGE")
    mesh.materials.clear()
    mesh.materials.append(_unlit_material(photo, item.name))
    for layer in _INSIDE:
        attribute = mesh.attributes.get(layer)
        if attribute is not None:
            mesh.attributes.remove(attribute)
    return mesh


def _point_mesh(item: bpy.types.Object) -> bpy.types.Mesh:
    """The evaluated points of ``item`` as vertices, with their colours, depths and radii. They have no material: a viewer shows them in
    their own colours."""
    mesh = bpy.data.meshes.new("export")
    for instance in bpy.context.evaluated_depsgraph_get().object_instances:
        if instance.parent is None or instance.parent.original != item or instance.object.type != "POINTCLOUD":
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


def _check_whole_ply(path: Path, corners: int) -> None:
    """The exporter does not notice that a disk has filled up. A header tells how long a binary PLY is; only its lists vary, by the
    ``corners`` of all faces together."""
    header, found, _ = path.read_bytes().partition(b"end_header\n")
    expected, count = len(header) + len(found), 0
    for words in (line.split() for line in header.decode(errors="replace").splitlines()):
        if words[:1] == ["element"]:
            count = int(words[2])
        elif words[:2] == ["property", "list"]:
            expected += count * _PLY_SIZES[words[2]] + corners * _PLY_SIZES[words[3]]
        elif words[:1] == ["property"]:
            expected += count * _PLY_SIZES[words[1]]
    if not found or path.stat().st_size != expected:
        raise RuntimeError("the file came out incomplete")


def _last_line(error: Exception) -> str:
    """What went wrong, of a report that may hold a whole traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not line.startswith("Location:")]
    return lines[-1].removeprefix("Error: ").rstrip(".") if lines else type(error).__name__
