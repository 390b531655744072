# SPDX-License-Identifier: Apache-2.0
"""Which pixels of a picture count, as the protocol of its data set says."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..samples import BoolArray, FloatArray


@dataclass(frozen=True, slots=True)
class Crop:
    """A window of the picture, [first, end) in rows and columns, as parts of its height and width; edges are cut to whole pixels downwards.

    ``name``: what the field calls it.
    """

    name: str
    top: float
    bottom: float
    left: float
    right: float

    def mask(self, height: int, width: int) -> BoolArray:
        """bool (H, W), True inside."""
        inside = np.zeros((height, width), np.bool_)
        inside[int(self.top * height) : int(self.bottom * height), int(self.left * width) : int(self.right * width)] = True
        return inside


GARG_CROP = Crop("Garg's crop", 0.40810811, 0.99189189, 0.03594771, 0.96405229)
"""Of KITTI, where lidar has points. Garg, Kumar, Carneiro, Reid (ECCV 2016); the fractions as every later evaluation writes them."""

EIGEN_CROP_NYU = Crop("Eigen's crop", (45 + 0.5) / 480, (471 + 0.5) / 480, (41 + 0.5) / 640, (601 + 0.5) / 640)
"""Of NYU Depth v2: rows 45 to 470, columns 41 to 600 of 480x640, counted from 0, where both of Kinect's cameras see. Eigen, Puhrsch and Fergus
(NIPS 2014) as BTS, AdaBins and ZoeDepth evaluate (ZoeDepth, ``utils/misc.py``, ``eval_mask[45:471, 41:601]``). Half a pixel is added so that
no rounding can move an edge."""


@dataclass(frozen=True, slots=True)
class Counting:
    """A protocol. Depth counts where it is above ``above_m``, below ``below_m`` (up to it with ``below_too``), within ``crop``, and no sky."""

    split: str
    """Which pictures, in words."""
    truth: str
    """What true depth is, and in what unit it is stored, in words."""
    source: str = ""
    """Whose numbers these are."""
    above_m: float = 0.0
    below_m: float = math.inf
    below_too: bool = False
    crop: Crop | None = None
    clamp_m: tuple[float, float] | None = None
    """The range that estimates are clamped to."""

    def mask(self, depth_m: FloatArray, sky: BoolArray | None) -> BoolArray:
        """bool (H, W) of truth in metres, 0 for none."""
        counted = np.isfinite(depth_m) & (depth_m > self.above_m)
        counted &= depth_m <= self.below_m if self.below_too else depth_m < self.below_m
        if self.crop is not None:
            counted &= self.crop.mask(*depth_m.shape)
        if sky is not None:
            counted &= ~sky
        return counted

    def line(self) -> str:
        """The protocol in one line."""
        bounded = math.isfinite(self.below_m)
        if self.above_m > 0 and bounded:
            counts = f"depth from {self.above_m:g} to {self.below_m:g} m counts"
        elif bounded:
            counts = f"depth {'up to' if self.below_too else 'below'} {self.below_m:g} m counts"
        else:
            counts = f"depth above {self.above_m:g} m counts" if self.above_m > 0 else "all depth counts"
        counts += ", without a crop" if self.crop is None else f", within {self.crop.name}"
        clamp = None if self.clamp_m is None else f"estimates are clamped to {self.clamp_m[0]:g} to {self.clamp_m[1]:g} m"
        return "; ".join(filter(None, (self.split, self.truth, counts, clamp, self.source)))
