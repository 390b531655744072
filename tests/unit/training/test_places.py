# SPDX-License-Identifier: Apache-2.0
"""Places: drawn from a seed alone, true to life, rendered soundly, stored and frozen as what they are."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from depthbridge.models.training import dataset, frozen_lists
from depthbridge.models.training.exact_text import exact_hash, exact_json
from depthbridge.models.training.layouts import draw_scene
from depthbridge.models.training.places import looks
from depthbridge.models.training.places.building import box, thing
from depthbridge.models.training.places.description import Enclosure, Finish, Lens, Place, Source
from depthbridge.models.training.places.drawing import KINDS, draw_place
from depthbridge.models.training.places.lens import photograph_of
from depthbridge.models.training.places.lighting import soften
from depthbridge.models.training.places.rendering import render_place
from depthbridge.models.training.places.stage import set_up
from depthbridge.models.training.scenes import SceneCamera
from depthbridge.models.training.shading import render

GREY = Finish("plain", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
CLEAN = Lens(0.3, (1.0, 1.0, 1.0), 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0)
EYE = SceneCamera((0.0, 1.5, 0.0), 0.0, 20.0, 0.0, 60.0, 168, 112)


def open_place(*parts: object, lights: tuple[Source, ...] = (), camera: SceneCamera = EYE) -> Place:
    around = Enclosure((0, 0, 0), None, GREY, (GREY,) * 4, GREY, (), GREY, 0.0, (0.8, 0.8, 0.8), (0.8, 0.8, 0.8), 0.0, 0.0)
    return Place(0, "stack", "standing", camera, around, tuple(thing("thing", p if isinstance(p, list) else [p], (0, 0, 0)) for p in parts), lights, (0.4, 0.4, 0.4), CLEAN)


def first_of(kind: str) -> Place:
    return next(p for p in map(draw_place, range(600, 900)) if p.kind == kind)


def test_a_place_is_exact_numbers_and_a_seed_gives_it_twice() -> None:
    for seed in range(40):
        place = draw_place(seed)
        assert exact_json(place) == exact_json(draw_place(seed)) and exact_hash(place) == exact_hash(draw_place(seed))
        decimals = re.findall(r"\d\.(\d+)(?:e-\d+)?", exact_json(place))
        assert max(map(len, decimals)) <= 4, "a number that was not rounded"


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_sound(kind: str) -> None:
    place = first_of(kind)
    picture = render_place(place, 0.5)
    shape = (place.camera.height // 2, place.camera.width // 2)
    assert picture.rgb.shape == (*shape, 3) and picture.depth_m.shape == picture.sky.shape == shape
    assert np.isfinite(picture.depth_m).all() and ((picture.depth_m > 0) != picture.sky).all()
    assert picture.rgb.std() > 4 and 12 < picture.rgb.mean() < 243
    again = render_place(draw_place(place.seed), 0.5)
    assert (again.rgb == picture.rgb).all() and (again.depth_m == picture.depth_m).all()


def test_cameras_are_held_where_people_hold_them() -> None:
    heights = {"standing": (1.3, 1.95), "sitting": (1.0, 1.45), "raised": (2.5, 7.2), "low": (0.1, 1.75), "tabletop": (0.9, 1.75)}
    for seed in range(200):
        place = draw_place(seed)
        low, high = heights[place.viewpoint]
        assert low < place.camera.position[1] < high, (seed, place.viewpoint)
        camera = place.camera
        longer = max(camera.width, camera.height) / 2 / camera.focal_px
        assert 34 < math.degrees(2 * math.atan(longer)) < 91
        assert abs(camera.roll_deg) <= 7 and -20 < camera.pitch_deg < 75
        assert place.layout == ("tabletop" if place.viewpoint == "tabletop" else place.kind)


def test_no_camera_is_inside_a_thing() -> None:
    for seed in range(150):
        place = draw_place(seed)
        ready = set_up(place)
        eye = np.einsum("pij,pj->pi", ready.frames, np.array(place.camera.position, np.float32) - ready.centres)
        assert not (np.abs(eye).max(1) < 1).any(), seed


def test_the_depth_of_a_half_size_picture_is_that_of_the_whole_one() -> None:
    """Rays of the half-size picture run through corners of the whole one: its depth lies between the four pixels there."""
    place = open_place(box((0, 0, 4), (1.5, 1.2, 1.0), GREY))
    half, whole = render_place(place, 0.5), render_place(place)
    around = np.stack([whole.depth_m[y::2, x::2] for y in (0, 1) for x in (0, 1)])
    seen = ~half.sky & (around > 0).all(0)
    assert seen.mean() > 0.5
    assert (half.depth_m[seen] >= around.min(0)[seen] * 0.999).all() and (half.depth_m[seen] <= around.max(0)[seen] * 1.001).all()
    assert half.focal_px == pytest.approx(whole.focal_px / 2)


def test_a_box_darkens_the_ground_behind_it_from_the_sun_and_beside_it_from_the_sky() -> None:
    sun = Source("sun", (0.0, 0.7, -0.7), (1.0, 1.0, 1.0), 2.0, 0.01)
    block = box((0, 0, 4), (0.8, 1.0, 0.8), GREY)
    down = replace(EYE, position=(0.0, 7.0, 4.6), pitch_deg=90.0)
    picture = render_place(open_place(block, lights=(sun,), camera=down)).rgb.astype(float).mean(2)
    bare = render_place(open_place(lights=(sun,), camera=down)).rgb.astype(float).mean(2)
    scale = down.focal_px / 7.0
    row, column = 56 + round(scale * -0.3), 84  # 0.9 m behind the block's middle, seen from above: up is +z
    assert picture[row, column] < 0.75 * picture[row, 20]
    assert abs(bare[row, column] - bare[row, 20]) < 12
    sky_only = render_place(open_place(block, camera=down)).rgb.astype(float).mean(2)
    beside = 84 + round(scale * 0.5)
    assert sky_only[56 + round(scale * 0.6), beside] < 0.97 * sky_only[56, 8]


def test_light_does_not_leak_over_an_outline() -> None:
    ids = np.where(np.arange(64).reshape(8, 8) % 8 < 4, 7, 8).astype(np.int16).ravel()
    share = (ids == 7).astype(np.float32)
    asked = np.asarray((np.add.outer(np.arange(8), np.arange(8)) % 2 == 0).ravel())
    assert np.allclose(soften(share * asked, asked, ids, (8, 8)), share, atol=1e-5)


def test_glass_and_mirrors_have_the_depth_of_their_surface() -> None:
    behind = box((0, 0, 6), (3, 3, 0.2), Finish("plain", (0.9, 0.05, 0.05), (0, 0, 0)))
    blue = box((0, 0, -4), (6, 4, 0.2), Finish("plain", (0.05, 0.05, 0.9), (0, 0, 0)))  # behind the camera
    clear, shiny = replace(GREY, clear=0.8), replace(GREY, mirror=0.9)
    camera = replace(EYE, pitch_deg=0.0)
    colours = {}
    for name, finish in (("wall", GREY), ("glass", clear), ("mirror", shiny)):
        panes = [box((0, 0.5, 3), (2, 2, 0.02), finish), box((0, 0.5, 3.4), (2, 2, 0.02), finish)]  # as the two sides of a bottle
        picture = render_place(open_place(panes, behind, blue, camera=camera))
        assert picture.depth_m[56, 84] == pytest.approx(2.99, abs=1e-3), name
        colours[name] = picture.rgb[56, 84].astype(float)
    redness = {name: c[0] / c[1] for name, c in colours.items()}
    assert redness["glass"] > 1.5 * redness["wall"] and redness["mirror"] < 1.2
    assert colours["mirror"][2] > 1.4 * colours["mirror"][1] and colours["wall"][2] < 1.2 * colours["wall"][1]


def test_the_lens_does_each_of_its_effects() -> None:
    generator = np.random.default_rng(0)
    scene = cv_blocks(generator)
    plain = photograph_of(scene, CLEAN, 1)
    assert plain.shape == scene.shape and plain.dtype == np.uint8
    again = photograph_of(scene, replace(CLEAN, noise=0.1), 1)
    assert (photograph_of(scene, replace(CLEAN, noise=0.1), 1) == again).all() and (photograph_of(scene, replace(CLEAN, noise=0.1), 2) != again).any()
    assert photograph_of(scene, replace(CLEAN, level=0.5), 1).mean() > plain.mean() + 10
    corner = photograph_of(np.full_like(scene, 0.3), replace(CLEAN, vignette=0.4), 1).astype(float)
    assert corner[0, 0].mean() < 0.85 * corner[70, 126].mean()

    def sharpness(image: np.ndarray) -> tuple[float, float]:
        grey = image.astype(float).mean(2)
        return float((np.diff(grey, axis=1) ** 2).mean()), float((np.diff(grey, axis=0) ** 2).mean())

    across, along = sharpness(photograph_of(scene, replace(CLEAN, motion_px=12, motion_deg=0.0), 1))
    assert across < 0.5 * sharpness(plain)[0] and along > 1.5 * across
    assert sharpness(photograph_of(scene, replace(CLEAN, blur_px=2.0), 1))[0] < 0.7 * sharpness(plain)[0]
    squeezed = photograph_of(scene, replace(CLEAN, noise=0.1, quality=20), 1)
    assert 1 < np.abs(squeezed.astype(float) - again).mean() < 30
    bright = scene.copy()
    bright[:20] = 400.0  # a window: the rest must not turn black
    assert photograph_of(bright, CLEAN, 1)[60:].mean() > 0.4 * plain[60:].mean()


def cv_blocks(generator: np.random.Generator) -> np.ndarray:
    """(140, 252, 3) linear light of sharp-edged blocks."""
    return np.kron(generator.uniform(0.05, 0.6, (20, 36, 3)), np.ones((7, 7, 1))).astype(np.float32)


def test_a_bare_wall_has_no_cues_and_a_room_has() -> None:
    wall = np.linspace(90, 140, 252, dtype=np.float32)[None, :, None] * np.ones((140, 1, 3), np.float32)
    assert not dataset.has_cues(wall.astype(np.uint8))
    assert dataset.has_cues(render_place(first_of("living"), 0.5).rgb, 0.1)


def test_photographs_are_optional_and_never_in_what_is_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    patterns = {p.finish.pattern for seed in range(60) for t in draw_place(seed).things for p in t.parts}
    assert not any(pattern.removeprefix("photo:") in looks.PICTURES for pattern in patterns if pattern.startswith("photo:"))
    monkeypatch.setattr(looks, "photograph", lambda name: None)
    colour = looks.colours(replace(GREY, pattern="photo:" + looks.PICTURES[0]), np.zeros((2, 5), np.float32), np.zeros(5, np.float32))
    assert colour.shape == (3, 5) and np.isfinite(colour).all()


def test_a_mixed_shard_has_every_fourth_seed_from_the_older_generator(tmp_path: Path) -> None:
    old = dataset.training_pair(render(draw_scene(7)))
    mixed = dataset.stored_pair(7, "mix")
    assert mixed is not None and (mixed[0] == old[0]).all() and (mixed[1] == old[1]).all()
    new = dataset.stored_pair(6, "mix")
    assert new is not None and (new[1] == dataset.place_pair(draw_place(6))[1][1]).mean() > 0.5
    with np.load(dataset.make_shard(4, 4, tmp_path, "mix")) as arrays:
        assert sum(len(arrays[name]) for name in arrays.files if name.startswith("depth_")) <= 4
        for name in arrays.files:
            assert arrays[name].dtype == (np.float16 if name.startswith("depth_") else np.uint8)


def test_targets_of_places_are_canonical_depth_of_the_whole_picture() -> None:
    place = first_of("tabletop")
    picture, (rgb, target) = dataset.place_pair(place)
    assert (rgb == picture.rgb).all()
    seen = target > 0
    assert (seen == ~picture.sky).all()
    assert np.allclose(target[seen].astype(np.float32) * place.camera.focal_px / 300, picture.depth_m[seen], rtol=2e-3)


def test_every_frozen_place_still_hashes_the_same() -> None:
    frozen = frozen_lists.read_frozen(frozen_lists.PLACES.path)
    assert len(frozen) == 300 and min(entry.seed for entry in frozen) >= frozen_lists.PLACES.first_seed
    for entry in frozen:
        assert exact_hash(draw_place(entry.seed)) == entry.sha256, entry.seed


def test_frozen_places_render_as_they_were_and_a_changed_one_is_refused() -> None:
    frozen = frozen_lists.read_frozen(frozen_lists.PLACES.path)
    for entry, (place, picture) in zip(frozen[:6], dataset.frozen_places(frozen[:6]), strict=True):
        assert place.seed == entry.seed and dataset.worth_seeing(picture)
    with pytest.raises(frozen_lists.FrozenSceneChanged, match="description"):
        next(dataset.frozen_places([replace(frozen[0], sha256="0" * 64)]))
    moved = replace(frozen[0], fingerprint=tuple(1.1 * v for v in frozen[0].fingerprint))
    with pytest.raises(frozen_lists.FrozenSceneChanged, match="depth"):
        next(dataset.frozen_places([moved]))
