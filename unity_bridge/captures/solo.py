# SPDX-License-Identifier: Apache-2.0
"""Unity Perception's SOLO datasets, read. The shape of the files was taken from Perception 1.0's writer and from published datasets.

::

    solo/
      metadata.json, sensor_definitions.json, ...            not needed
      sequence.0/step0.frame_data.json                       {"captures": [{"@type": ".../unity.solo.RGBCamera", "filename", "matrix", ...}]}
      sequence.0/step0.camera.png                            the picture
      sequence.0/step0.camera.instance segmentation.png      a colour per instance; above 1,024 instances alpha tells them apart, too
      sequence.0/step0.camera.Depth.exr                      optional truth, "measurementStrategy" Depth or Range; alpha 0 is no surface

Two things that its documentation says otherwise: rotations are x, y, z, w, and ``matrix`` lists the projection matrix by columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...engines.camera import CameraIntrinsics
from ...engines.errors import CameraError, CaptureError
from ...engines.images import decode_image
from ..measuring.colour_masks import Colour
from .cameras import camera_from_projection, pose_from_unity
from .files import check_name, fingerprint, read_json
from .masks import colour_of, mask_of_colours, read_mask
from .reader import CaptureFrame, CaptureObject, Layout, LoadedFrame
from .truth import FloatArray, planar_from_range, read_depth_exr

_SEQUENCE = re.compile(r"sequence\.(\d+)")
_STEP = re.compile(r"step(\d+)\.frame_data\.json")
_TYPE = "type.unity.com/unity.solo."
_BOX_2D, _BOX_3D = "BoundingBox2DAnnotation", "BoundingBox3DAnnotation"
_IDS = ("instanceId", "labelId", "labelName")


def is_solo(folder: Path) -> bool:
    """Whether the folder holds sequences with frames of SOLO."""
    return next(_steps(folder), None) is not None


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a frame comes from: its file, and which of the file's captures it is; None for a file that cannot be read, or holds no camera."""

    path: Path
    capture: int | None


