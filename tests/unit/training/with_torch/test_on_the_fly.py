# SPDX-License-Identifier: Apache-2.0
"""Pictures that are rendered on the device that trains: the same as NumPy's, whatever stands beside them, and how a run is shown them."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

if "bpy" in sys.modules:  # continuous integration gives this folder a process of its own
    pytest.skip("torch and Blender each bring an LLVM, and in one process they crash: run this folder by itself", allow_module_level=True)
torch = pytest.importorskip("torch", reason="training takes the training extra (torch)")

from depthbridge.models.training import train  # noqa: E402
from depthbridge.models.training.dataset import TRAINING_DEPTH_SPREAD, layout_pair  # noqa: E402
from depthbridge.models.training.dataset import worth_seeing as worth_seeing_one  # noqa: E402
from depthbridge.models.training.frozen_lists import EVALUATION_SEEDS  # noqa: E402
from depthbridge.models.training.layouts import FRAMES, draw_scene  # noqa: E402
from depthbridge.models.training.on_the_fly import drawn  # noqa: E402
from depthbridge.models.training.on_the_fly.mixture import Mixture, share  # noqa: E402
from depthbridge.models.training.on_the_fly.rendering import Rendered, render_batch  # noqa: E402
from depthbridge.models.training.on_the_fly.scene_batch import batch_scenes  # noqa: E402
from depthbridge.models.training.plan import Plan, Stage  # noqa: E402
from depthbridge.models.training.scenes import Scene  # noqa: E402
from depthbridge.models.training.shading import Picture, render  # noqa: E402
from depthbridge.models.training.shards import NoPictures, Pictures, Source  # noqa: E402

CPU = torch.device("cpu")
HEIGHT, WIDTH = 84, 126


def small(seed: int, noise: float = 0.0) -> Scene:
    """A scene under a small camera, so that many can be rendered."""
    scene = draw_scene(seed)
    return replace(scene, camera=replace(scene.camera, width=WIDTH, height=HEIGHT), film=replace(scene.film, noise=noise))


def together(*scenes: Scene, dice: torch.Generator | None = None) -> Rendered:
    return render_batch(batch_scenes(scenes, CPU), dice)


def parts_that_differ(found: Rendered, place: int, picture: Picture) -> tuple[float, float, float]:
    """Shares of pixels whose sky, depth (by 1e-4) or colour (by more than 2 of 255) is another than NumPy's."""
    depth, rgb = found.depth_m[place].numpy(), np.rint(found.rgb[place].permute(1, 2, 0).numpy() * 255).astype(int)
    ground = ~picture.sky & (depth > 0)
    off = np.abs(depth[ground] / picture.depth_m[ground] - 1) > 1e-4
    return float(np.mean((depth == 0) != picture.sky)), float(off.mean()), float((np.abs(rgb - picture.rgb).max(-1) > 2).mean())


# ---- the pictures ----


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 7_999_000))
def test_a_batch_shows_what_numpy_shows(first: int) -> None:
    scenes = [small(first + place) for place in range(6)]
    found = together(*scenes)
    assert found.rgb.shape == (6, 3, HEIGHT, WIDTH) and found.depth_m.shape == (6, HEIGHT, WIDTH)
    for place, scene in enumerate(scenes):
        sky, depth, colour = parts_that_differ(found, place, render(scene))
        assert sky < 0.001 and depth < 0.001 and colour < 0.02, scene.seed


def test_rooms_tables_floors_and_open_ground_were_among_them() -> None:
    """And suns, lamps, two lights, every shape and every pattern: the law above says something of each."""
    scenes = [small(seed) for seed in range(120)]
    assert {scene.layout for scene in scenes} == {"room", "tabletop", "floor", "outdoor"}
    assert {solid.shape for scene in scenes for solid in scene.solids} == {"box", "cylinder", "sphere", "cone"}
    assert len({solid.material.pattern for scene in scenes for solid in scene.solids}) == 12
    found = together(*scenes)
    parts = np.array([parts_that_differ(found, place, render(scene)) for place, scene in enumerate(scenes)])
    assert (parts.mean(0) < (1e-5, 5e-5, 3e-4)).all() and (np.median(parts, axis=0) < 2e-4).all()


