# SPDX-License-Identifier: Apache-2.0
"""What Cycles is given of a training place is that place: rays meet its triangles where they meet its exact shapes."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from depthbridge.models.training.cycles.part_meshes import UnknownBody, body_of
from depthbridge.models.training.cycles.stage_mesh import StageMesh, stage_mesh
from depthbridge.models.training.cycles.studio_materials import CLEAR, GLOWING, SPINES, face_values, slot_of
from depthbridge.models.training.places import finishes
from depthbridge.models.training.places.building import arch_cuts, hollow
from depthbridge.models.training.places.description import Cut, Finish, Part
from depthbridge.models.training.places.drawing import draw_place
from depthbridge.models.training.places.rendering import pixel_rays
from depthbridge.models.training.places.shapes import hit
from depthbridge.models.training.places.stage import OUTSIDE, SKY, see, set_up
from depthbridge.models.training.scenes import Dice

LOOK = Finish("plain", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
BOWL = (Cut("box", (0.0, 1.0, 0.0), (1.2, 1.0, 1.2)), Cut("sphere", (0.0, 0.0, 0.0), (0.9, 0.8, 0.9)))
UNIT = (1.0, 1.0, 1.0)
BODIES = {
    "box": Part("box", (0, 0, 0), UNIT, LOOK),
    "cylinder": Part("cylinder", (0, 0, 0), UNIT, LOOK),
    "sphere": Part("sphere", (0, 0, 0), UNIT, LOOK),
    "frustum": Part("frustum", (0, 0, 0), UNIT, LOOK, detail=(0.4,)),
    "capsule": Part("capsule", (0, 0, 0), UNIT, LOOK, detail=(0.3,)),
    "pillow": Part("pillow", (0, 0, 0), UNIT, LOOK, detail=(1.2,)),
    "chamfer": Part("chamfer", (0, 0, 0), UNIT, LOOK, detail=(0.3, 1.0, 0.7, 1.3)),
    "gable": Part("gable", (0, 0, 0), UNIT, LOOK),
    "pyramid": Part("pyramid", (0, 0, 0), UNIT, LOOK),
    "ramp": Part("ramp", (0, 0, 0), UNIT, LOOK),
    "hexagon": Part("hexagon", (0, 0, 0), UNIT, LOOK),
    "torus": Part("torus", (0, 0, 0), (1.0, 0.25, 1.0), LOOK),
    "folds": Part("relief", (0, 0, 0), UNIT, LOOK, detail=(0, 3.0, 2.0, 1.0)),
    "crumple": Part("relief", (0, 0, 0), UNIT, LOOK, detail=(1, 2.0, 3.0, 0.5)),
    "vessel": Part("cylinder", (0, 0, 0), UNIT, LOOK, cuts=hollow(0.2, 0.3)),
    "bowl": Part("sphere", (0, 0, 0), UNIT, LOOK, cuts=BOWL),
    "doorway": Part("box", (0, 0, 0), UNIT, LOOK, cuts=arch_cuts(0.5, 0.6, (2.0, 2.0, 2.0))),
    "passage": Part("box", (0, 0, 0), UNIT, LOOK, cuts=arch_cuts(0.5, 0.6, (2.0, 2.0, 2.0))[:1]),
}


def meet(points: npt.NDArray[np.float64], triangles: npt.NDArray[np.int64], o: npt.NDArray[np.float64], d: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Ray parameter of the nearest of all triangles, inf for none (Moeller and Trumbore 1997); o and d are (3, N)."""
    a, b, c = (points[triangles[:, i]] for i in range(3))
    first, second = b - a, c - a
    found = np.full(d.shape[1], np.inf)
    for i in range(d.shape[1]):
        p = np.cross(d[:, i], second)
        scale = (first * p).sum(1)
        safe = np.where(np.abs(scale) < 1e-14, np.inf, scale)
        to = o[:, i] - a
        q = np.cross(to, first)
        u, v, t = (to * p).sum(1) / safe, (q @ d[:, i]) / safe, (second * q).sum(1) / safe
        good = (u >= -1e-7) & (v >= -1e-7) & (u + v <= 1 + 1e-7) & (t > 1e-4) & np.isfinite(safe)
        found[i] = t[good].min(initial=np.inf)
    return found


