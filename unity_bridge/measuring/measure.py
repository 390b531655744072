# SPDX-License-Identifier: Apache-2.0
"""Distances of the objects of a mask, from a depth map in metres."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...engines.camera import CameraIntrinsics, CameraSource
from ...engines.depth_map import DepthKind, DepthMap
from ..errors import NoMetricDepthError
from ..results import ObjectResult, Position, Spread

Mask = npt.NDArray[Any]
Indices = npt.NDArray[np.intp]
Doubles = npt.NDArray[np.float64]

# Ids closer together than this are compacted by a table instead of by sorting.
_TABLE_SPAN = 1 << 20


def require_metric(depth_map: DepthMap) -> None:
    """Raise :class:`NoMetricDepthError`, with the remedy, unless the map is in metres by a camera that nobody guessed."""
    if depth_map.kind is not DepthKind.METRIC:
        has_camera = depth_map.camera_source is CameraSource.GIVEN
        remedy = "choose a metric model" if has_camera else "give the camera's intrinsics, or choose a metric model"
        raise NoMetricDepthError(f"Model {depth_map.model_id} gave {depth_map.kind} depth, which has no metres; {remedy}.")
    if depth_map.camera_source is CameraSource.ASSUMED:
        raise NoMetricDepthError(
            f"Model {depth_map.model_id} has metres only by an assumed field of view; give the camera's intrinsics, or choose a model "
            "that is metric without them."
        )


@dataclass(frozen=True, slots=True)
class _Segment:
    """The pixels of one object, as ascending indices into the flattened picture."""

    id: int
    pixels: Indices


@dataclass(frozen=True, slots=True, eq=False)
class MaskObjects:
    """The objects of an integer mask (H,W), 0 being background: found once, counted before a frame is worked on, measured after.

    ``ids`` are ascending; ``pixels`` are the flat indices of all objects' pixels, ascending, and ``labels`` say to which of ``ids`` each
    belongs. ``dtype`` is the mask's own.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    ids: npt.NDArray[np.int64]
    pixels: Indices
    labels: Mask

    @classmethod
    def of(cls, mask: Mask) -> MaskObjects:
        """Finds them."""
        flat = mask.ravel()
        pixels = np.flatnonzero(flat)
        ids, labels = _compact(flat[pixels])
        return cls(mask.shape, mask.dtype, ids, pixels, labels)

    def segments(self) -> Iterator[_Segment]:
        """Each object with its pixels. They are sorted here, and not before there is something to measure."""
        # Stable, so that each object's pixels stay in row-major order; numpy sorts 16-bit keys by radix, in linear time.
        pixels = self.pixels[np.argsort(self.labels, kind="stable")]
        ends = np.cumsum(np.bincount(self.labels, minlength=len(self.ids)))
        start = 0
        for object_id, end in zip(self.ids.tolist(), ends.tolist(), strict=True):
            yield _Segment(object_id, pixels[start:end])
            start = end


def measure_objects(depth_map: DepthMap, mask: Mask | MaskObjects) -> list[ObjectResult]:
    """Measure every object of an integer mask (H,W) of the map's size; 0 is background. One result per id, ascending.

    The pixels are sorted once by id, and each object is then measured on its own pixels, so that the cost hardly depends on how many
    objects there are; a mask that was taken apart already is not taken apart again. A pixel counts as valid when the map says so and its
    depth is finite and positive. Without a camera there is no ``range`` and no ``position``. Raises :class:`NoMetricDepthError` for a map
    without metres and :class:`ValueError` for a mask of another shape or type: callers check those where they can name the input.
    """
    require_metric(depth_map)
    if mask.shape != depth_map.values.shape or mask.dtype.kind not in "iu":
        raise ValueError(f"a mask of integers {depth_map.values.shape} is needed, not {mask.dtype} {mask.shape}")
    objects = mask if isinstance(mask, MaskObjects) else MaskObjects.of(mask)
    camera = depth_map.camera
    values, valid = depth_map.values.ravel(), depth_map.valid.ravel()
    return [_measure_one(segment, values, valid, depth_map.width, camera) for segment in objects.segments()]


def _compact(values: Mask) -> tuple[npt.NDArray[np.int64], Mask]:
    """Ascending distinct values, and for each element the index of its value among them, in the smallest unsigned type that fits."""
    if values.size == 0:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.uint16)
    low, high = int(values.min()), int(values.max())
    if high - low < _TABLE_SPAN:
        offsets = values.astype(np.int64) - low if low or values.dtype.kind == "i" else values
        present = np.bincount(offsets, minlength=high - low + 1) > 0
        ids = np.flatnonzero(present) + low
        table = (np.cumsum(present) - 1).astype(_label_type(len(ids)))
        return ids.astype(np.int64), table[offsets]
    ids, labels = np.unique(values, return_inverse=True)
    return ids.astype(np.int64), labels.reshape(-1).astype(_label_type(len(ids)))


def _label_type(count: int) -> type[np.uint16] | type[np.uint32]:
    return np.uint16 if count <= 1 << 16 else np.uint32


def _measure_one(
    segment: _Segment,
    values: npt.NDArray[np.float32],
    valid: npt.NDArray[np.bool_],
    width: int,
    camera: CameraIntrinsics | None,
) -> ObjectResult:
    depth = values[segment.pixels].astype(np.float64)
    usable = valid[segment.pixels] & np.isfinite(depth) & (depth > 0)
    count, valid_count = len(segment.pixels), int(np.count_nonzero(usable))
    if valid_count == 0:
        return ObjectResult(
            segment.id, count, 0.0, None, None, None, None, f"None of its {count} pixels has a depth (sky, or no surface)."
        )
    rows, columns = np.divmod(segment.pixels, width)
    centroid_row, centroid_column = rows.mean(), columns.mean()
    if valid_count < count:
        depth, rows, columns = depth[usable], rows[usable], columns[usable]
    center = int(np.argmin((rows - centroid_row) ** 2 + (columns - centroid_column) ** 2))
    u, v = columns[center] + 0.5, rows[center] + 0.5
    along_ray: Spread | None = None
    position: Position | None = None
    reason: str | None = "There is no camera, so there is no range and no position."
    if camera is not None:
        x, y = (columns + 0.5 - camera.cx) / camera.fx, (rows + 0.5 - camera.cy) / camera.fy
        along_ray = _spread(depth * np.sqrt(1.0 + x * x + y * y), center)
        position = Position(float(x[center] * depth[center]), float(y[center] * depth[center]), float(depth[center]))
        reason = None
    return ObjectResult(
        segment.id, count, valid_count / count, _spread(depth, center), along_ray, position, (float(u), float(v)), reason
    )


def _spread(values: Doubles, center: int) -> Spread:
    return Spread(
        center=float(values[center]),
        mean=float(values.mean()),
        median=float(np.median(values)),
        min=float(np.min(values)),
        max=float(np.max(values)),
    )
