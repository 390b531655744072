# SPDX-License-Identifier: Apache-2.0
"""OpenVINO on the processor: BF16 where it has that, twice as fast as FP32 then, and FP32 everywhere."""

from __future__ import annotations

import io
import math
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..cancel import CancelToken
from ..errors import ModelError, RuntimeUnavailableError
from ..progress import Progress
from .targets import Precision, RuntimeName, Target

if TYPE_CHECKING:
    from ..prepared.engine_cache import EngineCache

_Feeds = dict[str, npt.NDArray[np.generic]]

ABSENT = "openvino is not there: install Depthbridge with its `openvino` extra, or use --runtime onnxruntime."

# What is not quantised of an INT8 graph stays in FP32, as in the runtime its loss is measured with.
_HINTS = {Precision.FP32: "f32", Precision.BF16: "bf16", Precision.INT8: "f32"}
_RECIPE = 2  # another one whenever what is done to a graph here changes
_BLOB = "compiled.blob"
# Numbers of one input picture that a patch of a vision transformer may have, at most: the embedded model's is 56 pixels wide.
_PATCH = 3 * 128 * 128
# Operations that become a part of the convolution before them.
_FUSED = frozenset({
    "Add", "Subtract", "Multiply", "Divide", "Maximum", "Minimum", "PRelu", "Relu", "Elu", "Gelu", "Sigmoid", "Tanh", "Clamp", "Swish", "HSwish",
    "HSigmoid", "Mish", "Abs", "Sqrt", "SoftPlus", "Exp", "Negative", "FakeQuantize", "Convert",
})  # fmt: skip
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

    def run(self, feeds: _Feeds, outputs: Sequence[str], cancel: CancelToken | None = None) -> list[npt.NDArray[np.generic]]:
        """As :class:`~.runtime.Runtime` says. The outputs are openvino's own buffers. A cancel ends it after the operation at work."""
        with self._running:
            if cancel is not None:
                cancel.check()  # a run that was given up may have been waited for
            opened = self._ready(feeds)  # held to the end of the run, whoever closes the engine meanwhile
            try:
                with nullcontext() if cancel is None else cancel.on_cancel(opened.request.cancel):
                    found = opened.request.infer(feeds, share_inputs=True, share_outputs=True)
                opened.first = opened.first or _shapes(feeds)
                answer = [found[opened.places[name]] for name in outputs]
                opened.check(feeds, dict(zip(outputs, answer, strict=True)))
            except (RuntimeError, TypeError, ValueError, KeyError) as error:
                cancelled = cancel is not None and cancel.cancelled
                # Half-way out of a run, operations remember shapes of two pictures, and openvino answers the next one with the wrong map or
                # none at all (2026.4, new requests included). One that never ended a run has nothing to mix up.
                if opened.dynamic and (cancelled or opened.first is not None):
                    self._opened = None
                if cancelled and cancel is not None:
                    cancel.check()
                raise RuntimeError(telling_line(error)) from error
            return answer

    def close(self) -> None:
        self._opening = self._opened = None

    def _ready(self, feeds: _Feeds) -> _Opened:
        """What is open; opened again after a run that did not end, and where the first one leaves no other right."""
        opening, opened = self._opening, self._opened
        if opening is None:
            raise ModelError("The engine is closed; open it again.")
        if opened is None or opened.is_spoilt_for(feeds):
            self._opened = None
            opened = self._opened = opening.open(None, None)
        return opened


def _has_batch_axis(shape: Any) -> bool:
    return bool(shape.rank.is_static and shape.rank.get_length() > 2 and shape[0].is_dynamic)


def _shapes(feeds: _Feeds) -> tuple[tuple[int, ...], ...]:
    return tuple(array.shape for array in feeds.values())


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
    """A request to run with. ``places``: of the outputs, by name; ``dynamic``: whether pictures may have several sizes; ``batches``: outputs
    that have an entry for each picture; ``first``: the shapes of its first run, None before that.

    ``memory`` is what the model was loaded from: openvino reads its weights there and keeps no hold of it, so that it must outlive the request.
    """

    def __init__(self, compiled: Any, memory: npt.NDArray[np.uint8] | None) -> None:
        self.request = compiled.create_infer_request()
        self.places = {name: place for place, output in enumerate(compiled.outputs) for name in output.get_names()}
        self.dynamic = any(each.get_partial_shape().is_dynamic for each in compiled.inputs)
        self.batches = {name for output in compiled.outputs for name in output.get_names() if _has_batch_axis(output.get_partial_shape())}
        self.first: tuple[tuple[int, ...], ...] | None = None
        self._memory = memory

    def is_spoilt_for(self, feeds: _Feeds) -> bool:
        """Whether the answer would be wrong without a word: attention whose first run had a single token answers garbage in every other
        size (2026.4). How large a token is only the graph knows: every first picture that could be one counts."""
        if not self.dynamic or self.first is None or self.first == _shapes(feeds):
            return False
        return any(math.prod(shape[1:]) <= _PATCH for shape in self.first)

    def check(self, feeds: _Feeds, answers: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Raises :class:`RuntimeError` when the answer cannot be that of ``feeds``: in a batch, a fused operation can hand out nothing, or the
        answer of the run before, without a word (2026.4)."""
        pictures = max(array.shape[0] for array in feeds.values())
        for name, answer in answers.items():
            if 0 in answer.shape or (pictures > 1 and name in self.batches and answer.shape[0] != pictures):
                raise RuntimeError(f"{name} came out with the shape {list(answer.shape)} for {pictures} pictures")

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
        key = EngineKey(digest, self._path.name, self.library, processor_name(), self._precision, f"as the file says, recipe {_RECIPE}")
        fresh: list[Any] = []

        def build(folder: Path) -> None:
            fresh.append(self._compile())
            blob = io.BytesIO()
            fresh[-1].export_model(blob)
            # Not its buffer: where the disk is full, the error's traceback would hold on to that, and Python complains on stderr.
            (folder / _BLOB).write_bytes(blob.getvalue())

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
        batches = [each for each in model.inputs if each.get_partial_shape().rank.is_static and each.get_partial_shape()[0].is_dynamic]
        if batches and _adds_one_to_many(model):
            model.reshape({each: [1, *list(each.get_partial_shape())[1:]] for each in batches})
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


def _adds_one_to_many(model: Any) -> bool:
    """Whether what a convolution makes of a table, which is there once, is added to a batch. Both are fused into one operation (2026.4), which
    in a batch fails, hands out the answer of the run before, or crashes: such a graph takes pictures one by one."""
    once: set[str] = set()
    for operation in model.get_ordered_ops():
        convolves = "Convolution" in operation.get_type_name()
        if not convolves and (operation.get_type_name() not in _FUSED or once.isdisjoint(_sources(operation))):
            continue
        shape = operation.output(0).get_partial_shape()
        if shape.rank.is_static and shape[0].is_static and shape[0].get_length() == 1:
            once.add(operation.get_friendly_name())
        elif not convolves:
            return True
    return False


def _sources(operation: Any) -> list[str]:
    return [each.get_source_output().get_node().get_friendly_name() for each in operation.inputs()]


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
