# SPDX-License-Identifier: Apache-2.0
"""How large the values inside a graph become on real pictures.

float16 ends at 65,504. A runtime for the CPU computes float16 graphs in float32 without a word, so that comparing results there does not find
an overflow that a graphics card would make; the values themselves tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..cancel import CancelToken
from ..runtimes.onnx_runtime import import_onnxruntime
from ..runtimes.targets import Precision
from .half_graph import FLOAT, NO_LARGER
from .recording import Array

if TYPE_CHECKING:
    import onnx

LARGEST_HALF = 65504.0


class RangeProbe:
    """The graph in float32 on the CPU, as a runtime that looks at every value it makes on the way.

    ``model`` is plain, with inferred types (:func:`.half_graph.make_plain`); ``folder`` holds its external weights.
    """

    def __init__(self, model: onnx.ModelProto, folder: Path) -> None:
        ort = import_onnxruntime()
        probe, self._names = _with_maxima(model)
        options = ort.SessionOptions()
        options.log_severity_level = 4
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder))
        self._session = ort.InferenceSession(probe.SerializeToString(), options, providers=["CPUExecutionProvider"])
        self._largest = np.zeros(len(self._names))
        self.name = f"onnxruntime {ort.__version__}"
        self.device = "cpu"
        self.precision = Precision.FP32
        self.notes: tuple[str, ...] = ()

    def run(self, feeds: dict[str, Array], outputs: Sequence[str], cancel: CancelToken | None = None) -> list[Array]:
        if cancel is not None:
            cancel.check()
        try:
            answers = self._session.run([*outputs, *(f"{name}_largest" for name in self._names)], feeds)
        except Exception as error:  # onnxruntime's exceptions share no base class below Exception
            raise RuntimeError(str(error)) from error
        sizes = [float(np.max(value, initial=0.0)) for value in answers[len(outputs) :]]
        self._largest = np.maximum(self._largest, np.nan_to_num(sizes, nan=np.inf))
        return [np.asarray(value) for value in answers[: len(outputs)]]

    def too_large(self, margin: float = 4.0) -> set[str]:
        """Names of the values that came within ``margin`` of the largest float16, or were not finite, in any run so far."""
        return {name for name, size in zip(self._names, self._largest, strict=True) if not size <= LARGEST_HALF / margin}

    def close(self) -> None:
        del self._session


def _with_maxima(model: onnx.ModelProto) -> tuple[onnx.ModelProto, list[str]]:
    """The graph with the largest absolute value of every float32 value it makes as further outputs."""
    from onnx import ModelProto, helper

    probe = ModelProto()
    probe.CopyFrom(model)
    graph = probe.graph
    floats = {info.name for info in (*graph.value_info, *graph.output) if info.type.tensor_type.elem_type == FLOAT}
    names = [name for node in graph.node if node.op_type not in NO_LARGER for name in node.output if name in floats]
    for name in names:
        graph.node.append(helper.make_node("Abs", [name], [f"{name}_size"]))
        graph.node.append(helper.make_node("ReduceMax", [f"{name}_size"], [f"{name}_largest"], keepdims=0))
        graph.output.append(helper.make_tensor_value_info(f"{name}_largest", FLOAT, []))
    return probe, names
