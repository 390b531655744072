# SPDX-License-Identifier: Apache-2.0
"""Host memory that an NVIDIA GPU reads without a detour, through the driver itself. Never executed where this was built: there is no GPU."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from .cuda_driver import cuda_driver

_PORTABLE = 1  # CU_MEMHOSTREGISTER_PORTABLE: pinned for every context


def pin(array: npt.NDArray[np.uint8], device_index: int) -> bool:
    """Locks the memory of ``array``, which must own it, into place until the array goes.

    False when that cannot be done (no NVIDIA driver, or a limit on locked memory): copies are then slower, and no less right.
    """
    driver = cuda_driver()
    if driver is None:
        return False
    device, context = ctypes.c_int(), ctypes.c_void_p()
    if driver.cuInit(0) or driver.cuDeviceGet(ctypes.byref(device), device_index):
        return False
    # The primary context is the one that the CUDA runtime, and so ONNX Runtime, uses.
    if driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), device):
        return False
    address, size = ctypes.c_void_p(array.ctypes.data), ctypes.c_size_t(array.nbytes)
    if not _inside(driver, context, lambda: driver.cuMemHostRegister_v2(address, size, _PORTABLE)):
        driver.cuDevicePrimaryCtxRelease_v2(device)
        return False

    def unpin() -> None:
        _inside(driver, context, lambda: driver.cuMemHostUnregister(address))
        driver.cuDevicePrimaryCtxRelease_v2(device)

    # Called before the memory is given back; a process that ends gives back all of it by itself.
    weakref.finalize(array, unpin).atexit = False
    return True


def _inside(driver: ctypes.CDLL, context: ctypes.c_void_p, call: Callable[[], int]) -> bool:
    """Whether ``call`` succeeded with ``context`` current in this thread."""
    if driver.cuCtxPushCurrent_v2(context):
        return False
    try:
        return call() == 0
    finally:
        driver.cuCtxPopCurrent_v2(ctypes.byref(ctypes.c_void_p()))
