# SPDX-License-Identifier: Apache-2.0
"""Triangles of the unit shapes that training's places are made of, the same bodies that `places.shapes` meets with rays."""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..places.description import Cut, Part
from ..places.shapes import PLANES, relief_height

Points = npt.NDArray[np.float64]
Triangles = npt.NDArray[np.int64]
_AROUND = 40


class UnknownBody(Exception):
    """A part is cut in a way that has no mesh."""


@dataclass(frozen=True)
class Body:
    """Points (V, 3) in the unit frame, triangles (T, 3) of one winding per surface, and which of them are shaded smoothly (T,)."""

    points: Points
    triangles: Triangles
    smooth: npt.NDArray[np.bool_]


def joined(*bodies: Body) -> Body:
    shifts = np.cumsum([0] + [len(body.points) for body in bodies[:-1]])
    return Body(
        np.concatenate([body.points for body in bodies]),
        np.concatenate([body.triangles + shift for body, shift in zip(bodies, shifts, strict=True)]),
        np.concatenate([body.smooth for body in bodies]),
    )


def _grid(points: Points, closed: bool, smooth: bool = True) -> Body:
    """A sheet of points (R, C, 3); `closed` joins the last column to the first."""
    rows, columns = points.shape[:2]
    r, c = np.meshgrid(np.arange(rows - 1), np.arange(columns if closed else columns - 1), indexing="ij")
    a, b = r * columns + c, r * columns + (c + 1) % columns
    quads = np.stack([a, b, b + columns, a + columns], -1).reshape(-1, 4)
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    return Body(points.reshape(-1, 3), triangles, np.full(len(triangles), smooth))


def _turned(profile: list[tuple[float, float]]) -> Body:
    """A profile of (radius, y) turned about y; every stretch is a surface of its own, so that its rims stay sharp."""
    angle = np.linspace(0, 2 * math.pi, _AROUND, endpoint=False)
    rings = [np.stack([r * np.cos(angle), np.full(_AROUND, y), r * np.sin(angle)], -1) for r, y in profile]
    flat = [abs(a[1] - b[1]) < 1e-9 for a, b in itertools.pairwise(profile)]
    return joined(*(_grid(np.stack([a, b]), True, not level) for (a, b), level in zip(itertools.pairwise(rings), flat, strict=True)))


def _round(profile: list[tuple[float, float]]) -> Body:
    """The same with one smooth surface."""
    angle = np.linspace(0, 2 * math.pi, _AROUND, endpoint=False)
    rings = [np.stack([r * np.cos(angle), np.full(_AROUND, y), r * np.sin(angle)], -1) for r, y in profile]
    return _grid(np.stack(rings), True)


def _arc(start: float, end: float, count: int, scale: float = 1.0, lift: float = 0.0, stretch: float = 1.0) -> list[tuple[float, float]]:
    return [(scale * math.cos(a), lift + stretch * math.sin(a)) for a in np.linspace(start, end, count)]


def _convex(planes: Points) -> Body:
    """The body between half-spaces a x + b y + c z <= d: each face a fan around its first corner, corners not shared."""
    corners = []
    for three in itertools.combinations(planes, 3):
        matrix = np.array([p[:3] for p in three], np.float64)
        if abs(np.linalg.det(matrix)) > 1e-9:
            corner = np.linalg.solve(matrix, np.array([p[3] for p in three], np.float64))
            if (planes[:, :3] @ corner <= planes[:, 3] + 1e-6).all():
                corners.append(corner)
    found = np.array(corners)
    faces = []
    for plane in planes.astype(np.float64):
        on = np.unique(found[np.abs(found @ plane[:3] - plane[3]) < 1e-5].round(7), axis=0)
        if len(on) < 3:
            continue
        normal = plane[:3] / np.linalg.norm(plane[:3])
        aside = on[0] - on.mean(0)
        aside /= np.linalg.norm(aside)
        rest = on - on.mean(0)
        order = np.argsort(np.arctan2(rest @ np.cross(normal, aside), rest @ aside))
        fan = np.array([(0, i, i + 1) for i in range(1, len(on) - 1)])
        faces.append(Body(on[order], fan, np.zeros(len(fan), np.bool_)))
    return joined(*faces)


_BOX = np.array([(*(s * (i == axis) for i in range(3)), 1) for axis in range(3) for s in (-1, 1)], np.float64)


def _chamfer(detail: tuple[float, ...]) -> Body:
    cut, *weights = detail
    edges = []
    for i, j in ((0, 1), (0, 2), (1, 2)):
        for si, sj in itertools.product((-1, 1), repeat=2):
            row = [0.0, 0.0, 0.0, weights[i] + weights[j] - cut]
            row[i], row[j] = si * weights[i], sj * weights[j]
            edges.append(row)
    return _convex(np.concatenate([_BOX, np.array(edges)]))


def _pillow(radius: float) -> Body:
    """A box whose corners a ball around its middle cuts off."""
    a, b = np.meshgrid(np.linspace(-1, 1, 15), np.linspace(-1, 1, 15), indexing="ij")
    sides = []
    for axis, sign in itertools.product(range(3), (-1, 1)):
        side = np.empty((15, 15, 3))
        side[..., axis], side[..., (axis + 1) % 3], side[..., (axis + 2) % 3] = sign, a, sign * b
        sides.append(_grid(side * np.minimum(1, radius / np.linalg.norm(side, axis=-1))[..., None], False))
    return joined(*sides)


