# SPDX-License-Identifier: Apache-2.0
"""A depth map that knows what its numbers mean.

Depth is planar: measured along the optical axis. The distance along the ray is called *range*. What may be done with the values
depends on :class:`DepthKind`, and every operation here asks it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from .camera import CameraIntrinsics, CameraSource
from .errors import DepthKindError

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

SKY_THRESHOLD = 0.3
"""A network's sky value below this is not sky (Depth Anything 3, ``utils/alignment.py``)."""


class DepthKind(StrEnum):
    """What the values of a map are."""

    METRIC = "metric"
    """Planar depth in metres."""
    RELATIVE = "relative"
    """Planar depth up to one unknown scale."""
    DISPARITY = "disparity"
    """Inverse depth up to an unknown scale and shift; larger is nearer, zero is infinitely far or sky."""

    @property
    def unit(self) -> str:
        """``m`` for metric depth, else the kind's own name."""
        return "m" if self is DepthKind.METRIC else self.value

    def holds(self, values: FloatArray) -> BoolArray:
        """bool, of the shape of ``values``: which of them mean something. Finite, and positive (disparity may be 0: infinitely far)."""
        return np.isfinite(values) & ((values >= 0) if self is DepthKind.DISPARITY else (values > 0))


@dataclass(frozen=True, slots=True)
class StageTimes:
    """Milliseconds that one estimate spent in each stage."""

    preprocess_ms: float
    infer_ms: float
    postprocess_ms: float

    @property
    def total_ms(self) -> float:
        return self.preprocess_ms + self.infer_ms + self.postprocess_ms