class SoloCapture:
    """A SOLO dataset. Its frame files are read once to list the cameras' pictures, and again one by one."""

    def __init__(self, folder: Path, sources: list[_Source], names: list[str]) -> None:
        self._folder = folder
        self._sources = sources
        self._frames = tuple(CaptureFrame(name, place) for place, name in enumerate(names))
        self._latest: tuple[Path, Any] | None = None

    @classmethod
    def open(cls, folder: Path) -> SoloCapture:
        """List all pictures, sequences and steps by number. Raises :class:`CaptureError` when there is not one."""
        folder = Path(folder)
        sources, names = [], []
        for path in _steps(folder):
            for place, name in _pictures(path):
                sources.append(_Source(path, place))
                names.append(f"{path.parent.name}/{name}")
        if not sources:
            raise CaptureError(f"{folder} holds no frames of SOLO; give the folder that holds sequence.0.")
        return cls(folder, sources, names)

    @property
    def layout(self) -> Layout:
        return Layout.SOLO

    @property
    def folder(self) -> Path:
        return self._folder

    @property
    def frames(self) -> tuple[CaptureFrame, ...]:
        return self._frames

    def entry(self, frame: CaptureFrame) -> dict[str, Any]:
        """The frame's and the camera's own fields, the camera in pixels where it can be told, and the instances with their boxes."""
        try:
            data, capture = self._read(frame)
            entry = {"image": frame.name, **{name: value for name, value in data.items() if name not in ("captures", "metrics")}}
            entry["capture"] = {name: value for name, value in capture.items() if name != "annotations"}
            entry["objects"] = [record for record, _ in _instances(capture)]
        except CaptureError:
            return {"image": frame.name, "objects": []}
        return entry

    def load(self, frame: CaptureFrame) -> LoadedFrame:
        """Read one picture's files. Raises :class:`CaptureError`, ``ImageError`` or ``CameraError``, in one sentence."""
        _, capture = self._read(frame)
        folder = self._sources[frame.place].path.parent
        filename = _filename(capture, "the camera saved no picture; switch on Perception Camera's Save Camera RGB Output to Disk")
        image = decode_image(folder / filename, name=frame.name).rgb
        height, width = image.shape[:2]
        camera = _camera(capture, width, height)
        instances = _instances(capture)
        segmentation = _annotation(capture, "InstanceSegmentationAnnotation")
        if segmentation is None:
            raise CaptureError("it has no instance segmentation; add an Instance Segmentation Labeler to the Perception Camera.")
        mask_name = _filename(segmentation, "its instance segmentation names no file")
        stored = read_mask(folder / mask_name, f"{folder.name}/{mask_name}", width, height)
        if stored.colours is None:
            raise CaptureError(f"{stored.name} holds no colours ({stored.mode}); an instance segmentation of SOLO is RGBA.")
        mask, unlisted = mask_of_colours(stored, [colour for _, colour in instances])
        notes = [f"{frame.name}: {unlisted} pixels of the mask have a colour that belongs to no instance"] if unlisted else []
        pose = pose_from_unity(capture.get("position"), capture.get("rotation"))
        if pose is None:
            notes.append(f"{frame.name}: its position and rotation are no pose, so there are no world coordinates")
        depth, depth_notes = _true_depth(capture, folder, camera)
        objects = tuple(
            CaptureObject(record, place, reason=f"No pixel of the mask has the colour {list(colour)}.")
            for place, (record, colour) in enumerate(instances, start=1)
        )
        return LoadedFrame(image, (mask,), camera, objects, depth, (*notes, *depth_notes), pose)

    def fingerprint(self, frame: CaptureFrame) -> str:
        try:
            data, capture = self._read(frame)
        except CaptureError:
            return fingerprint([self.layout, frame.name], [self._sources[frame.place].path])
        folder = self._sources[frame.place].path.parent
        named = [capture, *_records(capture.get("annotations"))]
        files = [folder / each["filename"] for each in named if isinstance(each.get("filename"), str)]
        about = {name: value for name, value in data.items() if name not in ("captures", "metrics")}
        return fingerprint([self.layout, about, capture], files)

    def _read(self, frame: CaptureFrame) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        source = self._sources[frame.place]
        latest = self._latest  # the same file is asked for up to three times in a row, by two threads
        data = latest[1] if latest is not None and latest[0] == source.path else read_json(source.path)
        self._latest = (source.path, data)
        if source.capture is None or not isinstance(data, Mapping):
            raise CaptureError(f"{source.path} names no picture of an RGB camera.")
        try:
            capture = data["captures"][source.capture]
        except (KeyError, IndexError, TypeError):
            capture = None
        if not isinstance(capture, Mapping):
            raise CaptureError(f"{source.path} has changed since the run began.")
        return data, capture


def _steps(folder: Path) -> Iterator[Path]:
    """The frame files, by the numbers of sequences and steps."""
    for sequence in _numbered(folder, _SEQUENCE):
        yield from _numbered(sequence, _STEP)


def _numbered(folder: Path, pattern: re.Pattern[str]) -> list[Path]:
    try:
        found = [(int(match[1]), path) for path in folder.iterdir() if (match := pattern.fullmatch(path.name))]
    except OSError:
        return []
    return [path for _, path in sorted(found)]


def _pictures(path: Path) -> Iterator[tuple[int | None, str]]:
    """The RGB captures of a frame file: place and file name. A file that cannot be read, or holds none, is one frame that will fail."""
    try:
        data = read_json(path)
    except CaptureError:
        yield None, path.name
        return
    captures = data.get("captures") if isinstance(data, Mapping) else None
    found = [
        (place, capture)
        for place, capture in enumerate(captures if isinstance(captures, list) else [])
        if isinstance(capture, Mapping) and str(capture.get("@type", "")).endswith("RGBCamera")
    ]
    if not found:
        yield None, path.name
    for place, capture in found:
        name = capture.get("filename")
        sensor = capture.get("id", place)
        yield place, name if isinstance(name, str) and name else f"{path.name.split('.')[0]}.{sensor}"


