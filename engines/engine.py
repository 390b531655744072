# SPDX-License-Identifier: Apache-2.0
"""The depth engine: opened once, used many times, closed."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Literal

import numpy as np
import numpy.typing as npt

from .camera import CameraIntrinsics, CameraSource
from .cancel import CancelToken, call_stoppable
from .depth_map import SKY_THRESHOLD, DepthKind, DepthMap, StageTimes
from .errors import CameraError, ModelError
from .images import DecodedImage
from .model_spec import InputPolicy, ModelSpec
from .model_store import resolve
from .postprocess import (
    as_map,
    canonical_to_metres,
    fill_sky,
    predicted_camera,
    predicted_pose,
    to_source_size,
)
from .preprocess import InputPlan, check_image, make_tensor, plan_input
from .recognise import Recognised, recognise
from .runtime import Runtime
from .runtime_onnx import OnnxRuntime
from .signature import Layout

_FloatMap = npt.NDArray[np.float32]
Picture = npt.NDArray[np.uint8] | DecodedImage

# Sizes (height, width) that published exports were traced at, tried in turn when a graph runs at none but its own.
_TRACE_SIZES = ((280, 504), (504, 504), (378, 504), (336, 504), (518, 518))

NO_CAMERA_NOTE = (
    "The model needs the focal length to give metres, and none is known: the depth is relative. "
    "Give --fov-v or --intrinsics, or a picture with its EXIF focal length."
)


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
    input_policy: InputPolicy
    fixed_size: tuple[int | None, int | None]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Raw:
    """A network's answer, at its own size, with the plan of its input."""

    plan: InputPlan
    depth: _FloatMap
    sky: _FloatMap | None
    confidence: _FloatMap | None
    intrinsics: npt.NDArray[np.generic] | None
    extrinsics: npt.NDArray[np.generic] | None


