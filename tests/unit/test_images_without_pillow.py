# SPDX-License-Identifier: Apache-2.0
"""Pictures where Pillow is absent (the extension's fallback zip): the same pixels as with it, or one sentence."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from depthbridge.engines import opencv_pictures
from depthbridge.engines.errors import ImageError
from depthbridge.engines.images import MAX_PIXELS, DecodedImage, decode_image

RNG = np.random.default_rng(7)
PIXELS = RNG.integers(0, 256, (6, 9, 3), dtype=np.uint8)


def encoded(pixels: np.ndarray, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, file_format, **options)
    return buffer.getvalue()


def without_pillow(data: bytes, max_pixels: int = MAX_PIXELS) -> DecodedImage | None:
    return opencv_pictures.decode(io.BytesIO(data), "photo", max_pixels)


def png_header(width: int, height: int) -> bytes:
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


def test_png_is_exact_and_alpha_is_dropped() -> None:
    alpha = np.dstack([PIXELS, RNG.integers(0, 256, PIXELS.shape[:2], dtype=np.uint8)])
    for data in (encoded(PIXELS, "PNG"), encoded(alpha, "PNG")):
        decoded = without_pillow(data)
        assert decoded is not None and np.array_equal(decoded.rgb, PIXELS)


def test_16_bits_are_scaled_as_with_pillow() -> None:
    data = encoded(RNG.integers(0, 65536, (5, 7), dtype=np.uint16), "PNG")
    decoded = without_pillow(data)
    assert decoded is not None and np.array_equal(decoded.rgb, decode_image(data).rgb)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_jpeg_stands_upright(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    smooth = np.indices((40, 64)).transpose(1, 2, 0) @ np.array([[3, 1, 0], [0, 2, 3]])
    data = encoded(smooth.astype(np.uint8), "JPEG", quality=95, exif=exif, subsampling=0)
    decoded, expected = without_pillow(data), decode_image(data).rgb
    assert decoded is not None and decoded.rgb.shape == expected.shape
    assert np.abs(decoded.rgb.astype(int) - expected).max() <= 6  # two decoders round differently


def test_the_size_is_told_before_anything_is_decoded() -> None:
    with pytest.raises(ImageError, match="60000 x 60000 pixels"):
        without_pillow(png_header(60_000, 60_000))
    with pytest.raises(ImageError, match="64 x 40 pixels"):
        without_pillow(encoded(np.zeros((40, 64, 3), np.uint8), "JPEG"), max_pixels=100)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
def test_a_cut_file_is_one_sentence(file_format: str) -> None:
    data = encoded(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8), file_format)
    for length in (10, 40, len(data) // 3, len(data) - 100):
        with pytest.raises(ImageError, match="damaged or truncated") as caught:
            without_pillow(data[:length])
        assert "\n" not in str(caught.value)


def test_other_formats_are_unknown() -> None:
    assert without_pillow(encoded(PIXELS, "GIF")) is None
    assert without_pillow(b"no picture at all") is None


def test_a_colour_profile_is_not_passed_over_in_silence() -> None:
    decoded = without_pillow(encoded(PIXELS, "PNG", icc_profile=b"x" * 200))
    assert decoded is not None and "colour profile" in decoded.notes[0]


def test_it_is_what_decode_image_takes_where_pillow_is_absent(tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(encoded(PIXELS, "PNG"))
    code = (
        "import sys; sys.modules['PIL'] = None; from pathlib import Path;"
        "from depthbridge.engines import engine; from depthbridge.engines.export import formats;"
        "from depthbridge.engines.images import decode_image, read_header;"
        f"photo = Path({str(photo)!r}); print(read_header(photo), decode_image(photo).rgb.sum())"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == ["None", str(PIXELS.sum(dtype=int))]
