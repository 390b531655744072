# SPDX-License-Identifier: Apache-2.0
"""A depth map as a coloured point cloud: binary PLY, one point per valid pixel, in the unit of the map.

Axes as in glTF, so that viewers show it upright: x right, y up, z towards the viewer, the camera at the origin looking along -z.
"""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..atomic import atomic_path
from ..depth_map import DepthMap
from ..errors import DepthKindError

# 180 degrees about x, from the OpenCV camera frame to y up, z backward.
Y_UP = np.array([1, -1, -1], dtype=np.float32)
_SEED = 20240


def write_ply(
    path: Path, depth: DepthMap, image: npt.NDArray[np.uint8], *, max_points: int | None = None, overwrite: bool = False
) -> int:
    """Writes the points of ``depth`` with the colours of ``image`` (uint8 RGB, same size) and returns how many there are.

    Above ``max_points`` a random choice of exactly so many is written, the same each time: every point is as likely as another, and no
    grid shows. Raises :class:`DepthKindError` for disparity, without a camera and without a valid pixel, and
    :class:`~..errors.OutputError`.
    """
    if max_points is not None and max_points < 1:
        raise DepthKindError(f"A point cloud of {max_points} points is none; ask for one or more.")
    points = depth.points()[depth.valid] * Y_UP
    colors = image[depth.valid]
    if len(points) == 0:
        raise DepthKindError("No pixel of this picture has a depth (is it all sky?); there are no points to write.")
    if max_points is not None and len(points) > max_points:
        chosen = np.sort(np.random.default_rng(_SEED).choice(len(points), max_points, replace=False, shuffle=False))
        points, colors = points[chosen], colors[chosen]
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(_to_ply(points, colors, depth))
    return len(points)


def _to_ply(points: npt.NDArray[np.float32], colors: npt.NDArray[np.uint8], depth: DepthMap) -> bytes:
    trimesh = importlib.import_module("trimesh")  # slow to import, and only two formats need it
    plain: bytes = trimesh.PointCloud(points, colors=colors).export(file_type="ply")
    comments = (
        f"unit {depth.kind.unit}",
        "axes x right, y up, z towards the viewer; the camera is at the origin and looks along -z",
        f"model {_ascii_word(depth.model_id)}",
        f"camera_source {depth.camera_source.value}",
    )
    first_line, second_line, rest = plain.split(b"\n", 2)
    lines = [first_line, second_line, *(f"comment {comment}".encode("ascii") for comment in comments), rest]
    return b"\n".join(lines)


def _ascii_word(text: str) -> str:
    """One line of ASCII: the header of a PLY file holds nothing else, and a model's name may be a file name of any kind."""
    return " ".join(text.encode("ascii", "replace").decode("ascii").split())
