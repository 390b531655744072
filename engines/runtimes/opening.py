# SPDX-License-Identifier: Apache-2.0
"""Which ways there are to run a model on this machine, and opening one of them. Looking costs milliseconds: no session is opened for it."""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..cancel import CancelToken
from ..errors import RuntimeUnavailableError
from ..model_paths import is_engine_file
from ..progress import Progress
from .hardware import gpus, processor_has_bf16
from .onnx_runtime import ABSENT, device_words, import_onnxruntime
from .preparation import Means, graph_for, open_onnxruntime
from .runtime import Runtime
from .targets import ENVIRONMENT_VARIABLE, Precision, RuntimeName, Target, Wish

if TYPE_CHECKING:
    from ..prepared.engine_cache import EngineCache


_SYSTEMS = {"directml": ("win32", "Windows"), "coreml": ("darwin", "Macs")}
_GPU = (Precision.FP32, Precision.FP16)
_WAYS: dict[RuntimeName, dict[str, tuple[Precision, ...]]] = {
    RuntimeName.ONNXRUNTIME: {"cpu": (Precision.FP32, Precision.INT8), "cuda": _GPU, "directml": _GPU, "coreml": (Precision.FP32,)},
    RuntimeName.OPENVINO: {"cpu": (Precision.FP32, Precision.BF16, Precision.INT8)},
    RuntimeName.ONNXRUNTIME_TENSORRT: {"cuda": _GPU},
    RuntimeName.TENSORRT: {"cuda": _GPU},
}
"""What each library may run on, and in what, on one machine or another."""


@dataclass(frozen=True, slots=True)
class MissingTarget:
    """A way to run models that this machine could have. ``remedy``: what to install, as an imperative sentence."""

    runtime: RuntimeName
    device: str
    remedy: str


# ---- what there is ------------------------------------------------------------------------------------------------------


def installed_targets(path: Path) -> list[Target]:
    """Every way in which the libraries of this machine can run the file, the best guess first. Never raises."""
    if is_engine_file(path):
        return [Target(RuntimeName.TENSORRT, f"cuda:{gpu.index}", Precision.FP16) for gpu in gpus()] if _has("tensorrt") else []
    kinds = _onnxruntime_kinds()
    halves = [Precision.FP16, Precision.FP32] if _has("onnx") else [Precision.FP32]  # half precision is a graph converted by onnx
    found: list[Target] = []
    for gpu in gpus():
        device = f"cuda:{gpu.index}"
        if _has("tensorrt"):
            found += [Target(RuntimeName.TENSORRT, device, each) for each in halves]
            if "cuda" in kinds:
                found += [Target(RuntimeName.ONNXRUNTIME_TENSORRT, device, each) for each in halves]
        if "cuda" in kinds:
            found += [Target(RuntimeName.ONNXRUNTIME, device, each) for each in halves]
    if "directml" in kinds:
        found += [Target(RuntimeName.ONNXRUNTIME, "directml:0", each) for each in halves]
    if "coreml" in kinds:
        found.append(Target(RuntimeName.ONNXRUNTIME, "coreml", Precision.FP32))
    return found + _processor_targets(kinds)


def _processor_targets(kinds: list[str]) -> list[Target]:
    found: list[Target] = []
    if _has("openvino"):
        precisions = [Precision.BF16, Precision.FP32] if _has_bf16() else [Precision.FP32]
        found += [Target(RuntimeName.OPENVINO, "cpu", each) for each in precisions]
    if "cpu" in kinds:
        found.append(Target(RuntimeName.ONNXRUNTIME, "cpu", Precision.FP32))
    runtimes = [target.runtime for target in found if target.precision is Precision.FP32] if _has("onnx") else []
    return found + [Target(runtime, "cpu", Precision.INT8) for runtime in runtimes]


