# SPDX-License-Identifier: Apache-2.0
"""Where things go and where the camera stands: floor plans without overlaps, true-to-life viewpoints."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..layouts import FRAMES
from ..scenes import Dice, SceneCamera, Vector
from .building import Parts, extent, thing
from .description import Enclosure, Part, Source, Thing, Viewpoint, vec

FRAME_WEIGHTS = (0.6, 0.24, 0.06, 0.1)


@dataclass(frozen=True)
class Scenery:
    """A place but for its seed, its kind and the lens."""

    viewpoint: Viewpoint
    camera: SceneCamera
    enclosure: Enclosure
    things: tuple[Thing, ...]
    lights: tuple[Source, ...]
    ambient: Vector


@dataclass
class FloorPlan:
    """What is taken of a floor: rectangles that may not overlap by more than a little."""

    low: tuple[float, float]
    high: tuple[float, float]
    things: list[Thing] = field(default_factory=list)
    taken: list[tuple[float, float, float, float]] = field(default_factory=list)

    def try_at(self, name: str, parts: Parts, x: float, z: float, yaw_deg: float, up: float = 0.0, gap: float = 0.04) -> bool:
        """Adds a thing if its rectangle is inside and free."""
        put = thing(name, parts, (x, up, z), yaw_deg)
        low, high = extent(put.parts)
        inside = low[0] > self.low[0] and low[2] > self.low[1] and high[0] < self.high[0] and high[2] < self.high[1]
        apart = all(low[0] - gap > c or high[0] + gap < a or low[2] - gap > d or high[2] + gap < b for a, b, c, d in self.taken)
        if inside and apart:
            self.things.append(put)
            self.taken.append((low[0], low[2], high[0], high[2]))
        return inside and apart

    def against_wall(self, dice: Dice, name: str, parts: Parts) -> bool:
        """Tries places along the walls, backs to them."""
        low, _high = extent(parts)
        back = -low[2] + 0.03
        for _ in range(5):
            side, share = dice.count(0, 3), dice.uniform(0.05, 0.95)
            x = self.low[0] + share * (self.high[0] - self.low[0])
            z = self.low[1] + share * (self.high[1] - self.low[1])
            spot = (
                (self.low[0] + back, z, 90.0),
                (self.high[0] - back, z, -90.0),
                (x, self.low[1] + back, 0.0),
                (x, self.high[1] - back, 180.0),
            )[side]
            if self.try_at(name, parts, *spot):
                return True
        return False

    def anywhere(self, dice: Dice, name: str, parts: Parts, yaw_deg: float | None = None, tries: int = 5) -> bool:
        return any(
            self.try_at(
                name,
                parts,
                dice.uniform(self.low[0], self.high[0]),
                dice.uniform(self.low[1], self.high[1]),
                dice.uniform(0, 360) if yaw_deg is None else yaw_deg,
            )
            for _ in range(tries)
        )


def camera(dice: Dice, position: Vector, yaw_deg: float, pitch_deg: float) -> SceneCamera:
    """A camera of a drawn frame; the longer side sees 38 to 90 degrees, most often what a phone sees."""
    width, height = dice.pick(FRAMES, FRAME_WEIGHTS)
    longer = dice.pick((dice.uniform(60, 74), dice.uniform(38, 90)), (1, 2))
    vertical = longer if height >= width else 2 * math.degrees(math.atan(math.tan(math.radians(longer) / 2) * height / width))
    roll = dice.pick((0.0, dice.uniform(-2, 2), dice.uniform(-7, 7)), (3, 4, 2))
    return SceneCamera(vec(*position), round(yaw_deg, 4), round(pitch_deg, 4), roll, round(vertical, 4), width, height)


def towards(position: Vector, target: Vector) -> tuple[float, float]:
    """Yaw and pitch (down is positive) that look from one point at another."""
    dx, dy, dz = (b - a for a, b in zip(position, target, strict=True))
    return math.degrees(math.atan2(dx, dz)), -math.degrees(math.atan2(dy, math.hypot(dx, dz)))


def clear_view(things: Sequence[Thing], camera_: SceneCamera, margin_m: float) -> tuple[Thing, ...]:
    """Drops things that the camera would be inside of, or nearly touch."""
    eye = camera_.position

    def near(parts: Sequence[Part]) -> bool:
        low, high = extent(parts)
        return all(a - margin_m < e < b + margin_m for a, e, b in zip(low, eye, high, strict=True))

    return tuple(t for t in things if not (near(t.parts) and any(near([part]) for part in t.parts)))
