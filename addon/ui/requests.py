# SPDX-License-Identifier: GPL-3.0-or-later
"""From the sidebar's settings to a request that a thread can work on: everything that only Blender's main thread may ask is asked here."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy

from ...engines.camera import CameraIntrinsics
from ...engines.depth_file import DepthMeaning
from ...engines.errors import CameraError, ImageError, ModelError, OutputError
from ...engines.frames import folder_name
from ...engines.images import read_header
from ..camera import read_intrinsics
from ..jobs.request import BuildRequest, CameraChoice, CameraMode, EngineChoice, ImageArray, Source
from ..options import BuildAs, BuildOptions, SkyMode
from .image_sources import picture_from_file, picture_from_image, picture_from_render
from .model_list import MODELS
from .preferences import engine_choice, models_folder
from .settings import settings_of

_ANGLES = {"FOV_VERTICAL": CameraMode.FOV_VERTICAL, "FOV_HORIZONTAL": CameraMode.FOV_HORIZONTAL}


class Scratch:
    """A folder for temporary files of one job: kept until :meth:`close`, gone at the latest when Python ends."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="depthbridge-", ignore_cleanup_errors=True)

    @property
    def path(self) -> Path:
        return Path(self._folder.name)

    def close(self) -> None:
        """Remove it; twice does nothing."""
        self._folder.cleanup()


@dataclass(frozen=True, slots=True)
class Playing:
    """What a folder or movie needs besides. ``folder``: where the depth of its frames is kept; ``again``: also what is finished there;
    ``set_time``: give the scene its range of frames."""

    folder: Path
    again: bool
    set_time: bool


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """One build as the sidebar asks for it. ``playing`` is None for a single picture. ``set_up_scene``: see ``build_objects``. ``scratch``
    holds what the request points at, and is to be closed when the job is over."""

    request: BuildRequest
    playing: Playing | None
    set_up_scene: bool
    scratch: Scratch = field(default_factory=Scratch)


def wanted_from(context: bpy.types.Context, filepath: str = "") -> Wanted:
    """What ``context.scene.depthbridge`` asks for; ``filepath``: this picture in place of the chosen source.

    Main thread only. Raises a ``DepthbridgeError`` for what cannot be begun: nothing chosen, a deleted image, no camera, ...
    """
    settings = settings_of(context)
    scratch = Scratch()
    try:
        kind = "FILE" if filepath else settings.source
        source = _source(context, settings, kind, filepath, scratch.path)
        playing = _playing(settings, source) if kind in ("FOLDER", "MOVIE") else None
        request = BuildRequest(
            source=source,
            engine=_engine(context, settings, kind),
            camera=_camera(context, settings, kind, source.picture),
            options=build_options(settings),
            backfill=settings.backfill and settings.build_as == "mesh" and playing is None,
        )
    except BaseException:
        scratch.close()
        raise
    return Wanted(request, playing, settings.set_up_scene and kind != "RENDER", scratch)


def build_options(settings: Any) -> BuildOptions:
    """The sidebar's choices of what is built. Raises :class:`DepthKindError` for an empty depth range."""
    return BuildOptions(
        as_=BuildAs(settings.build_as),
        stride=settings.stride if settings.detail == "STRIDE" else None,
        max_vertices=settings.max_vertices,
        tear=None if settings.auto_tear else settings.tear,
        sky=SkyMode(settings.sky),
        nearest=(settings.nearest or None) if settings.use_range else None,
        farthest=(settings.farthest or None) if settings.use_range else None,
        radius=settings.radius,
        strength=settings.strength,
        displace=settings.displace and settings.build_as == "relief",
    )


# ---- source ------------------------------------------------------------------------------------------------------------


def _source(context: bpy.types.Context, settings: Any, kind: str, filepath: str, scratch: Path) -> Source:
    if kind in ("FOLDER", "MOVIE"):
        return _frames(settings, kind)
    if kind == "IMAGE":
        picture = picture_from_image(settings.image, context.scene, scratch)
        return Source(bpy.path.display_name_from_filepath(settings.image.name) or settings.image.name, picture)
    if kind == "RENDER":
        return Source(f"{context.scene.name} render", picture_from_render(context.scene, scratch))
    if kind == "DEPTH":
        depth_file = _chosen(settings.depth_file, "depth file")
        colors = picture_from_file(_chosen(settings.depth_picture, "picture")) if settings.depth_picture else None
        return Source(depth_file.stem, colors, depth_file, DepthMeaning(settings.depth_meaning))
    file = _chosen(filepath or settings.filepath, "picture")
    return Source(file.stem, picture_from_file(file))


