# SPDX-License-Identifier: Apache-2.0
"""A second layer behind torn edges, so that a camera that steps aside sees what the photo hid instead of a gap.

Its depth continues the far side (:mod:`.continuation`), always behind the surface in front; its colour is inpainted from the far side
alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from .continuation import continued, planes_behind
from .depth_map import DepthKind, DepthMap
from .errors import DepthKindError, ImageError
from .grid_mesh import grid_positions
from .torn_edges import BoolArray, FloatArray, IndexArray, IntArray, TornGrid, hidden_band, steps_beside, torn_grid

_Scalar = TypeVar("_Scalar", bound=np.generic)
ByteArray = npt.NDArray[np.uint8]

DEFAULT_REACH = 0.04
"""How far the layer goes behind an edge, as a share of the picture's longer side."""

BEHIND = 0.01
"""The layer is at least this share farther than the surface that hides it."""
OVERLAP_BEHIND = 0.001
"""The same, where it runs on under the far side's border."""

_OVERLAP_PX = 2
# The photo's own edge is a few pixels wide and seldom exactly where the depth's is.
_FRINGE_PX = 3
_INPAINT_RADIUS_PX = 4
_MARGIN_PX = _INPAINT_RADIUS_PX + 2


@dataclass(frozen=True, slots=True, eq=False)
class Backfill:
    """``depth``: of the layer, with the size, kind and camera of the map it is for, valid on the layer alone (sky that the layer continues is
    not valid and has a high ``sky`` value, as in any map); ``image``: uint8 RGB (H,W,3), the layer's colours, grey away from it;
    ``hidden``: bool (H,W), where the layer is a guess behind something, in contrast to its overlap on the far side."""

    depth: DepthMap
    image: ByteArray
    hidden: BoolArray


def default_reach_px(depth: DepthMap) -> int:
    """:data:`DEFAULT_REACH` of the longer side, in pixels of the map, at least 2."""
    return max(2, round(DEFAULT_REACH * max(depth.width, depth.height)))


def backfill_layer(
    depth: DepthMap, image: ByteArray, *, tear: float, reach_px: float | None = None, stride: int = 1, keep_sky: bool = False
) -> Backfill | None:
    """The layer behind the torn edges of ``depth`` (H,W), coloured from ``image`` (uint8 RGB, same size); None when nothing tears.

    ``tear``: a quad is torn where its farthest corner is more than this share beyond its nearest. ``reach_px``: how far, in pixels of the map,
    the layer goes behind an edge (default :func:`default_reach_px`). A camera that moves by ``t`` uncovers ``f t (1 / near - 1 / far)`` pixels.
    ``stride``: of the grid that the surface is built on, so that the same quads tear; the layer is made for that grid too.
    ``keep_sky``: sky is a surface behind all others. Raises :class:`DepthKindError` for disparity, and for a tear, reach or stride that
    makes no layer; :class:`ImageError` when the sizes differ.
    """
    reach = float(default_reach_px(depth)) if reach_px is None else float(reach_px)
    _check(depth, image, tear, reach, stride)
    rows, columns = grid_positions(depth.height, stride), grid_positions(depth.width, stride)
    grid = torn_grid(_disparity(depth, keep_sky)[np.ix_(rows, columns)], tear)
    if not grid.near.any():
        return None
    reach = max(1.0, reach / stride)
    far_steps = steps_beside(grid, grid.rims, 2 * (math.ceil(reach) + _MARGIN_PX))
    disparity, source, hidden = _continued(grid, reach, far_steps)
    overlap = (far_steps >= 0) & (far_steps < _OVERLAP_PX) & np.isnan(disparity) & ~grid.near.ravel()
    disparity[overlap] = grid.disparity.ravel()[overlap] * np.float32(1 - OVERLAP_BEHIND)
    _close(grid, disparity, hidden)
    far_steps[hidden] = -1

    behind = _as_picture(hidden, grid)
    colours = _inpainted(_cells_of(image, rows, columns, stride), behind, _as_picture(far_steps, grid), reach)
    return Backfill(
        depth=_layer(depth, grid, disparity, source, stride),
        image=_enlarged(colours, image.shape, stride),
        hidden=_spread(behind, depth.values.shape, stride),
    )


