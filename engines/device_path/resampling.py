# SPDX-License-Identifier: Apache-2.0
"""Resizing a frame as products with a matrix an axis: what the device multiplies by to do what OpenCV does on the host.

Cubic and area resizing are separable and linear; only rounding to bytes between two steps is not. The matrices are made by OpenCV
itself, from an identity, so that there is one definition of each resizer in the house.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ..model_spec import ResizeMethod
from ..postprocess import set_outside
from ..preprocess import InputPlan

FloatArray = npt.NDArray[np.float32]

_COLUMNS_AT_ONCE = 512
# OpenCV halves bytes by (a + b + c + d + 2) >> 2: ties go up, where rounding alone sends them to even. Sums are multiples of a quarter.
_TIE_NUDGE = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One resize of a (H,W) plane: ``rows @ plane @ columns``. ``rows`` is (h,H), ``columns`` (W,w); ``nudge`` is added before rounding."""

    rows: FloatArray
    columns: FloatArray
    nudge: float


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


def padding(plan: InputPlan) -> npt.NDArray[np.int64]:
    """What was cut from the resized picture, as ``Pad`` of a [N,1,h,w] layer takes it: each axis' starts, then its ends."""
    right, bottom = plan.resized[0] - plan.left - plan.size[0], plan.resized[1] - plan.top - plan.size[1]
    return np.array([0, 0, plan.top, plan.left, 0, 0, bottom, right], np.int64)


def covered(plan: InputPlan) -> npt.NDArray[np.bool_]:
    """(H,W): the pixels of the picture that the window covers."""
    inside = np.ones((plan.source[1], plan.source[0]), np.bool_)
    set_outside(inside, plan, False)
    return inside