def _frames(settings: Any, kind: str) -> Source:
    if kind == "MOVIE":
        movie = _chosen(settings.movie, "movie")
        return Source(movie.stem, movie)
    folder = _chosen(settings.folder, "folder of pictures")
    if not folder.is_dir():
        raise ImageError(f"{folder} is no folder that exists; choose a folder of pictures.")
    return Source(folder_name(folder), folder)  # the parent of the .blend is `//..` to Blender


def _playing(settings: Any, source: Source) -> Playing:
    return Playing(_frames_folder(settings, source), settings.estimate_again, settings.set_time)


def _frames_folder(settings: Any, source: Source) -> Path:
    """Where the depth of frames goes: the chosen folder, else one beside the .blend. Raises :class:`OutputError` when there is neither."""
    chosen = settings.frames_folder.strip()
    if not bpy.data.filepath and (not chosen or chosen.startswith("//")):  # which Blender would look for wherever it was started
        raise OutputError("The depth of every frame is kept beside the .blend file; save it first, or choose a folder for the frames.")
    if chosen:
        return Path(bpy.path.abspath(chosen))
    return Path(bpy.data.filepath).parent / "depthbridge" / source.name


def _chosen(path: str, what: str) -> Path:
    if not path.strip():
        raise ImageError(f"No {what} is chosen yet; pick one at the top of the panel.")
    return Path(bpy.path.abspath(path.strip()))


# ---- engine ------------------------------------------------------------------------------------------------------------


def _engine(context: bpy.types.Context, settings: Any, kind: str) -> EngineChoice:
    choice = engine_choice(context, settings.model)
    if kind == "DEPTH" or choice.remote or choice.model:
        return choice
    MODELS.refresh(models_folder(context))  # it may have come since
    if settings.model:
        return engine_choice(context, settings.model)
    raise ModelError("The model chosen for this scene is not installed here; choose another, or download it in the Model panel.")


# ---- camera ------------------------------------------------------------------------------------------------------------


def _camera(context: bpy.types.Context, settings: Any, kind: str, picture: Path | ImageArray | None) -> CameraChoice:
    mode = settings.camera_mode
    if mode in _ANGLES:
        return CameraChoice(_ANGLES[mode], degrees=math.degrees(settings.fov))
    if mode == "FOCAL_MM":
        return CameraChoice(CameraMode.FOCAL_MM, focal_mm=settings.focal_mm, sensor_width_mm=settings.sensor_width_mm)
    if mode == "MODEL":
        return CameraChoice(CameraMode.MODEL)
    if mode == "AUTO" and kind != "RENDER":
        return CameraChoice(CameraMode.AUTO)
    camera = (settings.camera if mode == "SCENE" else None) or context.scene.camera
    if camera is None:
        raise CameraError("The scene has no camera to match; add one, or choose another way to know the picture's camera.")
    return CameraChoice(CameraMode.INTRINSICS, intrinsics=_scene_intrinsics(camera, context.scene, kind, picture), rescale=True)


def _scene_intrinsics(
    camera: bpy.types.Object, scene: bpy.types.Scene, kind: str, picture: Path | ImageArray | None
) -> CameraIntrinsics:
    """A scene camera as it sees a picture of these proportions. A render has the scene's own; another picture need not."""
    header = read_header(picture) if isinstance(picture, Path) and picture.is_file() else None
    if header is not None:
        size = (header.width, header.height)
    elif picture is not None and not isinstance(picture, Path):
        size = (picture.shape[1], picture.shape[0])
    else:
        return read_intrinsics(camera, scene)
    own = read_intrinsics(camera, scene)
    if kind == "RENDER" or _same_proportions(size, (own.width, own.height)):
        return own
    return read_intrinsics(camera, scene, size=size)


def _same_proportions(first: tuple[int, int], second: tuple[int, int]) -> bool:
    return abs(math.log(first[0] / first[1] * second[1] / second[0])) < 2 / min(*first, *second)
