# SPDX-License-Identifier: GPL-3.0-or-later
"""The group of an object that plays: the surface's own sliders, with depth, tear and sky read from the frame of the scene's time."""

from __future__ import annotations

from dataclasses import replace

from .graph import Graph, Value
from .store import shared_group
from .surface import Layers, declare_surface_inputs, surface_or_points

SEQUENCE_GROUP = "Depthbridge Sequence"

# What the carrier of a sequence is made of. The first two say where in a frame's picture of depth a vertex, and the top left vertex of a
# face, find their pixel; the third where a vertex lies in the photo.
FRAME_UV = "frame_uv"
QUAD_UV = "quad_uv"
PHOTO_UV = "photo_uv"

_FRAME = "frame"
_CERTAIN = 1e30


def sequence_group() -> object:
    """The group, made at its first use in a file and shared by all objects after that."""
    return shared_group(SEQUENCE_GROUP, _build)


def _build(name: str) -> object:
    graph = Graph(name)
    declare_surface_inputs(graph)
    graph.panel("Sequence")
    graph.input("Start Frame", "Int", 1, tip="The scene's frame at which the first picture shows; it stands still before, and after the last")
    graph.input("Frame Count", "Int", 1, minimum=1, hidden=True, tip="How many frames there are")
    graph.input("Depth Sequence", "Image", hidden=True, tip="The depth, numbered from 1: red depth, green tear, blue sky")
    graph.panel(None)
    _hide_confidence(graph)

    geometry = _read_frame(graph, graph.given("Geometry"), _frame_number(graph))
    layers = replace(Layers.of_attributes(graph), confidence=_CERTAIN)
    return graph.finish(Geometry=surface_or_points(graph, geometry, layers))


def _read_frame(graph: Graph, geometry: Value, frame: Value) -> Value:
    """The carrier with its attributes ``depth``, ``sky`` and ``tear`` filled in. Stored, because every use of a field looks its pixels up
    again, and there are six."""
    geometry = _store(graph, geometry, _FRAME, "POINT", "FLOAT_VECTOR", _pixel(graph, FRAME_UV, frame))
    at_vertex = graph.node("ShaderNodeSeparateXYZ", {0: graph.attribute(_FRAME, "FLOAT_VECTOR")})
    geometry = _store(graph, geometry, "depth", "POINT", "FLOAT", at_vertex.outputs["X"])
    geometry = _store(graph, geometry, "sky", "POINT", "FLOAT", at_vertex.outputs["Z"])
    at_face = graph.node("ShaderNodeSeparateXYZ", {0: _pixel(graph, QUAD_UV, frame)})
    geometry = _store(graph, geometry, "tear", "FACE", "FLOAT", at_face.outputs["Y"])
    return graph.node("GeometryNodeRemoveAttribute", {"Geometry": geometry, "Name": _FRAME}).outputs[0]


def _store(graph: Graph, geometry: Value, name: str, domain: str, kind: str, value: Value) -> Value:
    stored = graph.node("GeometryNodeStoreNamedAttribute", {"Geometry": geometry, "Name": name}, domain=domain, data_type=kind)
    graph.connect(value, next(socket for socket in stored.inputs if socket.name == "Value" and socket.enabled))
    return stored.outputs[0]


def _frame_number(graph: Graph) -> Value:
    """The number of the file: 1 for the first. Between two frames of the scene the earlier one shows."""
    passed = graph.math("SUBTRACT", graph.node("GeometryNodeInputSceneTime").outputs["Frame"], graph.given("Start Frame"))
    last = graph.math("SUBTRACT", graph.given("Frame Count"), 1.0)
    return graph.math("ADD", graph.math("MINIMUM", graph.math("MAXIMUM", graph.math("FLOOR", passed), 0.0), last), 1.0)


def _pixel(graph: Graph, where: str, frame: Value) -> Value:
    """Red, green and blue of exactly the pixel at the attribute ``where``, not mixed with its neighbours, as a vector."""
    picture = graph.node("GeometryNodeImageTexture", interpolation="Closest", extension="EXTEND")
    graph.connect(graph.given("Depth Sequence"), picture.inputs["Image"])
    graph.connect(graph.attribute(where, "FLOAT_VECTOR"), picture.inputs["Vector"])
    graph.connect(frame, picture.inputs["Frame"])
    return picture.outputs["Color"]


def _hide_confidence(graph: Graph) -> None:
    """Frames carry no confidence, so its slider would do nothing."""
    for item in graph.group.interface.items_tree:
        if item.item_type == "SOCKET" and item.name == "Confidence Cut":
            item.hide_in_modifier = True
