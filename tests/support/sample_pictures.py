# SPDX-License-Identifier: Apache-2.0
"""Several pictures out of the two that are shipped."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from depthbridge.engines.model_paths import SHIPPED_MODELS

SAMPLES = SHIPPED_MODELS / "samples"


def pictures_in(folder: Path, count: int = 7) -> list[Path]:
    """Parts of the two sample pictures, turned about: real content, each one different."""
    folder.mkdir(exist_ok=True)
    whole = [Image.open(SAMPLES / name).convert("RGB") for name in ("photo.jpg", "room.jpg")]
    for number in range(count):
        source = whole[number % 2]
        left, top = number * source.width // 24, number * source.height // 24
        part = source.crop((left, top, left + source.width * 2 // 3, top + source.height * 2 // 3))
        (part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if number % 4 > 1 else part).save(folder / f"p{number}.png")
    return sorted(folder.iterdir())
