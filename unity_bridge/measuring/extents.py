# SPDX-License-Identifier: Apache-2.0
"""Oriented boxes around the visible points of objects, and the way from the camera's frame into the world."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ..results import Extent, Position

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

# Components of an axis that differ by less count as equal, so that rounding does not turn it round.
_EQUAL = 1e-5
# Variances of which one is at least this part of the next are alike; those below that part of the largest are of no extent at all.
_ALIKE, _FLAT = 0.9, 1e-9
# Half a turn in eight steps, (8,2).
_DIRECTIONS = np.stack([np.cos(np.arange(8) * np.pi / 8), np.sin(np.arange(8) * np.pi / 8)], axis=1).astype(np.float32)


def principal_boxes(points: Floats, bounds: Indices) -> list[Extent]:
    """The box of each object along its principal axes; float32 (3,N), **changed in place**, object i from ``bounds[i]`` to ``bounds[i + 1]``,
    none of them empty.

    The axes are the eigenvectors of the points' covariance (principal component analysis, Pearson 1901). Where two variances are alike, as of a
    square seen head-on, any two axes across are principal, and noise would choose; then those of the tightest rectangle are taken.
    """
    count = len(bounds) - 1
    if count == 0:
        return []
    means: Doubles = np.add.reduceat(points, bounds[:-1], axis=1, dtype=np.float64) / np.diff(bounds)
    centers = means.astype(np.float32)
    for index in range(count):
        points[:, bounds[index] : bounds[index + 1]] -= centers[:, index, None]
    covariances = np.empty((count, 3, 3))
    product = np.empty(points.shape[1], dtype=np.float32)
    for i in range(3):
        for j in range(i, 3):
            # Not by BLAS: it wakes its threads for this, and waits for them where a processor is busy. numpy adds pairwise, which keeps
            # single precision exact enough.
            np.multiply(points[i], points[j], out=product)
            covariances[:, i, j] = covariances[:, j, i] = np.add.reduceat(product, bounds[:-1])
    variances, vectors = np.linalg.eigh(covariances)
    axes = vectors.transpose(0, 2, 1)
    for index, pair in _alike(variances):
        axes[index, pair] = _tightest(axes[index, pair], points[:, bounds[index] : bounds[index + 1]])
    low, high = np.empty((count, 3), dtype=np.float32), np.empty((count, 3), dtype=np.float32)
    for index, single in enumerate(axes.astype(np.float32)):
        along = single @ points[:, bounds[index] : bounds[index + 1]]
        along.min(axis=1, out=low[index])
        along.max(axis=1, out=high[index])
    middles = np.einsum("nij,ni->nj", axes, (low + high).astype(np.float64) / 2) + centers.T
    sizes: Doubles = (high - low).astype(np.float64)
    order = np.argsort(-sizes, axis=1, kind="stable")
    return _extents(middles, np.take_along_axis(axes, order[:, :, None], axis=1), np.take_along_axis(sizes, order, axis=1))


def _alike(variances: Doubles) -> Iterator[tuple[int, slice]]:
    """Objects of which two axes, ascending by variance, may as well point elsewhere: which object, and those two. Of three alike the larger."""
    small, large = variances[:, :-1], variances[:, 1:]
    alike = (small >= _ALIKE * large) & (large > _FLAT * variances[:, 2:])
    for index in np.flatnonzero(alike.any(axis=1)).tolist():
        yield index, slice(1, 3) if alike[index, 1] else slice(0, 2)


def _tightest(axes: Doubles, points: Floats) -> Doubles:
    """Two axes (2,3) in the plane of those given: the sides of the least rectangle around the points (3,N) as they lie on it.

    Only the points that lie farthest out in some directions are looked at: the corners of whatever has corners.
    """
    flat = axes.astype(np.float32) @ points
    outward = _DIRECTIONS @ flat
    corners = flat[:, np.concatenate((outward.argmin(axis=1), outward.argmax(axis=1)))]
    turn = np.radians(cv2.minAreaRect(np.ascontiguousarray(corners.T))[2])
    return np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) @ axes


def _extents(centers: Doubles, axes: Doubles, sizes: Doubles) -> list[Extent]:
    """Of (N,3) centres, (N,3,3) axes, which are rows, and (N,3) sizes along them; turns axes to where their largest component is positive."""
    amounts = np.abs(axes)
    largest = np.argmax(amounts >= amounts.max(axis=2, keepdims=True) - _EQUAL, axis=2)
    # Adding 0 turns -0 into 0.
    turned = axes * np.sign(np.take_along_axis(axes, largest[:, :, None], axis=2)) + 0.0
    return [
        Extent(Position(*center), (tuple(first), tuple(second), tuple(third)), tuple(size))
        for center, (first, second, third), size in zip(centers.tolist(), turned.tolist(), sizes.tolist(), strict=True)
    ]


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
        return _extents(np.array([[center.x, center.y, center.z]]), axes[None], np.array([extent.size]))[0]
