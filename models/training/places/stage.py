# SPDX-License-Identifier: Apache-2.0
"""A place made ready for rays: all frames as arrays, and the three questions asked of it.

`see` and `see_some` cast a picture's rays (each part only where its window on the screen is), `first_hits` any rays, `blocked`
asks whether anything stands between a point and a light. Camera rays have a forward component of 1: their parameter is planar depth.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..raycast import MISS, dot, surroundings_hit
from ..scenes import FloatArray, SceneCamera
from .description import Enclosure, Part, Place
from .shapes import hit

SKY, FLOOR, CEILING, WALLS, OUTSIDE, FIRST_PART = -1, 0, 1, 2, 6, 7
"""Surface ids: -1 sky, 0 floor, 1 ceiling, 2..5 walls (-x, +x, -z, +z), 6 ground seen through an opening, 7.. parts in order."""
Ids = npt.NDArray[np.int16]
Mask = npt.NDArray[np.bool_]
_GROUP = 6


@dataclass(frozen=True)
class Stage:
    """P parts of T things as arrays; the parts of a thing stand side by side."""

    place: Place
    parts: tuple[Part, ...]
    first: tuple[int, ...]
    """(T + 1) index of each thing's first part."""
    groups: tuple[tuple[int, ...], ...]
    """The parts that cast shadows, neighbours together."""
    centres: FloatArray
    """(P, 3)."""
    rotations: FloatArray
    """(P, 3, 3) local to world."""
    frames: FloatArray
    """(P, 3, 3) world offsets to the unit frame."""
    halves: FloatArray
    """(P, 3)."""
    radii: FloatArray
    """(P,) of a ball around each part."""
    thing_balls: FloatArray
    """(T, 4) centre and radius of a ball around each thing; `group_balls` the same around each group."""
    group_balls: FloatArray

    def local(self, index: int, origin: FloatArray, directions: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Rays, (3, N) or (3, 1), in the unit frame of a part."""
        frame = self.frames[index]
        return frame @ (origin - self.centres[index][:, None]), frame @ directions

    def hit(self, index: int, origin: FloatArray, directions: FloatArray) -> FloatArray:
        return hit(self.parts[index], *self.local(index, origin, directions))

    def owner(self, ids: Ids) -> npt.NDArray[np.int64]:
        """The thing that surface ids belong to; -1 for what is not a part."""
        return np.where(ids >= FIRST_PART, np.searchsorted(np.array(self.first), ids - FIRST_PART, side="right") - 1, -1)


def rotations(turns_deg: FloatArray) -> FloatArray:
    """(P, 3, 3) local-to-world rotations for (P, 3) yaw, tilt, roll: roll about z first, then tilt about x, then yaw about y."""
    (cy, ct, cr), (sy, st, sr) = np.cos(np.radians(turns_deg)).T, np.sin(np.radians(turns_deg)).T
    nil, one = np.zeros_like(cy), np.ones_like(cy)
    yaw = np.array([[cy, nil, sy], [nil, one, nil], [-sy, nil, cy]])
    tilt = np.array([[one, nil, nil], [nil, ct, -st], [nil, st, ct]])
    roll = np.array([[cr, -sr, nil], [sr, cr, nil], [nil, nil, one]])
    return np.asarray(np.einsum("abp,bcp,cdp->pad", yaw, tilt, roll), np.float32)


def _ball(centres: FloatArray, radii: FloatArray) -> list[float]:
    low, high = (centres - radii[:, None]).min(0), (centres + radii[:, None]).max(0)
    middle = (low + high) / 2
    return [*middle.tolist(), float(np.max(np.linalg.norm(centres - middle, axis=1) + radii))]


def set_up(place: Place) -> Stage:
    parts = tuple(part for thing in place.things for part in thing.parts)
    first = tuple(np.cumsum([0] + [len(thing.parts) for thing in place.things]).tolist())
    centres = np.array([p.centre for p in parts], np.float32).reshape(-1, 3)
    halves = np.array([p.half for p in parts], np.float32).reshape(-1, 3)
    turned = rotations(np.array([p.turn for p in parts], np.float32).reshape(-1, 3))
    radii = np.linalg.norm(halves, axis=1).astype(np.float32)
    groups: list[tuple[int, ...]] = []
    for begin, end, thing in zip(first[:-1], first[1:], place.things, strict=True):
        casting = [i for i in range(begin, end) if thing.casts and parts[i].finish.clear <= 0.3 and parts[i].finish.glow <= 0]
        groups += [tuple(casting[i : i + _GROUP]) for i in range(0, len(casting), _GROUP)]
    balls = [_ball(centres[begin:end], radii[begin:end]) for begin, end in itertools.pairwise(first)]
    group_balls = [_ball(centres[list(group)], radii[list(group)]) for group in groups]
    frames = turned.transpose(0, 2, 1) / halves[:, :, None]
    return Stage(
        place,
        parts,
        first,
        tuple(groups),
        centres,
        turned,
        frames,
        halves,
        radii,
        np.array(balls, np.float32).reshape(-1, 4),
        np.array(group_balls, np.float32).reshape(-1, 4),
    )


def windows(stage: Stage, camera: SceneCamera, factor: float, shape: tuple[int, int]) -> npt.NDArray[np.int64]:
    """(P, 4) first and last row and column that can see each part, in a picture `factor` times the camera's size; empty when unseen."""
    height, width = shape
    signs = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, 8).astype(np.float32)
    corners = stage.rotations @ (stage.halves[:, :, None] * signs) + stage.centres[:, :, None]
    seen = camera.rotation().T @ (corners - np.array(camera.position, np.float32)[:, None])
    behind = seen[:, 2] < 0.02
    scale = np.float32(camera.focal_px * factor) / np.maximum(seen[:, 2], 0.02)
    u, v = seen[:, 0] * scale + width / 2, -seen[:, 1] * scale + height / 2
    box = np.stack([v.min(1) - 1.5, v.max(1) + 2.5, u.min(1) - 1.5, u.max(1) + 2.5], axis=1)
    box[behind.any(1)] = (0, height, 0, width)
    box = np.clip(box, 0, [height, height, width, width])
    box[behind.all(1)] = 0
    return box.astype(np.int64)