def missing_targets() -> list[MissingTarget]:
    """What is not installed and could run on this machine's devices, with what would bring it."""
    kinds = _onnxruntime_kinds()
    found: list[MissingTarget] = []
    if gpus() and "cuda" not in kinds:
        remedy = 'Uninstall onnxruntime (the two exclude each other), then pip install "depthbridge[cuda]".'
        found.append(MissingTarget(RuntimeName.ONNXRUNTIME, "cuda", remedy))
    if gpus() and not _has("tensorrt"):
        found.append(MissingTarget(RuntimeName.TENSORRT, "cuda", 'pip install "depthbridge[tensorrt]".'))
    if sys.platform == "win32" and "directml" not in kinds:
        remedy = 'Uninstall onnxruntime (the two exclude each other), then pip install "depthbridge[directml]".'
        found.append(MissingTarget(RuntimeName.ONNXRUNTIME, "directml", remedy))
    if not _has("openvino"):
        found.append(MissingTarget(RuntimeName.OPENVINO, "cpu", 'pip install "depthbridge[openvino]".'))
    if "cpu" not in kinds:
        found.append(MissingTarget(RuntimeName.ONNXRUNTIME, "cpu", 'pip install "depthbridge[cpu]".'))
    return found


def _has(library: str) -> bool:
    try:
        return importlib.util.find_spec(library) is not None
    except (ImportError, ValueError):
        return False


def _has_bf16() -> bool:
    known = processor_has_bf16()
    if known is not None:
        return known
    try:
        from .openvino_runtime import cpu_has_bf16

        return cpu_has_bf16()
    except Exception:  # a broken install is told when it is opened
        return False


def _onnxruntime_kinds() -> list[str]:
    """The kinds of device the installed onnxruntime is built for. It is imported only where there may be more than the CPU."""
    if not _has("onnxruntime"):
        return []
    if sys.platform == "linux" and not gpus():
        return ["cpu"]
    try:
        return device_words(import_onnxruntime().get_available_providers())
    except Exception:  # broken: told when it is opened
        return ["cpu"]


# ---- what was asked for -------------------------------------------------------------------------------------------------


def candidates(path: Path, wish: Wish) -> list[Target]:
    """The installed targets that ``wish`` allows, the best guess first.

    Without a precision asked for only those whose numbers are FP32's within 1 % (INT8 is not), and of OpenVINO's and TensorRT's only the
    fastest. Raises :class:`RuntimeUnavailableError` with the remedy when there is none.
    """
    found = [target for target in installed_targets(path) if wish.allows(target)]
    if wish.precision is None:
        found = [target for target in found if target.precision is not Precision.INT8]
        ways: dict[tuple[RuntimeName, str], list[Target]] = {}
        for target in found:
            ways.setdefault((target.runtime, target.device), []).append(target)
        # ONNX Runtime's FP32 stays beside its FP16, for graphs that cannot be converted.
        found = [target for way in ways.values() for target in (way if way[0].runtime is RuntimeName.ONNXRUNTIME else way[:1])]
    if not found:
        raise RuntimeUnavailableError(_why_not(path, wish) + _who_asked(wish))
    return found


