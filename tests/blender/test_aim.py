# SPDX-License-Identifier: Apache-2.0
"""Picking a vertex: what is clicked is what was under the mouse, on a coarse surface, a fine one, and on points."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
import pytest

from depthbridge.addon.build import build_objects
from depthbridge.addon.measuring import aim
from depthbridge.addon.measuring.aim import Aim, Sight
from depthbridge.addon.nodes.inputs import carrier_modifier, set_input
from depthbridge.addon.options import BuildAs, BuildOptions
from depthbridge.addon.prepare import prepare
from depthbridge.engines.depth_map import DepthKind
from support.evaluated import evaluated_mesh
from support.floor_scene import CAMERA, pixel, room, room_m
from support.known_depth import picture

ZOOM = 6
"""Pixels of the screen for one of the picture."""
ON_BOX, ON_WALL = pixel(27, 40), pixel(12, 20)


def build(as_: BuildAs = BuildAs.MESH) -> tuple[bpy.types.Object, Sight]:
    """The room, moved, turned and scaled, and the sight of its own camera."""
    depth = room(DepthKind.METRIC)
    made = build_objects(prepare(depth, picture(depth.width, depth.height), BuildOptions(as_=as_, tear=0.2)), "room")
    built = made.object
    built.location, built.rotation_euler, built.scale = (3, -1, 2), (0.2, 0.4, -2.0), (1.5, 1.5, 1.5)
    bpy.context.view_layer.update()
    graph = bpy.context.evaluated_depsgraph_get()
    view = np.linalg.inv(np.array(made.camera.matrix_world.normalized(), dtype=np.float64))
    camera: Any = made.camera
    projection = np.array(camera.calc_matrix_camera(graph, x=CAMERA.width, y=CAMERA.height), dtype=np.float64)
    return built, Sight(projection @ view, view, CAMERA.width * ZOOM, CAMERA.height * ZOOM, True, 1.0)


def place(vertex: int, aside: tuple[float, float] = (0.0, 0.0)) -> tuple[float, float]:
    """On the screen, of the middle of the pixel that a vertex was built from."""
    row, column = divmod(vertex, CAMERA.width)
    return (column + 0.5) * ZOOM + aside[0], (CAMERA.height - row - 0.5) * ZOOM + aside[1]


@pytest.fixture(params=["cast", "fine", "points"])
def scene(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[bpy.types.Object, Sight]:
    """A surface that rays are cast at, one that has too many faces for that, and points."""
    if request.param == "fine":
        monkeypatch.setattr(aim, "_MOST_FACES", 10)
    return build(BuildAs.POINTS if request.param == "points" else BuildAs.MESH)


@pytest.mark.parametrize("vertex", [ON_BOX, ON_WALL, pixel(60, 30), pixel(1, 1), pixel(70, 94)])
@pytest.mark.parametrize("aside", [(0.0, 0.0), (2.0, -2.0)])
def test_the_vertex_under_the_mouse_is_picked(scene: Any, vertex: int, aside: tuple[float, float]) -> None:
    built, sight = scene
    assert Aim(built).at(built, sight, place(vertex, aside)) == vertex


def test_it_is_marked_where_it_is_seen(scene: Any) -> None:
    built, _ = scene
    found = Aim(built).world(built, ON_BOX)
    set_input(carrier_modifier(built), "As Points", False)
    set_input(carrier_modifier(built), "Tear Edges", False)
    assert (found - built.matrix_world @ evaluated_mesh(built).vertices[ON_BOX].co).length < 1e-5


def on_screen(sight: Sight, place: Any) -> tuple[float, float]:
    clip = sight.projection @ np.append(np.array(place), 1)
    return (clip[0] / clip[3] + 1) / 2 * sight.width, (clip[1] / clip[3] + 1) / 2 * sight.height


def test_what_is_in_front_is_picked_and_not_what_is_behind(scene: Any) -> None:
    """From above the box hides a part of the wall and of the floor, and between its own vertices theirs would be nearer to the mouse."""
    built, sight = scene
    up = np.eye(4)
    up[1, 3] = -1.2  # the viewer rises
    raised = Sight(sight.projection @ np.linalg.inv(sight.view) @ up @ sight.view, up @ sight.view, sight.width, sight.height, True, 1.0)
    finder = Aim(built)
    depth = room_m().ravel()
    for row in range(21, 32):
        for column in range(31, 50):
            between = (finder.world(built, pixel(row, column)) + finder.world(built, pixel(row + 1, column + 1))) / 2
            found = finder.at(built, raised, on_screen(raised, between))
            assert found is not None and depth[found] == pytest.approx(2.2)


def test_a_view_that_turns_is_looked_at_anew(scene: Any) -> None:
    built, sight = scene
    finder = Aim(built)
    assert finder.at(built, sight, place(ON_WALL)) == ON_WALL
    mirrored = Sight(np.diag([-1.0, 1, 1, 1]) @ sight.projection, sight.view, sight.width, sight.height, True, 1.0)
    x, y = place(ON_WALL)
    assert finder.at(built, mirrored, (sight.width - x, y)) == ON_WALL
    built.location.x += 100
    bpy.context.view_layer.update()
    assert finder.at(built, sight, place(ON_WALL)) is None


def test_nothing_is_picked_where_nothing_is(scene: Any) -> None:
    built, sight = scene
    assert Aim(built).at(built, sight, (-200.0, 5.0)) is None


def test_what_the_sliders_cut_is_not_picked(scene: Any) -> None:
    built, sight = scene
    set_input(carrier_modifier(built), "Depth Max", 3.0)
    finder = Aim(built)
    assert finder.at(built, sight, place(ON_BOX)) == ON_BOX
    assert finder.at(built, sight, place(ON_WALL)) is None


def test_without_perspective_the_foremost_is_picked_too(scene: Any) -> None:
    """A flat view along the optical axis: what lies in front of the box's middle is the box."""
    built, sight = scene
    across = 4.0
    flat = np.diag([2 / across, 2 / across, -2 / 200, 1.0]) @ sight.view
    level = Sight(flat, sight.view, 400, 400, False, 10.0)
    finder = Aim(built)
    between = (finder.world(built, ON_BOX) + finder.world(built, ON_BOX + CAMERA.width + 1)) / 2
    found = finder.at(built, level, on_screen(level, between))
    assert found is not None and room_m().ravel()[found] == pytest.approx(2.2)
