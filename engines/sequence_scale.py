# SPDX-License-Identifier: Apache-2.0
"""One scale (and shift) per frame, so that what does not change in a sequence of pictures keeps its depth.

A relative model answers every picture in a unit of its own, and played one after the other the frames would pump. Here each frame is
brought to the unit of its shot's first one:

- Only pixels whose picture hardly changed are compared, and not those beside one that changed: what moves has a right to another depth.
  When the camera moves, everything is first followed to where it was (dense optical flow).
- RELATIVE maps get a scale, the median of the log ratios: half of the compared pixels may be wrong. DISPARITY maps get scale and shift
  by least trimmed squares: four in ten may be wrong.
- A frame is compared with the oldest *anchor* that still shows enough of the same, and not with its neighbour, so that errors do not add
  up from frame to frame. Only when no anchor does is the neighbour made one. The first anchor is the shot's first frame. So the drift is
  that of as many comparisons as there are anchors in between, and none while a fixed camera looks on.
- Where the picture changes altogether a new shot begins, in the model's own unit again.

Frames are handed in one by one, and only a few small ones are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from .depth_map import DepthKind
from .errors import DepthKindError
from .line_fit import fit_line

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

_LONG_SIDE = 160
# Of 255, in the small picture: sensor noise, averaged over a block, stays below it.
_UNCHANGED = 5.0
_FOLLOWED = 10.0
# Where the brightness changes by this much from pixel to pixel, a camera that moves changes the picture.
_TEXTURED = 10.0
_TEXTURE_IN_PLACE = 0.4
_ENOUGH_OF_ANCHOR = 0.15
_ENOUGH_FOLLOWED = 0.5
_ENOUGH_OF_NEIGHBOUR = 0.05
_LEAST_CHANGED = 0.2
_MOST_ANCHORS = 6
# Of a cut both are true: the pictures have neither their shapes nor their colours in common.
_CUT_CORRELATION = 0.5
_CUT_COLOURS_SHARED = 0.6


@dataclass(frozen=True, slots=True)
class FrameScale:
    """What a frame's values are to be multiplied by, and for disparity what is added then. ``reference`` is the frame it was compared
    with, its own index where a shot begins."""

    index: int
    scale: float
    shift: float
    reference: int

    @property
    def starts_shot(self) -> bool:
        return self.reference == self.index


@dataclass(frozen=True, slots=True, eq=False)
class FrameView:
    """A frame in small, for comparing: ``picture`` float32 (h,w,3) in 0..255, ``values`` float64 (h,w), ``known`` bool (h,w), False where
    there is no surface."""

    picture: FloatArray
    values: npt.NDArray[np.float64]
    known: BoolArray

    @classmethod
    def of(cls, image: npt.NDArray[np.uint8], values: npt.NDArray[np.floating], known: BoolArray) -> FrameView:
        """From a picture (H,W,3) and values with their validity (R,C), of the same view at whatever two sizes."""
        height, width = image.shape[:2]
        shrink = min(1.0, _LONG_SIDE / max(height, width))
        size = max(1, round(width * shrink)), max(1, round(height * shrink))
        picture = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        rows = ((np.arange(size[1]) + 0.5) * values.shape[0] / size[1]).astype(np.intp)
        columns = ((np.arange(size[0]) + 0.5) * values.shape[1] / size[0]).astype(np.intp)
        grid = np.ix_(rows, columns)
        return cls(picture, values[grid].astype(np.float64), known[grid] & (values[grid] > 0))


class SequenceScale:
    """Finds the scale of one frame after the other. ``kind``: RELATIVE or DISPARITY; METRIC maps can be steadied too, as if they were
    relative, and then the metres of each shot are those of its first frame. One thread at a time."""

    def __init__(self, kind: DepthKind) -> None:
        self._kind = kind
        self._anchors: list[_Reference] = []
        self._last: _Reference | None = None

    def find(self, index: int, view: FrameView) -> FrameScale:
        """The scale of frame ``index``, whose values in ``view`` are as the model gave them. Hand it to :meth:`keep` afterwards. Raises
        :class:`DepthKindError` when its values are none of the kind."""
        if not np.isfinite(view.values[view.known]).all():
            raise DepthKindError(f"Frame {index} has depths that are not finite; its picture or the model is damaged.")
        if self._last is None or _is_cut(self._last.view.picture, view.picture):
            return FrameScale(index, 1.0, 0.0, index)
        for anchor in self._anchors:
            pairs = _pairs(anchor.view, view)
            if pairs.share >= pairs.enough and (found := self._fit(index, anchor, pairs)):
                return found
        pairs = _pairs(self._last.view, view)
        if pairs.share < _ENOUGH_OF_NEIGHBOUR:
            pairs = _least_changed(self._last.view, view)
        return self._fit(index, self._last, pairs) or FrameScale(index, 1.0, 0.0, index)

    def keep(self, found: FrameScale, load: Callable[[], FrameView]) -> None:
        """Take frame ``found.index`` as one that later frames are compared with. ``load`` gives its view with the values scaled, at most
        once and only when needed: for a frame of an earlier run it may read files."""
        reference = _Reference(found.index, load)
        if found.starts_shot:
            self._anchors = [reference]
        elif self._last is not None and found.reference == self._last.index and all(a.index != found.reference for a in self._anchors):
            self._anchors.append(self._last)
            if len(self._anchors) > _MOST_ANCHORS:
                del self._anchors[1]  # the shot's first is the one without drift
        self._last = reference

    def _fit(self, index: int, reference: _Reference, pairs: _Pairs) -> FrameScale | None:
        if len(pairs.given) < 2:
            return None
        if self._kind is DepthKind.DISPARITY:
            line = fit_line(pairs.given, pairs.wanted)
            return None if line is None else FrameScale(index, *line, reference.index)
        scale = float(np.exp(np.median(np.log(pairs.wanted) - np.log(pairs.given))))
        return FrameScale(index, scale, 0.0, reference.index)


class _Reference:
    """A frame that others are compared with, loaded when it is first asked for."""

    def __init__(self, index: int, load: Callable[[], FrameView]) -> None:
        self.index = index
        self._load: Callable[[], FrameView] | None = load
        self._view: FrameView | None = None

    @property
    def view(self) -> FrameView:
        if self._view is None:
            assert self._load is not None
            self._view, self._load = self._load(), None
        return self._view


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """What a frame's values should be and what they are, of the same things; float64 (N,). ``share``: of the frame's known pixels.
    ``enough``: the share at which an anchor is trusted."""

    wanted: npt.NDArray[np.float64]
    given: npt.NDArray[np.float64]
    share: float
    enough: float


def _pairs(reference: FrameView, view: FrameView) -> _Pairs:
    """The pixels that show the same as in the reference: in place, or followed to where they were when the camera moved."""
    changed = _change(reference.picture, view.picture) > _UNCHANGED
    if _camera_stands(view.picture, changed):
        # A network's depth of a pixel depends on its neighbours, too.
        still = cv2.dilate(changed.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0
        return _paired(reference.values, view, still & reference.known, _ENOUGH_OF_ANCHOR)
    flow = _flow(view.picture, reference.picture)
    height, width = view.known.shape
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    columns, rows = columns + flow[..., 0], rows + flow[..., 1]
    inside = (columns >= 0) & (rows >= 0) & (columns <= width - 1) & (rows <= height - 1)
    picture = np.asarray(cv2.remap(reference.picture, columns, rows, cv2.INTER_LINEAR), dtype=np.float32)
    values = cv2.remap(reference.values.astype(np.float32), columns, rows, cv2.INTER_LINEAR)
    known = cv2.remap(reference.known.astype(np.float32), columns, rows, cv2.INTER_LINEAR) > 0.999
    followed = inside & known & (_change(picture, view.picture) <= _FOLLOWED) & (values > 0)
    return _paired(values.astype(np.float64), view, followed, _ENOUGH_FOLLOWED)


def _least_changed(reference: FrameView, view: FrameView) -> _Pairs:
    """The fifth of the pixels known in both whose picture changed least."""
    known = reference.known & view.known
    if known.any():
        change = cv2.blur(_change(reference.picture, view.picture), (5, 5))
        known &= change <= np.quantile(change[known], _LEAST_CHANGED)
    return _paired(reference.values, view, known, _LEAST_CHANGED)


def _paired(wanted: npt.NDArray[np.float64], view: FrameView, same: BoolArray, enough: float) -> _Pairs:
    same = same & view.known
    return _Pairs(wanted[same], view.values[same], float(same.sum()) / max(1, int(view.known.sum())), enough)


def _camera_stands(picture: FloatArray, changed: BoolArray) -> bool:
    """Whether what has edges is for a good part where it was; without edges nothing tells."""
    grey = picture.mean(axis=2)
    edges = np.zeros(grey.shape, dtype=np.bool_)
    edges[:, 1:] |= np.abs(np.diff(grey, axis=1)) > _TEXTURED
    edges[1:] |= np.abs(np.diff(grey, axis=0)) > _TEXTURED
    return not edges.any() or float((~changed[edges]).mean()) >= _TEXTURE_IN_PLACE


def _flow(to: FloatArray, came_from: FloatArray) -> FloatArray:
    """Where each pixel of ``to`` was in ``came_from``, relative to its place, in pixels, float32 (h,w,2). Kroeger et al. 2016, "Fast optical
    flow using dense inverse search"."""
    grey = [np.clip(picture.mean(axis=2), 0, 255).astype(np.uint8) for picture in (to, came_from)]
    if min(grey[0].shape) < 16:
        return np.zeros((*grey[0].shape, 2), dtype=np.float32)
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    return np.asarray(method.calc(grey[0], grey[1], None), dtype=np.float32)  # type: ignore[call-overload]


