# SPDX-License-Identifier: GPL-3.0-or-later
"""The Model panel: the installed models, and those that can be downloaded."""

from __future__ import annotations

from typing import Any

import bpy

from ...engines.model_spec import ModelSpec
from ..jobs.model_fetch import FREE_LICENCES, download_text, licence_text, needs_agreement
from .model_list import MODELS, ListedModel
from .model_operators import FetchModel
from .panels import MAIN, SidebarPanel
from .preferences import models_folder, preferences, runtime_is_missing
from .settings import settings_of
from .wrapped import draw_wrapped


class ModelPanel(SidebarPanel, bpy.types.Panel):
    """Which model estimates."""

    bl_idname = "DEPTHBRIDGE_PT_model"
    bl_label = "Model"
    bl_parent_id = MAIN
    bl_order = 1

    def draw(self, context: bpy.types.Context) -> None:
        layout: Any = self.layout
        settings = settings_of(context)
        chosen = preferences(context)
        if settings.source == "DEPTH":
            layout.label(text="A depth file needs no model", icon="INFO")
            return
        if chosen is not None and chosen.remote.strip():
            draw_wrapped(layout, context, f"The remote engine's own: {chosen.remote.strip()}", "URL")
            return
        MODELS.ensure(models_folder(context))
        column = layout.column()
        column.active = not runtime_is_missing()
        row = column.row(align=True)
        row.prop(settings, "model", text="")
        row.operator("depthbridge.refresh_models", text="", icon="FILE_REFRESH")
        _draw_facts(column, context, MODELS.get(settings.model))
        _draw_others(layout, context)


class RefreshModels(bpy.types.Operator):
    """Look for models again, in the folder that the preferences name"""

    bl_idname = "depthbridge.refresh_models"
    bl_label = "Refresh Models"

    def execute(self, context: bpy.types.Context) -> set[str]:
        MODELS.refresh(models_folder(context))
        if MODELS.problem:
            self.report({"WARNING"}, MODELS.problem)
        return {"FINISHED"}


def _draw_facts(layout: Any, context: bpy.types.Context, model: ListedModel | None) -> None:
    if MODELS.problem:
        draw_wrapped(layout, context, MODELS.problem, "ERROR")
    if model is None:
        draw_wrapped(layout, context, "This scene's model is not installed here; choose another", "ERROR")
        return
    if model.embedded:
        draw_wrapped(layout, context, "Preview quality: a small model, for a first look. Download a Depth Anything model for real work", "INFO")
    licence = "" if model.spec is None else f". Licence: {licence_text(model.spec)}"
    draw_wrapped(layout, context, f"Gives {model.gives}{licence}")


def _draw_others(layout: Any, context: bpy.types.Context) -> None:
    """What can be downloaded, closed until somebody asks; never a network request, and none offered where Blender forbids them."""
    state = FetchModel.running
    header, body = layout.panel("depthbridge_more_models", default_closed=True)
    header.label(text="Get More Models")
    if state is not None:
        column = layout.column(align=True)
        column.label(text=f"Downloading {state.model_id}")
        row = column.row(align=True)
        row.progress(factor=state.fraction, text=state.text)
        row.operator("depthbridge.cancel_fetch", text="", icon="X")
    if body is None:
        return
    if not bpy.app.online_access:
        draw_wrapped(body, context, "Downloads need Preferences > System > Network > Allow Online Access", "INTERNET_OFFLINE")
    for spec in sorted((spec for spec in MODELS.others if spec.files), key=needs_agreement):
        _draw_download(body, spec, busy=state is not None)
    body.operator("depthbridge.add_model", text="Add ONNX File...", icon="FILEBROWSER")


def _draw_download(layout: Any, spec: ModelSpec, *, busy: bool) -> None:
    row = layout.row()
    column = row.column(align=True)
    column.scale_y = 0.8
    # The sidebar is narrow: the whole name and licence stand in the question that the button asks.
    column.label(text=spec.title.replace("Depth Anything", "DA"))
    column.label(text=f"{download_text(spec).removeprefix('about ')}, {_short_licence(spec)}")
    button = row.column()
    button.enabled = bpy.app.online_access and not busy
    button.operator("depthbridge.fetch_model", text="", icon="IMPORT").model_id = spec.id


def _short_licence(spec: ModelSpec) -> str:
    if spec.licence in FREE_LICENCES:
        return spec.licence
    return "non-commercial" if "-NC" in spec.licence else f"licence {spec.licence}"


CLASSES: tuple[type, ...] = (ModelPanel, RefreshModels)
