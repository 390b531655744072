# SPDX-License-Identifier: Apache-2.0
"""The sixty furnished Cycles places are the ones frozen before training, and what their list promises holds. No Blender here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from depthbridge.models.training import cycles_scenes, evaluate, frozen_lists
from depthbridge.models.training.cycles import frozen
from depthbridge.models.training.cycles.coats import PATTERNS
from depthbridge.models.training.cycles.description import CyclesPlace
from depthbridge.models.training.cycles.drawing import draw_place
from depthbridge.models.training.cycles.meshes import mesh_of
from depthbridge.models.training.evaluation_sets import cycles_place_samples
from depthbridge.models.training.exact_text import exact_hash
from depthbridge.models.training.shading import Picture

LIST = frozen_lists.read_frozen(frozen_lists.CYCLES_PLACES.path)


@pytest.fixture(scope="module")
def places() -> list[CyclesPlace]:
    return [draw_place(entry.seed) for entry in LIST]


def test_every_frozen_place_still_hashes_the_same(places: list[CyclesPlace]) -> None:
    assert len(LIST) == len({entry.seed for entry in LIST}) == 60
    for entry, place in zip(LIST, places, strict=True):
        assert exact_hash(place) == entry.sha256, entry.seed


def test_no_seed_is_one_of_training_or_of_another_list() -> None:
    others = {e.seed for path in (frozen_lists.LAYOUTS.path, frozen_lists.PLACES.path, frozen_lists.CYCLES_SCENES.path) for e in frozen_lists.read_frozen(path)}
    assert min(entry.seed for entry in LIST) >= frozen_lists.CYCLES_PLACES.first_seed > max(others) > frozen_lists.EVALUATION_SEEDS


def test_cameras_are_where_their_viewpoint_says(places: list[CyclesPlace]) -> None:
    for place in places:
        height = place.eye[2]
        if place.viewpoint == "eye height":
            assert 1.1 <= height <= 2.0, place.seed  # a pavement is 13 cm up
        elif place.viewpoint == "tabletop":
            assert 0.95 <= height <= 1.7 and place.target[2] < height - 0.15, place.seed
    assert sum(place.viewpoint != "other" for place in places) >= 55


def test_the_old_thirty_have_other_objects_and_materials(places: list[CyclesPlace]) -> None:
    coats = {piece.coat.pattern for place in places for piece in place.pieces}
    assert coats & set(cycles_scenes.PATTERNS) == {"plain"} and coats - {"plain"} == set(PATTERNS)
    shapes = {piece.shape for place in places for piece in place.pieces}
    assert shapes & set(cycles_scenes.KINDS) == {"tube"}  # there a hollow cylinder, here a bent rod


def test_meshes_stand_on_their_base_inside_their_size(places: list[CyclesPlace]) -> None:
    for place in places[::3]:
        for piece in place.pieces:
            mesh, half = mesh_of(piece), np.array(piece.size) / 2
            assert np.isfinite(mesh.points).all()
            corners = [corner for face in mesh.faces for corner in face]
            assert min(corners) == 0 and max(corners) == len(mesh.points) - 1
            if piece.shape in ("block", "cushion", "extrusion", "lathe"):
                assert mesh.points[:, 2].min() >= -1e-9, piece
                assert (np.abs(mesh.points[:, :2]) <= half[:2] + 1e-9).all() and mesh.points[:, 2].max() <= piece.size[2] + 1e-9, piece


def depth_like(entry: frozen_lists.FrozenScene) -> np.ndarray:
    """A depth map whose fingerprint is that of the list."""
    return np.kron(np.array(entry.fingerprint, np.float32).reshape(6, 8), np.ones((47, 63), np.float32))[:280, :504]


def keep(monkeypatch: pytest.MonkeyPatch, folder: Path, entry: frozen_lists.FrozenScene, depth: np.ndarray | None = None) -> None:
    """A list of one entry, and a cache with a picture of it."""
    frozen_lists.write_frozen([entry], folder / "list.json")
    monkeypatch.setattr(frozen, "CYCLES_PLACES", replace(frozen_lists.CYCLES_PLACES, path=folder / "list.json"))
    np.save(folder / f"{entry.seed}.npy", depth_like(entry) if depth is None else depth)
    (folder / f"{entry.seed}.png").write_bytes(ONE_PIXEL)


ONE_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108020000009077"
    "53de0000000c4944415408d763f8cfc000000301010018dd8db00000000049454e44ae426082"
)


def test_a_sample_has_its_place_s_setting_and_viewpoint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    keep(monkeypatch, tmp_path, LIST[0])
    (sample,) = cycles_place_samples(tmp_path)
    place = draw_place(LIST[0].seed)
    assert (sample.group, sample.cue) == (place.setting, place.viewpoint)
    assert sample.picture.focal_px == place.focal_px and "Cycles places" in evaluate.chosen_sets(tmp_path, 1)


def test_what_is_no_longer_the_frozen_place_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first = LIST[0]
    keep(monkeypatch, tmp_path, frozen_lists.FrozenScene(first.seed, "0" * 64, first.fingerprint))
    with pytest.raises(frozen_lists.FrozenSceneChanged, match="description"):
        next(frozen.frozen_places(tmp_path))
    keep(monkeypatch, tmp_path, first, depth_like(first) * 1.1)
    with pytest.raises(frozen_lists.FrozenSceneChanged, match="depth"):
        next(frozen.frozen_places(tmp_path))
    (tmp_path / f"{first.seed}.png").unlink()
    with pytest.raises(FileNotFoundError, match="cycles_render render"):
        next(frozen.frozen_places(tmp_path))


def seen(depth: np.ndarray) -> Picture:
    return Picture(np.zeros((*depth.shape, 3), np.uint8), depth.astype(np.float32), depth <= 0, 300.0)


def test_a_bare_wall_and_what_touches_the_lens_are_no_exam() -> None:
    wall = np.linspace(2, 5, 504) * np.ones((280, 1))
    boxes = wall * np.where((np.arange(280)[:, None] // 20 + np.arange(504) // 30) % 2, 1, 1.5)
    assert frozen.sound(seen(boxes)) and not frozen.sound(seen(wall))
    one = wall.copy()
    one[100:140, 200:240] = 1
    assert not frozen.sound(seen(one))
    boxes[0, 0] = 0.2
    assert not frozen.sound(seen(boxes))
