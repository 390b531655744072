# SPDX-License-Identifier: Apache-2.0
"""Scenes of one picture size as tensors on a device, so that all of them are rendered at once.

Vectors are (3, B, 1) and numbers (B, 1), to meet the (3, B, N) and (B, N) of pixels. A scene's solids stand in slots that have one shape
each, the same in every scene: a scene without a third cone leaves the slot of the third cone empty.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from ..raycast import FIRST_SOLID
from ..scenes import FloatArray, Light, Material, Scene, Shape, Solid
from ..textures import PATTERNS

SHAPES: tuple[Shape, ...] = ("box", "cylinder", "sphere", "cone")
PATTERN_NAMES = tuple(PATTERNS)
_NO_LIGHT = Light("sun", (0.0, 1.0, 0.0), (0.0, 0.0, 0.0), 0.0, 0.0)
Item = TypeVar("Item")


@dataclass(frozen=True)
class Solids:
    """`shape` of each of S slots; `centre`, `half_size` (3, S, B, 1); `turn` (3, 3, S, B, 1) local to world; `there`, `casts` (S, B, 1) bool:
    which scenes have a solid in a slot, and one that throws a shadow."""

    shape: tuple[Shape, ...]
    centre: Tensor
    half_size: Tensor
    turn: Tensor
    there: Tensor
    casts: Tensor


@dataclass(frozen=True)
class Materials:
    """By surface id, of `raycast`, from 0: `colour`, `second` (3, B, M), all others (B, M); `pattern` is a place in `PATTERN_NAMES`."""

    pattern: Tensor
    colour: Tensor
    second: Tensor
    period: Tensor
    angle_deg: Tensor
    grime: Tensor
    gloss: Tensor
    glow: Tensor


@dataclass(frozen=True)
class LightSlot:
    """One light of each scene; one that is not there has no strength. `lamp` (B, 1) bool."""

    lamp: Tensor
    vector: Tensor
    colour: Tensor
    strength: Tensor
    size: Tensor


@dataclass(frozen=True)
class Around:
    """Rooms and open ground. `open` (B, 1) bool; `high` of open ground is zero."""

    open: Tensor
    low: Tensor
    high: Tensor
    horizon: Tensor
    zenith: Tensor
    clouds: Tensor
    haze_m: Tensor


@dataclass(frozen=True)
class SceneBatch:
    """B scenes; `turn` (3, 3, B, 1) is camera to world. Of the film: `gains` (3, B, 1), all else (B, 1)."""

    height: int
    width: int
    focal: Tensor
    position: Tensor
    turn: Tensor
    around: Around
    solids: Solids
    materials: Materials
    lights: tuple[LightSlot, ...]
    ambient: Tensor
    mean_level: Tensor
    gains: Tensor
    tone: Tensor
    vignette: Tensor
    blur_px: Tensor
    noise: Tensor

    @property
    def device(self) -> torch.device:
        return self.focal.device


def batch_scenes(scenes: Sequence[Scene], device: torch.device) -> SceneBatch:
    """Raises ValueError where there is none, or where their cameras have more than one size."""
    sizes = {(scene.camera.height, scene.camera.width) for scene in scenes}
    if len(sizes) != 1:
        raise ValueError(f"scenes of one picture size are rendered together; these have {len(sizes)}")
    (height, width), pack = sizes.pop(), _Packer(scenes, device)
    slots, placed = _in_slots(scenes)
    return SceneBatch(
        height,
        width,
        pack.numbers(lambda s: s.camera.focal_px),
        pack.vectors(lambda s: s.camera.position),
        pack.matrices(lambda s: s.camera.rotation()),
        _around(pack),
        _solids(slots, placed, device),
        _materials(scenes, placed, device),
        _lights(scenes, device),
        pack.numbers(lambda s: s.ambient),
        pack.numbers(lambda s: s.film.mean_level),
        pack.vectors(lambda s: s.film.gains),
        pack.numbers(lambda s: s.film.tone),
        pack.numbers(lambda s: s.film.vignette),
        pack.numbers(lambda s: s.film.blur_px),
        pack.numbers(lambda s: s.film.noise),
    )


class _Packer(Generic[Item]):
    """Reads one thing of the scene, or of the light, that each place of the batch has."""

    def __init__(self, items: Sequence[Item], device: torch.device) -> None:
        self._items, self._device = items, device

    def numbers(self, of: Callable[[Item], float]) -> Tensor:
        return torch.tensor([[of(item)] for item in self._items], device=self._device, dtype=torch.float32)

    def flags(self, of: Callable[[Item], bool]) -> Tensor:
        return torch.tensor([[of(item)] for item in self._items], device=self._device)

    def vectors(self, of: Callable[[Item], Sequence[float]]) -> Tensor:
        return torch.tensor([of(item) for item in self._items], device=self._device, dtype=torch.float32).T[..., None]

    def matrices(self, of: Callable[[Item], FloatArray]) -> Tensor:
        found = np.stack([of(item) for item in self._items])
        return torch.from_numpy(found).to(self._device).permute(1, 2, 0)[..., None]


def _around(pack: _Packer[Scene]) -> Around:
    return Around(
        pack.flags(lambda s: s.surroundings.high is None),
        pack.vectors(lambda s: s.surroundings.low),
        pack.vectors(lambda s: s.surroundings.high or (0.0, 0.0, 0.0)),
        pack.vectors(lambda s: s.surroundings.sky_horizon),
        pack.vectors(lambda s: s.surroundings.sky_zenith),
        pack.numbers(lambda s: s.surroundings.clouds),
        pack.numbers(lambda s: s.surroundings.haze_m),
    )


def _in_slots(scenes: Sequence[Scene]) -> tuple[tuple[Shape, ...], list[list[Solid | None]]]:
    """The shape of each slot, and for each scene what stands in its slots."""
    slots: list[Shape] = []
    placed: list[list[Solid | None]] = [[] for _ in scenes]
    for shape in SHAPES:
        of_shape = [[solid for solid in scene.solids if solid.shape == shape] for scene in scenes]
        most = max(map(len, of_shape))
        slots += [shape] * most
        for row, found in zip(placed, of_shape, strict=True):
            row += [*found, *[None] * (most - len(found))]
    return tuple(slots), placed


def _solids(slots: tuple[Shape, ...], placed: list[list[Solid | None]], device: torch.device) -> Solids:
    count, batch = len(slots), len(placed)
    centre, half = np.zeros((3, count, batch, 1), np.float32), np.ones((3, count, batch, 1), np.float32)
    turn = np.tile(np.eye(3, dtype=np.float32)[:, :, None, None, None], (1, 1, count, batch, 1))
    there, casts = np.zeros((count, batch, 1), np.bool_), np.zeros((count, batch, 1), np.bool_)
    for b, row in enumerate(placed):
        for s, solid in enumerate(row):
            if solid is not None:
                centre[:, s, b, 0], half[:, s, b, 0], turn[:, :, s, b, 0] = solid.centre, solid.half_size, solid.rotation()
                there[s, b], casts[s, b] = True, solid.material.glow <= 0
    return Solids(slots, *(torch.from_numpy(values).to(device) for values in (centre, half, turn, there, casts)))


def _materials(scenes: Sequence[Scene], placed: list[list[Solid | None]], device: torch.device) -> Materials:
    rows: list[list[Material]] = []
    for scene, row in zip(scenes, placed, strict=True):
        around = scene.surroundings
        found = [around.floor, around.ceiling, *[around.walls] * (FIRST_SOLID - 2)]
        rows.append(found + [around.floor if solid is None else solid.material for solid in row])

    def table(of: Callable[[Material], float | Sequence[float]]) -> Tensor:
        return torch.tensor([[of(material) for material in row] for row in rows], dtype=torch.float32, device=device)

    return Materials(
        table(lambda m: PATTERN_NAMES.index(m.pattern)).long(),
        table(lambda m: m.colour).permute(2, 0, 1),
        table(lambda m: m.second_colour).permute(2, 0, 1),
        *(table(of) for of in (lambda m: m.period_m, lambda m: m.angle_deg, lambda m: m.grime, lambda m: m.gloss, lambda m: m.glow)),
    )


def _lights(scenes: Sequence[Scene], device: torch.device) -> tuple[LightSlot, ...]:
    rows = zip_longest(*(scene.lights for scene in scenes), fillvalue=_NO_LIGHT)
    return tuple(_light_slot(_Packer(lights, device)) for lights in rows)


def _light_slot(pack: _Packer[Light]) -> LightSlot:
    return LightSlot(
        pack.flags(lambda light: light.kind == "lamp"),
        pack.vectors(lambda light: light.vector),
        pack.vectors(lambda light: light.colour),
        pack.numbers(lambda light: light.strength),
        pack.numbers(lambda light: light.size),
    )