def _check(depth: DepthMap, image: ByteArray, tear: float, reach: float, stride: int) -> None:
    if depth.kind is DepthKind.DISPARITY:
        raise DepthKindError("Disparity has no shape to continue; convert it with to_metric(scale, shift) first.")
    if image.shape != (depth.height, depth.width, 3):
        raise ImageError(
            f"The picture has shape {image.shape} and its depth map {depth.width}x{depth.height} pixels; "
            "give the RGB picture the depth was made from."
        )
    for name, value in (("tear", tear), ("reach", reach), ("stride", stride)):
        if not math.isfinite(value) or value <= 0:
            raise DepthKindError(f"The {name} is {value}; give a positive number.")


def _disparity(depth: DepthMap, keep_sky: bool) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        disparity = np.where(depth.valid, 1 / depth.values, np.float32(np.nan)).astype(np.float32)
    if keep_sky:
        disparity[depth.sky_mask] = 0.0
    return disparity


def _continued(grid: TornGrid, reach: float, far_steps: IntArray) -> tuple[FloatArray, IndexArray, BoolArray]:
    """What the far sides are behind the near ones, all flat: disparity float32, NaN elsewhere; where what else is known of a pixel is to be
    taken from, int64; and bool, where that is."""
    band = hidden_band(grid, reach)
    disparity = np.full(grid.disparity.size, np.nan, dtype=np.float32)
    source = np.arange(grid.disparity.size)
    hidden = np.zeros(grid.disparity.size, dtype=np.bool_)
    if band.pixels.size:
        planes = planes_behind(grid, band)
        front = grid.disparity.ravel()[band.pixels]
        # Around the end of a tear the band reaches the far surface itself, which hides nothing: half a tear in front is not in front.
        to_rim = far_steps[band.pixels]
        hides = (front > planes.here * (1 + grid.tear / 2)) | (to_rim < 0) | (to_rim > band.steps) | grid.near.ravel()[band.pixels]
        # A slope may lead out of the surface in front.
        nearest = front * np.where(hides, np.float32(1 - BEHIND), np.float32(1 - OVERLAP_BEHIND))
        disparity[band.pixels] = np.minimum(continued(grid, band, planes) * np.float32(1 - OVERLAP_BEHIND), nearest)
        source[band.pixels] = np.where(hides, band.rim, band.pixels)
        hidden[band.pixels] = hides
    return disparity, source, hidden


def _close(grid: TornGrid, disparity: FloatArray, hidden: BoolArray) -> None:
    """Whatever corner of a torn quad has no layer yet gets one, on the near side at its farthest neighbour's depth, so that every torn quad is
    closed: ramps that lead nowhere, surfaces of a single pixel."""
    loose = grid.torn.ravel() & np.isnan(disparity)
    near = grid.near.ravel()[loose]
    disparity[loose] = np.where(near, grid.farthest.ravel()[loose], grid.disparity.ravel()[loose]) * np.float32(1 - OVERLAP_BEHIND)
    hidden |= loose & grid.near.ravel()


def _layer(depth: DepthMap, grid: TornGrid, disparity: FloatArray, source: IndexArray, stride: int) -> DepthMap:
    there = np.isfinite(disparity)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.where(there & (disparity > 0), 1 / disparity, np.float32(0))
        # Sky lies where the map says, but never in front of what hides it.
        hidden_by = np.where(grid.disparity.ravel() > 0, (1 + BEHIND) / grid.disparity.ravel(), np.float32(0))
    sky = there & (disparity == 0)
    behind_sky = _of_cells(depth.values, grid, stride)[source] * np.float32(1 + OVERLAP_BEHIND)
    values = np.where(sky, np.maximum(behind_sky, hidden_by), values).astype(np.float32)

    def full(flat: FloatArray) -> FloatArray:
        return _spread(_as_picture(flat, grid), depth.values.shape, stride)

    def of_source(layer: FloatArray | None) -> FloatArray | None:
        return None if layer is None else full(np.where(there, _of_cells(layer, grid, stride)[source], np.float32(0)))

    return replace(
        depth,
        values=full(values),
        valid=_spread(_as_picture(there & ~sky, grid), depth.values.shape, stride),
        sky=of_source(depth.sky),
        confidence=of_source(depth.confidence),
    )


