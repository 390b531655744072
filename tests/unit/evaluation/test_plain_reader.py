# SPDX-License-Identifier: Apache-2.0
"""A plain folder: which files belong together, what the numbers of depth are, where the camera comes from, pictures and depth of two sizes."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from depthbridge.cli.evaluation.datasets.plain import PlainFolder
from depthbridge.cli.evaluation.samples import DatasetError, Sample
from depthbridge.engines import CameraIntrinsics, DepthMap
from depthbridge.engines.errors import CameraError, DepthbridgeError
from depthbridge.engines.export.png16 import write_png16
from support.captures import write_exr
from support.datasets import is_two_colours, save_picture, save_uint16, write_plain

HEIGHT, WIDTH = 12, 16


def steps() -> np.ndarray:
    """Another number in every pixel, the first none."""
    return np.arange(HEIGHT * WIDTH, dtype=np.uint16).reshape(HEIGHT, WIDTH) * 40


def only(folder: Path) -> Sample:
    data = PlainFolder.open(folder)
    assert len(data.names()) == 1
    return data.load(data.names()[0])


# ---- depth ----------------------------------------------------------------------------------------------------------


def test_sixteen_bits_are_millimetres_unless_the_folder_says_otherwise(tmp_path: Path) -> None:
    write_plain(tmp_path, steps())
    sample = only(tmp_path)
    np.testing.assert_allclose(sample.depth_m, steps() / 1000, rtol=1e-6)
    assert np.array_equal(sample.counted, steps() > 0) and is_two_colours(sample.rgb) and sample.intrinsics is None
    write_plain(tmp_path, steps(), {"depth_unit_m": 0.0002})
    np.testing.assert_allclose(only(tmp_path).depth_m, steps() / 5000, rtol=1e-6)
    assert "0.0002 m a step" in PlainFolder.open(tmp_path).protocol


@pytest.mark.parametrize("suffix", [".exr", ".npy", ".npz", ".tif"])
def test_floats_are_metres_and_what_is_none_does_not_count(tmp_path: Path, suffix: str) -> None:
    depth = steps().astype(np.float32) / 100
    depth[1, :4] = (math.nan, math.inf, -1, 0)
    save_picture(tmp_path / "a.png", HEIGHT, WIDTH)
    path = tmp_path / f"a_depth{suffix}"
    if suffix == ".exr":
        write_exr(path, depth)
    elif suffix == ".tif":
        assert cv2.imwrite(str(path), depth)
    else:
        (np.save if suffix == ".npy" else np.savez)(path, depth)
    sample = only(tmp_path)
    expected = np.where(np.isfinite(depth) & (depth > 0), depth, 0)
    np.testing.assert_array_equal(sample.depth_m, expected)
    np.testing.assert_array_equal(sample.counted, expected > 0)


def test_a_map_of_this_project_is_what_its_sidecar_says(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.png", HEIGHT, WIDTH)
    depth = (steps() + 100).astype(np.float32) / 100
    camera = CameraIntrinsics.assumed(WIDTH, HEIGHT)
    write_png16(tmp_path / "a_depth.png", DepthMap.exact(depth, camera, "x"))
    np.testing.assert_allclose(only(tmp_path).depth_m, depth, rtol=1e-3)


def test_ray_distances_are_made_planar_with_the_camera(tmp_path: Path) -> None:
    facts = {"fx": 10.0, "fy": 12.0, "cx": 7.0, "cy": 5.0, "depth_along": "ray"}
    distance = np.array(
        [[2000 * math.hypot(1, (column + 0.5 - 7) / 10, (row + 0.5 - 5) / 12) for column in range(WIDTH)] for row in range(HEIGHT)]
    )
    write_plain(tmp_path, np.rint(distance), facts)
    np.testing.assert_allclose(only(tmp_path).depth_m, 2.0, atol=6e-4)
    write_plain(tmp_path, np.rint(distance), {"depth_along": "ray"})
    with pytest.raises(DatasetError, match="its depth is along the ray"):
        only(tmp_path)


def test_limits_of_the_folder_decide_what_counts(tmp_path: Path) -> None:
    write_plain(tmp_path, steps(), {"nearest_m": 1.0, "farthest_m": 3.0})
    np.testing.assert_array_equal(only(tmp_path).counted, (steps() > 1000) & (steps() <= 3000))


@pytest.mark.parametrize(
    ("dtype", "channels", "said"), [(np.uint8, 1, "uint8 pixels"), (np.uint8, 3, "of 3 channels"), (np.uint16, 3, "uint16 pixels of 3 channels")]
)
def test_pictures_of_depth_are_no_truth(tmp_path: Path, dtype: Any, channels: int, said: str) -> None:
    save_picture(tmp_path / "a.png", HEIGHT, WIDTH)
    assert cv2.imwrite(str(tmp_path / "a_depth.png"), np.full((HEIGHT, WIDTH, channels), 9, dtype))
    with pytest.raises(DatasetError, match=rf"a_depth\.png has .*{said}; save true depth as grey with 16 bits"):
        only(tmp_path)


def test_disparity_is_no_truth(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.png", HEIGHT, WIDTH)
    np.savez(tmp_path / "a_depth.npz", disparity=np.ones((HEIGHT, WIDTH), np.float32))
    with pytest.raises(DatasetError, match=r"a_depth\.npz holds disparity and no metres"):
        only(tmp_path)


# ---- sky ------------------------------------------------------------------------------------------------------------


def test_sky_is_a_mask_and_never_counts(tmp_path: Path) -> None:
    write_plain(tmp_path, steps() + 1)
    sky = np.zeros((HEIGHT, WIDTH), np.uint8)
    sky[:3] = 255
    (tmp_path / "sky").mkdir()
    Image.fromarray(sky).save(tmp_path / "sky/0001.png")
    sample = only(tmp_path)
    assert sample.sky is not None and np.array_equal(sample.sky, sky > 0) and np.array_equal(sample.counted, sky == 0)
    assert not sample.depth_m[:3].any()


# ---- cameras --------------------------------------------------------------------------------------------------------


def test_a_camera_beside_the_picture_goes_before_that_of_all(tmp_path: Path) -> None:
    write_plain(tmp_path, steps(), {"fx": 20.0})
    save_picture(tmp_path / "rgb/0002.jpg", HEIGHT, WIDTH)
    save_uint16(tmp_path / "depth/0002.png", steps())
    (tmp_path / "rgb/0002.json").write_text(json.dumps({"fov_vertical": 90, "width": WIDTH, "height": HEIGHT}))
    data = PlainFolder.open(tmp_path)
    first, second = data.load("0001").intrinsics, data.load("0002").intrinsics
    assert first == CameraIntrinsics(20, 20, WIDTH / 2, HEIGHT / 2, WIDTH, HEIGHT)
    assert second is not None and second.fx == pytest.approx(HEIGHT / 2)


def test_exif_stands_in(tmp_path: Path) -> None:
    write_plain(tmp_path, steps())
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 36  # focal length in 35 mm film: as wide as high
    Image.open(tmp_path / "rgb/0001.jpg").save(tmp_path / "rgb/0001.jpg", exif=exif)
    assert only(tmp_path).intrinsics is not None


def test_a_camera_of_another_size_or_none_at_all_is_told(tmp_path: Path) -> None:
    write_plain(tmp_path, steps(), {"fx": 20.0, "width": 32, "height": 24})
    with pytest.raises(DatasetError, match="the camera is of 32x24 pixels, the picture of 16x12"):
        only(tmp_path)
    write_plain(tmp_path, steps(), {"fx": -20.0})
    with pytest.raises(CameraError, match=r"camera\.json: .*fx"):
        only(tmp_path)


@pytest.mark.parametrize(
    "facts", [{"depth_unit_m": 0}, {"depth_unit_m": "mm"}, {"nearest_m": True}, {"farthest_m": math.nan}, {"depth_along": "z"}, {"nearest_m": 3, "farthest_m": 2}]
)
def test_facts_that_are_none_are_told_at_once(tmp_path: Path, facts: dict[str, Any]) -> None:
    write_plain(tmp_path, steps(), facts)
    with pytest.raises(DatasetError, match=r"camera\.json"):
        PlainFolder.open(tmp_path)


# ---- which files belong together ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("picture", "depth", "name"),
    [
        ("rgb/a/1.jpg", "depth/a/1.png", "a/1"),
        ("images/1.png", "gt/1.png", "1"),
        ("image/1_rgb.png", "depth/1_depth.png", "1"),
        ("1.png", "1_depth.png", "1"),
        ("1_rgb.png", "1-depth.png", "1"),
        ("frame.0001.color.jpg", "frame.0001.depth.png", "frame.0001"),
        ("X.PNG", "X_DEPTH.PNG", "X"),
    ],
)
def test_pictures_and_depth_are_paired_by_name(tmp_path: Path, picture: str, depth: str, name: str) -> None:
    save_picture(tmp_path / picture, HEIGHT, WIDTH)
    save_uint16(tmp_path / depth, steps() + 7)
    data = PlainFolder.open(tmp_path)
    assert data.names() == (name,)
    sample = data.load(name)
    assert is_two_colours(sample.rgb) and sample.depth_m[0, 0] == pytest.approx(0.007)


def test_pictures_without_depth_are_counted_and_doubles_are_told(tmp_path: Path) -> None:
    write_plain(tmp_path, steps())
    save_picture(tmp_path / "rgb/0002.jpg", HEIGHT, WIDTH)
    data = PlainFolder.open(tmp_path)
    assert data.names() == ("0001",) and "1 without left out" in data.protocol
    save_picture(tmp_path / "rgb/0001.png", HEIGHT, WIDTH)
    with pytest.raises(DatasetError, match=r"0001\.png is a second file for 0001"):
        PlainFolder.open(tmp_path)


# ---- sizes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [2, 3, 0.5])
def test_depth_of_another_size_is_that_of_the_nearest_pixel_and_a_note_says_so(tmp_path: Path, factor: float) -> None:
    height, width = int(HEIGHT * factor), int(WIDTH * factor)
    save_picture(tmp_path / "a.png", height, width)
    save_uint16(tmp_path / "a_depth.png", steps())
    sample = only(tmp_path)
    rows = np.minimum(((np.arange(height) + 0.5) / factor).astype(int), HEIGHT - 1)
    columns = np.minimum(((np.arange(width) + 0.5) / factor).astype(int), WIDTH - 1)
    np.testing.assert_allclose(sample.depth_m, steps()[rows][:, columns] / 1000, rtol=1e-6)
    assert sample.notes == (f"its depth is 16x12 and the picture {width}x{height}: true depth is that of the nearest pixel",)


def test_another_shape_is_refused(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.png", HEIGHT * 2, WIDTH * 3)
    save_uint16(tmp_path / "a_depth.png", steps())
    with pytest.raises(DepthbridgeError, match="its picture is 48x24 and its depth 16x12, another shape"):
        only(tmp_path)
