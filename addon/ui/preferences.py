# SPDX-License-Identifier: GPL-3.0-or-later
"""What is chosen once for this machine and not for each file: device, threads, where models lie, a remote engine."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

import bpy

from ...engines.model_paths import default_models_dir
from ..jobs.remote import RemoteServer
from ..jobs.request import EngineChoice
from ..root import ROOT
from . import model_list

_DEVICES = [
    ("auto", "Automatic", "A graphics card if onnxruntime can use one here, else the CPU"),
    ("cpu", "CPU", "The processor; works everywhere"),
    ("cuda", "NVIDIA (CUDA)", "Needs a build of onnxruntime with CUDA; a remote engine is the easier way to an NVIDIA card"),
    ("coreml", "Apple (CoreML)", "The graphics card and neural engine of a Mac"),
    ("directml", "Windows (DirectML)", "Any graphics card under Windows; needs the DirectML edition of this extension"),
]


def _models_moved(self: Any, context: bpy.types.Context) -> None:
    model_list.MODELS.refresh(models_folder(context))


class DepthbridgePreferences(bpy.types.AddonPreferences):
    """Edit > Preferences > Add-ons > Depthbridge."""

    bl_idname = ROOT

    device: bpy.props.EnumProperty(name="Device", description="What models run on", items=_DEVICES, default="auto")  # type: ignore[valid-type]
    threads: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="CPU Threads",
        description="How many processor cores an estimate may use; 0 lets onnxruntime choose",
        default=0,
        min=0,
        max=256,
    )
    models_folder: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Model Folder",
        description="Where downloaded and added models are kept; empty for the extension's own folder",
        subtype="DIR_PATH",
        update=_models_moved,
    )
    remote: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Remote Engine",
        description="Address of a running `depthbridge serve` that estimates for this machine, such as tcp://127.0.0.1:5577; empty for none",
    )
    remote_token: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Token",
        description="What a server started with --token-file asks for. It is kept in Blender's preferences as it is",
        subtype="PASSWORD",
    )
    remote_keys: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Keys",
        description="Folder with server.key and client.key_secret, for a server started with --curve; empty for none",
        subtype="DIR_PATH",
    )

    def draw(self, context: bpy.types.Context) -> None:
        layout: Any = self.layout
        layout.use_property_split = True
        draw_missing_runtime(layout, self)
        here = layout.column()
        here.active = not self.remote
        here.prop(self, "device")
        here.prop(self, "threads")
        here.prop(self, "models_folder", placeholder=str(own_models_folder()))
        column = layout.column()
        row = column.row(align=True)
        row.prop(self, "remote", placeholder="this machine")
        row.operator("depthbridge.test_remote", text="Test", icon="URL")
        if self.remote:
            column.prop(self, "remote_token", placeholder="none")
            column.prop(self, "remote_keys", placeholder="not encrypted")
            column.label(text="Models run on the remote engine, which has its own device and models", icon="INFO")


def preferences(context: bpy.types.Context) -> DepthbridgePreferences | None:
    """The extension's preferences; None where it is not switched on as an extension (Blender as a Python module)."""
    addon = context.preferences.addons.get(ROOT)
    return None if addon is None else addon.preferences


def own_models_folder() -> Path:
    """Where models lie unless somebody chose another folder: the extension's own data folder, which survives its updates."""
    try:
        return Path(bpy.utils.extension_path_user(ROOT, path="models"))
    except ValueError:  # no extension: the package under plain Python
        return default_models_dir()


def models_folder(context: bpy.types.Context) -> Path:
    """The folder for models. It need not exist."""
    chosen = preferences(context)
    if chosen is not None and chosen.models_folder:
        return Path(bpy.path.abspath(chosen.models_folder))
    return own_models_folder()


def engine_choice(context: bpy.types.Context, model: str) -> EngineChoice:
    """The engine that runs ``model`` as the preferences say."""
    chosen = preferences(context)
    if chosen is None:
        return EngineChoice(model=model, models_dir=models_folder(context))
    return EngineChoice(
        model=model,
        device=chosen.device,
        threads=chosen.threads or None,
        models_dir=models_folder(context),
        remote=remote_server(context),
    )


def remote_server(context: bpy.types.Context) -> RemoteServer | None:
    """The server that estimates in place of this machine, as the preferences say; None for none."""
    chosen = preferences(context)
    if chosen is None or not chosen.remote.strip():
        return None
    keys = Path(bpy.path.abspath(chosen.remote_keys)) if chosen.remote_keys else None
    return RemoteServer(chosen.remote.strip(), chosen.remote_token.strip() or None, keys)


@cache
def runtime_is_missing() -> bool:
    """Whether no model can run in this Python, because the edition of the extension that fits it brings no onnxruntime."""
    return importlib.util.find_spec("onnxruntime") is None


def draw_missing_runtime(layout: Any, chosen: DepthbridgePreferences | None) -> None:
    """One line with the remedy where no model can run; nothing where one can."""
    if runtime_is_missing() and not (chosen is not None and chosen.remote):
        column = layout.column(align=True)
        column.label(text="No onnxruntime for this Blender's Python:", icon="ERROR")
        column.label(text="set a Remote Engine, or build from depth files", icon="BLANK1")


def register_more() -> None:
    runtime_is_missing()


def unregister_more() -> None:
    runtime_is_missing.cache_clear()


# Preferences belong to an extension; the package under plain Python is none, and Blender refuses them.
CLASSES: tuple[type, ...] = (DepthbridgePreferences,) if ROOT.startswith("bl_ext.") else ()