def _of_cells(layer: FloatArray, grid: TornGrid, stride: int) -> FloatArray:
    """The grid's values of a map, flat, with the border."""
    cells = np.ix_(grid_positions(layer.shape[0], stride), grid_positions(layer.shape[1], stride))
    return np.pad(layer[cells], 1).ravel()


def _inpainted(image: ByteArray, hidden: BoolArray, far_steps: IntArray, reach: float) -> ByteArray:
    """The colours of the far side, drawn on over ``hidden`` and the far side's own fringe."""
    depth_px = math.ceil(reach) + _MARGIN_PX
    fringe = (far_steps >= 0) & (far_steps < _FRINGE_PX)
    # What lies beyond the band is in front, and inpainting would draw its colour in from there. So that is unknown too, as wide as the band,
    # and behind that has the far side's mean colour: the far side's own colours have crossed the band before the mean arrives there.
    near = _grown(hidden, 2 * depth_px) & (far_steps < 0)
    usable = far_steps >= _FRINGE_PX
    unknown = (near & _grown(hidden, depth_px)) | fringe
    side = 4 * depth_px + 1
    weight = cv2.boxFilter(usable.astype(np.float32), -1, (side, side), normalize=False)
    known = (image * usable[..., None]).astype(np.float32)
    mean = cv2.boxFilter(known, -1, (side, side), normalize=False) / np.maximum(weight, 1)[..., None]
    # A far side no wider than its fringe has no other colour than that.
    mean = np.where((weight > 0.5)[..., None], mean, image)
    prepared = np.where(near[..., None], np.rint(mean).astype(np.uint8), image).astype(np.uint8)
    filled = cv2.inpaint(prepared, unknown.astype(np.uint8), _INPAINT_RADIUS_PX, cv2.INPAINT_TELEA)
    return np.where(_grown(hidden | fringe, _MARGIN_PX)[..., None], filled, np.uint8(128)).astype(np.uint8)


def _grown(area: BoolArray, pixels: int) -> BoolArray:
    block = np.ones((2 * pixels + 1, 2 * pixels + 1), dtype=np.uint8)
    return np.asarray(cv2.dilate(area.astype(np.uint8), block), dtype=np.bool_)


def _cells_of(image: ByteArray, rows: IntArray, columns: IntArray, stride: int) -> ByteArray:
    """The mean colour around each of the grid's pixels."""
    if stride == 1:
        return image
    return np.ascontiguousarray(cv2.blur(image, (stride, stride))[np.ix_(rows, columns)])


def _enlarged(cells: ByteArray, shape: tuple[int, ...], stride: int) -> ByteArray:
    """Full size again, straight between the grid's pixels, each of which keeps its colour."""
    if stride == 1:
        return cells
    x = ((np.arange(shape[1]) - stride // 2) / stride).astype(np.float32)
    y = ((np.arange(shape[0]) - stride // 2) / stride).astype(np.float32)
    across = np.tile(x, (shape[0], 1))
    down = np.tile(y[:, None], (1, shape[1]))
    return np.asarray(cv2.remap(cells, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), dtype=np.uint8)


def _as_picture(flat: npt.NDArray[_Scalar], grid: TornGrid) -> npt.NDArray[_Scalar]:
    """(H,W) of a flat array with a border."""
    return flat.reshape(grid.disparity.shape)[1:-1, 1:-1]


def _spread(cells: npt.NDArray[_Scalar], shape: tuple[int, ...], stride: int) -> npt.NDArray[_Scalar]:
    """A map of ``shape`` (H,W) whose pixels on the grid are ``cells``."""
    if stride == 1:
        return np.ascontiguousarray(cells)
    rows = np.minimum(np.arange(shape[0]) // stride, cells.shape[0] - 1)
    columns = np.minimum(np.arange(shape[1]) // stride, cells.shape[1] - 1)
    return np.ascontiguousarray(cells[np.ix_(rows, columns)])
