# SPDX-License-Identifier: Apache-2.0
"""What a request says: its camera for a picture's size, its engine, its source."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from depthbridge.addon.jobs.request import CameraChoice, CameraMode, EngineChoice, Source
from depthbridge.engines.camera import CameraIntrinsics, CameraSource
from depthbridge.engines.errors import CameraError, DepthbridgeError, ModelError
from support import onnx_models as models

SIDES = st.integers(2, 4000)
INTRINSICS = CameraIntrinsics(300, 310, 90, 40, 200, 100)


@given(SIDES, SIDES, st.floats(4, 2000), st.floats(4, 100))
def test_a_lens_sees_what_its_sensor_is_wide(width: int, height: int, focal_mm: float, sensor_mm: float) -> None:
    choice = CameraChoice(CameraMode.FOCAL_MM, focal_mm=focal_mm, sensor_width_mm=sensor_mm)
    if max(width, height) / width * 0.005 > focal_mm / sensor_mm:
        return  # wider than any lens
    camera, source = choice.resolve(width, height)
    assert camera is not None
    assert source is CameraSource.GIVEN
    assert math.tan(math.radians(camera.fov_horizontal_deg) / 2) == pytest.approx(sensor_mm / 2 / focal_mm, rel=1e-9)
    assert camera.fx == camera.fy


@given(SIDES, SIDES, st.floats(1, 170))
def test_a_field_of_view_is_along_its_axis(width: int, height: int, degrees: float) -> None:
    vertical, _ = CameraChoice(CameraMode.FOV_VERTICAL, degrees=degrees).resolve(1000, 900)
    horizontal, _ = CameraChoice(CameraMode.FOV_HORIZONTAL, degrees=degrees).resolve(1000, 900)
    assert vertical is not None and horizontal is not None
    assert vertical.fov_vertical_deg == pytest.approx(degrees)
    assert horizontal.fov_horizontal_deg == pytest.approx(degrees)


@pytest.mark.parametrize("mode", [CameraMode.AUTO, CameraMode.MODEL])
def test_no_camera_is_made_up(mode: CameraMode) -> None:
    assert CameraChoice(mode, degrees=50, focal_mm=30).resolve(100, 100) == (None, CameraSource.NONE)


def test_intrinsics_of_another_size_are_refused_or_scaled_when_allowed() -> None:
    choice = CameraChoice(CameraMode.INTRINSICS, intrinsics=INTRINSICS)
    assert choice.resolve(200, 100) == (INTRINSICS, CameraSource.GIVEN)
    with pytest.raises(CameraError, match=r"200x100.*400x200"):
        choice.resolve(400, 200)
    scaling = CameraChoice(CameraMode.INTRINSICS, intrinsics=INTRINSICS, rescale=True)
    assert scaling.resolve(400, 200) == (CameraIntrinsics(600, 620, 180, 80, 400, 200), CameraSource.GIVEN)
    assert scaling.resolve(101, 50)[0] == INTRINSICS.resized(101, 50)  # a side rounded to whole pixels
    with pytest.raises(CameraError, match="same proportions"):
        scaling.resolve(400, 300)


def test_a_file_of_intrinsics_is_read_for_each_size(tmp_path: Path) -> None:
    (tmp_path / "k.json").write_text(json.dumps({"fx": 120.0}))
    choice = CameraChoice(CameraMode.INTRINSICS, intrinsics_file=tmp_path / "k.json")
    assert choice.resolve(80, 60)[0] == CameraIntrinsics(120, 120, 40, 30, 80, 60)
    assert choice.resolve(20, 40)[0] == CameraIntrinsics(120, 120, 10, 20, 20, 40)


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        (CameraChoice(CameraMode.FOV_VERTICAL), "vertical field of view"),
        (CameraChoice(CameraMode.FOV_HORIZONTAL, degrees=200), "200 degrees"),
        (CameraChoice(CameraMode.FOCAL_MM), "focal length"),
        (CameraChoice(CameraMode.FOCAL_MM, focal_mm=0.0), "0 mm"),
        (CameraChoice(CameraMode.FOCAL_MM, focal_mm=math.nan), "nan mm"),
        (CameraChoice(CameraMode.FOCAL_MM, focal_mm=30, sensor_width_mm=-1), "sensor width of -1"),
        (CameraChoice(CameraMode.INTRINSICS), "intrinsics are missing"),
    ],
)
def test_what_makes_no_camera_is_told(choice: CameraChoice, told: str) -> None:
    with pytest.raises(CameraError, match=told):
        choice.resolve(100, 100)


def test_an_engine_opens_and_closes(tmp_path: Path) -> None:
    path = models.da3_single(tmp_path / "da3metric.onnx")
    with EngineChoice(model=str(path), device="cpu", threads=1).open() as engine:
        assert "da3metric" in engine.model_id
    with pytest.raises(ModelError):
        EngineChoice(model=str(tmp_path / "none.onnx")).open()


def test_a_source_of_nothing_is_refused() -> None:
    with pytest.raises(DepthbridgeError, match="nothing to build from"):
        Source("x")
