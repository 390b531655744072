# SPDX-License-Identifier: Apache-2.0
"""The device path as an engine takes it: depth maps of pictures whose size it knows, and learning a size from what the ordinary path gave."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future

import numpy as np
import numpy.typing as npt

from ..buffers import BufferPool
from ..camera import CameraIntrinsics, CameraSource
from ..cancel import CancelToken
from ..depth_map import DepthKind, DepthMap, StageTimes
from ..interpret import camera_that_counts, unit_of
from ..model_spec import InputPolicy, ModelSpec
from ..network import Network
from ..postprocess import predicted_pose
from ..preprocess import plan_input
from ..recognise import Recognised
from .frames import DeviceFrames, device_frames
from .slot import FinishedFrame

_Pixels = npt.NDArray[np.uint8]


class DeviceWay:
    """The device path of an engine with that ``network``."""

    def __init__(self, frames: DeviceFrames, spec: ModelSpec, policy: InputPolicy, network: Network) -> None:
        self._frames, self._spec, self._policy, self._network = frames, spec, policy, network

    @classmethod
    def beside(
        cls, runtime: object, recognised: Recognised, policy: InputPolicy, network: Network, pool: BufferPool
    ) -> DeviceWay | None:
        """The one for an engine's parts; None where its runtime is none of ONNX Runtime's on an NVIDIA GPU."""
        frames = device_frames(runtime, recognised.signature, recognised.spec, policy, pool)
        return None if frames is None else cls(frames, recognised.spec, policy, network)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences worth showing once."""
        return tuple(self._frames.notes)

    def start(
        self,
        pictures: Sequence[_Pixels],
        cameras: Sequence[CameraIntrinsics | None],
        sources: Sequence[CameraSource],
        cancel: CancelToken | None,
    ) -> Callable[[], list[DepthMap]] | None:
        """Sends pictures of one size on their way and gives what waits for their maps; None when the ordinary path is theirs. It waits itself
        while three jobs are under way. Raises as ``DepthEngine.estimate``."""
        height, width = pictures[0].shape[:2]
        if not self._frames.knows(width, height, len(pictures)):
            return None
        answer: Future[list[FinishedFrame]] = self._frames.start(pictures, self._factors(pictures, cameras), cancel)

        def wait() -> list[DepthMap]:
            return [self._map(*one) for one in zip(answer.result(), cameras, sources, strict=True)]

        return wait

    def estimate(
        self,
        pictures: Sequence[_Pixels],
        cameras: Sequence[CameraIntrinsics | None],
        sources: Sequence[CameraSource],
        cancel: CancelToken | None,
    ) -> list[DepthMap] | None:
        """As :meth:`start`, and waits."""
        wait = self.start(pictures, cameras, sources, cancel)
        return None if wait is None else wait()

    def learn(self, pictures: Sequence[_Pixels], cameras: Sequence[CameraIntrinsics | None], maps: Sequence[DepthMap]) -> None:
        """Makes ready for pictures of that size and number, if that is new; ``maps`` are the ordinary path's of them."""
        height, width = pictures[0].shape[:2]
        if self._frames.wants(width, height, len(pictures)):
            values = [depth.values for depth in maps]
            self._frames.learn(pictures, self._factors(pictures, cameras), values, self._network.fixed_size)

    def close(self) -> None:
        """Frees everything after what is under way; before the runtime is closed."""
        self._frames.close()

    def _factors(self, pictures: Sequence[_Pixels], cameras: Sequence[CameraIntrinsics | None]) -> list[float]:
        height, width = pictures[0].shape[:2]
        plan = plan_input(width, height, self._policy, self._network.fixed_size)
        return [unit_of(self._spec, plan, camera).factor or 1.0 for camera in cameras]

    def _map(self, frame: FinishedFrame, camera: CameraIntrinsics | None, source: CameraSource) -> DepthMap:
        camera, source = camera_that_counts(frame.plan, frame.intrinsics, camera, source)
        unit = unit_of(self._spec, frame.plan, camera)
        return DepthMap(
            values=frame.values,
            kind=unit.kind,
            valid=frame.valid,
            sky=frame.sky,
            confidence=frame.confidence,
            camera=camera,
            model_id=self._spec.id,
            camera_source=source,
            extrinsics=predicted_pose(frame.extrinsics),
            focal_px=unit.focal_px,
            scale_note=unit.note,
            max_depth_m=self._spec.max_depth_m if unit.kind is DepthKind.METRIC else None,
            stage_ms=StageTimes(frame.prepare_ms, frame.infer_ms, frame.finish_ms),
        )
