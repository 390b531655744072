# SPDX-License-Identifier: Apache-2.0
"""A built object is built again from what it keeps: no model, no loss, nothing of the user's touched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthbridge.addon.apply import apply_points
from depthbridge.addon.build import matched_camera
from depthbridge.addon.nodes.inputs import carrier_modifier, get_input, set_input
from depthbridge.addon.options import BuildAs, BuildOptions, SkyMode
from depthbridge.addon.prepare import Conversion, guess_conversion
from depthbridge.addon.provenance import NotBuiltError, mark_metric, read_provenance
from depthbridge.addon.rebuild import options_of, prepare_again, rebuild
from depthbridge.addon.scene import build_scene
from depthbridge.engines.depth_map import DepthKind, DepthMap
from depthbridge.engines.errors import DepthbridgeError
from support.evaluated import attribute, evaluated_mesh
from support.known_depth import CAMERAS, depth_map, picture, wavy_depth

CAMERA = CAMERAS["off centre"]


def build_again(built: bpy.types.Object, options: BuildOptions, conversion: Conversion | None = None) -> bpy.types.Object:
    return rebuild(built, prepare_again(built, options, conversion=conversion))


def full_map(kind: DepthKind = DepthKind.METRIC) -> DepthMap:
    """Every layer there can be, holes, sky, and values from tiny to huge."""
    rng = np.random.default_rng(4)
    values = np.exp(rng.uniform(-9, 9, (120, 160))).astype(np.float32)
    sky = rng.random(values.shape).astype(np.float32)
    valid = (rng.random(values.shape) > 0.1) & (sky < 0.3)
    if kind is DepthKind.DISPARITY:
        values[:4] = 0.0
    confidence = rng.uniform(1, 9, values.shape).astype(np.float32)
    return replace(depth_map(values, CAMERA, kind, valid=valid, confidence=confidence), sky=sky)


@pytest.mark.parametrize("kind", list(DepthKind))
def test_the_stored_depth_is_the_depth_bit_for_bit(kind: DepthKind, tmp_path: Path) -> None:
    depth = full_map(kind)
    name = build_scene(depth, picture(160, 120)).object.name
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    known = read_provenance(bpy.data.objects[name])
    assert known.depth.is_float
    assert known.depth.packed_file is not None
    assert known.depth.colorspace_settings.name == "Non-Color"
    found = known.depth_map()
    np.testing.assert_array_equal(found.valid, depth.valid)
    np.testing.assert_array_equal(found.values[depth.valid], depth.values[depth.valid])
    np.testing.assert_array_equal(found.sky, depth.sky)
    np.testing.assert_array_equal(found.confidence, depth.confidence)
    assert (found.kind, found.camera, found.camera_source, found.model_id) == (kind, CAMERA, depth.camera_source, depth.model_id)


@settings(max_examples=8, deadline=None)
@given(first=st.sampled_from(list(BuildAs)), second=st.sampled_from(list(BuildAs)), stride=st.integers(1, 4))
def test_rebuilt_is_as_built(first: BuildAs, second: BuildAs, stride: int) -> None:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    depth, image = replace(full_map(), values=wavy_depth(CAMERA)), picture(160, 120)
    options = BuildOptions(as_=second, stride=stride)
    fresh = build_scene(depth, image, options).object.data
    again = build_again(build_scene(depth, image, BuildOptions(as_=first)).object, options).data
    for item in fresh.attributes:
        if item.name[0] != ".":
            np.testing.assert_array_equal(attribute(again, item.name), attribute(fresh, item.name), err_msg=item.name)


def test_what_the_user_made_of_it_stays() -> None:
    built = build_scene(depth_map(wavy_depth(CAMERA), CAMERA), picture(160, 120), name="Hill").object
    mine = bpy.data.materials.new("mine")
    built.data.materials[0] = mine
    built.location = (1, 2, 3)
    built.modifiers.new("below", "TRIANGULATE")
    set_input(carrier_modifier(built), "Scale", 2.5)
    camera = built.children[0]
    build_again(built, BuildOptions(as_=BuildAs.RELIEF))
    assert camera.data.type == "ORTHO"
    build_again(built, BuildOptions(stride=2, tear=0.4))
    assert camera.data.type == "PERSP"
    assert (built.name, tuple(built.location)) == ("Hill", (1, 2, 3))
    assert [item.name for item in built.modifiers] == ["Depthbridge", "below"]
    assert built.data.materials[0] == mine
    assert get_input(carrier_modifier(built), "Scale") == 2.5
    assert get_input(carrier_modifier(built), "Tear") == pytest.approx(0.4)
    assert built.children[0] == camera
    assert len(bpy.data.meshes) == 1
    assert len([item for item in bpy.data.materials if item.users]) == 2


def test_a_relief_under_a_displace_modifier_leaves_no_picture_behind() -> None:
    built = build_scene(depth_map(wavy_depth(CAMERA), CAMERA), picture(160, 120), BuildOptions(as_=BuildAs.RELIEF, displace=True)).object
    assert (len(bpy.data.textures), len(bpy.data.images)) == (1, 3)
    build_again(built, BuildOptions(as_=BuildAs.RELIEF, displace=True))
    assert (len(bpy.data.textures), len(bpy.data.images)) == (1, 3)
    build_again(built, BuildOptions())
    assert (len(bpy.data.textures), len(bpy.data.images)) == (0, 2)


def test_a_measured_object_stays_in_metres() -> None:
    built = build_scene(depth_map(wavy_depth(CAMERA), CAMERA, DepthKind.RELATIVE), picture(160, 120)).object
    assert read_provenance(built).unit == "relative"
    mark_metric(built)
    assert read_provenance(build_again(built, BuildOptions(stride=3))).unit == "m"


def test_options_of_an_object_build_it_as_it_is() -> None:
    built = build_scene(full_map(), picture(160, 120), BuildOptions(stride=2, tear=0.3, sky=SkyMode.FAR, nearest=1.5, radius=2.0)).object
    found = options_of(built)
    assert (found.as_, found.stride, found.sky, found.farthest) == (BuildAs.MESH, 2, SkyMode.FAR, None)
    assert (found.tear, found.nearest, found.radius) == pytest.approx((0.3, 1.5, 2.0))
    automatic = build_scene(full_map(), picture(160, 120), BuildOptions(stride=2)).object
    assert options_of(automatic).tear is None
    set_input(carrier_modifier(built), "As Points", True)
    assert options_of(built, stride=5) == replace(found, as_=BuildAs.POINTS, stride=5)


def test_depth_limits_and_a_far_sky_stay_where_they_are_in_the_picture_whatever_the_scale() -> None:
    depth = replace(full_map(), values=wavy_depth(CAMERA))
    built = build_scene(depth, picture(160, 120), BuildOptions(sky=SkyMode.FAR, nearest=2.6, farthest=3.2)).object
    modifier = carrier_modifier(built)
    for name, value in {"Scale": 4.0, "Depth Min": 10.4, "Depth Max": 12.8}.items():
        set_input(modifier, name, value)
    relief = options_of(built, as_=BuildAs.RELIEF)
    assert (relief.nearest, relief.farthest) == pytest.approx((2.6, 3.2))
    build_again(built, relief)
    again = options_of(built, as_=BuildAs.MESH)
    assert (again.nearest, again.farthest) == pytest.approx((10.4, 12.8))
    build_again(built, again)
    modifier = carrier_modifier(built)
    assert get_input(modifier, "Scale") == 4.0
    assert get_input(modifier, "Depth Min") == pytest.approx(10.4)
    assert get_input(modifier, "Sky Distance") == pytest.approx(4 * 1.5 * depth.values[depth.valid].max())
    assert options_of(built, as_=BuildAs.RELIEF, nearest=1.0).nearest == 1.0


def test_disparity_gets_a_shape_by_a_guess_and_its_own_by_a_measured_scale_and_shift() -> None:
    true = wavy_depth(CAMERA, disc=False)
    scale, shift = 0.02, 0.05
    disparity = ((1 / true - shift) / scale).astype(np.float32)
    built = build_scene(depth_map(disparity, CAMERA, DepthKind.DISPARITY), picture(160, 120)).object
    known = read_provenance(built)
    assert known.conversion is not None
    assert known.conversion.guessed
    assert known.unit == "relative"
    guessed = attribute(evaluated_mesh(built), "depth")
    assert 0.9 < guessed.min() < guessed.max() < 12
    assert np.all(np.diff(guessed[np.argsort(true.ravel())]) >= 0), "nearer is nearer"
    build_again(built, BuildOptions(), conversion=Conversion(scale, shift, guessed=False))
    np.testing.assert_allclose(attribute(built.data, "depth"), true.ravel(), rtol=2e-5)
    assert read_provenance(built).unit == "m"
    # and it is remembered
    build_again(built, BuildOptions(stride=2))
    np.testing.assert_allclose(attribute(built.data, "depth"), true[1::2, 1::2].ravel(), rtol=2e-5)


def test_a_flat_disparity_is_guessed_too() -> None:
    flat = depth_map(np.full((120, 160), 7.0, dtype=np.float32), CAMERA, DepthKind.DISPARITY)
    conversion = guess_conversion(flat)
    assert flat.to_metric(conversion.scale, conversion.shift).valid.all()


@pytest.mark.parametrize("edited", ["mine", "[1]", "5", "{}"])
def test_a_camera_whose_record_was_edited_to_nonsense_is_no_matched_one(edited: str) -> None:
    built = build_scene(depth_map(wavy_depth(CAMERA), CAMERA), picture(160, 120))
    assert matched_camera(built.object) == built.camera
    built.camera["depthbridge_camera"] = edited
    assert matched_camera(built.object) is None


def test_painting_in_the_depth_image_counts() -> None:
    built = build_scene(depth_map(wavy_depth(CAMERA), CAMERA), picture(160, 120)).object
    image = read_provenance(built).depth
    pixels = np.array(image.pixels[:], dtype=np.float32).reshape(120, 160, -1)
    pixels[0, 0, 0] = 1.25  # Blender's first row is the lowest
    image.pixels.foreach_set(pixels.ravel())
    build_again(built, BuildOptions())
    assert attribute(built.data, "depth").reshape(120, 160)[-1, 0] == 1.25


@pytest.mark.parametrize("fault", ["photo deleted", "depth deleted", "depth resized", "a stranger", "a cloud", "empty range", "camera edited", "kind edited"])
def test_what_cannot_be_rebuilt_is_told_and_stays(fault: str) -> None:
    built = build_scene(depth_map(wavy_depth(CAMERA), CAMERA), picture(160, 120)).object
    options = BuildOptions(as_=BuildAs.RELIEF)
    known = read_provenance(built)
    if fault == "photo deleted":
        bpy.data.images.remove(known.photo)
    elif fault == "depth deleted":
        bpy.data.images.remove(known.depth)
    elif fault == "depth resized":
        known.depth.scale(80, 60)
    elif fault == "a stranger":
        built = bpy.data.objects.new("mine", bpy.data.meshes.new("mine"))
    elif fault == "a cloud":
        built = apply_points(built)
    elif fault == "camera edited":
        built["depthbridge_camera"] = "mine"
    elif fault == "kind edited":
        built["depthbridge_kind"] = "mine"
    elif fault == "empty range":
        options = BuildOptions(as_=BuildAs.RELIEF, nearest=500.0)
    before = {kind: len(getattr(bpy.data, kind)) for kind in ("objects", "meshes", "images", "materials", "node_groups")}
    modifiers = [item.name for item in built.modifiers]
    with pytest.raises(DepthbridgeError):
        build_again(built, options)
    assert {kind: len(getattr(bpy.data, kind)) for kind in before} == before
    assert [item.name for item in built.modifiers] == modifiers
    if fault == "a stranger":
        with pytest.raises(NotBuiltError, match="select an object"):
            read_provenance(None)
