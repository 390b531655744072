# SPDX-License-Identifier: Apache-2.0
"""A straight line through points of which up to four in ten do not belong to it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

_KEPT_SHARE = 0.6
_STARTS = 40
_MOST_POINTS = 4000


def fit_line(x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[float, float] | None:
    """``(scale, shift)`` of ``y = scale * x + shift`` with a positive scale, or None when no such line is there.

    Least trimmed squares (Rousseeuw and Van Driessen 2006, "Computing LTS regression for large data sets"): from lines through pairs of
    points, refitted to the six tenths they pass nearest to, until that settles; the best of them is fitted once more to all the points
    that are as near as those. The pairs are always the same ones, so the answer is too. Where all x are alike the shift is 0.
    """
    xs, ys = np.asarray(x, dtype=np.float64).ravel(), np.asarray(y, dtype=np.float64).ravel()
    if len(xs) > _MOST_POINTS:
        step = -(-len(xs) // _MOST_POINTS)
        xs, ys = xs[::step], ys[::step]
    if len(xs) < 2:
        return None
    middle = float(np.median(xs))
    spread = float(np.median(np.abs(xs - middle)))
    if spread <= 1e-5 * abs(middle):
        scale = float(np.median(ys)) / middle if middle > 0 else 0.0
        return (scale, 0.0) if scale > 0 else None
    kept = max(2, int(_KEPT_SHARE * len(xs)))
    tried = [_settle(xs, ys, line, kept, rounds=2) for line in _lines_through_pairs(xs, ys)]
    best = min((_settle(xs, ys, line, kept, rounds=20) for _, line in sorted(tried)[:5]), default=None)
    if best is None:
        return None
    error, line = best
    # 2.5 standard deviations, and no fewer points than rounding lets through where the fit is exact.
    near = max(2.5 * float(np.sqrt(error / kept)) * 2.0, 1e-9 * float(np.abs(ys).max()))
    scale, shift = _least_squares(xs, ys, np.abs(ys - line[0] * xs - line[1]) <= near)
    return (scale, shift) if scale > 0 and np.isfinite(scale) and np.isfinite(shift) else None


def _lines_through_pairs(xs: FloatArray, ys: FloatArray) -> list[tuple[float, float]]:
    order = np.argsort(xs, kind="stable")
    third = max(1, len(xs) // 3)
    generator = np.random.default_rng(0)
    low, high = order[generator.integers(0, third, _STARTS)], order[len(xs) - 1 - generator.integers(0, third, _STARTS)]
    run = xs[high] - xs[low]
    apart = run > 0
    scale = (ys[high][apart] - ys[low][apart]) / run[apart]
    return list(zip(scale.tolist(), (ys[low][apart] - scale * xs[low][apart]).tolist(), strict=True))


def _settle(xs: FloatArray, ys: FloatArray, line: tuple[float, float], kept: int, rounds: int) -> tuple[float, tuple[float, float]]:
    """The line after refitting it to the ``kept`` points nearest to it, and the sum of their squared distances before the last fit."""
    last = np.inf
    for _ in range(rounds):
        squared = (ys - line[0] * xs - line[1]) ** 2
        nearest = np.argpartition(squared, kept - 1)[:kept]
        error = float(squared[nearest].sum())
        if error >= last:
            break
        last = error
        line = _least_squares(xs, ys, nearest)
    return last, line


def _least_squares(xs: FloatArray, ys: FloatArray, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> tuple[float, float]:
    x, y = xs[chosen], ys[chosen]
    x_mean, y_mean = float(x.mean()), float(y.mean())
    variance = float(((x - x_mean) ** 2).sum())
    scale = float(((x - x_mean) * (y - y_mean)).sum()) / variance if variance > 0 else 0.0
    return scale, y_mean - scale * x_mean
