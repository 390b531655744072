# SPDX-License-Identifier: GPL-3.0-or-later
"""From a folder of pictures or a movie to the files that one object plays: an EXR for each frame, all in one scale. Runs in any thread,
stops when asked, goes on where it stopped. Imports no bpy."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ...engines.atomic import make_folder, writing_to
from ...engines.camera import CameraIntrinsics
from ...engines.cancel import CancelToken
from ...engines.errors import DepthbridgeError, DepthKindError, ImageError, OutputError
from ...engines.estimator import Estimator
from ...engines.file_lock import exclusive
from ...engines.frames import Frames, open_frames
from ..jobs.progress import Progress, Report, Stage
from ..jobs.request import BuildRequest, CameraChoice, CameraMode
from ..options import BuildAs, BuildOptions
from ..prepare import Conversion
from .frame import FrameGrid
from .record import Ending, FrameEntry, SequenceHeader, frame_path, read_header, read_log, write_header
from .run import SequenceRun

_LOCK_NAME = ".depthbridge-busy"


@dataclass(frozen=True, slots=True, eq=False)
class SequenceFiles:
    """A finished sequence on disk. ``nearest``, ``farthest``: of all its surfaces, in the unit of the header. ``shots``: the frames, from
    0, that begin one. ``notes``: sentences the user should read."""

    folder: Path
    header: SequenceHeader
    ending: Ending
    nearest: float
    farthest: float
    shots: tuple[int, ...]
    notes: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many frames there are."""
        return self.ending.count

    def frame(self, index: int) -> FrameGrid:
        """Frame ``index``, from 0, as its object reads it. Raises :class:`ImageError`."""
        return FrameGrid.read(frame_path(self.folder, index), self.header.rows, self.header.columns)


def run_sequence(
    request: BuildRequest, out: Path, *, progress: Report, cancel: CancelToken, estimator: Estimator | None = None, force: bool = False
) -> SequenceFiles:
    """Everything of a request for a sequence that is not Blender's; ``request.source.picture`` is the folder or movie.

    ``estimator``: an open engine, for many requests; without one, the request's is opened and closed again. See :func:`estimate_sequence`.
    """
    path = request.source.picture
    if not isinstance(path, Path):
        raise ImageError("A sequence is a folder of pictures or a movie; give the path of one.")
    frames = open_frames(path)
    try:
        progress(Progress(Stage.LOAD, 0.0, None))
        with nullcontext(estimator) if estimator is not None else request.engine.open(cancel) as opened:
            return estimate_sequence(frames, opened, request.camera, request.options, out, progress=progress, cancel=cancel, force=force)
    finally:
        frames.close()


def estimate_sequence(
    frames: Frames,
    engine: Estimator,
    camera: CameraChoice | CameraIntrinsics | None,
    options: BuildOptions,
    out: Path,
    *,
    progress: Report,
    cancel: CancelToken,
    force: bool = False,
    steady_metric: bool = False,
    conversion: Conversion | None = None,
) -> SequenceFiles:
    """Depth for every frame, as EXRs in the folder ``out``, which is made. Blocks; holds a few frames in memory at a time.

    The camera is that of all frames: as chosen, or as EXIF or the model tell it of the first. Relative depth and disparity are brought to
    one scale (:mod:`~...engines.sequence_scale`), and metres only with ``steady_metric``. Disparity becomes depth by ``conversion``, or by a
    guess from the first frame. Frames that an earlier run finished are not estimated again unless ``force``, which also overwrites another
    sequence in the folder. What is finished when it fails or is cancelled stays, for the next run.

    Raises a ``DepthbridgeError``: :class:`CancelledError` soon after ``cancel``, :class:`OutputError` when ``out`` cannot be written or holds
    another sequence, :class:`ImageError` for a frame that cannot be read.
    """
    if options.as_ is BuildAs.RELIEF:
        raise DepthKindError("A sequence is built as a mesh or as points, not as a relief; choose one of these.")
    choice = camera if isinstance(camera, CameraChoice) else CameraChoice()
    if isinstance(camera, CameraIntrinsics):
        choice = CameraChoice(CameraMode.INTRINSICS, intrinsics=camera)
    new = not out.exists()
    make_folder(out)
    try:
        with writing_to(out):
            lock = exclusive(out / _LOCK_NAME)
            with lock as ours:
                if not ours:
                    raise OutputError(f"{out} is being written by another build; wait for it, or choose another folder.")
                run = SequenceRun(
                    frames=frames,
                    engine=engine,
                    choice=choice,
                    stride=options.stride_of(frames.width, frames.height),
                    out=out,
                    progress=progress,
                    cancel=cancel,
                    steady_metric=steady_metric,
                    conversion=conversion,
                )
                header, ending, log = run.run(force=force)
                files = _files(out, header, ending, log, tuple(frames.notes))
                write_header(out, header, ending, overwrite=True)
                return files
    finally:
        if new:
            with suppress(OSError):
                out.rmdir()  # a folder that stayed empty


def read_sequence(folder: Path) -> SequenceFiles:
    """A finished sequence, for building it again. Raises :class:`DepthbridgeError` when there is none."""
    there = read_header(folder)
    if there is None:
        raise DepthbridgeError(f"{folder} holds no sequence; build it from its pictures.")
    header, ending = there
    if ending is None:
        raise DepthbridgeError(f"{folder} holds a sequence whose frames are not all finished; build it from its pictures.")
    if not ending.photo.exists() and (folder / ending.photo.name).exists():
        ending = replace(ending, photo=folder / ending.photo.name)  # a copy of ours, and the folder was moved
    return _files(folder, header, ending, read_log(folder), ())


def _files(folder: Path, header: SequenceHeader, ending: Ending, log: dict[int, FrameEntry], notes: tuple[str, ...]) -> SequenceFiles:
    entries = [log[index] for index in range(ending.count) if index in log]
    if len(entries) < ending.count:
        raise DepthbridgeError(f"{folder} lacks {ending.count - len(entries)} of its {ending.count} frames; build it again from its pictures.")
    nearest = [entry.nearest for entry in entries if entry.nearest is not None]
    farthest = [entry.farthest for entry in entries if entry.farthest is not None]
    if not nearest or not farthest:
        raise DepthKindError("No frame has a depth (is it all sky?); there is nothing to build.")
    shots = tuple(entry.found.index for entry in entries if entry.found.starts_shot)
    return SequenceFiles(folder, header, ending, min(nearest), max(farthest), shots, notes)
