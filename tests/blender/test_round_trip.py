# SPDX-License-Identifier: Apache-2.0
"""The law that the add-on stands on: unproject a depth map, build it, look through the matched camera, and Cycles sees that depth again."""

from __future__ import annotations

import bpy
import numpy as np
import numpy.typing as npt
import pytest

from depthbridge.addon.camera import match_render, set_intrinsics
from depthbridge.addon.options import BuildAs, BuildOptions
from depthbridge.addon.samples.truth import render_depth
from depthbridge.addon.scene import build_scene
from depthbridge.engines.camera import CameraIntrinsics
from depthbridge.engines.depth_map import DepthKind
from support.known_depth import CAMERAS, depth_map, picture, wavy_depth


def relative_error(seen: npt.NDArray[np.float32], true: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    hit = seen > 0
    return np.abs(seen[hit] - true[hit]) / true[hit]


@pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS.keys())
def test_cycles_sees_the_depth_it_was_built_from(camera: CameraIntrinsics) -> None:
    values = wavy_depth(camera)
    build_scene(depth_map(values, camera), picture(camera.width, camera.height), BuildOptions(tear=0.1))
    seen = render_depth()
    assert seen.shape == values.shape
    error = relative_error(seen, values)
    assert np.median(error) <= 1e-5
    assert np.percentile(error, 99) <= 1e-4
    # What is not hit is the gap torn around the disc.
    assert (seen[1:-1, 1:-1] > 0).mean() > 0.97


def test_the_law_holds_after_the_built_object_is_moved_turned_and_scaled() -> None:
    camera = CAMERAS["off centre"]
    values = wavy_depth(camera, disc=False)
    built = build_scene(depth_map(values, camera), picture(camera.width, camera.height)).object
    built.location, built.rotation_euler, built.scale = (3, -2, 1), (0.3, 0.2, -1.1), (2, 2, 2)
    error = relative_error(render_depth(), values * 2)
    assert np.median(error) <= 1e-5


def test_relative_depth_keeps_its_own_unit_and_tiny_values_are_not_clipped() -> None:
    camera = CAMERAS["centred"]
    values = wavy_depth(camera) * np.float32(0.002)
    build_scene(depth_map(values, camera, DepthKind.RELATIVE), picture(camera.width, camera.height))
    seen = render_depth()
    assert np.median(relative_error(seen, values)) <= 1e-5
    assert (seen[1:-1, 1:-1] > 0).mean() > 0.97


def test_invalid_pixels_and_jumps_stay_open() -> None:
    camera = CAMERAS["off centre"]
    values = np.full((camera.height, camera.width), 2.0, dtype=np.float32)
    values[:, 80:] = 3.0
    valid = np.ones(values.shape, dtype=np.bool_)
    valid[:40] = False
    built = build_scene(depth_map(values, camera, valid=valid), picture(camera.width, camera.height))
    # Through four times as many pixels, since at the centres of the first ones a quad across the jump would show its corners only.
    finer = camera.resized(camera.width * 4, camera.height * 4)
    set_intrinsics(built.camera, finer)
    match_render(bpy.context.scene, built.camera, finer)
    seen = render_depth()
    assert not seen[: 40 * 4].any()
    surfaces = np.array([0.0, 2.0, 3.0])
    nearest = np.abs(seen[..., None] - surfaces).min(axis=-1)
    assert nearest.max() <= 1e-4, "a depth was seen that no pixel has: a quad spans the jump"
    # A torn quad is as wide as a pixel, four of these.
    assert (seen[42 * 4 : -4, 79 * 4 : 82 * 4] == 0).sum(axis=1).max() <= 4


def test_a_limit_on_vertices_thins_the_surface_and_keeps_its_depth() -> None:
    camera = CAMERAS["tall pixels"]
    values = wavy_depth(camera, disc=False)
    built = build_scene(depth_map(values, camera), picture(camera.width, camera.height), BuildOptions(max_vertices=3000))
    assert built.vertices <= 3000
    assert built.stride == 3
    seen = render_depth()
    error = np.abs(seen - values)[1:-2:3, 1:-2:3] / values[1:-2:3, 1:-2:3]
    assert np.median(error) <= 1e-5


def test_points_seen_from_their_own_camera_leave_no_gaps() -> None:
    camera = CAMERAS["tall pixels"]
    values = wavy_depth(camera, disc=False)
    build_scene(depth_map(values, camera), picture(camera.width, camera.height), BuildOptions(as_=BuildAs.POINTS))
    seen = render_depth()
    assert (seen > 0).mean() > 0.999
    # A point is a ball: its front is one radius, 0.75 pixels, nearer, and on a slope a neighbour's ball may stand before it.
    nearer = (values - seen) / (values / 150)
    assert 0.5 < np.median(nearer) < 1.5
    assert np.percentile(np.abs(nearer), 99) < 3.0
    assert bpy.context.scene.camera is not None
