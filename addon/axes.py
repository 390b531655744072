# SPDX-License-Identifier: GPL-3.0-or-later
"""From the camera frame of the engines to Blender's world. The only place where axes change.

Two steps. OpenCV's camera frame (x right, y down, z forward) becomes Blender's camera frame (x right, y up, looking along -z)
by ``diag(1, -1, -1)``. Then everything, the camera included, is turned by +90 degrees about x, so that a built scene stands
upright: the camera sits at the world's origin and looks along +Y, Z is up and a level picture has its floor below. Together:
``world = (x, z, -y)``.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

CAMERA_ROTATION = (math.pi / 2, 0.0, 0.0)
"""XYZ Euler angles, in radians, of a Blender camera that looks along +Y with Z up."""


def to_world(points: FloatArray) -> FloatArray:
    """Camera-frame points (N,3), OpenCV axes, as world points (N,3), float32 and C-contiguous; no unit changes."""
    world = np.empty(points.shape, dtype=np.float32)
    world[:, 0] = points[:, 0]
    world[:, 1] = points[:, 2]
    np.negative(points[:, 1], out=world[:, 2])
    return world
