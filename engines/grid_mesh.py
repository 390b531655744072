# SPDX-License-Identifier: Apache-2.0
"""A depth map as a grid of quads: flat arrays ready for Blender's attribute route, glTF and PLY alike."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from .camera import CameraIntrinsics
from .depth_map import DepthKind, DepthMap
from .errors import DepthKindError

_Number = TypeVar("_Number", np.float32, np.int32)
_Scalar = TypeVar("_Scalar", bound=np.generic)
FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int32]

STEEPEST_DEG = 86.0
"""A quad turned further than this from the viewer more likely spans two surfaces than shows one: a floor seen from eye height is that steep
23 metres away."""
# Below one percent it would be the noise of the depth that tears, above a quarter nothing would.
_LEAST_TEAR, _MOST_TEAR = 0.01, 0.25


@dataclass(frozen=True, slots=True, eq=False)
class GridMesh:
    """A surface in the camera frame (OpenCV axes: x right, y down, z forward), in the unit of the map it came from.

    ``vertices`` float32 (V,3), one per kept pixel, through the pixel's centre; ``faces`` int32 (F,4), quads that run top-left,
    bottom-left, bottom-right, top-right, so that normals face the camera; ``uv`` float32 (V,2), u right and v UP, the image filling
    the unit square; ``colors`` uint8 (V,3), sRGB; ``pixels`` int32 (V,), index of the vertex's pixel in the row-major map;
    ``tear`` float32 (F,), farthest over nearest corner depth, minus one. ``full_shape`` is (rows, columns) when every vertex and every
    quad of the grid is there, in row-major order, and None otherwise.
    """

    vertices: FloatArray
    faces: IntArray
    uv: FloatArray
    colors: npt.NDArray[np.uint8]
    pixels: IntArray
    tear: FloatArray
    full_shape: tuple[int, int] | None = None


def stride_for(width: int, height: int, max_vertices: int) -> int:
    """The smallest stride that keeps a ``width`` x ``height`` grid at or under ``max_vertices``."""
    stride = max(1, math.isqrt(max(1, width * height // max(1, max_vertices))))
    while math.ceil(width / stride) * math.ceil(height / stride) > max_vertices and stride < max(width, height):
        stride += 1
    return stride


def tear_of_slant(camera: CameraIntrinsics, stride: int = 1, slant_deg: float = STEEPEST_DEG) -> float:
    """By which share a plane turned ``slant_deg`` from the viewer deepens from one pixel of a grid to the next; 1 to 25 percent.

    ``tan(slant) * stride / focal``: beside the optical axis a plane ``z`` away deepens by ``z tan(slant)`` for one unit of the ray, and a
    pixel is ``1 / focal`` of it. The same surface is thus torn at the same places whatever the resolution.
    """
    return min(_MOST_TEAR, max(_LEAST_TEAR, math.tan(math.radians(slant_deg)) * stride / min(camera.fx, camera.fy)))


def grid_positions(side: int, stride: int) -> IntArray:
    """The rows (or columns) of a grid over ``side`` pixels, int32: the middle pixel of every ``stride``, at least one."""
    if side <= stride // 2:
        return np.zeros(1, dtype=np.int32)
    return np.arange(stride // 2, side, stride, dtype=np.int32)


def grid_uv(width: int, height: int, stride: int) -> FloatArray:
    """Where the pixels of a grid lie in the whole picture, float32 (R,C,2), u right and v UP, through the pixels' centres."""
    rows, columns = grid_positions(height, stride), grid_positions(width, stride)
    uv = np.empty((len(rows), len(columns), 2), dtype=np.float32)
    uv[..., 0] = ((columns + 0.5) / width)[None, :]
    uv[..., 1] = (1.0 - (rows + 0.5) / height)[:, None]
    return uv


