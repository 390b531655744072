# SPDX-License-Identifier: Apache-2.0
"""TensorRT by itself, from an ONNX file or a ready-made engine. Never executed by this project: see :mod:`.tensorrt_library`."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..cancel import CancelToken
from ..errors import ModelError, RuntimeUnavailableError
from ..model_paths import is_engine_file
from ..onnx_graph import TensorInfo
from ..progress import Progress
from .build_progress import BuildProgress
from .cuda_memory import CudaMemory
from .hardware import gpus
from .provider_options import ShapeRange
from .shape_ranges import shape_ranges
from .targets import Precision, RuntimeName, Target, untried
from .tensorrt_library import TensorRt, tensor_infos

if TYPE_CHECKING:
    from ..prepared.engine_cache import EngineCache, EngineKey


_PLAN = "engine.plan"


class TensorRtRuntime:
    """An engine on the card that ``target`` names: the one at ``path``, or one built of the ONNX file there and kept in ``cache``.

    The ONNX file decides the precision: give a half-precision one for FP16. ``progress`` is told how far a build has come, ``cancel`` stops
    it. Activations take the memory of the largest batch. Raises :class:`RuntimeUnavailableError` when tensorrt or the card is not there,
    :class:`ModelError` when the file cannot be built or loaded, and ``CancelledError``.
    """

    def __init__(
        self,
        path: Path,
        target: Target,
        *,
        cache: EngineCache | None = None,
        progress: Progress | None = None,
        cancel: CancelToken | None = None,
    ) -> None:
        self._library = TensorRt()
        self._target = target
        self._running = threading.Lock()
        self._memory = CudaMemory(target.device_index)
        try:
            if is_engine_file(path):
                self._engine = self._load_foreign(path)
            else:
                self._engine = self._obtain(path, cache, progress, cancel)
            self._context = self._engine.create_execution_context()
            if self._context is None:
                raise ModelError(f"{path.name} does not fit on {target.device}: {self._library.why()}")
        except BaseException:
            self._memory.close()
            raise
        self.inputs, self.outputs = tensor_infos(self._library.trt, self._engine)
        unknown = [info.name for info in (*self.inputs, *self.outputs) if not _is_numpy(info)]
        if unknown:
            self.close()
            raise ModelError(
                f"{path.name} answers in types that NumPy does not know ({', '.join(unknown)}); build it with FP32 inputs and outputs."
            )

    @property
    def name(self) -> str:
        return f"{RuntimeName.TENSORRT} {self._library.version}"

    @property
    def device(self) -> str:
        return self._target.device

    @property
    def precision(self) -> Precision:
        return self._target.precision

    @property
    def notes(self) -> tuple[str, ...]:
        sentence = untried(self._target)
        return () if sentence is None else (sentence,)

    def run(
        self, feeds: dict[str, npt.NDArray[np.generic]], outputs: Sequence[str], cancel: CancelToken | None = None
    ) -> list[npt.NDArray[np.generic]]:
        """As :class:`~.runtime.Runtime` says. A run on the card cannot be stopped half-way: a cancel counts when it has ended."""
        with self._running:
            if cancel is not None:
                cancel.check()
            context, memory = self._context, self._memory
            if context is None:
                raise ModelError("The engine is closed; open it again.")
            memory.use()
            for name, array in feeds.items():
                if not context.set_input_shape(name, array.shape):
                    raise RuntimeError(f"{name} of shape {array.shape} is outside of what the engine was built for")
                context.set_tensor_address(name, memory.upload(name, array))
            shapes = {info.name: tuple(context.get_tensor_shape(info.name)) for info in self.outputs}
            kinds = {info.name: np.dtype(info.dtype) for info in self.outputs}
            for name, shape in shapes.items():
                size = int(np.prod(shape)) * kinds[name].itemsize
                context.set_tensor_address(name, memory.room(name, size))
            if not context.execute_async_v3(memory.stream):
                raise RuntimeError(self._library.why())
            found = [memory.download(name, shapes[name], kinds[name]) for name in outputs]
            memory.wait()
            if cancel is not None:
                cancel.check()
            return found

    def close(self) -> None:
        with self._running:  # TensorRT does not hold what a run uses
            self._context = self._engine = None
            self._memory.close()

    # ---- opening --------------------------------------------------------------------------------------------------

    def _load_foreign(self, path: Path) -> Any:
        engine = self._library.load(path)
        if engine is None:
            raise ModelError(
                f"{path.name} cannot be loaded by {self.name} on {self._target.device}: {self._library.why()}. An engine runs only on the kind "
                "of card and the version of TensorRT it was built with; build it anew, or open the ONNX file it came from."
            )
        return engine

    def _obtain(self, path: Path, cache: EngineCache | None, progress: Progress | None, cancel: CancelToken | None) -> Any:
        from ..prepared.temporary_folder import temporary_folder

        shapes = shape_ranges(path)
        timings = None if cache is None else cache.note_path("timings").with_suffix("") / f"tensorrt-{self._library.version}.cache"

        def build(folder: Path) -> None:
            told = BuildProgress(f"Building {path.name} for {self.name}", progress, cancel)
            self._library.build(path, folder / _PLAN, shapes, timings, told, cancel)

        def folder_of(key: EngineKey | None) -> Path:
            if cache is not None and key is not None:
                return cache.obtain(key, build, progress=progress, cancel=cancel)
            folder = temporary_folder()
            build(folder)
            return folder

        key = None if cache is None else self._key(path, shapes, cache)
        engine = self._library.load(folder_of(key) / _PLAN)
        if engine is None and cache is not None and key is not None:  # refused: made anew
            cache.discard(key)
            engine = self._library.load(folder_of(key) / _PLAN)
        if engine is None:
            raise ModelError(f"{self.name} does not load the engine that it built of {path.name}: {self._library.why()}")
        return engine

    def _key(self, path: Path, shapes: Sequence[ShapeRange], cache: EngineCache) -> EngineKey:
        from ..prepared.engine_cache import EngineKey, model_sha256

        card = next((str(gpu) for gpu in gpus() if gpu.index == self._target.device_index), None)
        if card is None:
            raise RuntimeUnavailableError(f"There is no {self._target.device} here; use another device.")
        return EngineKey(model_sha256(path, cache), path.name, self.name, card, self._target.precision, profile_name(shapes))


def profile_name(shapes: Sequence[ShapeRange]) -> str:
    """The range of shapes as the cache lists it: ``1x3x112x112..1x3x280x504..8x3x518x518``."""
    sides = [[each.smallest, each.tuned, each.largest] for each in shapes]
    return "; ".join("..".join("x".join(map(str, shape)) for shape in shapes_of) for shapes_of in sides) or "as the file says"


def _is_numpy(info: TensorInfo) -> bool:
    try:
        np.dtype(info.dtype)
    except TypeError:
        return False
    return True
