# SPDX-License-Identifier: Apache-2.0
"""The evaluation scenes are the ones frozen before training, and training never sees them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from depthbridge.models.training import cycles_scenes, dataset, exact_text, frozen_lists, layouts
from depthbridge.models.training.shading import render


def test_every_frozen_generator_description_still_hashes_the_same() -> None:
    frozen = frozen_lists.read_frozen(frozen_lists.LAYOUTS.path)
    assert len(frozen) == 300
    for entry in frozen:
        assert exact_text.exact_hash(layouts.draw_scene(entry.seed)) == entry.sha256, entry.seed


def test_every_frozen_cycles_description_still_hashes_the_same() -> None:
    frozen = frozen_lists.read_frozen(frozen_lists.CYCLES_SCENES.path)
    assert len(frozen) == 30
    for entry in frozen:
        assert exact_text.exact_hash(cycles_scenes.draw_scene(entry.seed)) == entry.sha256, entry.seed


def test_evaluation_seeds_are_out_of_reach_of_training(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert min(entry.seed for entry in frozen_lists.read_frozen(frozen_lists.LAYOUTS.path)) >= frozen_lists.EVALUATION_SEEDS
    assert min(entry.seed for entry in frozen_lists.read_frozen(frozen_lists.CYCLES_SCENES.path)) >= frozen_lists.EVALUATION_SEEDS
    monkeypatch.setattr("sys.argv", ["dataset", "pictures", "--first-seed", str(frozen_lists.EVALUATION_SEEDS), "--count", "1", "--out", "x"])
    with pytest.raises(SystemExit):
        dataset.main()
    assert "kept for evaluation" in capsys.readouterr().err


def test_frozen_depth_fingerprints_hold() -> None:
    for entry, (_, picture) in zip(frozen_lists.read_frozen(frozen_lists.LAYOUTS.path)[:20], dataset.frozen_layouts(frozen_lists.read_frozen(frozen_lists.LAYOUTS.path)[:20]), strict=True):
        assert frozen_lists.same_fingerprint(frozen_lists.fingerprint(picture.depth_m), entry.fingerprint)
        assert dataset.worth_seeing(picture)


def test_a_changed_scene_is_refused() -> None:
    entry = frozen_lists.read_frozen(frozen_lists.LAYOUTS.path)[0]
    other = frozen_lists.FrozenScene(entry.seed, "0" * 64, entry.fingerprint)
    with pytest.raises(frozen_lists.FrozenSceneChanged, match="description"):
        next(iter(dataset.frozen_layouts([other])))
    moved = frozen_lists.FrozenScene(entry.seed, entry.sha256, tuple(1.1 * v for v in entry.fingerprint))
    with pytest.raises(frozen_lists.FrozenSceneChanged, match="depth"):
        next(iter(dataset.frozen_layouts([moved])))


def test_a_scene_is_exact_numbers_and_renders_the_same_twice() -> None:
    scene = layouts.draw_scene(7)
    assert json.loads(exact_text.exact_json(scene))["seed"] == 7
    first, second = render(scene), render(layouts.draw_scene(7))
    assert (first.rgb == second.rgb).all() and (first.depth_m == second.depth_m).all()


@pytest.mark.parametrize("seed", range(40, 52))
def test_pictures_are_sound(seed: int) -> None:
    scene = layouts.draw_scene(seed)
    picture = render(scene)
    assert picture.rgb.shape == (scene.camera.height, scene.camera.width, 3)
    assert scene.camera.width % 14 == scene.camera.height % 14 == 0
    assert np.isfinite(picture.depth_m).all() and ((picture.depth_m > 0) != picture.sky).all()
    assert picture.rgb.std() > 2


def test_training_targets_are_canonical_depth_of_the_network_picture() -> None:
    picture = render(layouts.draw_scene(40))
    rgb, target = dataset.training_pair(picture)
    height, width = picture.sky.shape
    assert rgb.shape == (height // 2, width // 2, 3) and target.shape == (height // 2, width // 2)
    seen = target > 0
    metres = target.astype(np.float32) * picture.focal_px / 300
    assert np.allclose(metres[seen], picture.depth_m[1::2, 1::2][seen], rtol=2e-3)