def build_grid_mesh(
    depth: DepthMap,
    image: npt.NDArray[np.uint8],
    *,
    stride: int = 1,
    tear_above: float | None = None,
    keep_sky: bool = False,
) -> GridMesh:
    """The surface seen by every ``stride``-th pixel of ``depth``, coloured from ``image`` (uint8 RGB, same size).

    Quads with a missing corner, and those whose ``tear`` exceeds ``tear_above`` (None keeps them all), are left out; so are pixels
    that are not valid. ``keep_sky`` keeps the pixels of the sky with the depth the map has for them. Raises :class:`DepthKindError` for
    disparity, and for a map with no valid pixel.
    """
    if depth.kind is DepthKind.DISPARITY or depth.camera is None:
        depth.points()  # raises, saying why it cannot be unprojected
    rows, columns = grid_positions(depth.height, stride), grid_positions(depth.width, stride)
    values = _take(depth.values, stride, rows, columns)
    valid = _take(depth.valid, stride, rows, columns)
    if not valid.any():
        raise DepthKindError("No pixel of this picture has a depth (is it all sky?); there is nothing to build.")
    if keep_sky:
        valid = _take(depth.known, stride, rows, columns)
    whole = bool(valid.all())
    tear = quad_tear(values, valid, whole)
    keep = _full_quads(valid, whole)
    if tear_above is not None:
        keep &= tear <= tear_above
    index = np.arange(valid.size, dtype=np.int32).reshape(valid.shape)
    if not whole:
        index = (np.cumsum(valid.ravel(), dtype=np.int32) - 1).reshape(valid.shape)
    complete = whole and bool(keep.all())
    faces = _quads(index).reshape(-1, 4)

    vertices = _unproject(depth, values, rows, columns)
    uv = grid_uv(depth.width, depth.height, stride)
    pixels = rows[:, None] * np.int32(depth.width) + columns[None, :]
    colors = _take(image, stride, rows, columns)
    return GridMesh(
        vertices=vertices.reshape(-1, 3) if whole else vertices[valid],
        faces=faces if complete else np.ascontiguousarray(faces[keep.ravel()]),
        uv=uv.reshape(-1, 2) if whole else uv[valid],
        colors=np.ascontiguousarray(colors).reshape(-1, 3) if whole else colors[valid],
        pixels=pixels.ravel() if whole else pixels[valid],
        tear=tear.ravel() if complete else tear[keep],
        full_shape=(len(rows), len(columns)) if complete else None,
    )


def _take(layer: npt.NDArray[_Scalar], stride: int, rows: IntArray, columns: IntArray) -> npt.NDArray[_Scalar]:
    """The grid's pixels of a map: a view, since rows and columns are evenly spaced."""
    return layer[int(rows[0]) :: stride, int(columns[0]) :: stride]


def _unproject(depth: DepthMap, values: FloatArray, rows: IntArray, columns: IntArray) -> FloatArray:
    """Points (R,C,3) of the grid, by :meth:`CameraIntrinsics.ray_directions`' formula."""
    camera = depth.camera
    assert camera is not None
    points = np.empty((*values.shape, 3), dtype=np.float32)
    across = ((columns + 0.5 - camera.cx) / camera.fx).astype(np.float32)
    down = ((rows + 0.5 - camera.cy) / camera.fy).astype(np.float32)
    np.multiply(values, across[None, :], out=points[..., 0])
    np.multiply(values, down[:, None], out=points[..., 1])
    points[..., 2] = values
    return points


def quad_tear(values: FloatArray, valid: npt.NDArray[np.bool_], whole: bool = False) -> FloatArray:
    """Farthest over nearest corner depth, minus one, of every quad of the grid, float32 (R-1,C-1); NaN with a missing corner."""
    known = values if whole else np.where(valid, values, np.float32(np.nan))
    corners = known[:-1, :-1], known[1:, :-1], known[1:, 1:], known[:-1, 1:]
    farthest = np.maximum(np.maximum(corners[0], corners[1]), np.maximum(corners[2], corners[3]))
    nearest = np.minimum(np.minimum(corners[0], corners[1]), np.minimum(corners[2], corners[3]))
    np.divide(farthest, nearest, out=farthest)
    farthest -= np.float32(1)
    return np.asarray(farthest, dtype=np.float32)


def _full_quads(valid: npt.NDArray[np.bool_], whole: bool) -> npt.NDArray[np.bool_]:
    """bool (R-1,C-1): the quads whose corners are all there."""
    if whole:
        return np.ones((valid.shape[0] - 1, valid.shape[1] - 1), dtype=np.bool_)
    return valid[:-1, :-1] & valid[1:, :-1] & valid[1:, 1:] & valid[:-1, 1:]


def _quads(grid: npt.NDArray[_Number]) -> npt.NDArray[_Number]:
    """The four corners of each quad of a grid, (R-1,C-1,4), in the order of :attr:`GridMesh.faces`."""
    corners = np.empty((grid.shape[0] - 1, grid.shape[1] - 1, 4), dtype=grid.dtype)
    corners[..., 0], corners[..., 1], corners[..., 2], corners[..., 3] = grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]
    return corners
