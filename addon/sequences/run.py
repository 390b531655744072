# SPDX-License-Identifier: GPL-3.0-or-later
"""One run over the frames of a sequence: estimate, bring to one scale, write, and remember, frame by frame. Imports no bpy."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...engines.atomic import atomic_path
from ...engines.camera import CameraSource
from ...engines.cancel import CancelToken
from ...engines.depth_map import DepthKind, DepthMap
from ...engines.errors import DepthKindError
from ...engines.estimator import Estimator
from ...engines.frames import Frames, Movie, PictureFolder
from ...engines.grid_mesh import grid_positions
from ...engines.sequence_scale import FrameScale, FrameView, SequenceScale
from ..jobs.pipeline import Picture, estimate_for_build
from ..jobs.progress import Progress, Report, Stage
from ..jobs.request import CameraChoice
from ..picture_files import encode_photo
from ..prepare import Conversion, guess_conversion
from .frame import FrameGrid
from .record import (
    Ending,
    FrameEntry,
    SequenceHeader,
    append_log,
    check_same,
    forget,
    frame_path,
    photo_path,
    read_header,
    read_log,
    write_header,
)

ImageArray = npt.NDArray[np.uint8]


@dataclass(slots=True, eq=False)
class SequenceRun:
    """What :func:`~.files.estimate_sequence` does, once its folder is there and nobody else's."""

    frames: Frames
    engine: Estimator
    choice: CameraChoice
    stride: int
    out: Path
    progress: Report
    cancel: CancelToken
    steady_metric: bool
    conversion: Conversion | None
    _log: dict[int, FrameEntry] = field(default_factory=dict)
    _header: SequenceHeader | None = None
    _scale: SequenceScale | None = None
    # The folder holds frames of an earlier run, which may be replaced.
    _resumed: bool = False
    _spent_s: float = 0.0
    _estimated: int = 0

    def run(self, *, force: bool) -> tuple[SequenceHeader, Ending, dict[int, FrameEntry]]:
        """Everything; what is finished stays when it fails."""
        there = read_header(self.out)
        if there is not None and force:
            forget(self.out)
        elif there is not None:
            self._take_over(there[0])
        count = self._all_frames()
        ending = self._photos(count)
        assert self._header is not None
        return self._header, ending, self._log

    def _take_over(self, there: SequenceHeader) -> None:
        """Go on where another run with the same settings stopped."""
        camera, source = self.choice.resolve(self.frames.width, self.frames.height)
        wanted = replace(
            there,
            # Both folders may have been moved together: that the pictures are the same ones is told by their marks.
            source=there.source if there.source.name == self.frames.path.name else self.frames.path.absolute(),
            width=self.frames.width,
            height=self.frames.height,
            stride=self.stride,
            rows=self._size[0],
            columns=self._size[1],
            model=self.engine.model_id,
            camera=camera or there.camera,
            camera_source=source if camera is not None else there.camera_source,
            steadied=self.steady_metric and there.kind is DepthKind.METRIC,
            conversion=self.conversion or there.conversion,
        )
        check_same(self.out, there, wanted)
        self._begin(replace(there, source=self.frames.path.absolute()))
        self._resumed = True
        self._log = read_log(self.out)

    def _begin(self, header: SequenceHeader) -> None:
        self._header = header
        if header.kind is not DepthKind.METRIC or header.steadied:
            self._scale = SequenceScale(header.kind)

    def _all_frames(self) -> int:
        """Every frame that is not finished yet; how many there are."""
        index = 0
        while True:
            self.cancel.check()
            entry = self._log.get(index)
            if entry is None or entry.mark != self.frames.mark_of(index):
                rgb = self.frames.frame(index)
                if rgb is None:
                    break
                entry = self._frame(index, rgb)
            elif self._scale is not None:
                self._scale.keep(entry.found, lambda index=index: self._view_of_earlier(index))  # type: ignore[misc]
            self._log[index] = entry
            index += 1
            self._tell(index)
        return index

    def _frame(self, index: int, rgb: ImageArray) -> FrameEntry:
        started = time.perf_counter()
        depth = self._estimate(rgb)
        header = self._header
        assert header is not None
        if depth.kind is not header.kind:
            raise DepthKindError(
                f"{header.model} gave {depth.kind} depth for frame {index}, and {header.kind} for the first; nothing fits them together."
            )
        if header.kind is DepthKind.DISPARITY and header.conversion is None and depth.valid.any():
            # Without a surface there is nothing to guess from: the first frames may be black.
            header = self._header = replace(header, conversion=guess_conversion(depth))
            write_header(self.out, header, overwrite=True)
        found = FrameScale(index, 1.0, 0.0, 0)
        if self._scale is not None:
            grid = np.ix_(grid_positions(depth.height, self.stride), grid_positions(depth.width, self.stride))
            found = self._scale.find(index, FrameView.of(rgb, depth.values[grid], depth.valid[grid]))
        frame = FrameGrid.of(_shape(depth, found, header.conversion), self.stride)
        self.cancel.check()
        frame.write(frame_path(self.out, index), overwrite=self._resumed)
        if self._resumed:
            photo_path(self.out, index).unlink(missing_ok=True)  # of a picture that was replaced
        known = frame.depth[frame.ground]
        entry = FrameEntry(
            found,
            float(np.min(known)) if known.size else None,
            float(np.max(known)) if known.size else None,
            self.frames.mark_of(index),
            self.frames.shown_as_read(index),
        )
        append_log(self.out, entry)
        if self._scale is not None:
            view = _aligned_view(rgb, frame, header.conversion)
            self._scale.keep(found, lambda: view)
        self._spent_s, self._estimated = self._spent_s + time.perf_counter() - started, self._estimated + 1
        return entry

    def _estimate(self, rgb: ImageArray) -> DepthMap:
        """Depth of a frame, with the camera of them all: the first frame decides it."""
        if self._header is not None:
            return self.engine.estimate(rgb, self._header.camera, cancel=self.cancel)
        picture = Picture(rgb, self.frames.camera)
        depth = estimate_for_build(self.engine, picture, self.choice, cancel=self.cancel).assuming_camera()
        assert depth.camera is not None
        header = SequenceHeader(
            source=self.frames.path.absolute(),
            name=self.frames.name,
            width=self.frames.width,
            height=self.frames.height,
            fps=self.frames.fps,
            stride=self.stride,
            rows=self._size[0],
            columns=self._size[1],
            model=self.engine.model_id,
            kind=depth.kind,
            steadied=self.steady_metric and depth.kind is DepthKind.METRIC,
            camera=depth.camera,
            camera_source=depth.camera_source if depth.camera_source is not CameraSource.NONE else CameraSource.GIVEN,
            conversion=self.conversion if depth.kind is DepthKind.DISPARITY else None,
            scale_note=depth.scale_note,
            has_sky=depth.sky is not None,
        )
        write_header(self.out, header, overwrite=False)
        self._begin(header)
        return depth

    def _view_of_earlier(self, index: int) -> FrameView:
        assert self._header is not None
        frame = FrameGrid.read(frame_path(self.out, index), self._size[0], self._size[1])
        return _aligned_view(self.frames.read(index), frame, self._header.conversion)

    def _photos(self, count: int) -> Ending:
        """What Blender plays as the picture: the source itself where it shows every frame as it was read, else copies."""
        if all(self._log[index].shown_as_read for index in range(count)):
            if isinstance(self.frames, PictureFolder) and self.frames.numbered_from is not None:
                return Ending(count, self.frames.files[0].absolute(), False, self.frames.numbered_from)
            if isinstance(self.frames, Movie):
                return Ending(count, self.frames.path, True, 1)
        for index in range(count):
            self.cancel.check()
            target = photo_path(self.out, index)
            if not target.exists():
                content = encode_photo(self.frames.read(index)).content
                with atomic_path(target) as temporary:
                    temporary.write_bytes(content)
            self.progress(Progress(Stage.PREPARE, 1.0, None))
        return Ending(count, photo_path(self.out, 0), False, 1)

    @property
    def _size(self) -> tuple[int, int]:
        """Rows and columns of the grid."""
        return len(grid_positions(self.frames.height, self.stride)), len(grid_positions(self.frames.width, self.stride))

    def _tell(self, done: int) -> None:
        total = max(len(self.frames), done)
        left = (total - done) * self._spent_s / self._estimated if self._estimated else None
        self.progress(Progress(Stage.ESTIMATE, done / total, left))


def _shape(depth: DepthMap, found: FrameScale, conversion: Conversion | None) -> DepthMap:
    """The map in the sequence's scale, as depth."""
    if depth.kind is not DepthKind.DISPARITY:
        return depth if found.scale == 1.0 else replace(depth, values=depth.values * np.float32(found.scale))
    if conversion is None:  # no frame has shown a surface yet
        return replace(depth, kind=DepthKind.RELATIVE, valid=np.zeros_like(depth.valid), values=np.zeros_like(depth.values))
    return depth.to_metric(conversion.scale * found.scale, conversion.scale * found.shift + conversion.shift)


def _aligned_view(rgb: ImageArray, frame: FrameGrid, conversion: Conversion | None) -> FrameView:
    """What later frames are compared with, from what was written: the same in this run and in the next."""
    values = frame.depth.astype(np.float64)
    if conversion is not None:
        with np.errstate(divide="ignore"):
            values = np.where(values > 0, (1 / values - conversion.shift) / conversion.scale, 0.0)
    return FrameView.of(rgb, values, frame.ground)
