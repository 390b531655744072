# SPDX-License-Identifier: Apache-2.0
"""What a place is: plain rounded numbers and names with one exact JSON text and one hash, no picture yet.

World frame as in `scenes`: x right, y up, z forward at yaw 0, metres; the floor is y = 0. Angles are degrees.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..scenes import SceneCamera, Vector

Shape = Literal["box", "cylinder", "sphere", "frustum", "capsule", "pillow", "chamfer", "gable", "pyramid", "ramp", "hexagon", "torus", "relief"]
Axis = Literal["x", "y", "z"]
PlaceKind = Literal["living", "kitchen", "office", "bedroom", "hall", "storage", "tabletop", "counter", "shelf", "stack", "street", "garden"]
Viewpoint = Literal["standing", "sitting", "tabletop", "low", "raised"]

DECIMALS = 4


def vec(x: float, y: float, z: float) -> Vector:
    return (round(float(x), DECIMALS), round(float(y), DECIMALS), round(float(z), DECIMALS))


@dataclass(frozen=True)
class Finish:
    """What a surface looks like: two linear colours mixed by a pattern, and how it answers light.

    `mirror` is the share of light reflected sharply, `clear` the share let through, `glow` what it shines by itself.
    """

    pattern: str
    colour: Vector
    second: Vector
    period_m: float = 1.0
    angle_deg: float = 0.0
    grime: float = 0.0
    bump: float = 0.0
    gloss: float = 0.0
    mirror: float = 0.0
    clear: float = 0.0
    glow: float = 0.0


@dataclass(frozen=True)
class Cut:
    """What is taken out of a part: a box, cylinder or sphere in the part's unit frame; `axis` is the cylinder's."""

    shape: Literal["box", "cylinder", "sphere"]
    centre: Vector
    half: Vector
    axis: Axis = "y"


@dataclass(frozen=True)
class Part:
    """A unit shape scaled by `half`, turned by (yaw, tilt about x, roll about z), roll first, and moved to `centre`.

    `detail` says more about some shapes: frustum (top radius over base radius), capsule (radius over half height), pillow
    (radius of the ball that rounds its corners), chamfer (cut, and the
    weights of x, y, z in it), torus (tube radius over ring radius),
    relief (kind, waves along x, waves along z, phase).
    """

    shape: Shape
    centre: Vector
    half: Vector
    finish: Finish
    turn: Vector = (0.0, 0.0, 0.0)
    detail: tuple[float, ...] = ()
    cuts: tuple[Cut, ...] = ()


@dataclass(frozen=True)
class Thing:
    """Parts that belong together. What lies flat or far outside a window `casts` no shadow worth looking for."""

    name: str
    parts: tuple[Part, ...]
    casts: bool = True


@dataclass(frozen=True)
class Opening:
    """A rectangular hole in a wall; `wall` is 0..3 for -x, +x, -z, +z; `along` runs on x or z, `up` on y."""

    wall: int
    along: tuple[float, float]
    up: tuple[float, float]


@dataclass(frozen=True)
class Enclosure:
    """A room between `low` and `high`, or open ground when `high` is None; what lies outside is ground and sky."""

    low: Vector
    high: Vector | None
    floor: Finish
    walls: tuple[Finish, Finish, Finish, Finish]
    ceiling: Finish
    openings: tuple[Opening, ...]
    outside: Finish
    outside_level: float
    sky_horizon: Vector
    sky_zenith: Vector
    clouds: float
    haze_m: float


@dataclass(frozen=True)
class Source:
    """A light: a sun (`place` points towards it, `size` its tangent), a lamp (a ball) or a panel spanned by `u` and `v`."""

    kind: Literal["sun", "lamp", "panel"]
    place: Vector
    colour: Vector
    strength: float
    size: float
    u: Vector = (0.0, 0.0, 0.0)
    v: Vector = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Lens:
    """What the camera does to light. Blurs are pixels of a picture 504 wide; `quality` 0 leaves out the compression."""

    level: float
    gains: Vector
    tone: float
    contrast: float
    vignette: float
    blur_px: float
    motion_px: float
    motion_deg: float
    sharpen: float
    noise: float
    quality: int


@dataclass(frozen=True)
class Place:
    seed: int
    kind: PlaceKind
    viewpoint: Viewpoint
    camera: SceneCamera
    enclosure: Enclosure
    things: tuple[Thing, ...]
    lights: tuple[Source, ...]
    ambient: Vector
    lens: Lens

    @property
    def layout(self) -> str:
        """The group it is evaluated in: what stands on tables and worktops is one, else its kind."""
        return "tabletop" if self.viewpoint == "tabletop" else self.kind
