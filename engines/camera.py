# SPDX-License-Identifier: Apache-2.0
"""Pinhole intrinsics, in pixels, with the edge convention.

The image spans ``[0, width] x [0, height]``; the centre of the first pixel is ``(0.5, 0.5)``; x points right, y down,
z forward (OpenCV's camera frame). A calibration that counts from pixel centres (OpenCV, COLMAP's old files) needs +0.5 on
``cx`` and ``cy``: :meth:`CameraIntrinsics.from_matrix` does that with ``origin="pixel_centre"``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .errors import CameraError

FloatArray = npt.NDArray[np.float32]

# Wider than any lens in use (179.4 degrees) and longer than any telescope on a sensor: beyond these a number is a mistake.
_MIN_FOCAL_PER_SIDE = 0.005
_MAX_FOCAL_PER_SIDE = 5000.0
_MAX_SIDE = 1_000_000

ASSUMED_FOV_VERTICAL_DEG = 50.0
"""What a picture without any known camera is taken with, wherever an assumption is allowed and marked: a phone held upright sees
about 65 degrees, a 50 mm lens on full frame 27."""


class CameraSource(StrEnum):
    """Where the camera of a depth map came from."""

    GIVEN = "given"
    EXIF = "exif"
    MODEL = "model"
    ASSUMED = "assumed"
    NONE = "none"


def _finite(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise CameraError(f"Camera {name} is {value!r}; give a number.")
    try:
        number = float(value)
    except OverflowError:  # a whole number, which may be longer than a float holds
        number = math.inf
    if not math.isfinite(number):
        raise CameraError(f"Camera {name} is {number}; give a finite number.")
    return number


@dataclass(frozen=True, slots=True)
class CameraIntrinsics:
    """Focal lengths and principal point in pixels of an image of ``width`` x ``height`` pixels.

    Raises :class:`CameraError` for sizes that are no positive integers, focal lengths that are not finite and positive or
    are absurd for the size, and principal points more than a million pixels away.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int

    def __post_init__(self) -> None:
        for name in ("width", "height"):
            side = getattr(self, name)
            if isinstance(side, bool) or not isinstance(side, (int, np.integer)):
                raise CameraError(f"Camera {name} is {side!r}; give a whole number of pixels.")
            if not 1 <= side <= _MAX_SIDE:
                raise CameraError(f"Camera {name} is {side} px; give 1 to {_MAX_SIDE}.")
            object.__setattr__(self, name, int(side))
        for name in ("fx", "fy", "cx", "cy"):
            object.__setattr__(self, name, _finite(getattr(self, name), name))
        longest = max(self.width, self.height)
        for name in ("fx", "fy"):
            focal = getattr(self, name)
            if focal <= 0:
                raise CameraError(f"Camera {name} is {focal:g} px; a focal length is positive.")
            if not _MIN_FOCAL_PER_SIDE * longest <= focal <= _MAX_FOCAL_PER_SIDE * longest:
                raise CameraError(
                    f"Camera {name} is {focal:g} px for a {self.width}x{self.height} image, which no lens has; "
                    "check that it is in pixels of this image."
                )
        # A window cut from a corner of a large picture has its principal point many of its own sizes away: only nonsense is refused.
        if abs(self.cx) > _MAX_SIDE or abs(self.cy) > _MAX_SIDE:
            raise CameraError(
                f"Camera principal point ({self.cx:g}, {self.cy:g}) lies far outside the {self.width}x{self.height} image; "
                "give it in pixels of this image."
            )

    # ---- making one -------------------------------------------------------------------------------------------

    @classmethod
    def from_vertical_fov(cls, fov_vertical_deg: float, width: int, height: int) -> CameraIntrinsics:
        """Square pixels, centred: ``f = height / (2 tan(fov / 2))``. Raises :class:`CameraError` outside 0..179.4 degrees."""
        focal = _focal_from_fov(fov_vertical_deg, height, "vertical")
        return cls(focal, focal, width / 2, height / 2, width, height)

    @classmethod
    def assumed(cls, width: int, height: int) -> CameraIntrinsics:
        """The camera to build with when nothing tells the real one; mark the result :attr:`CameraSource.ASSUMED`."""
        return cls.from_vertical_fov(ASSUMED_FOV_VERTICAL_DEG, width, height)

    @classmethod
    def from_horizontal_fov(cls, fov_horizontal_deg: float, width: int, height: int) -> CameraIntrinsics:
        """Square pixels, centred: ``f = width / (2 tan(fov / 2))``. Raises :class:`CameraError` outside 0..179.4 degrees."""
        focal = _focal_from_fov(fov_horizontal_deg, width, "horizontal")
        return cls(focal, focal, width / 2, height / 2, width, height)

    @classmethod
    def from_matrix(
        cls,
        matrix: npt.ArrayLike,
        width: int,
        height: int,
        origin: Literal["pixel_edge", "pixel_centre"] = "pixel_edge",
    ) -> CameraIntrinsics:
        """From a 3x3 ``K`` in pixels. ``origin="pixel_centre"`` adds 0.5 to the principal point.

        Raises :class:`CameraError` for another shape, a skew above 1e-3 of the focal length, or a last row that is not 0 0 1
        (a projection matrix, for instance).
        """
        try:
            k = np.asarray(matrix, dtype=np.float64)
        except (TypeError, ValueError, OverflowError) as error:
            raise CameraError("The intrinsic matrix is not made of numbers; give 3 rows of 3.") from error
        if k.shape != (3, 3):
            raise CameraError(f"The intrinsic matrix has shape {k.shape}; give 3 rows of 3.")
        if not np.all(np.isfinite(k)):
            raise CameraError("The intrinsic matrix holds a NaN or an infinity; give finite numbers.")
        if not np.allclose(k[2], (0, 0, 1), atol=1e-6) or abs(k[1, 0]) > 1e-6:
            raise CameraError(
                "The matrix is not an intrinsic matrix (its last row is not 0 0 1): a projection matrix must be turned into "
                "fx = P00*w/2, fy = P11*h/2 first."
            )
        if abs(k[0, 1]) > 1e-3 * abs(k[0, 0]):
            raise CameraError(f"The intrinsic matrix has a skew of {k[0, 1]:g} px; skewed pixels are not supported.")
        half = 0.5 if origin == "pixel_centre" else 0.0
        return cls(k[0, 0], k[1, 1], k[0, 2] + half, k[1, 2] + half, width, height)

    @classmethod
    def from_json(
        cls, source: str | Path | Mapping[str, Any], width: int | None = None, height: int | None = None
    ) -> CameraIntrinsics:
        """From a mapping, or a file holding one.

        Read are ``fx fy cx cy``, or ``focal_length_x focal_length_y principal_point_x principal_point_y``, or ``K`` (3x3,
        or 9 numbers), or only ``fov_vertical`` / ``fov_horizontal`` in degrees; ``width`` and ``height`` come from the
        mapping, else from the arguments. The principal point defaults to the centre. Raises :class:`CameraError`.
        """
        data = _read_mapping(source)
        w, h = data.get("width", width), data.get("height", height)
        if w is None or h is None:
            raise CameraError("The camera has no width and height; add both, in pixels.")
        for name, side in (("width", w), ("height", h)):
            if isinstance(side, bool) or not isinstance(side, (int, float)) or side != side // 1:
                raise CameraError(f"Camera {name} is {side!r}; give a whole number of pixels.")
            if abs(side) > _MAX_SIDE:
                raise CameraError(f"Camera {name} is {str(side)[:20]} px; give 1 to {_MAX_SIDE}.")
        w, h = int(w), int(h)
        if "K" in data:
            k = data["K"]
            if isinstance(k, Sequence) and len(k) == 9:
                k = [k[0:3], k[3:6], k[6:9]]
            return cls.from_matrix(k, w, h)
        for fx, fy, cx, cy in (
            ("fx", "fy", "cx", "cy"),
            ("focal_length_x", "focal_length_y", "principal_point_x", "principal_point_y"),
        ):
            if fx in data:
                focal_x = _finite(data[fx], fx)
                return cls(
                    focal_x,
                    _finite(data.get(fy, focal_x), fy),
                    _finite(data.get(cx, w / 2), cx),
                    _finite(data.get(cy, h / 2), cy),
                    w,
                    h,
                )
        if "fov_vertical" in data:
            return cls.from_vertical_fov(_finite(data["fov_vertical"], "fov_vertical"), w, h)
        if "fov_horizontal" in data:
            return cls.from_horizontal_fov(_finite(data["fov_horizontal"], "fov_horizontal"), w, h)
        raise CameraError(
            "The camera names no focal length; give fx and fy in pixels, a 3x3 K, or fov_vertical in degrees."
        )

    # ---- moving it with the image ------------------------------------------------------------------------------

    def resized(self, width: int, height: int) -> CameraIntrinsics:
        """The camera of the image resized to ``width`` x ``height``; each axis scales by its own factor."""
        sx, sy = width / self.width, height / self.height
        return CameraIntrinsics(self.fx * sx, self.fy * sy, self.cx * sx, self.cy * sy, width, height)

    def cropped(self, left: int, top: int, width: int, height: int) -> CameraIntrinsics:
        """The camera of the window that starts at pixel (``left``, ``top``); negative offsets pad."""
        return CameraIntrinsics(self.fx, self.fy, self.cx - left, self.cy - top, width, height)

    # ---- reading it --------------------------------------------------------------------------------------------

    @property
    def matrix(self) -> npt.NDArray[np.float64]:
        """``K``, float64 (3,3), pixels, edge convention."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]], dtype=np.float64)

    @property
    def mean_focal_px(self) -> float:
        """``(fx + fy) / 2``, what a canonical-focal model is scaled by."""
        return (self.fx + self.fy) / 2

    @property
    def fov_vertical_deg(self) -> float:
        """Vertical field of view in degrees; exact for a principal point off the centre, too."""
        return math.degrees(math.atan2(self.cy, self.fy) + math.atan2(self.height - self.cy, self.fy))

    @property
    def fov_horizontal_deg(self) -> float:
        """Horizontal field of view in degrees; exact for a principal point off the centre, too."""
        return math.degrees(math.atan2(self.cx, self.fx) + math.atan2(self.width - self.cx, self.fx))

    def ray_directions(self) -> FloatArray:
        """Un-normalised rays, float32 (height, width, 3), z = 1: multiply by planar depth to unproject."""
        rays = np.empty((self.height, self.width, 3), dtype=np.float32)
        rays[..., 0] = ((np.arange(self.width) + 0.5 - self.cx) / self.fx)[None, :]
        rays[..., 1] = ((np.arange(self.height) + 0.5 - self.cy) / self.fy)[:, None]
        rays[..., 2] = 1.0
        return rays

    def range_factor(self) -> FloatArray:
        """``range / depth`` per pixel, float32 (height, width): the length of each un-normalised ray."""
        x = (np.arange(self.width) + 0.5 - self.cx) / self.fx
        y = (np.arange(self.height) + 0.5 - self.cy) / self.fy
        return np.sqrt(1.0 + x[None, :] ** 2 + y[:, None] ** 2).astype(np.float32)

    def project(self, points: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Pixels (N,2) of camera-frame points (N,3); the depth must be positive."""
        p = np.asarray(points, dtype=np.float64)
        return np.stack([p[..., 0] / p[..., 2] * self.fx + self.cx, p[..., 1] / p[..., 2] * self.fy + self.cy], axis=-1)

    def to_json(self) -> dict[str, float | int]:
        """A plain mapping that :meth:`from_json` reads back."""
        return {"fx": self.fx, "fy": self.fy, "cx": self.cx, "cy": self.cy, "width": self.width, "height": self.height}


def _focal_from_fov(fov_deg: float, side: int, axis: str) -> float:
    fov = _finite(fov_deg, f"{axis} field of view")
    if not 0 < fov < 179.4:
        raise CameraError(f"A {axis} field of view of {fov:g} degrees is impossible; give degrees between 0 and 179.")
    return side / (2 * math.tan(math.radians(fov) / 2))


def _read_mapping(source: str | Path | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(source, Mapping):
        return source
    path = Path(source)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CameraError(f"The camera file {path} does not exist; check the path.") from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CameraError(f"The camera file {path} is not readable JSON ({error}).") from error
    if not isinstance(data, dict):
        raise CameraError(f"The camera file {path} holds no JSON object; write fx, fy, cx, cy, width and height into one.")
    return data
