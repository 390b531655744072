# SPDX-License-Identifier: Apache-2.0
"""Metres for a map that has none: from a known length, from two, or from the floor beneath a camera of known height.

Disparity ``d`` is inverse depth up to scale and shift, ``1 / z = s d + t`` (Depth Anything V2's training loss), and takes two facts;
relative depth takes one. What is found goes to :meth:`DepthMap.to_metric`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .errors import DepthKindError
from .floor_line import FloorLine, floor_inverse_depth, robust_centre, robust_line

Ray = tuple[float, float]
_Floats = npt.NDArray[np.float64]

_STEPS = np.linspace(-7.0, 14.0, 4201)
"""Where solutions are looked for, as logarithms of (the farthest end's inverse depth) / (the spread of inverse depth): from ends of which one
is 1100 times as far as the other to ends that differ by a millionth."""
_MAX_SENSITIVITY = 20.0
"""How many percent a depth may change when a length does by one. Two lengths across the picture reach it where one is 6 % farther."""


@dataclass(frozen=True, slots=True)
class ScaleShift:
    """``1 / metres = scale * disparity + shift``: the arguments of :meth:`DepthMap.to_metric`."""

    scale: float
    shift: float


@dataclass(frozen=True, slots=True)
class Measure:
    """A known length between two pixels: the disparity of each, its ray (x, y) with z = 1, as :meth:`CameraIntrinsics.ray_directions` has
    it, and the metres."""

    first_disparity: float
    first_ray: Ray
    second_disparity: float
    second_ray: Ray
    true_m: float

    def distance(self, shift_ratio: npt.ArrayLike) -> _Floats:
        """The length for a scale of 1 and each ``shift_ratio`` q = shift / scale: ``| r1 / (d1 + q) - r2 / (d2 + q) |``. A scale divides it."""
        ratio = np.asarray(shift_ratio, dtype=np.float64)
        first, second = 1 / (self.first_disparity + ratio), 1 / (self.second_disparity + ratio)
        x = self.first_ray[0] * first - self.second_ray[0] * second
        y = self.first_ray[1] * first - self.second_ray[1] * second
        return np.asarray(np.sqrt(x * x + y * y + (first - second) ** 2))

    def check(self) -> None:
        """Raises :class:`DepthKindError` for numbers that are not finite, a length that is not positive, and two points that are one."""
        numbers = (self.first_disparity, *self.first_ray, self.second_disparity, *self.second_ray)
        if not all(math.isfinite(number) for number in numbers):
            raise DepthKindError("A point of a measure has no depth; pick points where the map is valid.")
        _positive(self.true_m, "distance")
        if self.first_ray == self.second_ray and self.first_disparity == self.second_disparity:
            raise DepthKindError("The two points of a measure are one and the same; pick two different ones.")


def fit_scale(measured: float, true: float) -> float:
    """The factor that makes ``measured``, in the map's unit, ``true`` metres. Raises :class:`DepthKindError` for what is not positive."""
    return _positive(true, "true distance") / _positive(measured, "measured distance")


def fit_disparity_to_measures(first: Measure, second: Measure, *, least_disparity: float | None = None) -> ScaleShift:
    """The scale and shift that make both measures true.

    With q = shift / scale, each measure says ``scale = distance(q) / true_m``. So q is where the two agree, one equation in one unknown, which
    is followed over all q that put the four points in front of the camera; each sign change is refined by bisection. ``least_disparity``, the
    least of the whole map, rules out solutions that put other pixels behind the camera.

    Raises :class:`DepthKindError`, saying which other points to pick: when no solution or several fit, and when a small error of a length would
    become a large one of depth, as with two measures equally far away.
    """
    first.check()
    second.check()
    ends = np.array([first.first_disparity, first.second_disparity, second.first_disparity, second.second_disparity])
    spread = float(np.ptp(ends))
    if spread <= 1e-9 * float(np.abs(ends).max()):
        raise DepthKindError(
            "All four points are equally far away, which cannot tell the scale from the shift; "
            "measure one thing near the camera and one far from it."
        )
    farthest = float(ends.min())
    steps = _solutions(first, second, farthest, spread)
    ratios = [spread * math.exp(step) - farthest for step in steps]
    if least_disparity is not None and any(ratio + least_disparity >= 0 for ratio in ratios):
        ratios = [ratio for ratio in ratios if ratio + least_disparity >= 0]
    if not ratios:
        raise DepthKindError(
            "No scale and shift make both distances true; check them, and measure things that lie across the picture, one near and one far."
        )
    if len(ratios) > 1:
        raise DepthKindError(
            f"{len(ratios)} different scales fit these measures; measure things whose two ends are about equally far, one near and one far."
        )
    if _sensitivity(first, second, ends, ratios[0], farthest) > _MAX_SENSITIVITY:
        raise DepthKindError(
            "The two measures are too alike: an error of 1 % in one would change depth by more than 20 %; "
            "measure one thing near the camera and one at least twice as far."
        )
    scale = float(first.distance(ratios[0])) / first.true_m
    return ScaleShift(scale, scale * ratios[0])


def _solutions(first: Measure, second: Measure, farthest: float, spread: float) -> list[float]:
    """The steps, logarithms of (inverse depth of the farthest end) / spread, where both measures ask for the same scale."""
    length_ratio = math.log(first.true_m / second.true_m)

    def disagreement(step: _Floats) -> _Floats:
        ratio = spread * np.exp(step) - farthest
        # The two points of a measure differ in ray or disparity, so that they meet for no ratio: neither logarithm is of zero.
        return np.asarray(np.log(first.distance(ratio)) - np.log(second.distance(ratio)) - length_ratio)

    values = disagreement(_STEPS)
    crossings = np.flatnonzero((values[:-1] < 0) != (values[1:] < 0))
    low, high = _STEPS[crossings], _STEPS[crossings + 1]
    below = values[crossings] < 0
    for _ in range(60):
        middle = (low + high) / 2
        left = (disagreement(middle) < 0) == below
        low, high = np.where(left, middle, low), np.where(left, high, middle)
    return [float(root) for root in (low + high) / 2]


def _sensitivity(first: Measure, second: Measure, ends: _Floats, ratio: float, farthest: float) -> float:
    """The largest relative change of a depth for a relative change of one length: at the ends, half as near, and twice as far.

    With a step x as above, f(x) the disagreement and g(x) = log z when the first measure sets the scale: a change e of the first length
    moves x by e / f', and g by e (1 + g' / f'); one of the second by -e g' / f'.
    """
    step = 1e-4 * np.array([-1.0, 1.0])
    ends = np.append(ends, [2 * (float(np.max(ends)) + ratio) - ratio, (farthest + ratio) / 2 - ratio])
    ratios = (ratio + farthest) * np.exp(step) - farthest
    from_first, from_second = np.log(first.distance(ratios)), np.log(second.distance(ratios))
    slope = float(np.diff(from_first - from_second)[0])
    if slope == 0:
        return math.inf
    depth_slopes = np.diff(-np.log(ends[:, None] + ratios) - from_first, axis=1)[:, 0] / slope
    return float(max(np.abs(1 + depth_slopes).max(), np.abs(depth_slopes).max()))


# ---- the floor ------------------------------------------------------------------------------------------------------


def fit_disparity_to_floor(disparity: npt.ArrayLike, rays_y: npt.ArrayLike, camera_height_m: float, pitch_deg: float = 0.0) -> ScaleShift:
    """The scale and shift that lay the floor level, ``camera_height_m`` below the camera.

    ``disparity`` and ``rays_y``, arrays of one shape: the pixels selected as floor and the y of their rays (z = 1, y down). ``pitch_deg``: how
    far the camera looks down, negative when up. ``1 / z`` of the floor is known (:func:`~.floor_line.floor_inverse_depth`); the line from it to
    the disparity is fitted robustly: up to almost half of the pixels may be something else. The result is the same each time.

    Raises :class:`DepthKindError` when what was selected is no level floor.
    """
    seen, floor = _below_horizon(disparity, rays_y, camera_height_m, pitch_deg)
    line = robust_line(floor, seen)
    span = float(np.subtract(*np.percentile(floor, (95, 5))))
    if line.slope * span <= 10 * line.spread or line.slope * span <= 1e-6 * float(np.ptp(seen)):
        raise DepthKindError(
            "The selection is no level floor: its disparity does not grow evenly towards the camera; select floor alone, near and far, "
            "and check the camera's pitch."
        )
    return _scale_of(line)


def fit_relative_to_floor(depth: npt.ArrayLike, rays_y: npt.ArrayLike, camera_height_m: float, pitch_deg: float = 0.0) -> float:
    """The scale that lays the floor of a map of RELATIVE depth ``camera_height_m`` below the camera; see :func:`fit_disparity_to_floor`.

    Each pixel of the floor says ``h / (z (y cos p + sin p))``; taken is the centre of the closest half of them. Raises :class:`DepthKindError`
    when that half reaches farther than 10 % from it.
    """
    seen, floor = _below_horizon(depth, rays_y, camera_height_m, pitch_deg, positive=True)
    centre, half_width = robust_centre(-np.log(seen * floor))
    if half_width > 0.1:
        raise DepthKindError(
            "The selection is no level floor at one height below the camera; select floor alone, near and far, and check the camera's pitch."
        )
    return math.exp(centre)


def _scale_of(line: FloorLine) -> ScaleShift:
    """From ``disparity = slope * inverse_depth + offset`` to ``inverse_depth = scale * disparity + shift``."""
    return ScaleShift(1 / line.slope, -line.offset / line.slope)


def _below_horizon(
    values: npt.ArrayLike, rays_y: npt.ArrayLike, camera_height_m: float, pitch_deg: float, positive: bool = False
) -> tuple[_Floats, _Floats]:
    """The usable values and the inverse depth that the floor has there: float64 (N,) each."""
    _positive(camera_height_m, "height of the camera")
    if not -90 < pitch_deg < 90:
        raise DepthKindError(f"A camera pitched by {pitch_deg:g} degrees looks straight down or up; give degrees between -90 and 90.")
    seen, rays = np.asarray(values, dtype=np.float64).ravel(), np.asarray(rays_y, dtype=np.float64).ravel()
    if seen.shape != rays.shape:
        raise ValueError(f"{seen.size} values and {rays.size} rays; there is one ray for each value")
    floor = floor_inverse_depth(rays, camera_height_m, pitch_deg)
    usable = np.isfinite(seen) & np.isfinite(floor) & (floor > 0)
    if positive:
        usable &= seen > 0
    seen, floor = seen[usable], floor[usable]
    if seen.size < 20:
        raise DepthKindError(
            f"Only {seen.size} pixels of the selection have depth and lie below the horizon; select more of the floor, "
            "or check the camera's pitch."
        )
    low, high = np.percentile(floor, (5, 95))
    if high < 1.1 * low:
        raise DepthKindError("The selection covers too few rows of the picture; select floor both near the camera and farther away.")
    return seen, floor


def _positive(value: float, name: str) -> float:
    if not math.isfinite(value) or value <= 0:
        raise DepthKindError(f"The {name} is {value:g}; give a positive number of metres.")
    return value
