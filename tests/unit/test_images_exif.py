# SPDX-License-Identifier: Apache-2.0
"""The EXIF camera: that of the upright picture, or none."""

from __future__ import annotations

import io
import math
import tempfile
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from depthbridge.engines.exif_camera import camera_from_exif
from depthbridge.engines.images import DecodedImage, decode_image, read_header

F_MM, X_DIM, Y_DIM, X_RES, Y_RES, UNIT, ZOOM, F35 = 0x920A, 0xA002, 0xA003, 0xA20E, 0xA20F, 0xA210, 0xA404, 0xA405


def _rational(value: float) -> IFDRational:
    fraction = Fraction(value).limit_denominator(10_000)
    return IFDRational(fraction.numerator, fraction.denominator)


def _decoded(width: int, height: int, tags: dict[int, object], orientation: int = 1, file_format: str = "JPEG") -> DecodedImage:
    """Through a real file: a picture stored with ``width`` x ``height``."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif.get_ifd(0x8769).update({tag: _rational(value) if isinstance(value, float) else value for tag, value in tags.items()})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture"
        Image.new("RGB", (width, height)).save(path, file_format, exif=exif.tobytes())  # TIFF loses the Exif IFD of an object
        decoded, header = decode_image(path), read_header(path)
    assert header is not None and header.turned == (orientation != 1)
    assert (header.width, header.height, header.exif_camera) == (decoded.width, decoded.height, decoded.exif_camera), "the header tells the same"
    return decoded


@given(st.integers(20, 400), st.integers(20, 400), st.integers(10, 400), st.integers(1, 8))
@settings(max_examples=40, deadline=None)
def test_35mm_equivalent_keeps_the_diagonal_angle(width: int, height: int, film_mm: int, orientation: int) -> None:
    decoded = _decoded(width, height, {F35: film_mm}, orientation)
    camera = decoded.exif_camera
    assert camera is not None and (camera.width, camera.height) == (decoded.width, decoded.height)
    diagonal = math.hypot(width, height) / 2 / camera.fx
    assert math.atan(diagonal) == pytest.approx(math.atan(math.hypot(36, 24) / 2 / film_mm), rel=1e-9)
    assert camera.fx == camera.fy and camera.cx == decoded.width / 2 and camera.cy == decoded.height / 2


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "TIFF", "PNG", "WEBP"])
def test_the_focal_lengths_turn_with_the_picture(orientation: int, file_format: str) -> None:
    # 300x200 stored pixels on a 30 mm x 10 mm sensor: pixels are twice as wide as they are high.
    tags = {F_MM: 20.0, X_RES: 300 / 3.0, Y_RES: 200 / 1.0, UNIT: 3, X_DIM: 300, Y_DIM: 200}
    camera = _decoded(300, 200, tags, orientation, file_format).exif_camera
    assert camera is not None
    stored = (20 * 300 / 30, 20 * 200 / 10)
    assert (camera.fx, camera.fy) == pytest.approx(stored[::-1] if orientation >= 5 else stored, rel=1e-3)
    assert (camera.width, camera.height) == ((200, 300) if orientation >= 5 else (300, 200))


@pytest.mark.parametrize(("unit", "per_mm"), [(2, 25.4), (3, 10.0), (4, 1.0), (None, 25.4)])
def test_units_of_the_focal_plane(unit: int | None, per_mm: float) -> None:
    # A Canon of 5184 x 3456 pixels on 22.3 mm: 50 mm is 11,623 px.
    tags: dict[int, object] = {F_MM: 50.0, X_RES: 5184 / 22.3 * per_mm, Y_RES: 3456 / 14.9 * per_mm, X_DIM: 5184, Y_DIM: 3456}
    if unit is not None:
        tags[UNIT] = unit
    camera = camera_from_exif({k: v for k, v in tags.items()}, 5184, 3456)
    assert camera is not None and camera.fx == pytest.approx(50 * 5184 / 22.3, rel=1e-9)


def test_a_picture_resized_since_is_scaled() -> None:
    tags = {F_MM: 50.0, X_RES: 5184 / 2.23, Y_RES: 3456 / 1.49, UNIT: 3, X_DIM: 5184, Y_DIM: 3456}
    full, small = camera_from_exif(tags, 5184, 3456), _decoded(648, 432, tags).exif_camera
    assert full is not None and small is not None
    assert small.fx == pytest.approx(full.fx / 8, rel=1e-3) and small.fy == pytest.approx(full.fy / 8, rel=1e-3)


def test_a_picture_cropped_since_has_no_camera() -> None:
    tags = {F35: 28, F_MM: 5.0, X_DIM: 4000, Y_DIM: 3000}
    assert _decoded(400, 300, tags).exif_camera is not None
    assert _decoded(300, 400, tags).exif_camera is not None, "turned by a program that left the numbers"
    assert _decoded(400, 225, tags).exif_camera is None
    assert _decoded(400, 400, tags).exif_camera is None


def test_contradiction_and_digital_zoom_fall_back_to_the_35mm_equivalent() -> None:
    by_film = 30 * math.hypot(300, 200) / math.hypot(36, 24)
    plane = {F_MM: 20.0, X_RES: 100.0, Y_RES: 100.0, UNIT: 3}  # a 30 x 20 mm sensor: 36 % apart from a film focal length of 30
    for tags, expected in (
        (plane, 200.0),
        (plane | {F35: 24}, 200.0),
        (plane | {F35: 30}, by_film),
        (plane | {F35: 30, ZOOM: 2.0}, by_film),
    ):
        camera = _decoded(300, 200, tags).exif_camera
        assert camera is not None and camera.fx == pytest.approx(expected, rel=1e-3)
    assert _decoded(300, 200, plane | {ZOOM: 2.0}).exif_camera is None


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {F35: 0},
        {F35: 65535},
        {F_MM: 50.0},
        {F_MM: 0.0, X_RES: 100.0, Y_RES: 100.0, UNIT: 3},
        {F_MM: 20.0, X_RES: 0.0, Y_RES: 100.0, UNIT: 3},
        {F_MM: 20.0, X_RES: 100.0, Y_RES: 100.0, UNIT: 1},
        {F_MM: 20.0, X_RES: 72.0, Y_RES: 1.0, UNIT: 2},
        {F_MM: 20.0, X_RES: 100.0, Y_RES: 2000.0, UNIT: 3},
        {F_MM: IFDRational(50, 0), X_RES: 100.0, Y_RES: 100.0, UNIT: 3},
    ],
)
def test_nothing_zero_and_absurd_values_are_no_camera(tags: dict[int, object]) -> None:
    assert _decoded(300, 200, tags).exif_camera is None


@given(
    st.dictionaries(
        st.sampled_from([F_MM, X_DIM, Y_DIM, X_RES, Y_RES, UNIT, ZOOM, F35]),
        st.integers(-5, 2**32) | st.floats() | st.text(max_size=5) | st.binary(max_size=5) | st.none() | st.tuples(st.integers()),
    ),
    st.integers(1, 20_000),
    st.integers(1, 20_000),
    st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_no_value_whatever_raises(tags: dict[int, object], width: int, height: int, turned: bool) -> None:
    camera = camera_from_exif(tags, width, height, turned=turned)
    assert camera is None or (camera.width, camera.height) == (width, height)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_broken_exif_spoils_no_picture() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (30, 20), (9, 9, 9)).save(buffer, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff\x08")
    decoded = decode_image(buffer.getvalue())
    assert decoded.exif_camera is None and decoded.rgb.shape == (20, 30, 3)
