# SPDX-License-Identifier: Apache-2.0
"""What the numbers of a model mean: from its sidecar, its metadata, its file name, or the last operations of its graph, in that order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from .errors import ModelError
from .model_paths import inside, is_engine_file
from .model_spec import Family, InputPolicy, ModelSpec
from .onnx_graph import Node, OnnxGraph, read_onnx_graph
from .signature import Signature, read_signature

CANONICAL_FOCAL_PX = 300.0
"""The focal length DA3METRIC is trained for (Depth Anything 3, ``utils/alignment.py``)."""

# Operations that move or scale values without changing what they mean.
_PASS_THROUGH = {
    "Squeeze", "Unsqueeze", "Reshape", "Flatten", "Gather", "Slice", "Split", "Transpose", "Cast", "Identity",
    "Mul", "Div", "Resize", "Upsample",
}  # fmt: skip
_ACTIVATIONS = {"Relu", "Sigmoid", "Exp"}


@dataclass(frozen=True, slots=True)
class Recognised:
    """What was worked out of a file. ``evidence`` names its source; ``notes`` are sentences for the user."""

    spec: ModelSpec
    signature: Signature
    evidence: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GraphTail:
    """The last activation before the depth output, and the constant its result is multiplied by."""

    activation: str
    factor: float


def recognise(path: Path, known: ModelSpec | None = None) -> Recognised:
    """Family and signature of the ONNX file at ``path``; ``known`` is what a sidecar or the catalogue says of it.

    Raises :class:`ModelError` when the file is not ONNX, weights are missing beside it, or its signature is not that of a depth model.
    """
    if is_engine_file(path):
        raise ModelError(f"{path.name} is an engine of TensorRT, not an ONNX file; it can only be opened by its path, on an NVIDIA card.")
    graph = read_onnx_graph(path)
    missing = [name for name in graph.external_files if not inside(path.parent, name, path.name).is_file()]
    if missing:
        raise ModelError(f"{path.name} keeps its weights in {', '.join(missing)}, which is not beside it; put it into {path.parent}.")
    signature = read_signature(graph.inputs, graph.outputs, path.name)
    if known is not None and known.family is not Family.UNKNOWN:
        return Recognised(known, signature, "catalogue or sidecar", ())
    tail = sniff_tail(graph, signature.depth.name)
    declared = graph.metadata.get("depthbridge.family")
    if declared is not None:
        try:
            family = Family(declared)
        except ValueError as error:
            raise ModelError(f"{path.name} says it is of the family {declared!r}; known are {', '.join(sorted(Family))}.") from error
        return Recognised(_spec(path, family, graph, tail), signature, "metadata", ())
    named = family_from_name(path.name, signature)
    if named is not None and _contradicts(named, tail):
        sniffed, notes = _family_from_tail(tail, signature)
        warning = f"{path.name} is named like {named} but its graph ends like {sniffed}; the graph is believed."
        return Recognised(_spec(path, sniffed, graph, tail), signature, "graph", (warning, *notes))
    if named is not None:
        return Recognised(_spec(path, named, graph, tail), signature, "file name", ())
    sniffed, notes = _family_from_tail(tail, signature)
    return Recognised(_spec(path, sniffed, graph, tail), signature, "graph", notes)


def family_from_name(name: str, signature: Signature) -> Family | None:
    """What a file's name says, or None. "metric" alone is Depth Anything 3's when the graph has a sky output, else 2's."""
    words = name.lower()
    is_da3 = re.search(r"da3|(depth[-_ ]?anything[-_ ]?(v?3))|(?<![a-z0-9])v3(?![0-9])", words) is not None
    if "nested" in words:
        return Family.DA3_NESTED
    if re.search(r"indoor|hypersim|outdoor|vkitti", words):
        return Family.DA2_METRIC
    if "metric" in words:
        return Family.DA3_METRIC if is_da3 or signature.sky is not None else Family.DA2_METRIC
    if "mono" in words and (is_da3 or signature.sky is not None):
        return Family.DA3_MONO
    if is_da3:
        return Family.DA3_MAIN
    if re.search(r"depth[-_ ]?anything[-_ ]?v?2|(?<![a-z0-9])da2|(?<![a-z0-9])v2(?![0-9])", words):
        return Family.DA2_RELATIVE
    return None


