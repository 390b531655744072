# SPDX-License-Identifier: Apache-2.0
"""What is said of an object, and of a frame: what `measuring/` makes, what crosses the wire, what clients return.

Each type writes itself as JSON and reads that back. Lengths are in metres, or, where the frame's ``unit`` is ``relative``, in one scale that
is unknown and the same in the whole frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ..engines.depth_map import DepthKind, DepthMap

_DECIMALS = 6
"""Micrometres: below what float32 depth holds beyond 8 m, and short to read."""
_SMALL = 0.1
_SMALL_DIGITS = 7

PASSED_THROUGH = ("category", "bbox", "parent_id")
"""What a request may say of an object and its answer repeats, verbatim."""

MEASURED = (
    "pixel_count",
    "measured_pixel_count",
    "valid_fraction",
    "border_fraction",
    "eroded_px",
    "distance",
    "range",
    "position",
    "position_world",
    "extent",
    "extent_world",
    "center_px",
    "disparity",
    "out_of_range",
    "reason",
)
"""What is measured of an object: attributes of :class:`ObjectResult`, and the keys of its JSON in their order."""
_ONLY_WHERE_KNOWN = ("disparity", "reason")

ObjectId = int | str
Vector = tuple[float, float, float]


def rounded(value: float) -> float:
    """A length or a disparity as answers say it: six decimals, and below 0.1 seven significant digits, about what float32 holds.

    A map without metres may be of any scale: with six decimals, one of 1e-7 would be all zeros. The order of values is kept.
    """
    return round(value, _DECIMALS) if abs(value) >= _SMALL else float(f"{value:.{_SMALL_DIGITS}g}")


def _vector(values: Any) -> Vector:
    x, y, z = (float(value) for value in values)
    return x, y, z


@dataclass(frozen=True, slots=True)
class Spread:
    """One quantity over the measured pixels of an object. ``center`` is its value at the object's centre pixel."""

    center: float
    mean: float
    median: float
    min: float
    max: float

    def to_json(self) -> dict[str, float]:
        return {name: rounded(getattr(self, name)) for name in ("center", "mean", "median", "min", "max")}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Spread:
        return cls(*(float(data[name]) for name in ("center", "mean", "median", "min", "max")))


