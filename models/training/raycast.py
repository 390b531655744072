# SPDX-License-Identifier: Apache-2.0
"""Where rays meet a scene: exact intersections with convex primitives, rooms and ground.

Rays are (3, N) float32 arrays. Camera rays have a forward component of 1, so the ray parameter of a hit *is* its planar
depth. A primitive is met in its own unit frame (box [-1, 1]^3, cylinder x^2+z^2 <= 1 with |y| <= 1, unit sphere, cone with
apex y = 1 and base radius 1 at y = -1); an affine frame change leaves the ray parameter untouched. What is met in a unit frame is
said once for NumPy and for torch (`on_the_fly`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .array_library import Values, as_float32, library_of
from .scenes import FloatArray, Scene, SceneCamera, Shape, Solid, Vector

MISS = np.float32(np.inf)
_LEAST_STEP, _LEAST_SQUARE = np.float32(1e-9), np.float32(1e-12)
SKY, FLOOR, CEILING, WALLS = -1, 0, 1, 2
FIRST_SOLID = 6
"""Surface ids: -1 sky, 0 floor, 1 ceiling, 2..5 walls (-x, +x, -z, +z), 6.. the scene's solids in order."""


@dataclass(frozen=True)
class Hits:
    """What each pixel sees, flattened row by row (N = height * width)."""

    depth: FloatArray
    """(N,) planar depth in metres, inf for sky."""
    surface: npt.NDArray[np.int16]
    """(N,) surface id."""
    directions: FloatArray
    """(3, N) world-space ray directions with forward component 1 in the camera's frame."""


def dot(a: Values, b: Values) -> Values:
    """Column-wise dot product of (3, ...) arrays; much quicker than a NumPy reduction over three rows."""
    return as_float32(a[0] * b[0] + a[1] * b[1] + a[2] * b[2])


def length(vectors: Values) -> Values:
    """Of (3, ...) vectors, column by column."""
    return as_float32(library_of(vectors).sqrt(dot(vectors, vectors)))


def camera_rays(camera: SceneCamera) -> FloatArray:
    """(3, H*W) world directions through the pixel centres, forward component 1."""
    u = (np.arange(camera.width, dtype=np.float32) + 0.5 - camera.width / 2) / camera.focal_px
    v = (np.arange(camera.height, dtype=np.float32) + 0.5 - camera.height / 2) / camera.focal_px
    grid_u, grid_v = np.meshgrid(u, v)
    local = np.stack([grid_u.ravel(), -grid_v.ravel(), np.ones(grid_u.size)]).astype(np.float32)
    return np.asarray(camera.rotation() @ local, np.float32)


def to_local(solid: Solid, origin: FloatArray, directions: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Origins and directions, both (3, N) or (3, 1), in the unit frame of a solid."""
    frame = solid.rotation().T / np.array(solid.half_size, np.float32)[:, None]
    centre = np.array(solid.centre, np.float32)[:, None]
    return np.asarray(frame @ (origin - centre), np.float32), np.asarray(frame @ directions, np.float32)


def slab(origin: Values, direction: Values) -> tuple[Values, Values]:
    lib = library_of(direction)
    safe = lib.where(lib.abs(direction) < 1e-9, _LEAST_STEP, direction)
    near, far = (-1 - origin) / safe, (1 - origin) / safe
    return lib.minimum(near, far), lib.maximum(near, far)


def quadratic(a: Values, b: Values, c: Values) -> tuple[Values, Values]:
    """Roots of a t^2 + 2 b t + c, ordered; (inf, -inf), an empty interval, where there are none."""
    lib = library_of(a)
    disc = b * b - a * c
    real = disc > 0
    root = lib.sqrt(lib.where(real, disc, 0))
    safe = lib.where(lib.abs(a) < 1e-12, _LEAST_SQUARE, a)
    first, second = (-b - root) / safe, (-b + root) / safe
    return lib.where(real, lib.minimum(first, second), MISS), lib.where(real, lib.maximum(first, second), -MISS)


def intersect_unit(shape: Shape, o: Values, d: Values, nearest: float = 1e-4) -> Values:
    """Ray parameter where rays enter a unit primitive from outside; inf for a miss.

    `o` is (3, N) or (3, 1), `d` (3, N); of torch, (3, B, N) as well. Hits at or before `nearest` (the origin inside included) count as misses.
    """
    lib = library_of(d)
    if shape == "box":
        near, far = slab(o, d)
        enter = lib.maximum(lib.maximum(near[0], near[1]), near[2])
        leave = lib.minimum(lib.minimum(far[0], far[1]), far[2])
    elif shape == "sphere":
        enter, leave = quadratic(dot(d, d), dot(o, d), dot(o, o) - 1)
    else:
        slab_in, slab_out = slab(o[1], d[1])
        a, b = d[0] * d[0] + d[2] * d[2], o[0] * d[0] + o[2] * d[2]
        c = o[0] * o[0] + o[2] * o[2]
        if shape == "cylinder":
            side_in, side_out = quadratic(a, b, c - 1)
        else:
            side_in, side_out = _cone_side(a, b, c, o[1], d[1])
        enter, leave = lib.maximum(slab_in, side_in), lib.minimum(slab_out, side_out)
    return as_float32(lib.where((enter < leave) & (enter > nearest), enter, MISS))


def _cone_side(a: Values, b: Values, c: Values, oy: Values, dy: Values) -> tuple[Values, Values]:
    """The interval a ray spends in the lower nappe of x^2 + z^2 = ((1 - y) / 2)^2 (the slab cuts off the upper one)."""
    lib = library_of(dy)
    k = (1 - oy) / 2
    a, b, c = a - dy * dy / 4, b + k * dy / 2, c - k * k
    first, second = quadratic(a, b, c)
    steep = (a < 0) & (first < second)
    never = (a < 0) & ~(first < second)  # inside the double cone all along
    side_in = lib.where(steep, lib.where(dy < 0, second, -MISS), first)
    side_out = lib.where(steep, lib.where(dy < 0, MISS, first), second)
    return lib.where(never, -MISS, side_in), lib.where(never, MISS, side_out)


def unit_normals(shape: Shape, q: Values) -> Values:
    """Outward directions (not normalised) at points `q`, (3, N) or of torch (3, B, N), on a unit primitive, in its unit frame."""
    lib = library_of(q)
    if shape == "sphere":
        return q
    if shape == "box":
        axis = lib.abs(q).argmax(0)
        return lib.stack([lib.where(axis == i, lib.sign(q[i]), 0) for i in range(3)])
    if shape == "cylinder":
        cap = lib.abs(q[1]) > lib.hypot(q[0], q[2])
        up = lib.where(cap, lib.sign(q[1]), 0)
    else:
        cap = q[1] < -0.9995
        up = lib.where(cap, -1, lib.hypot(q[0], q[2]) / 2)
    return lib.stack([lib.where(cap, 0, q[0]), up, lib.where(cap, 0, q[2])])


def world_normals(solid: Solid, points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Unit world normals (3, N) at surface `points` (3, N), and the points in the solid's own metric frame (3, N)."""
    half = np.array(solid.half_size, np.float32)[:, None]
    rotation = solid.rotation()
    local = rotation.T @ (points - np.array(solid.centre, np.float32)[:, None])
    normal = rotation @ (unit_normals(solid.shape, local / half) / half)
    return normal / np.sqrt(np.maximum(dot(normal, normal), 1e-18)), local


def corners(solid: Solid) -> FloatArray:
    """(3, 8) world corners of the box around a solid."""
    signs = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, 8).astype(np.float32)
    scaled = signs * np.array(solid.half_size, np.float32)[:, None]
    return solid.rotation() @ scaled + np.array(solid.centre, np.float32)[:, None]


