# SPDX-License-Identifier: Apache-2.0
"""A capture folder of our own layout, read: pictures, masks, cameras, annotations and, where there is one, true depth. Nothing here writes.

::

    capture/
      images/00042.png         the pictures, upright
      masks/00042.png          ids in one channel of 8 or 16 bits, 0 is background; or colours
      mask_colours.json        optional, {"<mask value>": [r, g, b(, a)]}; or a "colour" in each object
      depth/00042.exr          optional truth: planar metres, 0 where there is none
      camera_intrinsics.json   of all pictures; an entry's own "camera" object replaces it and may hold "extrinsics"
      annotations.json         [{"image": "00042.png", "objects": [{"id": 0, "category": "...", ...}]}]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...engines.camera import CameraIntrinsics
from ...engines.errors import CaptureError
from ...engines.images import decode_image
from ..measuring.colour_masks import Colour
from .cameras import INTRINSICS, camera_from_json
from .files import check_name, fingerprint, read_json, shortened, with_suffix
from .masks import StoredMask, colour_map, colour_of, mask_of_colours, mask_of_values, read_mask
from .reader import CaptureFrame, CaptureObject, Layout, LoadedFrame, Mask, Pose, known_distance
from .truth import read_depth_exr

ANNOTATIONS = "annotations.json"
COLOURS = "mask_colours.json"
_MAX_MASK_VALUE = 65535


@dataclass(frozen=True, slots=True)
class Capture:
    """A folder whose JSON files were read. ``ids_from_zero``: some id in the file is 0, so that mask values are id + 1. ``fov_vertical_deg``:
    what the user says where no file does."""

    folder: Path
    frames: tuple[CaptureFrame, ...]
    entries: tuple[Mapping[str, Any], ...]
    intrinsics: Mapping[str, Any] | None
    colours: Mapping[int, Colour]
    ids_from_zero: bool
    fov_vertical_deg: float | None = None

    @property
    def layout(self) -> Layout:
        return Layout.DEPTHBRIDGE

    @classmethod
    def open(cls, folder: Path, *, fov_vertical_deg: float | None = None) -> Capture:
        """Read the JSON files. Raises :class:`CaptureError` naming the file and the entry."""
        folder = Path(folder)
        if not folder.is_dir():
            raise CaptureError(f"The capture {folder} is no folder; give the one that holds {ANNOTATIONS}.")
        entries = read_json(folder / ANNOTATIONS)
        if not isinstance(entries, list) or not entries:
            raise CaptureError(f'{folder / ANNOTATIONS} is no list of pictures; write [{{"image": "...", "objects": [...]}}, ...].')
        frames = tuple(_frame(entry, number, folder) for number, entry in enumerate(entries))
        intrinsics = read_intrinsics(folder / INTRINSICS)
        if intrinsics is not None and fov_vertical_deg is not None:
            raise CaptureError(f"{folder} has a {INTRINSICS}, which says the camera; leave out --fov-v.")
        if intrinsics is None and fov_vertical_deg is None and not all("camera" in entry for entry in entries):
            raise CaptureError(f"{folder} has no {INTRINSICS}, and not every picture has a camera of its own; add the file, or give --fov-v.")
        colours = colour_map(read_json(folder / COLOURS), COLOURS) if (folder / COLOURS).exists() else {}
        ids = (item.get("id") for entry in entries for item in _object_records(entry))
        from_zero = any(type(i) is int and i == 0 for i in ids)
        return cls(folder, frames, tuple(entries), intrinsics, colours, from_zero, fov_vertical_deg)

    def entry(self, frame: CaptureFrame) -> dict[str, Any]:
        """The picture's own entry, verbatim."""
        return dict(self.entries[frame.place])

    def load(self, frame: CaptureFrame) -> LoadedFrame:
        """Read one picture's files. Raises :class:`CaptureError`, ``ImageError`` or ``CameraError``, in one sentence."""
        entry = self.entries[frame.place]
        records = _checked_records(entry)
        check_name(frame.name, "images/")
        image_path, mask_path, truth_path = self._paths(frame)
        image = decode_image(image_path, name=f"images/{frame.name}").rgb
        height, width = image.shape[:2]
        camera, pose, notes = self._camera(entry, width, height)
        stored = read_mask(mask_path, f"masks/{mask_path.name}", width, height)
        colours = self._colours(records) if stored.colours is not None else None
        if colours is None:
            objects, mask = self._by_value(records), mask_of_values(stored)
            notes += _unnamed(frame.name, mask, objects)
        else:
            objects, mask, unlisted = _by_colour(records, colours, stored)
            notes += [f"{frame.name}: {unlisted} pixels of the mask have a colour that belongs to no object"] if unlisted else []
        depth = read_depth_exr(truth_path, width, height) if truth_path.exists() else None
        return LoadedFrame(image, (mask,), camera, objects, depth, tuple(notes), pose)

    def fingerprint(self, frame: CaptureFrame) -> str:
        colours = {str(key): list(value) for key, value in self.colours.items()}
        about = [self.layout, self.entries[frame.place], self.intrinsics, colours, self.ids_from_zero, self.fov_vertical_deg]
        return fingerprint(about, self._paths(frame))

    def _paths(self, frame: CaptureFrame) -> tuple[Path, Path, Path]:
        return (
            self.folder / "images" / frame.name,
            with_suffix(self.folder / "masks", frame.name, ".png"),
            with_suffix(self.folder / "depth", frame.name, ".exr"),
        )

    def _camera(self, entry: Mapping[str, Any], width: int, height: int) -> tuple[CameraIntrinsics, Pose | None, list[str]]:
        own = entry.get("camera")
        if own is None and self.fov_vertical_deg is not None:
            return CameraIntrinsics.from_vertical_fov(self.fov_vertical_deg, width, height), None, []
        source, where = (own, "its camera") if own is not None else (self.intrinsics, INTRINSICS)
        return camera_from_json(source, where, width, height)

    def _colours(self, records: Sequence[Mapping[str, Any]]) -> list[Colour | None] | None:
        """Each object's colour, or None when there is no such thing in this capture."""
        given = [record.get("colour", record.get("color")) for record in records]
        own = [colour if isinstance(colour, list) else None for colour in given]  # "red" is a description
        if not self.colours and all(colour is None for colour in own):
            return None
        return [
            colour_of(colour, f"object {record.get('id')!r}") if colour is not None else self.colours.get(self._mask_value(record))
            for record, colour in zip(records, own, strict=True)
        ]

    def _by_value(self, records: Sequence[Mapping[str, Any]]) -> tuple[CaptureObject, ...]:
        objects: dict[int, CaptureObject] = {}
        for record in records:
            item = CaptureObject(record, self._mask_value(record), known_distance_m=known_distance(record))
            if item.mask_value in objects:
                other = objects[item.mask_value].record.get("id")
                raise CaptureError(f"objects {other!r} and {record.get('id')!r} have the same mask value {item.mask_value}.")
            objects[item.mask_value] = item
        return tuple(objects.values())

    def _mask_value(self, record: Mapping[str, Any]) -> int:
        value = record.get("mask_value")
        if value is None:
            value = record.get("id")
            if type(value) is not int:
                raise CaptureError(f"an object has the id {value!r} and no mask_value; give one of them as a whole number.")
            value += 1 if self.ids_from_zero else 0
        if type(value) is not int or not 1 <= value <= _MAX_MASK_VALUE:
            raise CaptureError(f"object {record.get('id')!r} has the mask value {value!r}; give 1 to {_MAX_MASK_VALUE} (0 is the background).")
        return value


