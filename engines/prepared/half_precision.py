# SPDX-License-Identifier: Apache-2.0
"""A model file in half precision, made on first use, compared with the original on real pictures, and kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..cancel import CancelToken
from ..errors import DepthbridgeError, ModelError, RuntimeUnavailableError, first_line
from ..model_store import resolve
from ..progress import Progress
from ..recognise import Recognised, recognise
from ..runtimes.onnx_runtime import OnnxRuntime, import_onnxruntime
from ..runtimes.runtime import Runtime
from ..runtimes.targets import Precision, RuntimeName, Target
from . import half_graph
from .agreement import agreement
from .engine_cache import EngineCache, EngineKey, model_sha256
from .recording import Recorded, check_pictures, record
from .temporary_folder import temporary_folder
from .value_ranges import RangeProbe

MAX_MEDIAN_DEVIATION = 0.01
"""More than this between half precision and float32 is refused."""

_RECIPE = 1  # another one whenever what is made here changes
_LEFT_ALONE = "left-alone"
_MAX_INLINE_BYTES = 1_500_000_000  # a Protocol Buffers message ends at 2 GiB
_CPU = Target(RuntimeName.ONNXRUNTIME, "cpu", Precision.FP32)

Opener = Callable[[Path], Runtime]


def half_precision_file(
    path: Path,
    cache: EngineCache | None,
    *,
    progress: Progress | None = None,
    cancel: CancelToken | None = None,
    open_half: Opener | None = None,
) -> Path:
    """The mixed-precision form of the ONNX file at ``path``: inputs and outputs as they were, LayerNorm, Softmax and the head's end in
    float32. A file that is float16 (or quantised) already is returned itself. Without a ``cache`` the new file goes with this process.

    ``open_half`` opens a file where it will run, for the comparison with float32; None compares on the CPU. Raises :class:`ModelError` when
    the graph cannot be converted or its depth is off by more than :data:`MAX_MEDIAN_DEVIATION` (median of any picture) or not finite, and
    :class:`RuntimeUnavailableError` when the ``onnx`` package is absent.
    """

    def build(folder: Path) -> None:
        _build(path, folder, progress, cancel, open_half)

    if cache is None:
        folder = temporary_folder()
        build(folder)
    else:
        ort = import_onnxruntime()
        key = EngineKey(
            model_sha256(path, cache), path.name, f"onnxruntime {ort.__version__}", "any", str(Precision.FP16), f"graph, recipe {_RECIPE}"
        )
        folder = cache.obtain(key, build, progress=progress, cancel=cancel)
    return path if (folder / _LEFT_ALONE).exists() else folder / path.name


def import_onnx(purpose: str) -> Any:
    """The ``onnx`` package. Raises :class:`RuntimeUnavailableError`."""
    try:
        import onnx
        import onnx.shape_inference
        import onnx.version_converter
    except ImportError as error:
        raise RuntimeUnavailableError(
            f"{purpose} needs the package onnx: `pip install onnx`, or install Depthbridge with its `cuda`, `tensorrt` or `int8` extra."
        ) from error
    return onnx


def load_plain(onnx: Any, path: Path, oldest_opset: int = 0) -> Any:
    """The file's graph in the form that converters are safe with, types inferred; weights that lie beside it are not loaded yet. An opset
    older than ``oldest_opset`` is brought up to that."""
    model = onnx.load(path, load_external_data=False)
    if any(item.version < oldest_opset for item in model.opset_import if item.domain in ("", "ai.onnx")):
        model = onnx.version_converter.convert_version(model, oldest_opset)
    half_graph.make_plain(model)
    return onnx.shape_inference.infer_shapes(model)


def save(onnx: Any, model: Any, target: Path, max_inline_bytes: int = _MAX_INLINE_BYTES) -> None:
    """Writes ``model``; large weights go into a file beside it."""
    if model.ByteSize() <= max_inline_bytes:
        onnx.save(model, target)
    else:
        onnx.save(model, target, save_as_external_data=True, location=f"{target.name}_data", size_threshold=1024)


def _build(path: Path, folder: Path, progress: Progress | None, cancel: CancelToken | None, open_half: Opener | None) -> None:
    def step(text: str) -> None:
        if cancel is not None:
            cancel.check()
        if progress is not None:
            progress(text)

    onnx = import_onnx("Half precision")
    step(f"Converting {path.name} to half precision.")
    if half_graph.is_reduced(onnx.load(path, load_external_data=False)):
        (folder / _LEFT_ALONE).touch()
        return
    recognised = recognise(path, resolve(path).spec)
    target = folder / path.name
    try:
        model = load_plain(onnx, path)
        probe = RangeProbe(model, path.parent)
        step(f"Running {path.name} in float32 on three pictures.")
        records = list(record(probe, recognised, path, check_pictures(), cancel))
        large = probe.too_large()
        probe.close()
        step(f"Writing {path.name} in half precision.")
        onnx.external_data_helper.load_external_data_for_model(model, str(path.parent))
        save(onnx, half_graph.to_half(model, large), target)
    except (OSError, DepthbridgeError):
        raise
    except Exception as error:  # the converters raise whatever they stumble over
        why = first_line(error).rstrip(".")
        raise ModelError(f"{path.name} cannot be converted to half precision ({why}); use --precision fp32.") from error
    step(f"Comparing {path.name} in half precision with float32.")
    _check(path, target, records, recognised, cancel, open_half)


def _check(
    path: Path, target: Path, records: list[Recorded], recognised: Recognised, cancel: CancelToken | None, open_half: Opener | None
) -> None:
    try:
        half = OnnxRuntime(target, _CPU) if open_half is None else open_half(target)
        try:
            found = agreement(records, half, recognised, cancel=cancel)
        finally:
            half.close()
    except (RuntimeError, ModelError) as error:
        raise ModelError(f"{path.name} in half precision does not run ({first_line(error).rstrip('.')}); use --precision fp32.") from error
    if not found.finite:
        raise ModelError(f"{path.name} overflows in half precision: its depth is not finite; use --precision fp32.")
    if not found.worst <= MAX_MEDIAN_DEVIATION:
        raise ModelError(
            f"{path.name} in half precision is off by {found.worst:.1%} (median) from float32, more than {MAX_MEDIAN_DEVIATION:.0%}; "
            "use --precision fp32."
        )
