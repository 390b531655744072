# SPDX-License-Identifier: GPL-3.0-or-later
"""Which vertex of a built object lies under a place on the screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt
from mathutils import Vector

from ...engines.depth_map import SKY_THRESHOLD
from .live_shape import LiveShape

FloatArray = npt.NDArray[np.float64]

# Pixels around the mouse, tried in this order.
_REACHES_PX = (8.0, 30.0)
# Of the vertices there, those farther than the nearest one by more than this share belong to something behind it.
_BEHIND = 0.05
_MOST_FACES = 100_000


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """How a view sees the world. ``projection`` and ``view``: float64 (4,4), from the world to the clip space and to the viewer's axes;
    ``width``, ``height`` in pixels; ``depth_of_focus``: a length of the world, what a view without perspective shows across."""

    projection: FloatArray
    view: FloatArray
    width: int
    height: int
    perspective: bool
    depth_of_focus: float

    @classmethod
    def of(cls, region: Any, view: Any) -> Sight:
        """Of a region of a 3D View and its ``region_3d``."""
        return cls(
            np.array(view.perspective_matrix, dtype=np.float64),
            np.array(view.view_matrix, dtype=np.float64),
            region.width,
            region.height,
            bool(view.is_perspective),
            float(view.view_distance),
        )

    def ray(self, place: tuple[float, float], to_world: FloatArray) -> tuple[Vector, Vector]:
        """Origin and direction of the ray through ``place`` (pixels from the lower left), in the axes that ``to_world`` (4,4) leads from."""
        x, y = 2 * place[0] / self.width - 1, 2 * place[1] / self.height - 1
        ends = np.linalg.inv(self.projection @ to_world) @ np.array([[x, x], [y, y], [-1.0, 1.0], [1.0, 1.0]])
        near, far = (ends[:3] / ends[3]).T
        return Vector(near), Vector(far - near).normalized()

    def same(self, other: Sight | None) -> bool:
        """Whether both see alike."""
        return (
            other is not None
            and (self.width, self.height) == (other.width, other.height)
            and np.array_equal(self.projection, other.projection)
            and np.array_equal(self.view, other.view)
        )


class Aim:
    """Finds the vertex of an object's carrier under the mouse: the nearest one of the foremost that lie there."""

    def __init__(self, built: bpy.types.Object) -> None:
        shape = LiveShape.of(built)
        self._places = shape.positions()
        self._pickable = (shape.sky < SKY_THRESHOLD) & ~shape.cut()
        self._sight: Sight | None = None
        self._to_world = np.eye(4)
        self._pixels: tuple[npt.NDArray[np.float32], ...] = ()

    def world(self, built: bpy.types.Object, vertex: int) -> Vector:
        """Where a vertex is in the world."""
        return built.matrix_world @ Vector(self._places[vertex].tolist())

    def at(self, built: bpy.types.Object, sight: Sight, place: tuple[float, float]) -> int | None:
        """The vertex at ``place`` (pixels from the lower left), None when the object is not there or that is sky."""
        corner = _cast(built, sight, place)
        if corner is not None:
            nearest = int(np.argmin(((self._places - np.array(corner, dtype=np.float32)) ** 2).sum(axis=1)))
            return nearest if self._pickable[nearest] else None
        self._look(np.array(built.matrix_world, dtype=np.float64), sight)
        x, y, farness = self._pixels
        away = (x - np.float32(place[0])) ** 2 + (y - np.float32(place[1])) ** 2
        for reach in _REACHES_PX:
            within = np.flatnonzero(away < reach**2)
            if len(within):
                nearest_there = np.min(farness[within])
                room = _BEHIND * (nearest_there if sight.perspective else sight.depth_of_focus)
                foremost = within[farness[within] <= nearest_there + room]
                return int(foremost[np.argmin(away[foremost])])
        return None

    def _look(self, to_world: FloatArray, sight: Sight) -> None:
        """Where every vertex is on the screen, in pixels, and how far away; worked out anew when the view or the object has moved."""
        if sight.same(self._sight) and np.array_equal(to_world, self._to_world):
            return
        self._sight, self._to_world = sight, to_world
        matrix = (sight.projection @ to_world).astype(np.float32)
        clip = self._places @ matrix[:, :3].T + matrix[:, 3]
        with np.errstate(divide="ignore", invalid="ignore"):
            x = (clip[:, 0] / clip[:, 3] + 1) * np.float32(sight.width / 2)
            y = (clip[:, 1] / clip[:, 3] + 1) * np.float32(sight.height / 2)
        # Comparisons with NaN are false: what cannot be picked is never within reach.
        x[~((clip[:, 3] > 0) & self._pickable)] = np.nan
        along = (sight.view @ to_world)[2].astype(np.float32)
        self._pixels = x, y, -(self._places @ along[:3] + along[3])


def _cast(built: bpy.types.Object, sight: Sight, place: tuple[float, float]) -> Vector | None:
    """The corner next to ``place`` of the face that is seen there, in the object's axes. Only of a coarse surface, whose vertices can lie far
    from the mouse: for the first ray Blender builds a tree, and of a million faces that takes seconds."""
    seen = built.evaluated_get(bpy.context.evaluated_depsgraph_get())
    if seen.type != "MESH" or not 0 < len(seen.data.polygons) <= _MOST_FACES:
        return None
    origin, towards = sight.ray(place, np.array(built.matrix_world, dtype=np.float64))
    hit, _, _, face = seen.ray_cast(origin, towards)
    if not hit:
        return None
    corners = [seen.data.vertices[index].co for index in seen.data.polygons[face].vertices]
    # The one that looks nearest: on a slanted face that is another one than the nearest in space.
    return max((Vector(corner) for corner in corners), key=lambda corner: (corner - origin).normalized().dot(towards))
