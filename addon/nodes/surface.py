# SPDX-License-Identifier: GPL-3.0-or-later
"""The group that makes a surface or points of a carrier, with its sliders; and the cuts that every group of ours shares."""

from __future__ import annotations

from dataclasses import dataclass

from ...engines.depth_map import SKY_THRESHOLD
from .graph import Graph, Value
from .store import shared_group

SURFACE_GROUP = "Depthbridge Surface"


def surface_group() -> object:
    """The group, made at its first use in a file and shared by all objects after that."""
    return shared_group(SURFACE_GROUP, _build)


@dataclass(frozen=True, slots=True)
class Layers:
    """What a group knows of each vertex (``tear``: of each face), as fields."""

    depth: Value
    ray: Value
    sky: Value
    confidence: Value
    tear: Value

    @classmethod
    def of_attributes(cls, graph: Graph) -> Layers:
        """From the carrier's own attributes."""
        return cls(
            depth=graph.attribute("depth"),
            ray=graph.attribute("ray", "FLOAT_VECTOR"),
            sky=graph.attribute("sky"),
            confidence=graph.attribute("confidence"),
            tear=graph.attribute("tear"),
        )


def declare_surface_inputs(graph: Graph) -> None:
    """The sliders of surfaces and points, still and moving alike."""
    graph.input("Geometry", "Geometry")
    graph.input("Scale", "Float", 1.0, minimum=0.0, tip="Factor on every depth; 1 is the model's own, in metres where it gives metres")
    declare_cut_inputs(graph, torn=True)
    graph.panel("Points")
    graph.input("As Points", "Bool", False, tip="Show the vertices as points in place of the surface")
    graph.input("Radius", "Float", 1.0, minimum=0.0, tip="Size of the points; at 1 neighbours just overlap as seen from the camera")
    graph.input("Point Material", "Material", hidden=True)
    graph.input("Pixel Size", "Float", 0.001, minimum=0.0, hidden=True, tip="Radius of a point one unit away, in units")
    graph.panel(None)
    graph.output("Geometry", "Geometry")


def declare_cut_inputs(graph: Graph, *, torn: bool) -> None:
    """The sliders that take parts away. ``torn``: whether edges are torn to begin with."""
    graph.panel("Cuts")
    graph.input("Tear Edges", "Bool", torn, tip="Cut the surface where near and far meet")
    graph.input(
        "Tear",
        "Float",
        0.02,
        minimum=0.0,
        tip="A face is cut when its farthest corner is more than this share beyond its nearest: 0.1 is 10 percent",
    )
    graph.input(
        "Sky Cut",
        "Float",
        SKY_THRESHOLD,
        minimum=0.0,
        maximum=1.0,
        tip="Parts at least this much sky, as the model sees it, are taken away; 1 keeps all",
    )
    graph.input("Sky Distance", "Float", 0.0, minimum=0.0, unit="DISTANCE", tip="Depth of the plane that the sky is put on; 0 leaves it")
    graph.input("Confidence Cut", "Float", 0.0, minimum=0.0, tip="Parts the model is less sure of are taken away, in its own measure")
    graph.input("Depth Min", "Float", 0.0, minimum=0.0, unit="DISTANCE", tip="What is nearer is taken away")
    graph.input("Depth Max", "Float", 0.0, minimum=0.0, unit="DISTANCE", tip="What is farther is taken away; 0 sets no limit")
    graph.panel(None)


@dataclass(frozen=True, slots=True)
class Cuts:
    """``depth``: where a vertex lies along the optical axis, scale and sky plane applied; ``gone``: 1 for a vertex to be taken away; ``torn``:
    1 for a face to be taken away."""

    depth: Value
    gone: Value
    torn: Value


def cut(graph: Graph, layers: Layers, scale: Value) -> Cuts:
    """The cuts of :func:`declare_cut_inputs` as fields."""
    given, math = graph.given, graph.math
    is_sky = math("SUBTRACT", 1.0, math("LESS_THAN", layers.sky, SKY_THRESHOLD))
    placed = graph.all_of(is_sky, math("GREATER_THAN", given("Sky Distance"), 0.0))
    depth = graph.switch("FLOAT", math("GREATER_THAN", placed, 0.5), math("MULTIPLY", layers.depth, scale), given("Sky Distance"))
    farthest = given("Depth Max")
    gone = graph.any_of(
        # At 1 the sky stays, also where the model is certain of it.
        graph.all_of(
            math("SUBTRACT", 1.0, math("LESS_THAN", layers.sky, given("Sky Cut"))), math("LESS_THAN", given("Sky Cut"), 1.0)
        ),
        math("LESS_THAN", layers.confidence, given("Confidence Cut")),
        math("LESS_THAN", depth, given("Depth Min")),
        graph.all_of(math("GREATER_THAN", farthest, 0.0), math("GREATER_THAN", depth, farthest)),
        math("LESS_THAN", layers.depth, 1e-30),  # a depth of 0 is none
    )
    sky_share = graph.of_points(placed)
    torn = graph.any_of(
        math("GREATER_THAN", layers.tear, given("Tear")),
        # A sky put on its plane hangs together with nothing in front of it.
        graph.all_of(math("GREATER_THAN", sky_share, 0.0), math("LESS_THAN", sky_share, 0.999)),
    )
    torn = graph.all_of(torn, given("Tear Edges"))
    return Cuts(depth, gone, graph.any_of(torn, math("GREATER_THAN", graph.of_points(gone), 0.0)))


def cut_faces(graph: Graph, geometry: Value, cuts: Cuts) -> Value:
    """The geometry without the faces that are cut, and without the vertices that only they used."""
    deleted = graph.node("GeometryNodeDeleteGeometry", {"Geometry": geometry}, domain="FACE", mode="ALL")
    graph.connect(graph.math("GREATER_THAN", cuts.torn, 0.5), deleted.inputs["Selection"])
    return deleted.outputs[0]


def surface_or_points(graph: Graph, geometry: Value, layers: Layers) -> Value:
    """The whole way from a carrier to what is seen."""
    cuts = cut(graph, layers, graph.given("Scale"))
    placed = graph.node("GeometryNodeSetPosition", {"Geometry": geometry, "Position": graph.scaled(layers.ray, cuts.depth)}).outputs[0]
    points = graph.node("GeometryNodeMeshToPoints", {"Mesh": placed})
    graph.connect(graph.math("LESS_THAN", cuts.gone, 0.5), points.inputs["Selection"])
    size = graph.math("MULTIPLY", graph.given("Pixel Size"), graph.given("Radius"))
    graph.connect(graph.math("MULTIPLY", cuts.depth, size), points.inputs["Radius"])
    shown = graph.node("GeometryNodeSetMaterial", {"Geometry": points.outputs[0], "Material": graph.given("Point Material")}).outputs[0]
    return graph.switch("GEOMETRY", graph.given("As Points"), cut_faces(graph, placed, cuts), shown)


def _build(name: str) -> object:
    graph = Graph(name)
    declare_surface_inputs(graph)
    layers = Layers.of_attributes(graph)
    return graph.finish(Geometry=surface_or_points(graph, graph.given("Geometry"), layers))
