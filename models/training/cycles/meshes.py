# SPDX-License-Identifier: Apache-2.0
"""Meshes of pieces, in metres, as Blender takes them: vertices and faces. No bpy here.

Every mesh stands on z = 0 and is centred in x and y; `size` is its extent. What `detail` means:
block (bevel in metres), cushion (roundness, 1 an ellipsoid, small a box), extrusion (outline x0, z0, x1, z1, ... in shares of the
size, drawn out along y), lathe (profile r0, z0, r1, z1, ... from the bottom axis to the top one, shares), tube (radius in metres,
then points x, y, z in shares of the size), drape (half length and half width of what it lies on, in shares, and waves: a cloth over a
table), curtain (folds, depth in shares of y), leaves (count, leaf width over length, droop), lump (roughness, phase).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .description import Piece

Points = npt.NDArray[np.float64]
Faces = list[tuple[int, ...]]
ROUND = frozenset(("cushion", "lathe", "tube", "drape", "curtain", "leaves", "lump"))
_AROUND = 40


@dataclass(frozen=True)
class Mesh:
    points: Points
    """(N, 3) metres."""
    faces: Faces


def _sheet(rows: int, columns: int, closed: bool = False) -> Faces:
    """Quads of a grid of points, row by row; `closed` joins the last column to the first."""
    across = columns if closed else columns - 1
    return [
        (r * columns + c, r * columns + (c + 1) % columns, (r + 1) * columns + (c + 1) % columns, (r + 1) * columns + c)
        for r in range(rows - 1)
        for c in range(across)
    ]


def _block(size: Points) -> Mesh:
    corners = np.array([(x, y, z) for z in (0, 1) for y in (-0.5, 0.5) for x in (-0.5, 0.5)])
    return Mesh(corners * size, [(0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5)])


def _cushion(size: Points, roundness: float) -> Mesh:
    """A superellipsoid: cosines and sines to the power `roundness`."""
    up, around = np.meshgrid(np.linspace(-math.pi / 2, math.pi / 2, 20), np.linspace(0, 2 * math.pi, 36, endpoint=False), indexing="ij")

    def power(v: Points) -> Points:
        return np.asarray(np.sign(v) * np.abs(v) ** roundness)

    grid = np.stack([power(np.cos(up)) * power(np.cos(around)), power(np.cos(up)) * power(np.sin(around)), power(np.sin(up)) + 1], -1)
    return Mesh(grid.reshape(-1, 3) / 2 * size, _sheet(20, 36, closed=True))


def _extrusion(size: Points, outline: Points) -> Mesh:
    n = len(outline)
    flat = np.stack([outline[:, 0] - 0.5, np.full(n, -0.5), outline[:, 1]], -1)
    points = np.concatenate([flat, flat + np.array([0, 1, 0])]) * size
    sides: Faces = [(i, (i + 1) % n, n + (i + 1) % n, n + i) for i in range(n)]
    return Mesh(points, [tuple(range(n))[::-1], tuple(range(n, 2 * n)), *sides])


def _lathe(size: Points, profile: Points) -> Mesh:
    angle = np.linspace(0, 2 * math.pi, _AROUND, endpoint=False)
    r, z = profile[:, :1] / 2, profile[:, 1:]
    grid = np.stack([r * np.cos(angle), r * np.sin(angle), np.repeat(z, _AROUND, 1)], -1)
    return Mesh(grid.reshape(-1, 3) * size, _sheet(len(profile), _AROUND, closed=True))


def _tube(size: Points, radius: float, path: Points) -> Mesh:
    """Rings of twelve around a line of points, capped."""
    line = (path - (0.5, 0.5, 0)) * size
    ahead = np.gradient(line, axis=0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    aside = np.cross(ahead, np.where(np.abs(ahead[:, 2:]) > 0.9, (1.0, 0, 0), (0, 0, 1.0)))
    aside /= np.linalg.norm(aside, axis=1, keepdims=True)
    other = np.cross(ahead, aside)
    angle = np.linspace(0, 2 * math.pi, 12, endpoint=False)[:, None]
    rings = line[:, None] + radius * (np.cos(angle) * aside[:, None] + np.sin(angle) * other[:, None])
    last = 12 * (len(line) - 1)
    caps: Faces = [tuple(range(12))[::-1], tuple(range(last, last + 12))]
    return Mesh(rings.reshape(-1, 3), _sheet(len(line), 12, closed=True) + caps)


def _drape(size: Points, half_length: float, half_width: float, waves: float) -> Mesh:
    """A cloth over a table: flat on it, hanging and rippled beyond its edge; x and y of the cloth's reach, z of its fall."""
    x, y = np.meshgrid(np.linspace(-0.5, 0.5, 61), np.linspace(-0.5, 0.5, 61), indexing="ij")
    over = np.hypot(np.maximum(np.abs(x) - half_length, 0), np.maximum(np.abs(y) - half_width, 0))
    fall = np.minimum(over / max(0.5 - min(half_length, half_width), 1e-3), 1)
    angle = np.arctan2(y, x)
    ripple = 0.06 * fall * np.sin(waves * angle * 4)
    grid = np.stack([np.clip(x, -half_length, half_length), np.clip(y, -half_width, half_width), 1 - fall], -1)
    grid[..., 0] += (x - grid[..., 0]) * 0.25 + ripple * np.cos(angle)
    grid[..., 1] += (y - grid[..., 1]) * 0.25 + ripple * np.sin(angle)
    return Mesh(grid.reshape(-1, 3) * size, _sheet(61, 61))


