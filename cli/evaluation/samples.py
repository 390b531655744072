# SPDX-License-Identifier: Apache-2.0
"""What the evaluation knows of a data set: pictures with true depth, by name, one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ...engines.camera import CameraIntrinsics
from ...engines.errors import DepthbridgeError

UInt8Array = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]


class DatasetError(DepthbridgeError):
    """A data set that is not recognised, lacks a file, or has one that breaks its owner's format."""

    code = "bad_dataset"


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One picture with its truth. Arrays are of the picture's size, (H, W).

    Raises :class:`DatasetError` where they, or the camera, are of another size, or where a pixel is counted that has no truth.
    """

    name: str
    """Unique in the data set, "/" between its parts."""
    rgb: UInt8Array
    """uint8 (H, W, 3)"""
    depth_m: FloatArray
    """float32, planar metres; 0 where there is no truth."""
    counted: BoolArray
    """Where errors are taken: truth there is, within the protocol's crop and range, and no sky."""
    sky: BoolArray | None = None
    """None where the data set does not say."""
    intrinsics: CameraIntrinsics | None = None
    """At the picture's size; None where the data set gives none."""
    notes: tuple[str, ...] = ()
    """Sentences worth telling, such as that truth was resampled."""

    def __post_init__(self) -> None:
        height, width = self.rgb.shape[:2]
        for what, array in (("depth", self.depth_m), ("mask of counted pixels", self.counted), ("sky mask", self.sky)):
            if array is not None and array.shape != (height, width):
                raise DatasetError(f"{self.name}: the {what} has shape {array.shape}, the picture {width}x{height} pixels.")
        camera = self.intrinsics
        if camera is not None and (camera.width, camera.height) != (width, height):
            raise DatasetError(f"{self.name}: the camera is of {camera.width}x{camera.height} pixels, the picture of {width}x{height}.")
        if not (self.depth_m[self.counted] > 0).all():
            raise DatasetError(f"{self.name}: pixels are counted that have no true depth.")


class Dataset(Protocol):
    """Pictures with truth in one layout. Nothing but the list of names is held; a picture is read when it is asked for."""

    @property
    def layout(self) -> str:
        """The layout's name in words: "NYU Depth v2"."""
        ...

    @property
    def protocol(self) -> str:
        """One line: split, valid range, crop, unit, and whose protocol that is."""
        ...

    @property
    def clamp_m(self) -> tuple[float, float] | None:
        """The range, in metres, that the protocol clamps estimates to before errors are taken; None where it does not."""
        ...

    def names(self) -> Sequence[str]:
        """What :meth:`load` takes, in a fixed order, each once."""
        ...

    def load(self, name: str) -> Sample:
        """The picture of that name. Raises :class:`DatasetError` (or :class:`~...engines.errors.ImageError`) with the file it is about."""
        ...
