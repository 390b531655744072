# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime with everything bound: tensors that stay on a device, small sessions beside a model's, and running them."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..cancel import CancelToken
from ..errors import first_line

if TYPE_CHECKING:
    import onnxruntime

_DTYPES = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64"}
NO_GRAPH = -1
"""The id of runs that neither capture nor replay a CUDA graph."""


@dataclass(frozen=True, slots=True)
class Place:
    """A device as ONNX Runtime names it: ``cpu`` 0, ``cuda`` 1."""

    kind: str
    index: int

    @classmethod
    def of(cls, device: str) -> Place:
        """From a target's device, such as ``cuda:1``."""
        kind, _, index = device.partition(":")
        return cls(kind, int(index or 0))

    def tensor(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> onnxruntime.OrtValue:
        """An uninitialised one there."""
        import onnxruntime

        return onnxruntime.OrtValue.ortvalue_from_shape_and_type(shape, np.dtype(dtype).type, self.kind, self.index)

    def copy_of(self, values: npt.NDArray[Any]) -> onnxruntime.OrtValue:
        """``values`` there; on the CPU too it is a copy."""
        tensor = self.tensor(values.shape, values.dtype)
        tensor.update_inplace(np.ascontiguousarray(values))
        return tensor


def open_small(graph: bytes, place: Place) -> onnxruntime.InferenceSession:
    """A session of its own for one of the small graphs, where the model runs."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    if place.kind != "cuda":
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    # use_tf32: its 10 bits would round resized pixels by up to a sixteenth of a grey level, and cost nothing here without it.
    cuda = {"device_id": str(place.index), "use_tf32": "0", "arena_extend_strategy": "kSameAsRequested"}
    return onnxruntime.InferenceSession(graph, options, providers=[("CUDAExecutionProvider", cuda), "CPUExecutionProvider"])


def bind_input(
    binding: onnxruntime.IOBinding, name: str, tensor: onnxruntime.OrtValue, place: Place, shape: tuple[int, ...] | None = None
) -> None:
    """Lets a session read ``tensor``, as if it were of ``shape``: axes of one may come and go without a copy. It must outlive the binding."""
    dtype = np.dtype(dtype_of(tensor)).type
    binding.bind_input(name, place.kind, place.index, dtype, list(shape or tensor.shape()), tensor.data_ptr())


def dtype_of(tensor: onnxruntime.OrtValue) -> str:
    """numpy's name of its type."""
    words: str = tensor.data_type()
    return _DTYPES.get(words, words.removeprefix("tensor(").removesuffix(")"))


def run_bound(
    session: onnxruntime.InferenceSession, binding: onnxruntime.IOBinding, graph_id: int = NO_GRAPH, cancel: CancelToken | None = None
) -> None:
    """Runs it and waits until its outputs are there. ``graph_id``: the CUDA graph to capture first and replay later, where the session does
    that. Raises :class:`RuntimeError` with the library's first line, ``CancelledError`` after a cancel."""
    import onnxruntime

    options = onnxruntime.RunOptions()
    options.log_severity_level = 4
    options.add_run_config_entry("gpu_graph_id", str(graph_id))

    def stop() -> None:
        options.terminate = True

    try:
        # A replayed graph has no operation between which it could be stopped.
        with nullcontext() if cancel is None or graph_id != NO_GRAPH else cancel.on_cancel(stop):
            session.run_with_iobinding(binding, options)
    except Exception as error:  # onnxruntime's exceptions share no base class below Exception
        if cancel is not None:
            cancel.check()
        raise RuntimeError(first_line(error)) from error


def shapes_of(
    session: onnxruntime.InferenceSession, name: str, tensor: onnxruntime.OrtValue, shape: tuple[int, ...], outputs: list[str], place: Place
) -> dict[str, tuple[tuple[int, ...], str]]:
    """Shape and type of each output for an input of ``shape``, found by one run. Raises :class:`RuntimeError`."""
    binding = session.io_binding()
    bind_input(binding, name, tensor, place, shape)
    for output in outputs:
        binding.bind_output(output, place.kind, place.index)
    run_bound(session, binding)
    return {output: (tuple(value.shape()), dtype_of(value)) for output, value in zip(outputs, binding.get_outputs(), strict=True)}
