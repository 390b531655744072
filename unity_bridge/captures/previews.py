# SPDX-License-Identifier: Apache-2.0
"""Small depth maps of the frames that a report is likely to show, held in memory while a run goes through thousands."""

from __future__ import annotations

import heapq
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ...engines.depth_map import DepthMap

MAX_SIDE = 512
"""Longest side of a preview in pixels; 512x288 in half floats and a mask of bits are 0.4 MB."""


def reduced(depth_map: DepthMap) -> DepthMap:
    """Every 2nd, 3rd, ... pixel of a map, so that it is at most :data:`MAX_SIDE` long."""
    step = -(-max(depth_map.width, depth_map.height) // MAX_SIDE)
    values, valid = depth_map.values[::step, ::step], depth_map.valid[::step, ::step]
    return replace(depth_map, values=values, valid=valid, sky=None, confidence=None, camera=None)


class PreviewStore:
    """Holds the previews of ``limit`` frames evenly spaced among ``total``, and of the ``limit`` with the largest errors so far."""

    def __init__(self, total: int, limit: int) -> None:
        self._limit = limit
        self._spaced = set(np.linspace(0, max(total - 1, 0), min(limit, total)).round().astype(int).tolist())
        self._worst: list[tuple[float, int]] = []
        self._held: dict[int, tuple[DepthMap, npt.NDArray[np.float16]]] = {}

    def add(self, place: int, depth_map: DepthMap, error: float | None) -> None:
        """Hold the frame's preview if it is one of them. ``error``: its largest relative error, None without truth."""
        if error is not None:
            entry = (abs(error), place)
            if len(self._worst) < self._limit:
                heapq.heappush(self._worst, entry)
            else:
                self._drop(heapq.heappushpop(self._worst, entry)[1])
        if place in self._spaced or any(place == held for _, held in self._worst):
            small = reduced(depth_map)
            with np.errstate(over="ignore"):  # deeper than 65504 m is drawn as far as that
                half = small.values.astype(np.float16)
            nothing = np.zeros((1, 1), np.float32)
            self._held[place] = (replace(small, values=nothing, valid=nothing > 1), np.where(small.valid, half, np.float16(np.nan)))

    def get(self, place: int) -> DepthMap | None:
        """The preview, or None when it is not held."""
        if place not in self._held:
            return None
        about, half = self._held[place]
        values = half.astype(np.float32)
        valid = ~np.isnan(values)
        return replace(about, values=np.nan_to_num(values, nan=0.0, posinf=float(np.finfo(np.float16).max)), valid=valid)

    def _drop(self, place: int) -> None:
        if place not in self._spaced:
            self._held.pop(place, None)
