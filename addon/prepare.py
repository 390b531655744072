# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything about a build that is not Blender's: arrays and encoded pictures, made in any thread. Imports no bpy.

What is left for the main thread is handing flat arrays over, so that the window stands still for a moment only.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..engines.depth_map import DepthKind, DepthMap
from ..engines.errors import DepthKindError, ImageError
from ..engines.grid_mesh import GridMesh, build_grid_mesh, grid_positions
from .axes import to_world
from .options import BuildAs, BuildOptions
from .picture_files import EncodedPicture, encode_depth, encode_photo

FloatArray = npt.NDArray[np.float32]

RELIEF_SIDE = 2.0
"""The longer side of a relief, in scene units: that of Blender's own plane."""

# A guess has to be made for disparity, and this one is modest: what is farthest lies this many times as far as what is nearest.
_GUESSED_SPAN = 8.0
SKY_BEHIND = 1.5
"""A sky that is kept far away lies this many times as far as the farthest surface."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """How disparity became depth: ``1 / depth = scale * disparity + shift``. ``guessed``: nobody measured anything yet."""

    scale: float
    shift: float
    guessed: bool


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A build without its Blender objects.

    ``source``: the map as it was estimated or read; ``shape``: the depth that is built, never disparity; both have a camera. ``positions``
    float32 (V,3) and ``rays`` float32 (V,3) are in world axes: a vertex of the surface lies at ``ray * depth``. ``depth``, ``sky``,
    ``confidence``, ``height`` float32 (V,): ``sky`` is 0 and ``confidence`` 1 where the model gives none; ``height`` is 1 for the nearest
    and 0 for the farthest, None unless a relief is built. ``sky_distance``: where a sky that is kept far away lies.
    """

    source: DepthMap
    shape: DepthMap
    image: npt.NDArray[np.uint8]
    options: BuildOptions
    stride: int
    conversion: Conversion | None
    grid: GridMesh
    positions: FloatArray
    rays: FloatArray
    depth: FloatArray
    sky: FloatArray
    confidence: FloatArray
    height: FloatArray | None
    sky_distance: float
    photo: EncodedPicture | None
    depth_picture: EncodedPicture | None


def prepare(
    depth: DepthMap,
    image: npt.NDArray[np.uint8],
    options: BuildOptions,
    *,
    photo_file: Path | None = None,
    conversion: Conversion | None = None,
    pictures: bool = True,
) -> Prepared:
    """Arrays for building ``depth`` (H,W), coloured by ``image`` (uint8 RGB, same size).

    Without a camera 50 degrees vertical is assumed and marked. Disparity is converted by ``conversion``, or by a guess. ``photo_file`` is
    a file that Blender shows as ``image`` (:attr:`DecodedImage.as_stored`): its bytes are kept. ``pictures=False`` encodes none, for
    a build whose pictures exist already. Raises :class:`DepthKindError` for a map without a valid pixel, :class:`ImageError` when the
    sizes differ.
    """
    if image.shape != (depth.height, depth.width, 3):
        raise ImageError(
            f"The picture has shape {image.shape} and its depth map {depth.width}x{depth.height} pixels; "
            "give the RGB picture the depth was made from."
        )
    source = depth.assuming_camera()
    if not pictures:
        return _prepare(source, image, options, conversion)
    # The two encoders are the slowest part of a large picture, and leave the interpreter free.
    with ThreadPoolExecutor(max_workers=2) as encoders:
        photo, depth_picture = encoders.submit(encode_photo, image, photo_file), encoders.submit(encode_depth, source)
        prepared = _prepare(source, image, options, conversion)
        return replace(prepared, photo=photo.result(), depth_picture=depth_picture.result())


def _prepare(source: DepthMap, image: npt.NDArray[np.uint8], options: BuildOptions, conversion: Conversion | None) -> Prepared:
    if source.kind is DepthKind.DISPARITY and conversion is None:
        conversion = guess_conversion(source)
    shape = source if source.kind is not DepthKind.DISPARITY else _converted(source, conversion)
    stride = options.stride_of(shape.width, shape.height)
    grid = build_grid_mesh(shape, image, stride=stride, tear_above=None, keep_sky=True)
    values = np.ascontiguousarray(grid.vertices[:, 2])
    rays = _rays(shape, grid, stride)
    relief = options.as_ is BuildAs.RELIEF
    ground = shape.values[shape.valid]
    return Prepared(
        source=source,
        shape=shape,
        image=image,
        options=options,
        stride=stride,
        conversion=conversion,
        grid=grid,
        positions=_flat_positions(shape, grid) if relief else to_world(grid.vertices),
        rays=rays,
        depth=values,
        sky=_layer(shape.sky, grid, 0.0),
        confidence=_layer(shape.confidence, grid, 1.0),
        height=_height(source, shape, grid, options) if relief else None,
        sky_distance=float(np.max(ground)) * SKY_BEHIND,
        photo=None,
        depth_picture=None,
    )