def enclosure_hits(around: Enclosure, origin: FloatArray, d: FloatArray) -> tuple[FloatArray, Ids]:
    """Depth and id of floor, walls, ceiling, what an opening shows, or sky."""
    depth, names = surroundings_hit(around.low, around.high, origin, d)
    ids: Ids = np.asarray(names, np.int16)
    if around.high is None or not around.openings:
        return depth, ids
    through = in_opening(around, origin + d * depth, ids)
    at = np.flatnonzero(through)
    if at.size:
        down = d[1, at] < -1e-5
        level = np.broadcast_to(origin, d.shape)[1, at] - np.float32(around.outside_level)
        depth[at] = np.where(down, -level / np.where(down, d[1, at], -1), MISS)
        ids[at] = np.where(down, OUTSIDE, SKY)
    return depth, ids


def in_opening(around: Enclosure, points: FloatArray, ids: Ids) -> Mask:
    """(N,) whether points on walls lie in an opening."""
    through = np.zeros(ids.shape, np.bool_)
    for opening in around.openings:
        along = points[2 if opening.wall < 2 else 0]
        inside = (along > opening.along[0]) & (along < opening.along[1])
        through |= inside & (points[1] > opening.up[0]) & (points[1] < opening.up[1]) & (ids == WALLS + opening.wall)
    return through


def see(stage: Stage, rays: FloatArray, factor: float) -> tuple[FloatArray, Ids]:
    """Depth and id, both (H, W), of camera rays (3, H, W) in a picture `factor` times the camera's size."""
    camera, shape = stage.place.camera, (rays.shape[1], rays.shape[2])
    origin = np.array(camera.position, np.float32)[:, None]
    depth, ids = enclosure_hits(stage.place.enclosure, origin, rays.reshape(3, -1))
    depth, ids = depth.reshape(shape), ids.reshape(shape)
    for index, (top, bottom, left, right) in enumerate(windows(stage, camera, factor, shape).tolist()):
        if top >= bottom or left >= right:
            continue
        d = rays[:, top:bottom, left:right]
        t = stage.hit(index, origin, d.reshape(3, -1)).reshape(d.shape[1:])
        before = depth[top:bottom, left:right]
        closer = t < before
        before[closer] = t[closer]
        ids[top:bottom, left:right][closer] = FIRST_PART + index
    return depth, ids


