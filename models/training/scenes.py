# SPDX-License-Identifier: Apache-2.0
"""What a training scene is: plain numbers, no picture yet.

A `Scene` is a frozen description (camera, room or open ground, solids, lights, film) made only of rounded numbers and
names, so that it has one exact JSON text and one hash. `layouts` draws scenes, `raycast` and `shading` render them.

World frame: x right, y up, z forward at yaw 0, metres; the floor is y = 0. Angles are degrees.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]
"""float32 wherever it is stored; NumPy's stubs widen what is computed from it."""
Vector = tuple[float, float, float]
Shape = Literal["box", "cylinder", "sphere", "cone"]
Layout = Literal["room", "tabletop", "floor", "outdoor"]
Choice = TypeVar("Choice")

DECIMALS = 4


def rounded(x: float, y: float, z: float) -> Vector:
    """A vector rounded the way every number of a scene is, so that its JSON is exact."""
    return (round(float(x), DECIMALS), round(float(y), DECIMALS), round(float(z), DECIMALS))


class Dice:
    """Seeded draws built on `Generator.random()` alone.

    NumPy promises the PCG64 stream but not the stream of its higher distributions (NEP 19), so those are made here.
    """

    def __init__(self, seed: int) -> None:
        self._generator = np.random.Generator(np.random.PCG64(seed))

    def uniform(self, low: float, high: float) -> float:
        return round(low + (high - low) * float(self._generator.random()), DECIMALS)

    def log_uniform(self, low: float, high: float) -> float:
        """Uniform in the logarithm: for sizes and distances."""
        return round(low * math.pow(high / low, float(self._generator.random())), DECIMALS)

    def chance(self, probability: float) -> bool:
        return float(self._generator.random()) < probability

    def count(self, low: int, high: int) -> int:
        """An integer, both ends included."""
        return low + min(high - low, int((high - low + 1) * float(self._generator.random())))

    def pick(self, options: Sequence[Choice], weights: Sequence[float] | None = None) -> Choice:
        if weights is None:
            return options[self.count(0, len(options) - 1)]
        mark = float(self._generator.random()) * sum(weights)
        for option, weight in zip(options, weights, strict=True):
            mark -= weight
            if mark < 0:
                return option
        return options[-1]


@dataclass(frozen=True)
class Material:
    """A surface: two colours (linear RGB) mixed by a pattern of `textures.PATTERNS`."""

    pattern: str
    colour: Vector
    second_colour: Vector
    period_m: float
    angle_deg: float
    grime: float
    gloss: float
    glow: float


@dataclass(frozen=True)
class Solid:
    """A convex primitive: the unit shape scaled by `half_size`, tilted about its x axis, turned about y, and moved."""

    shape: Shape
    centre: Vector
    half_size: Vector
    yaw_deg: float
    tilt_deg: float
    material: Material

    def rotation(self) -> FloatArray:
        """(3, 3) local-to-world rotation."""
        a, b = math.radians(self.yaw_deg), math.radians(self.tilt_deg)
        turn = np.array([[math.cos(a), 0, math.sin(a)], [0, 1, 0], [-math.sin(a), 0, math.cos(a)]])
        tilt = np.array([[1, 0, 0], [0, math.cos(b), -math.sin(b)], [0, math.sin(b), math.cos(b)]])
        return np.asarray(turn @ tilt, np.float32)


@dataclass(frozen=True)
class SceneCamera:
    """A pinhole with a centred principal point and square pixels; pitch is positive downwards."""

    position: Vector
    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    fov_vertical_deg: float
    width: int
    height: int

    @property
    def focal_px(self) -> float:
        return self.height / 2 / math.tan(math.radians(self.fov_vertical_deg) / 2)

    def rotation(self) -> FloatArray:
        """(3, 3) camera-to-world for camera axes x right, y up, z forward."""
        a, b, c = (math.radians(v) for v in (self.yaw_deg, self.pitch_deg, self.roll_deg))
        yaw = np.array([[math.cos(a), 0, math.sin(a)], [0, 1, 0], [-math.sin(a), 0, math.cos(a)]])
        pitch = np.array([[1, 0, 0], [0, math.cos(b), -math.sin(b)], [0, math.sin(b), math.cos(b)]])
        roll = np.array([[math.cos(c), -math.sin(c), 0], [math.sin(c), math.cos(c), 0], [0, 0, 1]])
        return np.asarray(yaw @ pitch @ roll, np.float32)


@dataclass(frozen=True)
class Surroundings:
    """A closed room between `low` and `high`, or open ground under a sky when `high` is None."""

    low: Vector
    high: Vector | None
    floor: Material
    walls: Material
    ceiling: Material
    sky_horizon: Vector
    sky_zenith: Vector
    clouds: float
    haze_m: float


@dataclass(frozen=True)
class Light:
    """A sun (`vector` points towards it) or a lamp (`vector` is its place); `size` is its radius (sun: tangent)."""

    kind: Literal["sun", "lamp"]
    vector: Vector
    colour: Vector
    strength: float
    size: float


@dataclass(frozen=True)
class Film:
    """What the camera does to light: brightness of the mean, colour gains, tone, softness, noise."""

    mean_level: float
    gains: Vector
    tone: float
    vignette: float
    blur_px: float
    noise: float


@dataclass(frozen=True)
class Scene:
    seed: int
    layout: Layout
    camera: SceneCamera
    surroundings: Surroundings
    solids: tuple[Solid, ...]
    lights: tuple[Light, ...]
    ambient: float
    film: Film
