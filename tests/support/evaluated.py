# SPDX-License-Identifier: Apache-2.0
"""Arrays read out of Blender: stored in a mesh or point cloud, or as an object's modifiers leave it."""

from __future__ import annotations

import bpy
import numpy as np

_WIDTHS = {"FLOAT": ("value", 1), "FLOAT_VECTOR": ("vector", 3), "FLOAT2": ("vector", 2), "BYTE_COLOR": ("color_srgb", 4), "FLOAT_COLOR": ("color", 4)}


def read(collection: bpy.types.bpy_prop_collection, prop: str, shape: tuple[int, ...], dtype: type = np.float32) -> np.ndarray:
    values = np.empty(int(np.prod(shape)), dtype=dtype)
    collection.foreach_get(prop, values)
    return values.reshape(shape)


def attribute(data: bpy.types.ID, name: str) -> np.ndarray:
    """The attribute ``name`` of a mesh or point cloud, float32 (N,) or (N,C); BYTE_COLOR as sRGB 0..1."""
    found = data.attributes[name]
    prop, width = _WIDTHS[found.data_type]
    values = read(found.data, prop, (len(found.data), width))
    return values[:, 0] if width == 1 else values


def evaluated_mesh(item: bpy.types.Object) -> bpy.types.Mesh:
    """The object's mesh behind its modifiers."""
    bpy.context.view_layer.update()
    return item.evaluated_get(bpy.context.evaluated_depsgraph_get()).data


def faces(mesh: bpy.types.Mesh) -> np.ndarray:
    """int32 (F,4) of a mesh of quads."""
    return read(mesh.loops, "vertex_index", (len(mesh.polygons), 4), np.int32)
