# SPDX-License-Identifier: Apache-2.0
"""Resizing as linear maps, one an axis: what the device multiplies by, or gathers with, to do what OpenCV does on the host.

Cubic, area and linear resizing are separable and linear; only rounding to bytes between two steps is not. The matrices are made by OpenCV
itself, from an identity, so that there is one definition of each resizer in the house.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ..model_spec import ResizeMethod
from ..preprocess import InputPlan

FloatArray = npt.NDArray[np.float32]
IndexArray = npt.NDArray[np.int32]

_COLUMNS_AT_ONCE = 512
# OpenCV halves bytes by (a + b + c + d + 2) >> 2: ties go up, where rounding alone sends them to even. Sums are multiples of a quarter.
_TIE_NUDGE = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One resize of a (H,W) plane: ``rows @ plane @ columns``. ``rows`` is (h,H), ``columns`` (W,w); ``nudge`` is added before rounding."""

    rows: FloatArray
    columns: FloatArray
    nudge: float


@dataclass(frozen=True, slots=True, eq=False)
class Taps:
    """Bilinear sampling of one axis: ``a + (b - a) * weight`` with a and b at ``low`` and ``high``. A weight of 0 reads ``low`` alone, so that
    a broken value reaches only where it has a share. ``inside`` is False where the axis is not covered."""

    low: IndexArray
    high: IndexArray
    weight: FloatArray
    inside: npt.NDArray[np.bool_]


def rounds_to_bytes(method: ResizeMethod, dtype: str) -> bool:
    """Whether the host's path resizes bytes (Depth Anything 3, and every graph that takes bytes) rather than floats."""
    return method is not ResizeMethod.DA2_LOWER_BOUND or dtype == "uint8"


def input_steps(plan: InputPlan, rounded: bool) -> tuple[Step, ...]:
    """The steps of ``plan`` with its window folded into the last: two at most where bytes are rounded between them, else their product."""
    steps: list[Step] = []
    width, height = plan.source
    for new_width, new_height in plan.steps:
        grows = new_width > width or new_height > height
        resizer = cv2.INTER_CUBIC if grows or not rounded else cv2.INTER_AREA
        halves = resizer == cv2.INTER_AREA and (width, height) == (2 * new_width, 2 * new_height)
        rows, columns = axis_matrix(height, new_height, resizer), axis_matrix(width, new_width, resizer).T
        steps.append(Step(rows, columns, _TIE_NUDGE if rounded and halves else 0.0))
        width, height = new_width, new_height
    if not steps:
        steps = [Step(np.eye(height, dtype=np.float32), np.eye(width, dtype=np.float32), 0.0)]
    if not rounded:
        while len(steps) > 1:
            steps[:2] = [Step(steps[1].rows @ steps[0].rows, steps[0].columns @ steps[1].columns, 0.0)]
    last = steps[-1]
    window = last.rows[plan.top : plan.top + plan.size[1]], last.columns[:, plan.left : plan.left + plan.size[0]]
    steps[-1] = Step(np.ascontiguousarray(window[0]), np.ascontiguousarray(window[1]), last.nudge)
    return tuple(Step(step.rows, np.ascontiguousarray(step.columns), step.nudge) for step in steps)


def axis_matrix(old: int, new: int, resizer: int) -> FloatArray:
    """(new, old): what OpenCV's ``resizer`` (area or cubic) makes of an axis of ``old`` pixels. An axis that keeps its length is left alone,
    whatever the other does."""
    if old == new:
        return np.eye(old, dtype=np.float32)
    matrix = np.empty((new, old), np.float32)
    for start in range(0, old, _COLUMNS_AT_ONCE):
        count = min(_COLUMNS_AT_ONCE, old - start)
        unit = np.zeros((old, count), np.float32)
        unit[np.arange(start, start + count), np.arange(count)] = 1
        matrix[:, start : start + count] = cv2.resize(unit, (count, new), interpolation=resizer).reshape(new, count)
    return matrix


def output_taps(plan: InputPlan, grid: tuple[int, int]) -> tuple[Taps, Taps]:
    """Taps of the rows and of the columns from a layer of ``grid`` (height, width) to the picture: ``postprocess.to_source_size``."""
    return (
        _axis_taps(plan.source[1], plan.resized[1], plan.top, plan.size[1], grid[0]),
        _axis_taps(plan.source[0], plan.resized[0], plan.left, plan.size[0], grid[1]),
    )


def _axis_taps(source: int, resized: int, offset: int, size: int, grid: int) -> Taps:
    # Pixel centres; rounded to float32 where OpenCV rounds, so that the same pixels get a share.
    place = (((np.arange(source) + 0.5) * resized / source - offset) * grid / size - 0.5).astype(np.float32)
    inside = (place > -0.5 - 1e-4) & (place < grid - 0.5 + 1e-4)
    place = np.clip(place, 0, grid - 1)
    low = np.floor(place).astype(np.int32)
    weight = (place - low).astype(np.float32)
    high = np.where(weight > 0, np.minimum(low + 1, grid - 1), low).astype(np.int32)
    return Taps(low, high, weight, inside)
