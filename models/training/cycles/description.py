# SPDX-License-Identifier: Apache-2.0
"""What a Cycles place is: plain rounded numbers and names with one exact JSON text and one hash, no mesh and no picture yet.

Blender's frame: z up, metres, angles in degrees. A camera looks at a target.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from ..cycles_scenes import HEIGHT
from ..scenes import DECIMALS, Vector, rounded

Shape = Literal["block", "cushion", "extrusion", "lathe", "tube", "drape", "curtain", "leaves", "lump"]
Viewpoint = Literal["eye height", "tabletop", "other"]
Setting = Literal["living", "dining", "office", "bedroom", "hall", "tabletop", "worktop", "shelf", "street", "yard", "garden"]


@dataclass(frozen=True)
class Coat:
    """A principled material: two linear colours mixed by a procedural pattern of `scale` repeats per metre."""

    pattern: str
    first: Vector
    second: Vector
    scale: float = 1.0
    roughness: float = 0.6
    metallic: float = 0.0
    clear: float = 0.0
    """Share of light let through: panes and bottles."""
    glow: float = 0.0


@dataclass(frozen=True)
class Piece:
    """A mesh of real `size` (x, y, z), standing on its own origin; tilted about x, then turned about z, then moved to `place`.

    `detail` says more about some shapes, see `meshes`. `copies` repeats it `step` metres (its own frame) apart.
    """

    shape: Shape
    place: Vector
    size: Vector
    coat: Coat
    detail: tuple[float, ...] = ()
    turn_deg: float = 0.0
    tilt_deg: float = 0.0
    copies: int = 1
    step: Vector = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Panel:
    """An area light: its place, where it shines, watts and side in metres."""

    place: Vector
    target: Vector
    watts: float
    side: float
    colour: Vector


@dataclass(frozen=True)
class Weather:
    """Light from all around (`grey` by `level`), or a blue sky with a sun where `sun_strength` is not 0."""

    grey: Vector
    level: float
    sun_strength: float
    sun_elevation_deg: float
    sun_turn_deg: float


@dataclass(frozen=True)
class CyclesPlace:
    seed: int
    setting: Setting
    viewpoint: Viewpoint
    eye: Vector
    target: Vector
    fov_vertical_deg: float
    pieces: tuple[Piece, ...]
    panels: tuple[Panel, ...]
    weather: Weather
    view_transform: str
    exposure: float
    samples: int
    denoised: bool

    @property
    def focal_px(self) -> float:
        return HEIGHT / 2 / math.tan(math.radians(self.fov_vertical_deg) / 2)


def moved(pieces: Iterable[Piece], x: float, y: float, z: float = 0.0, turn_deg: float = 0.0) -> list[Piece]:
    """A compound turned about its own z axis and moved."""
    c, s = math.cos(math.radians(turn_deg)), math.sin(math.radians(turn_deg))
    return [
        replace(
            piece,
            place=rounded(c * piece.place[0] - s * piece.place[1] + x, s * piece.place[0] + c * piece.place[1] + y, piece.place[2] + z),
            turn_deg=round(piece.turn_deg + turn_deg, DECIMALS),
        )
        for piece in pieces
    ]


def piece(
    shape: Shape,
    place: tuple[float, float, float],
    size: tuple[float, float, float],
    coat: Coat,
    detail: Iterable[float] = (),
    turn: float = 0.0,
    tilt: float = 0.0,
    copies: int = 1,
    step: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Piece:
    """A piece with its numbers rounded as every number of a scene is."""
    return Piece(
        shape,
        rounded(*place),
        rounded(*size),
        coat,
        tuple(round(float(d), DECIMALS) for d in detail),
        round(turn, DECIMALS),
        round(tilt, DECIMALS),
        copies,
        rounded(*step),
    )
