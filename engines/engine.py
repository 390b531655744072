# SPDX-License-Identifier: Apache-2.0
"""The depth engine: opened once, used many times, closed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Literal

import numpy as np
import numpy.typing as npt

from .buffers import BufferPool
from .camera import CameraIntrinsics, CameraSource
from .cancel import CancelToken, call_stoppable
from .depth_map import DepthKind, DepthMap, StageTimes
from .device_path.way import DeviceWay
from .engine_files import open_engine_file
from .errors import CameraError
from .images import DecodedImage
from .interpret import interpret
from .model_paths import is_engine_file
from .model_spec import InputPolicy, ModelSpec
from .model_store import resolve
from .network import Network, NetworkAnswer, PreparedPicture
from .prepared.engine_cache import EngineCache
from .preprocess import check_image
from .recognise import Recognised, recognise
from .runtimes.opening import candidates, open_target
from .runtimes.runtime import Runtime
from .runtimes.targets import AUTO, Precision, Target, Wish

Picture = npt.NDArray[np.uint8] | DecodedImage
_Job = tuple[npt.NDArray[np.uint8], CameraIntrinsics | None, CameraSource]


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What an engine runs, for a status line. ``notes`` are sentences worth showing once."""

    model_id: str
    path: str
    family: str
    evidence: str
    kind: DepthKind
    runtime: str
    device: str
    precision: Precision
    input_policy: InputPolicy
    fixed_size: tuple[int | None, int | None]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class FrameUnderWay:
    """A picture between the stages of :meth:`DepthEngine.prepare`, ``run`` and ``finish``: prepared, answered, or under way on a device."""

    job: _Job
    prepared: PreparedPicture | None = None
    answer: NetworkAnswer | None = None
    wait: Callable[[], list[DepthMap]] | None = None