def sniff_tail(graph: OnnxGraph, depth_output: str) -> GraphTail | None:
    """Walks back from the depth output to its last activation; None when something else comes first."""
    makers = {name: node for node in graph.nodes for name in node.outputs}
    value, factor = depth_output, 1.0
    for _ in range(64):
        node = makers.get(value)
        if node is None:
            return None
        if node.op in _ACTIVATIONS:
            return GraphTail(node.op, factor)
        if node.op not in _PASS_THROUGH:
            return None
        moving = node.inputs[0]
        if node.op in ("Mul", "Div"):
            fixed = [name for name in node.inputs if _constant(name, graph, makers) is not None]
            if len(fixed) != 1 or (node.op == "Div" and fixed[0] != node.inputs[1]):
                return None
            constant = _constant(fixed[0], graph, makers) or 1.0
            factor = factor * constant if node.op == "Mul" else factor / constant
            moving = next(name for name in node.inputs if name != fixed[0])
        value = moving
    return None


def _constant(name: str, graph: OnnxGraph, makers: dict[str, Node]) -> float | None:
    """The value of a one-element constant, seen through the casts that precision converters add."""
    for _ in range(4):
        if name in graph.constants:
            return graph.constants[name]
        node = makers.get(name)
        if node is None or node.op not in ("Cast", "Identity"):
            return None
        name = node.inputs[0]
    return None


def _family_from_tail(tail: GraphTail | None, signature: Signature) -> tuple[Family, tuple[str, ...]]:
    if tail is None:
        return Family.UNKNOWN, (
            "Nothing in the file says what its depth means; it is taken as relative depth, larger is farther. "
            "`depthbridge models add FILE --family ...` settles it.",
        )
    if tail.activation == "Relu":
        return Family.DA2_RELATIVE, ()
    if tail.activation == "Sigmoid":
        return Family.DA2_METRIC, ()
    if signature.sky is not None:
        return Family.DA3_MONO, (
            "The graph is that of DA3METRIC and of DA3MONO alike; it is taken as MONO (relative depth). "
            "If it is METRIC, `depthbridge models add FILE --family da3-metric` gives metres.",
        )
    return Family.DA3_MAIN, ()


def _contradicts(named: Family, tail: GraphTail | None) -> bool:
    if tail is None:
        return False
    fitting = {
        "Relu": {Family.DA2_RELATIVE},
        "Sigmoid": {Family.DA2_METRIC},
        "Exp": {Family.DA3_MAIN, Family.DA3_METRIC, Family.DA3_MONO, Family.DA3_NESTED},
    }
    return named not in fitting[tail.activation]


def _spec(path: Path, family: Family, graph: OnnxGraph, tail: GraphTail | None) -> ModelSpec:
    canonical = None
    if family is Family.DA3_METRIC:
        text = graph.metadata.get("depthbridge.canonical_focal", str(CANONICAL_FOCAL_PX))
        try:
            canonical = float(text)
        except ValueError as error:
            raise ModelError(f"{path.name} names a canonical focal length of {text!r}, which is no number.") from error
    max_depth = tail.factor if family is Family.DA2_METRIC and tail is not None and tail.activation == "Sigmoid" else None
    return ModelSpec(
        id=graph.metadata.get("depthbridge.model_id", path.stem),
        title=path.name,
        family=family,
        input=InputPolicy.for_family(family),
        parameters=None,
        licence=graph.metadata.get("depthbridge.licence", "unknown"),
        canonical_focal_px=canonical,
        max_depth_m=max_depth,
    )
