# SPDX-License-Identifier: Apache-2.0
"""OpenVINO on the processor: BF16 where it has that, twice as fast as FP32 then, and FP32 everywhere."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..cancel import CancelToken
from ..errors import ModelError, RuntimeUnavailableError
from .targets import Precision, RuntimeName, Target

if TYPE_CHECKING:
    from ..prepared.engine_cache import EngineCache

Progress = Callable[[str], None]

ABSENT = "openvino is not there: install Depthbridge with its `openvino` extra, or use --runtime onnxruntime."

# What is not quantised of an INT8 graph stays in FP32, as in the runtime its loss is measured with.
_HINTS = {Precision.FP32: "f32", Precision.BF16: "bf16", Precision.INT8: "f32"}
_BLOB = "compiled.blob"
_UNFOLDED = "DisableConstantFolding_0"


class OpenVinoRuntime:
    """A compiled model for ``target``, whose device is ``cpu``. ``threads``: CPU threads, None lets it choose.

    What was compiled is kept in ``cache``, from where it opens three times as fast; ``progress`` is told when something is compiled. Shapes
    stay as dynamic as the file declares them: fixed ones measured no faster. Raises :class:`RuntimeUnavailableError` when openvino, or the
    target's precision, is not there, :class:`ModelError` when the file cannot be loaded, and ``CancelledError`` before or after compiling,
    never during it.
    """

    def __init__(
        self,
        path: Path,
        target: Target,
        *,
        threads: int | None = None,
        cache: EngineCache | None = None,
        progress: Progress | None = None,
        cancel: CancelToken | None = None,
    ) -> None:
        self._opening: _Opening | None = _Opening(path, target, threads, cache)
        self._name = self._opening.library
        self._target = target
        self._running = threading.Lock()
        self._opened: _Opened | None = self._opening.open(progress, cancel)

    @property
    def name(self) -> str:
        return self._name

    @property
    def device(self) -> str:
        return self._target.device

    @property
    def precision(self) -> Precision:
        return self._target.precision

    @property
    def notes(self) -> tuple[str, ...]:
        return ()

    def run(
        self, feeds: dict[str, npt.NDArray[np.generic]], outputs: Sequence[str], cancel: CancelToken | None = None
    ) -> list[npt.NDArray[np.generic]]:
        """As :class:`~.runtime.Runtime` says. The outputs are openvino's own buffers. A cancel ends it after the operation at work."""
        with self._running:
            if cancel is not None:
                cancel.check()  # a run that was given up may have been waited for
            opened = self._ready()  # held to the end of the run, whoever closes the engine meanwhile
            try:
                with nullcontext() if cancel is None else cancel.on_cancel(opened.request.cancel):
                    found = opened.request.infer(feeds, share_inputs=True, share_outputs=True)
                    answer = [found[opened.places[name]] for name in outputs]
            except (RuntimeError, TypeError, ValueError, KeyError) as error:
                cancelled = cancel is not None and cancel.cancelled
                # Half-way out of a run, operations remember shapes of two pictures, and openvino answers the next one with the wrong map or
                # none at all (2026.4, new requests included). One that never ended a run has nothing to mix up.
                if opened.dynamic and (cancelled or opened.has_run):
                    self._opened = None
                if cancelled and cancel is not None:
                    cancel.check()
                raise RuntimeError(telling_line(error)) from error
            opened.has_run = True
            return answer

    def close(self) -> None:
        self._opening = self._opened = None

    def _ready(self) -> _Opened:
        """What is open; opened again after a run that did not end."""
        opening, opened = self._opening, self._opened
        if opening is None:
            raise ModelError("The engine is closed; open it again.")
        if opened is None:
            opened = self._opened = opening.open(None, None)
        return opened


def cpu_has_bf16() -> bool:
    """Whether openvino would compute in BF16 on this processor. Loads the library. Raises :class:`RuntimeUnavailableError`."""
    return _has_bf16(import_openvino().Core())


def telling_line(error: Exception) -> str:
    """The line of an error of openvino that says something: above it stand the places in its source that the error came through."""
    lines = [line.strip(" -") for line in str(error).splitlines() if line.strip(" -")]
    told = [line for line in lines if not line.startswith(("Exception from ", "Check '"))]
    return (told or lines or [type(error).__name__])[-1]


# ---- opening ------------------------------------------------------------------------------------------------------------


class _Opened:
    """A request to run with. ``places``: of the outputs, by name; ``dynamic``: whether pictures may have several sizes.

    ``memory`` is what the model was loaded from: openvino reads its weights there and keeps no hold of it, so that it must outlive the request.
    """

    def __init__(self, compiled: Any, memory: npt.NDArray[np.uint8] | None) -> None:
        self.request = compiled.create_infer_request()
        self.places = {name: place for place, output in enumerate(compiled.outputs) for name in output.get_names()}
        self.dynamic = any(each.get_partial_shape().is_dynamic for each in compiled.inputs)
        self.has_run = False
        self._memory = memory

    def __del__(self) -> None:
        self.request = None  # before the memory goes


