# SPDX-License-Identifier: Apache-2.0
"""What a consumer of depth needs from an engine: what it gives, and one method.

:class:`~.engine.DepthEngine` is one, a remote engine is another.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from .camera import CameraIntrinsics
from .cancel import CancelToken
from .depth_map import DepthKind, DepthMap


class Estimator(Protocol):
    """Turns an upright uint8 RGB image (H,W,3) into a :class:`DepthMap` of the same size."""

    @property
    def model_id(self) -> str:
        """The catalogue id, or file name, of the model behind it."""
        ...

    @property
    def kind(self) -> DepthKind:
        """What its maps are, once :attr:`needs_camera` is satisfied."""
        ...

    @property
    def needs_camera(self) -> bool:
        """Whether it has metres only with the focal length: without a camera its maps are RELATIVE."""
        ...

    def estimate(
        self, image: npt.NDArray[np.uint8], camera: CameraIntrinsics | None = None, *, cancel: CancelToken | None = None
    ) -> DepthMap:
        """Depth of one image. ``camera`` is that of ``image``. Raises a ``DepthbridgeError``; ``CancelledError`` soon after a cancel."""
        ...
