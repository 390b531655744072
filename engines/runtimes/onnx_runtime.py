# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime: the CPU everywhere, and CUDA, CoreML or DirectML where the installed build has them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..cancel import CancelToken
from ..errors import ModelError, RuntimeUnavailableError

if TYPE_CHECKING:
    import onnxruntime

# Device word -> provider, in the order "auto" prefers them.
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


class OnnxRuntime:
    """One session. ``device``: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``coreml``, ``directml``; ``threads``: CPU threads, None lets it choose.

    Raises :class:`RuntimeUnavailableError` when onnxruntime, or the device asked for by name, is not there, and :class:`ModelError` when the
    file cannot be loaded.
    """

    def __init__(self, path: Path, device: str = "auto", threads: int | None = None) -> None:
        ort = _import_onnxruntime()
        word, index = _parse_device(device)
        available = ort.get_available_providers()
        if word != "auto" and _PROVIDERS[word] not in available:
            raise RuntimeUnavailableError(
                f"The device {device!r} is not in the installed onnxruntime (it has {', '.join(_device_words(available))}); {_REMEDIES[word]}."
            )
        wanted = next(name for name, provider in _PROVIDERS.items() if provider in available) if word == "auto" else word
        providers: list[Any] = [(_PROVIDERS[wanted], {"device_id": index})] if wanted in ("cuda", "directml") else [_PROVIDERS[wanted]]
        if wanted != "cpu":
            providers.append(_PROVIDERS["cpu"])
        self._session: onnxruntime.InferenceSession | None = _open_session(ort, path, providers, wanted, threads)
        used = self._session.get_providers()[0]
        self._notes: tuple[str, ...] = ()
        if used != _PROVIDERS[wanted]:
            message = f"onnxruntime offers {wanted} but could not start it on this machine (are its driver and libraries installed?)"
            if word != "auto":
                raise RuntimeUnavailableError(f"{message}; use --device cpu.")
            self._notes = (f"{message}; running on the CPU.",)
            wanted = "cpu"
        self._device = f"cuda:{index}" if wanted == "cuda" else wanted
        self._name = f"onnxruntime {ort.__version__}"

    @property
    def name(self) -> str:
        return self._name

    @property
    def device(self) -> str:
        return self._device

    @property
    def notes(self) -> tuple[str, ...]:
        return self._notes

    def run(
        self, feeds: dict[str, npt.NDArray[np.generic]], outputs: Sequence[str], cancel: CancelToken | None = None
    ) -> list[npt.NDArray[np.generic]]:
        session = self._session
        if session is None:
            raise ModelError("The engine is closed; open it again.")
        options = _import_onnxruntime().RunOptions()
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


def _import_onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise RuntimeUnavailableError(
            "onnxruntime is not there: install Depthbridge with its `cpu` extra (or `cuda` on an NVIDIA machine); in Blender install the full "
            "zip, or name a remote engine."
        ) from error
    return onnxruntime


def _parse_device(device: str) -> tuple[str, int]:
    match = re.fullmatch(r"(auto|cpu|coreml|cuda|directml)(?::(\d+))?", device.strip().lower())
    if match is None or (match[2] and match[1] not in ("cuda", "directml")):
        raise RuntimeUnavailableError(f"The device {device!r} is not known; use auto, cpu, cuda, cuda:1, coreml or directml.")
    return match[1], int(match[2] or 0)


def _device_words(providers: Sequence[str]) -> list[str]:
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
