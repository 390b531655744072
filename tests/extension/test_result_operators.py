# SPDX-License-Identifier: Apache-2.0
"""What one does with a built object: the operators of the installed extension, as a script calls them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from depthbridge.addon.backfill import backfill_of
from depthbridge.addon.nodes.inputs import carrier_modifier, get_input, input_names, set_input
from depthbridge.engines.depth_map import DepthKind
from depthbridge.engines.export.npz import write_npz
from support.blend_data import contents
from support.evaluated import attribute, evaluated_mesh
from support.floor_scene import CAMERA, room

VERTICES = CAMERA.width * CAMERA.height


@pytest.fixture
def settings() -> Any:
    return bpy.context.scene.depthbridge


@pytest.fixture
def build(tmp_path: Path, settings: Any) -> Any:
    def build(kind: DepthKind = DepthKind.METRIC, sky_rows: int = 5, **more: Any) -> Any:
        path = tmp_path / "room.npz"
        path.unlink(missing_ok=True)
        depth = room(kind)
        sky = np.zeros(depth.values.shape, dtype=np.float32)
        sky[:sky_rows] = 0.9
        write_npz(path, replace(depth, sky=sky, valid=depth.valid & (sky < 0.3)))
        settings.source, settings.depth_file = "DEPTH", str(path)
        for name, value in more.items():
            setattr(settings, name, value)
        bpy.ops.depthbridge.build()
        return bpy.context.view_layer.objects.active

    return build


def refused(call: Any, **arguments: Any) -> str:
    before, active = contents(), bpy.context.view_layer.objects.active
    with pytest.raises(RuntimeError) as caught:
        call(**arguments)
    assert contents() == before and bpy.context.view_layer.objects.active == active
    told = str(caught.value)
    assert "Traceback" not in told and "should not" not in told, told
    return told


# ---- rebuild -----------------------------------------------------------------------------------------------------------


def test_rebuild_takes_the_panels_choices_and_keeps_the_objects_own(build: Any, settings: Any) -> None:
    built = build()
    built.name, built.location, built.rotation_euler, built.scale = "mine", (1, 2, 3), (0.1, 0.2, 0.3), (2, 2, 2)
    modifier = carrier_modifier(built)
    set_input(modifier, "Scale", 1.5)
    set_input(modifier, "Tear", 0.33)
    bpy.context.view_layer.update()
    before, place, camera = contents(), built.matrix_world.copy(), bpy.context.scene.camera
    settings.detail, settings.stride, settings.sky = "STRIDE", 3, "keep"
    assert bpy.ops.depthbridge.rebuild() == {"FINISHED"}
    assert len(built.data.vertices) == -(-CAMERA.width // 3) * -(-CAMERA.height // 3)
    modifier = carrier_modifier(built)
    assert (get_input(modifier, "Scale"), get_input(modifier, "Tear")) == (1.5, pytest.approx(0.33))
    assert get_input(modifier, "Sky Cut") == 1.0
    bpy.context.view_layer.update()
    assert built.name == "mine" and built.matrix_world == place and camera.parent == built
    assert {kind: len(names) for kind, names in contents().items()} == {kind: len(names) for kind, names in before.items()}


@pytest.mark.parametrize("as_", ["mesh", "points", "relief"])
@pytest.mark.parametrize("again", ["mesh", "points", "relief"])
def test_anything_becomes_anything(build: Any, settings: Any, as_: str, again: str) -> None:
    built = build(build_as=as_)
    settings.build_as, settings.strength = again, 0.8
    bpy.ops.depthbridge.rebuild()
    names = input_names(carrier_modifier(built))
    assert ("Strength" in names) == (again == "relief")
    assert built["depthbridge_as"] == again
    if again == "relief":
        assert get_input(carrier_modifier(built), "Strength") == pytest.approx(0.5 if as_ == "relief" else 0.8)
    else:
        assert get_input(carrier_modifier(built), "As Points") == (again == "points")


def test_an_applied_mesh_gets_its_sliders_back(build: Any) -> None:
    built = build()
    bpy.ops.depthbridge.apply_mesh()
    assert carrier_modifier(built) is None
    bpy.ops.depthbridge.rebuild()
    assert carrier_modifier(built) is not None and len(built.data.vertices) == VERTICES


def test_rebuild_keeps_a_measured_size(build: Any, settings: Any) -> None:
    built = build(DepthKind.DISPARITY)
    bpy.ops.depthbridge.scale_from_floor(camera_height=1.5)
    found = built["depthbridge_scale"], built["depthbridge_shift"]
    settings.detail, settings.stride = "STRIDE", 2
    bpy.ops.depthbridge.rebuild()
    assert (built["depthbridge_scale"], built["depthbridge_shift"]) == found and built["depthbridge_unit"] == "m"


@pytest.mark.parametrize("lost", ["photo", "depth"])
def test_rebuild_without_its_images_is_one_sentence(build: Any, lost: str) -> None:
    built = build()
    mesh = built.data
    bpy.data.images.remove(built[f"depthbridge_{lost}"])
    assert f"The {lost} image" in refused(bpy.ops.depthbridge.rebuild)
    assert built.data == mesh and carrier_modifier(built) is not None


def test_rebuild_with_an_empty_range_is_one_sentence(build: Any, settings: Any) -> None:
    build()
    settings.use_range, settings.nearest, settings.farthest = True, 5.0, 2.0
    assert "empty" in refused(bpy.ops.depthbridge.rebuild)


def test_one_undo_step_takes_a_rebuild_back(build: Any, settings: Any) -> None:
    name = build().name
    settings.detail, settings.stride = "STRIDE", 4
    bpy.ops.ed.undo_push(message="built")
    bpy.ops.depthbridge.rebuild("EXEC_DEFAULT", True)
    assert len(bpy.data.objects[name].data.vertices) < VERTICES
    bpy.ops.ed.undo()
    assert len(bpy.data.objects[name].data.vertices) == VERTICES


# ---- apply -------------------------------------------------------------------------------------------------------------


def test_an_applied_mesh_is_what_was_seen(build: Any) -> None:
    built = build()
    set_input(carrier_modifier(built), "Depth Max", 4.0)
    seen = attribute(evaluated_mesh(built), "position")
    assert bpy.ops.depthbridge.apply_mesh() == {"FINISHED"}
    np.testing.assert_array_equal(attribute(built.data, "position"), seen)
    assert len(built.modifiers) == 0 and 0 < len(seen) < VERTICES
    assert "final already" in refused(bpy.ops.depthbridge.apply_mesh)


def test_an_applied_cloud_takes_the_objects_place(build: Any) -> None:
    built = build()
    built.location = (1, 2, 3)
    name, camera = built.name, bpy.context.scene.camera
    assert bpy.ops.depthbridge.apply_points() == {"FINISHED"}
    cloud = bpy.context.view_layer.objects.active
    assert cloud.type == "POINTCLOUD" and cloud.name == name and list(bpy.context.selected_objects) == [cloud]
    assert tuple(cloud.location) == (1, 2, 3) and camera.parent == cloud
    assert len(cloud.data.points) == VERTICES - 5 * CAMERA.width  # without the sky
    assert "final already" in refused(bpy.ops.depthbridge.apply_points)
    assert "cannot be built again" in refused(bpy.ops.depthbridge.rebuild)


def test_a_relief_has_no_points(build: Any) -> None:
    build(build_as="relief")
    assert "relief has no points" in refused(bpy.ops.depthbridge.apply_points)
    bpy.ops.depthbridge.apply_mesh()


@pytest.mark.parametrize("apply", ["apply_mesh", "apply_points"])
def test_the_layer_behind_keeps_its_shape_when_its_surface_is_applied(build: Any, apply: str) -> None:
    built = build()
    bpy.ops.depthbridge.backfill()
    modifier = carrier_modifier(built)
    set_input(modifier, "Scale", 2.5)
    layer = backfill_of(built)
    seen = attribute(evaluated_mesh(layer), "position")
    getattr(bpy.ops.depthbridge, apply)()
    layer = backfill_of(bpy.context.view_layer.objects.active)
    np.testing.assert_allclose(attribute(evaluated_mesh(layer), "position"), seen, rtol=1e-6)
    assert layer.animation_data is None or len(layer.animation_data.drivers) == 0  # which would read what is gone


# ---- backfill ----------------------------------------------------------------------------------------------------------


def test_the_layer_comes_and_goes_without_a_trace(build: Any) -> None:
    built = build()
    before = contents()
    assert bpy.ops.depthbridge.backfill() == {"FINISHED"}
    layer = backfill_of(built)
    assert layer is not None and contents() != before
    bpy.context.view_layer.objects.active = layer
    assert bpy.ops.depthbridge.backfill() == {"FINISHED"}  # the layer stands for its surface
    assert backfill_of(built) is None and contents() == before
    assert bpy.context.view_layer.objects.active == built
    assert "no layer" in refused(bpy.ops.depthbridge.backfill, action="REMOVE")


def test_adding_twice_leaves_one_layer(build: Any) -> None:
    built = build()
    bpy.ops.depthbridge.backfill(action="ADD")
    once = contents()
    bpy.ops.depthbridge.backfill(action="ADD")
    assert {kind: len(names) for kind, names in contents().items()} == {kind: len(names) for kind, names in once.items()}
    assert sum(child.type == "MESH" for child in built.children) == 1


def test_nothing_torn_needs_no_layer(build: Any) -> None:
    built = build(sky_rows=0)
    set_input(carrier_modifier(built), "Tear", 1e6)
    assert "No edge" in refused(bpy.ops.depthbridge.backfill)


def test_rebuilding_the_surface_rebuilds_its_layer(build: Any, settings: Any) -> None:
    built = build()
    bpy.ops.depthbridge.backfill()
    many = len(backfill_of(built).data.vertices)
    settings.detail, settings.stride = "STRIDE", 2
    bpy.ops.depthbridge.rebuild()
    assert 0 < len(backfill_of(built).data.vertices) < many


# ---- camera ------------------------------------------------------------------------------------------------------------


def test_look_through_makes_the_scene_match_the_photo(build: Any) -> None:
    built = build(set_up_scene=False)
    scene = bpy.context.scene
    assert scene.camera is None and scene.render.resolution_x != CAMERA.width
    assert bpy.ops.depthbridge.look_through() == {"FINISHED"}
    render = scene.render
    assert scene.camera.parent == built and (render.resolution_x, render.resolution_y) == (CAMERA.width, CAMERA.height)
    bpy.data.objects.remove(scene.camera)
    assert "camera was deleted" in refused(bpy.ops.depthbridge.look_through)


@pytest.mark.parametrize("name", ["look_through", "rebuild", "apply_mesh", "apply_points", "backfill"])
def test_why_it_cannot_be_called(build: Any, name: str) -> None:
    call = getattr(bpy.ops.depthbridge, name)
    assert "that Depthbridge built" in refused(call)
    bpy.ops.mesh.primitive_cube_add()
    assert "that Depthbridge built" in refused(call)
    build()
    bpy.ops.object.mode_set(mode="EDIT")
    assert "Leave Edit Mode" in refused(call)


# ---- of another file ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("override", [False, True])
def test_an_object_of_another_file_is_left_as_it_is(build: Any, extension: str, tmp_path: Path, override: bool) -> None:
    library, name = str(tmp_path / "other.blend"), build().name
    bpy.data.libraries.write(library, {bpy.data.objects[name], *bpy.data.objects[name].children})
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.ops.preferences.addon_enable(module=extension)
    with bpy.data.libraries.load(library, link=True) as (held, wanted):
        wanted.objects = held.objects
    linked: Any = bpy.data.objects[name]
    linked = linked.override_create() if override else linked
    bpy.context.scene.collection.objects.link(linked)
    bpy.context.view_layer.objects.active = linked
    calls = bpy.ops.depthbridge
    for call in (calls.rebuild, calls.backfill, calls.apply_mesh, calls.apply_points, calls.scale_from_floor):
        assert "linked from another file" in refused(call)
    assert "linked from another file" in refused(calls.scale_from_points, first=0, second=50, true_distance=2.0)
    assert carrier_modifier(linked) is not None
    if not override:
        bpy.context.scene.collection.objects.link(next(child for child in linked.children if child.type == "CAMERA"))
        assert calls.look_through() == {"FINISHED"}  # which changes nothing of the object
    linked = linked.make_local()
    bpy.context.view_layer.objects.active = linked
    assert calls.rebuild() == {"FINISHED"} and calls.apply_mesh() == {"FINISHED"}
