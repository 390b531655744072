# SPDX-License-Identifier: GPL-3.0-or-later
"""Models from inside Blender: download one of the catalogue, or bring a file of one's own."""

from __future__ import annotations

import sys
import textwrap
import traceback
from pathlib import Path
from typing import Any, ClassVar

import bpy

from ...engines.catalog import load_catalog
from ...engines.errors import CancelledError, DepthbridgeError, DownloadError, ModelError
from ...engines.fetch import Fetched
from ...engines.model_import import Added, AddRequest, add_model
from ...engines.model_spec import Family, ModelSpec
from ..compat import RELATIVE_PATH
from ..jobs.model_fetch import FetchState, download_text, fetch_model, licence_text, needs_agreement
from ..jobs.worker import Done, Failed, Worker, unexpected
from .build_operators import redraw_sidebars
from .model_list import MODELS
from .preferences import models_folder
from .settings import settings_of
from .threaded import Threaded

_POLL_S = 0.2
# How long the thread may take to end when Blender quits.
_LAST_WAIT_S = 1.0

_FAMILIES = [
    ("AUTO", "As the File Says", "From its sidecar, its metadata, its name, or its last operations"),
    *((str(family), str(family), f"Its numbers are read as the family {family} means them") for family in Family),
]


_ADD_PROPERTIES = ("filepath", "model_id", "family", "canonical_focal_px", "max_depth_m", "replace_existing")


