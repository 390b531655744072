# SPDX-License-Identifier: Apache-2.0
"""Which pixels belong to which object, and which of them are measured.

A rendered mask is made of long horizontal runs of one value. They are found once, and everything that concerns pixels as such, counts,
centroids, borders, is reckoned from runs; pixels are only listed where depth is read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.intp]
Doubles = npt.NDArray[np.float64]

# Rows are looked at in bands that stay in a processor's own cache.
_BAND_PIXELS = 1 << 16
# Ids closer together than this are compacted by a table instead of by sorting.
_TABLE_SPAN = 1 << 20

MIN_CORE_PIXELS = 9
MIN_CORE_PART = 4
"""An object is measured on its core if that has so many pixels, and one in so many of its valid ones."""


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """Pixels of objects as horizontal runs, in reading order within an object: row, first column, length, and which object, (N,) each."""

    rows: Indices
    columns: Indices
    lengths: Indices
    labels: Indices

    def counts(self, objects: int) -> Indices:
        """Pixels of each object, (objects,)."""
        return _sums(self.labels, self.lengths, objects)

    def border_counts(self, objects: int, height: int, width: int) -> Indices:
        """Pixels of each object in the outermost rows and columns of the picture, (objects,)."""
        at_ends = (self.columns == 0).astype(np.intp) + (self.columns + self.lengths == width)
        whole = (self.rows == 0) | (self.rows == height - 1)
        return _sums(self.labels, np.where(whole, self.lengths, np.minimum(at_ends, self.lengths)), objects)

    def centroids(self, objects: int) -> tuple[Doubles, Doubles]:
        """Mean row and column of each object's pixels, (objects,) each; NaN for an object without pixels."""
        counts = self.counts(objects)
        rows = _sums(self.labels, self.rows * self.lengths, objects)
        doubled = _sums(self.labels, self.lengths * (2 * self.columns + self.lengths - 1), objects)
        with np.errstate(invalid="ignore"):
            return rows / counts, doubled / (2 * counts)

    def chosen(self, which: Bools | slice) -> Runs:
        """Some of the runs."""
        return Runs(self.rows[which], self.columns[which], self.lengths[which], self.labels[which])


