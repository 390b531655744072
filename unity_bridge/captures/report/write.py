# SPDX-License-Identifier: Apache-2.0
"""The report's file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ....engines.atomic import atomic_path
from .frames import ReportAbout, ReportFrame
from .gather import gather
from .page import page

MAX_PICTURES = 48


def write_report(
    path: Path, frames: Iterable[ReportFrame], about: ReportAbout, *, max_pictures: int = MAX_PICTURES, overwrite: bool = False
) -> Path:
    """Write the run as one HTML file that fetches nothing, and return ``path``.

    The tables hold every object and frame. Of at most ``max_pictures`` frames there are pictures: half of them those with the largest
    errors (or a mask that seems flipped), the others evenly spaced. ``frames`` is read once; their pictures are loaded after that, one
    at a time. The file appears whole or not at all: :class:`~depthbridge.engines.errors.OutputError` as :func:`atomic_path` raises it.
    """
    path = Path(path)
    with atomic_path(path, overwrite=overwrite) as temporary:
        found = gather(frames, max_pictures)
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(page(found, about))
    return path
