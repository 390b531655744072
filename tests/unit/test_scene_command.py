# SPDX-License-Identifier: Apache-2.0
"""``depthbridge scene`` up to the door of Blender: which camera a model is given, and what is refused before any work."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from depthbridge.cli.scene import command, estimate_for_scene
from depthbridge.engines.camera import CameraIntrinsics, CameraSource
from depthbridge.engines.depth_map import DepthKind
from depthbridge.engines.engine import DepthEngine
from depthbridge.engines.errors import DepthKindError, OutputError, RuntimeUnavailableError
from depthbridge.engines.images import DecodedImage
from support import onnx_models as models


@pytest.fixture
def picture() -> DecodedImage:
    return DecodedImage(np.random.default_rng(0).integers(60, 200, (56, 84, 3), dtype=np.uint8), None, "picture")


@pytest.fixture
def photo(tmp_path: Path, picture: DecodedImage) -> Path:
    Image.fromarray(picture.rgb).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def refusal(arguments: list[str]) -> BaseException | None:
    return CliRunner().invoke(command, arguments).exception


def test_a_canonical_model_is_given_the_assumed_camera_so_that_the_scene_is_in_metres(tmp_path: Path, picture: DecodedImage) -> None:
    with DepthEngine.open(models.da3_single(tmp_path / "da3metric.onnx", size=("height", "width"))) as engine:
        assert engine.estimate(picture).kind is DepthKind.RELATIVE
        depth = estimate_for_scene(engine, picture, None)
        expected = engine.estimate(picture, CameraIntrinsics.assumed(84, 56))
    assert (depth.kind, depth.camera_source) == (DepthKind.METRIC, CameraSource.ASSUMED)
    assert depth.camera == CameraIntrinsics.assumed(84, 56)
    np.testing.assert_array_equal(depth.values, expected.values)


def test_known_cameras_come_before_the_assumption(tmp_path: Path, picture: DecodedImage) -> None:
    given = CameraIntrinsics.from_vertical_fov(30, 84, 56)
    exif = DecodedImage(picture.rgb, CameraIntrinsics.from_vertical_fov(40, 84, 56), "picture")
    with DepthEngine.open(models.da3_single(tmp_path / "da3metric.onnx", size=("height", "width"))) as engine:
        first, second = estimate_for_scene(engine, exif, given), estimate_for_scene(engine, exif, None)
    assert (first.camera, first.camera_source) == (given, CameraSource.GIVEN)
    assert (second.camera, second.camera_source) == (exif.exif_camera, CameraSource.EXIF)


def test_a_disparity_model_is_refused_with_the_remedy(tmp_path: Path, picture: DecodedImage) -> None:
    with (
        DepthEngine.open(models.da2_relative(tmp_path / "depth_anything_v2_vits.onnx")) as engine,
        pytest.raises(DepthKindError, match=r"disparity.*models list"),
    ):
        estimate_for_scene(engine, picture, None)


def test_without_bpy_one_sentence_names_the_remedy(tmp_path: Path, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What the import system itself records of a module that is not there.
    monkeypatch.setitem(sys.modules, "bpy", None)
    error = refusal([str(photo), "--out", str(tmp_path / "x.blend")])
    assert isinstance(error, RuntimeUnavailableError)
    assert "3.11 or 3.13" in str(error)
    assert "depthbridge[blender]" in str(error)
    assert list(tmp_path.iterdir()) == [photo]


def test_outputs_that_cannot_be_are_refused_before_any_work(tmp_path: Path, photo: Path) -> None:
    (tmp_path / "taken.blend").write_bytes(b"mine")
    for name, message in (("x.glb", ".blend"), ("no/x.blend", "does not exist"), ("taken.blend", "--force")):
        error = refusal([str(photo), "--out", str(tmp_path / name)])
        assert isinstance(error, OutputError)
        assert message in str(error)
    assert (tmp_path / "taken.blend").read_bytes() == b"mine"
