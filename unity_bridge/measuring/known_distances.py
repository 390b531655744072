# SPDX-License-Identifier: Apache-2.0
"""Metres from objects whose distance is known: a map of any kind fitted to them, robustly where there are several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...engines.depth_map import DepthKind, DepthMap
from ...engines.errors import DepthKindError
from ...engines.scale_fit import ScaleShift, fit_scale
from ..errors import NoMetricDepthError
from ..results import DistanceFit, ObjectResult
from .measure import answer_objects
from .pixels import MaskObjects
from .records import ObjectRecord

Doubles = npt.NDArray[np.float64]

# Of many known objects so many are enough, evenly taken from all: a line needs every pair of them.
_MOST_OBJECTS = 500
# Disparities that differ by less, as a part of the largest, are of things equally far away.
_SAME_DISPARITY = 1e-3
_LARGE_RESIDUAL = 0.1
_LARGE_SCALE = 1.5


@dataclass(frozen=True, slots=True, eq=False)
class FittedMap:
    """A map in metres, how it came to be, and sentences on what is odd about it."""

    depth_map: DepthMap
    fit: DistanceFit
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Known:
    """An object that can be fitted by: the median of its pixels in the map, and its true one."""

    record: ObjectRecord
    measured: float
    true_m: float


def fit_known_distances(depth_map: DepthMap, objects: MaskObjects, records: Sequence[ObjectRecord]) -> FittedMap:
    """The map in metres, by those ``records`` that have a ``known_distance_m``: the planar distance at the median of their pixels.

    Metric and relative maps get one scale, the median of the ratios. Disparity gets a scale and a shift: the line through two objects, and of
    more the one of Theil and Sen (Sen 1968) between disparity and inverse distance, which three in ten wrong distances leave where it is.
    Raises :class:`NoMetricDepthError`, naming the objects, when no fit makes sense.
    """
    named = [record for record in records if record.known_distance_m is not None]
    known, unseen = _known(depth_map, objects, named)
    if not known:
        raise NoMetricDepthError(
            f"{_ids(named)} of known distance: no depth was found on its pixels, so nothing can be fitted; name an object that is in view."
        )
    try:
        if depth_map.kind is DepthKind.DISPARITY:
            line = _line(known)
            scale, shift = line.scale, line.shift
        else:
            scale, shift = float(np.median([fit_scale(item.measured, item.true_m) for item in known])), None
        # What is too large for single precision becomes infinite, and is then not measured.
        with np.errstate(over="ignore", under="ignore"):
            fitted = depth_map.to_metric(scale, shift or 0.0)
    except NoMetricDepthError:
        raise
    except DepthKindError as error:
        raise NoMetricDepthError(f"The known distances of {_ids([item.record for item in known])} cannot be fitted: {error}") from error
    residuals = _residuals(fitted, objects, known)
    fit = DistanceFit(scale, shift, tuple(item.record.id for item in known), float(np.abs(residuals).max()))
    return FittedMap(fitted, fit, (*unseen, *_doubts(depth_map, known, residuals, scale)))


def _known(depth_map: DepthMap, objects: MaskObjects, named: Sequence[ObjectRecord]) -> tuple[list[_Known], list[str]]:
    """Those with depth, and a sentence on those without."""
    found = answer_objects(depth_map, objects, named)
    known = [
        _Known(record, spread.median, float(record.known_distance_m or 0.0))
        for record, item in zip(named, found, strict=True)
        if (spread := item.disparity or item.distance) is not None
    ]
    without = [record for record, item in zip(named, found, strict=True) if item.disparity is None and item.distance is None]
    return known, [f"{_ids(without)} of known distance: no depth was found on its pixels, so it was not fitted by."] if without else []


def _line(known: Sequence[_Known]) -> ScaleShift:
    """``1 / metres = scale * disparity + shift``."""
    names = _ids([item.record for item in known])
    if len(known) > _MOST_OBJECTS:
        known = [known[place] for place in np.linspace(0, len(known) - 1, _MOST_OBJECTS).astype(int)]
    disparity = np.array([item.measured for item in known])
    inverse = 1.0 / np.array([item.true_m for item in known])
    if len(known) < 2 or np.ptp(disparity) <= _SAME_DISPARITY * np.abs(disparity).max():
        raise NoMetricDepthError(
            f"The known distance of {names} cannot tell the scale of this model's disparity from its shift; send those of two objects or more, "
            "one near and one far."
        )
    first, second = np.triu_indices(len(known), k=1)
    run = disparity[second] - disparity[first]
    apart = np.abs(run) > _SAME_DISPARITY * np.abs(disparity).max()
    scale = float(np.median((inverse[second] - inverse[first])[apart] / run[apart]))
    shift = float(np.median(inverse - scale * disparity))
    if not np.isfinite(scale) or not np.isfinite(shift) or scale <= 0 or np.any(scale * disparity + shift <= 0):
        raise NoMetricDepthError(
            f"No scale and shift of this model's disparity make the known distances of {names} true: farther ones look nearer to it; check them."
        )
    return ScaleShift(scale, shift)


def _residuals(fitted: DepthMap, objects: MaskObjects, known: Sequence[_Known]) -> Doubles:
    """``measured / known - 1`` of each, measured on the fitted map."""
    after: list[ObjectResult] = answer_objects(fitted, objects, [item.record for item in known])
    medians = [item.distance.median if item.distance is not None else np.nan for item in after]
    residuals: Doubles = np.array(medians) / np.array([item.true_m for item in known]) - 1.0
    if not np.isfinite(residuals).all():
        raise NoMetricDepthError(
            f"The known distances of {_ids([item.record for item in known])} leave no depth on their own pixels; check that they are in metres."
        )
    return residuals


def _doubts(depth_map: DepthMap, known: Sequence[_Known], residuals: Doubles, scale: float) -> list[str]:
    doubts = []
    worst = int(np.argmax(np.abs(residuals)))
    if abs(residuals[worst]) > _LARGE_RESIDUAL:
        doubts.append(
            f"Fitted to all known distances, {_ids([known[worst].record])} is still {residuals[worst]:+.0%} off the "
            f"{known[worst].true_m:g} m given for it; check the known distances, and that each is planar, to the median of the object's pixels."
        )
    if depth_map.kind is DepthKind.METRIC and not 1 / _LARGE_SCALE <= scale <= _LARGE_SCALE:
        doubts.append(
            f"By the known distances everything is {scale:.3g} times as far as the model says, which is metric; check them, and the camera."
        )
    return doubts


def _ids(records: Sequence[ObjectRecord]) -> str:
    shown = ", ".join(str(record.id)[:40] for record in records[:5])
    more = f" and {len(records) - 5} more" if len(records) > 5 else ""
    return f"{'objects' if len(records) > 1 else 'object'} {shown}{more}"
