# SPDX-License-Identifier: Apache-2.0
"""Cameras of captures: intrinsics as JSON, poses, and what Unity's projection matrix and transform say of both."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...engines.camera import CameraIntrinsics
from ...engines.errors import CameraError, CaptureError
from ..measuring.poses import FARTHEST_M, checked_extrinsics
from .files import shown
from .reader import Pose

INTRINSICS = "camera_intrinsics.json"

# A field of view and focal lengths that differ by more than this describe two cameras.
_FOV_TOLERANCE = 0.005


def camera_from_json(source: object, where: str, width: int, height: int) -> tuple[CameraIntrinsics, Pose | None, list[str]]:
    """Intrinsics, ``extrinsics`` or None, and notes, from the JSON object ``source`` that messages call ``where``.

    Raises :class:`CaptureError` or :class:`CameraError` when it is none, or that of pictures of another size.
    """
    if not isinstance(source, Mapping):
        raise CaptureError(f'{where} is no JSON object; give {{"focal_length_x": ..., "focal_length_y": ...}}.')
    try:
        camera = CameraIntrinsics.from_json(source, width, height)
    except CameraError as error:
        raise CameraError(f"{where}: {error}") from error
    if (camera.width, camera.height) != (width, height):
        raise CameraError(
            f"{where} is for {camera.width}x{camera.height} pixels and the picture has {width}x{height}; "
            "write the intrinsics of the pictures as they are."
        )
    return camera, _pose(source.get("extrinsics"), where), _fov_notes(source, camera, where)


def camera_from_projection(matrix: object, width: int, height: int) -> CameraIntrinsics:
    """Intrinsics from the upper 3x3 of Unity's ``Camera.projectionMatrix``, nine numbers **by columns**, as Perception writes its ``float3x3``.

    OpenGL's convention on every platform: ``fx = P00 w/2``, ``fy = P11 h/2``, ``cx = w/2 (1 - P02)``, ``cy = h/2 (1 + P12)`` with rows counted
    from the top. Raises :class:`CameraError` for anything else.
    """
    if not isinstance(matrix, Sequence) or len(matrix) != 9 or not all(_is_number(value) for value in matrix):
        raise CameraError(f"the capture's matrix is {shown(matrix)}; nine numbers were expected, Unity's projection matrix by columns.")
    p = np.array(matrix, dtype=np.float64).reshape(3, 3).T
    # A perspective projection maps -z: its third diagonal element is below 0, and K's is 1.
    if not np.all(np.isfinite(p)) or p[0, 0] <= 0 or p[1, 1] <= 0 or p[2, 2] >= 0:
        raise CameraError(f"the capture's matrix {shown(matrix)} is no perspective projection of Unity's.")
    if abs(p[0, 1]) > 1e-3 * p[0, 0] or abs(p[1, 0]) > 1e-3 * p[1, 1]:
        raise CameraError("the capture's matrix has a skew; skewed pixels are not supported.")
    return CameraIntrinsics(
        float(p[0, 0]) * width / 2,
        float(p[1, 1]) * height / 2,
        width / 2 * (1 - float(p[0, 2])),
        height / 2 * (1 + float(p[1, 2])),
        width,
        height,
    )


def pose_from_unity(position: object, rotation: object) -> Pose | None:
    """World to camera, float64 (3,4), from a Unity transform: position in metres, rotation as a quaternion x, y, z, w; None when it is none.

    Unity's world is left-handed with y up, its cameras look along +z: ``E = diag(1, -1, 1) [R^T | -R^T p]`` with R the transform's rotation,
    which is ``diag(1, -1, -1) * worldToCameraMatrix``. The determinant of its 3x3 part is -1.
    """
    if not (_is_vector(position, 3) and _is_vector(rotation, 4)):
        return None
    x, y, z, w = (float(value) for value in rotation)  # type: ignore[attr-defined]
    length = math.sqrt(x * x + y * y + z * z + w * w)
    if not 0.9 < length < 1.1 or max(abs(part) for part in position) > FARTHEST_M:  # type: ignore[attr-defined]
        return None
    x, y, z, w = x / length, y / length, z / length, w / length
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    down = np.diag([1.0, -1.0, 1.0]) @ turn.T
    return np.column_stack([down, -down @ np.array(position, dtype=np.float64)])


def _pose(value: object, where: str) -> Pose | None:
    if value is None:
        return None
    rows = value if isinstance(value, Sequence) else ()
    if len(rows) != 3 or not all(_is_vector(row, 4) for row in rows):
        raise CameraError(f"{where}: its extrinsics are {shown(value)}; give 3 rows of 4 numbers, world to camera, metres.")
    try:
        return checked_extrinsics(rows)
    except CameraError as error:
        raise CameraError(f"{where}: {error}") from error


def _fov_notes(source: Mapping[str, Any], camera: CameraIntrinsics, where: str) -> list[str]:
    fov = source.get("fov_vertical")
    if not _is_number(fov) or not 0 < float(fov) < 179:  # type: ignore[arg-type]
        return []
    expected = CameraIntrinsics.from_vertical_fov(float(fov), camera.width, camera.height).fy  # type: ignore[arg-type]
    if abs(camera.fy - expected) <= _FOV_TOLERANCE * expected:
        return []
    return [f"{where}: a fov_vertical of {fov:g} degrees makes {expected:.2f} px and focal_length_y is {camera.fy:.2f} px, which was used"]


def _is_number(value: object) -> bool:
    """One that a float holds: JSON's whole numbers may be longer."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and not abs(value) > sys.float_info.max


def _is_vector(value: object, length: int) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and len(value) == length
        and all(_is_number(part) and math.isfinite(part) for part in value)
    )
