# SPDX-License-Identifier: Apache-2.0
"""What a training step is shown: pictures out of folders, pictures drawn for it, or some of each."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from ..augment import from_stored
from ..layouts import FRAMES
from ..shards import NoPictures, Pictures, Source
from .drawn import Batch, frame_of, pictures_of


class Mixture:
    """`drawn`: how much of what is shown is drawn on the fly, in proportion to the folders' shares; 1 where there are no folders."""

    def __init__(self, sources: Sequence[Source], drawn: float = 0.0) -> None:
        """Raises `NoPictures` where a folder has none, or of another size than is drawn, and where there is nothing at all."""
        if not sources and not drawn:
            raise NoPictures("nothing to train on: name folders with --data, or draw pictures with --on-the-fly 1")
        self._folders = Pictures(sources) if sources else None
        if drawn and self._folders:
            _refuse_other_sizes(self._folders)
        self.drawn_part = drawn / (drawn + sum(source.share for source in sources))

    def count(self) -> int:
        """Pictures in folders."""
        return self._folders.count() if self._folders else 0

    def draw(self, seed: int, step: int, count: int, device: torch.device) -> Batch:
        """`count` pictures of one size for a step: the same call gives the same pictures on the same kind of device."""
        if self._folders is None:
            return pictures_of(seed, step, count, frame_of(seed, step), device)
        dice = np.random.Generator(np.random.PCG64((seed, step, 2)))
        drawn = int(dice.binomial(count, self.drawn_part))
        # All of them are picked even where fewer are shown: with no drawn ones a step sees what it always saw, and one size is known.
        stored_rgb, stored_depth = self._folders.draw(seed, step, count)
        rgb, depth = from_stored(stored_rgb[drawn:], stored_depth[drawn:], device)
        if not drawn:
            return rgb, depth
        height, width = depth.shape[1:]
        more_rgb, more_depth = pictures_of(seed, step, drawn, (2 * height, 2 * width), device)
        return torch.cat([rgb, more_rgb]), torch.cat([depth, more_depth])


def _refuse_other_sizes(folders: Pictures) -> None:
    drawn = {f"{height // 2}x{width // 2}" for width, height in FRAMES}
    if others := sorted(set(folders.parts) - drawn):
        sizes = ", ".join(sorted(drawn))
        raise NoPictures(f"on the fly there are pictures of {sizes} only, and the folders have {others[0]}: leave --on-the-fly out")


def share(text: str) -> float:
    """A share as the command line has it. Raises ValueError for what is negative or no number."""
    found = float(text)
    if not 0 <= found < math.inf:
        raise ValueError(f"{text}: a share is 0 or more")
    return found
