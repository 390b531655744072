# SPDX-License-Identifier: GPL-3.0-or-later
"""The two halves of a build: what any thread does, and what the main thread adds to the open file from its outcome."""

from __future__ import annotations

from dataclasses import dataclass, replace

import bpy

from ...engines.camera import CameraIntrinsics, CameraSource
from ...engines.cancel import CancelToken
from ...engines.depth_map import DepthKind
from ..backfill import add_backfill, surface_of
from ..backfill_layer import PreparedBackfill
from ..build import build_objects
from ..jobs.pipeline import Ready, run
from ..jobs.progress import Pace, Report
from ..options import BuildAs
from ..prepare import Prepared
from ..provenance import is_built
from ..sequences.build import build_sequence
from ..sequences.files import SequenceFiles, run_sequence
from ..transaction import all_or_nothing
from .requests import Wanted

Outcome = Ready | SequenceFiles

CAMERA_WORDS = {
    CameraSource.GIVEN: "given",
    CameraSource.EXIF: "from EXIF",
    CameraSource.MODEL: "by the model",
    CameraSource.ASSUMED: "ASSUMED",
}
"""Where a camera came from, as the user reads it."""


@dataclass(frozen=True, slots=True)
class Added:
    """What a build added to the open file. ``summary``: one line about it; ``notes``: sentences the user should read."""

    object: bpy.types.Object
    camera: bpy.types.Object
    summary: str
    notes: tuple[str, ...]


def work(wanted: Wanted, report: Report, cancel: CancelToken, pace: Pace) -> Outcome:
    """Everything that is not Blender's, in any thread. Raises a ``DepthbridgeError``."""
    playing = wanted.playing
    if playing is not None:
        return run_sequence(wanted.request, playing.folder, progress=report, cancel=cancel, force=playing.again)
    return run(wanted.request, progress=report, cancel=cancel, pace=pace)


def add_outcome(context: bpy.types.Context, wanted: Wanted, outcome: Outcome) -> Added:
    """Add what was prepared to the open file, and select it. Main thread only. Raises, and adds nothing then."""
    with all_or_nothing():
        added = _add_single(wanted, outcome) if isinstance(outcome, Ready) else _add_playing(wanted, outcome)
        if context.mode != "OBJECT":
            bpy.ops.object.mode_set(mode="OBJECT")
        select_alone(context, added.object)
    around = _around(context, added.object)
    return replace(added, summary=f"{added.summary}. {around} stands in the way: hide or move it") if around else added


def _add_single(wanted: Wanted, outcome: Ready) -> Added:
    prepared = outcome.prepared
    built = build_objects(prepared, wanted.request.source.name, set_up_scene=wanted.set_up_scene)
    if isinstance(outcome.backfill, PreparedBackfill):
        add_backfill(built.object, outcome.backfill)
    camera = prepared.source.camera
    assert camera is not None
    what = _counted(built.vertices, prepared.options.as_)
    summary = f"Built {built.object.name}: {what} {_unit(prepared)}, {_camera(camera, prepared.source.camera_source)}"
    return Added(built.object, built.camera, summary, outcome.notes)


def _add_playing(wanted: Wanted, files: SequenceFiles) -> Added:
    assert wanted.playing is not None
    options = wanted.request.options
    built = build_sequence(
        files,
        wanted.request.source.name,
        options,
        start_frame=bpy.context.scene.frame_start,
        set_up_scene=wanted.set_up_scene,
        set_time=wanted.playing.set_time,
    )
    what = _counted(built.vertices, options.as_)
    unit = "in metres" if files.header.unit == "m" else "in relative depth"
    camera = _camera(files.header.camera, files.header.camera_source)
    notes = (*built.notes, f"The depth of its frames lies in {files.folder}; it is needed as long as the object is.")
    return Added(built.object, built.camera, f"Built {built.object.name}: {files.count} frames of {what} {unit}, {camera}", notes)


def _around(context: bpy.types.Context, built: bpy.types.Object) -> str:
    """The name of a visible mesh whose box holds the place of ``built``, as Blender's first cube does; empty when there is none."""
    context.view_layer.update()
    place = built.matrix_world.translation
    for other in context.view_layer.objects:
        if other.type != "MESH" or is_built(surface_of(other)) or not other.visible_get() or abs(other.matrix_world.determinant()) < 1e-12:
            continue
        inside, corners = other.matrix_world.inverted() @ place, [tuple(corner) for corner in other.bound_box]
        if all(min(side) < value < max(side) for side, value in zip(zip(*corners, strict=True), inside, strict=True)):
            return str(other.name)
    return ""


def select_alone(context: bpy.types.Context, item: bpy.types.Object) -> None:
    """Make ``item`` the one selected and active object."""
    layer = context.view_layer
    for other in list(layer.objects.selected):
        other.select_set(False, view_layer=layer)
    item.select_set(True, view_layer=layer)
    layer.objects.active = item


def _counted(vertices: int, as_: BuildAs) -> str:
    return f"{vertices:,} {'points' if as_ is BuildAs.POINTS else 'vertices'}"


def _unit(prepared: Prepared) -> str:
    if prepared.options.as_ is BuildAs.RELIEF:
        return "in relief"
    if prepared.shape.kind is DepthKind.METRIC:
        return "in metres"
    return "of guessed depth" if prepared.conversion is not None else "in relative depth"


def _camera(camera: CameraIntrinsics, source: CameraSource) -> str:
    return f"camera {CAMERA_WORDS.get(source, str(source))} {camera.fov_vertical_deg:.3g}°"
