# SPDX-License-Identifier: Apache-2.0
"""Resizing a large picture by area, by two passes of small matrix products: each output row and column is a weighted sum of neighbours.

The weights are OpenCV's (``modules/imgproc/src/resize.cpp``: ``computeResizeAreaTab``), and so are the values, up to the
rounding of float32. OpenCV's own loop for areas adds up pixel by pixel; the products run in vectors and read the picture's bytes once, a few
rows at a time, so that no picture-sized float array is ever made.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
UInt8Image = npt.NDArray[np.uint8]

_CHANNELS = 3
_TOGETHER = 4
"""Output rows, or columns, of one product: more share fewer of their neighbours, fewer are more calls. Measured on two cores with AVX-512."""
# BLAS libraries spread larger products over threads of their own, which go on spinning where the runtime's are to work (OpenBLAS: above 2^18).
_PRODUCT = 1 << 18
_ROWS_BYTES = 768 << 10
_CHUNKS = 4
"""Parts of the rows that are handed on, one by one, to the thread that makes their columns."""


@dataclass(frozen=True, slots=True, eq=False)
class _Taps:
    """Output i is the sum over k of ``weights[i, k] * input[first[i] + k]``; weights beyond the end are 0. int (n), float64 (n, taps)."""

    first: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]


def _area_taps(source: int, target: int) -> _Taps:
    """The share of each input pixel in the area an output pixel covers; ``source >= target``."""
    scale = source / target
    low = np.arange(target) * scale
    high = np.minimum(low + scale, source)
    width = np.minimum(scale, source - low)
    first = np.floor(low + 1e-9).astype(np.int64)
    place = first[:, None] + np.arange(int(np.ceil(scale)) + 2)
    shares = np.clip(np.minimum(high[:, None], place + 1) - np.maximum(low[:, None], place), 0, 1)
    # OpenCV leaves out slivers.
    shares[shares <= 1e-3] = 0
    return _Taps(first, shares / width[:, None])


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """Outputs ``start:stop`` from inputs ``low:high`` by one matrix."""

    start: int
    stop: int
    low: int
    high: int
    matrix: FloatArray


class AreaResize:
    """Resizes pictures (H,W,3) of one size to (h,w,3) floats, unrounded and unclipped. Call it from one thread at a time: it reuses its
    buffers. Where there is a second core, a thread of its own makes the columns of what has its rows."""

    def __init__(self, source: tuple[int, int], target: tuple[int, int]) -> None:
        """From ``source`` to a smaller ``target``, both (width, height)."""
        (width, height), (new_width, new_height) = source, target
        self._rows = _row_blocks(_area_taps(height, new_height), height)
        # 1920 columns make 504: every 80 make 21 alike.
        self._periods = math.gcd(width, new_width)
        self._columns = _column_blocks(_area_taps(width // self._periods, new_width // self._periods), width // self._periods)
        across = width * _CHANNELS
        deepest = max(block.high - block.low for block in self._rows)
        # Whole rows are made floats at once where that fits into a core's cache: in pieces it takes half as long again.
        self._step = _even(across, _ROWS_BYTES // (4 * deepest))
        self._piece = _even(self._step, _PRODUCT // (_TOGETHER * deepest))
        self._floats = np.empty(deepest * self._step, dtype=np.float32)
        self._squeezed = np.empty((new_height, across), dtype=np.float32)
        self._result = np.empty((new_height, new_width * _CHANNELS), dtype=np.float32)
        # It waits without spinning, and ends with this object.
        self._helper = ThreadPoolExecutor(1, thread_name_prefix="depthbridge-resize") if (os.cpu_count() or 1) > 1 else None

    @property
    def nbytes(self) -> int:
        """Memory of the buffers."""
        return self._floats.nbytes + self._squeezed.nbytes + self._result.nbytes

    def __call__(self, image: UInt8Image) -> FloatArray:
        """float32 (h,w,3): overwritten by the next call."""
        flat = image.reshape(image.shape[0], -1)
        size = -(-len(self._rows) // _CHUNKS)
        waiting = []
        for chunk in (self._rows[start : start + size] for start in range(0, len(self._rows), size)):
            self._make_rows(flat, chunk)
            if self._helper is None:
                self._make_columns(chunk[0].start, chunk[-1].stop)
            else:
                waiting.append(self._helper.submit(self._make_columns, chunk[0].start, chunk[-1].stop))
        for made in waiting:
            made.result()
        return self._result.reshape(len(self._result), -1, _CHANNELS)

    def _make_rows(self, flat: UInt8Image, blocks: list[_Block]) -> None:
        across = flat.shape[1]
        for left in range(0, across, self._step):
            right = min(left + self._step, across)
            for block in blocks:
                count = block.high - block.low
                part = self._floats[: count * (right - left)].reshape(count, right - left)
                np.copyto(part, flat[block.low : block.high, left:right])
                target = self._squeezed[block.start : block.stop, left:right]
                for start in range(0, right - left, self._piece):
                    piece = slice(start, start + self._piece)
                    np.matmul(block.matrix, part[:, piece], out=target[:, piece])

    def _make_columns(self, first: int, end: int) -> None:
        """Those of rows ``first:end``: all periods at once, so that the interpreter is needed only now and then."""
        for block in self._columns:
            deep = max(1, _PRODUCT // block.matrix.size)
            for top in range(first, end, deep):
                bottom = min(top + deep, end)
                rows = self._squeezed[top:bottom].reshape(bottom - top, self._periods, -1)[:, :, block.low : block.high]
                made = self._result[top:bottom].reshape(bottom - top, self._periods, -1)[:, :, block.start : block.stop]
                np.matmul(rows.transpose(1, 0, 2), block.matrix, out=made.transpose(1, 0, 2))


def _even(length: int, most: int) -> int:
    """The size of parts of ``length`` that are alike and no larger than ``most``."""
    return -(-length // -(-length // max(1, most)))


def _row_blocks(taps: _Taps, source: int) -> list[_Block]:
    return [_Block(*place, np.ascontiguousarray(dense)) for place, dense in _dense(taps, source, _TOGETHER)]


def _column_blocks(taps: _Taps, source: int) -> list[_Block]:
    """As for rows, for pixels of three channels side by side: a channel takes from its own kind, the other weights are 0."""
    blocks = []
    for (start, stop, low, high), dense in _dense(taps, source, _TOGETHER):
        matrix = np.zeros((high - low, _CHANNELS, stop - start, _CHANNELS), dtype=np.float32)
        for channel in range(_CHANNELS):
            matrix[:, channel, :, channel] = dense.T
        square = matrix.reshape((high - low) * _CHANNELS, (stop - start) * _CHANNELS)
        blocks.append(_Block(start * _CHANNELS, stop * _CHANNELS, low * _CHANNELS, high * _CHANNELS, square))
    return blocks


def _dense(taps: _Taps, source: int, together: int) -> list[tuple[tuple[int, int, int, int], FloatArray]]:
    """Runs of outputs: ((start, stop, low, high), weights (stop - start, high - low))."""
    found = []
    count, reach = taps.weights.shape
    for start in range(0, count, together):
        stop = min(start + together, count)
        low = int(np.min(taps.first[start:stop]))
        high = min(source, int(np.max(taps.first[start:stop])) + reach)
        dense = np.zeros((stop - start, high - low + reach), dtype=np.float32)
        for output in range(start, stop):
            offset = int(taps.first[output]) - low
            dense[output - start, offset : offset + reach] = taps.weights[output]
        found.append(((start, stop, low, high), dense[:, : high - low]))
    return found
