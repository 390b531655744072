# SPDX-License-Identifier: Apache-2.0
"""Weights that a file stores in float16 and computes with in float32, each behind a Cast: such a graph is a float32 one in a smaller file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import onnx

FLOAT, HALF = 1, 10
"""``TensorProto`` element types."""


def stored_in_half(graph: onnx.GraphProto) -> dict[str, list[Any]]:
    """The float16 weights inside the file that nothing but Casts to float32 read, with those Casts."""
    outputs = {info.name for info in graph.output}
    casts: dict[str, list[Any]] = {}
    others: set[str] = set()
    for node in graph.node:
        widens = node.op_type == "Cast" and any(attribute.name == "to" and attribute.i == FLOAT for attribute in node.attribute)
        if widens and node.output[0] not in outputs:
            casts.setdefault(node.input[0], []).append(node)
        else:
            others.update(node.input)
            inner = (attribute.g for attribute in node.attribute)
            others.update(name for part in inner for each in part.node for name in each.input)
    weights = (weight for weight in graph.initializer if weight.data_type == HALF and not weight.external_data)
    return {weight.name: casts[weight.name] for weight in weights if weight.name in casts and weight.name not in others}


def widen_stored(graph: onnx.GraphProto) -> None:
    """Makes float32 weights of those that are :func:`stored_in_half`, under the names their Casts give them; the Casts go."""
    import numpy as np
    from onnx import numpy_helper

    stored = stored_in_half(graph)
    kept = [weight for weight in graph.initializer if weight.name not in stored]
    for weight in (weight for weight in graph.initializer if weight.name in stored):
        values = numpy_helper.to_array(weight).astype(np.float32)
        kept += [numpy_helper.from_array(values, cast.output[0]) for cast in stored[weight.name]]
    gone = {cast.output[0] for casts in stored.values() for cast in casts}
    nodes = [node for node in graph.node if not (node.op_type == "Cast" and node.output[0] in gone)]
    for field, items in ((graph.initializer, kept), (graph.node, nodes)):
        copies = [type(item).FromString(item.SerializeToString()) for item in items]
        del field[:]
        field.extend(copies)
