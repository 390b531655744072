# SPDX-License-Identifier: Apache-2.0
"""What a model may be run by: a library, a device and a precision, as words that users give and as what was decided."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from ..errors import RuntimeUnavailableError

AUTO = "auto"
"""The word for "whatever is fastest here"."""

ENVIRONMENT_VARIABLE = "DEPTHBRIDGE_RUNTIME"
"""Names the library that ``auto`` means."""

DEVICE_WORDS = "auto, cpu, cuda, cuda:1, directml, coreml"

_Word = TypeVar("_Word", bound=StrEnum)


class RuntimeName(StrEnum):
    """The libraries, as users name them."""

    ONNXRUNTIME = "onnxruntime"
    OPENVINO = "openvino"
    ONNXRUNTIME_TENSORRT = "onnxruntime-tensorrt"
    """ONNX Runtime with its TensorRT provider."""
    TENSORRT = "tensorrt"
    """TensorRT itself."""


class Precision(StrEnum):
    """What a network computes in. Its inputs and outputs stay as the graph declares them."""

    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"
    INT8 = "int8"


@dataclass(frozen=True, slots=True)
class Target:
    """One way to run a model. ``device``: ``cpu``, ``cuda:0``, ``directml:0``, ``coreml``."""

    runtime: RuntimeName
    device: str
    precision: Precision

    def __str__(self) -> str:
        return f"{self.runtime} {self.device} {self.precision}"

    @property
    def device_kind(self) -> str:
        """``cpu``, ``cuda``, ``directml`` or ``coreml``."""
        return self.device.partition(":")[0]

    @property
    def device_index(self) -> int:
        """Which of several, from 0."""
        return int(self.device.partition(":")[2] or 0)


_UNTRIED_RUNTIMES = {
    RuntimeName.TENSORRT: "TensorRT itself",
    RuntimeName.ONNXRUNTIME_TENSORRT: "ONNX Runtime's TensorRT provider",
}
_UNTRIED_DEVICES = {"cuda": "ONNX Runtime on CUDA", "directml": "DirectML", "coreml": "CoreML"}


def untried(target: Target) -> str | None:
    """One sentence when nobody on this project has run such a target yet: its code follows the libraries' documentation. None for the others."""
    what = _UNTRIED_RUNTIMES.get(target.runtime) or _UNTRIED_DEVICES.get(target.device_kind)
    return None if what is None else f"{what} was never executed by this project: its code follows the documentation."


@dataclass(frozen=True, slots=True)
class Wish:
    """What a user asked for; None where any will do. ``device`` as in :class:`Target`."""

    device: str | None = None
    runtime: RuntimeName | None = None
    precision: Precision | None = None

    @classmethod
    def parse(cls, device: str = AUTO, runtime: str = AUTO, precision: str = AUTO) -> Wish:
        """From the words of a command line. Raises :class:`RuntimeUnavailableError` for an unknown one, naming those that are known."""
        return cls(
            _parse_device(device),
            _parse_word("runtime", runtime, RuntimeName),
            _parse_word("precision", precision, Precision),
        )

    def or_environment(self, environ: Mapping[str, str] | None = None) -> Wish:
        """With the library that :data:`ENVIRONMENT_VARIABLE` names, where none was asked for. Raises as :meth:`parse`."""
        named = (os.environ if environ is None else environ).get(ENVIRONMENT_VARIABLE, "").strip()
        if self.runtime is not None or not named:
            return self
        return replace(self, runtime=_parse_word(f"runtime in {ENVIRONMENT_VARIABLE},", named, RuntimeName))

    def allows(self, target: Target) -> bool:
        """Whether ``target`` is what was asked for."""
        return self.device in (None, target.device) and self.runtime in (None, target.runtime) and self.precision in (None, target.precision)


def _parse_device(word: str) -> str | None:
    match = re.fullmatch(r"(auto|cpu|coreml|cuda|directml)(?::(\d+))?", word.strip().lower())
    if match is None or (match[2] and match[1] not in ("cuda", "directml")):
        raise RuntimeUnavailableError(f"The device {word!r} is not known; use {DEVICE_WORDS}.")
    if match[1] == AUTO:
        return None
    return f"{match[1]}:{int(match[2] or 0)}" if match[1] in ("cuda", "directml") else match[1]


def _parse_word(what: str, word: str, kind: type[_Word]) -> _Word | None:
    text = word.strip().lower()
    if text == AUTO:
        return None
    try:
        return kind(text)
    except ValueError as error:
        raise RuntimeUnavailableError(f"The {what} {word!r} is not known; use auto, {', '.join(kind)}.") from error