def screen_window(solid: Solid, camera: SceneCamera) -> tuple[slice, slice] | None:
    """Rows and columns that can see a solid; None when it is out of view."""
    seen = camera.rotation().T @ (corners(solid) - np.array(camera.position, np.float32)[:, None])
    if (seen[2] < 0.02).all():
        return None
    if (seen[2] < 0.02).any():
        return slice(0, camera.height), slice(0, camera.width)
    u = seen[0] / seen[2] * camera.focal_px + camera.width / 2
    v = -seen[1] / seen[2] * camera.focal_px + camera.height / 2
    left, right = max(0, int(u.min()) - 1), min(camera.width, int(u.max()) + 2)
    top, bottom = max(0, int(v.min()) - 1), min(camera.height, int(v.max()) + 2)
    return None if left >= right or top >= bottom else (slice(top, bottom), slice(left, right))


def ground_hit(origin: Values, d: Values) -> tuple[Values, Values]:
    """Depth and surface id of open ground and sky, for rays from `origin`."""
    lib = library_of(d)
    down = d[1] < -1e-6
    return as_float32(lib.where(down, -origin[1] / lib.where(down, d[1], -1), MISS)), lib.where(down, FLOOR, SKY)


def room_hit(low: Values, high: Values, origin: Values, d: Values) -> tuple[Values, Values]:
    """The same of the inside of the room between `low` and `high`."""
    lib = library_of(d)
    step = lib.where(lib.abs(d) < 1e-9, lib.where(d > 0, _LEAST_STEP, -_LEAST_STEP), d)
    x, y, z = (lib.where(d > 0, high, low) - origin) / step
    leave = lib.minimum(lib.minimum(x, y), z)
    level, across = (y == leave) & (x != leave), x == leave
    up = lib.where(across, d[0], lib.where(level, d[1], d[2])) > 0
    sides = lib.where(across, WALLS, WALLS + 2) + up
    return leave, lib.where(level, lib.where(up, CEILING, FLOOR), sides)


def surroundings_hit(low: Vector, high: Vector | None, origin: FloatArray, d: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Depth and surface id of the room's inside, or of the open ground and sky, for rays from `origin` (3, 1)."""
    if high is None:
        return ground_hit(origin, d)
    return room_hit(np.array(low, np.float32)[:, None], np.array(high, np.float32)[:, None], origin, d)


def cast(scene: Scene) -> Hits:
    """Nearest hit of every pixel of the scene's camera."""
    camera, around = scene.camera, scene.surroundings
    directions = camera_rays(camera)
    origin = np.array(camera.position, np.float32)[:, None]
    depth, ids = surroundings_hit(around.low, around.high, origin, directions)
    shape = (camera.height, camera.width)
    depth, surface = depth.reshape(shape), ids.astype(np.int16).reshape(shape)
    rays = directions.reshape(3, *shape)
    for index, solid in enumerate(scene.solids):
        window = screen_window(solid, camera)
        if window is None:
            continue
        d = rays[:, window[0], window[1]]
        o_local, d_local = to_local(solid, origin, d.reshape(3, -1))
        t = intersect_unit(solid.shape, o_local, d_local).reshape(d.shape[1:])
        closer = t < depth[window]
        depth[window][closer] = t[closer]
        surface[window][closer] = FIRST_SOLID + index
    return Hits(depth.ravel(), surface.ravel(), directions)