def see_some(stage: Stage, rays: FloatArray, factor: float, at: npt.NDArray[np.int64]) -> tuple[FloatArray, Ids]:
    """The same for the camera rays (3, H, W) at flat indices `at` alone: depth and id (N,)."""
    camera, shape = stage.place.camera, (rays.shape[1], rays.shape[2])
    origin = np.array(camera.position, np.float32)[:, None]
    d = rays.reshape(3, -1)[:, at]
    rows, columns = at // shape[1], at % shape[1]
    depth, ids = enclosure_hits(stage.place.enclosure, origin, d)
    for index, (top, bottom, left, right) in enumerate(windows(stage, camera, factor, shape).tolist()):
        here = np.flatnonzero((rows >= top) & (rows < bottom) & (columns >= left) & (columns < right))
        if here.size:
            t = stage.hit(index, origin, d[:, here])
            closer = t < depth[here]
            depth[here[closer]], ids[here[closer]] = t[closer], FIRST_PART + index
    return depth, ids


@dataclass(frozen=True)
class Beams:
    """Rays (3, N) with what every test against a ball needs."""

    origin: FloatArray
    directions: FloatArray
    length2: FloatArray
    ahead: FloatArray
    """(N,) origin along direction."""
    origin2: FloatArray

    @classmethod
    def of(cls, origin: FloatArray, d: FloatArray) -> Beams:
        return cls(origin, d, dot(d, d), dot(origin, d), dot(origin, origin))

    def take(self, at: npt.NDArray[np.int64]) -> Beams:
        return Beams(self.origin[:, at], self.directions[:, at], self.length2[at], self.ahead[at], self.origin2[at])

    def near(self, centre: FloatArray, radius: float, longest: float) -> Mask:
        """(N,) which rays may meet a ball before parameter `longest`; errs on the side of yes."""
        along = centre @ self.directions - self.ahead
        off2 = self.origin2 + (float(centre @ centre) - np.float32(2) * (centre @ self.origin))
        radius2 = np.float32((1.02 * radius + 0.01) ** 2)
        over = np.maximum(off2 - radius2, 0) * self.length2  # what the ray's foot point must beat
        beyond = along - np.float32(longest) * self.length2
        towards = (over <= along * np.abs(along)) | (over == 0)
        return np.asarray(towards & ((beyond <= 0) | (beyond * beyond <= radius2 * self.length2)))


def first_hits(stage: Stage, origin: FloatArray, d: FloatArray, skip: npt.NDArray[np.int64]) -> tuple[FloatArray, Ids]:
    """Ray parameter and id of the nearest hit of any rays (3, N); `skip` (N,) names a thing each ray does not see."""
    depth, ids = enclosure_hits(stage.place.enclosure, origin, d)
    beams = Beams.of(origin, d)
    for thing, ball in enumerate(stage.thing_balls):
        maybe = np.flatnonzero(beams.near(ball[:3], float(ball[3]), 1e9) & (skip != thing))
        if maybe.size == 0:
            continue
        here = beams.take(maybe)
        for index in range(stage.first[thing], stage.first[thing + 1]):
            at = np.flatnonzero(here.near(stage.centres[index], float(stage.radii[index]), 1e9))
            if at.size == 0:
                continue
            t = stage.hit(index, here.origin[:, at], here.directions[:, at])
            closer = t < depth[maybe[at]]
            depth[maybe[at[closer]]], ids[maybe[at[closer]]] = t[closer], FIRST_PART + index
    return depth, ids


def blocked(stage: Stage, origin: FloatArray, d: FloatArray, longest: float = 1.0) -> Mask:
    """(N,) whether a part stands on rays (3, N) before parameter `longest`; clear and glowing parts let light pass."""
    dark = np.zeros(d.shape[1], np.bool_)
    beams = Beams.of(origin, d)
    for group, ball in zip(stage.groups, stage.group_balls, strict=True):
        maybe = np.flatnonzero(beams.near(ball[:3], float(ball[3]), longest) & ~dark)
        if maybe.size == 0:
            continue
        here = beams.take(maybe)
        stopped = np.zeros(maybe.size, np.bool_)
        for index in group:
            at = np.flatnonzero(here.near(stage.centres[index], float(stage.radii[index]), longest) & ~stopped)
            if at.size:
                stopped[at] = stage.hit(index, here.origin[:, at], here.directions[:, at]) < longest
        dark[maybe[stopped]] = True
    return dark