class DepthEngine:
    """A model on a runtime. Use it as a context manager, or call :meth:`close`."""

    def __init__(
        self, runtime: Runtime, recognised: Recognised, path: Path, policy: InputPolicy | None = None, notes: Sequence[str] = (),
        *, pool: BufferPool | None = None,
    ) -> None:  # fmt: skip
        """``notes``: sentences about the opening, for :attr:`info`. ``pool``: where its maps' memory comes from, its own by default."""
        self._runtime = runtime
        self._spec = recognised.spec
        self._evidence = recognised.evidence
        self._path = path
        self._policy = policy or recognised.spec.input
        self._opening_notes = (*recognised.notes, *notes, *runtime.notes)
        self._pool = pool or BufferPool()
        self._network = Network(runtime, recognised.signature, self._spec, path, self._policy, self._pool)
        self._device = DeviceWay.beside(runtime, recognised, self._policy, self._network, self._pool)

    @classmethod
    def open(
        cls,
        model: str | Path = "depthbridge-mini",
        *,
        device: str = AUTO,
        runtime: str = AUTO,
        precision: str = AUTO,
        threads: int | None = None,
        spec: ModelSpec | None = None,
        policy: InputPolicy | None = None,
        models_dir: Path | None = None,
        cache: EngineCache | Literal["user"] | None = "user",
        progress: Callable[[str], None] | None = None,
        cancel: CancelToken | None = None,
    ) -> DepthEngine:
        """Opens a model by catalogue id, or by the path of an ONNX file or of an engine of TensorRT (:mod:`.engine_files`).

        ``device`` (``cpu``, ``cuda:1``, ...), ``runtime`` (a :class:`RuntimeName`) and ``precision`` (a :class:`Precision`) leave to a
        measurement what is ``auto``; ``DEPTHBRIDGE_RUNTIME`` in the environment is the library that ``auto`` means. ``threads``: of the CPU.
        ``spec`` overrides what the sidecar or catalogue says of the file, ``policy`` how pictures are resized for it. Measurements and
        compiled engines are kept in ``cache``, by default the user's cache folder; ``progress`` is told what takes its time.

        Raises :class:`ModelError` (unknown, not installed, not understood), :class:`RuntimeUnavailableError`, and ``CancelledError`` soon after
        ``cancel`` was called (loading cannot be interrupted: what it still loads is let go when it is done).
        """
        wish = Wish.parse(device, runtime, precision).or_environment()

        def work() -> DepthEngine:
            resolved = resolve(model, models_dir)
            if is_engine_file(resolved.path):
                ready, said = open_engine_file(resolved.path, spec or resolved.spec, Wish.parse(device, runtime), cancel)
                return cls(ready, said, resolved.path, policy)
            recognised = recognise(resolved.path, spec or resolved.spec)
            kept = EngineCache.default() if cache == "user" else cache
            found = candidates(resolved.path, wish)
            opened, notes = _open_best(resolved.path, found, recognised, policy, threads, kept, progress, cancel)
            return cls(opened, recognised, resolved.path, policy, (*notes, *(kept.take_notes() if kept is not None else ())))

        return work() if cancel is None else call_stoppable(work, cancel)

    # ---- what it is ---------------------------------------------------------------------------------------------

    @property
    def model_id(self) -> str:
        return self._spec.id

    @property
    def spec(self) -> ModelSpec:
        return self._spec

    @property
    def kind(self) -> DepthKind:
        """What its maps are, once :attr:`needs_camera` is satisfied."""
        return self._spec.kind

    @property
    def needs_camera(self) -> bool:
        """Whether it has metres only with the focal length: without a camera its maps are RELATIVE."""
        return self._spec.canonical_focal_px is not None

    @property
    def info(self) -> EngineInfo:
        return EngineInfo(
            model_id=self._spec.id,
            path=str(self._path),
            family=self._spec.family,
            evidence=self._evidence,
            kind=self._spec.kind,
            runtime=self._runtime.name,
            device=self._runtime.device,
            precision=self._runtime.precision,
            input_policy=self._policy,
            fixed_size=self._network.fixed_size,
            notes=tuple(dict.fromkeys((*self._opening_notes, *self._network.notes, *(self._device.notes if self._device else ())))),
        )

    def close(self) -> None:
        """Frees the model; calling it twice does nothing."""
        if self._device is not None:
            self._device.close()
        self._runtime.close()
        self._network.close()
        self._pool.close()

    def __enter__(self) -> DepthEngine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # ---- what it does -------------------------------------------------------------------------------------------

    def warm_up(self, width: int = 504, height: int = 280, *, batches: bool = False, cancel: CancelToken | None = None) -> None:
        """Runs once on a grey picture, so that the first real one meets a ready model; with ``batches`` on two of them, where the graph takes
        several, so that it is known whether it does."""
        grey = np.full((height, width, 3), 127, dtype=np.uint8)
        if batches and self.batch_limit(width, height) > 1:
            self.estimate_batch([grey, grey], cancel=cancel)
        else:
            self.estimate(grey, cancel=cancel)

    def estimate(
        self,
        image: Picture,
        camera: CameraIntrinsics | None = None,
        *,
        camera_source: CameraSource = CameraSource.GIVEN,
        resolution: Literal["image", "network"] = "image",
        cancel: CancelToken | None = None,
    ) -> DepthMap:
        """Depth of one upright picture: uint8 RGB (H,W,3), or a decoded file, whose EXIF camera then counts.

        The camera is the one given, else EXIF's, else the one the model predicts. Without any, a model of canonical focal length answers
        with RELATIVE depth and says so in ``scale_note``. ``resolution="network"`` gives the raw grid with its own camera. Raises
        :class:`ImageError`, :class:`CameraError` when the camera is of another size, :class:`ModelError`, and ``CancelledError`` within half
        a second after ``cancel`` was called, which leaves the engine ready for the next picture.
        """
        if resolution not in ("image", "network"):
            raise ValueError(f"resolution is 'image' or 'network', not {resolution!r}")
        pixels, camera, camera_source = _checked(image, camera, camera_source)

        def work() -> DepthMap:
            device = self._device if resolution == "image" else None
            done = device.estimate([pixels], [camera], [camera_source], cancel) if device is not None else None
            if done is not None:
                return done[0]
            result = self._finish(self._network.infer(pixels, cancel), camera, camera_source, resolution, cancel)
            if device is not None:
                device.learn([pixels], [camera], [result])
            return result

        return work() if cancel is None else call_stoppable(work, cancel)

    def batch_limit(self, width: int, height: int) -> int:
        """How many pictures of that size :meth:`estimate_batch` runs at once; 1 when the graph takes them one by one."""
        return self._network.batch_limit(width, height)

    def estimate_batch(
        self,
        images: Sequence[Picture],
        cameras: Sequence[CameraIntrinsics | None] | None = None,
        *,
        cancel: CancelToken | None = None,
    ) -> list[DepthMap]:
        """Depth of several pictures, in their order; ``cameras`` has one entry a picture.

        Pictures of one size share runs where the graph takes batches, and each gets what :meth:`estimate` makes of it, up to rounding.
        Raises as :meth:`estimate`, for all when one of them cannot be estimated. A graph that claims to take batches is put to the test by
        the first one, with two pictures of its own.
        """
        given = [None] * len(images) if cameras is None else cameras
        jobs = [_checked(image, camera, CameraSource.GIVEN) for image, camera in zip(images, given, strict=True)]
        same_size: dict[tuple[int, ...], list[int]] = {}
        for place, (pixels, _, _) in enumerate(jobs):
            same_size.setdefault(pixels.shape, []).append(place)

        def work() -> list[DepthMap]:
            found: dict[int, DepthMap] = {}
            for places in same_size.values():
                results = self._estimate_alike([jobs[place] for place in places], cancel)
                found.update(zip(places, results, strict=True))
            return [found[place] for place in range(len(jobs))]

        return work() if cancel is None else call_stoppable(work, cancel)

    # ---- in stages, for those who overlap them ------------------------------------------------------------------

    def prepare(
        self, image: Picture, camera: CameraIntrinsics | None = None, cancel: CancelToken | None = None
    ) -> FrameUnderWay:
        """The first stage of :meth:`estimate`. Each stage may run in a thread of its own, one picture at a time in each; raises as it does."""
        job = _checked(image, camera, CameraSource.GIVEN)
        if self._device is None:
            return FrameUnderWay(job, prepared=self._network.prepare(job[0]))
        return FrameUnderWay(job, wait=self._device.start([job[0]], [job[1]], [job[2]], cancel))

    def run(self, frame: FrameUnderWay, cancel: CancelToken | None = None) -> FrameUnderWay:
        """The second stage."""
        if frame.prepared is not None:
            return replace(frame, prepared=None, answer=self._network.run(frame.prepared, cancel))
        if frame.wait is None:  # the device has yet to learn that size
            pixels, camera, source = frame.job
            known = self.estimate(pixels, camera, camera_source=source, cancel=cancel)
            return replace(frame, wait=lambda: [known])
        return frame

    def finish(self, frame: FrameUnderWay, cancel: CancelToken | None = None) -> DepthMap:
        """The third stage."""
        if frame.wait is not None:
            return frame.wait()[0]
        if frame.answer is None:
            raise ValueError("a frame is finished after it was run")
        return self._finish(frame.answer, frame.job[1], frame.job[2], "image", cancel)

    # ---- inside -------------------------------------------------------------------------------------------------

    def _estimate_alike(self, jobs: Sequence[_Job], cancel: CancelToken | None) -> list[DepthMap]:
        """Pictures of one size, as many a run as the graph takes."""
        results: list[DepthMap] = []
        while len(results) < len(jobs):
            height, width = jobs[0][0].shape[:2]
            pictures, cameras, sources = zip(*jobs[len(results) : len(results) + self.batch_limit(width, height)], strict=True)
            done = self._device.estimate(pictures, cameras, sources, cancel) if self._device is not None else None
            if done is None:
                answers = zip(self._network.infer_batch(pictures, cancel), cameras, sources, strict=True)
                done = [self._finish(answer, camera, source, "image", cancel) for answer, camera, source in answers]
                if self._device is not None and len(pictures) <= self.batch_limit(width, height):
                    self._device.learn(pictures, cameras, done)
            results += done
        return results

    def _finish(
        self,
        answer: NetworkAnswer,
        camera: CameraIntrinsics | None,
        camera_source: CameraSource,
        resolution: Literal["image", "network"],
        cancel: CancelToken | None,
    ) -> DepthMap:
        started = time.perf_counter()
        result = interpret(answer, self._spec, camera, camera_source, resolution, self._pool, cancel)
        stages = StageTimes(answer.prepare_ms, answer.infer_ms, (time.perf_counter() - started) * 1e3)
        return replace(result, stage_ms=stages)