class FetchModel(bpy.types.Operator):
    """Download this model, check it against what its host publishes, and put it into the folder for models"""

    bl_idname = "depthbridge.fetch_model"
    bl_label = "Download Model"
    bl_options: ClassVar[set[str]] = {"REGISTER"}

    model_id: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Model", description="Id of a model in Depthbridge's catalogue, such as da2-small", options={"SKIP_SAVE"}
    )
    accept_licence: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="I Have Read the Licence",
        description="Needed for weights whose licence is unclear or limits their use, such as non-commercial ones",
        options={"SKIP_SAVE"},
    )
    accept_change: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Accept Changed Content",
        description="Take a file that differs from the one that was downloaded first and pinned",
        options={"SKIP_SAVE"},
    )

    running: ClassVar[FetchState | None] = None
    """The one download that goes on: a few numbers for the progress bar, never the model."""

    @classmethod
    def description(cls, context: bpy.types.Context, properties: Any) -> str:
        spec = next((spec for spec in load_catalog() if spec.id == properties.model_id), None)
        if spec is None:
            return str(cls.__doc__)
        note = f" {spec.licence_note}" if spec.licence_note else ""
        return f"Download {spec.title}, {download_text(spec)}, checked against what its host publishes.\nLicence: {licence_text(spec)}.{note}"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if bpy.app.background or context.window is None:
            return self.execute(context)
        try:
            spec = _wanted(self.model_id)
        except DepthbridgeError as error:
            return _refuse(self, error)
        if needs_agreement(spec) and not self.accept_licence:
            bpy.ops.depthbridge.agree_to_licence("INVOKE_DEFAULT", model_id=spec.id, accept_change=self.accept_change)
            return {"CANCELLED"}
        self._state = state = FetchModel.running = FetchState(spec.id)
        folder, change = models_folder(context), bool(self.accept_change)
        self._worker: Worker[Fetched] = Worker()
        self._worker.start(lambda report, cancel: fetch_model(state, folder, accept_change=change))
        self._shown = ""
        self._timer = context.window_manager.event_timer_add(_POLL_S, window=context.window)
        context.window_manager.modal_handler_add(self)
        redraw_sidebars(context)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        # Esc is not asked for: a download of minutes would be lost to whoever leaves another tool by it.
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        if self._state.stopped:
            self._worker.cancel()  # a host that does not answer is not waited for
        end = next(iter(self._worker.poll()), None)
        if end is None:
            if self._state.text != self._shown:
                self._shown = self._state.text
                redraw_sidebars(context)
            return {"PASS_THROUGH"}
        self._leave(context)
        told = self._tell(context, end)
        if told == {"FINISHED"}:
            settings_of(context).model = self._state.model_id  # who waited for it wants to use it
        return told

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender quits or loads a file. What has arrived is kept, and the next download goes on from there."""
        self._state.stop()
        self._worker.join(_LAST_WAIT_S)
        self._leave(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            spec = _wanted(self.model_id)
            if needs_agreement(spec) and not self.accept_licence:
                raise ModelError(
                    f"{spec.id} is under the licence {licence_text(spec)}; read it, and pass accept_licence=True if you agree to it."
                )
            end: Any = Done(fetch_model(FetchState(spec.id), models_folder(context), accept_change=self.accept_change))
        except DepthbridgeError as error:
            end = Failed(error)
        except Exception as error:
            end = Failed(unexpected(error), traceback.format_exc())
        return self._tell(context, end)

    def _leave(self, context: bpy.types.Context) -> None:
        if FetchModel.running is self._state:
            FetchModel.running = None
        context.window_manager.event_timer_remove(self._timer)
        redraw_sidebars(context)

    def _tell(self, context: bpy.types.Context, end: Any) -> set[str]:
        if isinstance(end, Failed):
            MODELS.refresh(models_folder(context))  # it may have arrived in the moment it was stopped
            return _failed(self, end, "Download stopped; the next one goes on from what has arrived.")
        fetched: Fetched = end.result
        MODELS.refresh(models_folder(context))
        for note in fetched.notes:
            self.report({"INFO"}, note)
        self.report({"INFO"}, f"{fetched.lock.model_id} is installed: {fetched.path}")
        redraw_sidebars(context)
        return {"FINISHED"}


class AgreeToLicence(bpy.types.Operator):
    """Show the licence of a model's weights, and download them once it is agreed to"""

    bl_idname = "depthbridge.agree_to_licence"
    bl_label = "Licence of the Weights"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    model_id: bpy.props.StringProperty(options={"SKIP_SAVE"})  # type: ignore[valid-type]
    accept_change: bpy.props.BoolProperty(options={"SKIP_SAVE"})  # type: ignore[valid-type]

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_props_dialog(self, width=420, title=self.bl_label, confirm_text="Download")

    def draw(self, context: bpy.types.Context) -> None:
        spec = load_catalog().get(self.model_id)
        column: Any = self.layout.column(align=True)
        column.label(text=f"{spec.title}, {download_text(spec)}", icon="IMPORT")
        column.label(text=f"Licence: {licence_text(spec)}", icon="ERROR")
        for line in textwrap.wrap(spec.licence_note, 62):
            column.label(text=line, icon="BLANK1")
        column.separator()
        column.label(text="Read it before you use the model or its results", icon="BLANK1")
        column.label(text="for anything commercial. Download it?", icon="BLANK1")

    def execute(self, context: bpy.types.Context) -> set[str]:
        bpy.ops.depthbridge.fetch_model(
            "INVOKE_DEFAULT", model_id=self.model_id, accept_licence=True, accept_change=self.accept_change
        )
        return {"FINISHED"}


class CancelFetch(bpy.types.Operator):
    """Stop the download; what has arrived is kept, and the next download goes on from there"""

    bl_idname = "depthbridge.cancel_fetch"
    bl_label = "Stop Download"
    bl_options: ClassVar[set[str]] = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if FetchModel.running is None:
            cls.poll_message_set("Nothing is being downloaded")
        return FetchModel.running is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        if FetchModel.running is not None:
            FetchModel.running.stop()
        redraw_sidebars(context)
        return {"FINISHED"}


