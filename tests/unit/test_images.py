# SPDX-License-Identifier: Apache-2.0
"""Real files of every kind, good and bad, through ``decode_image``."""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from depthbridge.engines.errors import ImageError
from depthbridge.engines.images import decode_image


def _scene(width: int = 40, height: int = 24) -> npt.NDArray[np.uint8]:
    """A smooth picture (lossy formats keep it) whose corners, rows and columns all differ."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    return np.stack([40 + 200 * x, 30 + 180 * y, 200 - 120 * x * y], axis=-1).astype(np.uint8)


def _png(values: npt.NDArray[np.integer], size: tuple[int, int] | None = None) -> bytes:
    """A PNG written by hand, 8 or 16 bits, 1 to 4 channels; ``size`` lies about width and height."""
    height, width, channels = values.shape
    depth = values.dtype.itemsize * 8
    rows = b"".join(b"\0" + row.astype(">u2" if depth == 16 else "u1").tobytes() for row in values)
    width, height = size or (width, height)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def _file(image: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def _translucent() -> Image.Image:
    image = Image.fromarray(_scene()).convert("RGBA")
    image.putpixel((3, 3), (9, 9, 9, 254))
    return image


def _orientation(value: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif.tobytes()


# ---- good ones -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file_format", "options", "tolerance"),
    [
        ("PNG", {}, 0),
        ("BMP", {}, 0),
        ("TIFF", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("PPM", {}, 0),
        ("JPEG", {"quality": 95, "subsampling": 0}, 4),
        ("JPEG2000", {}, 0),
    ],
)
def test_formats(tmp_path: Path, file_format: str, options: dict[str, object], tolerance: int) -> None:
    data = _file(Image.fromarray(_scene()), file_format, **options)
    path = tmp_path / "named.anything"
    path.write_bytes(data)
    for decoded in (decode_image(path), decode_image(str(path)), decode_image(data)):
        assert decoded.rgb.shape == (24, 40, 3) and decoded.rgb.dtype == np.uint8 and decoded.rgb.flags.c_contiguous
        assert (decoded.width, decoded.height, decoded.notes, decoded.exif_camera) == (40, 24, (), None)
        assert np.abs(decoded.rgb.astype(int) - _scene()).max() <= tolerance


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("file_format", "options"), [("PNG", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("WEBP", {})])
def test_orientation_is_applied_once(orientation: int, file_format: str, options: dict[str, object]) -> None:
    # Stored so that turning it as the EXIF standard says gives the scene back; written out per case, independent of the code.
    scene = _scene()
    stored = {
        1: scene,
        2: scene[:, ::-1],
        3: scene[::-1, ::-1],
        4: scene[::-1],
        5: scene.transpose(1, 0, 2),
        6: np.rot90(scene, 1),  # 6 is shown turned clockwise, so it is stored turned anticlockwise
        7: scene[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(scene, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = _file(Image.fromarray(np.ascontiguousarray(stored)), file_format, exif=exif, lossless=True, **options)
    assert np.array_equal(decode_image(data).rgb, scene)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_ignored(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(decode_image(_file(Image.fromarray(_scene()), "PNG", exif=exif)).rgb, _scene())


@given(st.integers(1, 4), st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_16_bits_are_scaled_not_clipped(channels: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 65536, (5, 7, channels), dtype=np.uint16)
    decoded = decode_image(_png(values)).rgb
    colours = values[..., :3] if channels >= 3 else np.repeat(values[..., :1], 3, axis=2)
    assert np.abs(decoded - colours / 257.0).max() <= 1.0


@pytest.mark.parametrize("mode", ["I;16", "I;16B"])
@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_16_bit_grey_tiff(mode: str, compression: str | None) -> None:
    values = np.linspace(0, 65535, 40 * 24).reshape(24, 40).astype(">u2" if mode == "I;16B" else "<u2")
    image = Image.frombytes(mode, (40, 24), values.tobytes())
    decoded = decode_image(_file(image, "TIFF", compression=compression)).rgb
    assert np.array_equal(decoded[..., 0], np.round(values / 257.0).astype(np.uint8))
    assert np.array_equal(decoded[..., 0], decoded[..., 2])


def test_grey_palette_bilevel_and_alpha() -> None:
    grey = _scene()[..., 0]
    assert np.array_equal(decode_image(_file(Image.fromarray(grey), "PNG")).rgb, np.repeat(grey[..., None], 3, axis=2))
    bilevel = decode_image(_file(Image.fromarray(grey).point(lambda v: 255 * (v > 120)).convert("1"), "PNG")).rgb
    assert np.array_equal(bilevel[..., 1], np.where(grey > 120, 255, 0))
    alpha = np.dstack([_scene(), np.where(grey > 120, 255, 0).astype(np.uint8)])
    assert np.array_equal(decode_image(_file(Image.fromarray(alpha), "PNG")).rgb, _scene()), "alpha is dropped, not blended"
    palette = Image.fromarray(_scene()).quantize(16)
    expected = np.asarray(palette.convert("RGB"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decoded = decode_image(_file(palette, "PNG", transparency=bytes(range(16)))).rgb
    assert np.array_equal(decoded, expected)


def test_cmyk() -> None:
    # White, black, cyan and red in inks.
    inks = np.array([[[0, 0, 0, 0], [0, 0, 0, 255], [255, 0, 0, 0], [0, 255, 255, 0]]], dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    for file_format, options in (("TIFF", {}), ("JPEG", {"quality": 100, "subsampling": 0})):
        decoded = decode_image(_file(Image.fromarray(inks, "CMYK"), file_format, **options)).rgb.astype(int)
        expected = np.array([[255, 255, 255], [0, 0, 0], [0, 255, 255], [255, 0, 0]]).repeat(8, 0)[None]
        assert np.abs(decoded - expected).max() <= 12, file_format


def test_a_foreign_colour_profile_is_applied_and_srgb_changes_nothing() -> None:
    scene = Image.fromarray(_scene())
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(decode_image(_file(scene, "PNG", icc_profile=srgb)).rgb, _scene())

    # XYZ as "the profile" of a picture is as far from sRGB as it gets; LittleCMS itself is the judge.
    swapped = _swap_red_and_blue(srgb)
    decoded = decode_image(_file(scene, "PNG", icc_profile=swapped))
    assert decoded.notes == ()
    assert np.abs(decoded.rgb.astype(int) - _scene()[..., ::-1]).max() <= 3

    broken = decode_image(_file(scene, "PNG", icc_profile=b"no profile at all"))
    assert np.array_equal(broken.rgb, _scene())
    assert len(broken.notes) == 1 and "profile" in broken.notes[0]


def _swap_red_and_blue(profile: bytes) -> bytes:
    """An RGB profile whose red primary is called blue and the other way round, and that is not named sRGB."""
    count = struct.unpack(">I", profile[128:132])[0]
    data = bytearray(profile)
    for i in range(count):
        start = 132 + 12 * i
        signature = bytes(data[start : start + 4])
        if signature in (b"rXYZ", b"bXYZ"):
            data[start : start + 4] = b"bXYZ" if signature == b"rXYZ" else b"rXYZ"
    return bytes(data).replace("sRGB".encode("utf-16-be"), "Swap".encode("utf-16-be")).replace(b"sRGB built-in", b"Swap built-in")


@pytest.mark.parametrize("file_format", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_several_pictures_the_first_is_used_and_told(file_format: str) -> None:
    frames = [Image.new("RGB", (16, 12), colour) for colour in ((250, 0, 0), (0, 250, 0), (0, 0, 250))]
    options: dict[str, object] = {"lossless": True} if file_format == "WEBP" else {}
    data = _file(frames[0], file_format, save_all=True, append_images=frames[1:], **options)
    decoded = decode_image(data, name="waving.gif")
    assert np.array_equal(decoded.rgb, np.asarray(frames[0]))
    assert decoded.notes == ("waving.gif holds 3 pictures; the first is used.",)


def test_a_telephones_second_picture_is_no_animation() -> None:
    frames = [Image.fromarray(_scene()), Image.new("RGB", (8, 8))]
    data = _file(frames[0], "MPO", save_all=True, append_images=frames[1:])
    assert decode_image(data).notes == ()


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (3, 2)])
def test_small_and_thin_ones(size: tuple[int, int]) -> None:
    assert decode_image(_file(Image.new("RGB", size, (1, 2, 3)), "PNG")).rgb.shape == (size[1], size[0], 3)


# ---- bad ones ---------------------------------------------------------------------------------------------------


def _sentence(source: Path | bytes, **options: int) -> str:
    with pytest.raises(ImageError) as caught, warnings.catch_warnings():
        warnings.simplefilter("error")
        decode_image(source, **options)
    text = str(caught.value)
    assert "\n" not in text and text.endswith(".") and len(text) < 300
    if isinstance(source, Path):
        assert str(source) in text, "the sentence names the file"
    return text


def test_missing_empty_and_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "empty.png").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe.png")
    assert "does not exist" in _sentence(tmp_path / "missing.png")
    assert "does not exist" in _sentence(tmp_path / "empty.png" / "below.png")
    assert "is empty" in _sentence(tmp_path / "empty.png")
    assert "is a folder" in _sentence(tmp_path)
    assert "no plain file" in _sentence(tmp_path / "pipe.png")
    assert "is empty" in _sentence(b"")


@pytest.mark.parametrize("content", [b"x", b"This is no picture, it is a letter.", bytes(4096), b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_what_is_no_picture(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    assert "no picture in a known format" in _sentence(path)


@pytest.mark.parametrize("keep", [0.95, 0.6, 0.1])
@pytest.mark.parametrize(
    ("file_format", "options"),
    [("PNG", {}), ("JPEG", {}), ("JPEG", {"progressive": True}), ("BMP", {}), ("WEBP", {}), ("TIFF", {}), ("GIF", {}), ("PPM", {})],
)
def test_truncated(tmp_path: Path, file_format: str, options: dict[str, object], keep: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    data = _file(Image.fromarray(noise), file_format, **options)
    path = tmp_path / "half"
    path.write_bytes(data[: int(len(data) * keep)])
    assert "damaged or truncated" in _sentence(path)


def test_headers_alone(tmp_path: Path) -> None:
    path = tmp_path / "header"
    for data in (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"BM", b"II*\0", b"GIF89a", b"RIFF\x10\0\0\0WEBP", b"P6\n"):
        path.write_bytes(data)
        assert "known format" in (text := _sentence(path)) or "damaged" in text


@given(st.binary(min_size=1, max_size=80), st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"]), st.floats(0, 1))
@settings(max_examples=150, deadline=None)
def test_damage_anywhere_is_a_sentence_or_a_picture(noise: bytes, file_format: str, where: float) -> None:
    data = bytearray(_file(Image.fromarray(_scene()), file_format))
    start = int(where * len(data))
    data[start : start + len(noise)] = noise
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            assert decode_image(bytes(data)).rgb.ndim == 3
        except ImageError as error:
            assert "\n" not in str(error)


def _huge_jpeg() -> bytes:
    data = bytearray(_file(Image.new("RGB", (8, 8)), "JPEG"))
    start = data.index(b"\xff\xc0") + 5
    data[start : start + 4] = struct.pack(">HH", 60000, 60000)
    return bytes(data)


def _huge_bmp() -> bytes:
    data = bytearray(_file(Image.new("RGB", (8, 8)), "BMP"))
    data[18:26] = struct.pack("<ii", 60000, 60000)
    return bytes(data)


def _huge_gif() -> bytes:
    data = bytearray(_file(Image.new("P", (8, 8)), "GIF"))
    data[6:10] = struct.pack("<HH", 60000, 60000)
    return bytes(data)


def _huge_tiff() -> bytes:
    data = bytearray(_file(Image.new("L", (8, 8)), "TIFF"))
    entries = struct.unpack_from("<H", data, offset := struct.unpack_from("<I", data, 4)[0])[0]
    for i in range(entries):
        tag, kind = struct.unpack_from("<HH", data, offset + 2 + 12 * i)
        if tag in (256, 257):
            struct.pack_into("<I" if kind == 4 else "<H", data, offset + 10 + 12 * i, 60000)
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        _png(np.zeros((1, 1, 3), np.uint8), (60000, 60000)),
        _huge_jpeg(),
        _huge_bmp(),
        _huge_gif(),
        _huge_tiff(),
        b"P6 60000 60000 255\n\0",
    ],
    ids=["png", "jpeg", "bmp", "gif", "tiff", "ppm"],
)
def test_a_header_of_60000_by_60000_is_refused_before_decoding(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "huge"
    path.write_bytes(data)
    text = _sentence(path)
    assert "60000 x 60000" in text and "limit is 134 megapixels" in text


def test_the_limit_is_the_last_size_that_is_decoded() -> None:
    data = _file(Image.fromarray(_scene(40, 24)), "PNG")
    assert decode_image(data, max_pixels=40 * 24).width == 40
    assert "40 x 24" in _sentence(data, max_pixels=40 * 24 - 1)


def test_8k_passes_without_a_warning_and_without_touching_pillows_limit() -> None:
    before = Image.MAX_IMAGE_PIXELS
    data = _file(Image.new("L", (12000, 9000), 77), "PNG", compress_level=1)  # above the size at which Pillow itself warns
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decoded = decode_image(data)
    assert decoded.rgb.shape == (9000, 12000, 3) and int(decoded.rgb[-1, -1, 2]) == 77
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize(("mode", "words"), [("F", "floating-point"), ("I", "32-bit integer")])
def test_pixels_without_a_white_are_refused(mode: str, words: str) -> None:
    assert words in _sentence(_file(Image.new(mode, (4, 4)), "TIFF"))


# ---- what another program would show ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "as_stored"),
    [
        (_file(Image.fromarray(_scene()), "PNG"), True),
        (_file(Image.fromarray(_scene()), "JPEG", quality=95), True),
        (_file(Image.fromarray(_scene()), "JPEG", exif=_orientation(6)), False),
        (_file(Image.fromarray(_scene()), "PNG", icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()), False),
        (_file(Image.fromarray(_scene()[..., 0]), "PNG"), False),
        (_file(Image.fromarray(_scene()).convert("RGBA"), "PNG"), True),
        (_file(_translucent(), "PNG"), False),
        (_file(Image.fromarray(_scene()), "WEBP"), False),
        (_png(_scene().astype(np.uint16) * 257), False),
    ],
    ids=["png", "jpeg", "turned", "profile", "grey", "opaque", "alpha", "webp", "16 bits"],
)
def test_only_a_plain_file_is_shown_alike_everywhere(content: bytes, as_stored: bool) -> None:
    assert decode_image(content).as_stored is as_stored
