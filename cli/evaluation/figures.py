# SPDX-License-Identifier: Apache-2.0
"""The figures that are told of each picture and in total: their names, what each is, and whose definition it has."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """``key``: in files. ``less``: less is better."""

    key: str
    title: str
    less: bool
    meaning: str


FIGURES = (
    Figure("abs_rel", "AbsRel", True, "mean of |d - t| / t over a picture's counted pixels; d estimated, t true (Eigen et al. 2014)"),
    Figure("sq_rel", "SqRel", True, "mean of (d - t)^2 / t, metres (Eigen et al. 2014)"),
    Figure("rmse", "RMSE", True, "root of the mean of (d - t)^2, metres (Eigen et al. 2014)"),
    Figure("rmse_log", "RMSE log", True, "root of the mean of (ln d - ln t)^2 (Eigen et al. 2014)"),
    Figure("delta1", "δ1", False, "share of pixels with max(d / t, t / d) < 1.25 (Eigen et al. 2014)"),
    Figure("delta2", "δ2", False, "the same below 1.25^2"),
    Figure("delta3", "δ3", False, "the same below 1.25^3"),
    Figure("edge_f1", "edge F1", False, "depth edges as thin lines, found within 0.35 % of the diagonal: F-measure (Martin et al. 2004)"),
    Figure("boundary_f1", "boundary F1", False, "occluding contours to the pixel (Bochkovskii et al., Depth Pro, 2025)"),
    Figure("sky_iou", "sky IoU", False, "estimated and true: intersection over union; in total of all pictures (Everingham et al. 2010)"),
)

KEYS = tuple(figure.key for figure in FIGURES)
