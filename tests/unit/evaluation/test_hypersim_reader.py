# SPDX-License-Identifier: Apache-2.0
"""Hypersim: distances along the ray become planar depth, with the usual camera and with each scene's own; what is sky; the official split."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from depthbridge.cli.evaluation.datasets.hypersim import Hypersim
from depthbridge.cli.evaluation.samples import DatasetError
from support.datasets import (
    is_two_colours,
    save_hdf5,
    write_hypersim,
    write_hypersim_lenses,
    write_hypersim_split,
)

NAME = "ai_001_002/cam_00/0000"
HEIGHT, WIDTH = 36, 48


def distances_of_plane(depth_m: float, focal: float, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """How far every pixel of a plane square to the axis is from the camera's centre, pixel by pixel, by Pythagoras."""
    return np.array(
        [
            [
                math.hypot(depth_m, depth_m * (column + 0.5 - width / 2) / focal, depth_m * (row + 0.5 - height / 2) / focal)
                for column in range(width)
            ]
            for row in range(height)
        ],
        np.float32,
    )


def test_a_plane_square_to_the_axis_is_at_one_depth(tmp_path: Path) -> None:
    focal = 886.81 * WIDTH / 1024
    distance = distances_of_plane(2.5, focal)
    assert distance[0, 0] > 2.9  # a ray that was left as it is would show
    write_hypersim(tmp_path, distance)
    sample = Hypersim.open(tmp_path).load(NAME)
    np.testing.assert_allclose(sample.depth_m, 2.5, rtol=1e-6)
    assert is_two_colours(sample.rgb) and sample.counted.all()
    camera = sample.intrinsics
    assert camera is not None and (camera.fx, camera.fy, camera.cx, camera.cy) == pytest.approx((focal, focal, WIDTH / 2, HEIGHT / 2))


def test_what_no_surface_was_hit_at_is_sky_and_twenty_metres_are_the_end(tmp_path: Path) -> None:
    distance = distances_of_plane(5.0, 886.81 * WIDTH / 1024)
    distance[0, :3], distance[1, 0], distance[2, 0] = (math.nan, math.inf, -math.inf), 40.0, 0.0
    write_hypersim(tmp_path, distance)
    data = Hypersim.open(tmp_path)
    sample = data.load(NAME)
    assert sample.sky is not None and np.argwhere(sample.sky).tolist() == [[0, 0], [0, 1], [0, 2]]
    assert np.argwhere(~sample.counted).tolist() == [[0, 0], [0, 1], [0, 2], [1, 0], [2, 0]]
    assert np.argwhere(sample.depth_m == 0).tolist() == [[0, 0], [0, 1], [0, 2], [2, 0]]
    assert data.clamp_m is None and "0.001 to 20 m" in data.protocol


def lens_distances(lens: np.ndarray, depth_m: float) -> np.ndarray:
    """Distances of a plane at one depth under ``M_cam_from_uv``: u right and v up from -1 to 1, the camera looks along -z."""
    distance = np.empty((HEIGHT, WIDTH), np.float32)
    for row in range(HEIGHT):
        for column in range(WIDTH):
            ray = lens @ (2 * (column + 0.5) / WIDTH - 1, 1 - 2 * (row + 0.5) / HEIGHT, 1)
            distance[row, column] = depth_m * math.hypot(*ray) / -ray[2]
    return distance


SHIFTED = np.array([[0.5, 0, 0.1], [0, 0.4, 0.05], [0, 0, -1.0]])
TILTED = np.array([[0.5, 0.01, 0], [0, 0.4, 0.02], [0, -0.15, -1.0]])


@pytest.mark.parametrize("lens", [SHIFTED, TILTED], ids=["shifted", "tilted"])
def test_each_scene_has_its_own_lens_where_the_table_is_there(tmp_path: Path, lens: np.ndarray) -> None:
    write_hypersim(tmp_path, lens_distances(lens, 3.0))
    write_hypersim_lenses(tmp_path, {"ai_001_001": np.eye(3), "ai_001_002": lens})
    data = Hypersim.open(tmp_path)
    sample = data.load(NAME)
    np.testing.assert_allclose(sample.depth_m, 3.0, rtol=2e-6)
    assert "camera of each scene" in data.protocol
    assert bool(sample.notes) == (lens is TILTED)


