# SPDX-License-Identifier: GPL-3.0-or-later
"""A grid mesh as a Blender mesh, through the attribute route: flat arrays are handed over whole, and no Python loop touches a vertex.

The route of Blender's own glTF importer. ``from_pydata`` costs ten times as much, and letting Blender find the edges twice.
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from ..engines.depth_map import DepthMap
from ..engines.grid_mesh import GridMesh
from .axes import to_world

IntArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float32]


def add_grid_mesh(grid: GridMesh, depth: DepthMap, name: str) -> bpy.types.Mesh:
    """The surface as a mesh, in world axes, the camera at its origin.

    Attributes: ``UVMap`` (corner), ``Color`` (point, the photo's sRGB bytes), ``depth`` (point, planar, in the map's unit),
    ``confidence`` (point, when the model gives one) and ``tear`` (face, farthest over nearest corner depth, minus one).
    """
    mesh = add_vertices(grid, depth, name)
    _add_faces(mesh, grid.faces)
    _write(mesh.attributes.new("UVMap", "FLOAT2", "CORNER"), "vector", grid.uv[grid.faces.ravel()])
    _write(mesh.attributes.new("tear", "FLOAT", "FACE"), "value", grid.tear)
    mesh.update()
    return mesh


def add_vertices(grid: GridMesh, depth: DepthMap, name: str) -> bpy.types.Mesh:
    """The vertices alone, with their attributes ``Color``, ``depth`` and ``confidence``: what point objects are made of."""
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(len(grid.vertices))
    _write(mesh.attributes["position"], "vector", to_world(grid.vertices))
    # color_srgb takes the photo's values as they are; the linear property would need them converted.
    color = np.ones((len(grid.colors), 4), dtype=np.float32)
    color[:, :3] = grid.colors
    color[:, :3] /= 255.0
    _write(mesh.attributes.new("Color", "BYTE_COLOR", "POINT"), "color_srgb", color)
    add_point_values(mesh, "depth", depth.values.ravel()[grid.pixels])
    if depth.confidence is not None:
        add_point_values(mesh, "confidence", depth.confidence.ravel()[grid.pixels])
    return mesh


def add_point_values(mesh: bpy.types.Mesh, name: str, values: FloatArray) -> None:
    """One float per vertex, as attribute ``name``."""
    _write(mesh.attributes.new(name, "FLOAT", "POINT"), "value", values)


def _add_faces(mesh: bpy.types.Mesh, faces: IntArray) -> None:
    # A wrong index here is undefined behaviour inside Blender, so it is looked for while it is still an exception.
    if faces.size and (faces.min() < 0 or faces.max() >= len(mesh.vertices)):
        raise ValueError(f"faces name vertices outside 0..{len(mesh.vertices) - 1}")
    edges, corner_edge = grid_edges(faces, len(mesh.vertices))
    mesh.edges.add(len(edges))
    mesh.loops.add(faces.size)
    mesh.polygons.add(len(faces))
    _write(_attribute(mesh, ".edge_verts", "INT32_2D", "EDGE"), "value", edges)
    _write(_attribute(mesh, ".corner_vert", "INT", "CORNER"), "value", faces)
    _write(_attribute(mesh, ".corner_edge", "INT", "CORNER"), "value", corner_edge)
    mesh.polygons.foreach_set("loop_start", np.arange(0, faces.size, 4, dtype=np.int32))


def grid_edges(faces: IntArray, vertex_count: int) -> tuple[IntArray, IntArray]:
    """Edges int32 (E,2) of a grid's quads (F,4), and the edge that each corner starts, int32 (F,4); found without sorting.

    A quad runs top-left, bottom-left, bottom-right, top-right. Every edge of a grid goes down or right from a vertex that has
    at most one of each, so the vertex names the edge.
    """
    top_left, bottom_left, bottom_right, top_right = faces.T
    below = np.full(vertex_count, -1, dtype=np.int32)
    below[top_left], below[top_right] = bottom_left, bottom_right
    beside = np.full(vertex_count, -1, dtype=np.int32)
    beside[top_left], beside[bottom_left] = top_right, bottom_right

    goes_down, goes_right = np.flatnonzero(below >= 0), np.flatnonzero(beside >= 0)
    starts = np.concatenate([goes_down, goes_right])
    edges = np.stack([starts, np.concatenate([below[goes_down], beside[goes_right]])], axis=1).astype(np.int32)
    down_edge = np.full(vertex_count, -1, dtype=np.int32)
    down_edge[goes_down] = np.arange(len(goes_down), dtype=np.int32)
    right_edge = np.full(vertex_count, -1, dtype=np.int32)
    right_edge[goes_right] = np.arange(len(goes_down), len(starts), dtype=np.int32)
    corner_edge = np.stack([down_edge[top_left], right_edge[bottom_left], down_edge[top_right], right_edge[top_left]], axis=1)
    return edges, corner_edge


def _attribute(mesh: bpy.types.Mesh, name: str, kind: Any, domain: Any) -> Any:
    """The attribute, made when adding elements has not made it (an empty mesh has none of them)."""
    return mesh.attributes.get(name) or mesh.attributes.new(name, kind, domain)


def _write(attribute: Any, prop: str, values: npt.NDArray[Any]) -> None:
    # Blender takes flat, contiguous arrays of its own type by copying memory, and anything else element by element or not at all.
    attribute.data.foreach_set(prop, np.ascontiguousarray(values).ravel())