class DepthEngine:
    """A model on a runtime. Use it as a context manager, or call :meth:`close`."""

    def __init__(self, runtime: Runtime, recognised: Recognised, path: Path, policy: InputPolicy | None = None) -> None:
        self._runtime = runtime
        self._spec = recognised.spec
        self._signature = recognised.signature
        self._evidence = recognised.evidence
        self._path = path
        self._policy = policy or recognised.spec.input
        self._notes: dict[str, None] = dict.fromkeys((*recognised.notes, *runtime.notes))
        # A graph that calls its axes dynamic may run at one size only, which is found out by running it.
        self._fixed_size: tuple[int | None, int | None] = (recognised.signature.height, recognised.signature.width)

    @classmethod
    def open(
        cls,
        model: str | Path = "depthbridge-mini",
        *,
        device: str = "auto",
        threads: int | None = None,
        spec: ModelSpec | None = None,
        policy: InputPolicy | None = None,
        models_dir: Path | None = None,
        cancel: CancelToken | None = None,
    ) -> DepthEngine:
        """Opens a model by catalogue id or by the path of an ONNX file.

        ``spec`` overrides what the sidecar or catalogue says of the file, ``policy`` how pictures are resized for it. Raises
        :class:`ModelError` (unknown, not installed, not understood), :class:`RuntimeUnavailableError`, and ``CancelledError`` soon after
        ``cancel`` was called (loading cannot be interrupted: what it still loads is let go when it is done).
        """

        def work() -> DepthEngine:
            resolved = resolve(model, models_dir)
            recognised = recognise(resolved.path, spec or resolved.spec)
            return cls(OnnxRuntime(resolved.path, device, threads), recognised, resolved.path, policy)

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
            input_policy=self._policy,
            fixed_size=self._fixed_size,
            notes=tuple(self._notes),
        )

    def close(self) -> None:
        """Frees the model; calling it twice does nothing."""
        self._runtime.close()

    def __enter__(self) -> DepthEngine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # ---- what it does -------------------------------------------------------------------------------------------

    def warm_up(self, width: int = 504, height: int = 280, *, cancel: CancelToken | None = None) -> None:
        """Runs once on a grey picture, so that the first real one meets a ready model."""
        self.estimate(np.full((height, width, 3), 127, dtype=np.uint8), cancel=cancel)

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
        if camera is None and isinstance(image, DecodedImage) and image.exif_camera is not None:
            camera, camera_source = image.exif_camera, CameraSource.EXIF
        pixels = image.rgb if isinstance(image, DecodedImage) else image

        def work() -> DepthMap:
            return self._estimate(pixels, camera, camera_source, resolution, cancel)

        return work() if cancel is None else call_stoppable(work, cancel)

    def estimate_batch(
        self,
        images: Iterable[Picture],
        cameras: Sequence[CameraIntrinsics | None] | None = None,
        *,
        cancel: CancelToken | None = None,
    ) -> Iterator[DepthMap]:
        """Depth of several pictures, one after the other, lazily; ``cameras`` has one entry a picture. ``cancel`` as in :meth:`estimate`."""
        for index, image in enumerate(images):
            yield self.estimate(image, None if cameras is None else cameras[index], cancel=cancel)

    # ---- inside -------------------------------------------------------------------------------------------------

    def _estimate(
        self,
        image: npt.NDArray[np.uint8],
        camera: CameraIntrinsics | None,
        camera_source: CameraSource,
        resolution: Literal["image", "network"],
        cancel: CancelToken | None,
    ) -> DepthMap:
        started = time.perf_counter()
        pixels = check_image(image)
        height, width = pixels.shape[:2]
        if camera is not None and (camera.width, camera.height) != (width, height):
            raise CameraError(
                f"The camera is that of a {camera.width}x{camera.height} picture, this one is {width}x{height}; give the camera of this picture."
            )
        raw, prepared, inferred = self._infer(pixels, cancel)
        result = self._interpret(raw, camera, camera_source, resolution, cancel)
        finished = time.perf_counter()
        stages = StageTimes((prepared - started) * 1e3, (inferred - prepared) * 1e3, (finished - inferred) * 1e3)
        return replace(result, stage_ms=stages)

    def _infer(self, pixels: npt.NDArray[np.uint8], cancel: CancelToken | None) -> tuple[_Raw, float, float]:
        """The network's answer, and the moments when its input and its output were ready."""
        height, width = pixels.shape[:2]
        plan = plan_input(width, height, self._policy, self._fixed_size)
        tensor = make_tensor(pixels, plan, self._policy.method, self._signature)
        prepared = time.perf_counter()
        _stop_if(cancel)
        try:
            outputs = self._run(tensor, cancel)
        except RuntimeError as error:
            plan, outputs = self._find_trace_size(pixels, plan, error, cancel)
        if plan.note:
            self._notes[plan.note] = None
        return self._read_outputs(outputs, plan), prepared, time.perf_counter()

    def _run(self, tensor: npt.NDArray[np.generic], cancel: CancelToken | None) -> dict[str, npt.NDArray[np.generic]]:
        names = self._signature.output_names
        return dict(zip(names, self._runtime.run({self._signature.image.name: tensor}, names, cancel), strict=True))

    def _find_trace_size(
        self, pixels: npt.NDArray[np.uint8], failed: InputPlan, cause: RuntimeError, cancel: CancelToken | None
    ) -> tuple[InputPlan, dict[str, npt.NDArray[np.generic]]]:
        """The one size a falsely dynamic graph runs at; from then on the graph counts as fixed to it."""
        if self._fixed_size != (None, None):
            raise ModelError(f"{self._path.name} failed at its own input size: {cause}") from cause
        known = (self._spec.trace_size,) if self._spec.trace_size else ()
        height, width = pixels.shape[:2]
        for size in (*known, *_TRACE_SIZES):
            plan = plan_input(width, height, self._policy, size)
            try:
                outputs = self._run(make_tensor(pixels, plan, self._policy.method, self._signature), cancel)
            except RuntimeError:
                continue
            self._fixed_size = size
            self._notes[
                f"{self._path.name} calls its input size dynamic but runs only at the size it was exported at; "
                f"pictures are stretched to {size[1]}x{size[0]}."
            ] = None
            return plan, outputs
        raise ModelError(f"{self._path.name} cannot run on a {failed.size[0]}x{failed.size[1]} input: {cause}") from cause

    def _read_outputs(self, outputs: dict[str, npt.NDArray[np.generic]], plan: InputPlan) -> _Raw:
        signature, name = self._signature, self._path.name
        channels_last = signature.layout is Layout.NHWC
        depth = as_map(outputs[signature.depth.name], "depth", name, channels_last)
        if depth.shape != (plan.size[1], plan.size[0]):
            self._notes[
                f"{name} answers a {plan.size[0]}x{plan.size[1]} input with a {depth.shape[1]}x{depth.shape[0]} map: its output size was fixed "
                "at export. The map is resized; detail is lost."
            ] = None
        sky = as_map(outputs[signature.sky.name], "sky", name, channels_last) if signature.sky else None
        confidence = as_map(outputs[signature.confidence.name], "confidence", name, channels_last) if signature.confidence else None
        return _Raw(
            plan,
            depth,
            sky,
            confidence,
            outputs[signature.intrinsics.name] if signature.intrinsics else None,
            outputs[signature.extrinsics.name] if signature.extrinsics else None,
        )

    def _interpret(
        self,
        raw: _Raw,
        camera: CameraIntrinsics | None,
        source: CameraSource,
        resolution: Literal["image", "network"],
        cancel: CancelToken | None,
    ) -> DepthMap:
        """What the numbers mean: camera, metres, sky, resolution."""
        plan = raw.plan
        if camera is None:
            source = CameraSource.NONE
            predicted = predicted_camera(raw.intrinsics, *plan.size)
            if predicted is not None:
                camera, source = plan.restore_camera(predicted), CameraSource.MODEL
        raw, kind, focal, note = self._scale(raw, camera)
        if resolution == "network":
            width, height = raw.depth.shape[1], raw.depth.shape[0]
            camera = None if camera is None else plan.process_camera(camera).resized(width, height)
            values, sky, confidence = raw.depth, raw.sky, raw.confidence
        else:
            values = _depth_at_source(raw.depth, plan)
            _stop_if(cancel)  # each layer of a large picture takes its time
            sky = None if raw.sky is None else to_source_size(raw.sky, plan, outside=0.0)
            _stop_if(cancel)
            confidence = None if raw.confidence is None else to_source_size(raw.confidence, plan, outside=0.0)
        _stop_if(cancel)
        valid = kind.holds(values)
        if sky is not None:
            valid &= sky < SKY_THRESHOLD
        return DepthMap(
            values=np.ascontiguousarray(np.nan_to_num(values, nan=0.0), dtype=np.float32),
            kind=kind,
            valid=valid,
            sky=sky,
            confidence=confidence,
            camera=camera,
            model_id=self.model_id,
            camera_source=source,
            extrinsics=predicted_pose(raw.extrinsics),
            focal_px=focal,
            scale_note=note,
        )

    def _scale(self, raw: _Raw, camera: CameraIntrinsics | None) -> tuple[_Raw, DepthKind, float | None, str | None]:
        """The answer in the unit that can be had: its kind, the focal length used, and how to get metres when there are none."""
        depth, kind = np.where(np.isfinite(raw.depth), raw.depth, np.float32(np.nan)), self._spec.kind
        focal, note = None, None
        if raw.sky is not None and kind is not DepthKind.DISPARITY:
            depth = fill_sky(depth, raw.sky)
        if self._spec.canonical_focal_px is not None:
            if camera is None:
                kind, note = DepthKind.RELATIVE, NO_CAMERA_NOTE
            else:
                focal = raw.plan.process_camera(camera).mean_focal_px
                depth = canonical_to_metres(depth, focal, self._spec.canonical_focal_px)
        return replace(raw, depth=depth), kind, focal, note


def _stop_if(cancel: CancelToken | None) -> None:
    if cancel is not None:
        cancel.check()


def _depth_at_source(depth: _FloatMap, plan: InputPlan) -> _FloatMap:
    """Depth (H,W) at the picture's size, NaN where there is none: outside a crop, and wherever a broken (NaN) pixel had a share."""
    broken = np.isnan(depth)
    full = to_source_size(np.nan_to_num(depth, nan=0.0), plan, outside=np.nan)
    if broken.any():
        full[to_source_size(broken.astype(np.float32), plan, outside=1.0) > 0] = np.nan
    return full