def test_a_shifted_lens_has_its_principal_point_off_the_centre(tmp_path: Path) -> None:
    write_hypersim(tmp_path, lens_distances(SHIFTED, 3.0))
    write_hypersim_lenses(tmp_path, {"ai_001_002": SHIFTED})
    camera = Hypersim.open(tmp_path).load(NAME).intrinsics
    assert camera is not None
    # The axis is where the ray is (0, 0, -1): u = -0.1 / 0.5, v = -0.05 / 0.4 (v points up).
    expected = (WIDTH / 2 / 0.5, HEIGHT / 2 / 0.4, WIDTH / 2 * (1 - 0.2), HEIGHT / 2 * (1 + 0.125))
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == pytest.approx(expected)


def test_a_scene_that_the_table_lacks_is_told(tmp_path: Path) -> None:
    write_hypersim(tmp_path, distances_of_plane(2.0, 40))
    write_hypersim_lenses(tmp_path, {"ai_009_009": SHIFTED})
    with pytest.raises(DatasetError, match=r"metadata_camera_parameters\.csv has no scene ai_001_002"):
        Hypersim.open(tmp_path).load(NAME)


def test_the_official_split_chooses_public_pictures_of_val(tmp_path: Path) -> None:
    names = ["ai_001_002/cam_00/0000", "ai_001_002/cam_00/0001", "ai_001_002/cam_01/0000", "ai_003_010/cam_00/0000"]
    for name in names:
        write_hypersim(tmp_path, distances_of_plane(2.0, 40), name)
    assert Hypersim.open(tmp_path).names() == tuple(names)
    rows = [("ai_001_002", "cam_00", 0, True, "train"), ("ai_001_002", "cam_00", 1, True, "val"), ("ai_001_002", "cam_01", 0, False, "val")]
    write_hypersim_split(tmp_path, [*rows, ("ai_003_010", "cam_00", 0, True, "val"), ("ai_003_010", "cam_00", 7, True, "val")])
    data = Hypersim.open(tmp_path)
    assert data.names() == ("ai_001_002/cam_00/0001", "ai_003_010/cam_00/0000")
    assert '2 of the 3 pictures of the official split "val"' in data.protocol


def test_without_previews_the_picture_is_made_of_linear_light_as_its_owners_do(tmp_path: Path) -> None:
    write_hypersim(tmp_path, distances_of_plane(2.0, 40), picture="")
    light = np.full((HEIGHT, WIDTH, 3), (0.2, 0.4, 0.1), np.float16)
    light[0, 0] = 1000  # where there is no surface the brightness does not matter
    surface = np.full((HEIGHT, WIDTH), 5, np.int32)
    surface[0, 0] = -1
    images = tmp_path / "ai_001_002/images"
    save_hdf5(images / "scene_cam_00_final_hdf5/frame.0000.color.hdf5", dataset=light)
    save_hdf5(images / "scene_cam_00_geometry_hdf5/frame.0000.render_entity_id.hdf5", dataset=surface)
    rgb = Hypersim.open(tmp_path).load(NAME).rgb
    # Brightness 0.3 R + 0.59 G + 0.11 B becomes 0.8, gamma 1/2.2.
    bright = 0.3 * 0.2 + 0.59 * 0.4 + 0.11 * 0.1
    expected = [round(255 * min(1.0, 0.8 * (part / bright) ** (1 / 2.2))) for part in (0.2, 0.4, 0.1)]
    assert np.abs(rgb[5, 5].astype(int) - expected).max() <= 1 and rgb[0, 0].tolist() == [255, 255, 255]


def test_other_previews_do_and_none_is_told(tmp_path: Path) -> None:
    write_hypersim(tmp_path, distances_of_plane(2.0, 40), picture="color")
    data = Hypersim.open(tmp_path)
    assert is_two_colours(data.load(NAME).rgb)
    (tmp_path / "ai_001_002/images/scene_cam_00_final_preview/frame.0000.color.jpg").unlink()
    with pytest.raises(DatasetError, match=r"frame\.0000\.tonemap\.jpg is missing, and so is .*frame\.0000\.color\.hdf5"):
        data.load(NAME)
