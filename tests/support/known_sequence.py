# SPDX-License-Identifier: Apache-2.0
"""A short film whose every depth is known: a box that slides through a room, seen by an engine that answers each frame in another unit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from depthbridge.engines.camera import CameraIntrinsics, CameraSource
from depthbridge.engines.cancel import CancelToken
from depthbridge.engines.depth_map import DepthKind, DepthMap

from .known_depth import blocks

WIDTH, HEIGHT = 96, 72
CAMERA = CameraIntrinsics(90, 95, 50.5, 33.0, WIDTH, HEIGHT)


def room_depth() -> npt.NDArray[np.float32]:
    """A floor that rises to a wavy wall: 1.5 to 5."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.minimum(5.0, 1.5 + 5.0 * (1 - rows / HEIGHT) + 0.2 * np.sin(columns / 7)).astype(np.float32)


def film(count: int) -> tuple[list[npt.NDArray[np.uint8]], list[npt.NDArray[np.float32]]]:
    """Pictures and their depths; the box is at 1, moves 6 pixels a frame, and brightens, so that no two frames are alike."""
    pictures, depths = [], []
    for index in range(count):
        picture, depth = blocks(WIDTH, HEIGHT, side=12), room_depth()
        left = 4 + 6 * index
        picture[20:50, left : left + 22] = (230, 120 + 6 * index, 20)
        depth[20:50, left : left + 22] = 1.0
        pictures.append(picture)
        depths.append(depth)
    return pictures, depths


class KnownEngine:
    """An estimator that knows the depths of ``pictures``. Relative depth comes multiplied by ``scales[i]``; disparity is ``scale / depth + shift``
    with ``shifts[i]``. ``asked``: the frames in the order they were asked for. ``before``: called with the frame's index."""

    model_id = "known depth"
    needs_camera = False

    def __init__(
        self,
        pictures: Sequence[npt.NDArray[np.uint8]],
        depths: Sequence[npt.NDArray[np.float32]],
        kind: DepthKind = DepthKind.RELATIVE,
        *,
        scales: Sequence[float] | None = None,
        shifts: Sequence[float] | None = None,
        valid: npt.NDArray[np.bool_] | None = None,
        sky: npt.NDArray[np.float32] | None = None,
        before: Callable[[int], None] | None = None,
    ) -> None:
        self.kind = kind
        self._index = {picture.tobytes(): index for index, picture in enumerate(pictures)}
        self._depths, self._scales, self._shifts = depths, scales or [1.0] * len(depths), shifts or [0.0] * len(depths)
        self._valid, self._sky, self._before = valid, sky, before
        self.asked: list[int] = []
        self.cameras: list[CameraIntrinsics | None] = []

    def estimate(self, image: npt.NDArray[np.uint8], camera: CameraIntrinsics | None = None, *, cancel: CancelToken | None = None) -> DepthMap:
        index = self._index[image.tobytes()]
        if self._before is not None:
            self._before(index)
        if cancel is not None:
            cancel.check()
        self.asked.append(index)
        self.cameras.append(camera)
        depth, scale, shift = self._depths[index].astype(np.float64), self._scales[index], self._shifts[index]
        values = scale / depth + shift if self.kind is DepthKind.DISPARITY else depth * scale
        valid = np.ones(depth.shape, dtype=np.bool_) if self._valid is None else self._valid
        source = CameraSource.NONE if camera is None else CameraSource.GIVEN
        return DepthMap(values.astype(np.float32), self.kind, valid, self._sky, None, camera, self.model_id, source)
