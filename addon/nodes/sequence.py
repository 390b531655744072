# SPDX-License-Identifier: GPL-3.0-or-later
"""The group of an object that plays: the surface's own sliders, with depth, tear and sky read from the frame of the scene's time."""

from __future__ import annotations

from .graph import Graph, Value
from .store import shared_group
from .surface import Layers, declare_surface_inputs, surface_or_points

SEQUENCE_GROUP = "Depthbridge Sequence"

# What the carrier of a sequence is made of. The first two say where in a frame's picture of depth a vertex, and the top left vertex of a
# face, find their pixel; the third where a vertex lies in the photo.
FRAME_UV = "frame_uv"
QUAD_UV = "quad_uv"
PHOTO_UV = "photo_uv"


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

    frame = _frame_number(graph)
    at_vertex, at_face = _pixel(graph, FRAME_UV, frame), _pixel(graph, QUAD_UV, frame)
    layers = Layers(
        depth=at_vertex["Red"],
        ray=graph.attribute("ray", "FLOAT_VECTOR"),
        sky=at_vertex["Blue"],
        confidence=1e30,
        tear=at_face["Green"],
    )
    return graph.finish(Geometry=surface_or_points(graph, graph.given("Geometry"), layers))


def _frame_number(graph: Graph) -> Value:
    """The number of the file: 1 for the first. Between two frames of the scene the earlier one shows."""
    passed = graph.math("SUBTRACT", graph.node("GeometryNodeInputSceneTime").outputs["Frame"], graph.given("Start Frame"))
    last = graph.math("SUBTRACT", graph.given("Frame Count"), 1.0)
    return graph.math("ADD", graph.math("MINIMUM", graph.math("MAXIMUM", graph.math("FLOOR", passed), 0.0), last), 1.0)


def _pixel(graph: Graph, where: str, frame: Value) -> dict[str, Value]:
    """The channels of exactly the pixel at the attribute ``where``, not mixed with its neighbours."""
    picture = graph.node("GeometryNodeImageTexture", interpolation="Closest", extension="EXTEND")
    graph.connect(graph.given("Depth Sequence"), picture.inputs["Image"])
    graph.connect(graph.attribute(where, "FLOAT_VECTOR"), picture.inputs["Vector"])
    graph.connect(frame, picture.inputs["Frame"])
    channels = graph.node("FunctionNodeSeparateColor", mode="RGB")
    graph.connect(picture.outputs["Color"], channels.inputs["Color"])
    return {name: channels.outputs[name] for name in ("Red", "Green", "Blue")}


def _hide_confidence(graph: Graph) -> None:
    """Frames carry no confidence, so its slider would do nothing."""
    for item in graph.group.interface.items_tree:
        if item.item_type == "SOCKET" and item.name == "Confidence Cut":
            item.hide_in_modifier = True