def _curtain(size: Points, folds: float, depth: float) -> Mesh:
    x, z = np.meshgrid(np.linspace(-0.5, 0.5, 121), np.linspace(0, 1, 12), indexing="ij")
    y = 0.5 * depth * np.sin(2 * math.pi * folds * x + 0.7 * np.sin(3 * z)) * (0.6 + 0.4 * (1 - z))
    return Mesh(np.stack([x, y, z], -1).reshape(-1, 3) * size, _sheet(121, 12))


def _leaves(size: Points, count: int, slim: float, droop: float) -> Mesh:
    """Curved blades from one root, turned by the golden angle."""
    along, across = np.linspace(0, 1, 9), np.array([-1.0, 0.0, 1.0])
    points, faces = [], Faces()
    for leaf in range(count):
        turn, lean = leaf * 2.39996, 0.25 + 0.7 * ((leaf * 0.61803) % 1)
        out, up = along * lean, along * (1.35 - 0.6 * lean) - droop * along**2 * lean
        wide = slim * np.sin(math.pi * np.minimum(along * 0.9 + 0.08, 1)) * 0.5
        x = out[:, None] * math.cos(turn) - across * wide[:, None] * math.sin(turn)
        y = out[:, None] * math.sin(turn) + across * wide[:, None] * math.cos(turn)
        z = up[:, None] + 0.15 * slim * np.abs(across) + 0 * x
        base = 27 * leaf
        points.append(np.stack([x / 2, y / 2, z], -1).reshape(-1, 3))
        faces += [tuple(base + i for i in face) for face in _sheet(9, 3)]
    return Mesh(np.concatenate(points) * size, faces)


def _lump(size: Points, roughness: float, phase: float) -> Mesh:
    """A ball with sines on it: bushes, crowns of trees, stones, bread."""
    up, around = np.meshgrid(np.linspace(-math.pi / 2, math.pi / 2, 40), np.linspace(0, 2 * math.pi, 64, endpoint=False), indexing="ij")
    ball = np.stack([np.cos(up) * np.cos(around), np.cos(up) * np.sin(around), np.sin(up)], -1)
    bump = np.zeros(up.shape)
    for k in range(1, 6):
        direction = np.array([math.cos(phase + 2.1 * k), math.sin(phase + 1.3 * k), math.cos(2 * phase + k)])
        bump += np.sin(ball @ direction * (2.2 * k) + phase * k) / k
    grid = ball * (1 + roughness * bump[..., None] * np.cos(up)[..., None] ** 0.3)
    grid[..., 2] += 1
    return Mesh(grid.reshape(-1, 3) / 2 * size, _sheet(40, 64, closed=True))


def mesh_of(piece: Piece) -> Mesh:
    """The mesh of one copy of a piece, in its own frame."""
    size, detail = np.array(piece.size), piece.detail
    pairs = np.array(detail).reshape(-1, 2) if len(detail) % 2 == 0 else np.zeros((0, 2))
    if piece.shape == "cushion":
        return _cushion(size, detail[0])
    if piece.shape == "extrusion":
        return _extrusion(size, pairs)
    if piece.shape == "lathe":
        return _lathe(size, pairs)
    if piece.shape == "tube":
        return _tube(size, detail[0], np.array(detail[1:]).reshape(-1, 3))
    if piece.shape == "drape":
        return _drape(size, *detail)
    if piece.shape == "curtain":
        return _curtain(size, *detail)
    if piece.shape == "leaves":
        return _leaves(size, int(detail[0]), detail[1], detail[2])
    if piece.shape == "lump":
        return _lump(size, *detail)
    return _block(size)
