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

    Inputs are read where they lie. With ``inputs_on``, a device and its index, they are copied into buffers there, which stay where they are.
    Outputs arrive in host memory either way.
    """

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        outputs: Sequence[str],
        answers: Sequence[_Array],
        inputs_on: tuple[str, int] | None = None,
    ) -> None:
        self._session = session
        self._binding: Any = session.io_binding()
        self._inputs_on = inputs_on
        self._inputs: dict[str, Any] = {}
        self._buffers = [np.empty_like(answer, order="C") for answer in answers]
        for name, buffer in zip(outputs, self._buffers, strict=True):
            self._binding.bind_output(name, "cpu", 0, buffer.dtype.type, buffer.shape, buffer.ctypes.data)

    def run(self, feeds: Mapping[str, _Array], options: Any) -> list[_Array]:
        """The outputs, in the buffers: the next run overwrites them. Raises what the session raises."""
        for name, value in feeds.items():
            if self._inputs_on is None:
                self._bind(name, value)
            else:
                self._copy(name, value, *self._inputs_on)
        self._session.run_with_iobinding(self._binding, options)
        return list(self._buffers)

    def _bind(self, name: str, value: _Array) -> None:
        # The same array stays bound, whatever it holds now; of one that is not contiguous a copy is bound.
        if self._inputs.get(name) is not value or not value.flags.c_contiguous:
            self._inputs[name] = value
            self._binding.bind_cpu_input(name, value)

    def _copy(self, name: str, value: _Array, device: str, index: int) -> None:
        kept = self._inputs.get(name)
        if kept is None:
            import onnxruntime

            kept = onnxruntime.OrtValue.ortvalue_from_shape_and_type(value.shape, value.dtype.type, device, index)
            self._inputs[name] = kept
            self._binding.bind_ortvalue_input(name, kept)
        kept.update_inplace(np.ascontiguousarray(value))
