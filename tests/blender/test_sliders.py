# SPDX-License-Identifier: Apache-2.0
"""What the sliders do, judged on the evaluated object against the arrays it was built from."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthbridge.addon.build import Built
from depthbridge.addon.nodes.inputs import carrier_modifier, get_input, input_data_path, input_names, set_input
from depthbridge.addon.options import BuildAs, BuildOptions, SkyMode
from depthbridge.addon.scene import build_scene
from depthbridge.engines.depth_map import DepthMap
from support.evaluated import attribute, evaluated_mesh, faces, read
from support.known_depth import CAMERAS, depth_map, picture, wavy_depth

CAMERA = CAMERAS["tall pixels"]


def build(depth: DepthMap | None = None, **options: object) -> Built:
    depth = depth or depth_map(wavy_depth(CAMERA), CAMERA)
    return build_scene(depth, picture(depth.width, depth.height), BuildOptions(**options))


def with_sky() -> DepthMap:
    """The upper third is sky, nearly certain, at a depth of its own; between it and the ground the model wavers."""
    values = wavy_depth(CAMERA, disc=False)
    sky = np.zeros(values.shape, dtype=np.float32)
    sky[:40], sky[40:44] = 1.0, 0.2
    values[:40] = 40.0
    return replace(depth_map(values, CAMERA), sky=sky, valid=sky < 0.3)


def corner_depths(mesh: bpy.types.Mesh) -> np.ndarray:
    """Depths (F,4) of every face that is left; of none when all are gone, and the attributes with them."""
    return attribute(mesh, "depth")[faces(mesh)] if len(mesh.polygons) else np.empty((0, 4), dtype=np.float32)


def slide(built: Built, **values: object) -> bpy.types.Mesh:
    for name, value in values.items():
        set_input(carrier_modifier(built.object), name.replace("_", " "), value)
    return evaluated_mesh(built.object)


@pytest.mark.parametrize("stride", [1, 2, 5])
@pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS.keys())
def test_the_surface_is_the_depth_times_the_scale_borders_included(camera, stride: int) -> None:
    values = wavy_depth(camera)
    depth = depth_map(values, camera)
    mesh = slide(build(depth, stride=stride), Tear_Edges=False, Scale=2.5)
    points = depth.points()[stride // 2 :: stride, stride // 2 :: stride].reshape(-1, 3) * np.float32(2.5)
    position = attribute(mesh, "position")
    np.testing.assert_allclose(position, np.stack([points[:, 0], points[:, 2], -points[:, 1]], axis=1), rtol=1e-6, atol=1e-6)


@settings(max_examples=15, deadline=None)
@given(tear=st.floats(0.0, 1.5), seed=st.integers(0, 99), scale=st.floats(0.1, 30))
def test_no_face_spans_more_than_the_threshold_and_none_within_is_lost(tear: float, seed: int, scale: float) -> None:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    values = np.random.default_rng(seed).uniform(1, 2, (24, 32)).astype(np.float32)
    built = build(depth_map(values, CAMERA.resized(32, 24)))
    mesh = slide(built, Tear=tear, Scale=scale)
    ratio = corner_depths(mesh)
    assert (ratio.max(1) / ratio.min(1) - 1 <= tear + 1e-6).all()
    corners = np.stack([values[:-1, :-1], values[1:, :-1], values[1:, 1:], values[:-1, 1:]])
    within = corners.max(0) / corners.min(0) - 1 <= tear - 1e-6
    assert len(mesh.polygons) >= within.sum()


@pytest.mark.parametrize("slant_deg", [80.0, 85.5, 86.5, 88.0])
@pytest.mark.parametrize(("camera", "stride"), [(CAMERAS["centred"], 1), (CAMERAS["centred"].resized(640, 480), 1), (CAMERAS["centred"].resized(640, 480), 4)])
def test_by_default_a_plane_is_torn_by_its_slant_and_not_by_the_resolution(camera, stride: int, slant_deg: float) -> None:
    # A plane through (0, 0, 5) that recedes to the right: z = 5 + x tan(slant), of which the middle column is looked at.
    tangent = np.tan(np.radians(slant_deg))
    x = (np.arange(camera.width) + 0.5 - camera.cx) / camera.fx
    values = np.broadcast_to((5 / np.maximum(1 - x * tangent, 1e-3)).astype(np.float32), (camera.height, camera.width)).copy()
    built = build(depth_map(values, camera), stride=stride)
    spacing = 5 * stride / camera.fx
    mesh = evaluated_mesh(built.object)
    centre = read(mesh.polygons, "center", (len(mesh.polygons), 3))[:, 0]
    seen = (np.abs(centre + spacing / 2) < spacing).any()
    assert bool(seen) is (slant_deg < 86)


def test_tearing_can_be_switched_off_and_on() -> None:
    built = build()
    torn = len(evaluated_mesh(built.object).polygons)
    whole = len(slide(built, Tear_Edges=False).polygons)
    assert (torn < whole, whole) == (True, 119 * 159)
    assert len(slide(built, Tear_Edges=True).polygons) == torn


def test_the_depth_range_cuts_in_the_objects_unit() -> None:
    built = build()
    mesh = slide(built, Scale=2.0, Depth_Min=5.0, Depth_Max=6.5)
    depths = corner_depths(mesh) * 2
    assert depths.min() >= 5.0 - 1e-5
    assert depths.max() <= 6.5 + 1e-5
    values = wavy_depth(CAMERA) * 2
    inside = (values >= 5) & (values <= 6.5)
    corners = np.stack([values[:-1, :-1], values[1:, :-1], values[1:, 1:], values[:-1, 1:]])
    whole = inside[:-1, :-1] & inside[1:, :-1] & inside[1:, 1:] & inside[:-1, 1:]
    assert len(mesh.polygons) == (whole & (corners.max(0) / corners.min(0) - 1 <= 0.1)).sum()


def test_sky_is_off_kept_or_far() -> None:
    off, kept, far = (build(with_sky(), sky=mode) for mode in (SkyMode.OFF, SkyMode.KEEP, SkyMode.FAR))
    assert attribute(evaluated_mesh(off.object), "sky").max() < 0.3
    assert len(evaluated_mesh(off.object).polygons) == 79 * 159
    assert len(slide(off, Sky_Cut=0.1).polygons) == 75 * 159
    # Between the sky and the ground lies a jump of more than a tenth.
    mesh = evaluated_mesh(kept.object)
    assert len(mesh.polygons) == (79 + 39) * 159
    assert attribute(mesh, "position")[:160, 1].max() == 40.0
    distance = get_input(carrier_modifier(far.object), "Sky Distance")
    sky_y = attribute(evaluated_mesh(far.object), "position")[:160, 1]
    np.testing.assert_allclose(sky_y, distance)
    assert distance > wavy_depth(CAMERA).max()
    # Put on its plane, the sky hangs together with nothing, however tolerant the threshold is.
    mesh = slide(far, Tear=1000.0)
    assert len(mesh.polygons) == (79 + 39) * 159


def test_confidence_cuts() -> None:
    confidence = np.random.default_rng(3).uniform(1, 5, (120, 160)).astype(np.float32)
    built = build(depth_map(wavy_depth(CAMERA), CAMERA, confidence=confidence), as_=BuildAs.POINTS)
    set_input(carrier_modifier(built.object), "Confidence Cut", 3.0)
    assert point_count(built.object) == (confidence >= 3).sum()


def point_count(item: bpy.types.Object) -> int:
    bpy.context.view_layer.update()
    found = [i.object.data for i in bpy.context.evaluated_depsgraph_get().object_instances if i.object.type == "POINTCLOUD"]
    return sum(len(data.points) for data in found)


def test_points_are_a_switch_and_not_another_object() -> None:
    built = build()
    assert point_count(built.object) == 0
    set_input(carrier_modifier(built.object), "As Points", True)
    assert point_count(built.object) == 120 * 160


@pytest.mark.parametrize("displace", [False, True])
@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("camera", [CAMERAS["centred"], CAMERAS["tall pixels"]], ids=["square", "tall"])
def test_a_relief_is_raised_by_its_normalised_depth_borders_included(camera, stride: int, displace: bool) -> None:
    values = wavy_depth(camera)
    built = build(depth_map(values, camera), as_=BuildAs.RELIEF, stride=stride, strength=0.7, displace=displace)
    position = attribute(evaluated_mesh(built.object), "position")
    # Near is 1, far 0, over the whole picture and not the grid alone.
    height = (values.max() - values) / (values.max() - values.min())
    np.testing.assert_allclose(-position[:, 1], 0.7 * height[stride // 2 :: stride, stride // 2 :: stride].ravel(), atol=1e-6)
    # Each vertex stands over its own pixel; the longer side is two units.
    tall = camera.fx / camera.fy
    unit = 2 / max(160, 120 * tall)
    x = (np.arange(160) + 0.5 - 80) * unit
    z = (60 - np.arange(120) - 0.5) * tall * unit
    grid = np.meshgrid(x[stride // 2 :: stride], z[stride // 2 :: stride])
    np.testing.assert_allclose(position[:, 0], grid[0].ravel(), atol=1e-6)
    np.testing.assert_allclose(position[:, 2], grid[1].ravel(), atol=1e-6)


def test_a_reliefs_strength_and_midlevel_are_live() -> None:
    built = build(as_=BuildAs.RELIEF)
    height = attribute(built.object.data, "height")
    mesh = slide(built, Strength=2.0, Midlevel=0.25)
    np.testing.assert_allclose(-attribute(mesh, "position")[:, 1], 2.0 * (height - np.float32(0.25)), atol=1e-6)


def test_the_range_of_a_relief_is_the_one_asked_for() -> None:
    values = wavy_depth(CAMERA)
    built = build(as_=BuildAs.RELIEF, nearest=2.5, farthest=3.0)
    height = attribute(built.object.data, "height")
    inside = ((values >= 2.5) & (values <= 3.0)).ravel()
    low, high = values.ravel()[inside].min(), values.ravel()[inside].max()
    np.testing.assert_allclose(height, np.clip((high - values.ravel()) / (high - low), 0, 1), atol=1e-6)


def test_sliders_have_names_paths_and_survive_saving(tmp_path) -> None:
    built = build()
    modifier = carrier_modifier(built.object)
    assert input_names(modifier)[:3] == ["Scale", "Tear Edges", "Tear"]
    set_input(modifier, "Tear", 0.33)
    assert built.object.path_resolve(input_data_path(modifier, "Tear")) == pytest.approx(0.33)
    built.object.keyframe_insert(input_data_path(modifier, "Scale"), frame=1)
    with pytest.raises(KeyError, match="no input"):
        get_input(modifier, "Colour")
    name = built.object.name
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    assert get_input(carrier_modifier(bpy.data.objects[name]), "Tear") == pytest.approx(0.33)


def test_objects_share_one_group_and_a_users_copy_is_left_alone() -> None:
    first = build()
    copy = carrier_modifier(first.object).node_group.copy()
    copy.name = "Depthbridge Surface mine"
    del copy["depthbridge_group"]
    second = build()
    assert carrier_modifier(first.object).node_group == carrier_modifier(second.object).node_group != copy
