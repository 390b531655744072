# SPDX-License-Identifier: Apache-2.0
"""An ONNX graph in mixed precision: weights and most operations in float16, what would suffer from it in float32, inputs and outputs unchanged.

The conversion itself is ONNX Runtime's (``onnxruntime.transformers.float16``); here is decided what stays float32, and the casts it puts around
each such operation are tidied: between two of them they would round in float16 all the same.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from .onnxruntime_tools import import_tool
from .stored_weights import FLOAT, HALF, stored_in_half, widen_stored

if TYPE_CHECKING:
    import onnx

# Sums over many values, and functions that stretch small differences. (Statistics of a LayerNorm that was exported in parts are found here too.)
_FLOAT_OPS = frozenset({
    "LayerNormalization", "GroupNormalization", "InstanceNormalization", "RMSNormalization", "Softmax", "LogSoftmax", "Exp", "Log", "Pow",
    "Sqrt", "Reciprocal", "ReduceMean", "ReduceSum", "ReduceSumSquare", "ReduceL1", "ReduceL2", "ReduceProd", "ReduceLogSumExp",
})  # fmt: skip
_STATISTICS = frozenset({"ReduceMean", "ReduceSum", "ReduceSumSquare", "ReduceL2", "Sqrt", "Reciprocal"})
_ARITHMETIC = frozenset({"Add", "Sub", "Mul", "Div"})
_WEIGHTED = frozenset({"Conv", "ConvTranspose", "MatMul", "Gemm"})
NO_LARGER = frozenset({
    "Cast", "Clip", "Concat", "Dropout", "Erf", "Expand", "Flatten", "Gather", "Identity", "LayerNormalization", "MaxPool", "AveragePool", "Pad",
    "Relu", "Reshape", "Sigmoid", "Slice", "Softmax", "Split", "Squeeze", "Tanh", "Tile", "Transpose", "Unsqueeze", "Where",
})  # fmt: skip
"""Operations whose results are never much larger than what they read."""

# A last layer with at most so many outputs (depth, sky, a camera) is small enough to be computed in float32 too.
_FEW_OUTPUTS = 16


def is_reduced(model: onnx.ModelProto) -> bool:
    """Whether somebody reduced the precision of the graph already: float16, bfloat16 or quantised parts. Weights that are only stored in
    float16 do not count."""
    halves = {HALF, 16}
    stored = stored_in_half(model.graph)
    if any(weight.data_type in halves for weight in model.graph.initializer if weight.name not in stored):
        return True
    for node in model.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulNBits"):
            return True
        for attribute in node.attribute:
            if attribute.t.data_type in halves or (node.op_type == "Cast" and attribute.name == "to" and attribute.i in halves):
                return True
    return False


def make_plain(model: onnx.ModelProto) -> None:
    """Brings a graph into the form that the converter is safe with: constants as weights, weights no inputs and in float32, every node named."""
    from onnx import helper, numpy_helper

    graph = model.graph
    model.ir_version = max(model.ir_version, 4)  # before that every weight had to be an input too
    kept = []
    for node in graph.node:
        value = next((attribute for attribute in node.attribute if attribute.name in ("value", "value_float", "value_floats")), None)
        if node.op_type != "Constant" or value is None:
            kept.append(node)
            continue
        tensor = graph.initializer.add()
        tensor.CopyFrom(value.t if value.name == "value" else numpy_helper.from_array(_float_array(helper.get_attribute_value(value))))
        tensor.name = node.output[0]
    _replace(graph.node, kept)
    widen_stored(graph)
    weights = {weight.name for weight in graph.initializer}
    _replace(graph.input, [info for info in graph.input if info.name not in weights])
    _see_through_identities(graph, weights)
    seen: Counter[str] = Counter(node.name for node in graph.node)
    for number, node in enumerate(graph.node):
        if not node.name or seen[node.name] > 1:
            node.name = f"{node.op_type}_{number}_of_depthbridge"


def _see_through_identities(graph: Any, weights: set[str]) -> None:
    """Weights that several layers share are exported with another name for each layer."""
    outputs = {info.name for info in graph.output}
    same: dict[str, str] = {}
    kept = []
    for node in graph.node:
        _rename(node.input, same)
        if node.op_type == "Identity" and node.input[0] in weights and node.output[0] not in outputs:
            same[node.output[0]] = node.input[0]
        else:
            kept.append(node)
    for node in kept:
        _rename(node.input, same)
    _replace(graph.node, kept)


def to_half(model: onnx.ModelProto, hot: Collection[str]) -> onnx.ModelProto:
    """The mixed-precision form of a plain graph with inferred types. ``hot`` names values too large for float16: what makes or
    reads them stays float32."""
    float16 = import_tool("onnxruntime.transformers.float16")
    keep = float_nodes(model, hot)
    ours = {node.name for node in model.graph.node}
    converted: onnx.ModelProto = float16.convert_float_to_float16(
        model,
        keep_io_types=True,
        disable_shape_infer=True,
        op_block_list=[*float16.DEFAULT_OP_BLOCK_LIST, *_FLOAT_OPS],
        node_block_list=sorted(keep),
    )
    _tidy(converted.graph, ours)
    return converted


def float_nodes(model: onnx.ModelProto, hot: Collection[str]) -> set[str]:
    """Names of the nodes that stay float32, those of ``_FLOAT_OPS`` aside: arithmetic on picture sizes, normalisations exported in parts,
    what makes or reads ``hot`` values, and the tail from the last small layer to the outputs."""
    graph = model.graph
    keep = _size_nodes(graph) | tail_nodes(graph)
    large = set(hot)
    for node in graph.node:
        if node.op_type in NO_LARGER and not large.isdisjoint(node.input):
            large.update(node.output)
    statistics = {name for node in graph.node if node.op_type in _STATISTICS for name in node.output}
    for node in graph.node:
        squares = node.op_type == "Mul" and len(set(node.input)) == 1
        normalises = node.op_type in _ARITHMETIC and any(name in statistics for name in node.input)
        if squares or normalises or any(name in large for name in (*node.input, *node.output)):
            keep.add(node.name)
    return keep


def _size_nodes(graph: Any) -> set[str]:
    """Nodes that compute with nothing but shapes: float16 holds whole numbers to 2048 only, and fractions of them badly."""
    constants = {weight.name for weight in graph.initializer}
    sizes: set[str] = set()
    found: set[str] = set()
    for node in graph.node:
        moving = [name for name in node.input if name and name not in constants]
        if node.op_type in ("Shape", "Size") or (moving and all(name in sizes for name in moving)):
            sizes.update(node.output)
            found.add(node.name)
        elif not moving and node.op_type != "Constant":
            constants.update(node.output)
    return found


def tail_nodes(graph: Any) -> set[str]:
    """Nodes from the outputs back to the last layer with weights, that layer included when it has few outputs."""
    makers = {name: node for node in graph.node for name in node.output}
    shapes = {weight.name: list(weight.dims) for weight in graph.initializer}
    found: set[str] = set()
    queue = deque(info.name for info in graph.output)
    while queue:
        node = makers.get(queue.popleft())
        if node is None or node.name in found:
            continue
        if node.op_type in _WEIGHTED:
            shape = shapes.get(node.input[1], []) if len(node.input) > 1 else []
            outputs = shape[0] if node.op_type == "Conv" and shape else shape[-1] if node.op_type in ("MatMul", "Gemm") and shape else None
            if outputs is not None and outputs <= _FEW_OUTPUTS:
                found.add(node.name)
            continue
        if node.op_type in ("LayerNormalization", "Softmax"):
            continue  # the body: it has no tail of its own
        found.add(node.name)
        queue.extend(node.input)
    return found


def _tidy(graph: Any, ours: set[str]) -> None:
    """Casts of the converter: one for each value, none between two operations of float32; nodes in the order they run."""
    unique: dict[tuple[str, ...], Any] = {}
    for node in graph.node:
        unique.setdefault(tuple(node.output), node)
    nodes = list(unique.values())
    makers = {name: node for node in nodes for name in node.output}
    outputs = {info.name for info in graph.output}

    def inserted(node: Any, kind: int) -> bool:
        return node is not None and node.op_type == "Cast" and node.name not in ours and node.attribute[0].i == kind

    same: dict[str, str] = {}  # value -> the float32 value that it is a rounded copy of
    for node in nodes:
        narrowed = makers.get(node.input[0]) if inserted(node, FLOAT) else None
        if narrowed is not None and inserted(narrowed, HALF):
            same[node.output[0]] = narrowed.input[0]
    gone = set(same)
    for output in outputs & same.keys():
        source = same.pop(output)
        if source in makers and source not in outputs:  # made under the output's own name at once
            same = {name: output if value == source else value for name, value in same.items()} | {source: output}
            _rename(makers[source].output, {source: output})
        else:
            gone.discard(output)
    nodes = [node for node in nodes if not (inserted(node, FLOAT) and node.output[0] in gone)]
    for node in nodes:
        _rename(node.input, same)
    _replace(graph.node, _ordered(_alive(nodes, outputs)))
    graph.ClearField("value_info")


def _alive(nodes: list[Any], outputs: set[str]) -> list[Any]:
    makers = {name: node for node in nodes for name in node.output}
    reached: set[str] = set()
    queue = deque(outputs)
    while queue:
        node = makers.get(queue.popleft())
        if node is not None and node.name not in reached:
            reached.add(node.name)
            queue.extend(_reads(node))
    return [node for node in nodes if node.name in reached]


def _ordered(nodes: list[Any]) -> list[Any]:
    """Every node after those it reads from."""
    makers = {name: number for number, node in enumerate(nodes) for name in node.output}
    waits = [{makers[name] for name in _reads(node) if name in makers} for node in nodes]
    readers: list[list[int]] = [[] for _ in nodes]
    for number, wait in enumerate(waits):
        for maker in wait:
            readers[maker].append(number)
    queue = deque(number for number, wait in enumerate(waits) if not wait)
    ordered = []
    while queue:
        number = queue.popleft()
        ordered.append(nodes[number])
        for reader in readers[number]:
            waits[reader].discard(number)
            if not waits[reader]:
                queue.append(reader)
    return ordered


def _reads(node: Any) -> list[str]:
    """Inputs, and what a sub-graph takes from around it."""
    names = list(node.input)
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                names += _reads(inner)
            names += [info.name for info in graph.output]
    return names


def _rename(names: Any, new: dict[str, str]) -> None:
    for place, name in enumerate(names):
        if name in new:
            names[place] = new[name]


def _replace(field: Any, items: list[Any]) -> None:
    copies = list(items)
    del field[:]
    field.extend(copies)


def _float_array(value: Any) -> Any:
    import numpy as np

    return np.array(value, np.float32)