@dataclass(frozen=True, slots=True, eq=False)
class MaskObjects:
    """The objects of an integer mask (H,W), 0 being background: found once, counted before a frame is worked on, measured after.

    ``ids`` are the mask's distinct values, ascending, int64; ``runs`` are all their pixels, labelled by the place in ``ids``. ``changes``, bool
    (H * W,), says where in the flattened mask a run begins.
    """

    mask: Mask
    changes: Bools
    ids: npt.NDArray[np.int64]
    runs: Runs

    @classmethod
    def of(cls, mask: Mask) -> MaskObjects:
        """Finds them. Raises :class:`ValueError` for what is no two-dimensional array of integers."""
        if mask.ndim != 2 or mask.dtype.kind not in "iu" or mask.size == 0:
            raise ValueError(f"a mask of integers (H, W) is needed, not {mask.dtype} {mask.shape}")
        width = mask.shape[1]
        flat = np.ascontiguousarray(mask).reshape(-1)
        changes = _changes(flat, width)
        starts, lengths = _run_bounds(changes)
        values = flat[starts]
        seen = values != 0
        ids, labels = _compact(values[seen])
        rows, columns = np.divmod(starts[seen], width)
        return cls(flat.reshape(mask.shape), changes, ids, Runs(rows, columns, lengths[seen], labels))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.mask.shape

    @property
    def counts(self) -> Indices:
        """Pixels of each object, in the order of ``ids``."""
        return self.runs.counts(len(self.ids))

    def only(self, values: npt.NDArray[np.int64]) -> MaskObjects:
        """Without the objects that have none of ``values`` (M,). Their pixels go on being what other objects end at."""
        kept = np.isin(self.ids, values)
        if kept.all():
            return self
        runs = self.runs.chosen(kept[self.runs.labels])
        places = np.cumsum(kept) - 1
        return replace(self, ids=self.ids[kept], runs=replace(runs, labels=places[runs.labels]))

    def core(self) -> Bools:
        """bool (H,W): pixels whose 8 neighbours inside the picture all have their value. The picture's border does not erode."""
        mask = self.mask
        height, width = mask.shape
        core = np.empty(mask.shape, dtype=np.bool_)
        band = max(1, _BAND_PIXELS // max(width, 1))
        for top in range(0, height, band):
            # With one row more above and below, where there is one.
            first, last = max(top - 1, 0), min(top + band + 1, height)
            core[top : top + band] = _even(mask[first:last])[top - first : top - first + band]
        return core

    def runs_where(self, where: Bools) -> Runs:
        """The objects' pixels at which ``where`` (H,W) is True."""
        width = self.mask.shape[1]
        flat = where.reshape(-1)
        changes = np.empty(flat.size, dtype=np.bool_)
        np.not_equal(flat[1:], flat[:-1], out=changes[1:])
        changes |= self.changes
        starts, lengths = _run_bounds(changes)
        kept = flat[starts]
        starts, lengths = starts[kept], lengths[kept]
        values = self.mask.reshape(-1)[starts]
        labels = np.minimum(np.searchsorted(self.ids, values), len(self.ids) - 1)
        kept = self.ids[labels] == values if len(self.ids) else np.zeros(len(values), dtype=np.bool_)
        rows, columns = np.divmod(starts[kept], width)
        return Runs(rows, columns, lengths[kept], labels[kept])


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """What is measured of each object, and what was counted on the way; arrays in the order of :attr:`MaskObjects.ids`.

    ``runs`` are sorted by object: those of object i from ``run_bounds[i]`` to ``run_bounds[i + 1]``, with ``measured[i]`` pixels. ``outline``:
    pixels with a neighbour that is not the object's, beyond the picture included.
    """

    valid: Indices
    measured: Indices
    eroded: Bools
    border: Indices
    outline: Indices
    runs: Runs
    run_bounds: Indices

    @classmethod
    def of(cls, objects: MaskObjects, usable: Bools) -> Selection:
        """``usable``: bool (H,W), where there is a depth. Eroded is each object whose core holds enough of it."""
        count = len(objects.ids)
        height, width = objects.mask.shape
        core = objects.core()
        everything = bool(usable.all())
        core_runs = objects.runs_where(core)
        counts, border = objects.counts, objects.runs.border_counts(count, height, width)
        inside = core_runs.counts(count) - core_runs.border_counts(count, height, width)
        valid_runs = objects.runs if everything else objects.runs_where(usable)
        if not everything:
            core_runs = objects.runs_where(core & usable)
        valid, core_valid = valid_runs.counts(count), core_runs.counts(count)
        eroded = (core_valid >= MIN_CORE_PIXELS) & (MIN_CORE_PART * core_valid >= valid)
        runs = _sorted_by_object(core_runs.chosen(eroded[core_runs.labels]), valid_runs.chosen(~eroded[valid_runs.labels]), count)
        run_bounds = np.concatenate(([0], np.cumsum(np.bincount(runs.labels, minlength=count)))).astype(np.intp)
        return cls(valid, runs.counts(count), eroded, border, counts - inside, runs, run_bounds)

    def nearest(self, label: int, row: float, column: float) -> tuple[int, int]:
        """Row and column of the object's measured pixel whose centre is nearest to that of pixel coordinates (row, column); of equally near
        ones the first in reading order. The object has one."""
        part = slice(self.run_bounds[label], self.run_bounds[label + 1])
        rows, first = self.runs.rows[part], self.runs.columns[part]
        columns = np.minimum(np.maximum(int(np.ceil(column - 0.5)), first), first + self.runs.lengths[part] - 1)
        best = int(np.argmin((rows - row) ** 2 + (columns - column) ** 2))
        return int(rows[best]), int(columns[best])


def _sorted_by_object(first: Runs, second: Runs, count: int) -> Runs:
    """All runs of both, object by object; an object's runs are all of one of them, and stay in reading order."""
    labels = np.concatenate((first.labels, second.labels))
    # numpy sorts 16-bit keys by radix, in linear time.
    order = np.argsort(labels.astype(_label_type(count)), kind="stable")
    both = ((first.rows, second.rows), (first.columns, second.columns), (first.lengths, second.lengths))
    rows, columns, lengths = (np.concatenate(pair)[order] for pair in both)
    return Runs(rows, columns, lengths, labels[order])


def _even(mask: Mask) -> Bools:
    """bool (H,W): pixels whose neighbours in this piece of a mask all have their value."""
    uneven = np.zeros(mask.shape, dtype=np.bool_)
    beside, below = mask[:, 1:] != mask[:, :-1], mask[1:] != mask[:-1]
    uneven[:, 1:] = beside
    uneven[:, :-1] |= beside
    # A pixel's row neighbours are even, and so are those of the pixels above and below, which have its value: all nine are one.
    edge = uneven.copy()
    edge[1:] |= uneven[:-1]
    edge[:-1] |= uneven[1:]
    edge[1:] |= below
    edge[:-1] |= below
    return ~edge


def _changes(flat: Mask, width: int) -> Bools:
    """bool (N,): where a run may begin, by value or because a row does."""
    changes = np.empty(flat.size, dtype=np.bool_)
    np.not_equal(flat[1:], flat[:-1], out=changes[1:])
    changes[::width] = True
    return changes


def _run_bounds(changes: Bools) -> tuple[Indices, Indices]:
    """First index and length of each run."""
    starts = np.flatnonzero(changes)
    return starts, np.diff(starts, append=changes.size)


def _sums(labels: Indices, amounts: npt.NDArray[Any], objects: int) -> Indices:
    """The sum of ``amounts`` for each label. Exact: whole numbers below 2^53."""
    return np.bincount(labels, weights=amounts, minlength=objects).astype(np.intp)


def _compact(values: Mask) -> tuple[npt.NDArray[np.int64], Indices]:
    """Ascending distinct values, and for each element the index of its value among them."""
    if values.size == 0:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.intp)
    low, high = int(values.min()), int(values.max())
    if high - low < _TABLE_SPAN:
        offsets = values.astype(np.int64) - low
        present = np.bincount(offsets, minlength=high - low + 1) > 0
        return (np.flatnonzero(present) + low).astype(np.int64), (np.cumsum(present) - 1)[offsets]
    ids, labels = np.unique(values, return_inverse=True)
    return ids.astype(np.int64), labels.reshape(-1)


def _label_type(count: int) -> type[np.uint16] | type[np.uint32]:
    return np.uint16 if count <= 1 << 16 else np.uint32
