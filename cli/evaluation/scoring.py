# SPDX-License-Identifier: Apache-2.0
"""One estimate against the truth of its picture, in all figures at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...engines.depth_edges import boundary_f1, edge_f1
from ...engines.depth_map import DepthKind, DepthMap
from ...engines.depth_metrics import Alignment, align, depth_errors
from .samples import BoolArray, Sample

DEPTH_STEPS_M = 0.25 * 2.0 ** (np.arange(25) / 2)
"""Ends of the ranges of true depth that errors are told for, 0.25 m to 1 km, each sqrt(2) times the one before; what lies outside counts
in the first or last range."""

DENSE = 0.5
"""Sharpness is told where truth fills at least this share of its box: between a laser's single points there are no edges to find."""

_NAN = math.nan


@dataclass(frozen=True, slots=True)
class Score:
    """NaN stands for a figure that does not exist here. See :mod:`.figures` for what each is.

    ``compared``: how many pixels errors are over. ``coverage``: their share of the counted ones, less than 1 where the model said no depth.
    ``scale``: median of truth / estimate as the model gave it; NaN for disparity. ``sky_both`` and ``sky_either``: pixels that truth and
    estimate both, or either, call sky; none where one of them does not tell. ``profile``: for each range of true depth with pixels its
    place in :data:`DEPTH_STEPS_M`, the pixels, and the sums of |d - t| / t and of (d - t) / t over them.
    """

    compared: int
    coverage: float
    scale: float
    abs_rel: float
    sq_rel: float
    rmse: float
    rmse_log: float
    delta1: float
    delta2: float
    delta3: float
    edge_f1: float
    boundary_f1: float
    sky_both: int
    sky_either: int
    profile: tuple[tuple[int, int, float, float], ...]

    @property
    def sky_iou(self) -> float:
        """Intersection over union; NaN where there is no sky."""
        return self.sky_both / self.sky_either if self.sky_either else _NAN

    def to_json(self) -> dict[str, Any]:
        """A mapping that :meth:`from_json` reads back; null for NaN."""
        return {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in asdict(self).items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Score:
        known: dict[str, Any] = {key: _NAN if value is None else value for key, value in data.items() if key != "profile"}
        steps = tuple((int(step), int(pixels), float(far), float(bias)) for step, pixels, far, bias in data["profile"])
        return cls(**known, profile=steps)


def aligned_depth(
    sample: Sample, depth: DepthMap, alignment: Alignment, clamp_m: tuple[float, float] | None
) -> tuple[npt.NDArray[np.float64], BoolArray]:
    """The estimate in metres, float64 (H, W), and the pixels that it can be compared at: counted ones of which it says a depth (the far
    depth that models give to sky included: who takes a wall for sky is wrong there).

    Raises :class:`DepthKindError` as :func:`~....engines.depth_metrics.align`. ``clamp_m``: the range that a protocol cuts estimates to.
    """
    compared = sample.counted & depth.kind.holds(depth.values)
    metres = align(depth.values, sample.depth_m, depth.kind, alignment, compared)
    return (metres if clamp_m is None else np.clip(metres, *clamp_m)), compared


def score(sample: Sample, depth: DepthMap, alignment: Alignment, clamp_m: tuple[float, float] | None = None) -> Score:
    """All figures of one estimate, after what ``alignment`` fits. Raises :class:`DepthKindError` where the kind cannot be compared so."""
    metres, compared = aligned_depth(sample, depth, alignment, clamp_m)
    counted = int(np.count_nonzero(sample.counted))
    errors = depth_errors(metres, sample.depth_m, compared)
    sharp = errors.pixels > 0 and _is_dense(sample)
    return Score(
        compared=errors.pixels,
        coverage=errors.pixels / counted if counted else _NAN,
        scale=_scale(sample, depth, compared),
        abs_rel=errors.abs_rel,
        sq_rel=errors.sq_rel,
        rmse=errors.rmse,
        rmse_log=errors.rmse_log,
        delta1=errors.delta1,
        delta2=errors.delta2,
        delta3=errors.delta3,
        edge_f1=edge_f1(metres, sample.depth_m, compared) if sharp else _NAN,
        boundary_f1=float(boundary_f1(metres, sample.depth_m, compared)) if sharp else _NAN,
        sky_both=_count(sample, depth, np.logical_and),
        sky_either=_count(sample, depth, np.logical_or),
        profile=_profile(metres[compared], sample.depth_m[compared]),
    )


def _count(sample: Sample, depth: DepthMap, combine: np.ufunc) -> int:
    told = sample.sky is not None and depth.sky is not None
    return int(np.count_nonzero(combine(depth.sky_mask, sample.sky))) if told else 0


def _is_dense(sample: Sample) -> bool:
    rows, columns = (np.flatnonzero(sample.counted.any(axis=axis)) for axis in (1, 0))
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    known = sample.counted[box] if sample.sky is None else sample.counted[box] | sample.sky[box]
    return bool(known.mean() >= DENSE)


def _scale(sample: Sample, depth: DepthMap, compared: BoolArray) -> float:
    if depth.kind is DepthKind.DISPARITY or not compared.any():
        return _NAN
    return float(np.median(sample.depth_m[compared] / depth.values[compared].astype(np.float64)))


def _profile(estimate: npt.NDArray[np.float64], truth: npt.NDArray[np.float32]) -> tuple[tuple[int, int, float, float], ...]:
    ranges = len(DEPTH_STEPS_M) - 1
    steps = np.clip(np.searchsorted(DEPTH_STEPS_M, truth, side="right") - 1, 0, ranges - 1)
    off = estimate / truth - 1
    pixels = np.bincount(steps, minlength=ranges)
    far, bias = (np.bincount(steps, weights=part, minlength=ranges) for part in (np.abs(off), off))
    return tuple((int(step), int(pixels[step]), float(far[step]), float(bias[step])) for step in np.flatnonzero(pixels))