@dataclass(frozen=True, slots=True)
class Position:
    """A point: in the camera's frame x right, y down, z forward (OpenCV), or in the world of the extrinsics that were sent."""

    x: float
    y: float
    z: float

    def to_json(self) -> dict[str, float]:
        return {"x": rounded(self.x), "y": rounded(self.y), "z": rounded(self.z)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Position:
        return cls(float(data["x"]), float(data["y"]), float(data["z"]))


@dataclass(frozen=True, slots=True)
class Extent:
    """The oriented box of an object's *visible* surface: what faces away is not in it.

    ``axes`` are three unit vectors, the principal axes of the visible points, in the order of ``size``, which descends; the largest component
    of each axis is positive, so that they need not be right-handed. ``size[i]`` is the full length along ``axes[i]``, ``center`` the middle of
    the box.
    """

    center: Position
    axes: tuple[Vector, Vector, Vector]
    size: Vector

    def to_json(self) -> dict[str, Any]:
        axes = [[round(value, _DECIMALS) for value in axis] for axis in self.axes]
        return {"center": self.center.to_json(), "axes": axes, "size": [rounded(value) for value in self.size]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Extent:
        first, second, third = (_vector(axis) for axis in data["axes"])
        return cls(Position.from_json(data["center"]), (first, second, third), _vector(data["size"]))


@dataclass(frozen=True, slots=True)
class ObjectResult:
    """One object of a mask.

    ``id`` is the request's own, or its mask value; ``mask_value`` is None when the mask was coded by colour. ``record`` holds what the request
    said of it and the answer repeats (:data:`PASSED_THROUGH`). ``pixel_count`` counts its mask, ``valid_fraction`` (0..1) says how much of that
    has a depth, ``border_fraction`` (0..1) how much of its outline lies in the picture's outermost rows and columns: above 0 it may go on
    outside. ``measured_pixel_count`` of its pixels were measured: all valid ones, or with ``eroded_px`` 1 those whose neighbours are all its
    own, for at a silhouette two depths mix.

    ``distance`` is planar, along the optical axis; ``range`` is along each pixel's ray. ``center_px`` (u, v) is the middle of the object's
    *centre pixel*: of its measured pixels the one nearest to the centroid of its mask (the centroid of a concave object lies outside it).
    ``position`` is the surface point seen there, so ``position.z`` equals ``distance.center``. The ``_world`` fields need extrinsics.
    ``disparity`` stands in for all lengths where the map is one of disparity (larger is nearer). ``out_of_range``: the object is as far as the
    model can say, or farther; None where the model states no end. What cannot be told is None, and ``reason`` says why.
    """

    id: ObjectId
    pixel_count: int
    valid_fraction: float
    distance: Spread | None
    range: Spread | None
    position: Position | None
    center_px: tuple[float, float] | None
    reason: str | None = None
    mask_value: int | None = None
    record: Mapping[str, Any] = field(default_factory=dict)
    measured_pixel_count: int = 0
    border_fraction: float = 0.0
    eroded_px: int = 0
    disparity: Spread | None = None
    position_world: Position | None = None
    extent: Extent | None = None
    extent_world: Extent | None = None
    out_of_range: bool | None = None

    @property
    def category(self) -> Any:
        """What the request called it, or None."""
        return self.record.get("category")

    def to_json(self) -> dict[str, Any]:
        """A mapping in the order of the protocol; ``reason`` and ``disparity`` only where there is one. No NaN: what is unknown is None."""
        data: dict[str, Any] = {"id": self.id, "mask_value": self.mask_value}
        data.update({name: self.record[name] for name in PASSED_THROUGH if name in self.record})
        data.update(self.measured_json())
        return data

    def measured_json(self) -> dict[str, Any]:
        """:meth:`to_json` without the id, the mask value and what was passed through: what was measured."""
        values = {name: getattr(self, name) for name in MEASURED}
        return {name: _as_json(value) for name, value in values.items() if value is not None or name not in _ONLY_WHERE_KNOWN}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ObjectResult:
        """Read back :meth:`to_json`; unknown keys are ignored. Raises KeyError, TypeError or ValueError for anything else."""
        center = data["center_px"]
        out_of_range = data["out_of_range"]
        return cls(
            id=_object_id(data["id"]),
            pixel_count=int(data["pixel_count"]),
            valid_fraction=float(data["valid_fraction"]),
            distance=_spread_or_none(data["distance"]),
            range=_spread_or_none(data["range"]),
            position=_position_or_none(data["position"]),
            center_px=(float(center[0]), float(center[1])) if center is not None else None,
            reason=data.get("reason"),
            mask_value=None if data["mask_value"] is None else int(data["mask_value"]),
            record={name: data[name] for name in PASSED_THROUGH if name in data},
            measured_pixel_count=int(data["measured_pixel_count"]),
            border_fraction=float(data["border_fraction"]),
            eroded_px=int(data["eroded_px"]),
            disparity=_spread_or_none(data.get("disparity")),
            position_world=_position_or_none(data["position_world"]),
            extent=_extent_or_none(data["extent"]),
            extent_world=_extent_or_none(data["extent_world"]),
            out_of_range=None if out_of_range is None else bool(out_of_range),
        )


def _as_json(value: Any) -> Any:
    if isinstance(value, (Spread, Position, Extent)):
        return value.to_json()
    if isinstance(value, tuple):
        return list(value)
    return round(value, _DECIMALS) if isinstance(value, float) else value


def _object_id(value: Any) -> ObjectId:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise TypeError(f"an object's id is {value!r}")
    return value


def _spread_or_none(data: Any) -> Spread | None:
    return None if data is None else Spread.from_json(data)


def _position_or_none(data: Any) -> Position | None:
    return None if data is None else Position.from_json(data)


def _extent_or_none(data: Any) -> Extent | None:
    return None if data is None else Extent.from_json(data)


@dataclass(frozen=True, slots=True)
class DistanceFit:
    """How a map was fitted to known distances: ``metres = scale * value``, or for disparity ``1 / metres = scale * value + shift``.

    ``objects``: the ids that it was fitted to. ``residual_relative``: the largest \\|measured / known - 1\\| of them afterwards.
    """

    scale: float
    shift: float | None
    objects: tuple[ObjectId, ...]
    residual_relative: float

    def to_json(self) -> dict[str, Any]:
        """Scale and shift unrounded: they may be small."""
        residual = round(self.residual_relative, _DECIMALS)
        return {"scale": self.scale, "shift": self.shift, "objects": list(self.objects), "residual_relative": residual}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> DistanceFit:
        shift = data["shift"]
        ids = tuple(_object_id(value) for value in data["objects"])
        return cls(float(data["scale"]), None if shift is None else float(shift), ids, float(data["residual_relative"]))


@dataclass(frozen=True, slots=True)
class StageTiming:
    """Milliseconds a request spent in each stage of the server. ``queue`` is all waiting, for others of its batch too."""

    queue: float
    decode: float
    infer: float
    measure: float
    encode: float

    @property
    def total(self) -> float:
        return float(sum(getattr(self, name) for name in STAGES))

    def to_json(self) -> dict[str, float]:
        return {name: round(getattr(self, name), 3) for name in (*STAGES, "total")}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> StageTiming:
        return cls(*(float(data[name]) for name in STAGES))


STAGES = tuple(each.name for each in fields(StageTiming))
"""Where the time of a request goes, in this order."""


@dataclass(frozen=True, slots=True)
class FrameResult:
    """The answer to one frame.

    ``kind``: of the model's map. ``unit``: ``m``, or ``relative``, of all lengths here. ``camera_source`` says whose intrinsics: ``given``,
    ``exif``, ``model``, ``assumed``, ``none``. ``fit``: how known distances were used, or None. ``mask_flip_suspected``: the mask seems upside
    down against the picture; None when the picture cannot tell. ``warnings`` are sentences. ``unlisted``: mask values that no object of the
    request names (at most 100), ``unlisted_pixels`` counts the pixels of all such. ``batch``: how many frames the inference shared.
    ``overlay`` (bytes of a PNG or JPEG file) and ``depth_map`` are there when they were asked for.
    """

    model: str
    kind: DepthKind
    unit: str
    camera_source: str
    width: int
    height: int
    objects: tuple[ObjectResult, ...]
    timing_ms: StageTiming
    fit: DistanceFit | None = None
    mask_flip_suspected: bool | None = None
    warnings: tuple[str, ...] = ()
    unlisted: tuple[int, ...] = ()
    unlisted_pixels: int = 0
    batch: int = 1
    overlay: bytes | None = None
    depth_map: DepthMap | None = None

    def object(self, object_id: ObjectId) -> ObjectResult:
        """The object of that id. Raises :class:`KeyError` when the answer has none."""
        for item in self.objects:
            if item.id == object_id:
                return item
        raise KeyError(object_id)

    @classmethod
    def from_json(cls, header: Mapping[str, Any]) -> FrameResult:
        """From the header of an ``ok`` reply. Raises KeyError, TypeError or ValueError when it is not one."""
        result = header["result"]
        fit, flipped = result["fit"], result["mask_flip_suspected"]
        return cls(
            model=str(result["model"]),
            kind=DepthKind(result["kind"]),
            unit=str(result["unit"]),
            camera_source=str(result["camera_source"]),
            width=int(result["width"]),
            height=int(result["height"]),
            objects=tuple(ObjectResult.from_json(item) for item in result["objects"]),
            timing_ms=StageTiming.from_json(header["timing_ms"]),
            fit=None if fit is None else DistanceFit.from_json(fit),
            mask_flip_suspected=None if flipped is None else bool(flipped),
            warnings=tuple(str(text) for text in result["warnings"]),
            unlisted=tuple(int(value) for value in result["unlisted"]),
            unlisted_pixels=int(result["unlisted_pixels"]),
            batch=int(header.get("batch", 1)),
        )
