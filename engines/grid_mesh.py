# SPDX-License-Identifier: Apache-2.0
"""A depth map as a grid of quads: flat arrays ready for Blender's attribute route, glTF and PLY alike."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from .depth_map import DepthMap
from .errors import DepthKindError

_Number = TypeVar("_Number", np.float32, np.int32)
FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int32]

DEFAULT_TEAR = 0.1
"""A quad whose farthest corner is more than this share beyond its nearest spans two surfaces."""


@dataclass(frozen=True, slots=True, eq=False)
class GridMesh:
    """A surface in the camera frame (OpenCV axes: x right, y down, z forward), in the unit of the map it came from.

    ``vertices`` float32 (V,3), one per kept pixel, through the pixel's centre; ``faces`` int32 (F,4), quads that run top-left,
    bottom-left, bottom-right, top-right, so that normals face the camera; ``uv`` float32 (V,2), u right and v UP, the image filling
    the unit square; ``colors`` uint8 (V,3), sRGB; ``pixels`` int32 (V,), index of the vertex's pixel in the row-major map;
    ``tear`` float32 (F,), farthest over nearest corner depth, minus one.
    """

    vertices: FloatArray
    faces: IntArray
    uv: FloatArray
    colors: npt.NDArray[np.uint8]
    pixels: IntArray
    tear: FloatArray


def stride_for(width: int, height: int, max_vertices: int) -> int:
    """The smallest stride that keeps a ``width`` x ``height`` grid at or under ``max_vertices``."""
    stride = max(1, math.isqrt(max(1, width * height // max(1, max_vertices))))
    while math.ceil(width / stride) * math.ceil(height / stride) > max_vertices and stride < max(width, height):
        stride += 1
    return stride


def build_grid_mesh(
    depth: DepthMap, image: npt.NDArray[np.uint8], *, stride: int = 1, tear_above: float | None = DEFAULT_TEAR
) -> GridMesh:
    """The surface seen by every ``stride``-th pixel of ``depth``, coloured from ``image`` (uint8 RGB, same size).

    Quads with an invalid corner, and those whose ``tear`` exceeds ``tear_above`` (None keeps them all), are left out; so are vertices
    that are not valid. Raises :class:`DepthKindError` for disparity, and for a map with no valid pixel.
    """
    rows = np.arange(stride // 2, depth.height, stride) if depth.height > stride // 2 else np.array([0])
    columns = np.arange(stride // 2, depth.width, stride) if depth.width > stride // 2 else np.array([0])
    grid = np.ix_(rows, columns)
    valid = depth.valid[grid]
    if not valid.any():
        raise DepthKindError("No pixel of this picture has a depth (is it all sky?); there is nothing to build.")
    points = depth.points()[grid]
    index = np.full(valid.shape, -1, dtype=np.int32)
    index[valid] = np.arange(int(valid.sum()), dtype=np.int32)

    corner_index = _corners(index)
    corner_depth = _corners(np.where(valid, depth.values[grid], np.float32(np.nan)).astype(np.float32))
    with np.errstate(invalid="ignore", divide="ignore"):
        tear = corner_depth.max(axis=1) / corner_depth.min(axis=1) - 1
    keep = np.all(corner_index >= 0, axis=1)
    if tear_above is not None:
        keep &= tear <= tear_above

    pixel_rows, pixel_columns = np.meshgrid(rows, columns, indexing="ij")
    uv = np.stack([(pixel_columns + 0.5) / depth.width, 1.0 - (pixel_rows + 0.5) / depth.height], axis=-1)
    return GridMesh(
        vertices=np.ascontiguousarray(points[valid]),
        faces=np.ascontiguousarray(corner_index[keep]),
        uv=np.ascontiguousarray(uv[valid], dtype=np.float32),
        colors=np.ascontiguousarray(image[grid][valid]),
        pixels=(pixel_rows * depth.width + pixel_columns)[valid].astype(np.int32),
        tear=np.ascontiguousarray(tear[keep], dtype=np.float32),
    )


def _corners(grid: npt.NDArray[_Number]) -> npt.NDArray[_Number]:
    """The four corners of each quad of a grid, (F,4), in the order of :attr:`GridMesh.faces`."""
    return np.stack([grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]], axis=-1).reshape(-1, 4)
