# SPDX-License-Identifier: Apache-2.0
"""Intrinsics: what is refused, and the laws that hold for the rest."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depthbridge.engines.camera import CameraIntrinsics
from depthbridge.engines.errors import CameraError

CAMERAS = st.builds(
    lambda w, h, f, a, x, y: CameraIntrinsics(f * max(w, h), f * a * max(w, h), x * w, y * h, w, h),
    st.integers(1, 5000), st.integers(1, 5000), st.floats(0.2, 5), st.floats(0.5, 2), st.floats(0.1, 0.9), st.floats(0.1, 0.9),
)  # fmt: skip


def test_sixty_degrees_and_1024_rows() -> None:
    camera = CameraIntrinsics.from_vertical_fov(60, 1365, 1024)
    assert camera.fy == pytest.approx(886.81, abs=0.005)
    assert (camera.cx, camera.cy) == (682.5, 512)


@pytest.mark.parametrize("focal", [math.nan, math.inf, -500.0, 0.0, 1e9, 1e-3, True, "500"])
def test_absurd_focals_are_refused(focal: object) -> None:
    with pytest.raises(CameraError, match="fx"):
        CameraIntrinsics(focal, 500, 320, 240, 640, 480)  # type: ignore[arg-type]


@pytest.mark.parametrize("fov", [0, -10, 180, 400, math.nan])
def test_impossible_fields_of_view_are_refused(fov: float) -> None:
    with pytest.raises(CameraError, match="field of view"):
        CameraIntrinsics.from_vertical_fov(fov, 640, 480)


@pytest.mark.parametrize(("width", "height"), [(0, 480), (640, -1), (640.5, 480), (10**9, 480)])
def test_absurd_sizes_are_refused(width: object, height: object) -> None:
    with pytest.raises(CameraError):
        CameraIntrinsics(500, 500, 320, 240, width, height)  # type: ignore[arg-type]


def test_a_projection_matrix_is_not_taken_for_intrinsics() -> None:
    with pytest.raises(CameraError, match="projection matrix"):
        CameraIntrinsics.from_matrix([[0.974, 0, 0], [0, 1.732, 0], [0, 0, -1.0006]], 1920, 1080)


def test_calibrations_count_from_pixel_centres() -> None:
    camera = CameraIntrinsics.from_matrix([[500, 0, 319.5], [0, 500, 239.5], [0, 0, 1]], 640, 480, origin="pixel_centre")
    assert (camera.cx, camera.cy) == (320, 240)


@pytest.mark.parametrize(
    "document",
    [
        {"fx": 554.25, "fy": 554.25, "cx": 320, "cy": 240, "width": 640, "height": 480},
        {"focal_length_x": 554.25, "focal_length_y": 554.25, "width": 640, "height": 480},
        {"K": [554.25, 0, 320, 0, 554.25, 240, 0, 0, 1], "width": 640, "height": 480},
        {"K": [[554.25, 0, 320], [0, 554.25, 240], [0, 0, 1]], "width": 640, "height": 480},
        {"fov_vertical": 2 * math.degrees(math.atan(240 / 554.25)), "width": 640, "height": 480},
        {"fov_horizontal": 2 * math.degrees(math.atan(320 / 554.25)), "width": 640, "height": 480},
    ],
)
def test_every_way_to_write_a_camera_file(document: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "camera.json"
    path.write_text(json.dumps(document))
    camera = CameraIntrinsics.from_json(path)
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == pytest.approx((554.25, 554.25, 320, 240))


LONG = "9" * 400  # a whole number that no float holds


@pytest.mark.parametrize("text", ["", "[]", '{"width": 640, "height": 480}', '{"fx": 500}', '{"fx": NaN, "width": 640, "height": 480}', "\xff",
                                  f'{{"fx": {LONG}, "width": 640, "height": 480}}', f'{{"fx": 500, "width": {LONG}, "height": 480}}',
                                  f'{{"K": [500, 0, 320, 0, {LONG}, 240, 0, 0, 1], "width": 640, "height": 480}}'])  # fmt: skip
def test_broken_camera_files_get_one_sentence(text: str, tmp_path: Path) -> None:
    path = tmp_path / "camera.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(CameraError) as caught:
        CameraIntrinsics.from_json(path)
    assert "\n" not in str(caught.value)


@given(CAMERAS, st.integers(1, 4000), st.integers(1, 4000))
def test_resizing_there_and_back_changes_nothing(camera: CameraIntrinsics, width: int, height: int) -> None:
    try:
        back = camera.resized(width, height).resized(camera.width, camera.height)
    except CameraError:  # one axis squeezed until no lens fits
        return
    assert (back.fx, back.fy, back.cx, back.cy) == pytest.approx((camera.fx, camera.fy, camera.cx, camera.cy), rel=1e-12)


@given(CAMERAS, st.integers(-50, 50), st.integers(-50, 50))
def test_cropping_moves_the_principal_point_alone(camera: CameraIntrinsics, left: int, top: int) -> None:
    window = camera.cropped(left, top, camera.width, camera.height)
    assert (window.fx, window.fy) == (camera.fx, camera.fy)
    assert (window.cx + left, window.cy + top) == pytest.approx((camera.cx, camera.cy))


@given(CAMERAS, st.floats(0.1, 100), st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_rays_times_depth_project_back(camera: CameraIntrinsics, depth: float, across: float, down: float) -> None:
    small = camera.resized(12, 9) if camera.fx / camera.width < 100 and camera.fy / camera.height < 100 else None
    if small is None:
        return
    row, column = int(down * 9), int(across * 12)
    point = small.ray_directions()[row, column] * depth
    assert small.project(point) == pytest.approx((column + 0.5, row + 0.5), abs=1e-4)
    assert small.range_factor()[row, column] * depth == pytest.approx(np.linalg.norm(point), rel=1e-5)


@given(st.floats(1, 170), st.integers(1, 5000), st.integers(1, 5000))
def test_fov_there_and_back(fov: float, width: int, height: int) -> None:
    try:
        camera = CameraIntrinsics.from_vertical_fov(fov, width, height)
    except CameraError as error:  # a sliver whose focal length no lens of its long side has
        assert "no lens" in str(error)
        return
    assert camera.fov_vertical_deg == pytest.approx(fov, rel=1e-9)
