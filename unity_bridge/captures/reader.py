# SPDX-License-Identifier: Apache-2.0
"""What all layouts of a capture have in common: frames are listed without reading a pixel, and loaded one at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ...engines.camera import CameraIntrinsics, CameraSource
from ...engines.errors import CaptureError
from ..measuring.poses import FARTHEST_M
from .files import shown

Mask = npt.NDArray[Any]
Pose = npt.NDArray[np.float64]


class Layout(StrEnum):
    """How the files of a capture are laid out."""

    DEPTHBRIDGE = "depthbridge"
    SOLO = "solo"
    COCO = "coco"


@dataclass(frozen=True, slots=True)
class CaptureFrame:
    """One picture. ``name`` is what it is called in results; ``place`` is the reader's own way back to it."""

    name: str
    place: int


@dataclass(frozen=True, slots=True)
class CaptureObject:
    """One object of a picture: ``record`` goes into the result as it is, ``mask_value`` is that of its pixels in ``layers[layer]`` of the
    loaded frame. ``known_distance_m``: its true planar distance, to fit the map by. ``reason``: why it has no pixels, where that is known."""

    record: Mapping[str, Any]
    mask_value: int
    layer: int = 0
    known_distance_m: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LoadedFrame:
    """One picture's content.

    ``image``: uint8 RGB (H,W,3), upright. ``layers``: integer masks (H,W), 0 for background; more than one only where objects overlap.
    ``camera`` is that of ``image``, ``camera_source`` how it is known; ``extrinsics``: float64 (3,4), world to camera (OpenCV camera frame),
    metres, or None. ``depth_true_m``: float32 (H,W), planar metres, 0 for none; or None. ``notes`` are sentences worth telling.
    """

    image: npt.NDArray[np.uint8]
    layers: tuple[Mask, ...]
    camera: CameraIntrinsics | None
    objects: tuple[CaptureObject, ...]
    depth_true_m: npt.NDArray[np.float32] | None = None
    notes: tuple[str, ...] = ()
    extrinsics: Pose | None = None
    camera_source: CameraSource = CameraSource.GIVEN

    @property
    def mask(self) -> Mask:
        """The only layer, or the first of several."""
        return self.layers[0]

    @property
    def flat_mask(self) -> tuple[Mask, tuple[int, ...]]:
        """One mask (H,W) to look at, later layers over earlier ones, and the value that each object has in it: 1, 2, ..."""
        flat = np.zeros(self.mask.shape, dtype=np.int32)
        for number, layer in enumerate(self.layers):
            table = np.zeros(int(layer.max(initial=0)) + 1, dtype=np.int32)
            for value, item in enumerate(self.objects, start=1):
                if item.layer == number and item.mask_value < len(table):
                    table[item.mask_value] = value
            painted = table[layer]
            flat = np.where(painted > 0, painted, flat)
        return flat, tuple(range(1, len(self.objects) + 1))


class CaptureReader(Protocol):
    """A capture of any layout, opened."""

    @property
    def layout(self) -> Layout: ...

    @property
    def folder(self) -> Path:
        """The folder that is only ever read."""
        ...

    @property
    def frames(self) -> Sequence[CaptureFrame]:
        """All pictures, in the order of the result."""
        ...

    def entry(self, frame: CaptureFrame) -> dict[str, Any]:
        """What ``annotations.json`` of a result says of the picture before anything is measured; never raises for a bad picture."""
        ...

    def load(self, frame: CaptureFrame) -> LoadedFrame:
        """Read one picture's files. Raises :class:`CaptureError`, ``ImageError`` or ``CameraError``, in one sentence."""
        ...

    def fingerprint(self, frame: CaptureFrame) -> str:
        """Another text when anything that :meth:`load` reads for the picture has changed, as far as sizes and times of files tell."""
        ...


def known_distance(record: Mapping[str, Any]) -> float | None:
    """``known_distance_m`` of an object's record. Raises :class:`CaptureError` when it is no length."""
    value = record.get("known_distance_m")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= FARTHEST_M:
        raise CaptureError(f"object {record.get('id')!r} has the known_distance_m {shown(value)}; give metres above 0, at most {FARTHEST_M:g}.")
    return float(value)
