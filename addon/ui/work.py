# SPDX-License-Identifier: GPL-3.0-or-later
"""The two halves of a build: what any thread does, and what the main thread adds to the open file from its outcome."""

from __future__ import annotations

import bpy

from ...engines.camera import CameraSource
from ...engines.cancel import CancelToken
from ...engines.depth_map import DepthKind, DepthMap
from ..build import Built, build_objects
from ..jobs.pipeline import Ready, run
from ..jobs.progress import Pace, Report
from ..options import BuildAs
from ..prepare import Prepared
from ..transaction import all_or_nothing
from .requests import Wanted

Outcome = Ready

_CAMERAS = {
    CameraSource.GIVEN: "camera given",
    CameraSource.EXIF: "camera from EXIF",
    CameraSource.MODEL: "camera by the model",
    CameraSource.ASSUMED: "camera ASSUMED",
}


def work(wanted: Wanted, report: Report, cancel: CancelToken, pace: Pace) -> Outcome:
    """Everything that is not Blender's, in any thread. Raises a ``DepthbridgeError``."""
    return run(wanted.request, progress=report, cancel=cancel, pace=pace)


def add_outcome(context: bpy.types.Context, wanted: Wanted, outcome: Outcome) -> tuple[Built, str]:
    """Add what was prepared to the open file and select it; what was added, and one line that says what it is. Raises and adds nothing."""
    prepared = outcome.prepared
    with all_or_nothing():
        built = build_objects(prepared, wanted.request.source.name, set_up_scene=wanted.set_up_scene)
        if outcome.backfill is not None:
            from ..backfill import add_backfill

            add_backfill(built.object, outcome.backfill)
        if context.mode != "OBJECT":
            bpy.ops.object.mode_set(mode="OBJECT")
        select_alone(context, built.object)
    return built, _summary(built, prepared)


def select_alone(context: bpy.types.Context, item: bpy.types.Object) -> None:
    """Make ``item`` the one selected and active object."""
    layer = context.view_layer
    for other in layer.objects.selected:
        other.select_set(False, view_layer=layer)
    item.select_set(True, view_layer=layer)
    layer.objects.active = item


def _summary(built: Built, prepared: Prepared) -> str:
    what = "points" if prepared.options.as_ is BuildAs.POINTS else "vertices"
    return f"Built {built.object.name}: {built.vertices:,} {what} {_unit(prepared)}, {_camera(prepared.source)}"


def _unit(prepared: Prepared) -> str:
    if prepared.options.as_ is BuildAs.RELIEF:
        return "in relief"
    if prepared.shape.kind is DepthKind.METRIC:
        return "in metres"
    return "of guessed depth" if prepared.conversion is not None else "in relative depth"


def _camera(depth: DepthMap) -> str:
    assert depth.camera is not None
    return f"{_CAMERAS.get(depth.camera_source, 'camera')} {depth.camera.fov_vertical_deg:.3g}°"


