# SPDX-License-Identifier: Apache-2.0
"""A frame measured: its objects, how the map came to its unit, and doubts about what was sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...engines.depth_map import DepthKind, DepthMap
from ..results import DistanceFit, ObjectResult
from .extents import World
from .flip import mask_is_flipped
from .known_distances import fit_known_distances
from .measure import answer_objects, check_shape, require_metric
from .pixels import Mask, MaskObjects
from .records import ObjectRecord

MAX_UNLISTED = 100
"""How many mask values that no record names are listed; their pixels are counted all the same."""

_FLIPPED = (
    "The mask seems to be upside down against the picture: its outlines lie on the picture's edges when it is turned over; check the origin "
    "of both."
)


@dataclass(frozen=True, slots=True, eq=False)
class FrameMeasure:
    """What is said of a frame, in the order of its records.

    ``kind`` is the model's map's; ``unit`` that of all lengths: ``m``, or ``relative``. ``depth_map`` is the map that was measured, fitted where
    known distances were given. ``mask_values`` belong to ``objects``, one each. ``unlisted``: mask values that no record names.
    """

    kind: DepthKind
    unit: str
    fit: DistanceFit | None
    mask_flip_suspected: bool | None
    warnings: tuple[str, ...]
    unlisted: tuple[int, ...]
    unlisted_pixels: int
    objects: tuple[ObjectResult, ...]
    mask_values: tuple[int, ...]
    depth_map: DepthMap

    def to_json(self) -> dict[str, Any]:
        """The keys of the protocol's ``result`` that come from measuring."""
        return {
            "kind": str(self.kind),
            "unit": self.unit,
            "fit": None if self.fit is None else self.fit.to_json(),
            "mask_flip_suspected": self.mask_flip_suspected,
            "warnings": list(self.warnings),
            "unlisted": list(self.unlisted),
            "unlisted_pixels": self.unlisted_pixels,
            "objects": [item.to_json() for item in self.objects],
        }


def measure_frame(
    depth_map: DepthMap,
    mask: Mask | MaskObjects,
    records: Sequence[ObjectRecord] | None = None,
    *,
    extrinsics: npt.ArrayLike | None = None,
    image: npt.NDArray[np.uint8] | None = None,
) -> FrameMeasure:
    """Everything that is said of a frame.

    ``mask``: integers (H,W) of the map's size, 0 is background. ``records``: what to measure, in this order; None for each value in the mask,
    ascending. ``extrinsics``: world to camera, 3 rows of 4, metres. ``image``: upright uint8 RGB (H,W,3), to see whether the mask lies on it
    upside down; None leaves that open. Raises :class:`NoMetricDepthError` as :func:`~.measure.require_metric`, unless a record has a known
    distance, and as :func:`~.known_distances.fit_known_distances`; :class:`ValueError` for a mask or image of another shape or type.
    """
    objects = mask if isinstance(mask, MaskObjects) else MaskObjects.of(mask)
    check_shape(depth_map, objects)
    if records is None:
        records = [ObjectRecord(value, value) for value in objects.ids.tolist()]
    kind, fit, warnings = depth_map.kind, None, []
    if any(record.known_distance_m is not None for record in records):
        fitted = fit_known_distances(depth_map, objects, records)
        depth_map, fit, warnings = fitted.depth_map, fitted.fit, list(fitted.warnings)
    else:
        require_metric(depth_map)
        warnings += _no_metres(depth_map)
    flipped = None if image is None else mask_is_flipped(image, objects.mask)
    if flipped:
        warnings.append(_FLIPPED)
    listed = np.array([record.mask_value for record in records], dtype=np.int64)
    others = ~np.isin(objects.ids, listed)
    return FrameMeasure(
        kind=kind,
        unit="m" if depth_map.kind is DepthKind.METRIC else "relative",
        fit=fit,
        mask_flip_suspected=flipped,
        warnings=tuple(warnings),
        unlisted=tuple(objects.ids[others][:MAX_UNLISTED].tolist()),
        unlisted_pixels=int(objects.counts[others].sum()),
        objects=tuple(answer_objects(depth_map, objects, records, None if extrinsics is None else World.of(extrinsics))),
        mask_values=tuple(record.mask_value for record in records),
        depth_map=depth_map,
    )


def _no_metres(depth_map: DepthMap) -> list[str]:
    """A sentence on what the unit ``relative`` means, and how to leave it."""
    if depth_map.kind is DepthKind.METRIC:
        return []
    if depth_map.kind is DepthKind.RELATIVE:
        known, lengths = "the known distance of an object", "all lengths are up to one unknown scale"
    else:
        known, lengths = "the known distances of two objects, one near and one far", "there are no lengths"
    return [f"The model {depth_map.model_id} gives {depth_map.kind} depth: {lengths}. Send {known}, or choose a metric model."]
