# SPDX-License-Identifier: Apache-2.0
"""Where a camera stood, as requests and captures say it, and how far away anything may be."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...engines.errors import CameraError

FARTHEST_M = 1e9
"""A million kilometres: a length beyond this is a mistake, and squares of much longer ones are beyond single precision."""

_ROTATION_TOLERANCE = 1e-3


def checked_extrinsics(rows: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """World to camera, [R | t] in metres, float64 (3,4), from such rows of finite numbers; R may mirror, as Unity's does.

    Raises :class:`CameraError` for a matrix that does more than turn and move, and for numbers no camera has.
    """
    matrix = np.array(rows, dtype=np.float64)
    worst = float(np.abs(matrix).max())
    if not worst <= FARTHEST_M:
        raise CameraError(f"The camera's extrinsics hold {worst:g}; give metres, at most {FARTHEST_M:g}.")
    rotation = matrix[:, :3]
    error = float(np.abs(rotation @ rotation.T - np.eye(3)).max())
    if error > _ROTATION_TOLERANCE:
        raise CameraError(
            f"The camera's extrinsics are not a rotation and a translation (their 3x3 part is {error:.3g} off orthonormal); give world to "
            "camera without scale: in Unity diag(1,-1,-1) * camera.worldToCameraMatrix, the upper three rows."
        )
    return matrix
