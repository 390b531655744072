# SPDX-License-Identifier: GPL-3.0-or-later
"""A prepared build as a Blender mesh that carries all its numbers, through the attribute route: flat arrays are handed over whole, and no
Python loop touches a vertex.

The route of Blender's own glTF importer. ``from_pydata`` costs ten times as much, and letting Blender find the edges twice.
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from ..engines.grid_mesh import GridMesh
from .prepare import Prepared

IntArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float32]


def add_carrier(prepared: Prepared, name: str) -> bpy.types.Mesh:
    """The surface as a mesh, in world axes, the camera at its origin (a relief: flat).

    Attributes of the vertices: ``depth`` (planar, in the build's unit), ``ray`` (vector; the vertex belongs at ``ray * depth``),
    ``confidence``, ``sky``, ``Color`` (the photo's sRGB bytes), and ``height`` of a relief. Of the faces: ``tear`` (farthest over nearest
    corner depth, minus one). Of the corners: ``UVMap``.
    """
    grid = prepared.grid
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(len(prepared.positions))
    write_values(mesh.attributes["position"], "vector", prepared.positions)
    add_faces(mesh, grid)
    write_values(mesh.attributes.new("UVMap", "FLOAT2", "CORNER"), "vector", _corner_uv(grid))
    write_values(mesh.attributes.new("tear", "FLOAT", "FACE"), "value", grid.tear)
    write_values(mesh.attributes.new("ray", "FLOAT_VECTOR", "POINT"), "vector", prepared.rays)
    for layer, values in (("depth", prepared.depth), ("confidence", prepared.confidence), ("sky", prepared.sky)):
        write_values(mesh.attributes.new(layer, "FLOAT", "POINT"), "value", values)
    if prepared.height is not None:
        write_values(mesh.attributes.new("height", "FLOAT", "POINT"), "value", prepared.height)
    # color_srgb takes the photo's values as they are; the linear property would need them converted.
    color = np.ones((len(grid.colors), 4), dtype=np.float32)
    np.multiply(grid.colors, np.float32(1 / 255), out=color[:, :3], dtype=np.float32)
    write_values(mesh.attributes.new("Color", "BYTE_COLOR", "POINT"), "color_srgb", color)
    mesh.update()
    return mesh


def add_faces(mesh: bpy.types.Mesh, grid: GridMesh) -> None:
    """The grid's quads and their edges; ``mesh`` has its vertices already."""
    faces = grid.faces
    # A wrong index here is undefined behaviour inside Blender, so it is looked for while it is still an exception.
    if faces.size and (np.min(faces) < 0 or np.max(faces) >= len(mesh.vertices)):
        raise ValueError(f"faces name vertices outside 0..{len(mesh.vertices) - 1}")
    edges, corner_edge = full_grid_edges(*grid.full_shape) if grid.full_shape else grid_edges(faces, len(mesh.vertices))
    mesh.edges.add(len(edges))
    mesh.loops.add(faces.size)
    mesh.polygons.add(len(faces))
    write_values(_attribute(mesh, ".edge_verts", "INT32_2D", "EDGE"), "value", edges)
    write_values(_attribute(mesh, ".corner_vert", "INT", "CORNER"), "value", faces)
    write_values(_attribute(mesh, ".corner_edge", "INT", "CORNER"), "value", corner_edge)
    mesh.polygons.foreach_set("loop_start", np.arange(0, faces.size, 4, dtype=np.int32))


def full_grid_edges(rows: int, columns: int) -> tuple[IntArray, IntArray]:
    """What :func:`grid_edges` finds for a grid with no vertex and no quad missing, by arithmetic: down edges first, then right edges."""
    vertices = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    down_count = (rows - 1) * columns
    edges = np.empty((down_count + rows * (columns - 1), 2), dtype=np.int32)
    edges[:down_count, 0], edges[:down_count, 1] = vertices[:-1].ravel(), vertices[1:].ravel()
    edges[down_count:, 0], edges[down_count:, 1] = vertices[:, :-1].ravel(), vertices[:, 1:].ravel()
    down = vertices[:-1]
    right = np.arange(down_count, len(edges), dtype=np.int32).reshape(rows, columns - 1)
    corner_edge = np.empty((rows - 1, columns - 1, 4), dtype=np.int32)
    corner_edge[..., 0], corner_edge[..., 1], corner_edge[..., 2], corner_edge[..., 3] = down[:, :-1], right[1:], down[:, 1:], right[:-1]
    return edges, corner_edge.reshape(-1, 4)


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


def _corner_uv(grid: GridMesh) -> FloatArray:
    if grid.full_shape is None:
        return grid.uv[grid.faces.ravel()]
    uv = grid.uv.reshape(*grid.full_shape, 2)
    u, v = uv[0, :, 0], uv[:, 0, 1]
    corners = np.empty((grid.full_shape[0] - 1, grid.full_shape[1] - 1, 4, 2), dtype=np.float32)
    # Top-left, bottom-left, bottom-right, top-right; a number a row or column is spread three times as fast as pairs are copied.
    corners[..., :2, 0], corners[..., 2:, 0] = u[None, :-1, None], u[None, 1:, None]
    corners[..., ::3, 1], corners[..., 1:3, 1] = v[:-1, None, None], v[1:, None, None]
    return corners


def _attribute(mesh: bpy.types.Mesh, name: str, kind: Any, domain: Any) -> Any:
    """The attribute, made when adding elements has not made it (an empty mesh has none of them)."""
    return mesh.attributes.get(name) or mesh.attributes.new(name, kind, domain)


def write_values(attribute: Any, prop: str, values: npt.NDArray[Any]) -> None:
    """Fill an attribute; ``prop`` is the name of its value: ``value``, ``vector``, ``color``."""
    # Blender takes flat, contiguous arrays of its own type by copying memory, and anything else element by element or not at all.
    attribute.data.foreach_set(prop, np.ascontiguousarray(values).ravel())
