# SPDX-License-Identifier: Apache-2.0
"""What a consumer of depth needs from an engine: what it gives, and one method; a second one where it takes several pictures at once.

:class:`~.engine.DepthEngine` is one (with batches), a remote engine is another (without).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

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


@runtime_checkable
class BatchEstimator(Estimator, Protocol):
    """An estimator that can run several pictures at once."""

    def batch_limit(self, width: int, height: int) -> int:
        """How many pictures of that size share a run; 1 when they are run one by one."""
        ...

    def estimate_batch(
        self,
        images: Sequence[npt.NDArray[np.uint8]],
        cameras: Sequence[CameraIntrinsics | None] | None = None,
        *,
        cancel: CancelToken | None = None,
    ) -> list[DepthMap]:
        """Depth of each image; ``cameras`` has one entry an image. Raises as :meth:`Estimator.estimate`, for all of them together."""
        ...


def batch_limit(estimator: Estimator, width: int, height: int) -> int:
    """How many pictures of that size ``estimator`` runs at once: 1 for one that knows no batches."""
    return estimator.batch_limit(width, height) if isinstance(estimator, BatchEstimator) else 1


def estimate_all(
    estimator: Estimator,
    images: Sequence[npt.NDArray[np.uint8]],
    cameras: Sequence[CameraIntrinsics | None],
    *,
    cancel: CancelToken | None = None,
) -> list[DepthMap]:
    """Depth of each image, in one run where ``estimator`` can, else one by one. Raises as :meth:`Estimator.estimate`, for all together."""
    if len(images) > 1 and isinstance(estimator, BatchEstimator):
        return estimator.estimate_batch(images, cameras, cancel=cancel)
    return [estimator.estimate(image, camera, cancel=cancel) for image, camera in zip(images, cameras, strict=True)]
