# SPDX-License-Identifier: Apache-2.0
"""The layer behind torn edges, in Blender: a camera that steps aside sees no gap, and the layer goes with its surface."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from depthbridge.addon.backfill import add_backfill, backfill_of, rebuild_backfill, release_backfill, remove_backfill, surface_of
from depthbridge.addon.backfill_layer import PreparedBackfill, prepare_backfill
from depthbridge.addon.build import Built, build_objects
from depthbridge.addon.nodes.inputs import carrier_modifier, get_input, input_names, set_input
from depthbridge.addon.options import BuildAs, BuildOptions, SkyMode
from depthbridge.addon.prepare import prepare
from depthbridge.addon.provenance import NotBuiltError
from depthbridge.addon.rebuild import options_of, prepare_again, rebuild
from depthbridge.addon.render import add_shifted_camera, render_still
from depthbridge.addon.samples.truth import render_depth
from depthbridge.engines.camera import CameraIntrinsics
from depthbridge.engines.depth_map import DepthKind, DepthMap
from support.known_depth import depth_map

CAMERA = CameraIntrinsics(300, 300, 151.3, 124.8, 320, 240)
NEAR_M, REACH_PX = 2.0, 24
MASK = np.zeros((240, 320), dtype=np.bool_)
MASK[70:180, 90:210] = True
MASK[:, 260:265] = True
RAYS = CAMERA.ray_directions()
WALL = (4.0 / (1 - 0.3 * RAYS[..., 0] + 0.2 * RAYS[..., 1])).astype(np.float32)
# What a step of a metre uncovers behind the box, in pixels, at most.
UNCOVERED_PX_PER_M = 300 * (1 / NEAR_M - 1 / float(WALL.max()))


def box_before_a_wall() -> tuple[DepthMap, npt.NDArray[np.uint8]]:
    """A yellow box and a pole in front of a green and blue chequered wall."""
    rows, columns = np.mgrid[0:240, 0:320]
    image = np.zeros((240, 320, 3), dtype=np.uint8)
    image[..., 1] = 90 + 80 * ((rows // 8 + columns // 8) % 2)
    image[..., 2] = 255 * columns // 320
    image[MASK] = (250, 200, 0)
    return depth_map(np.where(MASK, np.float32(NEAR_M), WALL), CAMERA), image


def build(options: BuildOptions | None = None, depth: DepthMap | None = None) -> tuple[Built, bpy.types.Object, PreparedBackfill]:
    known, image = box_before_a_wall()
    prepared = prepare(depth or known, image, options or BuildOptions())
    layer = prepare_backfill(prepared, reach_px=REACH_PX)
    assert layer is not None
    built = build_objects(prepared, "Photo")
    return built, add_backfill(built.object, layer), layer


def sliders(item: bpy.types.Object) -> dict[str, Any]:
    modifier = carrier_modifier(item)
    return {name: get_input(modifier, name) for name in input_names(modifier)}


def evaluated_vertices(item: bpy.types.Object) -> npt.NDArray[np.float32]:
    bpy.context.view_layer.update()
    mesh: Any = item.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    flat = np.empty(3 * len(mesh.vertices), dtype=np.float32)
    mesh.vertices.foreach_get("co", flat)
    return flat.reshape(-1, 3)


def data_names() -> dict[str, set[str]]:
    kinds = ("objects", "meshes", "materials", "images", "node_groups", "collections", "cameras")
    return {kind: {item.name for item in getattr(bpy.data, kind)} for kind in kinds}


@pytest.mark.parametrize("direction", [(1, 0), (-1, 0), (0, 1), (0.7, -0.7)])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_camera_that_steps_aside_sees_no_gap(direction: tuple[float, float], stride: int) -> None:
    built, layer, _ = build(BuildOptions(stride=stride))
    step = 0.95 * (REACH_PX - stride) / UNCOVERED_PX_PER_M
    bpy.context.scene.camera = add_shifted_camera(built.camera, right=direction[0] * step, up=direction[1] * step)
    # The picture's own border, where the photo ends, is nothing a layer could know.
    inner = np.s_[40:-40, 50:-50]
    covered = render_depth()[inner]
    layer.hide_render = True
    torn = render_depth()[inner]
    assert (torn == 0).sum() > 1000
    assert (covered == 0).sum() == 0
    # And what is seen there is the wall, not something stretched between the box and it.
    seen = covered[(torn == 0) & (covered > 0)]
    assert (seen > 0.9 * WALL.min()).mean() > 0.99


def test_a_longer_step_than_was_prepared_for_does_see_a_gap() -> None:
    built, _, _ = build()
    bpy.context.scene.camera = add_shifted_camera(built.camera, right=2 * REACH_PX / UNCOVERED_PX_PER_M)
    assert (render_depth()[40:-40, 50:-80] == 0).sum() > 500


def test_from_the_photos_own_place_the_layer_is_not_seen() -> None:
    _, layer, _ = build()
    with_layer = render_depth()
    layer.hide_render = True
    alone = render_depth()
    there = alone > 0
    np.testing.assert_allclose(with_layer[there], alone[there], rtol=1e-6)  # the layer is at least a thousandth behind
    assert there.mean() > 0.9


def test_the_uncovered_strip_has_the_walls_colours(tmp_path: Path) -> None:
    built, layer, _ = build()
    camera = add_shifted_camera(built.camera, right=0.9 * REACH_PX / UNCOVERED_PX_PER_M)
    seen = []
    for hidden in (False, True):
        layer.hide_render = hidden
        render_still(tmp_path / "still.png", camera=camera, samples=4, overwrite=True)
        with Image.open(tmp_path / "still.png") as picture:
            seen.append(np.asarray(picture).astype(int))
    filled, torn = (picture[40:-40, 50:-50] for picture in seen)
    gap = torn.max(axis=2) < 30
    assert gap.sum() > 1000
    red, green = filled[gap][:, 0], filled[gap][:, 1]
    assert (red > 60).mean() < 0.03, "the box's yellow is behind the box"
    assert green.min() > 60


def test_every_slider_of_the_layer_follows_the_surfaces() -> None:
    built, layer, _ = build()
    front = carrier_modifier(built.object)
    wanted = {
        "Scale": 2.5, "Tear Edges": False, "Tear": 0.35, "Sky Cut": 0.8, "Sky Distance": 12.0, "Confidence Cut": 0.25,
        "Depth Min": 0.5, "Depth Max": 40.0, "Radius": 1.75, "As Points": True,
    }  # fmt: skip
    assert set(wanted) | {"Point Material", "Pixel Size"} == set(input_names(front))
    for name, value in wanted.items():
        set_input(front, name, value)
    bpy.context.view_layer.update()
    followed = sliders(layer)
    for name, value in wanted.items():
        tolerance = 2e-3 if name == "Sky Distance" else 1e-6
        assert followed[name] == pytest.approx(value, rel=tolerance), name
    assert followed["Sky Distance"] > 12.0
    assert len(evaluated_vertices(layer)) == 0  # points now


def test_the_layer_grows_with_the_surface() -> None:
    built, layer, _ = build()
    before = evaluated_vertices(layer)
    set_input(carrier_modifier(built.object), "Scale", 3.0)
    np.testing.assert_allclose(evaluated_vertices(layer), 3 * before, rtol=1e-5)
    built.object.location = (1.0, 2.0, 3.0)
    bpy.context.view_layer.update()
    assert tuple(layer.matrix_world.translation) == pytest.approx((1.0, 2.0, 3.0))


def test_a_saved_file_still_follows(tmp_path: Path) -> None:
    build()
    path = tmp_path / "layers.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    # Scripts inside files are off, as they are by default.
    bpy.ops.wm.open_mainfile(filepath=str(path), use_scripts=False)
    surface = bpy.data.objects["Photo"]
    layer = backfill_of(surface)
    assert layer is not None and surface_of(layer) is surface and surface_of(surface) is surface
    before = evaluated_vertices(layer)
    set_input(carrier_modifier(surface), "Scale", 2.0)
    set_input(carrier_modifier(surface), "Sky Distance", 7.0)
    np.testing.assert_allclose(evaluated_vertices(layer), 2 * before, rtol=1e-5)
    assert sliders(layer)["Sky Distance"] == pytest.approx(7.007)
    picture = next(image for image in bpy.data.images if image.name.startswith("Photo backfill"))
    assert picture.packed_file is not None and tuple(picture.size) == (320, 240)


def test_the_layer_is_not_torn_where_it_closes() -> None:
    _, layer, prepared = build()
    hidden = prepared.layer.grid.tear[prepared.layer.grid.tear == 0]
    assert len(hidden) > 1000
    count = len(evaluated_vertices(layer))
    set_input(carrier_modifier(layer.parent), "Tear", 0.0001)
    assert len(evaluated_vertices(layer)) > 0.8 * count


def test_removing_leaves_nothing_behind() -> None:
    depth, image = box_before_a_wall()
    prepared = prepare(depth, image, BuildOptions())
    layer = prepare_backfill(prepared, reach_px=REACH_PX)
    assert layer is not None
    built = build_objects(prepared, "Photo")
    before = data_names()
    assert backfill_of(built.object) is None and not remove_backfill(built.object)
    add_backfill(built.object, layer)
    again = add_backfill(built.object, layer)
    assert again.name == "Photo backfill"
    assert [child for child in built.object.children if child.type == "MESH"] == [again]
    assert remove_backfill(built.object)
    assert data_names() == before


def test_the_layer_is_rebuilt_with_its_surface() -> None:
    built, layer, _ = build()
    finer = len(layer.data.vertices)
    options = options_of(built.object, stride=2)
    prepared = prepare_again(built.object, options)
    rebuild(built.object, prepared)
    anew = rebuild_backfill(built.object, prepared)
    assert anew is not None and anew is backfill_of(built.object) and anew.name == "Photo backfill"
    assert 0.2 * finer < len(anew.data.vertices) < 0.3 * finer
    before = evaluated_vertices(anew)
    set_input(carrier_modifier(built.object), "Scale", 2.0)
    np.testing.assert_allclose(evaluated_vertices(anew), 2 * before, rtol=1e-5)
    # Torn no more: the layer goes.
    options = options_of(built.object, tear=5.0)
    prepared = prepare_again(built.object, options)
    rebuild(built.object, prepared)
    assert rebuild_backfill(built.object, prepared) is None
    assert backfill_of(built.object) is None
    assert rebuild_backfill(built.object, prepared) is None


def test_a_released_layer_keeps_the_values() -> None:
    built, layer, _ = build()
    front = carrier_modifier(built.object)
    set_input(front, "Scale", 2.0)
    set_input(front, "Tear", 0.3)
    assert release_backfill(built.object) is layer
    assert not layer.animation_data.drivers
    set_input(front, "Scale", 5.0)
    bpy.context.view_layer.update()
    assert sliders(layer)["Scale"] == pytest.approx(2.0) and sliders(layer)["Tear"] == pytest.approx(0.3)


def test_an_object_without_sliders_is_told_and_nothing_is_added() -> None:
    _, _, layer = build()
    other = bpy.data.objects.new("Cube", bpy.data.meshes.new("Cube"))
    bpy.context.scene.collection.objects.link(other)
    before = data_names()
    with pytest.raises(NotBuiltError, match="Cube"):
        add_backfill(other, layer)
    assert data_names() == before


def test_points_have_points_behind_them() -> None:
    built, layer, prepared = build(BuildOptions(as_=BuildAs.POINTS))
    assert sliders(layer)["As Points"] and sliders(built.object)["As Points"]
    depsgraph = bpy.context.evaluated_depsgraph_get()
    clouds = {
        instance.instance_object.original.name if instance.is_instance else instance.object.original.name: len(instance.object.data.points)
        for instance in depsgraph.object_instances
        if instance.object.type == "POINTCLOUD"
    }
    assert clouds == {"Photo": 320 * 240, "Photo backfill": len(prepared.layer.positions)}


@pytest.mark.parametrize("kind", [DepthKind.METRIC, DepthKind.DISPARITY])
def test_a_relief_has_its_layer_behind_it_too(kind: DepthKind) -> None:
    depth, image = box_before_a_wall()
    if kind is DepthKind.DISPARITY:
        depth = replace(depth, kind=kind, values=(10 / depth.values - 1).astype(np.float32))
    options = BuildOptions(as_=BuildAs.RELIEF)
    prepared = prepare(depth, image, options)
    layer = prepare_backfill(prepared, reach_px=REACH_PX)
    assert layer is not None and layer.layer.height is not None and prepared.height is not None
    front = np.full(320 * 240, np.nan, dtype=np.float32)
    front[prepared.grid.pixels] = prepared.height
    in_front = front[layer.layer.grid.pixels]
    assert (layer.layer.height <= in_front).all()
    hidden = MASK.ravel()[layer.layer.grid.pixels]
    assert hidden.sum() > 1000
    wall = front.reshape(240, 320)[~MASK]
    assert layer.layer.height[hidden].max() <= wall.max() + 0.02 and (layer.layer.height[hidden] < in_front[hidden] - 0.1).all()
    built = build_objects(prepared, "Photo")
    add_backfill(built.object, layer)
    assert sliders(backfill_of(built.object))["Strength"] == pytest.approx(sliders(built.object)["Strength"])
    assert prepare_backfill(prepare(depth, image, replace(options, displace=True))) is None


def test_sky_behind_everything_is_the_layers_alone() -> None:
    depth, _ = box_before_a_wall()
    sky = np.where(MASK, np.float32(0), np.float32(1))
    depth = replace(depth, sky=sky, valid=~(sky > 0.3))
    built, layer, _ = build(BuildOptions(sky=SkyMode.FAR), depth)
    assert sliders(layer)["Sky Distance"] > sliders(built.object)["Sky Distance"] > 0
    bpy.context.scene.camera = add_shifted_camera(built.camera, right=0.1)
    assert (render_depth()[40:-40, 50:-50] == 0).sum() == 0
    set_input(carrier_modifier(built.object), "Sky Cut", 0.3)
    assert len(evaluated_vertices(layer)) == 0
