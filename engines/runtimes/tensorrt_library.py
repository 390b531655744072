# SPDX-License-Identifier: Apache-2.0
"""TensorRT itself, 10.x and 11.x: building an engine, and loading one. Never executed by this project: TensorRT cannot be installed where it
is built. Written after NVIDIA's Python API reference of 10.0 to 11.4, its migration guide to 11, and the samples of its repository.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..atomic import atomic_path, make_folder
from ..cancel import CancelToken
from ..errors import ModelError, OutputError, RuntimeUnavailableError
from ..onnx_graph import TensorInfo
from .build_progress import BuildProgress
from .provider_options import ShapeRange

ABSENT = "tensorrt is not there: install Depthbridge with its `tensorrt` extra, or use --runtime onnxruntime."

# tensorrt.DataType by name -> the word that signatures use.
_DTYPES = {
    "FLOAT": "float32",
    "HALF": "float16",
    "BF16": "bfloat16",
    "INT8": "int8",
    "INT32": "int32",
    "INT64": "int64",
    "BOOL": "bool",
    "UINT8": "uint8",
}


def import_tensorrt() -> Any:
    """The library. Raises :class:`RuntimeUnavailableError` when it is absent or of a version that is not understood."""
    try:
        import tensorrt
    except ImportError as error:
        raise RuntimeUnavailableError(ABSENT) from error
    if tensorrt.__version__.partition(".")[0] not in ("10", "11"):
        raise RuntimeUnavailableError(f"tensorrt {tensorrt.__version__} is not understood; install 10.x or 11.x.")
    return tensorrt


class TensorRt:
    """The library with a log of its own: its calls return None or False, and why stands in the log alone."""

    def __init__(self) -> None:
        self.trt = import_tensorrt()
        self.version: str = self.trt.__version__
        self.errors: list[str] = []
        self.log = _log(self.trt, self.errors)
        self._runtime = self.trt.Runtime(self.log)

    def why(self) -> str:
        """The first error since this was last called: those after it follow from it."""
        found = self.errors[0] if self.errors else "no reason is given"
        self.errors.clear()
        return found.strip().splitlines()[0] if found.strip() else "no reason is given"

    def load(self, path: Path) -> Any | None:
        """The engine in the file; None when it is another version's, another card's, or damaged: :meth:`why`. Code in it is executed."""
        self.errors.clear()
        return self._runtime.deserialize_cuda_engine(path.read_bytes())

    def build(
        self, onnx: Path, target: Path, shapes: Sequence[ShapeRange], timings: Path | None, progress: BuildProgress, cancel: CancelToken | None
    ) -> None:
        """Compiles the ONNX file into ``target``, in the precisions that the file itself says; ``timings`` keeps what is learnt of kernels.

        Raises :class:`ModelError`, and ``CancelledError``.
        """
        self.errors.clear()
        trt = self.trt
        builder = trt.Builder(self.log)
        # In 11 the only way, and the flag ignored; in 10 without it the types of the file would be a hint.
        network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
        parser = trt.OnnxParser(network, self.log)
        if not parser.parse_from_file(str(onnx)):
            reason = parser.get_error(0).desc() if parser.num_errors else self.why()
            raise ModelError(f"{onnx.name} cannot be read by tensorrt {self.version}: {reason.strip().splitlines()[0]}")
        config = builder.create_builder_config()
        if shapes:
            profile = builder.create_optimization_profile()
            for each in shapes:
                profile.set_shape(each.name, each.smallest, each.tuned, each.largest)
            config.add_optimization_profile(profile)
        config.set_timing_cache(config.create_timing_cache(_bytes_of(timings)), ignore_mismatch=False)
        monitor = _monitor(trt, progress)
        config.progress_monitor = monitor
        plan = builder.build_serialized_network(network, config)
        if cancel is not None:
            cancel.check()
        if plan is None:
            raise ModelError(f"tensorrt {self.version} cannot build an engine of {onnx.name}: {self.why()}")
        target.write_bytes(plan)
        if timings is not None:
            _keep(timings, config.get_timing_cache().serialize())


def tensor_infos(trt: Any, engine: Any) -> tuple[tuple[TensorInfo, ...], tuple[TensorInfo, ...]]:
    """Inputs and outputs of an engine, as of an ONNX file."""
    inputs: list[TensorInfo] = []
    outputs: list[TensorInfo] = []
    for place in range(engine.num_io_tensors):
        name = engine.get_tensor_name(place)
        info = tensor_info(name, engine.get_tensor_dtype(name).name, tuple(engine.get_tensor_shape(name)))
        (inputs if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT else outputs).append(info)
    return tuple(inputs), tuple(outputs)


def tensor_info(name: str, dtype: str, shape: Sequence[int]) -> TensorInfo:
    """From TensorRT's words: a type such as ``HALF``, and -1 for what is dynamic."""
    return TensorInfo(name, _DTYPES.get(dtype, dtype.lower()), tuple(None if side < 0 else int(side) for side in shape))


def _log(trt: Any, errors: list[str]) -> Any:
    class Log(trt.ILogger):  # type: ignore[misc]
        """Keeps errors; everything else goes nowhere."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self._lock = threading.Lock()

        def log(self, severity: Any, msg: str) -> None:
            if severity in (trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR):
                with self._lock:
                    errors.append(msg)

    return Log()


def _monitor(trt: Any, progress: BuildProgress) -> Any:
    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        """Hands on what the builder reports; TensorRT wants a class of its own."""

        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            progress.phase_start(phase_name, parent_phase, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            return progress.step_complete(phase_name, step)

        def phase_finish(self, phase_name: str) -> None:
            progress.phase_finish(phase_name)

    return Monitor()


def _bytes_of(path: Path | None) -> bytes:
    try:
        return b"" if path is None else path.read_bytes()
    except OSError:
        return b""


def _keep(path: Path, content: Any) -> None:
    """Timings that cannot be kept are measured again next time."""
    try:
        make_folder(path.parent)
        with atomic_path(path, overwrite=True) as temporary:
            temporary.write_bytes(content)
    except OutputError:
        pass