class AddModel(Threaded, bpy.types.Operator):
    """Copy an ONNX file of your own, and the weights it names, into the folder for models"""

    bl_idname = "depthbridge.add_model"
    bl_label = "Add Model File"
    bl_options: ClassVar[set[str]] = {"REGISTER"}

    filepath: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="ONNX File", description="A Depth Anything model in the ONNX format", subtype="FILE_PATH", options={"SKIP_SAVE"} | RELATIVE_PATH
    )
    filter_glob: bpy.props.StringProperty(default="*.onnx", options={"HIDDEN", "SKIP_SAVE"})  # type: ignore[valid-type]
    model_id: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Id", description="Under which name to use it; empty for the file's own. An id of the catalogue takes its meaning too"
    )
    family: bpy.props.EnumProperty(name="Family", description="What its numbers mean", items=_FAMILIES)  # type: ignore[valid-type]
    canonical_focal_px: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Canonical Focal Length", description="In pixels, of the family da3-metric; 0 for what the file or the family says", min=0.0
    )
    max_depth_m: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Largest Depth", description="In metres, of the family da2-metric; 0 for what the file or the family says", min=0.0
    )
    replace_existing: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Replace", description="Replace an installed model of the same id", options={"SKIP_SAVE"}
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if not self.filepath.strip() and not bpy.app.background:
            self._browsed = True
            context.window_manager.fileselect_add(self)
            return {"RUNNING_MODAL"}
        if bpy.app.background or context.window is None:
            return self.execute(context)
        request, folder = self._request(), models_folder(context)
        return self.begin(context, f"copying {request.source.name}", lambda: add_model(request, folder))

    def ended(self, context: bpy.types.Context, end: Any) -> set[str]:
        if isinstance(end, Failed):
            # A copy cannot be interrupted: it ends by itself, whole or not at all, and the list finds it then.
            return _failed(self, end, "Left; the copy may still arrive. Refresh the list of models to see.")
        return self._tell(context, end.result)

    def execute(self, context: bpy.types.Context) -> set[str]:
        if getattr(self, "_browsed", False):
            # The file browser calls this. A gigabyte is copied better while the window goes on.
            chosen = {name: getattr(self, name) for name in _ADD_PROPERTIES}
            bpy.ops.depthbridge.add_model("INVOKE_DEFAULT", **chosen)
            return {"FINISHED"}
        try:
            if not self.filepath.strip():
                raise ModelError("No file is chosen; choose an .onnx file.")
            added = add_model(self._request(), models_folder(context))
        except DepthbridgeError as error:
            return _failed(self, Failed(error), "Stopped.")
        except Exception as error:
            return _failed(self, Failed(unexpected(error), traceback.format_exc()), "Stopped.")
        return self._tell(context, added)

    def _request(self) -> AddRequest:
        return AddRequest(
            Path(bpy.path.abspath(self.filepath.strip())),
            self.model_id.strip() or None,
            None if self.family == "AUTO" else Family(self.family),
            self.canonical_focal_px or None,
            self.max_depth_m or None,
            self.replace_existing,
        )

    def _tell(self, context: bpy.types.Context, added: Added) -> set[str]:
        MODELS.refresh(models_folder(context))
        for note in added.notes:
            self.report({"INFO"}, note)
        self.report({"INFO"}, f"{added.spec.id} is installed: {added.path} (family {added.spec.family})")
        redraw_sidebars(context)
        return {"FINISHED"}


def _wanted(model_id: str) -> ModelSpec:
    """The model to fetch. Raises a ``DepthbridgeError`` when that cannot begin now."""
    if not bpy.app.online_access:
        raise DownloadError("Blender may not go online; allow it in Preferences > System > Network > Allow Online Access, then try again.")
    if FetchModel.running is not None:
        raise DownloadError(f"{FetchModel.running.model_id} is being downloaded; wait for it, or stop it.")
    return load_catalog().get(model_id)


def _refuse(operator: bpy.types.Operator, error: Exception) -> set[str]:
    operator.report({"ERROR"}, str(error))
    return {"CANCELLED"}


def _failed(operator: bpy.types.Operator, end: Failed, stopped: str) -> set[str]:
    if end.trace:
        print(end.trace, file=sys.stderr)
    if isinstance(end.error, CancelledError):
        operator.report({"INFO"}, stopped)
        return {"CANCELLED"}
    return _refuse(operator, end.error)


def unregister_more() -> None:
    if FetchModel.running is not None:
        FetchModel.running.stop()


CLASSES: tuple[type, ...] = (FetchModel, AgreeToLicence, CancelFetch, AddModel)
