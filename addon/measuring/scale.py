# SPDX-License-Identifier: GPL-3.0-or-later
"""The true size of a built object, from a distance somebody knows: between two of its points, or from the camera down to the floor.

Depth takes one factor, the live Scale slider. Disparity takes a scale and a shift, ``1 / depth = scale * disparity + shift``: the first
distance gives a factor only, and the second one both, from which the object is built anew.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from ...engines.camera import CameraIntrinsics
from ...engines.depth_map import SKY_THRESHOLD, DepthKind
from ...engines.errors import DepthKindError
from ...engines.floor_line import floor_inverse_depth
from ...engines.scale_fit import (
    Measure,
    ScaleShift,
    fit_disparity_to_floor,
    fit_disparity_to_measures,
    fit_relative_to_floor,
    fit_scale,
)
from ..backfill import rebuild_backfill
from ..build import matched_camera
from ..camera import set_clipping
from ..nodes.inputs import carrier_modifier, get_input, input_names, set_input
from ..prepare import Conversion
from ..provenance import NotBuiltError, Provenance, mark_metric, read_provenance
from ..rebuild import options_of, prepare_again, rebuild
from .live_shape import LiveShape, uniform_scale

_MEASURES = "depthbridge_measures"
_MOST_METRES = 1e7
# Shares of the picture's height, from below, in which the floor is looked for.
_BANDS = (1 / 3, 1 / 4, 1 / 6, 1 / 10)
# So much of it has to lie as far below the camera as it should, to within this share.
_MOSTLY, _FLATNESS = 0.6, 0.1


def scale_from_points(built: bpy.types.Object, first: int, second: int, true_m: float) -> str:
    """Make the vertices ``first`` and ``second`` of the carrier lie ``true_m`` metres apart in the world; a sentence about what changed.

    Raises a ``DepthbridgeError``, and changes nothing then, for an object without live lengths, for vertices that do not exist, are sky
    or lie in one place, and for measures of disparity that contradict each other.
    """
    known, shape = _measurable(built)
    _require_metres(true_m, "distance")
    now_m = shape.world_distance(first, second)
    factor = fit_scale(now_m, true_m)
    if known.kind is not DepthKind.DISPARITY:
        _multiply(built, factor)
        mark_metric(built)
        return f"{_ways(known, factor)}: the two points are {true_m:g} m apart."
    measure = _measure(built, known, shape, first, second, true_m)
    earlier = _other_measures(built, measure)
    if earlier:
        stored = known.depth_map()
        least = float(np.min(stored.values[stored.valid]))
        fitted = fit_disparity_to_measures(earlier[-1], measure, least_disparity=least)
        _convert(built, known, fitted)
        _keep_measures(built, [earlier[-1], measure])
        return f"Two distances give the scale and the shift: {built.name} is in metres now."
    _multiply(built, factor)
    _keep_measures(built, [measure])
    if known.conversion is not None and known.conversion.guessed:
        return (
            f"The two points are {true_m:g} m apart; measure a second distance, nearer or farther, to make the shape true."
        )
    return f"{_ways(known, factor)}: the two points are {true_m:g} m apart."


def scale_from_floor(
    built: bpy.types.Object, camera_height_m: float, pitch_deg: float = 0.0, vertices: npt.NDArray[np.int64] | None = None
) -> str:
    """Scale ``built`` so that the camera is ``camera_height_m`` metres above the floor; a sentence about what changed.

    ``pitch_deg``: how far the camera looked down, in degrees; 0 is level. ``vertices``: indices of carrier vertices on the floor; None looks
    for it in the lower third of the picture. Raises a ``DepthbridgeError``, and changes nothing then, when there is no floor.
    """
    known, shape = _measurable(built)
    _require_metres(camera_height_m, "height of the camera")
    if not -89 <= pitch_deg <= 89:
        raise DepthKindError(f"A camera pitched by {pitch_deg:g} degrees sees no floor below it; give -89 to 89, 0 for a level one.")
    floor = _Floor(known, shape, camera_height_m / uniform_scale(built), pitch_deg)
    found = floor.of(np.isin(np.arange(len(shape.depth)), vertices)) if vertices is not None else floor.below(known.camera)
    if isinstance(found, ScaleShift):
        _convert(built, known, found)
        built.pop(_MEASURES, None)
        return f"The floor gives the scale and the shift: {built.name} is in metres now, the camera {camera_height_m:g} m above the floor."
    factor = found / shape.scale
    _multiply(built, factor)
    mark_metric(built)
    return f"{_ways(known, factor)}: the camera is {camera_height_m:g} m above the floor."


def why_not_measurable(item: bpy.types.Object | None) -> str | None:
    """Why the lengths of an object cannot be measured; None when they can. Cheap: for a poll."""
    modifier = carrier_modifier(item)
    if item is None or modifier is None:
        return "Select an object that Depthbridge built and whose sliders were not applied"
    if "Depth Sequence" in input_names(modifier):
        return "An object that plays cannot be measured; set its Scale"
    if "Scale" not in input_names(modifier):
        return "A relief has no true lengths; rebuild it as a perspective mesh or as points"
    return None


def measures_made(built: bpy.types.Object) -> int:
    """How many distances of an object from disparity are kept: 1 waits for a second one."""
    return len(_measures(built))


def _measurable(built: bpy.types.Object) -> tuple[Provenance, LiveShape]:
    known = read_provenance(built)
    why = why_not_measurable(built)
    if why is not None:
        raise NotBuiltError(f"{built.name} cannot be scaled by a measure. {why}.")
    return known, LiveShape.of(built)


def _require_metres(value: float, what: str) -> None:
    if not math.isfinite(value) or not 0 < value < _MOST_METRES:
        raise DepthKindError(f"The {what} is {value:g} m; give a positive number of metres.")


def _ways(known: Provenance, factor: float) -> str:
    """What multiplying the depth means for an object of this kind."""
    if known.unit == "m":
        return f"Corrected the metres by a factor of {factor:.4g}"
    return f"In metres now, {factor:.4g} times as large"


def _multiply(built: bpy.types.Object, factor: float) -> None:
    """All live lengths times ``factor``: the cuts go along, so that what is cut stays cut."""
    modifier = carrier_modifier(built)
    for name in ("Scale", "Sky Distance", "Depth Min", "Depth Max"):
        set_input(modifier, name, get_input(modifier, name) * factor)
    camera = matched_camera(built)
    if camera is not None:
        data: Any = camera.data
        set_clipping(camera, 2 * data.clip_start * factor, data.clip_end / 4 * factor)


# ---- the floor ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Floor:
    """A level floor ``height`` below the camera, in units of the object, and the carrier that shows it somewhere."""

    known: Provenance
    shape: LiveShape
    height: float
    pitch_deg: float

    def below(self, camera: CameraIntrinsics) -> ScaleShift | float:
        """The fit to the lower third of the picture, or to a lower band where a wall takes too much of that."""
        refused: DepthKindError | None = None
        for share in _BANDS:
            line = camera.height * (1 - share)
            try:
                return self.of(self.shape.rays_y * np.float32(camera.fy) + np.float32(camera.cy) >= np.float32(line))
            except DepthKindError as error:
                refused = refused or error
        assert refused is not None
        raise refused

    def of(self, vertices: npt.NDArray[np.bool_]) -> ScaleShift | float:
        """The fit to ``vertices``, bool (V,). Raises :class:`DepthKindError` when they are no floor."""
        chosen = vertices & (self.shape.sky < SKY_THRESHOLD)
        depth, rays_y = self.shape.depth[chosen].astype(np.float64), self.shape.rays_y[chosen].astype(np.float64)
        if self.known.kind is DepthKind.DISPARITY:
            disparity = _disparity(depth, self.known)
            fitted = fit_disparity_to_floor(disparity, rays_y, self.height, self.pitch_deg)
            self._check(fitted.scale * disparity + fitted.shift, rays_y)
            return fitted
        factor = fit_relative_to_floor(depth, rays_y, self.height, self.pitch_deg)
        self._check(1 / (depth * factor), rays_y)
        return factor

    def _check(self, inverse_depth: npt.NDArray[np.float64], rays_y: npt.NDArray[np.float64]) -> None:
        """A wall that takes half of what was looked at passes for a floor of another height and shape; a floor is most of it."""
        expected = floor_inverse_depth(rays_y, self.height, self.pitch_deg)
        share = float(np.mean(np.abs(inverse_depth - expected) <= _FLATNESS * np.abs(expected)))
        if share < _MOSTLY:
            raise DepthKindError(
                f"Only {share:.0%} of what was looked at is level floor; select the floor's vertices in Edit Mode, or check the camera's pitch."
            )


# ---- disparity ---------------------------------------------------------------------------------------------------------


def _convert(built: bpy.types.Object, known: Provenance, fitted: ScaleShift) -> None:
    """Build anew from the stored disparity with a measured scale and shift. The cuts of depth stay at the same places of the picture."""
    conversion = Conversion(fitted.scale, fitted.shift, guessed=False)
    modifier = carrier_modifier(built)
    scale = get_input(modifier, "Scale")
    limits = {
        option: _converted(get_input(modifier, name) / scale if scale > 0 else 0.0, known, conversion)
        for option, name in (("nearest", "Depth Min"), ("farthest", "Depth Max"))
    }
    prepared = prepare_again(built, options_of(built, **limits), conversion=conversion)
    rebuild(built, prepared)
    set_input(carrier_modifier(built), "Scale", 1.0)
    rebuild_backfill(built, prepared)


def _converted(depth: float, known: Provenance, conversion: Conversion) -> float | None:
    """Where a limit at ``depth`` lies after the conversion; None for no limit, and for one that no depth answers to."""
    if not depth > 0:
        return None
    inverse = float(_disparity(np.array([depth]), known)[0]) * conversion.scale + conversion.shift
    return 1 / inverse if inverse > 0 else None


def _disparity(depth: npt.NDArray[np.float64], known: Provenance) -> npt.NDArray[np.float64]:
    """What the model gave where the object, at a Scale of 1, has this depth."""
    assert known.conversion is not None
    return (1 / depth - known.conversion.shift) / known.conversion.scale


def _measure(built: bpy.types.Object, known: Provenance, shape: LiveShape, first: int, second: int, true_m: float) -> Measure:
    disparity = _disparity(shape.depth[[first, second]].astype(np.float64), known)
    rays = [(float(shape.rays[index, 0]), float(shape.rays_y[index])) for index in (first, second)]
    return Measure(float(disparity[0]), rays[0], float(disparity[1]), rays[1], true_m / uniform_scale(built))


def _other_measures(built: bpy.types.Object, new: Measure) -> list[Measure]:
    """Those made earlier, without one of the same two points: measuring again replaces."""
    ends = {new.first_ray, new.second_ray}
    return [measure for measure in _measures(built) if {measure.first_ray, measure.second_ray} != ends]


def _measures(built: bpy.types.Object) -> list[Measure]:
    try:
        return [
            Measure(float(one), (float(a), float(b)), float(two), (float(c), float(d)), float(metres))
            for one, (a, b), two, (c, d), metres in json.loads(built.get(_MEASURES, "[]"))
        ]
    except (TypeError, ValueError):
        return []  # edited by hand


def _keep_measures(built: bpy.types.Object, measures: list[Measure]) -> None:
    built[_MEASURES] = json.dumps([[m.first_disparity, m.first_ray, m.second_disparity, m.second_ray, m.true_m] for m in measures])