def guess_conversion(disparity: DepthMap) -> Conversion:
    """A scale and shift that put the nearest parts at 1 and the farthest at 8: a shape to look at until something is measured."""
    known = disparity.values[disparity.valid]
    if known.size == 0:
        raise DepthKindError("No pixel of this picture has a depth (is it all sky?); there is nothing to build.")
    low, high = (float(value) for value in np.percentile(known, [1.0, 99.5]))
    if not high > low:
        return Conversion(1.0 / high if high > 0 else 1.0, 0.0 if high > 0 else 1.0, guessed=True)
    scale = (1.0 - 1.0 / _GUESSED_SPAN) / (high - low)
    return Conversion(scale, 1.0 - scale * high, guessed=True)


def _converted(source: DepthMap, conversion: Conversion | None) -> DepthMap:
    assert conversion is not None
    metric = source.to_metric(conversion.scale, conversion.shift)
    return replace(metric, kind=DepthKind.RELATIVE) if conversion.guessed else metric


def _rays(shape: DepthMap, grid: GridMesh, stride: int) -> FloatArray:
    """The rays of the grid's pixels in world axes, float32 (V,3), one unit along the optical axis."""
    camera = shape.camera
    assert camera is not None
    across = ((np.arange(shape.width) + 0.5 - camera.cx) / camera.fx).astype(np.float32)
    up = ((camera.cy - np.arange(shape.height) - 0.5) / camera.fy).astype(np.float32)
    rays = np.empty((len(grid.pixels), 3), dtype=np.float32)
    rays[:, 1] = 1.0
    if grid.full_shape is not None:
        placed = rays.reshape(*grid.full_shape, 3)
        placed[..., 0] = across[grid_positions(shape.width, stride)][None, :]
        placed[..., 2] = up[grid_positions(shape.height, stride)][:, None]
        return rays
    rows, columns = np.divmod(grid.pixels, np.int32(shape.width))
    rays[:, 0], rays[:, 2] = across[columns], up[rows]
    return rays


def _layer(layer: FloatArray | None, grid: GridMesh, missing: float) -> FloatArray:
    if layer is None:
        return np.full(len(grid.pixels), missing, dtype=np.float32)
    return layer.ravel()[grid.pixels]


def _flat_positions(shape: DepthMap, grid: GridMesh) -> FloatArray:
    """The picture standing upright at y = 0, its middle at the origin, its longer side :data:`RELIEF_SIDE`; float32 (V,3)."""
    camera = shape.camera
    assert camera is not None
    tall = camera.fx / camera.fy  # of a pixel
    unit = RELIEF_SIDE / max(shape.width, shape.height * tall)
    flat = np.zeros((len(grid.uv), 3), dtype=np.float32)
    flat[:, 0] = (grid.uv[:, 0] - 0.5) * np.float32(shape.width * unit)
    flat[:, 2] = (grid.uv[:, 1] - 0.5) * np.float32(shape.height * tall * unit)
    return flat


def _height(source: DepthMap, shape: DepthMap, grid: GridMesh, options: BuildOptions) -> FloatArray:
    low, high = height_range(source, shape, options)
    return heights(source.values.ravel()[grid.pixels], low, high, source.kind)


def height_range(source: DepthMap, shape: DepthMap, options: BuildOptions) -> tuple[float, float]:
    """The smallest and largest value of ``source`` among the valid pixels within ``options.nearest`` and ``farthest``: a relief's ends."""
    inside = shape.valid.copy()
    if options.nearest is not None:
        inside &= shape.values >= options.nearest
    if options.farthest is not None:
        inside &= shape.values <= options.farthest
    if not inside.any():
        raise DepthKindError(
            f"No pixel lies within the depth range; this picture's depths go from {np.min(shape.values[shape.valid]):g} to "
            f"{np.max(shape.values[shape.valid]):g} {shape.kind.unit}."
        )
    return float(np.min(source.values[inside])), float(np.max(source.values[inside]))


def heights(values: FloatArray, low: float, high: float, kind: DepthKind) -> FloatArray:
    """Normalised depth, near 1 and far 0, float32 of the shape of ``values``: linear in depth, and in disparity where the model gives
    that. What lies outside ``low`` to ``high``, and the sky, is brought to it."""
    if high == low:
        return np.zeros(values.shape, dtype=np.float32)
    share = np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1).astype(np.float32)
    return share if kind is DepthKind.DISPARITY else np.float32(1) - share