def _change(first: FloatArray, second: FloatArray) -> FloatArray:
    return np.asarray(np.abs(first - second).max(axis=2), dtype=np.float32)


def _is_cut(first: FloatArray, second: FloatArray) -> bool:
    """Whether two pictures have neither shapes (correlation of their blurred brightness) nor colours (shared part of their histograms)
    in common."""
    return _correlation(first, second) < _CUT_CORRELATION and _colours_shared(first, second) < _CUT_COLOURS_SHARED


def _correlation(first: FloatArray, second: FloatArray) -> float:
    one, other = (cv2.blur(picture.mean(axis=2), (9, 9)).astype(np.float64) for picture in (first, second))
    one, other = one - one.mean(), other - other.mean()
    power = float(np.sqrt((one**2).mean() * (other**2).mean()))
    # Even pictures have no shapes to compare.
    return float((one * other).mean()) / power if power > 1.0 else 0.0


def _colours_shared(first: FloatArray, second: FloatArray) -> float:
    counts = []
    for picture in (first, second):
        # Eight soft steps of each channel would be finer; four are enough to tell two places apart.
        bins = np.minimum(picture.astype(np.int64) // 64, 3).reshape(-1, 3) @ np.array([16, 4, 1])
        counts.append(np.bincount(bins, minlength=64) / len(bins))
    return float(np.minimum(counts[0], counts[1]).sum())
