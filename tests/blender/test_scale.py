# SPDX-License-Identifier: Apache-2.0
"""True size: lengths somebody knows become the lengths of the evaluated object, for each kind of depth."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import bpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthbridge.addon.apply import apply_points
from depthbridge.addon.backfill import add_backfill, backfill_of
from depthbridge.addon.backfill_layer import prepare_backfill
from depthbridge.addon.build import build_objects, matched_camera
from depthbridge.addon.measuring.live_shape import LiveShape
from depthbridge.addon.measuring.scale import scale_from_floor, scale_from_points
from depthbridge.addon.nodes.inputs import carrier_modifier, get_input, input_names, set_input
from depthbridge.addon.options import BuildAs, BuildOptions
from depthbridge.addon.prepare import prepare
from depthbridge.addon.provenance import read_provenance
from depthbridge.addon.rebuild import options_of, prepare_again
from depthbridge.engines.depth_map import DepthKind, DepthMap
from depthbridge.engines.errors import DepthbridgeError
from support.blend_data import contents
from support.evaluated import attribute, evaluated_mesh
from support.floor_scene import CAMERA, CAMERA_HEIGHT_M, FAR, NEAR, SCALE, SHIFT, pixel, room, room_m, true_distance_m
from support.known_depth import depth_map, picture

KINDS = list(DepthKind)
TOGETHER = (pixel(40, 20), pixel(60, 70))


def build(depth: DepthMap, **options: Any) -> bpy.types.Object:
    prepared = prepare(depth, picture(depth.width, depth.height), BuildOptions(**{"tear": 1e6, **options}))
    return build_objects(prepared, "room").object


def place(built: bpy.types.Object, scale: tuple[float, float, float] = (1, 1, 1)) -> None:
    """Anywhere, turned, and under a parent that is turned as well."""
    parent = bpy.data.objects.new("parent", None)
    bpy.context.scene.collection.objects.link(parent)
    parent.location, parent.rotation_euler = (3, -2, 1), (0.3, 0.2, -1.1)
    built.parent = parent
    built.location, built.rotation_euler, built.scale = (1, 5, -2), (0.4, -0.7, 2.0), scale
    bpy.context.view_layer.update()


def seen_distance(built: bpy.types.Object, pair: tuple[int, int]) -> float:
    """In the world, between two vertices as the modifiers leave them."""
    mesh = evaluated_mesh(built)
    assert len(mesh.vertices) == len(built.data.vertices)  # nothing is cut, so indices are kept
    ends = [np.array(mesh.vertices[index].co, dtype=np.float64) for index in pair]
    return float(np.linalg.norm(np.array(built.matrix_world.to_3x3(), dtype=np.float64) @ (ends[0] - ends[1])))


def state(built: bpy.types.Object) -> Any:
    """Everything that a refused operation must leave alone."""
    modifier = carrier_modifier(built)
    sliders = {name: get_input(modifier, name) for name in input_names(modifier)}
    own = {key: value for key, value in built.items() if key.startswith("depthbridge_")}
    return built.data.name, sliders, own, contents()


def depth_of(built: bpy.types.Object) -> np.ndarray:
    """Live planar depth of every vertex, as the evaluated mesh has it: (V,)."""
    return attribute(evaluated_mesh(built), "position")[:, 1]


# ---- two points --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=12, deadline=None)
@given(
    true_m=st.floats(0.01, 500),
    first=st.integers(0, CAMERA.width * CAMERA.height - 1),
    second=st.integers(0, CAMERA.width * CAMERA.height - 1),
    stretch=st.floats(0.2, 5),
    slider=st.floats(0.1, 10),
)
def test_the_two_points_are_as_far_apart_as_was_said(
    kind: DepthKind, true_m: float, first: int, second: int, stretch: float, slider: float
) -> None:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    built = build(room(kind))
    count = len(built.data.vertices)
    first, second = first % count, second % count
    if first == second:
        second = (first + 1) % count
    # A single distance of disparity needs even scale, for it is kept to be used with another.
    place(built, (stretch, stretch, stretch) if kind is DepthKind.DISPARITY else (stretch, 1.0, 2.0))
    set_input(carrier_modifier(built), "Scale", slider)
    before = evaluated_mesh(built)
    apart = (before.vertices[first].co - before.vertices[second].co).length
    scale_from_points(built, first, second, true_m)
    # Blender holds places as 32-bit numbers: two near each other and far away are known no better.
    far = max(abs(value) for index in (first, second) for value in evaluated_mesh(built).vertices[index].co)
    rounding = 8 * np.finfo(np.float32).eps * far * max(stretch, 2.0) + 1e-5 * true_m
    assert apart > 0 and abs(seen_distance(built, (first, second)) - true_m) <= rounding
    assert built["depthbridge_unit"] == ("relative" if kind is DepthKind.DISPARITY else "m")


def test_points_keep_what_was_measured_when_they_are_applied() -> None:
    built = build(room(DepthKind.RELATIVE), as_=BuildAs.POINTS)
    scale_from_points(built, *TOGETHER, 4.0)
    cloud = apply_points(built)
    positions = attribute(cloud.data, "position")
    assert np.linalg.norm(positions[TOGETHER[0]] - positions[TOGETHER[1]]) == pytest.approx(4.0, rel=1e-5)
    assert cloud["depthbridge_unit"] == "m"


@pytest.mark.parametrize("kind", [DepthKind.METRIC, DepthKind.RELATIVE])
def test_what_the_sliders_cut_stays_cut_and_the_camera_sees_all(kind: DepthKind) -> None:
    built = build(room(kind))
    modifier = carrier_modifier(built)
    middle = float(np.median(depth_of(built)))
    set_input(modifier, "Depth Max", middle * 1.0003)  # between two depths, not on one
    set_input(modifier, "Depth Min", middle / 2.0003)
    cut = len(evaluated_mesh(built).vertices)
    assert 0 < cut < len(built.data.vertices)
    for true_m in (4000.0, 0.002):
        scale_from_points(built, *TOGETHER, true_m)
        assert len(evaluated_mesh(built).vertices) == cut
        camera: Any = matched_camera(built)
        depth = depth_of(built)
        assert camera.data.clip_start < depth.min() and depth.max() < camera.data.clip_end


# ---- two distances in disparity ----------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(scale=st.floats(0.05, 50), shift=st.floats(-0.1, 2.0), size=st.floats(0.1, 10), first_wins=st.booleans())
def test_two_distances_give_the_scale_and_the_shift(scale: float, shift: float, size: float, first_wins: bool) -> None:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    disparity = ((1 / room_m().astype(np.float64) - shift) / scale).astype(np.float32)
    if disparity.min() < 0:
        disparity -= disparity.min()  # a shift that no model's numbers, which are never negative, can have
        shift = float(np.median(1 / room_m() - scale * disparity))
    built = build(depth_map(disparity, CAMERA, DepthKind.DISPARITY))
    place(built, (size, size, size))
    for pair in (NEAR, FAR) if first_wins else (FAR, NEAR):
        scale_from_points(built, *pair, true_distance_m(pair) * 1.0)
    conversion = read_provenance(built).conversion
    assert conversion is not None and not conversion.guessed and built["depthbridge_unit"] == "m"
    # Lengths of the world: an object ten times as large holds a room a tenth of the size.
    assert conversion.scale == pytest.approx(scale * size, rel=2e-3)
    assert conversion.shift == pytest.approx(shift * size, rel=2e-3, abs=2e-3 * size)
    np.testing.assert_allclose(depth_of(built) * size, room_m().ravel(), rtol=2e-3)
    for pair in (NEAR, FAR):
        assert seen_distance(built, pair) == pytest.approx(true_distance_m(pair), rel=1e-5)


def test_measuring_the_same_points_again_replaces_the_measure() -> None:
    built = build(room(DepthKind.DISPARITY))
    scale_from_points(built, *NEAR, 99.0)
    scale_from_points(built, NEAR[1], NEAR[0], true_distance_m(NEAR))
    assert read_provenance(built).conversion.guessed
    scale_from_points(built, *FAR, true_distance_m(FAR))
    conversion = read_provenance(built).conversion
    assert (conversion.scale, conversion.shift) == (pytest.approx(SCALE, rel=1e-4), pytest.approx(SHIFT, rel=1e-3))


def test_a_scale_set_by_hand_between_two_measures_does_no_harm() -> None:
    built = build(room(DepthKind.DISPARITY))
    scale_from_points(built, *NEAR, true_distance_m(NEAR))
    set_input(carrier_modifier(built), "Scale", 0.37)
    scale_from_points(built, *FAR, true_distance_m(FAR))
    assert get_input(carrier_modifier(built), "Scale") == 1.0
    np.testing.assert_allclose(depth_of(built), room_m().ravel(), rtol=1e-4)


def test_the_cuts_stay_at_the_same_places_of_the_picture() -> None:
    built = build(room(DepthKind.DISPARITY))
    modifier = carrier_modifier(built)
    set_input(modifier, "Scale", 3.0)
    shown = depth_of(built)
    set_input(modifier, "Depth Max", float(np.percentile(shown, 70)) * 1.0001)
    set_input(modifier, "Depth Min", float(np.percentile(shown, 10)) * 1.0001)
    cut = len(evaluated_mesh(built).vertices)
    scale_from_points(built, *NEAR, true_distance_m(NEAR))
    scale_from_points(built, *FAR, true_distance_m(FAR))
    assert len(evaluated_mesh(built).vertices) == cut < len(built.data.vertices)


def test_the_layer_behind_edges_is_built_anew_with_its_surface() -> None:
    built = build(room(DepthKind.DISPARITY), tear=0.1)
    add_backfill(built, prepare_backfill(prepare_again(built, options_of(built))))
    guessed = attribute(backfill_of(built).data, "depth").max()
    scale_from_floor(built, CAMERA_HEIGHT_M)
    layer = backfill_of(built)
    assert layer is not None
    wall = attribute(layer.data, "depth")
    assert wall.min() > 2.2 and wall.max() < 6.6 and abs(wall.max() - guessed) > 0.1


# ---- the floor ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pitch", [0.0, 12.0, -4.0])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chosen", [False, True])
def test_the_floor_gives_true_depth(kind: DepthKind, pitch: float, chosen: bool) -> None:
    built = build(room(kind, pitch))
    set_input(carrier_modifier(built), "Scale", 0.2)
    place(built, (3.0, 3.0, 3.0))
    rows = np.arange(CAMERA.height)[:, None] * np.ones((1, CAMERA.width))
    truth = room_m(pitch)
    down = (rows + 0.5 - CAMERA.cy) / CAMERA.fy * math.cos(math.radians(pitch)) + math.sin(math.radians(pitch))
    floor = np.flatnonzero((np.abs(truth * down - CAMERA_HEIGHT_M) < 1e-3).ravel()) if chosen else None
    scale_from_floor(built, CAMERA_HEIGHT_M, pitch, floor)
    np.testing.assert_allclose(depth_of(built) * 3.0, truth.ravel(), rtol=1e-4)
    assert built["depthbridge_unit"] == "m"


# ---- refused -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("first", "second", "true_m", "told"),
    [
        (5, 5, 1.0, "same one"),
        (0, 10**7, 1.0, "no vertex 10000000"),
        (-3, 1, 1.0, "no vertex -3"),
        (0, 1, 0.0, "positive"),
        (0, 1, -2.0, "positive"),
        (0, 1, math.nan, "positive"),
        (0, 1, math.inf, "positive"),
    ],
)
def test_bad_measures_are_refused_and_change_nothing(kind: DepthKind, first: int, second: int, true_m: float, told: str) -> None:
    built = build(room(kind))
    before = state(built)
    with pytest.raises(DepthbridgeError, match=told):
        scale_from_points(built, first, second, true_m)
    assert state(built) == before


def test_sky_has_no_distance() -> None:
    depth = room(DepthKind.METRIC)
    sky = np.zeros(depth.values.shape, dtype=np.float32)
    sky[:15] = 1.0
    built = build(replace(depth, sky=sky, valid=depth.valid & (sky < 0.3)))
    before = state(built)
    with pytest.raises(DepthbridgeError, match="sky"):
        scale_from_points(built, pixel(2, 2), pixel(60, 20), 3.0)
    assert state(built) == before
    scale_from_points(built, pixel(20, 2), pixel(60, 20), 3.0)


def test_measures_that_contradict_each_other_are_refused_and_the_first_one_stays() -> None:
    built = build(room(DepthKind.DISPARITY))
    scale_from_points(built, *NEAR, true_distance_m(NEAR))
    before = state(built)
    with pytest.raises(DepthbridgeError, match="No scale and shift"):
        scale_from_points(built, *FAR, true_distance_m(NEAR) / 50)
    assert state(built) == before
    scale_from_points(built, *FAR, true_distance_m(FAR))
    np.testing.assert_allclose(depth_of(built), room_m().ravel(), rtol=1e-4)


def test_a_stretched_object_cannot_tell_disparity() -> None:
    built = build(room(DepthKind.DISPARITY))
    place(built, (1.0, 2.0, 1.0))
    before = state(built)
    for attempt in (lambda: scale_from_points(built, *NEAR, 2.0), lambda: scale_from_floor(built, 1.5)):
        with pytest.raises(DepthbridgeError, match="stretched"):
            attempt()
    assert state(built) == before


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("height", "pitch", "told"), [(0.0, 0.0, "positive"), (math.nan, 0.0, "positive"), (1.5, 90.0, "pitched"), (1.5, -60.0, "pitch")])
def test_a_floor_that_cannot_be_is_refused(kind: DepthKind, height: float, pitch: float, told: str) -> None:
    built = build(room(kind))
    before = state(built)
    with pytest.raises(DepthbridgeError, match=told):
        scale_from_floor(built, height, pitch)
    assert state(built) == before


@pytest.mark.parametrize("kind", KINDS)
def test_a_wall_is_no_floor(kind: DepthKind) -> None:
    wall = np.random.default_rng(3).uniform(1, 6, (CAMERA.height, CAMERA.width)).astype(np.float32)
    built = build(depth_map(wall, CAMERA, kind))
    before = state(built)
    with pytest.raises(DepthbridgeError, match="floor"):
        scale_from_floor(built, 1.5)
    assert state(built) == before


def test_a_relief_has_no_lengths() -> None:
    built = build(room(DepthKind.METRIC), as_=BuildAs.RELIEF)
    before = state(built)
    with pytest.raises(DepthbridgeError, match="relief"):
        scale_from_points(built, *NEAR, 2.0)
    assert state(built) == before


# ---- what is known without evaluating ----------------------------------------------------------------------------------


def test_what_is_reckoned_is_what_is_evaluated() -> None:
    depth = room(DepthKind.METRIC)
    rng = np.random.default_rng(2)
    sky = rng.random(depth.values.shape).astype(np.float32)
    confidence = rng.uniform(0, 5, depth.values.shape).astype(np.float32)
    built = build(replace(depth, sky=sky, confidence=confidence, valid=depth.valid & (sky < 0.3)), as_=BuildAs.POINTS)
    modifier = carrier_modifier(built)
    for name, value in {"Scale": 1.7, "Sky Distance": 8.0, "Sky Cut": 0.8, "Confidence Cut": 1.0, "Depth Min": 3.0, "Depth Max": 9.0}.items():
        set_input(modifier, name, value)
    shape = LiveShape.of(built)
    expected = shape.positions()[~shape.cut()]
    np.testing.assert_allclose(attribute(apply_points(built).data, "position"), expected, rtol=1e-6)
