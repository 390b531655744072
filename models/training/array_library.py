# SPDX-License-Identifier: Apache-2.0
"""One formula for two array libraries: NumPy, and torch where pictures are made on the device that trains. torch is never imported here."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

Values = Any
"""float32 numbers of NumPy or torch."""


def library_of(values: Values) -> Any:
    """The module that `values` belong to: numpy, or torch. They share where, minimum, maximum, sqrt, abs and more by name."""
    return np if isinstance(values, np.ndarray) else sys.modules["torch"]


def as_float32(values: Values) -> Values:
    return values.astype(np.float32, copy=False) if isinstance(values, np.ndarray) else values.float()


def as_int64(values: Values) -> Values:
    """Whole numbers, towards zero."""
    return values.astype(np.int64, copy=False) if isinstance(values, np.ndarray) else values.long()


def beside(values: Values, constant: npt.NDArray[Any]) -> Values:
    """A constant array in the library and on the device of `values`."""
    return constant if isinstance(values, np.ndarray) else sys.modules["torch"].as_tensor(constant, device=values.device)
