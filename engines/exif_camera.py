# SPDX-License-Identifier: Apache-2.0
"""The camera that a photograph's EXIF data describes, or None where it describes none that can be trusted.

Two sources, in this order:

1. ``FocalLength`` (mm) with ``FocalPlaneX/YResolution``: one focal length per axis, without rounding. The resolution counts pixels of
   the picture as the camera stored it, ``PixelX/YDimension``; a picture resized since is scaled by their ratio. Not used after digital
   zoom (the crop is not recorded there), nor when it contradicts the second source.
2. ``FocalLengthIn35mmFilm``, whole millimetres. Two conventions are about, equal diagonal (CIPA DCG-001, and what phones write) and
   equal width; they differ by 4 % for 4:3 pictures. We take the diagonal: ``f_px = f35 * hypot(w, h) / hypot(36, 24)``.

A picture whose proportions differ from ``PixelX/YDimension`` was cropped after it was taken: its EXIF focal length is that of
another picture and is ignored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import SupportsFloat

from .camera import CameraIntrinsics
from .errors import CameraError

FOCAL_LENGTH = 0x920A
PIXEL_X_DIMENSION = 0xA002
PIXEL_Y_DIMENSION = 0xA003
FOCAL_PLANE_X_RESOLUTION = 0xA20E
FOCAL_PLANE_Y_RESOLUTION = 0xA20F
FOCAL_PLANE_RESOLUTION_UNIT = 0xA210
DIGITAL_ZOOM_RATIO = 0xA404
FOCAL_LENGTH_IN_35MM_FILM = 0xA405

_DIAGONAL_35MM = math.hypot(36, 24)
# EXIF defines 2 and 3; cameras also write 4 and 5. 1 means "no unit", of which nothing can be made.
_MM_PER_UNIT = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}
_SENSOR_SIDE_MM = (0.5, 200.0)
# From a fisheye to a telescope; 65535 is what some programs write for "unknown".
_FILM_FOCAL_MM = (3.0, 6000.0)
_PROPORTION_TOLERANCE = 0.02
# 35 mm equivalents are rounded (2 % at 26 mm), and some are computed from the width (4 %).
_SOURCES_AGREE = 0.12


def camera_from_exif(exif: Mapping[int, object], width: int, height: int, *, turned: bool = False) -> CameraIntrinsics | None:
    """The camera of the upright picture, ``width`` x ``height`` pixels, centred; None when EXIF gives no plausible one.

    ``exif`` maps the tag numbers of the Exif IFD to values. ``turned`` says that upright differs from the stored picture by a quarter
    turn (orientations 5 to 8), so that the stored x axis is the upright y axis. Never raises for what a file may contain.
    """
    stored = (height, width) if turned else (width, height)
    focal = _focal_of_stored_picture(exif, *stored)
    if focal is None:
        return None
    fx, fy = reversed(focal) if turned else focal
    try:
        return CameraIntrinsics(fx, fy, width / 2, height / 2, width, height)
    except CameraError:
        return None


def _focal_of_stored_picture(exif: Mapping[int, object], width: int, height: int) -> tuple[float, float] | None:
    original = _original_size(exif, width, height)
    if original is None:
        return None
    film_mm = _positive(exif.get(FOCAL_LENGTH_IN_35MM_FILM))
    film = None
    if film_mm is not None and _FILM_FOCAL_MM[0] <= film_mm <= _FILM_FOCAL_MM[1]:
        film = film_mm * math.hypot(width, height) / _DIAGONAL_35MM
    plane = _from_focal_plane(exif, original, width, height)
    if plane is not None and (film is None or abs(math.log(math.sqrt(plane[0] * plane[1]) / film)) < _SOURCES_AGREE):
        return plane
    return None if film is None else (film, film)


def _original_size(exif: Mapping[int, object], width: int, height: int) -> tuple[float, float] | None:
    """The picture's size when it was taken, in the stored picture's axes; None when it has been cropped since."""
    x, y = _positive(exif.get(PIXEL_X_DIMENSION)), _positive(exif.get(PIXEL_Y_DIMENSION))
    if x is None or y is None:
        return float(width), float(height)
    # Rounding to whole pixels alone moves the proportions of a small thumbnail.
    tolerance = _PROPORTION_TOLERANCE + 1 / min(width, height)
    # The second order is that of a program that turned the pixels and left the two numbers as they were.
    for w, h in ((x, y), (y, x)):
        if abs(math.log((w / h) / (width / height))) <= tolerance:
            return w, h
    return None


def _from_focal_plane(
    exif: Mapping[int, object], original: tuple[float, float], width: int, height: int
) -> tuple[float, float] | None:
    focal_mm = _positive(exif.get(FOCAL_LENGTH))
    x_per_unit, y_per_unit = _positive(exif.get(FOCAL_PLANE_X_RESOLUTION)), _positive(exif.get(FOCAL_PLANE_Y_RESOLUTION))
    # The default of the standard is inches.
    mm_per_unit = _MM_PER_UNIT.get(int(_positive(exif.get(FOCAL_PLANE_RESOLUTION_UNIT, 2)) or 0))
    if focal_mm is None or x_per_unit is None or y_per_unit is None or mm_per_unit is None:
        return None
    if (_positive(exif.get(DIGITAL_ZOOM_RATIO)) or 1.0) > 1.01:
        return None
    sensor_mm = (original[0] / x_per_unit * mm_per_unit, original[1] / y_per_unit * mm_per_unit)
    if not all(_SENSOR_SIDE_MM[0] <= side <= _SENSOR_SIDE_MM[1] for side in sensor_mm):
        return None
    fx, fy = focal_mm / sensor_mm[0] * width, focal_mm / sensor_mm[1] * height
    # No photographic lens squeezes a picture by more than 2; beyond that one of the two resolutions is a mistake.
    return (fx, fy) if 0.5 <= fx / fy <= 2.0 else None


def _positive(value: object) -> float | None:
    """``value`` as a positive number of sane magnitude; None for anything else (zero is how EXIF says unknown)."""
    if isinstance(value, (str, bytes)) or not isinstance(value, SupportsFloat):
        return None
    try:
        number = float(value)
    except (ValueError, ZeroDivisionError, OverflowError):
        return None
    return number if 1e-9 < number < 1e12 else None
