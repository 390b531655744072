# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime: the CPU everywhere, and CUDA, TensorRT, CoreML or DirectML where the installed build has them.

Of these this project has executed the CPU alone; the others follow ONNX Runtime's documentation.
"""

from __future__ import annotations

import importlib
import io
import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stdout, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..cancel import CancelToken
from ..errors import ModelError, RuntimeUnavailableError, first_line
from .bound_run import BoundRun, ShapeKey, shape_key
from .hardware import gpus
from .provider_options import PROVIDERS, TENSORRT_PROVIDER, Kept, SessionPlan, ShapeRange, session_plan
from .targets import Precision, RuntimeName, Target

if TYPE_CHECKING:
    import onnxruntime

ABSENT = (
    "onnxruntime is not there: install Depthbridge with its `cpu` extra (or `cuda` on an NVIDIA machine); in Blender install the full zip, or "
    "name a remote engine."
)
_REMEDIES = {
    "cuda": "install the `cuda` extra (onnxruntime-gpu) in place of `cpu`",
    "coreml": "use the macOS build of onnxruntime",
    "directml": "install the `directml` extra (onnxruntime-directml, on Windows) in place of `cpu`",
}
_LIBRARIES = {
    RuntimeName.ONNXRUNTIME: 'the CUDA libraries come with: pip install "onnxruntime-gpu[cuda,cudnn]"',
    RuntimeName.ONNXRUNTIME_TENSORRT: 'TensorRT comes with: pip install "tensorrt>=10,<11" "onnxruntime-gpu[cuda,cudnn]"',
}
_NO_DRIVER = "This onnxruntime is built for NVIDIA cards, and no driver for one answers here; running on the CPU."
_MAX_SHAPES = 4
"""How many shapes keep their buffers; a stream has one."""
_NO_CAPTURE = "-1"
_LOG_WARNINGS, _LOG_FATAL = 2, 4


class OnnxRuntime:
    """One session for ``target``.

    ``threads``: CPU threads, None lets it choose. ``cuda_graph``: runs of others on :attr:`session` may be captured (its own never are).
    ``kept`` and ``shapes`` as in :func:`.provider_options.session_plan`. Raises :class:`RuntimeUnavailableError` when onnxruntime, or the
    target's device, is not there, and :class:`ModelError` when the file cannot be loaded.
    """

    def __init__(
        self,
        path: Path,
        target: Target,
        *,
        threads: int | None = None,
        cuda_graph: bool = False,
        kept: Kept | None = None,
        shapes: Sequence[ShapeRange] = (),
    ) -> None:
        ort = import_onnxruntime()
        available = ort.get_available_providers()
        version = tuple(int(part) for part in re.findall(r"\d+", ort.__version__)[:2])
        plan = session_plan(target, version=version, cuda_graph=cuda_graph, kept=kept, shapes=shapes)
        kind, wanted = target.device_kind, plan.providers[0].name
        if wanted not in available:
            remedy = _REMEDIES.get(kind, "install the `cpu` extra")
            there = ", ".join(device_words(available))
            raise RuntimeUnavailableError(f"The device {kind!r} is not in the installed onnxruntime (it has {there}); {remedy}.")
        session = _open_session(ort, path, plan, threads)
        if session is None or session.get_providers()[0] != wanted:
            what = f"{kind} through TensorRT" if target.runtime is RuntimeName.ONNXRUNTIME_TENSORRT else kind
            libraries = _LIBRARIES[target.runtime] if kind == "cuda" else "are its driver and libraries installed?"
            raise RuntimeUnavailableError(f"onnxruntime offers {what} but could not start it on this machine ({libraries}); use --device cpu.")
        self._session: onnxruntime.InferenceSession | None = session
        self._target = target
        through = RuntimeName.ONNXRUNTIME_TENSORRT if wanted == TENSORRT_PROVIDER else RuntimeName.ONNXRUNTIME
        self._name = f"{through} {ort.__version__}"
        self._notes = (_NO_DRIVER,) if kind == "cpu" and PROVIDERS["cuda"] in available and not gpus() else ()
        self._cuda_graph = cuda_graph
        self._bound: OrderedDict[ShapeKey, BoundRun] = OrderedDict()
        self._running = threading.Lock()

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
        return self._notes

    @property
    def session(self) -> onnxruntime.InferenceSession:
        """The open session, for who keeps tensors on the device. Raises :class:`ModelError` once it is closed."""
        if self._session is None:
            raise ModelError("The engine is closed; open it again.")
        return self._session

    @property
    def cuda_graph(self) -> bool:
        """Whether runs on :attr:`session` may be captured."""
        return self._cuda_graph

    def run(
        self, feeds: dict[str, npt.NDArray[np.generic]], outputs: Sequence[str], cancel: CancelToken | None = None
    ) -> list[npt.NDArray[np.generic]]:
        with self._running:
            session = self.session
            options = import_onnxruntime().RunOptions()
            options.log_severity_level = _LOG_FATAL  # being stopped is no error to print
            if self._cuda_graph:
                options.add_run_config_entry("gpu_graph_id", _NO_CAPTURE)

            def stop() -> None:
                options.terminate = True

            try:
                with nullcontext() if cancel is None else cancel.on_cancel(stop):
                    return self._run(session, feeds, outputs, options)
            except Exception as error:  # onnxruntime's exceptions share no base class below Exception
                if cancel is not None:
                    cancel.check()
                raise RuntimeError(first_line(error)) from error

    def _run(
        self, session: onnxruntime.InferenceSession, feeds: dict[str, npt.NDArray[np.generic]], outputs: Sequence[str], options: Any
    ) -> list[npt.NDArray[np.generic]]:
        key = shape_key(feeds, outputs)
        bound = self._bound.get(key)
        if bound is not None:
            self._bound.move_to_end(key)
            return bound.run(feeds, options)
        answers = [np.asarray(value) for value in session.run(list(outputs), feeds, options)]
        if self._target.device_kind in ("cpu", "cuda"):
            card = ("cuda", self._target.device_index) if self._target.device_kind == "cuda" else None
            self._bound[key] = BoundRun(session, outputs, answers, inputs_on=card)
            if len(self._bound) > _MAX_SHAPES:
                self._bound.popitem(last=False)
        return answers

    def close(self) -> None:
        self._session = None
        self._bound = OrderedDict()  # a run that was given up may still use the old one


def import_onnxruntime() -> Any:
    """The library. Raises :class:`RuntimeUnavailableError`."""
    try:
        import onnxruntime
    except ImportError as error:
        raise RuntimeUnavailableError(ABSENT) from error
    return onnxruntime


def device_words(providers: Sequence[str]) -> list[str]:
    """The kinds of device that these providers are for, the fastest first."""
    return [word for word, provider in PROVIDERS.items() if provider in providers]


def _open_session(ort: Any, path: Path, plan: SessionPlan, threads: int | None) -> Any:
    """None when the provider's own libraries are missing; most providers say so only by not being among the session's."""
    ort.disable_telemetry_events()  # its Windows build tells its maker of each session otherwise
    options = ort.SessionOptions()
    options.log_severity_level = _LOG_FATAL  # its warnings go to stderr past us; what matters is raised or noted
    options.enable_mem_pattern = plan.memory_pattern
    # Its threads spin between operations, which makes runs quicker; after a run they would spin beside our own work on the picture.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    if threads is not None:
        options.intra_op_num_threads = threads
    providers = [(provider.name, dict(provider.options)) for provider in plan.providers]
    if len(providers) > 1:
        _find_libraries(ort, plan)
    try:
        # It would fall back to another provider by itself, and say so on stdout.
        return ort.InferenceSession(str(path), options, providers=providers, enable_fallback=0)
    except Exception as error:
        if "install TensorRT libraries" in str(error):
            return None
        raise ModelError(f"{path.name} cannot be loaded by onnxruntime {ort.__version__}: {first_line(error)}") from error
    finally:
        if len(providers) > 1:
            ort.set_default_logger_severity(_LOG_WARNINGS)


def _find_libraries(ort: Any, plan: SessionPlan) -> None:
    """Loads the CUDA and TensorRT libraries that pip installed, which the system's loader does not find; keeps quiet about what is missing,
    for that is told as one sentence afterwards."""
    ort.set_default_logger_severity(_LOG_FATAL)
    if any(provider.name == PROVIDERS["cuda"] for provider in plan.providers):
        with redirect_stdout(io.StringIO()):
            with suppress(ImportError, OSError):
                importlib.import_module("tensorrt_libs")  # which loads them
            if hasattr(ort, "preload_dlls"):
                ort.preload_dlls()
