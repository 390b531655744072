# SPDX-License-Identifier: Apache-2.0
"""From a network's numbers for a picture to its depth map: whose camera counts, which unit can be had, where there is depth at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from .buffers import BufferPool
from .camera import CameraIntrinsics, CameraSource
from .cancel import CancelToken
from .depth_map import SKY_THRESHOLD, DepthKind, DepthMap
from .model_spec import ModelSpec
from .network import NetworkAnswer
from .postprocess import all_finite, fill_sky, predicted_camera, predicted_pose, set_outside, to_source_size
from .preprocess import InputPlan

NO_CAMERA_NOTE = (
    "The model needs the focal length to give metres, and none is known: the depth is relative. "
    "Give --fov-v or --intrinsics, or a picture with its EXIF focal length."
)

_FloatMap = npt.NDArray[np.float32]
_BoolMap = npt.NDArray[np.bool_]

# Interpolating between values above this cannot reach 0 by underflow.
_SURELY_POSITIVE = 1e-30


@dataclass(frozen=True, slots=True)
class Unit:
    """What the numbers of one answer are: ``factor`` makes them that; ``focal_px`` is the processed focal length it stands on, ``note`` says
    how to get metres when there are none."""

    kind: DepthKind
    factor: float | None
    focal_px: float | None
    note: str | None


def camera_that_counts(
    plan: InputPlan, intrinsics: npt.NDArray[np.generic] | None, camera: CameraIntrinsics | None, source: CameraSource
) -> tuple[CameraIntrinsics | None, CameraSource]:
    """The picture's camera as given, else the one the model predicts, else none."""
    if camera is not None:
        return camera, source
    predicted = predicted_camera(intrinsics, *plan.size)
    return (None, CameraSource.NONE) if predicted is None else (plan.restore_camera(predicted), CameraSource.MODEL)


def unit_of(spec: ModelSpec, plan: InputPlan, camera: CameraIntrinsics | None) -> Unit:
    """Metres by ``raw * f / f_canonical`` with the focal length of the PROCESSED picture (Depth Anything 3, ``utils/alignment.py``)."""
    if spec.canonical_focal_px is None:
        return Unit(spec.kind, None, None, None)
    if camera is None:
        return Unit(DepthKind.RELATIVE, None, None, NO_CAMERA_NOTE)
    focal = plan.process_camera(camera).mean_focal_px
    return Unit(spec.kind, focal / spec.canonical_focal_px, focal, None)


def interpret(
    raw: NetworkAnswer,
    spec: ModelSpec,
    camera: CameraIntrinsics | None,
    source: CameraSource,
    resolution: Literal["image", "network"],
    pool: BufferPool,
    cancel: CancelToken | None,
) -> DepthMap:
    """The map of one answer, whose depth it changes in place and may keep. Raises ``CancelledError`` once ``cancel`` was called."""
    plan = raw.plan
    camera, source = camera_that_counts(plan, raw.intrinsics, camera, source)
    unit = unit_of(spec, plan, camera)
    broken = _scale(raw, spec, unit, pool)
    if resolution == "network":
        camera = None if camera is None else plan.process_camera(camera).resized(raw.depth.shape[1], raw.depth.shape[0])
        values, sky, confidence = raw.depth, raw.sky, raw.confidence
        valid = _valid(unit.kind, raw, values, sky, pool)
        if broken is not None:
            valid &= ~broken
    else:
        values = to_source_size(raw.depth, plan, 0.0, pool)
        _stop_if(cancel)  # each layer of a large picture takes its time
        sky = None if raw.sky is None else to_source_size(raw.sky, plan, 0.0, pool)
        _stop_if(cancel)
        confidence = None if raw.confidence is None else to_source_size(raw.confidence, plan, 0.0, pool)
        _stop_if(cancel)
        valid = _valid(unit.kind, raw, values, sky, pool)
        set_outside(valid, plan, False)
        if broken is not None:
            _unmake(values, valid, broken, plan)
    return DepthMap(
        values=values,
        kind=unit.kind,
        valid=valid,
        sky=sky,
        confidence=confidence,
        camera=camera,
        model_id=spec.id,
        camera_source=source,
        extrinsics=predicted_pose(raw.extrinsics),
        focal_px=unit.focal_px,
        scale_note=unit.note,
        max_depth_m=spec.max_depth_m if unit.kind is DepthKind.METRIC else None,
    )


def _scale(raw: NetworkAnswer, spec: ModelSpec, unit: Unit, pool: BufferPool) -> _BoolMap | None:
    """Fills the sky and scales, in place; which pixels are broken (not finite) and were set to 0, None when not one is."""
    if raw.sky is not None and spec.kind is not DepthKind.DISPARITY:
        fill_sky(raw.depth, raw.sky, pool)
    if unit.factor is not None:
        with np.errstate(over="ignore"):
            np.multiply(raw.depth, np.float32(unit.factor), out=raw.depth)
    if all_finite(raw.depth):
        return None
    broken = ~np.isfinite(raw.depth)
    np.putmask(raw.depth, broken, np.float32(0))
    return broken


def _valid(kind: DepthKind, raw: NetworkAnswer, values: _FloatMap, sky: _FloatMap | None, pool: BufferPool) -> _BoolMap:
    """Where finite ``values`` are a surface and ``sky`` is none. Both were made of ``raw``'s grids by interpolation: what holds of all values
    of a grid spares a look at each of theirs."""
    valid = pool.take(values.shape, np.bool_)
    least = float(np.min(raw.depth))
    sure = least >= 0 if kind is DepthKind.DISPARITY else least > _SURELY_POSITIVE
    if sky is None or raw.sky is None or float(np.max(raw.sky)) < SKY_THRESHOLD:
        if sure:
            valid.fill(True)
        else:
            _positive(kind, values, valid)
        return valid
    np.less(sky, SKY_THRESHOLD, out=valid)
    if not sure:
        valid &= _positive(kind, values, pool.take(values.shape, np.bool_))
    return valid


def _positive(kind: DepthKind, values: _FloatMap, out: _BoolMap) -> _BoolMap:
    """As :meth:`DepthKind.holds`, of finite values."""
    return np.greater_equal(values, 0, out=out) if kind is DepthKind.DISPARITY else np.greater(values, 0, out=out)


def _unmake(values: _FloatMap, valid: _BoolMap, broken: _BoolMap, plan: InputPlan) -> None:
    """No depth wherever a broken pixel had a share."""
    share = to_source_size(broken.astype(np.float32), plan, outside=1.0) > 0
    values[share] = 0
    valid[share] = False


def _stop_if(cancel: CancelToken | None) -> None:
    if cancel is not None:
        cancel.check()