@dataclass(frozen=True, slots=True, eq=False)
class DepthMap:
    """Depth of one image, with all that is needed to use it.

    values: float32 (H,W), in the unit of ``kind``; ``valid``: bool (H,W), False where there is no surface (sky, non-finite or
    non-positive depth). ``sky``: float32 (H,W), the network's own value, HIGH is sky, or None when the model has none;
    ``confidence``: float32 (H,W), model-specific, or None. ``camera`` has the map's own resolution. ``extrinsics``: float64 (3,4),
    world-to-camera as the model predicts it, or None. ``focal_px`` is the focal length of the processed image that metric scaling
    used, None when it used none. ``scale_note`` says in one line how to get metres when the map has none. ``max_depth_m``: the largest
    depth that the model can say, in metres, where its design states one; None otherwise, and once the map was scaled by other facts.
    """

    values: FloatArray
    kind: DepthKind
    valid: BoolArray
    sky: FloatArray | None
    confidence: FloatArray | None
    camera: CameraIntrinsics | None
    model_id: str
    camera_source: CameraSource = CameraSource.NONE
    extrinsics: npt.NDArray[np.float64] | None = None
    focal_px: float | None = None
    stage_ms: StageTimes | None = None
    scale_note: str | None = None
    max_depth_m: float | None = None

    def __post_init__(self) -> None:
        shape = self.values.shape
        if len(shape) != 2:
            raise ValueError(f"depth values have shape {shape}; a map is (H, W)")
        for name in ("valid", "sky", "confidence"):
            layer = getattr(self, name)
            if layer is not None and layer.shape != shape:
                raise ValueError(f"{name} has shape {layer.shape}, the depth has {shape}")
        if self.camera is not None and (self.camera.height, self.camera.width) != shape:
            raise ValueError(f"the camera is {self.camera.width}x{self.camera.height}, the depth {shape[1]}x{shape[0]}")

    @classmethod
    def exact(cls, depth_m: FloatArray, camera: CameraIntrinsics, model_id: str) -> DepthMap:
        """Known depth, such as a renderer's: float32 (H,W), planar metres, 0 where there is none. ``model_id`` says whose it is."""
        kind = DepthKind.METRIC
        return cls(depth_m, kind, kind.holds(depth_m), None, None, camera, model_id, CameraSource.GIVEN)

    def assuming_camera(self) -> DepthMap:
        """The map itself, or, when it has no camera, with the assumed one, marked :attr:`CameraSource.ASSUMED`."""
        if self.camera is not None:
            return self
        return replace(self, camera=CameraIntrinsics.assumed(self.width, self.height), camera_source=CameraSource.ASSUMED)

    @property
    def height(self) -> int:
        return int(self.values.shape[0])

    @property
    def width(self) -> int:
        return int(self.values.shape[1])

    @property
    def sky_mask(self) -> BoolArray:
        """bool (H,W), True is sky; all False when the model has no sky output."""
        if self.sky is None:
            return np.zeros(self.values.shape, dtype=np.bool_)
        return self.sky >= SKY_THRESHOLD

    @property
    def known(self) -> BoolArray:
        """bool (H,W): where the values mean something, the sky's included, which has a depth and is no surface."""
        return self.valid | (self.sky_mask & self.kind.holds(self.values))

    def to_metric(self, scale: float = 1.0, shift: float = 0.0) -> DepthMap:
        """The map in metres, with one known scale (and shift, for disparity).

        METRIC and RELATIVE: ``metres = scale * value``. DISPARITY: ``1 / metres = scale * value + shift`` (the relation that Depth
        Anything V2 is trained for); where that is not positive the result is invalid. Raises :class:`DepthKindError` for a scale
        that is not finite and positive, or a shift on a depth map.
        """
        if not np.isfinite(scale) or scale <= 0:
            raise DepthKindError(f"A scale of {scale} makes no depth; give a positive number.")
        if not np.isfinite(shift):
            raise DepthKindError(f"A shift of {shift} makes no depth; give a finite number.")
        if self.kind is not DepthKind.DISPARITY:
            if shift != 0.0:
                raise DepthKindError(f"A {self.kind} map has no shift; only disparity takes one.")
            return replace(self, values=self.values * np.float32(scale), kind=DepthKind.METRIC, scale_note=None, max_depth_m=None)
        inverse = self.values.astype(np.float64) * scale + shift
        with np.errstate(divide="ignore", invalid="ignore"):
            metres = np.where(inverse > 0, 1.0 / inverse, 0.0).astype(np.float32)
        valid = self.valid & (inverse > 0) & np.isfinite(metres) & (metres > 0)
        return replace(self, values=metres, valid=valid, kind=DepthKind.METRIC, scale_note=None, max_depth_m=None)

    def points(self) -> FloatArray:
        """Camera-frame points, float32 (H,W,3), OpenCV axes, in the unit of the map; NaN where not valid.

        Raises :class:`DepthKindError` for disparity (which bends every plane if it is inverted without its shift) and when there is
        no camera.
        """
        if self.kind is DepthKind.DISPARITY:
            raise DepthKindError("Disparity cannot be unprojected; convert it with to_metric(scale, shift) first.")
        if self.camera is None:
            raise DepthKindError("The map has no camera; give intrinsics or a field of view to unproject it.")
        points = self.camera.ray_directions() * self.values[..., None]
        points[~self.valid] = np.nan
        return points

    def range_values(self) -> FloatArray:
        """Distance along each pixel's ray, float32 (H,W), in the map's unit. Raises :class:`DepthKindError` as :meth:`points` does."""
        if self.kind is DepthKind.DISPARITY or self.camera is None:
            raise DepthKindError("A range needs depth and a camera; this map lacks one of them.")
        return self.values * self.camera.range_factor()

    def sample(self, u: npt.ArrayLike, v: npt.ArrayLike) -> FloatArray:
        """Values of the pixels that contain the points (u, v), in pixels of the edge convention; NaN outside and where invalid.

        The containing pixel and not an interpolation: a mean across a silhouette is a depth nothing has.
        """
        column = np.floor(np.asarray(u, dtype=np.float64)).astype(np.int64)
        row = np.floor(np.asarray(v, dtype=np.float64)).astype(np.int64)
        inside = (column >= 0) & (column < self.width) & (row >= 0) & (row < self.height)
        column, row = np.where(inside, column, 0), np.where(inside, row, 0)
        return np.where(inside & self.valid[row, column], self.values[row, column], np.nan).astype(np.float32)
