# SPDX-License-Identifier: Apache-2.0
"""Distances of the objects of a mask: each object's numbers, from a depth map of any kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...engines.camera import CameraIntrinsics, CameraSource
from ...engines.depth_map import DepthKind, DepthMap
from ..errors import NoMetricDepthError
from ..results import ObjectResult, Position
from .extents import Doubles, World
from .pixels import Mask, MaskObjects, Selection
from .records import ObjectRecord
from .statistics import Numbers

__all__ = ["Mask", "MaskObjects", "answer_objects", "measure_objects", "require_metric"]

END_OF_RANGE = 0.98
"""An object whose median is at least this part of the largest depth a model can say is out of its range."""

_NO_CAMERA = "There is no camera, so there is no range, no position and no extent."
_ASSUMED_CAMERA = "The camera is only assumed, so there is no range, no position and no extent."
_DISPARITY = (
    "The map is disparity, which has no metres; send the known distances of two objects that are not equally far, or choose a metric model."
)


def require_metric(depth_map: DepthMap) -> None:
    """Raise :class:`NoMetricDepthError`, with the remedy, for a map that would be in metres if its camera were known.

    That is one of a model which has metres only with the focal length, and was given none, or a guessed one. Maps that cannot have metres pass:
    they are answered without.
    """
    if depth_map.kind is DepthKind.METRIC and depth_map.camera_source is CameraSource.ASSUMED:
        raise NoMetricDepthError(
            f"Model {depth_map.model_id} has metres only by an assumed field of view; give the camera's intrinsics, the known distance of an "
            "object, or choose a model that is metric without them."
        )
    if depth_map.kind is DepthKind.RELATIVE and depth_map.scale_note is not None:
        raise NoMetricDepthError(
            f"Model {depth_map.model_id} has metres only with the focal length, and none is known; give the camera's intrinsics, the known "
            "distance of an object, or choose a model that is metric without them."
        )


def measure_objects(depth_map: DepthMap, mask: Mask | MaskObjects) -> list[ObjectResult]:
    """Measure every object of an integer mask (H,W) of the map's size; 0 is background. One result per mask value, ascending.

    Raises :class:`NoMetricDepthError` as :func:`require_metric`, and :class:`ValueError` for a mask of another shape or type: callers check
    those where they can name the input.
    """
    require_metric(depth_map)
    objects = mask if isinstance(mask, MaskObjects) else MaskObjects.of(mask)
    check_shape(depth_map, objects)
    return answer_objects(depth_map, objects, [ObjectRecord(value, value) for value in objects.ids.tolist()])


def check_shape(depth_map: DepthMap, objects: MaskObjects) -> None:
    """Raise :class:`ValueError` unless the mask covers the map."""
    if objects.shape != depth_map.values.shape:
        raise ValueError(f"a mask of integers {depth_map.values.shape} is needed, not {objects.mask.dtype} {objects.shape}")


def select(depth_map: DepthMap, objects: MaskObjects) -> Selection:
    """The pixels to measure. Usable is a pixel that the map calls valid, and whose value means something."""
    return Selection.of(objects, depth_map.valid & depth_map.kind.holds(depth_map.values))


def answer_objects(depth_map: DepthMap, objects: MaskObjects, records: Sequence[ObjectRecord], world: World | None = None) -> list[ObjectResult]:
    """What is said of each record, in their order, whatever the map's kind.

    Depth gives ``distance`` and, with a camera that nobody guessed, ``range``, ``position`` and ``extent``; disparity gives ``disparity``.
    ``world`` adds the fields of the world. The cost grows with the pixels of the records, hardly with their number.
    """
    objects = objects.only(np.array([record.mask_value for record in records], dtype=np.int64))
    selection = select(depth_map, objects)
    numbers = Numbers.of(depth_map.values, selection, _camera_of(depth_map))
    places = {value: place for place, value in enumerate(objects.ids.tolist())}
    common = _Common(depth_map, objects, selection, numbers, objects.counts, objects.runs.centroids(len(objects.ids)), world)
    return [common.answer(record, places.get(record.mask_value)) for record in records]


def _camera_of(depth_map: DepthMap) -> CameraIntrinsics | None:
    return None if depth_map.camera_source is CameraSource.ASSUMED or depth_map.kind is DepthKind.DISPARITY else depth_map.camera


@dataclass(frozen=True, slots=True, eq=False)
class _Common:
    """What the answers of a frame share; arrays in the order of the mask's objects."""

    depth_map: DepthMap
    objects: MaskObjects
    selection: Selection
    numbers: Numbers
    counts: npt.NDArray[np.intp]
    centroids: tuple[Doubles, Doubles]
    world: World | None

    def answer(self, record: ObjectRecord, label: int | None) -> ObjectResult:
        """``label``: the object's place in the mask, None when no pixel is its."""
        shown = None if record.by_colour else record.mask_value
        if label is None:
            what = "its colour" if record.by_colour else f"the value {record.mask_value}"
            reason = f"No pixel of the mask has {what}."
            return ObjectResult(record.id, 0, 0.0, None, None, None, None, reason, mask_value=shown, record=record.record)
        count, selection = int(self.counts[label]), self.selection
        border = float(selection.border[label] / selection.outline[label])
        if selection.valid[label] == 0:
            reason = f"None of its {count} pixels has a depth (sky, or no surface)."
            return ObjectResult(
                record.id, count, 0.0, None, None, None, None, reason, mask_value=shown, record=record.record, border_fraction=border
            )
        return self._measured(record, label, shown, border)

    def _measured(self, record: ObjectRecord, label: int, shown: int | None, border: float) -> ObjectResult:
        selection, numbers, depth_map = self.selection, self.numbers, self.depth_map
        row, column = selection.nearest(label, float(self.centroids[0][label]), float(self.centroids[1][label]))
        u, v, depth = column + 0.5, row + 0.5, float(depth_map.values[row, column])
        place = int(numbers.place[label])
        spread = numbers.values.spread(place, depth)
        disparity = depth_map.kind is DepthKind.DISPARITY
        camera = _camera_of(depth_map)
        along_ray, position, extent, reason = None, None, None, self._missing()
        if camera is not None and numbers.ranges is not None:
            x, y = (u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy
            along_ray = numbers.ranges.spread(place, float(np.float32(depth * np.sqrt(1.0 + x * x + y * y))))
            position, extent = Position(x * depth, y * depth, depth), numbers.boxes[place]
        end = depth_map.max_depth_m
        world = self.world
        return ObjectResult(
            id=record.id,
            pixel_count=int(self.counts[label]),
            valid_fraction=float(selection.valid[label] / self.counts[label]),
            distance=None if disparity else spread,
            range=along_ray,
            position=position,
            center_px=(u, v),
            reason=reason,
            mask_value=shown,
            record=record.record,
            measured_pixel_count=int(selection.measured[label]),
            border_fraction=border,
            eroded_px=int(selection.eroded[label]),
            disparity=spread if disparity else None,
            position_world=world.point(position) if world and position else None,
            extent=extent,
            extent_world=world.box(extent) if world and extent else None,
            out_of_range=None if disparity or end is None else spread.median >= END_OF_RANGE * end,
        )

    def _missing(self) -> str | None:
        """Why an object with depth has no place in space, or None."""
        if self.depth_map.kind is DepthKind.DISPARITY:
            return _DISPARITY
        if self.depth_map.camera_source is CameraSource.ASSUMED:
            return _ASSUMED_CAMERA
        return _NO_CAMERA if self.depth_map.camera is None else None
