# SPDX-License-Identifier: Apache-2.0
"""What this machine is, as far as it matters to speed: its processor, graphics cards, and the libraries installed. Nothing is loaded for it."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_NVIDIA_PROC = Path("/proc/driver/nvidia/gpus")
_NVIDIA_TIMEOUT_S = 10.0

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

DISTRIBUTIONS = (
    "onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "openvino", "tensorrt", "tensorrt-cu12", "tensorrt-cu13", "onnx",
)  # fmt: skip
"""Packages that run or prepare models, as pip names them."""


@dataclass(frozen=True, slots=True)
class Machine:
    """``processor``: its name; ``threads``: logical processors that this process may use; ``features``: those of :data:`_FEATURES` it has,
    None where the system does not tell; ``graphics``: names of graphics cards that NVIDIA's driver tells of."""

    processor: str
    threads: int
    features: tuple[str, ...] | None
    graphics: tuple[str, ...]

    @property
    def processor_facts(self) -> str:
        """The processor in a line, as what was measured on it is kept under."""
        known = "" if self.features is None else f" with {'+'.join(self.features) or 'no vector extension known here'}"
        return f"{self.processor}, {self.threads} threads{known}"


def this_machine() -> Machine:
    """The machine this runs on."""
    return Machine(processor_name(), usable_threads(), processor_features(), graphics_names())


def processor_name() -> str:
    """Such as ``AMD EPYC``; the architecture where the system does not tell."""
    told = _cpuinfo("model name")
    if told is None and sys.platform == "darwin":
        told = _output(["sysctl", "-n", "machdep.cpu.brand_string"])
    if told is None and sys.platform == "win32":
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
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def graphics_names() -> tuple[str, ...]:
    """NVIDIA's cards by name, in the driver's order; none where there is no driver. Other makers' are not looked for."""
    models: list[str] = []
    with suppress(OSError):
        for folder in sorted(_NVIDIA_PROC.iterdir()):
            found = re.search(r"^Model:\s*(.+)$", (folder / "information").read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
            models += [found[1].strip()] if found else []
    if models:
        return tuple(models)
    program = shutil.which("nvidia-smi")
    listed = None if program is None else _output([program, "--query-gpu=name", "--format=csv,noheader"])
    return tuple(line.strip() for line in (listed or "").splitlines() if line.strip())


def library_versions(names: Sequence[str] = DISTRIBUTIONS) -> dict[str, str]:
    """Package -> version, of those of ``names`` that are installed, in their order; told by the packages' own records, none of them loaded."""
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, str] = {}
    for name in names:
        with suppress(PackageNotFoundError):
            found[name] = version(name) or "unknown"
    return found


def _cpuinfo(field: str) -> str | None:
    with suppress(OSError):
        found = re.search(rf"^{field}\s*:\s*(.+)$", _CPUINFO.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
        return found[1] if found else None
    return None


def _windows_processor() -> str | None:
    if sys.platform != "win32":
        return None
    import winreg

    with suppress(OSError), winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"HARDWARE\DESCRIPTION\System\CentralProcessor\0") as key:
        return str(winreg.QueryValueEx(key, "ProcessorNameString")[0])
    return None


def _output(command: list[str]) -> str | None:
    """What a program prints; None when it fails, hangs or is not there."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_NVIDIA_TIMEOUT_S, check=True).stdout.strip() or None
    except (OSError, subprocess.SubprocessError):
        return None
