# SPDX-License-Identifier: Apache-2.0
"""How well the edges of an estimated depth map lie where the true ones are; any scale of depth gives the same figures.

Two measures. :func:`boundary_f1` asks each pair of neighbouring pixels, to the pixel: what Depth Pro is compared by, and hard (its own table has
0.1 to 0.4 on synthetic data). :func:`edge_f1` finds edges as thin lines and lets them be a little off, as benchmarks of contours do.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from .depth_metrics import Floats, Mask

EDGE_STEP = 1.25
"""Depth that changes by this factor over two pixels is an edge; where it goes on weaker, an edge is followed down to :data:`EDGE_TRAIL`."""
EDGE_TRAIL = 1.1
TOLERANCE = 0.0035
"""How far an edge may be off and still count, in diagonals of the picture: two pixels of 504x280. The contours of BSDS may be off by 0.0075."""

_THRESHOLDS = np.linspace(1.05, 1.25, 10)
_UNIT = 4096.0
"""Steps of log depth as 16-bit integers, which is what the detector takes: up to a factor of e^8 over two pixels."""


def boundary_f1(estimate: Floats, truth: Floats, valid: Mask | None = None) -> float:
    """0..1: Bochkovskii et al., "Depth Pro" (ICLR 2025), section 4 (equations 3 and 4), over pairs of neighbours that are both ``valid``.

    A pair is an occluding contour where one depth exceeds the other by a factor t. Precision and recall of both signs and both
    directions are averaged, then combined; the result is the mean over ten t from 1.05 to 1.25, weighted by t. A t for which the truth has
    no contour is left out (its authors' code counts it as 0). NaN where there is none for any.
    """
    seen = np.ones(truth.shape, np.bool_) if valid is None else valid
    pairs = [_pair_logs(estimate, truth, seen, axis) for axis in (0, 1)]
    total, weight = 0.0, 0.0
    for threshold in _THRESHOLDS:
        level = math.log(threshold)
        found = [(sign * e > level, sign * t > level) for e, t in pairs for sign in (1, -1)]
        if any(t.any() for _, t in found):
            recall = sum(_share(e & t, t) for e, t in found) / len(found)
            precision = sum(_share(e & t, e) for e, t in found) / len(found)
            total += threshold * (2 * precision * recall / (precision + recall) if precision + recall else 0.0)
            weight += threshold
    return total / weight if weight else math.nan


def edge_f1(estimate: Floats, truth: Floats, valid: Mask | None = None, tolerance: float = TOLERANCE) -> float:
    """0..1: the harmonic mean of the share of estimated edge pixels with a true one within ``tolerance`` diagonals, and the other way
    round (Martin, Fowlkes and Malik, TPAMI 2004). NaN where the truth has no edge.

    Edges are Canny's, of log depth. Those within two pixels of what is not ``valid`` are left out on both sides.
    """
    seen = np.ones(truth.shape, np.bool_) if valid is None else valid
    clear = cv2.erode(seen.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    found, wanted = (depth_edges(depth, seen) & clear for depth in (estimate, truth))
    if not wanted.any():
        return math.nan
    if not found.any():
        return 0.0
    reach = max(1.0, tolerance * math.hypot(*truth.shape))
    precision, recall = float(np.mean(_distance_to(wanted)[found] <= reach)), float(np.mean(_distance_to(found)[wanted] <= reach))
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def depth_edges(depth: Floats, valid: Mask | None = None) -> Mask:
    """bool (H, W): thin lines where depth jumps (Canny, 1986, on the logarithm of depth). Pixels that are not ``valid`` lie at infinity."""
    seen = np.ones(depth.shape, np.bool_) if valid is None else valid
    logs = np.zeros(depth.shape, np.float32)
    logs[seen] = np.log(np.asarray(depth, np.float64)[seen])
    logs[~seen] = (float(np.max(logs[seen])) if seen.any() else 0.0) + 2
    # Sobel's mask sums to 4 over two pixels: a quarter of it is the change over those two.
    steps = [cv2.Sobel(logs, cv2.CV_32F, dx, 1 - dx, ksize=3, scale=0.25) for dx in (1, 0)]
    whole = [np.clip(step * _UNIT, -32767, 32767).astype(np.int16) for step in steps]
    return np.asarray(cv2.Canny(whole[0], whole[1], math.log(EDGE_TRAIL) * _UNIT, math.log(EDGE_STEP) * _UNIT, L2gradient=True) > 0)


def _pair_logs(estimate: Floats, truth: Floats, seen: Mask, axis: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Log ratios of neighbours along an axis, of both maps, where both pixels are seen."""
    both = seen[1:] & seen[:-1] if axis == 0 else seen[:, 1:] & seen[:, :-1]
    logs = [np.log(np.where(seen, np.asarray(depth, np.float64), 1.0)) for depth in (estimate, truth)]
    first, second = (np.diff(log, axis=axis)[both] for log in logs)
    return first, second


def _share(part: Mask, whole: Mask) -> float:
    return int(np.count_nonzero(part)) / max(int(np.count_nonzero(whole)), 1)


def _distance_to(marked: Mask) -> npt.NDArray[np.float32]:
    """Euclidean distance of each pixel to the next marked one."""
    return np.asarray(cv2.distanceTransform((~marked).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE), np.float32)
