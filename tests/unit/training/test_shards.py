# SPDX-License-Identifier: Apache-2.0
"""Training pictures: mapped as they lie on disk, drawn by seed and step alone, mixed by share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from depthbridge.models.training.shards import NoPictures, Pictures, Source, map_npz


def write_shard(folder: Path, first: int, value: int, count: int = 5, sizes: tuple[tuple[int, int], ...] = ((14, 21),)) -> None:
    folder.mkdir(exist_ok=True)
    arrays = {}
    for height, width in sizes:
        rgb = np.full((count, height, width, 3), value, np.uint8)
        rgb[:, 0, 0, 0] = np.arange(count)
        arrays[f"rgb_{height}x{width}"] = rgb
        arrays[f"depth_{height}x{width}"] = np.full((count, height, width), value, np.float16)
    np.savez(folder / f"shard_{first:08d}.npz", **arrays)


def test_a_mapped_shard_is_what_numpy_loads(tmp_path: Path) -> None:
    write_shard(tmp_path, 0, 7, sizes=((14, 21), (28, 14)))
    mapped = map_npz(tmp_path / "shard_00000000.npz")
    with np.load(tmp_path / "shard_00000000.npz") as loaded:
        assert sorted(mapped) == sorted(loaded.files)
        for name in loaded.files:
            assert isinstance(mapped[name], np.memmap) and mapped[name].dtype == loaded[name].dtype
            assert np.array_equal(mapped[name], loaded[name])


def test_seed_and_step_decide_and_nothing_else(tmp_path: Path) -> None:
    for first in (0, 5):
        write_shard(tmp_path, first, first, sizes=((14, 21), (28, 14)))
    once, again = Pictures([Source(tmp_path)]), Pictures([Source(tmp_path)])
    for step in (3, 0, 9):
        first, second = once.draw(1, step, 6), again.draw(1, step, 6)
        assert np.array_equal(first[0], second[0]) and np.array_equal(first[1], second[1])
    drawn = [once.draw(seed, step, 6)[0].tobytes() for seed in (1, 2) for step in range(6)]
    assert len(set(drawn)) == len(drawn)


def test_every_picture_has_its_turn(tmp_path: Path) -> None:
    write_shard(tmp_path, 0, 1, count=3)
    write_shard(tmp_path, 3, 2, count=2)
    pictures = Pictures([Source(tmp_path)])
    seen = {(int(rgb[1, 1, 1]), int(rgb[0, 0, 0])) for step in range(20) for rgb in pictures.draw(0, step, 4)[0]}
    assert pictures.count() == 5 and seen == {(1, 0), (1, 1), (1, 2), (2, 0), (2, 1)}


def test_colour_and_depth_stay_together(tmp_path: Path) -> None:
    write_shard(tmp_path, 0, 3)
    write_shard(tmp_path, 5, 9)
    rgb, depth = Pictures([Source(tmp_path)]).draw(0, 0, 30)
    assert np.array_equal(rgb[:, 1, 1, 1], depth[:, 1, 1].astype(np.uint8)) and len(np.unique(depth)) == 2


def test_a_folder_is_shown_by_its_share_whatever_its_number(tmp_path: Path) -> None:
    write_shard(tmp_path / "many", 0, 1, count=50)
    write_shard(tmp_path / "few", 0, 2, count=5)
    pictures = Pictures([Source.parse(f"{tmp_path / 'many'}=1"), Source.parse(f"{tmp_path / 'few'}=3")])
    shown = np.concatenate([pictures.draw(0, step, 50)[1][:, 0, 0] for step in range(20)])
    assert np.mean(shown == 2) == pytest.approx(0.75, abs=0.05)


def test_evaluation_seeds_compressed_shards_and_empty_folders_are_refused(tmp_path: Path) -> None:
    write_shard(tmp_path / "held", 10_000_000, 1)
    with pytest.raises(NoPictures, match="kept for evaluation"):
        Pictures([Source(tmp_path / "held")])
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoPictures, match="no shard"):
        Pictures([Source(tmp_path / "empty")])
    (tmp_path / "small").mkdir()
    np.savez_compressed(tmp_path / "small" / "shard_00000000.npz", rgb_14x14=np.zeros((1, 14, 14, 3), np.uint8))
    with pytest.raises(NoPictures, match="compressed"):
        Pictures([Source(tmp_path / "small")])
