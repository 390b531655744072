# SPDX-License-Identifier: Apache-2.0
"""The rays of places: every shape against its own inside test, and the three ways of asking a stage against each other."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthbridge.models.training.places import building, stage
from depthbridge.models.training.places.description import Cut, Finish, Part
from depthbridge.models.training.places.drawing import KINDS, WEIGHTS, draw_place
from depthbridge.models.training.places.facing import outward
from depthbridge.models.training.places.rendering import pixel_rays
from depthbridge.models.training.places.shapes import PLANES, hit, relief_height
from depthbridge.models.training.scenes import SceneCamera

PLAIN = Finish("plain", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
CUTS = {
    "cup": ("cylinder", building.hollow(0.1, 0.15)),
    "arch": ("box", building.arch_cuts(0.6, 0.5, (2.0, 3.0, 0.4))),
    "bowl": ("sphere", (Cut("box", (0, 1, 0), (1.2, 1.0, 1.2)), Cut("sphere", (0, 0, 0), (0.92, 0.9, 0.92)))),
}
DETAILS = {
    "frustum": (0.4,), "capsule": (0.5,), "pillow": (1.25,), "chamfer": (0.3, 1.0, 0.6, 0.8),
    "relief": (1, 2.5, 3.0, 1.0),
}  # fmt: skip
SHAPES = ["box", "cylinder", "sphere", "frustum", "capsule", "pillow", "chamfer", *PLANES, "torus", "relief", *CUTS]


def part_of(name: str) -> Part:
    shape, cuts = CUTS.get(name, (name, ()))
    half = (1.0, 0.25, 1.0) if name == "torus" else (1.0, 1.0, 1.0)
    return Part(shape, (0.0, 0.0, 0.0), half, PLAIN, detail=DETAILS.get(shape, ()), cuts=cuts)


def inside(part: Part, q: np.ndarray, slack: float = 0.0) -> np.ndarray:
    """Whether unit-frame points (3, N) lie in a part whose outside is grown, and whose cuts are shrunk, by `slack`."""
    x, y, z = q
    one, wide = 1 + slack, np.hypot(x, z)
    boxed = np.abs(q).max(0) < one
    within = {
        "box": lambda: boxed,
        "sphere": lambda: np.linalg.norm(q, axis=0) < one,
        "cylinder": lambda: (wide < one) & (np.abs(y) < one),
        "frustum": lambda: (np.abs(y) < one) & (wide < 0.7 - 0.3 * y + slack),
        "capsule": lambda: np.hypot(wide, np.maximum(np.abs(y) - 0.5, 0) / 0.5) < one,
        "pillow": lambda: boxed & (np.linalg.norm(q, axis=0) < 1.25 + slack),
        "chamfer": lambda: boxed & np.all([(np.abs(q)[[i, j]].T @ w < sum(w) - 0.3 + slack) for i, j, w in ((0, 1, (1, 0.6)), (0, 2, (1, 0.8)), (1, 2, (0.6, 0.8)))], axis=0),
        "gable": lambda: (y > -one) & (np.abs(z) < one) & (y + 2 * np.abs(x) < one),
        "pyramid": lambda: (y > -one) & (y + 2 * np.maximum(np.abs(x), np.abs(z)) < one),
        "ramp": lambda: (y > -one) & (np.abs(x) < one) & (z < one) & (y < z + slack),
        "hexagon": lambda: (np.abs(y) < one) & (np.max([np.cos(a) * x + np.sin(a) * z for a in np.arange(6) * math.pi / 3], axis=0) < 0.95 + slack),
        "torus": lambda: np.hypot(wide - 0.75, y * 0.25) < 0.25 + slack,
        "relief": lambda: boxed & (y < relief_height(part.detail, x, z) + slack),
    }[part.shape]()
    for cut in part.cuts:
        local = (q - np.array(cut.centre)[:, None]) / np.array(cut.half)[:, None]
        if cut.shape == "box":
            hole = np.abs(local).max(0)
        elif cut.shape == "sphere":
            hole = np.linalg.norm(local, axis=0)
        else:
            axis = "xyz".index(cut.axis)
            hole = np.maximum(np.abs(local[axis]), np.linalg.norm(np.delete(local, axis, 0), axis=0))
        within = within & ~(hole < 1 - slack)
    return np.asarray(within)


places_to_stand = st.tuples(st.floats(-4, 4), st.floats(-4, 4), st.floats(-6, -2))
aims = st.tuples(*(st.floats(-0.95, 0.95),) * 3)


@pytest.mark.parametrize("name", SHAPES)
@given(origin=places_to_stand, aim=aims)
@settings(max_examples=60, deadline=None)
def test_a_hit_lies_on_the_surface_and_nothing_lies_before_it(name: str, origin: tuple[float, ...], aim: tuple[float, ...]) -> None:
    part = part_of(name)
    o = np.array(origin, np.float32)[:, None]
    d = np.array(aim, np.float32)[:, None] - o
    t = float(hit(part, o, d)[0])
    steps = np.linspace(0, 2, 4001)
    held = inside(part, o.astype(np.float64) + d.astype(np.float64) * steps, -2e-3)
    coarse = 0.06 if name == "relief" else 4e-3  # a relief is looked at in even steps: a crest thinner than a step may be missed
    if math.isfinite(t):
        assert not held[steps < t - coarse].any()
        at = (o + d * t).astype(np.float64)
        slack = 8e-3
        assert inside(part, at, slack).all() and not inside(part, at, -slack).any()
    else:
        assert held.sum() <= (160 if name == "relief" else 12)  # a grazing touch at most


@pytest.mark.parametrize("name", SHAPES)
@given(origin=places_to_stand, aim=aims)
@settings(max_examples=40, deadline=None)
def test_surfaces_face_the_ray_that_met_them(name: str, origin: tuple[float, ...], aim: tuple[float, ...]) -> None:
    """A first hit comes from outside, so the outward direction is against the ray, and leads out of the solid."""
    part = part_of(name)
    o = np.array(origin, np.float32)[:, None]
    d = np.array(aim, np.float32)[:, None] - o
    t = hit(part, o, d)
    if not np.isfinite(t).all():
        return
    at = o + d * t
    normal = outward(part, at)
    normal = normal / np.linalg.norm(normal, axis=0)
    facing = float((normal * d).sum() / np.linalg.norm(d))
    rim = name == "relief" and (np.abs(at[[0, 2]]).max() > 0.98 or abs(float(at[1, 0])) > 0.98)  # where its top meets its sides
    assert facing < (1 if rim else 0.05)
    if facing < -0.2 and not rim:
        assert not inside(part, (at + 0.03 * normal).astype(np.float64), -2e-3).all()


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_camera_sees_is_what_any_ray_meets(kind: str) -> None:
    """Windows on the screen (for pictures) and balls in space (for mirrors) may skip work, never a hit."""
    place = next(p for p in map(draw_place, range(600, 900)) if p.kind == kind)
    ready = stage.set_up(place)
    rays = pixel_rays(place.camera, 0.25)
    depth, ids = stage.see(ready, rays[:, 0], 0.25)
    flat = rays[:, 0].reshape(3, -1)
    origin = np.repeat(np.array(place.camera.position, np.float32)[:, None], flat.shape[1], 1)
    other, names = stage.first_hits(ready, origin, flat, np.full(flat.shape[1], -2))
    same = np.isclose(depth.ravel(), other, rtol=1e-4) | (~np.isfinite(depth.ravel()) & ~np.isfinite(other))
    assert same.mean() > 0.9995
    assert (ids.ravel() == names).mean() > 0.999
    some = np.arange(0, flat.shape[1], 7)
    depth_there, ids_there = stage.see_some(ready, rays[:, 0], 0.25, some)
    assert np.array_equal(depth_there, depth.ravel()[some]) and np.array_equal(ids_there, ids.ravel()[some])


@pytest.mark.parametrize("seed", range(700, 708))
def test_blocked_is_having_a_hit_before_the_light(seed: int) -> None:
    place = draw_place(seed)
    ready = stage.set_up(place)
    generator = np.random.default_rng(seed)
    low, high = np.array(place.enclosure.low), np.array(place.enclosure.high or (20, 6, 30))
    start, end = (generator.uniform(low[:, None], high[:, None], (3, 3000)).astype(np.float32) for _ in range(2))
    casting = [i for group in ready.groups for i in group]
    every = np.min([ready.hit(i, start, end - start) for i in casting], axis=0) if casting else np.full(3000, np.inf)
    assert (stage.blocked(ready, start, end - start) == (every < 1)).mean() > 0.9995


@given(yaw=st.floats(-180, 180), tilt=st.floats(-180, 180), roll=st.floats(-180, 180))
@settings(max_examples=30, deadline=None)
def test_rotations_turn_roll_first_then_tilt_then_yaw(yaw: float, tilt: float, roll: float) -> None:
    a, b, c = (math.radians(v) for v in (yaw, tilt, roll))
    x = np.array([math.cos(c), math.sin(c), 0.0])
    x = np.array([x[0], x[1] * math.cos(b), x[1] * math.sin(b)])
    x = np.array([x[0] * math.cos(a) + x[2] * math.sin(a), x[1], -x[0] * math.sin(a) + x[2] * math.cos(a)])
    turned = stage.rotations(np.array([[yaw, tilt, roll]], np.float32))[0]
    assert np.allclose(turned[:, 0], x, atol=1e-5)
    assert np.allclose(turned @ turned.T, np.eye(3), atol=1e-5) and np.linalg.det(turned) == pytest.approx(1, abs=1e-5)


@given(start=st.tuples(*(st.floats(-2, 2),) * 3), end=st.tuples(*(st.floats(-2, 2),) * 3))
@settings(max_examples=40, deadline=None)
def test_a_rod_ends_where_it_was_told(start: tuple[float, ...], end: tuple[float, ...]) -> None:
    if math.dist(start, end) < 0.05:
        return
    rod = building.rod(start, end, 0.02, PLAIN)
    turned = stage.rotations(np.array([rod.turn], np.float32))[0]
    tip = np.array(rod.centre) + turned[:, 1] * rod.half[1]
    assert np.allclose(tip, end, atol=2e-3)


def test_moving_parts_turns_them_about_their_common_origin() -> None:
    parts = [building.box((1, 0, 0), (0.2, 0.4, 0.6), PLAIN), building.part("ramp", (0, 0, 2), (1, 1, 1), PLAIN, (30, 20, 10))]
    for before, after in zip(parts, building.moved(parts, (5, 1, 3), 40.0), strict=True):
        turn = stage.rotations(np.array([[40.0, 0, 0]], np.float32))[0]
        assert np.allclose(after.centre, turn @ np.array(before.centre) + (5, 1, 3), atol=1e-3)
        was, now = (stage.rotations(np.array([p.turn], np.float32))[0] for p in (before, after))
        assert np.allclose(now, turn @ was, atol=1e-4)


def test_the_extent_of_parts_holds_all_their_corners() -> None:
    for seed in range(20):
        place = draw_place(seed)
        ready = stage.set_up(place)
        signs = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, 8)
        corners = ready.rotations @ (ready.halves[:, :, None] * signs) + ready.centres[:, :, None]
        for index, thing in enumerate(place.things):
            low, high = building.extent(thing.parts)
            mine = corners[ready.first[index] : ready.first[index + 1]]
            assert (mine.min((0, 2)) > np.array(low) - 2e-3).all() and (mine.max((0, 2)) < np.array(high) + 2e-3).all(), (seed, thing.name)
            centre, radius = ready.thing_balls[index, :3], ready.thing_balls[index, 3]
            assert (np.linalg.norm(mine - centre[:, None], axis=1) < radius * 1.001 + 1e-3).all()


def test_rays_through_a_window_leave_the_room() -> None:
    place = next(p for p in map(draw_place, range(200)) if any(o.wall == 3 for o in p.enclosure.openings))
    opening = next(o for o in place.enclosure.openings if o.wall == 3)
    around = place.enclosure
    assert around.high is not None
    middle = np.array([sum(opening.along) / 2, sum(opening.up) / 2, around.high[2]], np.float32)
    start = np.array([[0.0], [1.2], [0.0]], np.float32)
    beside = np.array([opening.along[0] - 0.05, middle[1], middle[2]], np.float32)
    aims = np.stack([middle, beside], 1) - start
    depth, ids = stage.enclosure_hits(around, start, aims)
    assert ids[0] in (stage.SKY, stage.OUTSIDE) and depth[0] > 1.0
    assert ids[1] == stage.WALLS + 3 and depth[1] == pytest.approx(1.0, abs=1e-5)


def test_half_a_picture_looks_through_the_corners_of_the_whole_one() -> None:
    """So that a stored training picture and the picture that is evaluated are of the same world and the same camera."""
    camera = SceneCamera((0.0, 1.5, 0.0), 20.0, 8.0, 3.0, 50.0, 56, 42)
    half, whole = pixel_rays(camera, 0.5), pixel_rays(camera, 1.0)
    assert np.allclose(half[:, 0], whole[:, 1, 1::2, 1::2], atol=1e-6)
    forward = camera.rotation()[:, 2]
    assert np.allclose(np.tensordot(forward, whole, 1), 1, atol=1e-6)


def test_the_kinds_of_places_all_have_a_weight() -> None:
    assert set(WEIGHTS) == set(KINDS) and sum(WEIGHTS.values()) == pytest.approx(1.0, abs=1e-6)
