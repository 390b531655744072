# SPDX-License-Identifier: Apache-2.0
"""What ONNX Runtime's providers are told: values only, so that they can be looked at without the hardware.

Sources: ONNX Runtime's pages on each execution provider, and for the names of options the libraries of its 1.31.1 wheel. An option that is not
here keeps the library's default: its exhaustive search for convolutions (paid once for each size), copies on the computing stream, no NHWC
layout. None of this was ever executed by this project but the CPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .targets import Precision, RuntimeName, Target

PROVIDERS = {
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
"""Kind of device -> provider, the fastest first."""
TENSORRT_PROVIDER = "TensorrtExecutionProvider"

COREML_CACHE_SINCE = (1, 21)
"""The ONNX Runtime that first knew CoreML's cache folder; an older one refuses the option."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider and its options, all text as the library wants them."""

    name: str
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ShapeRange:
    """The shapes an engine is built for: of the input ``name`` the smallest, the one it is tuned for, and the largest."""

    name: str
    smallest: tuple[int, ...]
    tuned: tuple[int, ...]
    largest: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a provider keeps what it compiles: ``folder`` for one model, ``shared`` for what serves all (TensorRT's timings)."""

    folder: Path
    shared: Path


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """How a session is opened. ``providers``: the first is the one that is wanted, the others take what it cannot."""

    providers: tuple[Provider, ...]
    memory_pattern: bool = True
    """Off where a provider cannot take it."""


def session_plan(
    target: Target,
    *,
    version: tuple[int, ...] = (),
    cuda_graph: bool = False,
    kept: Kept | None = None,
    shapes: Sequence[ShapeRange] = (),
) -> SessionPlan:
    """The plan for ``target``. ``version``: of ONNX Runtime; ``cuda_graph``: whether runs may be captured; ``shapes``: for TensorRT."""
    cpu = Provider(PROVIDERS["cpu"])
    if target.runtime is RuntimeName.ONNXRUNTIME_TENSORRT:
        return SessionPlan((tensorrt(target.device_index, kept, shapes), cuda(target.device_index, target.precision), cpu))
    match target.device_kind:
        case "cuda":
            return SessionPlan((cuda(target.device_index, target.precision, cuda_graph=cuda_graph), cpu))
        case "directml":
            # Its page: memory patterns must be off, and execution sequential, which is the default.
            return SessionPlan((Provider(PROVIDERS["directml"], (("device_id", str(target.device_index)),)), cpu), memory_pattern=False)
        case "coreml":
            return SessionPlan((coreml(kept.folder if kept is not None and version >= COREML_CACHE_SINCE else None), cpu))
        case _:
            return SessionPlan((cpu,))


def cuda(index: int, precision: Precision, *, cuda_graph: bool = False) -> Provider:
    """CUDA: memory grows by what is asked for instead of doubling, and FP32 is FP32, not TensorFloat-32 with its 10 bits of fraction."""
    options = [("device_id", str(index)), ("arena_extend_strategy", "kSameAsRequested"), ("use_tf32", str(int(precision is not Precision.FP32)))]
    if cuda_graph:
        options.append(("enable_cuda_graph", "1"))
    return Provider(PROVIDERS["cuda"], tuple(options))


def tensorrt(index: int, kept: Kept | None, shapes: Sequence[ShapeRange]) -> Provider:
    """TensorRT inside ONNX Runtime. No flag asks for a precision: without one its networks are strongly typed, and the graph's own types
    count, which is the only way TensorRT 11 has."""
    options = [("device_id", str(index))]
    if kept is not None:
        options += [
            ("trt_engine_cache_enable", "1"),
            ("trt_engine_cache_path", str(kept.folder)),
            ("trt_timing_cache_enable", "1"),
            ("trt_timing_cache_path", str(kept.shared)),
        ]
    if shapes:
        for option, which in (("min", "smallest"), ("opt", "tuned"), ("max", "largest")):
            text = ",".join(f"{each.name}:{'x'.join(map(str, getattr(each, which)))}" for each in shapes)
            options.append((f"trt_profile_{option}_shapes", text))
    return Provider(TENSORRT_PROVIDER, tuple(options))


def coreml(folder: Path | None) -> Provider:
    """CoreML: its newer model format, on whatever of the Mac it likes best."""
    options = [("ModelFormat", "MLProgram"), ("MLComputeUnits", "ALL")]
    if folder is not None:
        options.append(("ModelCacheDirectory", str(folder)))
    return Provider(PROVIDERS["coreml"], tuple(options))