def _why_not(path: Path, wish: Wish) -> str:
    """Why nothing installed is what was asked for, and what to do."""
    if is_engine_file(path):
        return f"{path.name} is an engine of TensorRT, which takes an NVIDIA card with its driver and the `tensorrt` extra; use the ONNX file."
    asked = " ".join(str(word) for word in (wish.runtime, wish.device, wish.precision) if word is not None)
    nvidia = wish.runtime in (RuntimeName.TENSORRT, RuntimeName.ONNXRUNTIME_TENSORRT)
    kind = (wish.device or ("cuda" if nvidia else "")).partition(":")[0]
    if not _fits(wish, kind):
        return f"{asked} cannot be had on any machine: {_what_fits(wish.runtime, kind)}; use what does, or auto."
    instead = "use --device cpu" if _fits(wish, "cpu") else "use auto"
    if kind == "cuda" and not gpus():
        return f"{asked} takes an NVIDIA card, and no driver for one answers here; install the driver, or {instead}."
    if kind == "cuda" and wish.device is not None and wish.device not in {f"cuda:{gpu.index}" for gpu in gpus()}:
        return f"There is no {wish.device} here, only {', '.join(f'cuda:{gpu.index} ({gpu.name})' for gpu in gpus())}; use one of these."
    if kind in _SYSTEMS and sys.platform != _SYSTEMS[kind][0]:
        return f"{asked} is for {_SYSTEMS[kind][1]} only; {instead}."
    if not _has("onnxruntime") and wish.runtime in (None, RuntimeName.ONNXRUNTIME) and kind in ("", "cpu"):
        return ABSENT
    if wish.precision in (Precision.INT8, Precision.FP16) and not _has("onnx"):
        there = [target for target in installed_targets(path) if replace(wish, precision=None).allows(target)]
        if any(_fits(wish, target.device_kind, target.runtime) for target in there):
            package = "depthbridge[int8]" if wish.precision is Precision.INT8 else "onnx>=1.17,<2"
            return f'{asked} takes a graph that the package onnx makes of the model: pip install "{package}".'
    for missing in missing_targets():
        if kind in ("", missing.device) and _fits(wish, missing.device, missing.runtime):
            return f"{asked} cannot be had with what is installed: {missing.remedy}"
    has = ", ".join(map(str, installed_targets(path))) or "nothing"
    return f"{asked} cannot be had on this machine, which has {has}; use one of these, or auto."


def _who_asked(wish: Wish) -> str:
    """Told when it may not have been the user's own word, for then `auto` is no way out."""
    named = os.environ.get(ENVIRONMENT_VARIABLE, "").strip().lower()
    return f" It is {ENVIRONMENT_VARIABLE} in the environment that names {named}." if named and named == wish.runtime else ""


def _fits(wish: Wish, kind: str, runtime: RuntimeName | None = None) -> bool:
    """Whether a library (or this one) could do on a device of that kind (on any, when empty) what is asked for, were it installed."""
    return any(
        wish.runtime in (None, name) and runtime in (None, name) and kind in ("", device) and wish.precision in (None, *precisions)
        for name, devices in _WAYS.items()
        for device, precisions in devices.items()
    )


def _what_fits(runtime: RuntimeName | None, kind: str) -> str:
    if runtime is not None:
        return f"{runtime} runs " + ", ".join(f"on {device} in {'/'.join(precisions)}" for device, precisions in _WAYS[runtime].items())
    return f"{kind} runs models in " + "/".join(dict.fromkeys(each for devices in _WAYS.values() for each in devices.get(kind, ())))


# ---- opening ------------------------------------------------------------------------------------------------------------


def open_target(
    path: Path,
    target: Target,
    *,
    threads: int | None = None,
    cache: EngineCache | None = None,
    progress: Progress | None = None,
    cancel: CancelToken | None = None,
) -> Runtime:
    """Opens the file at ``path`` as ``target`` says, preparing through ``cache`` what it needs (a half-precision graph, a compiled engine).

    ``threads``: of the CPU, at most as many as it has are used. ``progress`` is told what takes its time. Raises
    :class:`RuntimeUnavailableError`, :class:`ModelError`, and ``CancelledError`` when ``cancel`` was called while something was prepared.
    """
    if cancel is not None:
        cancel.check()
    if threads is not None:  # more than the machine has only wait for each other: 64 on two cores took seconds a run, 256 did not come back
        threads = min(threads, os.cpu_count() or threads)
    means = Means(cache, progress, cancel)
    if target.runtime is RuntimeName.OPENVINO:
        from .openvino_runtime import OpenVinoRuntime

        return OpenVinoRuntime(graph_for(path, target, means), target, threads=threads, cache=cache, progress=progress, cancel=cancel)
    if target.runtime is RuntimeName.TENSORRT:
        from .tensorrt_runtime import TensorRtRuntime

        graph = path if is_engine_file(path) else graph_for(path, target, means)
        return TensorRtRuntime(graph, target, cache=cache, progress=progress, cancel=cancel)
    return open_onnxruntime(graph_for(path, target, means), target, threads, means)