def _torus(half: tuple[float, float, float]) -> Body:
    tube, ring = half[1], half[0] - half[1]
    profile = [(ring + tube * math.cos(a), tube * math.sin(a)) for a in np.linspace(0, 2 * math.pi, 21)]
    body = _round(profile)
    return Body(body.points / np.array(half), body.triangles, body.smooth)


def _relief(detail: tuple[float, ...]) -> Body:
    """The surface, and walls down to the floor of its box: what lies below is solid."""
    x, z = np.meshgrid(np.linspace(-1, 1, 49), np.linspace(-1, 1, 49), indexing="ij")
    y = np.clip(relief_height(detail, x.astype(np.float32), z.astype(np.float32)), -1, 1)
    top = np.stack([x, y, z], -1)
    rims = [top[0], top[-1], top[:, 0], top[:, -1]]
    floors = [np.stack([rim[:, 0], np.full(49, -1.0), rim[:, 2]], -1) for rim in rims]
    walls = [_grid(np.stack([rim, floor]), False, False) for rim, floor in zip(rims, floors, strict=True)]
    return joined(_grid(top, False), *walls, _flat_quad((-1, 1), -1.0))


def _flat_quad(reach: tuple[float, float], y: float) -> Body:
    low, high = reach
    return _grid(np.array([[[low, y, low], [high, y, low]], [[low, y, high], [high, y, high]]]), False, False)


def _doorway(doorway: Cut, crown: Cut | None = None) -> Body:
    """A box with a doorway along z, round or flat at its top: jambs, the wall above, and the opening's own underside."""
    wide, spring = doorway.half[0], doorway.centre[1] + doorway.half[1]
    arc = [(-wide, spring), (wide, spring)]
    if crown is not None:
        arc = [(wide * math.cos(a), min(spring + crown.half[1] * math.sin(a), 1.0)) for a in np.linspace(math.pi, 0, 25)]
    outline = [(-wide, -1.0), *arc, (wide, -1.0)]
    parts = []
    for z in (-1.0, 1.0):
        above = np.array([[(x, y, z) for x, y in arc], [(x, 1.0, z) for x, _ in arc]])
        parts.append(_grid(above, False, False))
        for low, high in ((-1.0, -wide), (wide, 1.0)):
            parts.append(_grid(np.array([[(low, -1.0, z), (high, -1.0, z)], [(low, 1.0, z), (high, 1.0, z)]]), False, False))
    for low, high in ((-1.0, -wide), (wide, 1.0)):
        parts.append(_grid(np.array([[(low, -1.0, -1.0), (high, -1.0, -1.0)], [(low, -1.0, 1.0), (high, -1.0, 1.0)]]), False, False))
    parts.append(_grid(np.array([[(x, y, -1.0) for x, y in outline], [(x, y, 1.0) for x, y in outline]]), False, False))
    for x in (-1.0, 1.0):
        parts.append(_grid(np.array([[(x, -1, -1), (x, 1, -1)], [(x, -1, 1), (x, 1, 1)]], np.float64), False, False))
    return joined(*parts, _flat_quad((-1, 1), 1.0))


def _cut_body(shape: str, cuts: tuple[Cut, ...]) -> Body:
    """Round vessels, bowls and doorways: the only cuts that places have."""
    kinds = " and ".join(cut.shape for cut in cuts)
    if shape == "cylinder" and kinds == "cylinder" and cuts[0].axis == "y" and cuts[0].half[1] + cuts[0].centre[1] >= 1:
        inner, floor = cuts[0].half[0], cuts[0].centre[1] - cuts[0].half[1]
        return _turned([(0, -1), (1, -1), (1, 1), (inner, 1), (inner, floor), (0, floor)])
    if shape == "sphere" and kinds == "box and sphere" and cuts[0].centre[1] == cuts[0].half[1] and not any(cuts[1].centre):
        r, h, _ = cuts[1].half
        rim = _turned([(1, 0), (r, 0)])
        return joined(_round(_arc(-math.pi / 2, 0, 12)), rim, _round(_arc(0, -math.pi / 2, 12, r, 0.0, h)))
    if shape == "box" and kinds == "box and cylinder" and cuts[1].axis == "z":
        return _doorway(*cuts)
    if shape == "box" and kinds == "box" and cuts[0].centre[1] - cuts[0].half[1] <= -1 and cuts[0].half[2] >= 1:
        return _doorway(*cuts)
    raise UnknownBody(f"no mesh for a {shape} cut by {kinds}")


@functools.lru_cache(maxsize=512)
def _cached(shape: str, detail: tuple[float, ...], cuts: tuple[Cut, ...]) -> Body:
    if cuts:
        return _cut_body(shape, cuts)
    if shape == "box":
        return _convex(_BOX)
    if shape == "sphere":
        return _round(_arc(-math.pi / 2, math.pi / 2, 21))
    if shape == "cylinder":
        return _turned([(0, -1), (1, -1), (1, 1), (0, 1)])
    if shape == "frustum":
        return _turned([(0, -1), (1, -1), (detail[0], 1), (0, 1)])
    if shape == "capsule":
        low, cap = 1 - detail[0], detail[0]
        return _round(_arc(-math.pi / 2, 0, 9, 1.0, -low, cap) + _arc(0, math.pi / 2, 9, 1.0, low, cap))
    if shape == "pillow":
        return _pillow(detail[0])
    if shape == "chamfer":
        return _chamfer(detail)
    if shape == "relief":
        return _relief(detail)
    return _convex(np.asarray(PLANES[shape], np.float64))


def body_of(part: Part) -> Body:
    """A part's body in its unit frame. Raises `UnknownBody`."""
    return _torus(part.half) if part.shape == "torus" else _cached(part.shape, part.detail, part.cuts)
