# SPDX-License-Identifier: GPL-3.0-or-later
"""One frame of a sequence as the EXR that its object reads: a pixel for every vertex. Imports no bpy.

Red: the depth, 0 where there is none. Green: the tear of the quad whose top left corner the pixel is, farthest over nearest corner depth
minus one. Blue: the sky, 0 where the model tells none. All 32-bit, exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...engines.atomic import atomic_path
from ...engines.depth_map import SKY_THRESHOLD, DepthKind, DepthMap
from ...engines.errors import ImageError, OutputError
from ...engines.export.exr import decode_exr, encode_exr
from ...engines.grid_mesh import grid_positions, quad_tear

FloatArray = npt.NDArray[np.float32]

MISSING_TEAR = 1e9
"""The tear of a quad with a corner that has no depth: beyond any threshold."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameGrid:
    """Depth of a grid of pixels, float32 (R,C) each: ``depth`` in the sequence's unit, 0 where there is none; ``sky``, HIGH is sky."""

    depth: FloatArray
    sky: FloatArray

    @classmethod
    def of(cls, shape: DepthMap, stride: int) -> FrameGrid:
        """Every ``stride``-th pixel of a map, which is no disparity. The sky keeps the depth that the map has for it."""
        assert shape.kind is not DepthKind.DISPARITY
        rows, columns = grid_positions(shape.height, stride), grid_positions(shape.width, stride)
        grid = np.ix_(rows, columns)
        depth = np.where(shape.known[grid], shape.values[grid], np.float32(0)).astype(np.float32)
        return cls(depth, np.zeros_like(depth) if shape.sky is None else shape.sky[grid].astype(np.float32))

    @property
    def ground(self) -> npt.NDArray[np.bool_]:
        """bool (R,C): where there is a surface, and no sky."""
        return (self.depth > 0) & (self.sky < SKY_THRESHOLD)

    @property
    def tear(self) -> FloatArray:
        """Of the quad below and right of each pixel, float32 (R,C); 0 in the last row and column, which begin none."""
        known = self.depth > 0
        tear = np.zeros_like(self.depth)
        tear[:-1, :-1] = np.nan_to_num(quad_tear(self.depth, known), nan=MISSING_TEAR)
        return tear

    def write(self, path: Path, *, overwrite: bool) -> None:
        """As an EXR that appears whole or not at all. Raises :class:`OutputError`."""
        layers = np.stack([self.sky, self.tear, self.depth], axis=2)  # OpenCV's order: blue first
        try:
            content = encode_exr(layers)
        except OutputError as error:
            raise OutputError(f"Cannot write {path}: {error}") from error
        with atomic_path(path, overwrite=overwrite) as temporary:
            temporary.write_bytes(content)

    @classmethod
    def read(cls, path: Path, rows: int, columns: int) -> FrameGrid:
        """What :meth:`write` wrote. Raises :class:`ImageError` when it is missing, damaged or of another size."""
        try:
            layers = decode_exr(path.read_bytes())
        except Exception as error:  # OpenCV's decoder raises its own kind
            raise ImageError(f"{path} could not be read; delete it, and the next run makes it again.") from error
        if layers is None or layers.dtype != np.float32 or layers.shape != (rows, columns, 3):
            raise ImageError(f"{path} is no frame of this sequence; delete it, and the next run makes it again.")
        return cls(np.ascontiguousarray(layers[..., 2]), np.ascontiguousarray(layers[..., 0]))
