# SPDX-License-Identifier: Apache-2.0
"""How far an estimated depth map is from the truth, in the field's own measures, each with its source.

Maps are (H, W), or (N,) picked pixels where nothing else is said. Truth is planar depth, positive; pixels that have none, or sky, are
left out by a mask. Nothing here knows a model, a file or a data set.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from .depth_map import DepthKind
from .errors import DepthKindError

Floats = npt.NDArray[np.floating[Any]]
Mask = npt.NDArray[np.bool_]
_Doubles = npt.NDArray[np.float64]

DELTA = 1.25
"""The ratio below which a pixel counts for delta1; its square and cube for delta2 and delta3."""


class Alignment(StrEnum):
    """What is fitted to the truth, once per picture, before errors are taken."""

    NONE = "none"
    SCALE = "scale"
    SCALE_SHIFT = "scale-shift"


@dataclass(frozen=True, slots=True)
class DepthErrors:
    """Eigen, Puhrsch and Fergus (NIPS 2014), section 4.3, over n pixels; d estimated, t true, in the truth's unit (u)."""

    pixels: int
    abs_rel: float
    """mean(|d - t| / t)"""
    sq_rel: float
    """mean((d - t)^2 / t), u"""
    rmse: float
    """sqrt(mean((d - t)^2)), u"""
    rmse_log: float
    """sqrt(mean((ln d - ln t)^2))"""
    delta1: float
    """Share of pixels with max(d / t, t / d) < 1.25; delta2 and delta3 with its square and cube."""
    delta2: float
    delta3: float


def depth_errors(estimate: Floats, truth: Floats, valid: Mask | None = None) -> DepthErrors:
    """The errors over the pixels ``valid`` (all, by default). All NaN where there is none.

    Raises ValueError for shapes that differ, and for pixels to be counted that are not positive and finite.
    """
    d, t = _picked(estimate, truth, valid)
    if not d.size:
        nan = float("nan")
        return DepthErrors(0, nan, nan, nan, nan, nan, nan, nan)
    difference, log_ratio = d - t, np.log(d / t)
    ratio = np.exp(np.abs(log_ratio))
    squared = difference * difference
    return DepthErrors(
        pixels=d.size,
        abs_rel=float(np.mean(np.abs(difference) / t)),
        sq_rel=float(np.mean(squared / t)),
        rmse=float(np.sqrt(np.mean(squared))),
        rmse_log=float(np.sqrt(np.mean(log_ratio * log_ratio))),
        delta1=float(np.mean(ratio < DELTA)),
        delta2=float(np.mean(ratio < DELTA**2)),
        delta3=float(np.mean(ratio < DELTA**3)),
    )


def align(values: Floats, truth: Floats, kind: DepthKind, alignment: Alignment, valid: Mask | None = None) -> _Doubles:
    """``values``, of that kind, as depth in the truth's unit: float64 of their shape, fitted over the pixels ``valid`` (all, by default).

    SCALE: times the median of truth / values (Zhou et al., CVPR 2017, section 4.1). SCALE_SHIFT: least squares (Ranftl et al., TPAMI 2022,
    section 5.1) in the space where the kind is known up to both: inverse depth for disparity, depth for depth. What the shift moves
    out of the truth's own range of depth is put at its nearest or farthest end there, as a benchmark's cap does.

    Raises :class:`DepthKindError` where the kind cannot be compared so: relative depth without a scale, disparity without a shift.
    """
    lacks_scale = kind is not DepthKind.METRIC and alignment is Alignment.NONE
    if lacks_scale or (kind is DepthKind.DISPARITY and alignment is not Alignment.SCALE_SHIFT):
        needed = "scale-shift" if kind is DepthKind.DISPARITY else "scale or scale-shift"
        raise DepthKindError(f"A map of {kind} has no metres to compare; align it by {needed}, not {alignment}.")
    everywhere = np.asarray(values, np.float64)
    if alignment is Alignment.NONE:
        return everywhere
    picked = np.ones(everywhere.shape, np.bool_) if valid is None else valid
    v, t = everywhere[picked], np.asarray(truth, np.float64)[picked]
    if not v.size:
        return everywhere
    if alignment is Alignment.SCALE:
        return np.asarray(everywhere * np.median(t / v), np.float64)
    inverse = kind is DepthKind.DISPARITY
    scale, shift = _least_squares(v, 1 / t if inverse else t)
    fitted, ends = everywhere * scale + shift, (float(np.min(t)), float(np.max(t)))
    if inverse:
        return np.asarray(1 / np.clip(fitted, 1 / ends[1], 1 / ends[0]), np.float64)
    return np.asarray(np.clip(fitted, *ends), np.float64)


def sky_iou(estimate: Mask, truth: Mask) -> float:
    """Intersection over union of two sky masks; NaN where neither has any."""
    union = int(np.count_nonzero(estimate | truth))
    return int(np.count_nonzero(estimate & truth)) / union if union else float("nan")


def _picked(estimate: Floats, truth: Floats, valid: Mask | None) -> tuple[_Doubles, _Doubles]:
    if estimate.shape != truth.shape or (valid is not None and valid.shape != truth.shape):
        shapes = f"{estimate.shape}, {truth.shape}" + ("" if valid is None else f", {valid.shape}")
        raise ValueError(f"estimate, truth and mask differ in shape: {shapes}")
    d, t = np.asarray(estimate, np.float64), np.asarray(truth, np.float64)
    d, t = (d.ravel(), t.ravel()) if valid is None else (d[valid], t[valid])
    for name, found in (("estimate", d), ("truth", t)):
        if not (np.isfinite(found).all() and (found > 0).all()):
            raise ValueError(f"the {name} has pixels to be counted that are not positive and finite; leave them out by the mask")
    return d, t


def _least_squares(values: _Doubles, truth: _Doubles) -> tuple[float, float]:
    """Scale and shift with the least sum of (scale * values + shift - truth)^2; a flat map gets the truth's mean."""
    centred = values - values.mean()
    spread = float(centred @ centred)
    if spread <= 1e-12 * max(float(values @ values), 1e-300):
        return 0.0, float(truth.mean())
    scale = float(centred @ (truth - truth.mean())) / spread
    return scale, float(truth.mean() - scale * values.mean())
