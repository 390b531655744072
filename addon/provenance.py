# SPDX-License-Identifier: GPL-3.0-or-later
"""What an object remembers of its making, as custom properties that travel with it: enough to build it again without estimating.

The photo and the depth are remembered as the images themselves, which therefore stay in the file as long as the object does.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from .. import __version__
from ..engines.camera import CameraIntrinsics, CameraSource
from ..engines.depth_map import DepthKind, DepthMap
from ..engines.errors import DepthbridgeError
from .options import BuildAs
from .pictures import DepthMeaningRecord, read_depth
from .prepare import Conversion, Prepared

_PREFIX = "depthbridge_"


class NotBuiltError(DepthbridgeError):
    """An object that Depthbridge did not build, or whose memory of it is damaged."""

    code = "not_built"


@dataclass(frozen=True, slots=True)
class Provenance:
    """``kind`` is what the model gave; ``unit`` that of the object's depth at a Scale of 1: ``m`` or ``relative``. ``conversion``: how
    disparity became depth, None for depth."""

    version: str
    model: str
    kind: DepthKind
    unit: str
    camera: CameraIntrinsics
    camera_source: CameraSource
    as_: BuildAs
    stride: int
    conversion: Conversion | None
    has_sky: bool
    has_confidence: bool
    note: str | None
    photo: bpy.types.Image
    depth: bpy.types.Image

    def depth_map(self) -> DepthMap:
        """The map as the model gave it, from the stored depth image. Raises as :func:`~.pictures.read_depth` does, and
        :class:`NotBuiltError` for a sequence."""
        if self.depth.source == "SEQUENCE":
            raise NotBuiltError(f"{self.depth.name} plays a sequence, which is not built again from one frame; build it from its pictures.")
        meaning = DepthMeaningRecord(
            kind=self.kind,
            camera=self.camera,
            camera_source=self.camera_source,
            model_id=self.model,
            has_sky=self.has_sky,
            has_confidence=self.has_confidence,
            scale_note=self.note,
        )
        return read_depth(self.depth, meaning)


def is_built(item: bpy.types.Object | None) -> bool:
    """Whether Depthbridge built the object."""
    return item is not None and f"{_PREFIX}model" in item


def record_provenance(built: bpy.types.Object, prepared: Prepared, photo: bpy.types.Image, depth: bpy.types.Image) -> None:
    """Write the memory of a build onto its object."""
    source = prepared.source
    assert source.camera is not None
    known = Provenance(
        version=__version__,
        model=source.model_id,
        kind=source.kind,
        unit=prepared.shape.kind.unit,
        camera=source.camera,
        camera_source=source.camera_source,
        as_=prepared.options.as_,
        stride=prepared.stride,
        conversion=prepared.conversion,
        has_sky=source.sky is not None,
        has_confidence=source.confidence is not None,
        note=source.scale_note,
        photo=photo,
        depth=depth,
    )
    write_provenance(built, known, float(np.median(prepared.shape.values[prepared.shape.valid])))


def write_provenance(built: bpy.types.Object, known: Provenance, median_depth: float) -> None:
    """What :func:`read_provenance` reads back; ``median_depth``, in its unit, is for whoever has to frame the object."""
    conversion = known.conversion
    record: dict[str, Any] = {
        "version": known.version,
        "model": known.model,
        "kind": str(known.kind),
        "unit": known.unit,
        "scale": conversion.scale if conversion else 1.0,
        "shift": conversion.shift if conversion else 0.0,
        "scale_guessed": bool(conversion and conversion.guessed),
        "as": str(known.as_),
        "stride": known.stride,
        "median_depth": median_depth,
        "has_sky": known.has_sky,
        "has_confidence": known.has_confidence,
        "photo": known.photo,
        "depth": known.depth,
    }
    if known.note:
        record["note"] = known.note
    for key, value in record.items():
        built[_PREFIX + key] = value
    record_camera(built, known.camera, known.camera_source)


def mark_metric(built: bpy.types.Object) -> None:
    """The object's lengths were measured: they are metres from now on."""
    built[f"{_PREFIX}unit"] = "m"


def record_camera(item: bpy.types.Object, camera: CameraIntrinsics, source: CameraSource) -> None:
    """Which camera took the photo, on the object or on the matched camera itself, which may have to be matched again."""
    item[f"{_PREFIX}camera_source"] = str(source)
    item[f"{_PREFIX}camera"] = json.dumps(camera.to_json())


def camera_record(camera: bpy.types.Object) -> CameraIntrinsics | None:
    """The intrinsics that :func:`record_camera` wrote, or None where it did not, or they are damaged."""
    text = camera.get(f"{_PREFIX}camera")
    try:
        return CameraIntrinsics.from_json(json.loads(text)) if isinstance(text, str) else None
    except (TypeError, ValueError, DepthbridgeError):
        return None  # edited by hand; asked for while Blender draws, where nothing may be raised


def read_provenance(built: bpy.types.Object | None) -> Provenance:
    """The memory of an object. Raises :class:`NotBuiltError` when it has none, has lost one of its images, or it was edited to nonsense."""
    if built is None or not is_built(built):
        name = built.name if built is not None else "Nothing selected"
        raise NotBuiltError(f"{name} was not built by Depthbridge; select an object that was.")

    def get(key: str) -> Any:
        try:
            return built[_PREFIX + key]
        except KeyError as error:
            raise NotBuiltError(f"{built.name} has lost the property {_PREFIX}{key}; build it again from the photo.") from error

    for key in ("photo", "depth"):
        if not isinstance(get(key), bpy.types.Image):
            raise NotBuiltError(f"The {key} image of {built.name} was deleted; undo that, or build again from the photo.")
    try:
        return _read(built, get)
    except NotBuiltError:
        raise
    except (TypeError, ValueError, DepthbridgeError) as error:
        raise NotBuiltError(f"The properties depthbridge_... of {built.name} are damaged ({error}); build it again from the photo.") from error


def _read(built: bpy.types.Object, get: Callable[[str], Any]) -> Provenance:
    kind = DepthKind(get("kind"))
    return Provenance(
        version=str(get("version")),
        model=str(get("model")),
        kind=kind,
        unit=str(get("unit")),
        camera=CameraIntrinsics.from_json(json.loads(get("camera"))),
        camera_source=CameraSource(get("camera_source")),
        as_=BuildAs(get("as")),
        stride=int(get("stride")),
        conversion=Conversion(float(get("scale")), float(get("shift")), bool(get("scale_guessed"))) if kind is DepthKind.DISPARITY else None,
        has_sky=bool(get("has_sky")),
        has_confidence=bool(get("has_confidence")),
        note=built.get(f"{_PREFIX}note"),
        photo=get("photo"),
        depth=get("depth"),
    )