def _open_best(
    path: Path,
    found: Sequence[Target],
    recognised: Recognised,
    policy: InputPolicy | None,
    threads: int | None,
    cache: EngineCache | None,
    progress: Callable[[str], None] | None,
    cancel: CancelToken | None,
) -> tuple[Runtime, Sequence[str]]:
    """The runtime that measures fastest, and notes about the choice. Where there is one alone, nothing is measured and nothing more loaded."""
    if len(found) == 1:
        return open_target(path, found[0], threads=threads, cache=cache, progress=progress, cancel=cancel), ()
    from .tuning.choice import choose  # loads what measures

    choice = choose(
        path, found, threads=threads, cache=cache, progress=progress, cancel=cancel, recognised=recognised, policy=policy
    )  # fmt: skip
    return choice.runtime, choice.notes


def _checked(image: Picture, camera: CameraIntrinsics | None, source: CameraSource) -> _Job:
    """The pixels of a picture, and the camera that counts for it: the one given, else its file's."""
    if camera is None and isinstance(image, DecodedImage) and image.exif_camera is not None:
        camera, source = image.exif_camera, CameraSource.EXIF
    pixels = check_image(image.rgb if isinstance(image, DecodedImage) else image)
    height, width = pixels.shape[:2]
    if camera is not None and (camera.width, camera.height) != (width, height):
        raise CameraError(
            f"The camera is that of a {camera.width}x{camera.height} picture, this one is {width}x{height}; give the camera of this picture."
        )
    return pixels, camera, source
