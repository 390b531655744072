# SPDX-License-Identifier: Apache-2.0
"""The operators of true size, of the installed extension, as a script calls them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bmesh
import bpy
import numpy as np
import pytest

from depthbridge.addon.nodes.inputs import carrier_modifier, get_input, input_names, set_input
from depthbridge.engines.depth_map import DepthKind
from depthbridge.engines.export.npz import write_npz
from support.blend_data import contents
from support.evaluated import attribute, evaluated_mesh
from support.floor_scene import CAMERA_HEIGHT_M, FAR, NEAR, points_m, room, room_m, true_distance_m

KINDS = list(DepthKind)


@pytest.fixture
def build(tmp_path: Path) -> Any:
    """Builds the room from a depth file of a kind, through the operator."""

    def build(kind: DepthKind, as_: str = "mesh") -> Any:
        path = tmp_path / "room.npz"
        path.unlink(missing_ok=True)
        write_npz(path, room(kind))
        settings = bpy.context.scene.depthbridge
        settings.source, settings.depth_file, settings.build_as, settings.tear = "DEPTH", str(path), as_, 1e6
        bpy.ops.depthbridge.build()
        return bpy.context.view_layer.objects.active

    return build


def depth_of(built: Any) -> np.ndarray:
    return attribute(evaluated_mesh(built), "position")[:, 1]


def seen_distance(built: Any, pair: tuple[int, int]) -> float:
    places = [built.matrix_world @ evaluated_mesh(built).vertices[index].co for index in pair]
    return (places[0] - places[1]).length


def state(built: Any) -> Any:
    modifier = carrier_modifier(built)
    sliders = {name: get_input(modifier, name) for name in input_names(modifier)}
    own = {key: value for key, value in built.items() if key.startswith("depthbridge_")}
    return built.data.name, sliders, own, contents(), bpy.context.mode


def refused(call: Any, **arguments: Any) -> str:
    """What an operator reports that changes nothing."""
    built = bpy.context.view_layer.objects.active
    before = state(built)
    with pytest.raises(RuntimeError) as caught:
        call(**arguments)
    assert state(built) == before
    told = str(caught.value)
    assert "Traceback" not in told and "should not" not in told, told
    return told


def select(built: Any, *vertices: int) -> None:
    """In edit mode, these vertices alone."""
    bpy.ops.object.mode_set(mode="EDIT")
    mesh = bmesh.from_edit_mesh(built.data)
    mesh.verts.ensure_lookup_table()
    for vertex in mesh.verts:
        vertex.select = False
    for index in vertices:
        mesh.verts[index].select = True
    mesh.select_flush_mode()
    bmesh.update_edit_mesh(built.data)


# ---- two points --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_evaluated_points_are_as_far_apart_as_was_said(build: Any, kind: DepthKind) -> None:
    built = build(kind)
    built.location, built.rotation_euler, built.scale = (4, 1, -2), (0.3, -1.0, 0.5), (1.7, 1.7, 1.7)
    assert bpy.ops.depthbridge.scale_from_points(first=NEAR[0], second=NEAR[1], true_distance=2.75) == {"FINISHED"}
    assert seen_distance(built, NEAR) == pytest.approx(2.75, rel=1e-5)


def test_two_distances_make_disparity_metres(build: Any) -> None:
    built = build(DepthKind.DISPARITY)
    for pair in (NEAR, FAR):
        bpy.ops.depthbridge.scale_from_points(first=pair[0], second=pair[1], true_distance=true_distance_m(pair))
    np.testing.assert_allclose(depth_of(built), room_m().ravel(), rtol=1e-4)
    assert built["depthbridge_unit"] == "m" and not built["depthbridge_scale_guessed"]


def test_the_first_of_two_distances_waits_in_the_file(build: Any, tmp_path: Path) -> None:
    built = build(DepthKind.DISPARITY)
    bpy.ops.depthbridge.scale_from_points(first=NEAR[0], second=NEAR[1], true_distance=true_distance_m(NEAR))
    name = built.name
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "half.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "half.blend"))
    bpy.ops.depthbridge.scale_from_points(first=FAR[0], second=FAR[1], true_distance=true_distance_m(FAR))
    np.testing.assert_allclose(depth_of(bpy.data.objects[name]), room_m().ravel(), rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_one_undo_step_takes_a_measure_back(build: Any, kind: DepthKind) -> None:
    name = build(kind).name
    if kind is DepthKind.DISPARITY:
        bpy.ops.depthbridge.scale_from_points(first=NEAR[0], second=NEAR[1], true_distance=3.0)
    bpy.ops.ed.undo_push(message="built")
    before = depth_of(bpy.data.objects[name])
    unit = bpy.data.objects[name]["depthbridge_unit"]
    bpy.ops.depthbridge.scale_from_points("EXEC_DEFAULT", True, first=FAR[0], second=FAR[1], true_distance=9.0)
    assert abs(depth_of(bpy.data.objects[name]) / before - 1).max() > 0.05
    bpy.ops.ed.undo()
    np.testing.assert_array_equal(depth_of(bpy.data.objects[name]), before)
    assert bpy.data.objects[name]["depthbridge_unit"] == unit


def test_two_selected_vertices_are_the_points(build: Any) -> None:
    built = build(DepthKind.RELATIVE)
    select(built, *NEAR)
    bpy.ops.depthbridge.scale_from_points(true_distance=2.0)
    assert bpy.context.mode == "OBJECT"  # where one undo step takes everything back
    assert seen_distance(built, NEAR) == pytest.approx(2.0, rel=1e-5)


@pytest.mark.parametrize(("chosen", "told"), [((), "0 vertices"), ((3,), "1 vertices"), ((3, 4, 5), "3 vertices")])
def test_any_other_number_of_vertices_is_refused_in_edit_mode(build: Any, chosen: tuple[int, ...], told: str) -> None:
    built = build(DepthKind.RELATIVE)
    select(built, *chosen)
    assert told in refused(bpy.ops.depthbridge.scale_from_points, true_distance=2.0)
    assert bpy.context.mode == "EDIT_MESH"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({}, "Two points are needed"),
        ({"first": 4, "true_distance": 1.0}, "Two points are needed"),
        ({"first": 4, "second": 9}, "positive number"),
        ({"first": 4, "second": 4, "true_distance": 1.0}, "same one"),
        ({"first": 4, "second": 2_000_000, "true_distance": 1.0}, "no vertex 2000000"),
    ],
)
def test_bad_points_are_one_sentence(build: Any, arguments: dict[str, Any], told: str) -> None:
    build(DepthKind.DISPARITY)
    assert told in refused(bpy.ops.depthbridge.scale_from_points, **arguments)


def test_a_scale_of_nought_is_told(build: Any) -> None:
    built = build(DepthKind.METRIC)
    set_input(carrier_modifier(built), "Scale", 0.0)
    assert "Scale" in refused(bpy.ops.depthbridge.scale_from_points, first=NEAR[0], second=NEAR[1], true_distance=2.0)


def test_a_deleted_depth_image_is_told(build: Any) -> None:
    built = build(DepthKind.DISPARITY)
    bpy.ops.depthbridge.scale_from_points(first=NEAR[0], second=NEAR[1], true_distance=true_distance_m(NEAR))
    bpy.data.images.remove(built["depthbridge_depth"])
    told = refused(bpy.ops.depthbridge.scale_from_points, first=FAR[0], second=FAR[1], true_distance=true_distance_m(FAR))
    assert "depth image" in told and "deleted" in told


# ---- the floor ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("as_", ["mesh", "points"])
def test_the_floor_gives_metres(build: Any, kind: DepthKind, as_: str) -> None:
    built = build(kind, as_)
    bpy.ops.depthbridge.scale_from_floor(camera_height=CAMERA_HEIGHT_M)
    set_input(carrier_modifier(built), "As Points", False)
    np.testing.assert_allclose(depth_of(built), room_m().ravel(), rtol=1e-4)
    assert built["depthbridge_unit"] == "m"


def test_selected_vertices_are_the_floor(build: Any) -> None:
    built = build(DepthKind.DISPARITY)
    depth = room_m().ravel()
    select(built, *np.flatnonzero(np.abs(points_m()[:, 1] - CAMERA_HEIGHT_M) < 1e-3).tolist())
    bpy.ops.depthbridge.scale_from_floor(camera_height=CAMERA_HEIGHT_M)
    assert bpy.context.mode == "OBJECT"
    np.testing.assert_allclose(depth_of(built), depth, rtol=1e-4)


def test_too_few_selected_vertices_are_no_floor(build: Any) -> None:
    built = build(DepthKind.RELATIVE)
    select(built, 1, 2)
    assert "2 vertices are selected" in refused(bpy.ops.depthbridge.scale_from_floor, camera_height=1.5)
    bpy.ops.object.mode_set(mode="OBJECT")
    select(built, 1, 2, 3, 4)
    assert "floor" in refused(bpy.ops.depthbridge.scale_from_floor, camera_height=1.5)
    assert bpy.context.mode == "EDIT_MESH"


def test_a_wrong_pitch_is_told(build: Any) -> None:
    build(DepthKind.METRIC)
    assert "pitch" in refused(bpy.ops.depthbridge.scale_from_floor, camera_height=1.5, pitch_deg=-45)
    assert "positive" in refused(bpy.ops.depthbridge.scale_from_floor, camera_height=0.0)


# ---- when they cannot be called ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["scale_from_points", "scale_from_floor"])
def test_why_it_cannot_be_called(build: Any, name: str) -> None:
    operator = getattr(bpy.ops.depthbridge, name)
    with pytest.raises(RuntimeError, match="that Depthbridge built"):
        operator()
    build(DepthKind.METRIC, "relief")
    with pytest.raises(RuntimeError, match="relief has no true lengths"):
        operator()
    built = build(DepthKind.METRIC)
    bpy.ops.depthbridge.apply_mesh()
    with pytest.raises(RuntimeError, match="sliders were not applied"):
        operator()
    assert built == bpy.context.view_layer.objects.active