def test_a_picture_does_not_depend_on_those_beside_it() -> None:
    scenes = [small(seed) for seed in (3, 4, 10, 16)]
    crowd = together(*scenes)
    for place, scene in enumerate(scenes):
        alone = together(scene)
        assert (alone.depth_m[0] - crowd.depth_m[place]).abs().max() < 1e-3
        assert ((alone.rgb[0] - crowd.rgb[place]).abs() * 255 > 1.5).float().mean() < 0.002


def test_an_empty_room_and_a_scene_without_lights_are_pictures() -> None:
    for bare in (replace(small(2), solids=()), replace(small(2), solids=(), lights=())):
        assert max(parts_that_differ(together(bare), 0, render(bare))) < 0.001
        assert parts_that_differ(together(small(3), bare), 1, render(bare))[2] < 0.001


def test_what_glows_throws_no_shadow() -> None:
    for seed in (2, 3, 20):
        scene = small(seed)
        glowing = replace(scene, solids=tuple(replace(solid, material=replace(solid.material, glow=0.3)) for solid in scene.solids))
        assert parts_that_differ(together(glowing), 0, render(glowing))[2] < 0.02


def test_the_grain_is_the_films_and_its_dice_decide_it() -> None:
    scene, rough = small(2), small(2, noise=0.02)
    first, again, other = (together(rough, dice=torch.Generator().manual_seed(seed)).rgb for seed in (5, 5, 6))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert float((first - together(scene).rgb).std()) == pytest.approx(0.02, rel=0.1)


def test_scenes_of_two_sizes_are_refused() -> None:
    wide = small(3)
    tall = replace(wide, camera=replace(wide.camera, width=HEIGHT, height=WIDTH))
    with pytest.raises(ValueError, match="one picture size"):
        batch_scenes([wide, tall], CPU)


# ---- what a step is given ----


def test_the_devices_pictures_are_stored_as_shards_store_them() -> None:
    scenes = [replace(scene, film=replace(scene.film, noise=0.0)) for scene in islice(drawn.scenes_of(0, 0, (280, 504)), 6)]
    outdoor = next(scene for scene in scenes if scene.surroundings.high is None)
    scenes.insert(2, replace(outdoor, camera=replace(outdoor.camera, pitch_deg=-89.0)))  # nothing but sky: not worth seeing
    rgb, depth = drawn.by_device(scenes, CPU, None)
    stored = [pair for pair in map(layout_pair, scenes) if pair is not None]
    assert rgb.shape == (len(stored), 3, 140, 252) and len(stored) < len(scenes)
    for place, (colour, canonical) in enumerate(stored):
        there = rgb[place].permute(1, 2, 0).numpy() * 255
        assert (np.abs(there - colour).max(-1) > 2).mean() < 0.002
        assert np.mean(np.abs(depth[place].numpy() - canonical) > 1e-3 * canonical + 1e-6) < 0.001  # float16 has three digits


def test_what_is_not_worth_seeing_is_left_out_on_the_device_too() -> None:
    pictures = [render(small(seed)) for seed in range(200)]
    metres = torch.from_numpy(np.stack([picture.depth_m for picture in pictures]))
    wanted = [worth_seeing_one(picture, TRAINING_DEPTH_SPREAD) for picture in pictures]
    assert drawn.worth_seeing(metres, TRAINING_DEPTH_SPREAD).tolist() == wanted and 0 < sum(wanted) < 200
    rooms = torch.full((3, 10, 10), 2.0)
    rooms[:, :5] = 4.0
    rooms[1, 0, 0], rooms[2, 1:] = 0.05, 0.0  # glued to the lens; mostly sky
    assert drawn.worth_seeing(rooms, 1.25).tolist() == [True, False, False] and not drawn.worth_seeing(rooms, 2.5).any()


def test_a_step_decides_its_pictures() -> None:
    first, again, other, another = (drawn.pictures_of(seed, step, 3, (280, 504), CPU) for seed, step in ((1, 2), (1, 2), (1, 3), (2, 2)))
    assert first[0].shape == (3, 3, 140, 252) and first[1].shape == (3, 140, 252)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[1], other[1]) and not torch.equal(first[1], another[1])
    seeds = [scene.seed for scene in islice(drawn.scenes_of(1, 2, (280, 504)), 50)]
    assert len(set(seeds)) == 50 and max(seeds) < drawn.SEEDS < EVALUATION_SEEDS


def test_a_frame_that_no_scene_has_is_told() -> None:
    with pytest.raises(ValueError, match="504x280"):
        next(drawn.scenes_of(0, 0, (100, 100)))
    assert {drawn.frame_of(0, step) for step in range(200)} == {(height, width) for width, height in FRAMES}


