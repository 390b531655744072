# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime: the CPU everywhere, and CUDA, CoreML or DirectML where the installed build has them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..cancel import CancelToken
from ..errors import ModelError, RuntimeUnavailableError
from .targets import Precision, RuntimeName, Target

if TYPE_CHECKING:
    import onnxruntime

# Kind of device -> provider.
_PROVIDERS = {
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
_REMEDIES = {
    "cuda": "install the `cuda` extra (onnxruntime-gpu) in place of `cpu`",
    "coreml": "use the macOS build of onnxruntime",
    "directml": "install onnxruntime-directml on Windows in place of onnxruntime",
}


ABSENT = (
    "onnxruntime is not there: install Depthbridge with its `cpu` extra (or `cuda` on an NVIDIA machine); in Blender install the full zip, or "
    "name a remote engine."
)


class OnnxRuntime:
    """One session for ``target``. ``threads``: CPU threads, None lets it choose.

    Raises :class:`RuntimeUnavailableError` when onnxruntime, or the target's device, is not there, and :class:`ModelError` when the file
    cannot be loaded.
    """

    def __init__(self, path: Path, target: Target, *, threads: int | None = None) -> None:
        ort = import_onnxruntime()
        kind, available = target.device_kind, ort.get_available_providers()
        if _PROVIDERS[kind] not in available:
            raise RuntimeUnavailableError(
                f"The device {kind!r} is not in the installed onnxruntime (it has {', '.join(device_words(available))}); {_REMEDIES[kind]}."
            )
        wanted = _PROVIDERS[kind]
        providers: list[Any] = [(wanted, {"device_id": target.device_index})] if kind in ("cuda", "directml") else [wanted]
        if kind != "cpu":
            providers.append(_PROVIDERS["cpu"])
        session = _open_session(ort, path, providers, kind, threads)
        if session.get_providers()[0] != wanted:
            raise RuntimeUnavailableError(
                f"onnxruntime offers {kind} but could not start it on this machine (are its driver and libraries installed?); use --device cpu."
            )
        self._session: onnxruntime.InferenceSession | None = session
        self._target = target
        self._name = f"{RuntimeName.ONNXRUNTIME} {ort.__version__}"
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
        return ()

    def run(
        self, feeds: dict[str, npt.NDArray[np.generic]], outputs: Sequence[str], cancel: CancelToken | None = None
    ) -> list[npt.NDArray[np.generic]]:
        with self._running:
            if cancel is not None:
                cancel.check()  # a run that was given up may have been waited for
            session = self._session
            if session is None:
                raise ModelError("The engine is closed; open it again.")
            options = import_onnxruntime().RunOptions()
            options.log_severity_level = 4  # being stopped is no error to print

            def stop() -> None:
                options.terminate = True

            try:
                with nullcontext() if cancel is None else cancel.on_cancel(stop):
                    return [np.asarray(value) for value in session.run(list(outputs), feeds, options)]
            except Exception as error:  # onnxruntime's exceptions share no base class below Exception
                if cancel is not None:
                    cancel.check()
                raise RuntimeError(_first_line(error)) from error

    def close(self) -> None:
        self._session = None


def import_onnxruntime() -> Any:
    """The library. Raises :class:`RuntimeUnavailableError`."""
    try:
        import onnxruntime
    except ImportError as error:
        raise RuntimeUnavailableError(ABSENT) from error
    return onnxruntime


def device_words(providers: Sequence[str]) -> list[str]:
    """The kinds of device that these providers are for, the fastest first."""
    return [word for word, provider in _PROVIDERS.items() if provider in providers]


def _open_session(ort: Any, path: Path, providers: list[Any], wanted: str, threads: int | None) -> Any:
    options = ort.SessionOptions()
    options.log_severity_level = 4  # its warnings go to stderr past us; what matters is raised or noted
    if threads is not None:
        options.intra_op_num_threads = threads
    if wanted == "directml":
        # DirectML's provider demands both (onnxruntime's own documentation).
        options.enable_mem_pattern = False
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    try:
        return ort.InferenceSession(str(path), options, providers=providers)
    except Exception as error:
        raise ModelError(f"{path.name} cannot be loaded by onnxruntime {ort.__version__}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0] if text else type(error).__name__
