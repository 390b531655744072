# SPDX-License-Identifier: Apache-2.0
"""SUN RGB-D: millimetres in turned bits, the toolbox's end of 8 m, its split, its cameras whose pixels count from 1."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depthbridge.cli.evaluation.datasets.sunrgbd import SunRgbd, metres_of_turned
from depthbridge.cli.evaluation.samples import DatasetError
from support.datasets import is_two_colours, write_sun, write_sun_split

NAME = "kv2/kinect2data/000002_2014-05-26"


def millimetres() -> np.ndarray:
    values = np.full((10, 14), 1500)
    values[0, :6] = (0, 1, 7999, 8000, 8200, 60001)
    return values


@pytest.mark.parametrize("given_folder", ["", "SUNRGBD"])
def test_depth_is_turned_back_to_millimetres_and_ends_at_eight_metres(tmp_path: Path, given_folder: str) -> None:
    write_sun(tmp_path, millimetres())
    for left in ("Thumbs.db", "._0000103.jpg"):  # what systems leave beside pictures
        (tmp_path / "SUNRGBD" / NAME / "image" / left).write_bytes(b"left")
    data = SunRgbd.open(tmp_path / given_folder)
    assert data.names() == (NAME,)
    sample = data.load(NAME)
    np.testing.assert_allclose(sample.depth_m[0, :7], (0, 0.001, 7.999, 8.0, 8.2, 60.001, 1.5), rtol=1e-6)
    # 8.2 m with its upper bits lost would be 8 mm.
    assert sample.counted[0, :7].tolist() == [False, True, True, False, False, False, True] and sample.counted[1:].all()
    assert is_two_colours(sample.rgb) and sample.sky is None and not sample.notes and data.clamp_m == (1e-3, 8.0)


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=30))
def test_any_number_of_millimetres_comes_back(values: list[int]) -> None:
    stored = np.array([[((value * 8) % 65536) + value // 8192 for value in values]], np.uint16)
    np.testing.assert_array_equal(metres_of_turned(stored), np.array([values], np.float32) / np.float32(1000))


def test_the_camera_counts_pixels_from_one(tmp_path: Path) -> None:
    write_sun(tmp_path, millimetres())
    camera = SunRgbd.open(tmp_path).load(NAME).intrinsics
    assert camera is not None and (camera.fx, camera.fy, camera.cx, camera.cy) == (529.5, 528.5, 364.5, 264.5)


def test_the_toolboxs_split_chooses(tmp_path: Path) -> None:
    other = "xtion/sun3ddata/brown_bm_1/brown_bm_1/0000103-000003465373"
    write_sun(tmp_path, millimetres())
    write_sun(tmp_path, millimetres(), other)
    assert SunRgbd.open(tmp_path).names() == (NAME, other)
    write_sun_split(tmp_path, [other, "kv1/NYUdata/NYU0001"])
    data = SunRgbd.open(tmp_path)
    assert data.names() == (other,) and "1 of the 2 pictures of alltest" in data.protocol
    assert SunRgbd.open(tmp_path / "SUNRGBD").names() == (other,)


def test_smoothed_depth_stands_in_and_says_so(tmp_path: Path) -> None:
    write_sun(tmp_path, millimetres(), depth="depth_bfx")
    sample = SunRgbd.open(tmp_path).load(NAME)
    assert sample.depth_m[5, 5] == 1.5 and "depth_bfx" in sample.notes[0]
    write_sun(tmp_path, millimetres() * 2)
    both = SunRgbd.open(tmp_path).load(NAME)
    assert both.depth_m[5, 5] == 3.0 and not both.notes


def test_a_folder_without_picture_and_numbers_that_are_none_are_told(tmp_path: Path) -> None:
    write_sun(tmp_path, millimetres())
    data = SunRgbd.open(tmp_path)
    table = tmp_path / "SUNRGBD" / NAME / "intrinsics.txt"
    table.write_text("529.5 0 365")
    with pytest.raises(DatasetError, match=r"intrinsics\.txt holds 3 numbers, 9 were expected"):
        data.load(NAME)
    table.write_text("a b c")
    with pytest.raises(DatasetError, match=r"intrinsics\.txt holds something else than numbers"):
        data.load(NAME)
    (tmp_path / "SUNRGBD" / NAME / "image/0000103.jpg").unlink()
    with pytest.raises(DatasetError, match="has not one file each in image and in depth"):
        data.load(NAME)
