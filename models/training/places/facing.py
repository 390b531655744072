# SPDX-License-Identifier: Apache-2.0
"""Which way surfaces face: outward directions at points on unit shapes and on what was cut out of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..scenes import FloatArray
from .description import Cut, Part
from .shapes import AXES, PLANES, relief_height, to_cut


def _boxy(q: FloatArray) -> FloatArray:
    size = np.abs(q)
    axis = size.argmax(axis=0)
    return np.asarray(np.where(np.arange(3)[:, None] == axis, np.sign(q), 0), np.float32)


def _round(q: FloatArray, top: float) -> FloatArray:
    """Cylinders and frusta: the cap where |y| is nearest its limit, else the slanted side."""
    radius = np.hypot(q[0], q[2])
    side = radius - ((1 + top) / 2 - (1 - top) / 2 * q[1])
    cap = np.abs(q[1]) - 1 > side
    return np.stack([np.where(cap, 0, q[0]), np.where(cap, np.sign(q[1]), radius * (1 - top) / 2), np.where(cap, 0, q[2])])


def _planes(shape: str, q: FloatArray) -> FloatArray:
    planes = PLANES[shape]
    nearest = (planes[:, :3] @ q - planes[:, 3:]) / np.linalg.norm(planes[:, :3], axis=1, keepdims=True)
    return np.asarray(planes[nearest.argmax(axis=0), :3].T, np.float32)


def _chamfer(q: FloatArray, detail: tuple[float, ...]) -> FloatArray:
    cut, x, y, z = detail
    planes = np.array(
        [[x, 0, 0, x], [0, y, 0, y], [0, 0, z, z], [x, y, 0, x + y - cut], [x, 0, z, x + z - cut], [0, y, z, y + z - cut]], np.float32
    )
    levels = (planes[:, :3] @ np.abs(q) - planes[:, 3:]) / np.linalg.norm(planes[:, :3], axis=1, keepdims=True)
    return np.asarray(planes[levels.argmax(axis=0), :3].T * np.sign(q), np.float32)


def _relief(q: FloatArray, part: Part) -> FloatArray:
    step = np.float32(2e-3)
    x, z = q[0], q[2]
    here = relief_height(part.detail, x, z)
    along_x = (relief_height(part.detail, x + step, z) - here) / step
    along_z = (relief_height(part.detail, x, z + step) - here) / step
    top = q[1] > here - 0.02
    return np.where(top, np.stack([-along_x, np.ones_like(x), -along_z]), _boxy(q)).astype(np.float32)


def outward(part: Part, q: FloatArray) -> FloatArray:
    """(3, N) outward gradient directions, in the unit frame and not normalised, at unit-frame points on a part."""
    shape = part.shape
    if shape == "sphere":
        normal = q
    elif shape in ("cylinder", "frustum"):
        normal = _round(q, part.detail[0] if shape == "frustum" else 1.0)
    elif shape == "capsule":
        cap = part.detail[0]
        beyond = np.abs(q[1]) - (1 - cap)
        normal = np.stack([q[0], np.sign(q[1]) * np.maximum(beyond, 0) / np.float32(cap * cap), q[2]])
    elif shape == "pillow":
        size = np.abs(q).max(axis=0) - 1
        normal = np.where(np.sqrt((q * q).sum(axis=0)) - part.detail[0] > size, q, _boxy(q))
    elif shape == "chamfer":
        normal = _chamfer(q, part.detail)
    elif shape == "torus":
        half = np.array(part.half, np.float32)[:, None]
        m = q * half
        away = np.maximum(np.hypot(m[0], m[2]), 1e-6)
        pull = 1 - np.float32(part.half[0] - part.half[1]) / away
        normal = np.stack([m[0] * pull, m[1], m[2] * pull]) * half
    elif shape == "relief":
        normal = _relief(q, part)
    else:
        normal = _boxy(q) if shape == "box" else _planes(shape, q)
    normal = np.asarray(normal, np.float32)
    for cut in part.cuts:
        touching, inward = _cut_facing(cut, q)
        normal = np.where(touching, inward, normal)
    return normal


def _cut_facing(cut: Cut, q: FloatArray) -> tuple[npt.NDArray[np.bool_], FloatArray]:
    """Where points lie on the surface of a cut, and the direction into the hole there (unit frame gradient)."""
    local = to_cut(cut, q, True)
    if cut.shape == "box":
        level, normal = np.abs(local).max(axis=0) - 1, _boxy(local)
    elif cut.shape == "sphere":
        level, normal = np.sqrt((local * local).sum(axis=0)) - 1, local
    else:
        level = np.maximum(np.abs(local[1]), np.hypot(local[0], local[2])) - 1
        normal = _round(local, 1.0)
    back = normal[AXES[cut.axis]] / np.array(cut.half, np.float32)[:, None]
    return np.abs(level) < 2e-3, np.asarray(-back, np.float32)