class _Opening:
    """How a model is opened, as often as that is needed. ``library``: its name and version."""

    def __init__(self, path: Path, target: Target, threads: int | None, cache: EngineCache | None) -> None:
        self._openvino = import_openvino()
        self._core = self._openvino.Core()
        _check_target(target, self._core)
        self.library = f"{RuntimeName.OPENVINO} {self._openvino.__version__.partition('-')[0]}"
        self._path = path
        self._precision = target.precision
        self._cache = cache
        self._properties = _properties(target, threads)

    def open(self, progress: Progress | None, cancel: CancelToken | None) -> _Opened:
        """Raises :class:`ModelError`, and ``CancelledError`` while it waits for another program."""
        try:
            return _Opened(self._compile(), None) if self._cache is None else self._obtain(self._cache, progress, cancel)
        except RuntimeError as error:  # openvino's exceptions are plain ones
            raise ModelError(f"{self._path.name} cannot be loaded by {self.library}: {telling_line(error)}") from error

    def _obtain(self, cache: EngineCache, progress: Progress | None, cancel: CancelToken | None) -> _Opened:
        """From the cache where it is kept there; compiled and kept where not."""
        from ..prepared.engine_cache import EngineKey, model_sha256
        from ..tuning.machine import processor_name

        digest = model_sha256(self._path, cache)
        key = EngineKey(digest, self._path.name, self.library, processor_name(), self._precision, "as the file says")
        fresh: list[Any] = []

        def build(folder: Path) -> None:
            fresh.append(self._compile())
            blob = io.BytesIO()
            fresh[-1].export_model(blob)
            (folder / _BLOB).write_bytes(blob.getbuffer())

        folder = cache.obtain(key, build, progress=progress, cancel=cancel)
        if not fresh:
            try:
                return self._load(folder / _BLOB)
            except (RuntimeError, OSError, ValueError):  # refused: made anew
                cache.discard(key)
                cache.obtain(key, build, progress=progress, cancel=cancel)
        return _Opened(fresh[-1] if fresh else self._compile(), None)

    def _compile(self) -> Any:
        model = self._core.read_model(self._path)
        for operation in model.get_ops():
            # Position tables are resized by a reference implementation when constants are folded, 15 s of the 16 that DA2-small took to
            # compile. A mark that no version documents keeps it away; the processor's own kernel then does it, once. Where the mark means
            # nothing, compiling takes its time and gives the same.
            if operation.get_type_name() == "Interpolate":
                operation.get_rt_info()[_UNFOLDED] = ""
        return self._core.compile_model(model, "CPU", self._properties)

    def _load(self, blob: Path) -> _Opened:
        # Copy on write, for openvino takes no array that it might not write to.
        memory = np.memmap(blob, np.uint8, mode="c")
        try:
            compiled = self._core.import_model(self._openvino.Tensor(memory, shared_memory=True), "CPU", self._properties)
        except TypeError:  # 2025.0 takes bytes alone
            compiled = self._core.import_model(memory.tobytes(), "CPU", self._properties)
        return _Opened(compiled, memory)


def import_openvino() -> Any:
    """The library. Raises :class:`RuntimeUnavailableError` when it is absent, with what ``import`` says as its cause."""
    # Importing it tells Google Analytics so, from a process it forks. Without that package openvino uses a silent stand-in of its own.
    talkative = "openvino_telemetry" not in sys.modules
    if talkative:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    try:
        import openvino
    except ImportError as error:
        raise RuntimeUnavailableError(ABSENT) from error
    finally:
        if talkative:
            sys.modules.pop("openvino_telemetry", None)
    return openvino


def _check_target(target: Target, core: Any) -> None:
    if target.device != "cpu":
        raise RuntimeUnavailableError(f"OpenVINO runs models on the processor here, not on {target.device}; use --device cpu.")
    if target.precision not in _HINTS:
        raise RuntimeUnavailableError(f"OpenVINO computes in {', '.join(_HINTS)} on the processor, not in {target.precision}; use one of these.")
    if target.precision is Precision.BF16 and not _has_bf16(core):
        raise RuntimeUnavailableError("This processor does not compute in bf16; use --precision fp32.")


def _has_bf16(core: Any) -> bool:
    return "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _properties(target: Target, threads: int | None) -> dict[str, str]:
    found = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": _HINTS[target.precision],
        # Two engines pinned to the same cores wait for each other; one alone is as fast without.
        "ENABLE_CPU_PINNING": "NO",
    }
    if threads is not None:
        found["INFERENCE_NUM_THREADS"] = str(threads)
    return found
