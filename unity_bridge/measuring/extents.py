# SPDX-License-Identifier: Apache-2.0
"""Oriented boxes around the visible points of objects, and the way from the camera's frame into the world."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..results import Extent, Position

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

# Components of an axis that differ by less count as equal, so that rounding does not turn it round.
_EQUAL = 1e-5


def principal_boxes(points: Floats, bounds: Indices) -> list[Extent]:
    """The box of each object along its principal axes; float32 (3,N), **changed in place**, object i from ``bounds[i]`` to ``bounds[i + 1]``,
    none of them empty.

    The axes are the eigenvectors of the points' covariance (principal component analysis, Pearson 1901). Where two variances are equal, as of a
    square seen head-on, any two axes across are principal, and which of them come out is arbitrary.
    """
    count = len(bounds) - 1
    if count == 0:
        return []
    means: Doubles = np.add.reduceat(points, bounds[:-1], axis=1, dtype=np.float64) / np.diff(bounds)
    centers = means.astype(np.float32)
    covariances = np.empty((count, 3, 3))
    for index in range(count):
        own = points[:, bounds[index] : bounds[index + 1]]
        own -= centers[:, index, None]
        # Six short products: BLAS is several times slower at a matrix of 3 x N by itself.
        for i in range(3):
            for j in range(i, 3):
                covariances[index, i, j] = covariances[index, j, i] = np.dot(own[i], own[j])
    axes = np.linalg.eigh(covariances)[1].transpose(0, 2, 1)
    boxes = []
    for index in range(count):
        along = axes[index].astype(np.float32) @ points[:, bounds[index] : bounds[index + 1]]
        boxes.append(
            _box(axes[index], along.min(axis=1).astype(np.float64), along.max(axis=1).astype(np.float64), centers[:, index].astype(np.float64))
        )
    return boxes


def _box(axes: Doubles, low: Doubles, high: Doubles, origin: Doubles) -> Extent:
    """``axes``: rows. ``low`` and ``high``: the ends along them, from ``origin``."""
    order = np.argsort(low - high, kind="stable")
    center = axes.T @ ((low + high) / 2) + origin
    return _extent(center, axes[order], (high - low)[order])


def _extent(center: Doubles, axes: Doubles, size: Doubles) -> Extent:
    sizes = np.abs(axes)
    largest = np.argmax(sizes >= sizes.max(axis=1, keepdims=True) - _EQUAL, axis=1)
    # Adding 0 turns -0 into 0.
    first, second, third = (axes * np.sign(axes[np.arange(3), largest])[:, None] + 0.0).tolist()
    x, y, z = size.tolist()
    return Extent(Position(*center.tolist()), (tuple(first), tuple(second), tuple(third)), (x, y, z))


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """Extrinsics, world to camera: ``camera = rotation @ world + translation``; float64 (3,3) and (3,). The rotation may mirror (Unity)."""

    rotation: Doubles
    translation: Doubles

    @classmethod
    def of(cls, extrinsics: npt.ArrayLike) -> World:
        """From three rows of four. Raises :class:`ValueError` for another shape, or numbers that are not finite."""
        matrix = np.asarray(extrinsics, dtype=np.float64)
        if matrix.shape != (3, 4) or not np.isfinite(matrix).all():
            raise ValueError(f"extrinsics are 3 rows of 4 finite numbers, not {matrix.shape}")
        return cls(matrix[:, :3], matrix[:, 3])

    def point(self, position: Position) -> Position:
        """A point of the camera's frame in the world: ``rotation^T (camera - translation)``."""
        camera = np.array([position.x, position.y, position.z])
        return Position(*(self.rotation.T @ (camera - self.translation)).tolist())

    def box(self, extent: Extent) -> Extent:
        """The same box, its axes in the world; each again with its largest component positive."""
        center = self.point(extent.center)
        axes = np.array(extent.axes) @ self.rotation
        return _extent(np.array([center.x, center.y, center.z]), axes, np.array(extent.size))
