# SPDX-License-Identifier: Apache-2.0
"""KITTI and Virtual KITTI 2: steps of 1/256 m and of 1 cm, Garg's crop, Eigen's list, sky, cameras whose pixel centres count from 0."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from depthbridge.cli.evaluation.datasets.kitti import KittiEigen
from depthbridge.cli.evaluation.datasets.kitti_eigen import eigen_test_frames
from depthbridge.cli.evaluation.datasets.kitti_selection import KittiSelection
from depthbridge.cli.evaluation.datasets.vkitti import VirtualKitti2
from depthbridge.cli.evaluation.samples import DatasetError
from support.datasets import is_two_colours, save_picture, write_kitti, write_kitti_selection, write_vkitti

DRIVE = "2011_09_26_drive_0002_sync"


def steps(height: int = 375, width: int = 1242, value: int = 2560) -> np.ndarray:
    return np.full((height, width), value, np.uint16)


def test_eigens_list_is_that_of_the_benchmark() -> None:
    listed = eigen_test_frames()
    assert len(listed) == len(set(listed)) == 652
    # The published file has a line "2011_09_26/2011_09_26_drive_0002_sync 69 l" for each, 28,471 characters in all.
    assert sum(len(f"{drive[:10]}/{drive} {frame} l\n") for drive, frame in listed) == 28471
    # Of those lines, sorted: another frame of as many digits would keep the length.
    lines = "".join(sorted(f"{drive[:10]}/{drive} {frame} l\n" for drive, frame in listed))
    assert hashlib.sha256(lines.encode()).hexdigest() == "048373a901ac64dd09b204f580924777300304f8becaa246c64a7558c5cac2ff"
    assert {(DRIVE, 69), ("2011_09_26_drive_0009_sync", 196), ("2011_10_03_drive_0047_sync", 768), ("2011_09_30_drive_0018_sync", 2740)} <= set(listed)


@pytest.mark.parametrize(("raw", "depth"), [("", ""), ("raw_data", "data_depth_annotated")])
def test_eigens_pictures_of_both_parts_are_found_and_no_others(tmp_path: Path, raw: str, depth: str) -> None:
    write_kitti(tmp_path, DRIVE, 69, steps(), "val", raw, depth)
    write_kitti(tmp_path, DRIVE, 68, steps(), "val", raw, depth)
    write_kitti(tmp_path, "2011_09_26_drive_0009_sync", 196, steps(), "train", raw, depth)
    data = KittiEigen.open(tmp_path)
    assert data.names() == (f"{DRIVE}/0000000069", "2011_09_26_drive_0009_sync/0000000196")
    assert "2 of the 652" in data.protocol and data.clamp_m == (1e-3, 80.0)
    assert is_two_colours(data.load(data.names()[1]).rgb)


def test_depth_is_in_steps_of_a_256th_metre_and_counts_within_gargs_crop(tmp_path: Path) -> None:
    stored = steps()
    stored[200, 600], stored[200, 601], stored[200, 602], stored[200, 603] = 0, 80 * 256, 80 * 256 - 1, 1
    write_kitti(tmp_path, DRIVE, 69, stored)
    sample = KittiEigen.open(tmp_path).load(f"{DRIVE}/0000000069")
    assert sample.depth_m[0, 0] == 10.0 and sample.depth_m[200, 602] == pytest.approx(79.99609375)
    # Rows 153 to 370 and columns 44 to 1196: what the fractions of Garg et al. are of 375x1242.
    expected = np.zeros((375, 1242), bool)
    expected[153:371, 44:1197] = True
    expected[200, [600, 601]] = False
    np.testing.assert_array_equal(sample.counted, expected)
    assert sample.sky is None


def test_the_camera_is_that_of_the_rectified_left_colour_pictures(tmp_path: Path) -> None:
    write_kitti(tmp_path, DRIVE, 69, steps())
    data = KittiEigen.open(tmp_path)
    camera = data.load(f"{DRIVE}/0000000069").intrinsics
    assert camera is not None and (camera.width, camera.height) == (1242, 375)
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == pytest.approx((721.5377, 721.5377, 609.5593 + 0.5, 172.854 + 0.5))
    (tmp_path / "2011_09_26/calib_cam_to_cam.txt").unlink()
    sample = data.load(f"{DRIVE}/0000000069")
    assert sample.intrinsics is None and "calib_cam_to_cam.txt" in sample.notes[0]


def test_a_picture_that_is_missing_is_named(tmp_path: Path) -> None:
    write_kitti(tmp_path, DRIVE, 69, steps())
    picture = tmp_path / f"2011_09_26/{DRIVE}/image_02/data/0000000069.png"
    picture.unlink()
    with pytest.raises(DatasetError, match=r"image_02/data/0000000069\.png is missing"):
        KittiEigen.open(tmp_path).load(f"{DRIVE}/0000000069")


def test_the_selected_pictures_count_wherever_there_is_depth(tmp_path: Path) -> None:
    stored = steps(40, 60, 25600)
    stored[3, 4] = 0
    write_kitti_selection(tmp_path, stored)
    for place in ("", "depth_selection", "depth_selection/val_selection_cropped"):
        data = KittiSelection.open(tmp_path / place)
        assert data.names() == (f"{DRIVE}_image_0000000005_image_02",)
        sample = data.load(data.names()[0])
        assert sample.depth_m[0, 0] == 100.0 and np.array_equal(sample.counted, stored > 0) and is_two_colours(sample.rgb)
        assert sample.intrinsics is not None and sample.intrinsics.cx == 30.75 and sample.intrinsics.fy == 720.5


# ---- Virtual KITTI 2 ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("archives", [False, True])
def test_virtual_kitti_is_in_centimetres_and_65535_is_sky(tmp_path: Path, archives: bool) -> None:
    stored = np.full((12, 16), 1234, np.uint16)
    stored[0, :5] = (65535, 8000, 8001, 0, 65534)
    write_vkitti(tmp_path, stored, archives=archives)
    data = VirtualKitti2.open(tmp_path)
    assert data.names() == ("Scene01/clone/Camera_0/00000",) and data.clamp_m is None
    sample = data.load(data.names()[0])
    assert is_two_colours(sample.rgb)
    np.testing.assert_allclose(sample.depth_m[0, :6], (0, 80, 80.01, 0, 655.34, 12.34), rtol=1e-6)
    assert sample.counted[0, :6].tolist() == [False, True, False, False, False, True] and sample.counted[1:].all()
    assert sample.sky is not None and np.argwhere(sample.sky).tolist() == [[0, 0]]


def test_virtual_kittis_camera_is_that_of_the_frame_and_camera(tmp_path: Path) -> None:
    stored = np.full((12, 16), 500, np.uint16)
    write_vkitti(tmp_path, stored, "Scene20/15-deg-left", 3, 1)
    data = VirtualKitti2.open(tmp_path)
    assert data.names() == ("Scene20/15-deg-left/Camera_1/00003",)
    camera = data.load(data.names()[0]).intrinsics
    assert camera is not None and (camera.fx, camera.fy) == pytest.approx((728.0087, 727.0087)) and (camera.cx, camera.cy) == (621, 187.5)
    (tmp_path / "Scene20/15-deg-left/intrinsic.txt").unlink()
    assert VirtualKitti2.open(tmp_path).load(data.names()[0]).intrinsics is None


def test_the_sky_of_the_class_segmentation_is_left_out_too(tmp_path: Path) -> None:
    write_vkitti(tmp_path, np.full((12, 16), 500, np.uint16))
    path = save_picture(tmp_path / "Scene01/clone/frames/classSegmentation/Camera_0/classgt_00000.png", 12, 16)
    from PIL import Image

    classes = np.zeros((12, 16, 3), np.uint8)
    classes[2, 3], classes[2, 4] = (90, 200, 255), (255, 200, 90)
    Image.fromarray(classes).save(path)
    sample = VirtualKitti2.open(tmp_path).load("Scene01/clone/Camera_0/00000")
    assert sample.sky is not None and np.argwhere(sample.sky).tolist() == [[2, 3]]
    assert np.argwhere(~sample.counted).tolist() == [[2, 3]] and sample.depth_m[2, 3] == 0
