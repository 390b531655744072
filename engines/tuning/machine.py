# SPDX-License-Identifier: Apache-2.0
"""What this machine's processor is, as far as it matters to speed: its name, how much of it may be used, and what it multiplies in."""

from __future__ import annotations

import importlib
import os
import platform
import re
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_CPUINFO = Path("/proc/cpuinfo")
_TIMEOUT_S = 5.0

# Feature -> the flags of Linux that mean it, on x86 and Arm.
_FEATURES = {
    "AVX2": {"avx2"},
    "AVX512": {"avx512f"},
    "VNNI": {"avx512_vnni", "avx_vnni"},
    "BF16": {"avx512_bf16", "bf16"},
    "AMX": {"amx_tile"},
    "FP16": {"avx512_fp16", "asimdhp"},
    "I8MM": {"i8mm"},
}


@dataclass(frozen=True, slots=True)
class Processor:
    """``threads``: logical processors that this process may use; ``features``: those of :data:`_FEATURES` that it has, None where the system
    does not tell."""

    name: str
    threads: int
    features: tuple[str, ...] | None

    def __str__(self) -> str:
        known = "" if self.features is None else f", {' '.join(self.features) or 'no vector extensions'}"
        return f"{self.name}, {self.threads} threads{known}"


@cache
def this_processor() -> Processor:
    """The one this runs on."""
    return Processor(processor_name(), usable_threads(), processor_features())


def processor_name() -> str:
    """Such as ``AMD EPYC``; the architecture where the system does not tell."""
    told = _cpuinfo("model name")
    if told is None and platform.system() == "Darwin":
        told = _output(["sysctl", "-n", "machdep.cpu.brand_string"])
    if told is None and platform.system() == "Windows":
        told = _windows_processor()
    return " ".join((told or platform.processor() or platform.machine() or "unknown processor").split())


def processor_features() -> tuple[str, ...] | None:
    """What of vector extensions Linux tells of; None on other systems."""
    flags = _cpuinfo("flags") or _cpuinfo("Features")
    if flags is None:
        return None
    have = set(flags.split())
    return tuple(name for name, meaning in _FEATURES.items() if meaning & have)


def usable_threads() -> int:
    """Logical processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpuinfo(field: str) -> str | None:
    with suppress(OSError):
        found = re.search(rf"^{field}\s*:\s*(.+)$", _CPUINFO.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
        return found[1] if found else None
    return None


def _windows_processor() -> str | None:
    registry: Any = importlib.import_module("winreg")
    with suppress(OSError), registry.OpenKey(registry.HKEY_LOCAL_MACHINE, r"HARDWARE\DESCRIPTION\System\CentralProcessor\0") as key:
        return str(registry.QueryValueEx(key, "ProcessorNameString")[0])
    return None


def _output(command: list[str]) -> str | None:
    """What a program prints; None when it fails, hangs or is not there."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True).stdout.strip() or None
    except (OSError, subprocess.SubprocessError):
        return None
