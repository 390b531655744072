# SPDX-License-Identifier: GPL-3.0-or-later
"""Build, and stop a build. The window goes on while a thread works; what it made is added in one step, which one undo takes back."""

from __future__ import annotations

import sys
import threading
import traceback
from typing import Any, ClassVar

import bpy

from ...engines.cancel import CancelToken
from ...engines.errors import CancelledError, DepthbridgeError
from ..compat import RELATIVE_PATH
from ..jobs.progress import Pace, Progress
from ..jobs.worker import Done, Failed, unexpected
from .requests import Wanted, wanted_from
from .running_build import RunningBuild
from .viewing import show
from .work import Outcome, add_outcome, work

_POLL_S = 0.1


class Build(bpy.types.Operator):
    """Estimate depth and build geometry with a matched camera, as the Depthbridge settings of the scene say. Esc stops it"""

    bl_idname = "depthbridge.build"
    bl_label = "Build"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    filepath: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Picture",
        description="Build from this picture file; empty for the source that the settings name",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"} | RELATIVE_PATH,
    )

    running: ClassVar[RunningBuild | None] = None
    """The one build that goes on: a thread and a few numbers, never the model."""
    paces: ClassVar[dict[str, Pace]] = {}
    """Seconds that the stages of earlier builds took, by model: what the time left is told from."""

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if bpy.app.background or context.window is None:
            return self.execute(context)
        wanted = self._wanted(context)
        if wanted is None:
            return {"CANCELLED"}
        self._job = Build.running = RunningBuild(wanted, _pace(wanted))
        self._request = wanted
        self._shown = ""
        self._timer = context.window_manager.event_timer_add(_POLL_S, window=context.window)
        context.window_manager.modal_handler_add(self)
        self._show_progress(context)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        job = self._job
        if event.type == "ESC" and event.value == "PRESS":
            job.stop()
        elif event.type != "TIMER":
            return {"PASS_THROUGH"}
        end = job.poll()
        if end is None:
            self._show_progress(context)
            return {"PASS_THROUGH"}
        self._leave(context)
        job.over()
        return self._finish(context, self._request, end)

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender quits or loads a file: nothing may be left running."""
        self._job.end()
        self._leave(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        wanted = self._wanted(context)
        if wanted is None:
            return {"CANCELLED"}
        manager = context.window_manager
        manager.progress_begin(0, 100)

        def tell(progress: Progress) -> None:
            # Told from other threads too, which must not touch Blender.
            if threading.current_thread() is threading.main_thread():
                manager.progress_update(progress.fraction * 100)

        end: Done[Outcome] | Failed
        try:
            end = Done(work(wanted, tell, CancelToken(), _pace(wanted)))
        except DepthbridgeError as error:
            end = Failed(error)
        except Exception as error:
            end = Failed(unexpected(error), traceback.format_exc())
        finally:
            manager.progress_end()
            wanted.scratch.close()
        return self._finish(context, wanted, end)

    def _wanted(self, context: bpy.types.Context) -> Wanted | None:
        """The request, or None after a report of why there can be none."""
        if Build.running is not None:
            self.report({"ERROR"}, "A build is going on already; wait for it, or stop it with Esc.")
            return None
        try:
            return wanted_from(context, self.filepath)
        except DepthbridgeError as error:
            self.report({"ERROR"}, str(error))
        except Exception as error:
            _to_console(traceback.format_exc())
            self.report({"ERROR"}, str(unexpected(error)))
        return None

    def _finish(self, context: bpy.types.Context, wanted: Wanted, end: Done[Outcome] | Failed) -> set[str]:
        if isinstance(end, Failed):
            _to_console(end.trace)
            stopped = isinstance(end.error, CancelledError)
            self.report({"INFO"} if stopped else {"ERROR"}, "Stopped; nothing was built." if stopped else str(end.error))
            return {"CANCELLED"}
        try:
            added = add_outcome(context, wanted, end.result)
        except DepthbridgeError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        except Exception as error:
            _to_console(traceback.format_exc())
            self.report({"ERROR"}, str(unexpected(error)))
            return {"CANCELLED"}
        for note in added.notes:
            self.report({"INFO"}, note)
        self.report({"INFO"}, added.summary)
        show(context, added)
        return {"FINISHED"}

    def _show_progress(self, context: bpy.types.Context) -> None:
        """Redraws only when what is to be read changed: a redraw can cost more than all the rest."""
        job = self._job
        shown = f"{job.fraction:.0%} {job.stage} {job.time}"
        if shown == self._shown:
            return
        self._shown = shown
        context.workspace.status_text_set(f"Depthbridge: {job.stage}, {job.time}   (Esc stops)")
        redraw_sidebars(context)

    def _leave(self, context: bpy.types.Context) -> None:
        if Build.running is self._job:
            Build.running = None
        context.window_manager.event_timer_remove(self._timer)
        if context.workspace is not None:
            context.workspace.status_text_set(None)
        redraw_sidebars(context)


class Cancel(bpy.types.Operator):
    """Stop the build that is going on; nothing is added to the scene"""

    bl_idname = "depthbridge.cancel"
    bl_label = "Stop Build"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if Build.running is None:
            cls.poll_message_set("No build is going on")
        return Build.running is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        if Build.running is not None:
            Build.running.stop()
        return {"FINISHED"}


def redraw_sidebars(context: bpy.types.Context) -> None:
    """Draw the sidebars of all 3D Views again, and not the views themselves."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()


def _pace(wanted: Wanted) -> Pace:
    return Build.paces.setdefault(wanted.request.engine.label, Pace())


def _to_console(trace: str | None) -> None:
    if trace:
        print(trace, file=sys.stderr)


@bpy.app.handlers.persistent
def _stop_before_load(*_: Any) -> None:
    if Build.running is not None:
        Build.running.end()
        Build.running = None


def register_more() -> None:
    bpy.app.handlers.load_pre.append(_stop_before_load)


def unregister_more() -> None:
    _stop_before_load()
    bpy.app.handlers.load_pre.remove(_stop_before_load)


CLASSES: tuple[type, ...] = (Build, Cancel)
