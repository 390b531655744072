# SPDX-License-Identifier: Apache-2.0
"""What a target needs before it opens: a graph in another precision, a range of shapes, a folder for what is compiled."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..cancel import CancelToken
from ..errors import ModelError
from ..progress import Progress
from .hardware import gpus
from .onnx_runtime import OnnxRuntime, import_onnxruntime
from .provider_options import COREML_CACHE_SINCE, Kept, ShapeRange
from .targets import Precision, RuntimeName, Target

if TYPE_CHECKING:
    from ..prepared.engine_cache import EngineCache, EngineKey



@dataclass(frozen=True, slots=True)
class Means:
    """What preparing may use: where results are kept (None: nowhere), who is told, who may stop it."""

    cache: EngineCache | None = None
    progress: Progress | None = None
    cancel: CancelToken | None = None


def graph_for(path: Path, target: Target, means: Means) -> Path:
    """The ONNX file that ``target`` runs: ``path`` itself, or its form in half precision or INT8. Raises as these do."""
    if target.precision is Precision.INT8:
        from ..prepared.int8 import int8_file

        return int8_file(path, (), means.cache, runtime=target.runtime, progress=means.progress, cancel=means.cancel).path
    if target.precision is not Precision.FP16:
        return path
    from ..prepared.half_precision import half_precision_file

    def open_half(file: Path) -> OnnxRuntime:
        return OnnxRuntime(file, Target(RuntimeName.ONNXRUNTIME, target.device, Precision.FP16))

    # Compared with the original where it will run. TensorRT would be built for it twice: the processor has to do.
    own = open_half if target.runtime is RuntimeName.ONNXRUNTIME else None
    return half_precision_file(path, means.cache, progress=means.progress, cancel=means.cancel, open_half=own)


def open_onnxruntime(path: Path, target: Target, threads: int | None, means: Means) -> OnnxRuntime:
    """ONNX Runtime on any of its devices, ``path`` being the graph it runs."""
    if target.runtime is RuntimeName.ONNXRUNTIME_TENSORRT:
        from .shape_ranges import shape_ranges

        return _open_compiled(path, target, threads, means, shape_ranges(path))
    if target.device_kind == "coreml" and _version() >= COREML_CACHE_SINCE:
        return _open_compiled(path, target, threads, means, ())
    if target.device_kind == "cuda":
        try:
            return OnnxRuntime(path, target, threads=threads, cuda_graph=True)
        except ModelError:  # control flow, or operations that only the CPU has: such a graph cannot be captured
            pass
    return OnnxRuntime(path, target, threads=threads)


def _open_compiled(path: Path, target: Target, threads: int | None, means: Means, shapes: tuple[ShapeRange, ...]) -> OnnxRuntime:
    """Opened with what was compiled earlier; without a cache it is compiled each time."""
    cache = means.cache
    if cache is None:
        return OnnxRuntime(path, target, threads=threads, shapes=shapes)
    shared = cache.note_path("timings").with_suffix("")

    def build(folder: Path) -> None:
        with suppress(OSError):  # without it, what TensorRT timed is timed again
            shared.mkdir(exist_ok=True)
        OnnxRuntime(path, target, threads=threads, kept=Kept(folder, shared), shapes=shapes).close()

    folder = cache.obtain(_key(path, target, shapes, cache), build, progress=means.progress, cancel=means.cancel)
    return OnnxRuntime(path, target, threads=threads, kept=Kept(folder, shared), shapes=shapes)


def _key(path: Path, target: Target, shapes: tuple[ShapeRange, ...], cache: EngineCache) -> EngineKey:
    from ..prepared.engine_cache import EngineKey, model_sha256
    from ..tuning.libraries import library_versions

    versions = library_versions(["tensorrt"]) if target.runtime is RuntimeName.ONNXRUNTIME_TENSORRT else {}
    runtime = " ".join([target.runtime, import_onnxruntime().__version__, *versions.values()])
    card = {gpu.index: str(gpu) for gpu in gpus()}.get(target.device_index, "") if target.device_kind == "cuda" else target.device
    profile = "; ".join(f"{each.smallest}..{each.tuned}..{each.largest}" for each in shapes) or "as the file says"
    return EngineKey(model_sha256(path, cache), path.name, runtime, card, str(target.precision), profile)


def _version() -> tuple[int, ...]:
    return tuple(int(part) for part in import_onnxruntime().__version__.split(".")[:2])
