# SPDX-License-Identifier: Apache-2.0
"""What is said of an object, and of a frame: what :mod:`.measure` makes, what crosses the wire, what clients return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_DECIMALS = 6
"""Micrometres: below what float32 depth holds beyond 8 m, and short to read."""


@dataclass(frozen=True, slots=True)
class Spread:
    """One quantity over the valid pixels of an object, in metres. ``center`` is its value at the object's centre pixel."""

    center: float
    mean: float
    median: float
    min: float
    max: float

    def to_json(self) -> dict[str, float]:
        return {name: round(getattr(self, name), _DECIMALS) for name in ("center", "mean", "median", "min", "max")}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Spread:
        return cls(*(float(data[name]) for name in ("center", "mean", "median", "min", "max")))


@dataclass(frozen=True, slots=True)
class Position:
    """A point in the camera's frame: metres, x right, y down, z forward (OpenCV)."""

    x: float
    y: float
    z: float

    def to_json(self) -> dict[str, float]:
        return {"x": round(self.x, _DECIMALS), "y": round(self.y, _DECIMALS), "z": round(self.z, _DECIMALS)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Position:
        return cls(float(data["x"]), float(data["y"]), float(data["z"]))


@dataclass(frozen=True, slots=True)
class ObjectResult:
    """One object of a mask.

    ``id`` is its mask value, ``pixel_count`` counts its mask, ``valid_fraction`` (0..1) says how much of that has a depth.
    ``distance`` is planar, along the optical axis; ``range`` is along each pixel's ray. ``center_px`` (u, v) is the middle of the
    object's *centre pixel*: of its valid pixels the one nearest to the centroid of its mask (the centroid of a concave object lies
    outside it). ``position`` is the surface point seen there, so ``position.z`` equals ``distance.center``. What cannot be told is
    None, and ``reason`` says why.
    """

    id: int
    pixel_count: int
    valid_fraction: float
    distance: Spread | None
    range: Spread | None
    position: Position | None
    center_px: tuple[float, float] | None
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """A mapping in the order of the protocol; ``reason`` only where there is one. No NaN: what is unknown is None."""
        data: dict[str, Any] = {"id": self.id}
        data.update(self.measured_json())
        return data

    def measured_json(self) -> dict[str, Any]:
        """:meth:`to_json` without the id: what was measured."""
        data: dict[str, Any] = {
            "pixel_count": self.pixel_count,
            "valid_fraction": round(self.valid_fraction, _DECIMALS),
            "distance": self.distance.to_json() if self.distance else None,
            "range": self.range.to_json() if self.range else None,
            "position": self.position.to_json() if self.position else None,
            "center_px": list(self.center_px) if self.center_px else None,
        }
        if self.reason is not None:
            data["reason"] = self.reason
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ObjectResult:
        """Read back :meth:`to_json`; unknown keys are ignored. Raises KeyError, TypeError or ValueError for anything else."""
        distance, along_ray, position, center = (data[name] for name in ("distance", "range", "position", "center_px"))
        return cls(
            id=int(data["id"]),
            pixel_count=int(data["pixel_count"]),
            valid_fraction=float(data["valid_fraction"]),
            distance=Spread.from_json(distance) if distance is not None else None,
            range=Spread.from_json(along_ray) if along_ray is not None else None,
            position=Position.from_json(position) if position is not None else None,
            center_px=(float(center[0]), float(center[1])) if center is not None else None,
            reason=data.get("reason"),
        )


@dataclass(frozen=True, slots=True)
class StageTiming:
    """Milliseconds a request spent in each stage of the server."""

    queue: float
    decode: float
    infer: float
    measure: float
    encode: float

    @property
    def total(self) -> float:
        return self.queue + self.decode + self.infer + self.measure + self.encode

    def to_json(self) -> dict[str, float]:
        return {name: round(getattr(self, name), 3) for name in ("queue", "decode", "infer", "measure", "encode", "total")}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> StageTiming:
        return cls(*(float(data[name]) for name in ("queue", "decode", "infer", "measure", "encode")))


@dataclass(frozen=True, slots=True)
class FrameResult:
    """The answer to one frame. ``unit`` is ``m``; ``camera_source`` says whose intrinsics: ``given``, ``model``, ``none``."""

    model: str
    unit: str
    camera_source: str
    width: int
    height: int
    objects: tuple[ObjectResult, ...]
    timing_ms: StageTiming

    def object(self, object_id: int) -> ObjectResult:
        """The object of that mask value. Raises :class:`KeyError` when the mask has no such pixel."""
        for item in self.objects:
            if item.id == object_id:
                return item
        raise KeyError(object_id)

    @classmethod
    def from_json(cls, header: Mapping[str, Any]) -> FrameResult:
        """From the header of an ``ok`` reply. Raises KeyError, TypeError or ValueError when it is not one."""
        result = header["result"]
        return cls(
            model=str(result["model"]),
            unit=str(result["unit"]),
            camera_source=str(result["camera_source"]),
            width=int(result["width"]),
            height=int(result["height"]),
            objects=tuple(ObjectResult.from_json(item) for item in result["objects"]),
            timing_ms=StageTiming.from_json(header["timing_ms"]),
        )
