# SPDX-License-Identifier: Apache-2.0
"""The export formats by name: which files each makes, what it needs, and how to write several of them together."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..depth_map import DepthMap
from ..errors import OutputError
from .exr import write_exr
from .npz import write_npz
from .ply import write_ply
from .png16 import write_png16


class ExportFormat(StrEnum):
    """A way to keep a depth map."""

    NPZ = "npz"
    PNG16 = "png16"
    EXR = "exr"
    PLY = "ply"
    GLB = "glb"
    PREVIEW = "preview"

    @property
    def needs_shape(self) -> bool:
        """Whether it holds points in space, which take depth (not disparity) and a camera."""
        return self in (ExportFormat.PLY, ExportFormat.GLB)

    def file_names(self, stem: str) -> tuple[str, ...]:
        """The files it makes of a picture called ``stem``, the main one first."""
        return {
            ExportFormat.NPZ: (f"{stem}.npz",),
            ExportFormat.PNG16: (f"{stem}_depth16.png", f"{stem}_depth16.json"),
            ExportFormat.EXR: (f"{stem}.exr",),
            ExportFormat.PLY: (f"{stem}.ply",),
            ExportFormat.GLB: (f"{stem}.glb",),
            ExportFormat.PREVIEW: (f"{stem}_preview.png",),
        }[self]


def write_formats(
    formats: Collection[ExportFormat],
    folder: Path,
    stem: str,
    depth: DepthMap,
    image: npt.NDArray[np.uint8],
    *,
    shaped: DepthMap | None = None,
    max_points: int | None = None,
    max_vertices: int | None = None,
) -> None:
    """Writes ``formats`` of one picture into ``folder``, one after the other; :func:`~..atomic.atomic_folder_contents` makes a whole of
    them.

    ``shaped`` is the map that the formats with points take, when they need another (an assumed camera). Raises what the writers raise, and
    :class:`~..errors.OutputError` for a format whose library (Pillow, trimesh) is absent.
    """
    shaped = depth if shaped is None else shaped
    for wanted in formats:
        path = folder / wanted.file_names(stem)[0]
        try:
            _write(wanted, path, depth, shaped, image, max_points, max_vertices)
        except ImportError as error:
            raise OutputError(
                f"Cannot write {path}: {error.name or error} is not installed in this Python; install it, or leave out the format {wanted}."
            ) from error


def _write(
    wanted: ExportFormat,
    path: Path,
    depth: DepthMap,
    shaped: DepthMap,
    image: npt.NDArray[np.uint8],
    max_points: int | None,
    max_vertices: int | None,
) -> None:
    if wanted is ExportFormat.NPZ:
        write_npz(path, depth)
    elif wanted is ExportFormat.PNG16:
        write_png16(path, depth)
    elif wanted is ExportFormat.EXR:
        write_exr(path, depth)
    elif wanted is ExportFormat.PLY:
        write_ply(path, shaped, image, max_points=max_points)
    elif wanted is ExportFormat.GLB:
        from .glb import write_glb  # here, for it needs Pillow, which one of the extension's zips has not

        write_glb(path, shaped, image, max_vertices=max_vertices)
    else:
        from .preview import write_preview

        write_preview(path, depth)
