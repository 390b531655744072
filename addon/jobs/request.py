# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody wants built: plain values, checked where they are made, that any thread may hold. Imports no bpy."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from ...engines.camera import CameraIntrinsics, CameraSource
from ...engines.cancel import CancelToken
from ...engines.depth_file import DepthMeaning
from ...engines.errors import CameraError, DepthbridgeError
from ...engines.estimator import Estimator
from ..options import BuildOptions
from .remote import RemoteServer

ImageArray = npt.NDArray[np.uint8]

FULL_FRAME_WIDTH_MM = 36.0


class CameraMode(StrEnum):
    """Who says what the camera was."""

    AUTO = "auto"
    """The picture's EXIF, else the model, else 50 degrees are assumed."""
    FOV_VERTICAL = "fov_vertical"
    FOV_HORIZONTAL = "fov_horizontal"
    FOCAL_MM = "focal_mm"
    INTRINSICS = "intrinsics"
    MODEL = "model"
    """The model, even when there is EXIF; else as AUTO."""


@dataclass(frozen=True, slots=True)
class CameraChoice:
    """How the camera is known.

    ``degrees``: the field of view of the two FOV modes. ``focal_mm`` with ``sensor_width_mm``: millimetres, the sensor as wide as the
    picture. ``intrinsics``: pixels; of another size than the picture's they are refused, unless ``rescale`` says that they may be scaled,
    which takes the same proportions. ``intrinsics_file``: a JSON file in place of ``intrinsics``, read when the size is known.
    """

    mode: CameraMode = CameraMode.AUTO
    degrees: float | None = None
    focal_mm: float | None = None
    sensor_width_mm: float = FULL_FRAME_WIDTH_MM
    intrinsics: CameraIntrinsics | None = None
    intrinsics_file: Path | None = None
    rescale: bool = False

    def resolve(self, width: int, height: int) -> tuple[CameraIntrinsics | None, CameraSource]:
        """The camera of a picture of this size, in pixels, where the choice itself tells one; (None, NONE) for AUTO and MODEL.

        Raises :class:`CameraError` for what makes no camera.
        """
        if self.mode in (CameraMode.AUTO, CameraMode.MODEL):
            return None, CameraSource.NONE
        if self.mode is CameraMode.FOV_VERTICAL:
            camera = CameraIntrinsics.from_vertical_fov(_needed(self.degrees, "vertical field of view in degrees"), width, height)
        elif self.mode is CameraMode.FOV_HORIZONTAL:
            camera = CameraIntrinsics.from_horizontal_fov(_needed(self.degrees, "horizontal field of view in degrees"), width, height)
        elif self.mode is CameraMode.FOCAL_MM:
            camera = self._from_lens(width, height)
        else:
            camera = self._from_intrinsics(width, height)
        return camera, CameraSource.GIVEN

    def _from_lens(self, width: int, height: int) -> CameraIntrinsics:
        focal_mm = _needed(self.focal_mm, "focal length in mm")
        for name, value in (("focal length", focal_mm), ("sensor width", self.sensor_width_mm)):
            if not (math.isfinite(value) and value > 0):
                raise CameraError(f"A {name} of {value:g} mm is impossible; give a positive number of millimetres.")
        focal = focal_mm / self.sensor_width_mm * width
        return CameraIntrinsics(focal, focal, width / 2, height / 2, width, height)

    def _from_intrinsics(self, width: int, height: int) -> CameraIntrinsics:
        camera = self.intrinsics
        if self.intrinsics_file is not None:
            camera = CameraIntrinsics.from_json(self.intrinsics_file, width, height)
        if camera is None:
            raise CameraError("The camera's intrinsics are missing; give fx, fy, cx and cy, or choose another way to know the camera.")
        if (camera.width, camera.height) == (width, height):
            return camera
        # Each side of a scaled picture was rounded to whole pixels.
        slack = 1 / min(width, height) + 1 / min(camera.width, camera.height)
        if self.rescale and abs(math.log((camera.width / camera.height) / (width / height))) <= slack:
            return camera.resized(width, height)
        remedy = "give a camera of the same proportions" if self.rescale else "give the intrinsics of this size"
        raise CameraError(
            f"{self.intrinsics_file or 'The camera'} describes pictures of {camera.width}x{camera.height} pixels and this one has "
            f"{width}x{height}; {remedy} (scale fx, cx by the width and fy, cy by the height)."
        )


class OpenEngine(Estimator, Protocol):
    """An estimator that is open until it is closed."""

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """Which engine estimates. ``model``: a catalogue id or an ONNX file. ``threads``: of the CPU, None for the runtime's choice.
    ``models_dir``: where downloaded models lie, None for the user's folder. ``remote``: a server in place of all these; it has its own model."""

    model: str = "depthbridge-mini"
    device: str = "auto"
    threads: int | None = None
    models_dir: Path | None = None
    remote: RemoteServer | None = None

    @property
    def label(self) -> str:
        """What messages call it."""
        return self.remote.address if self.remote is not None else Path(self.model).name

    def open(self, cancel: CancelToken | None = None) -> OpenEngine:
        """The engine, opened: close it, or use it as a context manager. Takes seconds for a large model, unless ``cancel`` ends it. Raises
        a ``DepthbridgeError``."""
        if self.remote is not None:
            return self.remote.estimator(cancel)
        from ...engines.engine import DepthEngine

        return DepthEngine.open(self.model, device=self.device, threads=self.threads, models_dir=self.models_dir, cancel=cancel)


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Where picture and depth come from. ``name``: what the object will be called.

    ``picture``: a file, or upright uint8 RGB (H,W,3). ``depth_file``: depth that exists already, so that nothing is estimated; ``meaning``
    says what its numbers are. Without a picture its object is coloured by depth. At least one of the two is needed.
    """

    name: str
    picture: Path | ImageArray | None = None
    depth_file: Path | None = None
    meaning: DepthMeaning = DepthMeaning.AUTO

    def __post_init__(self) -> None:
        if self.picture is None and self.depth_file is None:
            raise DepthbridgeError("There is nothing to build from; give a picture, a depth file, or both.")


@dataclass(frozen=True, slots=True, eq=False)
class BuildRequest:
    """Everything one build needs to know. ``backfill``: also the layer behind torn edges."""

    source: Source
    engine: EngineChoice = field(default_factory=EngineChoice)
    camera: CameraChoice = field(default_factory=CameraChoice)
    options: BuildOptions = field(default_factory=BuildOptions)
    backfill: bool = False


def _needed(value: float | None, what: str) -> float:
    if value is None:
        raise CameraError(f"The {what} is missing; give it, or choose another way to know the camera.")
    return value
