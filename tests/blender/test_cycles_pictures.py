# SPDX-License-Identifier: Apache-2.0
"""Cycles scenes of evaluation and training in real Blender: depth is exact, and is the frozen one in every Blender."""

from __future__ import annotations

import sys
from pathlib import Path

import bpy
import numpy as np
import pytest

from depthbridge.models.training import cycles_pictures, cycles_render, dataset, frozen_lists
from depthbridge.models.training.cycles import frozen
from depthbridge.models.training.cycles.coats import mirror
from depthbridge.models.training.cycles.description import Coat, CyclesPlace, Weather, piece
from depthbridge.models.training.cycles.drawing import draw_place as draw_cycles_place
from depthbridge.models.training.cycles.rendered import read_picture
from depthbridge.models.training.cycles.silence import quiet
from depthbridge.models.training.cycles.studio import Manner, Studio
from depthbridge.models.training.places.drawing import draw_place
from depthbridge.models.training.places.rendering import pixel_rays, render_place
from depthbridge.models.training.places.stage import SKY, see, set_up
from depthbridge.models.training.shards import Pictures, Source

LIST = frozen_lists.read_frozen(frozen_lists.CYCLES_PLACES.path)
QUICK = Manner(samples=4, denoised=True, bounces=0, reach_m=1.5, lamps=1.0, seed=1)


@pytest.mark.parametrize("at", [0, 11, 26, 44])
def test_a_frozen_place_has_its_frozen_depth(at: int, tmp_path: Path) -> None:
    entry = LIST[at]
    place = draw_cycles_place(entry.seed)
    cycles_render.render_place(place, tmp_path, colour=False)
    picture = read_picture(place.seed, place.focal_px, tmp_path)
    assert frozen_lists.same_fingerprint(frozen_lists.fingerprint(picture.depth_m), entry.fingerprint)
    assert dataset.worth_seeing(picture) and frozen.sound(picture) and picture.rgb.max() == 0


def test_the_old_scenes_have_theirs(tmp_path: Path) -> None:
    entry = frozen_lists.read_frozen(frozen_lists.CYCLES_SCENES.path)[2]
    scene = cycles_render.draw_scene(entry.seed)
    cycles_render.render_scene(scene, tmp_path, colour=False)
    assert frozen_lists.same_fingerprint(frozen_lists.fingerprint(read_picture(scene.seed, scene.focal_px, tmp_path).depth_m), entry.fingerprint)


def test_glass_and_mirrors_have_the_depth_of_their_surface(tmp_path: Path) -> None:
    red, clear = Coat("plain", (0.8, 0.02, 0.02), (0.8, 0.02, 0.02)), Coat("plain", (0.02, 0.02, 0.02), (0.02, 0.02, 0.02), 1.0, 0.5, 0.0, 0.85)
    pieces = (
        piece("block", (0, 4, 0), (8, 0.2, 4), red, (0,)),
        piece("block", (-1, 2, 0), (2, 0.02, 4), clear, (0,)),
        piece("block", (1, 3, 0), (2, 0.02, 4), mirror(), (0,)),
    )
    weather = Weather((1.0, 1.0, 1.0), 1.0, 0.0, 0.0, 0.0)
    place = CyclesPlace(1, "hall", "other", (0.0, 0.0, 1.5), (0.0, 4.0, 1.5), 40.0, pieces, (), weather, "Standard", 0.0, 8, False)
    cycles_render.render_place(place, tmp_path)
    picture = read_picture(place.seed, place.focal_px, tmp_path)
    left, right = picture.depth_m[100:180, 100:200], picture.depth_m[100:180, 320:400]
    assert np.allclose(left, 1.99, atol=1e-3) and np.allclose(right, 2.99, atol=1e-3)
    r, g, _ = picture.rgb[100:180, 100:200].reshape(-1, 3).mean(0)
    assert r > 2 * g  # the red wall is seen through the glass


def cycles_depth(studio: Studio) -> np.ndarray:
    """What Cycles itself measures through the pixels' centres, 0 on sky."""
    cycles_render.override_with_depth(bpy, studio.scene)
    with quiet():
        bpy.ops.render.render(write_still=True)
        return studio.read()[..., 0]


@pytest.mark.parametrize("seed", [8_500_001, 8_500_003, 8_500_004])
def test_cycles_measures_the_depth_that_training_is_told(seed: int, tmp_path: Path) -> None:
    place = draw_place(seed)
    stage = set_up(place)
    depth, ids = see(stage, pixel_rays(place.camera, 0.5)[:, 0], 0.5)
    studio = Studio(bpy, tmp_path)
    studio.put(stage, 0.5)
    found = cycles_depth(studio)
    near = (ids != SKY) & (depth < 1500)
    assert np.median(np.abs(found - depth)[near] / depth[near]) < 1e-4
    assert (np.abs(found - depth)[near] > 0.01 * depth[near]).mean() < 0.01
    assert ((found > 0) == (ids != SKY)).mean() > 0.995


def test_another_renderer_shows_the_same_place(tmp_path: Path) -> None:
    """Light and dark are in the same spots in both renderers' pictures, and they are not the same picture."""
    place = draw_place(8_500_004)
    ours = render_place(place, 0.5).rgb
    studio = Studio(bpy, tmp_path)
    theirs = cycles_pictures.picture_of(studio, place)
    assert theirs is not None and theirs.rgb.shape == ours.shape
    first, second = (rgb.mean(2)[::2, ::2] for rgb in (ours, theirs.rgb))
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.7
    assert np.abs(first - second).mean() > 2


def test_a_picture_is_the_same_whatever_was_rendered_before(tmp_path: Path) -> None:
    studio = Studio(bpy, tmp_path)
    places = [draw_place(seed) for seed in (8_500_001, 8_500_003)]
    shots = []
    for at in (0, 1, 0):
        studio.put(set_up(places[at]), 0.5)
        shots.append(studio.shoot(QUICK))
    assert shots[0].shape == shots[2].shape and np.allclose(shots[0], shots[2], rtol=1e-4, atol=1e-5)
    studio.clear()
    assert [o.type for o in bpy.data.objects] == ["CAMERA"] and not bpy.data.meshes and not bpy.data.lights


def test_shards_hold_what_training_reads_and_a_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(cycles_pictures, "SHARD_SIZE", 1)
    monkeypatch.setattr(sys, "argv", ["cycles_pictures", "--first-seed", "8500000", "--count", "2", "--out", str(tmp_path)])
    cycles_pictures.main()
    shards = sorted(tmp_path.iterdir())
    assert [path.name for path in shards] == ["shard_08500000.npz", "shard_08500001.npz"]
    rgb, depth = Pictures([Source(tmp_path)]).draw(0, 0, 3)
    assert rgb.shape[:3] == depth.shape and rgb.dtype == np.uint8 and depth.dtype == np.float16 and (depth > 0).any()
    before = shards[1].stat().st_mtime_ns
    shards[0].unlink()
    cycles_pictures.main()
    assert shards[0].is_file() and shards[1].stat().st_mtime_ns == before
    assert capsys.readouterr().out.count("shard_08500001") == 1


def test_evaluation_seeds_are_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["cycles_pictures", "--first-seed", str(frozen_lists.EVALUATION_SEEDS - 1), "--count", "2", "--out", "x"])
    with pytest.raises(SystemExit):
        cycles_pictures.main()
    assert "kept for evaluation" in capsys.readouterr().err
