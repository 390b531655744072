# SPDX-License-Identifier: Apache-2.0
"""Making parts and putting them somewhere: things are built around their own origin, standing on y = 0 and facing +z."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from ..scenes import Vector
from .description import Cut, Finish, Part, Shape, Thing, vec

Parts = list[Part]


def part(
    shape: Shape,
    base: tuple[float, float, float],
    size: tuple[float, float, float],
    finish: Finish,
    turn: tuple[float, float, float] = (0, 0, 0),
    detail: tuple[float, ...] = (),
    cuts: tuple[Cut, ...] = (),
) -> Part:
    """A part of full `size` whose underside centre is at `base` before it is turned about its own centre."""
    half = (max(size[0] / 2, 5e-4), max(size[1] / 2, 5e-4), max(size[2] / 2, 5e-4))
    if shape == "chamfer" and len(detail) == 1:  # cut in proportion to the sides, where two unit coordinates sum up to `detail`
        detail = (2 - detail[0], 1.0, 1.0, 1.0)
    return Part(shape, vec(base[0], base[1] + half[1], base[2]), vec(*half), finish, vec(*turn), tuple(round(d, 4) for d in detail), cuts)


def box(base: tuple[float, float, float], size: tuple[float, float, float], finish: Finish, yaw: float = 0.0) -> Part:
    return part("box", base, size, finish, (yaw, 0, 0))


def soft_box(base: tuple[float, float, float], size: tuple[float, float, float], finish: Finish, cut_m: float) -> Part:
    """A box whose edges are cut `cut_m` deep."""
    return part("chamfer", base, size, finish, detail=(min(cut_m, 0.3 * min(size)), size[0] / 2, size[1] / 2, size[2] / 2))


def post(base: tuple[float, float, float], radius: float, height: float, finish: Finish) -> Part:
    return part("cylinder", base, (2 * radius, height, 2 * radius), finish)


def cone(base: tuple[float, float, float], bottom: float, top: float, height: float, finish: Finish) -> Part:
    """A frustum between two radii, upside down where the top is wider."""
    if top <= bottom:
        return part("frustum", base, (2 * bottom, height, 2 * bottom), finish, detail=(max(top / bottom, 0.02),))
    return part("frustum", base, (2 * top, height, 2 * top), finish, (0, 180, 0), (max(bottom / top, 0.02),))


def ball(
    base: tuple[float, float, float], size: tuple[float, float, float], finish: Finish, turn: tuple[float, float, float] = (0, 0, 0)
) -> Part:
    return part("sphere", base, size, finish, turn)


def rod(start: tuple[float, float, float], end: tuple[float, float, float], radius: float, finish: Finish, shape: Shape = "cylinder") -> Part:
    """A cylinder or capsule from one point to another."""
    dx, dy, dz = (b - a for a, b in zip(start, end, strict=True))
    length = math.sqrt(dx * dx + dy * dy + dz * dz)
    tilt = math.degrees(math.acos(max(-1.0, min(1.0, dy / max(length, 1e-6)))))
    yaw = math.degrees(math.atan2(dx, dz))
    middle = vec(*((a + b) / 2 for a, b in zip(start, end, strict=True)))
    half = vec(radius, length / 2 + (radius if shape == "capsule" else 0), radius)
    return Part(shape, middle, half, finish, vec(yaw, tilt, 0), (round(radius / half[1], 4),) if shape == "capsule" else ())


def moved(parts: Sequence[Part], at: tuple[float, float, float], yaw_deg: float = 0.0) -> Parts:
    """Parts turned about the vertical through their common origin, then moved to `at`."""
    a = math.radians(yaw_deg)
    out = []
    for p in parts:
        x, y, z = p.centre
        centre = vec(at[0] + x * math.cos(a) + z * math.sin(a), at[1] + y, at[2] - x * math.sin(a) + z * math.cos(a))
        out.append(replace(p, centre=centre, turn=(round((p.turn[0] + yaw_deg) % 360, 4), p.turn[1], p.turn[2])))
    return out


def thing(name: str, parts: Sequence[Part], at: tuple[float, float, float], yaw_deg: float = 0.0, casts: bool = True) -> Thing:
    return Thing(name, tuple(moved(parts, at, yaw_deg)), casts)


def extent(parts: Sequence[Part]) -> tuple[Vector, Vector]:
    """Low and high corners of a box around parts, generous where they are turned."""
    low, high = [1e9] * 3, [-1e9] * 3
    for p in parts:
        upright = p.turn[1] % 180 == 0 and p.turn[2] % 180 == 0
        reach = math.hypot(p.half[0], p.half[2]) if upright and p.turn[0] % 90 else 0.0
        if not upright:
            size = math.sqrt(sum(h * h for h in p.half))
            spread = (size, size, size)
        elif reach:
            spread = (reach, p.half[1], reach)
        else:
            spread = p.half if p.turn[0] % 180 == 0 else (p.half[2], p.half[1], p.half[0])
        for axis in range(3):
            low[axis] = min(low[axis], p.centre[axis] - spread[axis])
            high[axis] = max(high[axis], p.centre[axis] + spread[axis])
    return vec(*low), vec(*high)


def arch_cuts(width_share: float, spring_share: float, total: tuple[float, float, float]) -> tuple[Cut, ...]:
    """A doorway with a round top in a wall of `total` size: a box up to the springing line and a cylinder along z above it."""
    radius_m = width_share * total[0] / 2
    spring = 2 * spring_share - 1
    return (
        Cut("box", vec(0, (spring - 1.2) / 2, 0), vec(width_share, (spring + 1.2) / 2, 1.2)),
        Cut("cylinder", vec(0, spring, 0), vec(width_share, radius_m / (total[1] / 2), 1.2), "z"),
    )


def hollow(wall_share: float, floor_share: float) -> tuple[Cut, ...]:
    """A round vessel, open at the top."""
    return (Cut("cylinder", vec(0, floor_share, 0), vec(1 - wall_share, 1.0, 1 - wall_share)),)
