# SPDX-License-Identifier: GPL-3.0-or-later
"""The group that raises a flat picture by its normalised depth."""

from __future__ import annotations

from .graph import Graph
from .store import shared_group
from .surface import Layers, cut, cut_faces, declare_cut_inputs

RELIEF_GROUP = "Depthbridge Relief"

_TOWARDS_VIEWER = (0.0, -1.0, 0.0)
"""The normal of the flat picture, which stands upright."""


def relief_group() -> object:
    """The group, made at its first use in a file and shared by all reliefs after that."""
    return shared_group(RELIEF_GROUP, _build)


def _build(name: str) -> object:
    graph = Graph(name)
    graph.input("Geometry", "Geometry")
    graph.input("Strength", "Float", 0.5, unit="DISTANCE", tip="Height of the nearest point over the farthest; the longer side is 2 units")
    graph.input("Midlevel", "Float", 0.0, minimum=0.0, maximum=1.0, tip="What stays in the picture's plane: 0 the farthest, 1 the nearest")
    declare_cut_inputs(graph, torn=False)
    graph.output("Geometry", "Geometry")
    layers = Layers.of_attributes(graph)
    raised = graph.math("MULTIPLY", graph.math("SUBTRACT", graph.attribute("height"), graph.given("Midlevel")), graph.given("Strength"))
    moved = graph.node("GeometryNodeSetPosition", {"Geometry": graph.given("Geometry"), "Offset": graph.scaled(_TOWARDS_VIEWER, raised)})
    return graph.finish(Geometry=cut_faces(graph, moved.outputs[0], cut(graph, layers, 1.0)))
