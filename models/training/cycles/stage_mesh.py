# SPDX-License-Identifier: Apache-2.0
"""A training place as one mesh for Blender: triangles, surface coordinates in periods, and what each face looks like. No bpy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ..places.description import Enclosure, Finish
from ..places.stage import Stage
from .part_meshes import Body, body_of

GROUND_M = 4000.0
Values = npt.NDArray[np.float32]


@dataclass(frozen=True)
class StageMesh:
    """V points and T triangles in Blender's frame (x right, y away, z up)."""

    points: Values
    triangles: npt.NDArray[np.int32]
    smooth: npt.NDArray[np.bool_]
    uv: Values
    """(T, 3, 2) surface coordinates of each triangle's corners, in periods of its finish."""
    finish: npt.NDArray[np.int32]
    """(T,) index into `finishes`."""
    finishes: tuple[Finish, ...]


@dataclass(frozen=True)
class _Piece:
    """A body in metres in the frame its surface coordinates are told in, and in the world's."""

    local: Values
    world: Values
    body: Body
    finish: Finish
    shift: float
    flat: bool


def _quad(a: list[float], b: list[float], c: list[float], d: list[float]) -> Body:
    return Body(np.array([a, b, c, d], np.float64), np.array([[0, 1, 2], [0, 2, 3]]), np.zeros(2, np.bool_))


def _on_plane(axis: int, at: float, low: tuple[float, float], high: tuple[float, float]) -> Body:
    """A rectangle at `at` on `axis`, spanning the other two axes in order."""
    others = [i for i in range(3) if i != axis]

    def corner(u: float, v: float) -> list[float]:
        point = [0.0, 0.0, 0.0]
        point[axis], point[others[0]], point[others[1]] = at, u, v
        return point

    return _quad(corner(low[0], low[1]), corner(high[0], low[1]), corner(high[0], high[1]), corner(low[0], high[1]))


def _wall(around: Enclosure, wall: int) -> list[Body]:
    """A wall in rectangles around its openings."""
    assert around.high is not None
    axis, at = (0, 2)[wall // 2], (around.low, around.high)[wall % 2][(0, 2)[wall // 2]]
    along = 2 - axis
    holes = [o for o in around.openings if o.wall == wall]
    us = sorted({around.low[along], around.high[along], *(v for o in holes for v in o.along)})
    vs = sorted({around.low[1], around.high[1], *(v for o in holes for v in o.up)})
    cells = []
    for u0, u1 in pairwise(us):
        for v0, v1 in pairwise(vs):
            u, v = (u0 + u1) / 2, (v0 + v1) / 2
            if any(o.along[0] < u < o.along[1] and o.up[0] < v < o.up[1] for o in holes):
                continue
            low, high = ((v0, u0), (v1, u1)) if axis == 0 else ((u0, v0), (u1, v1))
            cells.append(_on_plane(axis, at, low, high))
    return cells


def _enclosure(around: Enclosure) -> list[tuple[Body, Finish]]:
    """Floor, ceiling and walls of a room with the ground outside its openings, or open ground."""
    low, high = around.low, around.high
    if high is None:
        return [(_on_plane(1, low[1], (-GROUND_M, -GROUND_M), (GROUND_M, GROUND_M)), around.floor)]
    span = ((low[0], low[2]), (high[0], high[2]))
    found = [(_on_plane(1, low[1], *span), around.floor), (_on_plane(1, high[1], *span), around.ceiling)]
    found += [(cell, around.walls[wall]) for wall in range(4) for cell in _wall(around, wall)]
    if around.openings:
        outside = _on_plane(1, around.outside_level, (-GROUND_M, -GROUND_M), (GROUND_M, GROUND_M))
        found.append((outside, around.outside))
    return found


def _pieces(stage: Stage) -> list[_Piece]:
    found = [_Piece(b.points.astype(np.float32), b.points.astype(np.float32), b, f, 0.0, True) for b, f in _enclosure(stage.place.enclosure)]
    for index, part in enumerate(stage.parts):
        body = body_of(part)
        local = (body.points * stage.halves[index]).astype(np.float32)
        world = local @ stage.rotations[index].T + stage.centres[index]
        found.append(_Piece(local, world, body, part.finish, 0.618 * (index % 50), False))
    return found


def _uv(piece: _Piece) -> Values:
    """(T, 3, 2): as training's own renderer tells surface coordinates, along the two axes a triangle lies in most."""
    corners = piece.local[piece.body.triangles]
    normal = np.abs(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))
    x, y, z = normal.T[..., None]
    sideways, upright = (x > y) & (x > z), (y >= x) & (y > z)
    u = np.where(sideways, corners[..., 2], corners[..., 0]) + piece.shift
    v = np.where(upright, corners[..., 2], corners[..., 1]) + piece.shift
    a = math.radians(piece.finish.angle_deg)
    turned = np.stack([math.cos(a) * u - math.sin(a) * v, math.sin(a) * u + math.cos(a) * v], -1)
    return np.asarray(turned / piece.finish.period_m, np.float32)


def stage_mesh(stage: Stage) -> StageMesh:
    """All of a place in one mesh. Raises `UnknownBody`."""
    pieces = _pieces(stage)
    shifts = np.cumsum([0] + [len(piece.world) for piece in pieces[:-1]])
    known = {finish: i for i, finish in enumerate(dict.fromkeys(piece.finish for piece in pieces))}
    return StageMesh(
        np.concatenate([piece.world for piece in pieces]).astype(np.float32)[:, [0, 2, 1]],
        np.concatenate([piece.body.triangles + shift for piece, shift in zip(pieces, shifts, strict=True)]).astype(np.int32),
        np.concatenate([piece.body.smooth for piece in pieces]),
        np.concatenate([_uv(piece) for piece in pieces]),
        np.concatenate([np.full(len(piece.body.triangles), known[piece.finish]) for piece in pieces]).astype(np.int32),
        tuple(known),
    )
