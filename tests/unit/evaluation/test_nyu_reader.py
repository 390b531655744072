# SPDX-License-Identifier: Apache-2.0
"""NYU Depth v2: MATLAB's axes, the test split, Eigen's crop, one picture in memory at a time."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from depthbridge.cli.evaluation.datasets.nyu import NyuDepthV2
from depthbridge.cli.evaluation.samples import DatasetError
from support.datasets import is_two_colours, write_nyu


def ramp() -> np.ndarray:
    """Another depth in every pixel, so that a map that is turned or mirrored is told."""
    return np.linspace(1, 9, 480 * 640, dtype=np.float32).reshape(480, 640)


def test_the_test_split_is_read_upright_in_metres_with_raw_depth(tmp_path: Path) -> None:
    depth = ramp()
    depth[100, 200] = 0
    write_nyu(tmp_path, {2: depth, 4: depth * 0.5}, test=[4, 2])
    data = NyuDepthV2.open(tmp_path)
    assert data.names() == ("0002", "0004")
    first, second = data.load("0002"), data.load("0004")
    assert is_two_colours(first.rgb) and first.rgb.shape == (480, 640, 3)
    np.testing.assert_array_equal(first.depth_m, depth)
    np.testing.assert_array_equal(second.depth_m, depth * 0.5)
    assert not first.counted[100, 200] and first.sky is None


def test_the_file_itself_may_be_given(tmp_path: Path) -> None:
    write_nyu(tmp_path, {1: ramp()}, test=[1])
    assert NyuDepthV2.open(tmp_path / "nyu_depth_v2_labeled.mat").names() == ("0001",)


def test_what_counts_is_eigens_crop_and_below_ten_metres(tmp_path: Path) -> None:
    depth = ramp()
    depth[200, 300], depth[200, 301], depth[200, 302] = 10.0, 9.9995, 0.001
    write_nyu(tmp_path, {1: depth}, test=[1])
    data = NyuDepthV2.open(tmp_path)
    counted = data.load("0001").counted
    expected = np.zeros((480, 640), bool)
    expected[45:471, 41:601] = True
    expected[200, [300, 302]] = False
    np.testing.assert_array_equal(counted, expected)
    assert data.clamp_m == (1e-3, 10.0)


def test_the_camera_is_the_toolboxs_whose_pixels_count_from_one(tmp_path: Path) -> None:
    write_nyu(tmp_path, {1: ramp()}, test=[1])
    camera = NyuDepthV2.open(tmp_path).load("0001").intrinsics
    assert camera is not None
    # rgb_plane2rgb_world.m: x = (column - cx) / fx, columns from 1; the centre of the first pixel lies at 0.5 here.
    assert camera.ray_directions()[9, 19, 0] == pytest.approx((20 - 325.58244941119034) / 518.85790117450188, abs=1e-6)
    assert camera.ray_directions()[9, 19, 1] == pytest.approx((10 - 253.73616633400465) / 519.46961112127485, abs=1e-6)


def test_a_data_set_of_full_size_is_never_held(tmp_path: Path) -> None:
    write_nyu(tmp_path, {700: ramp()}, test=[700, 1449], count=1449)
    tracemalloc.start()
    try:
        data = NyuDepthV2.open(tmp_path)
        data.load("0700")
        assert tracemalloc.get_traced_memory()[1] < 40e6  # of 3.1 GB in whole arrays
    finally:
        tracemalloc.stop()


def test_a_split_that_is_missing_or_another_sets_is_told(tmp_path: Path) -> None:
    write_nyu(tmp_path, {1: ramp()}, test=[1])
    scipy.io.savemat(tmp_path / "splits.mat", {"testNdxs": np.array([[9]])})
    with pytest.raises(DatasetError, match=r"splits\.mat lists pictures that .* with its 5 does not have"):
        NyuDepthV2.open(tmp_path)
    scipy.io.savemat(tmp_path / "splits.mat", {"other": np.array([[1]])})
    with pytest.raises(DatasetError, match=r"splits\.mat has no variable testNdxs"):
        NyuDepthV2.open(tmp_path)
    (tmp_path / "splits.mat").unlink()
    with pytest.raises(DatasetError, match=r"splits\.mat is missing"):
        NyuDepthV2.open(tmp_path)
