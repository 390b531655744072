# SPDX-License-Identifier: Apache-2.0
"""Where rays enter and leave unit shapes, and which way their surfaces face.

Rays are (3, N) float32 arrays (origins may be (3, 1)). A convex shape gives an interval of ray parameters, empty
(inf, -inf) for a miss; what is cut out of it is taken from the interval. Tori and reliefs are marched.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..raycast import MISS, dot, quadratic, slab
from ..scenes import FloatArray
from .description import Cut, Part

Interval = tuple[FloatArray, FloatArray]
AXES = {"x": [1, 0, 2], "y": [0, 1, 2], "z": [0, 2, 1]}
_SQ = 2**-0.5

PLANES: dict[str, npt.NDArray[np.float32]] = {
    "gable": np.array([[0, -1, 0, 1], [0, 0, 1, 1], [0, 0, -1, 1], [2, 1, 0, 1], [-2, 1, 0, 1]], np.float32),
    "pyramid": np.array([[0, -1, 0, 1], [2, 1, 0, 1], [-2, 1, 0, 1], [0, 1, 2, 1], [0, 1, -2, 1]], np.float32),
    "ramp": np.array([[0, -1, 0, 1], [1, 0, 0, 1], [-1, 0, 0, 1], [0, 0, 1, 1], [0, 1, -1, 0]], np.float32),
    "hexagon": np.array([[0, 1, 0, 1], [0, -1, 0, 1]] + [[np.cos(a), 0, np.sin(a), 0.95] for a in np.arange(6) * np.pi / 3], np.float32),
}
"""Convex solids as half-spaces a x + b y + c z <= d in the unit frame, rows (a, b, c, d)."""


def _inside_of(first: Interval, second: Interval) -> Interval:
    return np.maximum(first[0], second[0]), np.minimum(first[1], second[1])


def _box(o: FloatArray, d: FloatArray) -> Interval:
    near, far = slab(o, d)
    return np.maximum(np.maximum(near[0], near[1]), near[2]), np.minimum(np.minimum(far[0], far[1]), far[2])


def _ball(o: FloatArray, d: FloatArray, radius: float = 1.0) -> Interval:
    return quadratic(dot(d, d), dot(o, d), dot(o, o) - np.float32(radius * radius))


def _pipe(o: FloatArray, d: FloatArray) -> Interval:
    """The endless cylinder x^2 + z^2 <= 1."""
    a, c = d[0] * d[0] + d[2] * d[2], o[0] * o[0] + o[2] * o[2] - 1
    enter, leave = quadratic(a, o[0] * d[0] + o[2] * d[2], c)
    along = (a < 1e-12) & (c < 0)  # inside all the way
    return np.where(along, -MISS, enter), np.where(along, MISS, leave)


def _frustum(o: FloatArray, d: FloatArray, top: float) -> Interval:
    """Radius 1 at y = -1, `top` < 1 at y = 1: the lower nappe of a double cone between two planes."""
    slope = np.float32((1 - top) / 2)
    radius = np.float32((1 + top) / 2) - slope * o[1]
    a = d[0] * d[0] + d[2] * d[2] - slope * slope * d[1] * d[1]
    b = o[0] * d[0] + o[2] * d[2] + radius * slope * d[1]
    first, second = quadratic(a, b, o[0] * o[0] + o[2] * o[2] - radius * radius)
    inward = a < 0  # the ray is steeper than the cone: it is inside before the first and after the second root
    hollow = first < second
    down = d[1] < 0
    enter = np.where(inward, np.where(hollow & down, second, -MISS), first)
    leave = np.where(inward, np.where(hollow & ~down, first, MISS), second)
    return _inside_of((enter, leave), slab(o[1], d[1]))


def _capsule(o: FloatArray, d: FloatArray, cap: float) -> Interval:
    """A cylinder with half-ball ends of height `cap`; the union is convex, so the outermost ends bound it."""
    body = np.float32(max(1 - cap, 1e-3))
    pipe = _inside_of(_pipe(o, d), slab(o[1] / body, d[1] / body))
    enter, leave = np.where(pipe[0] < pipe[1], pipe[0], MISS), np.where(pipe[0] < pipe[1], pipe[1], -MISS)
    stretch = np.array([1, cap, 1], np.float32)[:, None]
    for end in (body, -body):
        near, far = _ball((o - np.array([0, end, 0], np.float32)[:, None]) / stretch, d / stretch)
        enter, leave = np.minimum(enter, near), np.maximum(leave, far)
    return enter, leave


def _chamfer(o: FloatArray, d: FloatArray, detail: tuple[float, ...]) -> Interval:
    """A box whose twelve edges are cut by planes wi |qi| + wj |qj| <= wi + wj - cut, for detail = (cut, wx, wy, wz)."""
    found, (cut, *weights) = _box(o, d), detail
    for i, j in ((0, 1), (0, 2), (1, 2)):
        reach = weights[i] + weights[j] - cut
        a, b = np.float32(weights[i] / reach), np.float32(weights[j] / reach)
        for sign in (1, -1):
            found = _inside_of(found, slab(a * o[i] + sign * b * o[j], a * d[i] + sign * b * d[j]))
    return found


def _half_spaces(planes: npt.NDArray[np.float32], o: FloatArray, d: FloatArray) -> Interval:
    enter: FloatArray = np.full(d.shape[1], -MISS, np.float32)
    leave: FloatArray = np.full(d.shape[1], MISS, np.float32)
    for a, b, c, limit in planes:
        rise = a * d[0] + b * d[1] + c * d[2]
        room = limit - (a * o[0] + b * o[1] + c * o[2])
        along = np.abs(rise) < 1e-9
        t = room / np.where(along, np.float32(1e-9), rise)  # for a ray along the plane: far beyond, on the plane's own side
        enter = np.where((rise < 0) & ~along, np.maximum(enter, t), enter)
        leave = np.where((rise > 0) | along, np.minimum(leave, t), leave)
    return enter, leave


def interval(shape: str, detail: tuple[float, ...], o: FloatArray, d: FloatArray) -> Interval:
    """The ray parameters between which rays run inside a convex unit shape."""
    if shape == "box":
        return _box(o, d)
    if shape == "sphere":
        return _ball(o, d)
    if shape == "cylinder":
        return _inside_of(_pipe(o, d), slab(o[1], d[1]))
    if shape == "frustum":
        return _frustum(o, d, detail[0])
    if shape == "capsule":
        return _capsule(o, d, detail[0])
    if shape == "pillow":
        return _inside_of(_box(o, d), _ball(o, d, detail[0]))
    if shape == "chamfer":
        return _chamfer(o, d, detail)
    return _half_spaces(PLANES[shape], o, d)


def to_cut(cut: Cut, q: FloatArray, move: bool) -> FloatArray:
    rows = q - np.array(cut.centre, np.float32)[:, None] if move else q
    return np.asarray((rows / np.array(cut.half, np.float32)[:, None])[AXES[cut.axis]], np.float32)


def hit(part: Part, o: FloatArray, d: FloatArray, nearest: float = 1e-4) -> FloatArray:
    """Ray parameter (N,) where rays first meet a part from outside, o and d in its unit frame; inf for a miss."""
    if part.shape == "torus":
        return torus_hit(o, d, part, nearest)
    if part.shape == "relief":
        return relief_hit(o, d, part, nearest)
    enter, leave = interval(part.shape, part.detail, o, d)
    if not part.cuts:
        return np.where((enter < leave) & (enter > nearest), enter, MISS).astype(np.float32)
    t = np.maximum(enter, np.float32(nearest))
    holes = [interval(c.shape, (), to_cut(c, o, True), to_cut(c, d, False)) for c in part.cuts]
    for _ in holes:  # leaving one hole may lead into the next
        for begin, end in holes:
            t = np.where((begin <= t) & (t < end), end, t)
    started_inside = (t <= nearest) & (enter <= nearest)
    return np.where((t < leave) & ~started_inside & (enter < leave), t, MISS).astype(np.float32)


def torus_hit(o: FloatArray, d: FloatArray, part: Part, nearest: float) -> FloatArray:
    """Sphere tracing of a ring lying in its x-z plane; part.half = (outer radius, tube radius, outer radius)."""
    tube = np.float32(part.half[1])
    ring = np.float32(part.half[0] - part.half[1])
    half = np.array(part.half, np.float32)[:, None]
    enter, leave = _box(o, d)
    out = np.full(d.shape[1], MISS, np.float32)
    at = np.flatnonzero((enter < leave) & (leave > nearest))
    if at.size == 0:
        return out
    origin, ray = (np.broadcast_to(o, d.shape)[:, at] * half), d[:, at] * half
    speed = np.sqrt(dot(ray, ray))
    t = np.maximum(enter[at], np.float32(nearest))
    gap = np.full(at.size, MISS, np.float32)
    for _ in range(40):
        q = origin + ray * t
        gap = np.hypot(np.hypot(q[0], q[2]) - ring, q[1]) - tube
        t = t + np.maximum(gap, 0) / speed
    good = (gap < tube * np.float32(0.02)) & (t < leave[at]) & (t > nearest * 2)
    out[at[good]] = t[good]
    return out


def relief_height(detail: tuple[float, ...], x: FloatArray, z: FloatArray) -> FloatArray:
    """Height in [-1, 1] of a relief over its unit square: kind 0 folds, 1 crumples that end at the rim, 2 rolling ground."""
    kind, along_x, along_z, phase = detail
    if kind == 0:
        return np.asarray(0.55 * np.sin(along_x * x + 0.5 * np.sin(along_z * z + phase)) + 0.2 * np.sin(2.3 * along_x * x + phase), np.float32)
    bumps = np.sin(along_x * x + phase + 0.7 * np.sin(along_z * z)) * np.cos(along_z * z - phase + 0.8 * x)
    bumps = bumps + 0.5 * np.sin(1.9 * along_x * z - 1.3 * along_z * x + 2 * phase)
    if kind == 1:
        rim = (1 - x**4) * (1 - z**4)
        return np.asarray(-1 + np.maximum(rim, 0) * (1 + 0.6 * bumps), np.float32)
    return np.asarray(0.5 * bumps, np.float32)


def relief_hit(o: FloatArray, d: FloatArray, part: Part, nearest: float) -> FloatArray:
    """Even steps through the box around a relief, then bisection; what lies below the surface is solid."""
    enter, leave = _box(o, d)
    out = np.full(d.shape[1], MISS, np.float32)
    at = np.flatnonzero((enter < leave) & (leave > nearest))
    if at.size == 0:
        return out
    origin, ray = np.broadcast_to(o, d.shape)[:, at], d[:, at]
    begin, end = np.maximum(enter[at], np.float32(nearest)), leave[at]
    started_below = (enter[at] <= nearest) & (_above(part, origin + ray * begin) < 0)
    low, high = begin.copy(), np.full(at.size, MISS, np.float32)
    count = 26
    for i in range(count + 1):
        t = begin + (end - begin) * np.float32(i / count)
        below = _above(part, origin + ray * t) <= 0
        first = below & ~np.isfinite(high)
        high = np.where(first, t, high)
        low = np.where(below | np.isfinite(high), low, t)
    good = np.isfinite(high) & ~started_below
    low, high = np.where(good, low, 0), np.where(good, high, 0)
    for _ in range(7):
        middle = (low + high) / 2
        below = _above(part, origin + ray * middle) <= 0
        low, high = np.where(below, low, middle), np.where(below, middle, high)
    out[at[good]] = high[good]
    return out


def _above(part: Part, q: FloatArray) -> FloatArray:
    return np.asarray(q[1] - relief_height(part.detail, q[0], q[2]), np.float32)
