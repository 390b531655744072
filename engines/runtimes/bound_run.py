# SPDX-License-Identifier: Apache-2.0
"""A run of an ONNX Runtime session whose shapes are known: inputs and outputs are bound to buffers that are made once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import onnxruntime

_Array = npt.NDArray[np.generic]
ShapeKey = tuple[tuple[tuple[str, tuple[int, ...], str], ...], tuple[str, ...]]


def shape_key(feeds: Mapping[str, _Array], outputs: Sequence[str]) -> ShapeKey:
    """What one :class:`BoundRun` is for: names, shapes and types of the inputs, and the outputs that are wanted."""
    return tuple((name, value.shape, value.dtype.str) for name, value in feeds.items()), tuple(outputs)


class BoundRun:
    """``answers``: what an ordinary run on inputs of these shapes gave; their shapes and types are those of the buffers.

    On the CPU inputs are read where they lie. ``device`` and ``index`` other than that: inputs are copied into buffers on the device that
    stay where they are. Outputs arrive in host memory either way.
    """

    def __init__(
        self, session: onnxruntime.InferenceSession, outputs: Sequence[str], answers: Sequence[_Array], device: str = "cpu", index: int = 0
    ) -> None:
        self._session = session
        self._binding: Any = session.io_binding()
        self._device, self._index = device, index
        self._inputs: dict[str, Any] = {}
        self._buffers = [np.empty_like(answer, order="C") for answer in answers]
        for name, buffer in zip(outputs, self._buffers, strict=True):
            self._binding.bind_output(name, "cpu", 0, buffer.dtype.type, buffer.shape, buffer.ctypes.data)

    def run(self, feeds: Mapping[str, _Array], options: Any) -> list[_Array]:
        """The outputs, in the buffers: the next run overwrites them. Raises what the session raises."""
        for name, value in feeds.items():
            self._bind(name, value)
        self._session.run_with_iobinding(self._binding, options)
        return list(self._buffers)

    def _bind(self, name: str, value: _Array) -> None:
        known = self._inputs.get(name)
        if self._device == "cpu":
            # The same array stays bound, whatever it holds now; of one that is not contiguous a copy is bound.
            if known is not value or not value.flags.c_contiguous:
                self._inputs[name] = value
                self._binding.bind_cpu_input(name, value)
        elif known is None:
            import onnxruntime

            self._inputs[name] = onnxruntime.OrtValue.ortvalue_from_numpy(value, self._device, self._index)
            self._binding.bind_ortvalue_input(name, self._inputs[name])
        else:
            known.update_inplace(value)
