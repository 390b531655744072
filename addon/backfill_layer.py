# SPDX-License-Identifier: GPL-3.0-or-later
"""The layer behind torn edges, prepared in any thread. Imports no bpy.

It is built like the surface it belongs to: the same camera, the same grid, the same options.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..engines.backfill import OVERLAP_BEHIND, Backfill, backfill_layer, default_reach_px
from ..engines.depth_map import DepthMap
from .options import BuildAs
from .picture_files import encode_photo
from .prepare import Conversion, FloatArray, Prepared, height_range, heights, prepare


@dataclass(frozen=True, slots=True, eq=False)
class PreparedBackfill:
    """``layer``: for the carrier, with its picture and no depth picture; ``reach_px``: in pixels of the map, how far it goes behind an
    edge."""

    layer: Prepared
    reach_px: float


def prepare_backfill(prepared: Prepared, *, reach_px: float | None = None) -> PreparedBackfill | None:
    """The layer for a build, torn as its options ask; ``reach_px`` as in :func:`~..engines.backfill.backfill_layer`.

    None when nothing is torn, which is so for every relief under a Displace modifier. Raises as :func:`~..engines.backfill.backfill_layer`.
    """
    options, camera = prepared.options, prepared.shape.camera
    assert camera is not None
    relief = options.as_ is BuildAs.RELIEF
    if relief and options.displace:
        return None
    reach = float(default_reach_px(prepared.shape)) if reach_px is None else float(reach_px)
    # The sky is always there, and the sliders decide whether it is seen, on the layer as on the surface.
    made = backfill_layer(
        prepared.shape, prepared.image, tear=options.tear_of(camera, prepared.stride), reach_px=reach, stride=prepared.stride, keep_sky=True
    )
    if made is None:
        return None
    # A layer may be nothing but sky.
    depth = replace(made.depth, valid=made.depth.values > 0)
    layer = prepare(depth, made.image, replace(options, stride=prepared.stride, nearest=None, farthest=None), pictures=False)
    layer = replace(
        layer,
        options=replace(options, stride=prepared.stride),
        grid=replace(layer.grid, tear=_tear(layer, made)),
        photo=encode_photo(made.image),
        # One plane behind the other, or they would flicker.
        sky_distance=prepared.sky_distance * (1 + OVERLAP_BEHIND),
        height=_heights(prepared, depth, layer) if relief else None,
    )
    return PreparedBackfill(layer, reach)


def _tear(layer: Prepared, made: Backfill) -> FloatArray:
    """The faces' tear, but 0 wherever something is hidden: the layer closes gaps, also where it joins far sides of different depth."""
    hidden = made.hidden.ravel()[layer.grid.pixels][layer.grid.faces].any(axis=1)
    return np.where(hidden, np.float32(0), layer.grid.tear)


def _heights(prepared: Prepared, depth: DepthMap, layer: Prepared) -> FloatArray:
    """Of a relief: by the range of the surface in front, not by the layer's own."""
    low, high = height_range(prepared.source, prepared.shape, prepared.options)
    values = depth.values.ravel()[layer.grid.pixels]
    return heights(_as_source(values, prepared.conversion), low, high, prepared.source.kind)


def _as_source(depth: FloatArray, conversion: Conversion | None) -> FloatArray:
    """Depths of the built shape in the numbers of the model: disparity, where it gave that."""
    if conversion is None:
        return depth
    return ((1 / depth - np.float32(conversion.shift)) / np.float32(conversion.scale)).astype(np.float32)
