# SPDX-License-Identifier: GPL-3.0-or-later
"""From a request to something that Blender's main thread only has to write down. Runs in any thread, stops when asked. Imports no bpy."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from ...engines.camera import ASSUMED_FOV_VERTICAL_DEG, CameraIntrinsics, CameraSource
from ...engines.cancel import CancelToken, call_stoppable
from ...engines.depth_file import read_depth_file
from ...engines.depth_map import DepthKind, DepthMap
from ...engines.engine import DepthEngine
from ...engines.errors import ImageError
from ...engines.estimator import Estimator
from ...engines.export.color_map import color_map
from ...engines.images import decode_image
from ..backfill_layer import PreparedBackfill, prepare_backfill
from ..options import BuildAs
from ..prepare import Prepared, prepare
from .progress import Course, Pace, Progress, Report, Stage
from .request import BuildRequest, CameraChoice, CameraMode, ImageArray, Source

__all__ = ["Picture", "Progress", "Ready", "Stage", "estimate_for_build", "run"]

T = TypeVar("T")

# A width of 1000 pixels and its half may have been rounded apart by a little more than a pixel.
_PROPORTIONS = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """``rgb``: uint8 (H,W,3), upright. ``exif_camera``: its camera as EXIF describes it. ``file``: a file that
    Blender shows as ``rgb``, or None when it shows another picture (turned, of another size, another colour profile)."""

    rgb: ImageArray
    exif_camera: CameraIntrinsics | None = None
    file: Path | None = None
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.rgb.shape[1], self.rgb.shape[0]


@dataclass(frozen=True, slots=True, eq=False)
class Ready:
    """``prepared``: for ``build_objects``. ``backfill``: for ``add_backfill``; None when none was asked for, or nothing is torn. ``notes``:
    sentences the user should read."""

    prepared: Prepared
    backfill: PreparedBackfill | None
    notes: tuple[str, ...]


def run(
    request: BuildRequest,
    *,
    progress: Report,
    cancel: CancelToken,
    estimator: Estimator | None = None,
    pace: Pace | None = None,
) -> Ready:
    """Everything of ``request`` that is not Blender's.

    ``estimator``: an open engine, for many requests; without one, the request's is opened and closed again. ``progress`` is called from
    two threads, one at a time. Raises a ``DepthbridgeError``; :class:`CancelledError` soon after ``cancel`` was called, whatever is being
    done: a library that cannot be interrupted finishes by itself, unheard.
    """
    stages = [Stage.READ]
    if request.source.depth_file is None:
        stages += [Stage.LOAD, Stage.ESTIMATE] if estimator is None else [Stage.ESTIMATE]
    course = Course([*stages, Stage.PREPARE], progress, pace or Pace())

    def stage(which: Stage, work: Callable[[], T]) -> T:
        with course.stage(which):
            return call_stoppable(work, cancel)

    picture, depth = stage(Stage.READ, lambda: _read(request.source, request.camera))
    notes = list(picture.notes)
    if depth is None:
        engine: AbstractContextManager[Estimator] = nullcontext(estimator) if estimator is not None else stage(Stage.LOAD, request.engine.open)
        with engine as opened:
            with course.stage(Stage.ESTIMATE):
                # Not through `stage`: the engine knows how to be stopped, and is not to be closed beneath a run.
                depth = estimate_for_build(opened, picture, request.camera, cancel=cancel)
            notes += _engine_notes(opened)
    found = depth
    with course.stage(Stage.PREPARE):
        prepared = call_stoppable(lambda: prepare(found, picture.rgb, request.options, photo_file=picture.file), cancel)
        backfill = call_stoppable(lambda: prepare_backfill(prepared), cancel) if request.backfill else None
    if request.backfill and backfill is None:
        notes.append(f"Nothing of {request.source.name} is torn, so there is no gap to fill.")
    notes += _shape_notes(prepared, request.camera)
    return Ready(prepared, backfill, tuple(dict.fromkeys(notes)))


def estimate_for_build(
    estimator: Estimator, picture: Picture, choice: CameraChoice | None = None, *, cancel: CancelToken | None = None
) -> DepthMap:
    """Depth to build from, with the camera that the choice, EXIF or the model tells, in the order that the choice says.

    A model that needs the focal length for its metres gets the assumed camera when none is known, so that the result is in metres under
    the same assumption that it is built with; its camera is marked :attr:`CameraSource.ASSUMED`.
    """
    choice = choice or CameraChoice()
    width, height = picture.size
    camera, source = choice.resolve(width, height)
    if camera is None and choice.mode is CameraMode.MODEL:
        depth = estimator.estimate(picture.rgb, None, cancel=cancel)
        if depth.camera is not None:
            return depth
    if camera is None and picture.exif_camera is not None:
        camera, source = picture.exif_camera, CameraSource.EXIF
    if camera is None and estimator.needs_camera:
        camera, source = CameraIntrinsics.assumed(width, height), CameraSource.ASSUMED
    depth = estimator.estimate(picture.rgb, camera, cancel=cancel)
    return depth if camera is None else replace(depth, camera_source=source)


def _engine_notes(estimator: Estimator) -> tuple[str, ...]:
    return estimator.info.notes if isinstance(estimator, DepthEngine) else ()


# ---- reading -----------------------------------------------------------------------------------------------------------


def _read(source: Source, choice: CameraChoice) -> tuple[Picture, DepthMap | None]:
    """The picture, and the depth where it exists already; both of one size then."""
    picture = _read_picture(source.picture)
    if source.depth_file is None:
        assert picture is not None
        choice.resolve(*picture.size)  # a camera that is none is told before a model is loaded
        return picture, None
    depth = read_depth_file(source.depth_file, source.meaning)
    notes = () if depth.scale_note is None else (depth.scale_note,)
    if picture is None:
        colored = f"{source.depth_file.name} comes without a picture: its object is coloured by depth."
        picture = Picture(color_map(depth), notes=(colored, *notes))
    else:
        picture = replace(_fitted(picture, depth, source.depth_file), notes=(*picture.notes, *notes))
    return picture, _with_camera(depth, picture, choice)


def _read_picture(source: Path | ImageArray | None) -> Picture | None:
    if source is None:
        return None
    if isinstance(source, np.ndarray):
        if source.ndim != 3 or source.shape[2] != 3 or source.dtype != np.uint8 or 0 in source.shape:
            raise ImageError(f"The picture is {source.dtype} of shape {source.shape}; give uint8 RGB (height, width, 3).")
        return Picture(source)
    decoded = decode_image(source)
    return Picture(decoded.rgb, decoded.exif_camera, source if decoded.as_stored else None, decoded.notes)


def _fitted(picture: Picture, depth: DepthMap, depth_file: Path) -> Picture:
    """The picture at the size of its depth map, which may be smaller or larger: an object remembers both by the same pixels."""
    if picture.size == (depth.width, depth.height):
        return picture
    width, height = picture.size
    if abs(math.log((width / height) / (depth.width / depth.height))) > _PROPORTIONS + 1 / min(depth.width, depth.height, width, height):
        raise ImageError(
            f"The picture has {width}x{height} pixels and {depth_file.name} {depth.width}x{depth.height}, which is no smaller or larger "
            "version of it; give the picture the depth was made from."
        )
    how = cv2.INTER_AREA if depth.width < width else cv2.INTER_LINEAR
    rgb = np.asarray(cv2.resize(picture.rgb, (depth.width, depth.height), interpolation=how), dtype=np.uint8)
    exif = None if picture.exif_camera is None else picture.exif_camera.resized(depth.width, depth.height)
    return replace(picture, rgb=rgb, exif_camera=exif, file=None)


def _with_camera(depth: DepthMap, picture: Picture, choice: CameraChoice) -> DepthMap:
    """A depth file's camera: the given one, else its own, else EXIF's."""
    camera, source = choice.resolve(depth.width, depth.height)
    if camera is None and depth.camera is None and picture.exif_camera is not None:
        camera, source = picture.exif_camera, CameraSource.EXIF
    return depth if camera is None else replace(depth, camera=camera, camera_source=source)


# ---- preparing ---------------------------------------------------------------------------------------------------------


def _shape_notes(prepared: Prepared, choice: CameraChoice) -> list[str]:
    """What was assumed, and what makes it sure."""
    notes = []
    source = prepared.source.camera_source
    if choice.mode is CameraMode.MODEL and source is CameraSource.EXIF:
        notes.append(f"{prepared.source.model_id} predicts no camera; that of the picture's EXIF data is taken.")
    if source is CameraSource.ASSUMED:
        notes.append(
            f"No camera is known: {ASSUMED_FOV_VERTICAL_DEG:g} degrees vertical are assumed; give the field of view for the true shape."
        )
    if prepared.conversion is not None and prepared.conversion.guessed:
        notes.append(
            f"{prepared.source.model_id} gives disparity: how deep the scene is was guessed, until two distances or the floor are measured."
        )
    elif prepared.shape.kind is DepthKind.RELATIVE:
        notes.append(f"{prepared.source.model_id} gives relative depth: one known distance makes metres of it.")
    return notes + _nothing_left(prepared)


def _nothing_left(prepared: Prepared) -> list[str]:
    """Why nothing will be seen, where that is so: what was built is there all the same, and looks like a failure."""
    options, depth = prepared.options, prepared.depth
    nearest, farthest = options.nearest or 0.0, math.inf if options.farthest is None else options.farthest
    if not ((depth >= nearest) & (depth <= farthest)).any():
        return [f"No pixel lies within the depth range; this picture's depths go from {np.min(depth):g} to {np.max(depth):g}."]
    if options.as_ is not BuildAs.POINTS and len(prepared.grid.faces) == 0:
        return [f"Every {prepared.stride}th pixel leaves {len(depth)} vertices and no face between them; choose a smaller step."]
    return []
