# SPDX-License-Identifier: Apache-2.0
"""NVIDIA's driver, by its own interface (CUDA Driver API, ``cuda.h``): the driver is there where a card is, and no package is needed.

Each of its calls returns 0 when it went well.
"""

from __future__ import annotations

import ctypes
import sys


def cuda_driver() -> ctypes.CDLL | None:
    """The driver; None where there is none."""
    try:
        return ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return None
