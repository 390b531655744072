# SPDX-License-Identifier: Apache-2.0
"""How large the values inside a graph become on real pictures.

float16 ends at 65,504. A runtime for the CPU computes float16 graphs in float32 without a word, so that comparing results there does not find
an overflow that a graphics card would make; the values themselves tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..cancel import CancelToken
from ..runtimes.onnx_runtime import import_onnxruntime
from ..runtimes.targets import Precision
from .half_graph import NO_LARGER
from .recording import Array
from .stored_weights import FLOAT

if TYPE_CHECKING:
    import onnx

LARGEST_HALF = 65504.0
_ENDS = ("_smallest_of_depthbridge", "_largest_of_depthbridge")


class RangeProbe:
    """The graph in float32 on the CPU, as a runtime that looks at every value it makes on the way.

    ``model`` is plain, with inferred types (:func:`.half_graph.make_plain`); ``folder`` holds its external weights.
    """

    def __init__(self, model: onnx.ModelProto, folder: Path) -> None:
        ort = import_onnxruntime()
        options = ort.SessionOptions()
        options.log_severity_level = 4
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder))
        with _watched(model) as self._names:
            self._session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        self._largest = np.zeros(len(self._names))
        self.name = f"onnxruntime {ort.__version__}"
        self.device = "cpu"
        self.precision = Precision.FP32
        self.notes: tuple[str, ...] = ()

    def run(self, feeds: dict[str, Array], outputs: Sequence[str], cancel: CancelToken | None = None) -> list[Array]:
        if cancel is not None:
            cancel.check()
        try:
            answers = self._session.run([*outputs, *(name + end for name in self._names for end in _ENDS)], feeds)
        except Exception as error:  # onnxruntime's exceptions share no base class below Exception
            raise RuntimeError(str(error)) from error
        ends = np.array([np.max(np.abs(value), initial=0.0) for value in answers[len(outputs) :]]).reshape(-1, len(_ENDS))
        self._largest = np.maximum(self._largest, np.nan_to_num(ends.max(axis=1), nan=np.inf))
        return [np.asarray(value) for value in answers[: len(outputs)]]

    def too_large(self, margin: float = 4.0) -> set[str]:
        """Names of the values that came within ``margin`` of the largest float16, or were not finite, in any run so far."""
        return {name for name, size in zip(self._names, self._largest, strict=True) if not size <= LARGEST_HALF / margin}

    def close(self) -> None:
        del self._session


@contextmanager
def _watched(model: onnx.ModelProto) -> Iterator[list[str]]:
    """While the block runs, the graph has the smallest and largest of each float32 value it makes as further outputs; yields their names."""
    from onnx import helper

    graph = model.graph
    nodes, outputs = len(graph.node), len(graph.output)
    floats = {info.name for info in (*graph.value_info, *graph.output) if info.type.tensor_type.elem_type == FLOAT}
    names = [name for node in graph.node if node.op_type not in NO_LARGER for name in node.output if name in floats]
    # From back to front: ONNX Runtime then looks at each value when it is made. The other way round it keeps all of them to the end, and
    # DA2-small took 3.6 GB.
    for name in reversed(names):
        for end, op in zip(_ENDS, ("ReduceMin", "ReduceMax"), strict=True):
            graph.node.append(helper.make_node(op, [name], [name + end], keepdims=0))
            graph.output.append(helper.make_tensor_value_info(name + end, FLOAT, []))
    try:
        yield names
    finally:
        del graph.node[nodes:]
        del graph.output[outputs:]