def read_intrinsics(path: Path) -> Mapping[str, Any] | None:
    """The JSON object of a camera file; None when there is no such file. Raises :class:`CaptureError`."""
    if not path.exists():
        return None
    intrinsics = read_json(path)
    if not isinstance(intrinsics, dict):
        raise CaptureError(f"{path} holds no JSON object; write focal_length_x, width and height into one.")
    return intrinsics


def _by_colour(
    records: Sequence[Mapping[str, Any]], colours: list[Colour | None], stored: StoredMask
) -> tuple[tuple[CaptureObject, ...], Mask, int]:
    mask, unlisted = mask_of_colours(stored, colours)
    objects = tuple(
        CaptureObject(
            record,
            place,
            known_distance_m=known_distance(record),
            reason="Nothing says which colour it has in the mask." if colour is None else f"No pixel of the mask has the colour {list(colour)}.",
        )
        for place, (record, colour) in enumerate(zip(records, colours, strict=True), start=1)
    )
    return objects, mask, unlisted


def _unnamed(name: str, mask: Mask, objects: Sequence[CaptureObject]) -> list[str]:
    present = np.flatnonzero(np.bincount(mask.ravel()))
    unnamed = sorted(set(present.tolist()) - {item.mask_value for item in objects} - {0})
    return [f"{name}: mask values {shortened(unnamed)} belong to no object"] if unnamed else []


def _frame(entry: object, number: int, folder: Path) -> CaptureFrame:
    if not isinstance(entry, dict) or not isinstance(entry.get("image"), str) or not entry["image"]:
        raise CaptureError(f'Entry {number + 1} of {folder / ANNOTATIONS} names no picture; each is {{"image": "...", "objects": [...]}}.')
    return CaptureFrame(entry["image"], number)


def _checked_records(entry: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    records = entry.get("objects")
    if not isinstance(records, list) or not all(isinstance(item, dict) for item in records):
        raise CaptureError('it has no list "objects" of JSON objects; add one, empty if nothing is marked.')
    return records


def _object_records(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    objects = record.get("objects")
    return [item for item in objects if isinstance(item, dict)] if isinstance(objects, list) else []
