# SPDX-License-Identifier: Apache-2.0
"""Nothing is done to a map that its kind does not allow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depthbridge.engines.camera import CameraIntrinsics, CameraSource
from depthbridge.engines.depth_map import DepthKind, DepthMap
from depthbridge.engines.errors import DepthKindError
from depthbridge.engines.grid_mesh import build_grid_mesh, stride_for


def make(values: np.ndarray, kind: DepthKind = DepthKind.METRIC, camera: CameraIntrinsics | None = None) -> DepthMap:
    values = np.asarray(values, np.float32)
    return DepthMap(values, kind, values > 0, None, None, camera, "test", CameraSource.GIVEN if camera else CameraSource.NONE)


CAMERA = CameraIntrinsics(50, 60, 4.2, 2.9, 8, 6)
PLANE = np.linspace(1, 4, 48).reshape(6, 8)


def test_disparity_is_never_unprojected() -> None:
    depth = make(PLANE, DepthKind.DISPARITY, CAMERA)
    for refused in (depth.points, depth.range_values, lambda: build_grid_mesh(depth, np.zeros((6, 8, 3), np.uint8))):
        with pytest.raises(DepthKindError, match=r"to_metric|depth and a camera"):
            refused()


@given(st.floats(0.01, 100), st.floats(-0.2, 0.5))
def test_disparity_to_metres_is_the_upstream_relation(scale: float, shift: float) -> None:
    metric = make(PLANE, DepthKind.DISPARITY).to_metric(scale, shift)
    # From the float32 values that the map holds: near zero the sum cancels, and their rounding would show.
    inverse = scale * PLANE.astype(np.float32).astype(np.float64) + shift
    assert metric.kind is DepthKind.METRIC
    seen = metric.valid
    assert (seen <= (inverse > 0)).all()
    assert metric.values[seen] == pytest.approx(1 / inverse[seen], rel=1e-5)


def test_depth_takes_a_scale_but_no_shift() -> None:
    assert make(PLANE, DepthKind.RELATIVE).to_metric(2.5).values == pytest.approx(PLANE * 2.5)
    with pytest.raises(DepthKindError, match="shift"):
        make(PLANE, DepthKind.RELATIVE).to_metric(1, 0.1)
    for scale in (0, -1, np.nan, np.inf):
        with pytest.raises(DepthKindError, match="scale"):
            make(PLANE).to_metric(scale)


def test_points_project_back_and_invalid_ones_are_nan() -> None:
    values = PLANE.copy()
    values[2, 3] = 0
    points = make(values, camera=CAMERA).points()
    assert np.isnan(points[2, 3]).all()
    rows, columns = np.nonzero(values > 0)
    assert CAMERA.project(points[rows, columns]) == pytest.approx(np.stack([columns + 0.5, rows + 0.5], -1), abs=1e-4)
    assert points[..., 2][values > 0] == pytest.approx(values[values > 0])


def test_range_is_the_length_of_the_point() -> None:
    depth = make(PLANE, camera=CAMERA)
    assert depth.range_values() == pytest.approx(np.linalg.norm(depth.points(), axis=-1), rel=1e-5)


def test_samples_are_the_containing_pixel() -> None:
    depth = make(PLANE)
    assert depth.sample([0.0, 7.99, 3.5], [0.0, 5.99, 2.5]) == pytest.approx([PLANE[0, 0], PLANE[5, 7], PLANE[2, 3]])
    assert np.isnan(depth.sample([-0.01, 8.0], [0.0, 3.0])).all()


def test_grid_faces_the_camera_and_carries_its_pixels() -> None:
    image = np.random.default_rng(0).integers(0, 255, (6, 8, 3), np.uint8)
    mesh = build_grid_mesh(make(np.full((6, 8), 2.0), camera=CAMERA), image)
    assert mesh.vertices.shape == (48, 3)
    assert mesh.faces.shape == (35, 4)
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    # The camera looks along +z: a face that looks back at it has a negative z normal.
    assert (np.cross(b - a, c - a)[:, 2] < 0).all()
    assert (mesh.colors == image.reshape(-1, 3)[mesh.pixels]).all()
    assert mesh.uv == pytest.approx(np.stack([(mesh.pixels % 8 + 0.5) / 8, 1 - (mesh.pixels // 8 + 0.5) / 6], -1))


def test_grid_tears_where_two_surfaces_meet_and_skips_what_is_not_there() -> None:
    values = np.full((6, 8), 1.0)
    values[:, 4:] = 2.0
    values[0, 0] = 0
    depth = make(values, camera=CAMERA)
    torn = build_grid_mesh(depth, np.zeros((6, 8, 3), np.uint8), tear_above=0.1)
    whole = build_grid_mesh(depth, np.zeros((6, 8, 3), np.uint8))
    assert (len(whole.faces), len(torn.faces), len(torn.vertices)) == (34, 29, 47)
    assert whole.tear.max() == pytest.approx(1.0)


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 100_000))
def test_stride_keeps_the_promise(width: int, height: int, most: int) -> None:
    stride = stride_for(width, height, most)
    count = len(range(stride // 2, max(width, stride // 2 + 1), stride)) * len(range(stride // 2, max(height, stride // 2 + 1), stride))
    assert count <= max(most, 1)


def test_layers_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="sky"):
        replace(make(PLANE), sky=np.zeros((3, 3), np.float32))
