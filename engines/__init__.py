# SPDX-License-Identifier: Apache-2.0
"""The inference module: an image in, a depth map that knows its meaning out.

Pure: neither Blender nor sockets; a runtime is imported when a model is opened, never before.
"""

from __future__ import annotations

from .camera import CameraIntrinsics, CameraSource
from .depth_map import DepthKind, DepthMap
from .errors import DepthbridgeError

__all__ = ["CameraIntrinsics", "CameraSource", "DepthKind", "DepthMap", "DepthbridgeError"]