# ---- the mixture ----


@pytest.fixture
def shards(tmp_path: Path) -> Source:
    dice = np.random.Generator(np.random.PCG64(3))
    arrays = {"rgb_140x252": dice.integers(0, 256, (8, 140, 252, 3)).astype(np.uint8), "depth_140x252": np.full((8, 140, 252), 8192, np.float16)}
    np.savez(tmp_path / "shard_00000000.npz", **arrays)
    return Source(tmp_path, 3.0)


def test_folders_alone_are_shown_as_they_always_were(shards: Source) -> None:
    rgb, depth = Mixture([shards]).draw(0, 5, 4, CPU)
    stored_rgb, stored_depth = Pictures([shards]).draw(0, 5, 4)
    assert np.array_equal(np.rint(rgb.permute(0, 2, 3, 1).numpy() * 255), stored_rgb) and np.array_equal(depth.numpy(), stored_depth)


def test_shares_are_kept_over_many_steps(shards: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    mixture = Mixture([shards], drawn=1.0)
    assert mixture.count() == 8 and mixture.drawn_part == 0.25
    rgb, depth = mixture.draw(0, 0, 8, CPU)
    assert rgb.shape == (8, 3, 140, 252) and 0 < int((depth.amax((1, 2)) < 8192).sum()) < 8
    asked: list[int] = []

    def none_are_made(seed: int, step: int, count: int, frame: tuple[int, int], device: torch.device) -> drawn.Batch:
        asked.append(count)
        return torch.zeros(count, 3, 140, 252), torch.zeros(count, 140, 252)

    monkeypatch.setattr("depthbridge.models.training.on_the_fly.mixture.pictures_of", none_are_made)
    for step in range(400):
        assert len(mixture.draw(0, step, 4, CPU)[0]) == 4
    assert sum(asked) / 1600 == pytest.approx(0.25, abs=0.04)


def test_what_cannot_be_mixed_is_told(shards: Source, tmp_path: Path) -> None:
    with pytest.raises(NoPictures, match="--on-the-fly 1"):
        Mixture([])
    (tmp_path / "odd").mkdir()
    np.savez(tmp_path / "odd" / "shard_00000000.npz", rgb_56x70=np.zeros((1, 56, 70, 3), np.uint8), depth_56x70=np.ones((1, 56, 70), np.float16))
    odd = Source(tmp_path / "odd")
    with pytest.raises(NoPictures, match="56x70: leave --on-the-fly out"):
        Mixture([shards, odd], drawn=0.5)
    assert Mixture([shards, odd]).count() == 9
    for text in ("-1", "nan", "inf", "much"):
        with pytest.raises(ValueError):
            share(text)


def test_a_run_without_any_folder_goes_on_to_the_bit(shards: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr(train, "STATISTICS_BATCHES", 1)
    plan = Plan((Stage(0.25, 4, 2),), warm_up=2, save_every=2)
    whole = train.train(plan, [], [shards], tmp_path / "whole", drawn=1.0)

    def stop_after_the_first_save(log: Path, curve: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(train, "write_curve", stop_after_the_first_save)
        train.train(plan, [], [shards], tmp_path / "parts", drawn=1.0)
    parts = train.train(plan, [], [shards], tmp_path / "parts", drawn=1.0)
    assert whole.step == parts.step == 4
    assert all(torch.equal(a, b) for a, b in zip(whole.average.state_dict().values(), parts.average.state_dict().values(), strict=True))
    row = json.loads((tmp_path / "whole" / "log.jsonl").read_text().splitlines()[-1])
    assert row["pictures"] == 0 and row["drawn"] == 1.0 and np.isfinite(row["absrel_aligned"])


def test_the_command_says_what_is_missing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, shards: Source, tmp_path: Path) -> None:
    out = tmp_path / "out"
    given = ["train", "--validation", str(shards.folder), "--stages", "0.5x2x2", "--out", str(out)]
    for more, sentence in (([], "--on-the-fly 1"), (["--on-the-fly", "-2"], "invalid share value")):
        monkeypatch.setattr(sys, "argv", [*given, *more])
        with pytest.raises(SystemExit) as left:
            train.main()
        assert left.value.code == 2 and sentence in capsys.readouterr().err
    assert not out.exists()