def _annotations(capture: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    return [each for each in _records(capture.get("annotations")) if each.get("@type") in (_TYPE + kind, kind)]


def _records(value: object) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _annotation(capture: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
    return next(iter(_annotations(capture, kind)), None)


def _filename(record: Mapping[str, Any], missing: str) -> str:
    name = record.get("filename")
    if not isinstance(name, str) or not name:
        raise CaptureError(f"{missing}.")
    check_name(name, "its sequence")
    return name


def _camera(capture: Mapping[str, Any], width: int, height: int) -> CameraIntrinsics:
    projection = str(capture.get("projection", "Perspective"))
    if projection.casefold() != "perspective":
        raise CameraError(f"the camera's projection is {projection}, which has no focal length; capture with a perspective camera.")
    size = capture.get("dimension")
    if isinstance(size, list) and len(size) == 2 and size != [width, height]:
        raise CameraError(f"the capture is said to be {size[0]}x{size[1]} and the picture has {width}x{height}; use the pictures as captured.")
    return camera_from_projection(capture.get("matrix"), width, height)


def _instances(capture: Mapping[str, Any]) -> list[tuple[dict[str, Any], Colour]]:
    """The instances' records for the result, and their colours. Raises :class:`CaptureError` for one without a colour."""
    segmentation = _annotation(capture, "InstanceSegmentationAnnotation") or {}
    boxes_2d, boxes_3d = _boxes(capture, _BOX_2D), _boxes(capture, _BOX_3D)
    instances = segmentation.get("instances")
    found = []
    for instance in instances if isinstance(instances, list) else []:
        if not isinstance(instance, Mapping):
            raise CaptureError(f"its instance segmentation lists {instance!r}, which is no instance.")
        number = instance.get("instanceId")
        if not isinstance(number, (int, str)):
            raise CaptureError(f"its instance segmentation lists an instanceId {number!r}; it has to be a number.")
        record: dict[str, Any] = {"id": number, "category": instance.get("labelName")}
        record |= _corners(boxes_2d.get(number))
        record |= dict(instance)
        if number in boxes_3d:
            record["bounding_box_3d"] = {name: value for name, value in boxes_3d[number].items() if name not in _IDS}
        found.append((record, colour_of(instance.get("color"), f"instance {number!r}")))
    return found


def _boxes(capture: Mapping[str, Any], kind: str) -> dict[Any, Mapping[str, Any]]:
    values = [value for each in _annotations(capture, kind) for value in _records(each.get("values"))]
    return {value["instanceId"]: value for value in values if isinstance(value.get("instanceId"), (int, str))}


def _corners(box: Mapping[str, Any] | None) -> dict[str, Any]:
    try:
        (x, y), (width, height) = box["origin"], box["dimension"]  # type: ignore[index]
        return {"bbox": [x, y, x + width, y + height]}
    except (KeyError, TypeError, ValueError, OverflowError):
        return {}


def _true_depth(capture: Mapping[str, Any], folder: Path, camera: CameraIntrinsics) -> tuple[FloatArray | None, list[str]]:
    """Planar truth, and a note where its file is missing. Planar depth is taken before ranges."""
    found = [each for each in _annotations(capture, "DepthAnnotation") if each.get("measurementStrategy", "Depth") in ("Depth", "Range")]
    for annotation in sorted(found, key=lambda each: str(each.get("measurementStrategy", "Depth"))):
        name = _filename(annotation, "its depth annotation names no file")
        if not (folder / name).exists():
            return None, [f"{folder.name}/{name} is missing, so there is no truth to compare with"]
        values = read_depth_exr(folder / name, camera.width, camera.height, f"{folder.name}/{name}", alpha=True)
        if annotation.get("measurementStrategy") == "Range":
            values = planar_from_range(values, camera)
        return np.asarray(values, dtype=np.float32), []
    return None, []
