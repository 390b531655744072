# SPDX-License-Identifier: Apache-2.0
"""What decides between targets: whether the processor has BF16, and which NVIDIA cards answer. Asked for once, in milliseconds."""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .cuda_driver import cuda_driver

# Attributes of a device (cuda.h, CUdevice_attribute).
_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76


@dataclass(frozen=True, slots=True)
class Gpu:
    """An NVIDIA card. ``capability`` is its compute capability, ``driver`` the CUDA version that its driver speaks ("13.0")."""

    index: int
    name: str
    capability: str
    driver: str

    def __str__(self) -> str:
        return f"{self.name} (compute capability {self.capability}, driver for CUDA {self.driver})"


@cache
def processor_has_bf16() -> bool | None:
    """Whether the processor multiplies in BF16; None where the system does not say (it says so on Linux)."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", text, re.MULTILINE)
    return None if flags is None else not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(flags[1].split())


@cache
def gpus() -> tuple[Gpu, ...]:
    """The NVIDIA cards that CUDA may use, in its order; none without a driver. Asks the driver itself, so that no library is needed."""
    driver = cuda_driver()
    try:
        return () if driver is None else tuple(_gpus_of(driver))
    except AttributeError:  # one older than anything that matters here
        return ()


def _gpus_of(driver: ctypes.CDLL) -> list[Gpu]:
    """As CUDA's driver counts them."""
    version, count = ctypes.c_int(), ctypes.c_int()
    if driver.cuInit(0) or driver.cuDriverGetVersion(ctypes.byref(version)) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return []
    found = []
    for index in range(count.value):
        device, name = ctypes.c_int(), ctypes.create_string_buffer(256)
        major, minor = ctypes.c_int(), ctypes.c_int()
        failed = (
            driver.cuDeviceGet(ctypes.byref(device), index)
            or driver.cuDeviceGetName(name, len(name), device)
            or driver.cuDeviceGetAttribute(ctypes.byref(major), _CAPABILITY_MAJOR, device)
            or driver.cuDeviceGetAttribute(ctypes.byref(minor), _CAPABILITY_MINOR, device)
        )
        if not failed:
            spoken = f"{version.value // 1000}.{version.value % 1000 // 10}"
            found.append(Gpu(index, name.value.decode("utf-8", "replace"), f"{major.value}.{minor.value}", spoken))
    return found