def unit_rays(count: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Rays from a ball around the unit shapes towards points near them."""
    dice = np.random.default_rng(5)
    start = dice.normal(size=(3, count))
    start *= 4 / np.linalg.norm(start, axis=0)
    return start, dice.uniform(-1.05, 1.05, (3, count)) - start


@pytest.mark.parametrize("name", BODIES)
def test_triangles_and_rays_know_the_same_body(name: str) -> None:
    part, (o, d) = BODIES[name], unit_rays(400)
    exact = hit(part, o.astype(np.float32), d.astype(np.float32))
    body = body_of(part)
    found = meet(body.points, body.triangles, o, d)
    both = np.isfinite(exact) & np.isfinite(found)
    assert both.sum() > 60
    assert (np.isfinite(exact) != np.isfinite(found)).mean() < 0.02  # rays that graze
    assert np.quantile(np.abs(exact[both] - found[both]), 0.97) < 0.012


def test_a_cut_that_has_no_mesh_is_told() -> None:
    part = Part("box", (0, 0, 0), UNIT, LOOK, cuts=(Cut("sphere", (0.0, 1.0, 0.0), (0.5, 0.5, 0.5)),))
    with pytest.raises(UnknownBody, match="box cut by sphere"):
        body_of(part)


def place_mesh(seed: int, wanted: tuple[int, ...] = (), count: int = 60) -> tuple[StageMesh, npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """A place's mesh; of some of its camera's rays the exact depth and what the mesh says. `wanted` takes only rays to those surfaces."""
    place = draw_place(seed)
    stage = set_up(place)
    rays = pixel_rays(place.camera, 0.5)[:, 0]
    depth, ids = see(stage, rays, 0.5)
    at = np.flatnonzero(np.isin(ids, wanted)) if wanted else np.arange(depth.size)
    at = np.random.default_rng(seed).choice(at, count, replace=False)
    directions = rays.reshape(3, -1)[:, at].astype(np.float64)[[0, 2, 1]]
    origins = np.repeat(np.array(place.camera.position, np.float64)[[0, 2, 1], None], at.size, axis=1)
    mesh = stage_mesh(stage)
    return mesh, depth.ravel()[at], meet(mesh.points.astype(np.float64), mesh.triangles.astype(np.int64), origins, directions)


@pytest.mark.parametrize("seed", range(8_500_000, 8_500_008))
def test_the_mesh_of_a_place_is_the_place(seed: int) -> None:
    _, exact, found = place_mesh(seed)
    near = np.minimum(exact, found) < 1500  # farther ground is sky in training's pictures
    wrong = near & ~np.isclose(found, exact, rtol=0.01)
    assert near.sum() > 10 and wrong.sum() <= 2


@pytest.mark.parametrize(("seed", "beyond"), [(8_500_022, SKY), (8_500_022, OUTSIDE), (8_500_048, SKY), (8_500_048, OUTSIDE)])
def test_windows_are_open_to_ground_and_sky(seed: int, beyond: int) -> None:
    _, exact, found = place_mesh(seed, (beyond,), 30)
    assert (np.isinf(exact) == (beyond == SKY)).all()
    if beyond == SKY:
        assert (found > 1500).mean() > 0.9  # far ground is sky in training's pictures
    else:
        assert np.isclose(found, exact, rtol=0.01).mean() > 0.9


def test_surface_coordinates_are_metres_over_the_period() -> None:
    mesh = stage_mesh(set_up(draw_place(8_500_003)))
    corners, periods = mesh.points[mesh.triangles], np.array([f.period_m for f in mesh.finishes])[mesh.finish]
    edge = np.linalg.norm(corners[:, 1] - corners[:, 0], axis=1)
    shown = np.linalg.norm(mesh.uv[:, 1] - mesh.uv[:, 0], axis=1) * periods
    assert (shown <= edge * 1.001 + 1e-4).all()  # a projection never stretches
    assert np.median(shown[edge > 1e-3] / edge[edge > 1e-3]) > 0.7
    assert {len(mesh.uv), len(mesh.finish), len(mesh.smooth)} == {len(mesh.triangles)}


def test_finishes_keep_what_they_are_made_of() -> None:
    dice = Dice(3)
    glass, mirror, lamp = finishes.glass(dice), finishes.mirror(), finishes.glowing(dice, 3.0)
    assert [slot_of(f) for f in (glass, mirror, lamp)] == [CLEAR, "plain", GLOWING]
    assert slot_of(Finish("spines", UNIT, UNIT)) == SPINES and slot_of(Finish("photo:brick.png", UNIT, UNIT)) == "photo:brick.png"
    answer = face_values((glass, mirror, lamp, LOOK))["answer"]
    roughness, metallic, _, rest = answer.T
    assert rest[0] == pytest.approx(glass.clear) and rest[2] == pytest.approx(3.0) and rest[3] == 0
    assert roughness[1] < 0.05 and metallic[1] == pytest.approx(1, abs=0.02) and metallic[3] == 0 and roughness[3] > 0.9
    assert math.isclose(float(face_values((lamp,))["first"][0, 0]), lamp.colour[0], rel_tol=1e-6)
