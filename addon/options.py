# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be chosen about a build, apart from where its depth comes from. Imports no bpy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from ..engines.camera import CameraIntrinsics
from ..engines.errors import DepthKindError
from ..engines.grid_mesh import stride_for, tear_of_slant

DEFAULT_MAX_VERTICES = 1_000_000
"""A 1280x720 picture keeps every pixel; larger ones are built from every second, third, ... pixel."""


class BuildAs(StrEnum):
    """What the depth becomes."""

    MESH = "mesh"
    """A perspective surface: every vertex lies where its pixel saw it."""
    RELIEF = "relief"
    """The classic displacement: a flat picture, raised by its normalised depth."""
    POINTS = "points"
    """The same vertices as the surface, as points."""


class SkyMode(StrEnum):
    """What happens to the sky. All three can be changed later by the object's sliders."""

    OFF = "off"
    KEEP = "keep"
    FAR = "far"
    """Kept, on a plane behind everything else."""


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """Choices of one build; the defaults suit a photo.

    ``stride``: build from every stride-th pixel; None takes the smallest that stays within ``max_vertices``. ``tear``: a quad is torn
    where its farthest corner is more than this share beyond its nearest; None takes what fits the camera and the stride. ``nearest``,
    ``farthest``: the range of depth that is kept, in the unit of the built object, None for no limit. ``radius``: of points, 1 makes
    neighbours just overlap. ``strength``: the height of a relief's nearest point over its farthest, in units of which its longer side
    has two. ``displace``: a relief as a flat grid under a Displace modifier. Raises :class:`DepthKindError` for values that leave
    nothing to build.
    """

    as_: BuildAs = BuildAs.MESH
    stride: int | None = None
    max_vertices: int = DEFAULT_MAX_VERTICES
    tear: float | None = None
    sky: SkyMode = SkyMode.OFF
    nearest: float | None = None
    farthest: float | None = None
    radius: float = 1.0
    strength: float = 0.5
    displace: bool = False

    def __post_init__(self) -> None:
        if self.max_vertices < 4:
            raise DepthKindError(f"A limit of {self.max_vertices} vertices leaves no surface; allow at least 4.")
        if self.stride is not None and self.stride < 1:
            raise DepthKindError(f"A stride of {self.stride} pixels skips nothing and keeps nothing; give 1 or more.")
        for name in ("tear", "radius"):
            value = getattr(self, name)
            if name == "tear" and value is None:
                continue
            if not math.isfinite(value) or value <= 0:
                raise DepthKindError(f"The {name} is {value}; give a positive number.")
        if not math.isfinite(self.strength):
            raise DepthKindError(f"The strength is {self.strength}; give a number.")
        for name in ("nearest", "farthest"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise DepthKindError(f"The {name} depth is {value}; give a positive number, or none.")
        if self.nearest is not None and self.farthest is not None and self.nearest >= self.farthest:
            raise DepthKindError(f"The depth range {self.nearest:g} to {self.farthest:g} is empty; the nearest comes first.")

    def tear_of(self, camera: CameraIntrinsics, stride: int) -> float:
        """The share by which a quad of this grid may deepen before it is torn."""
        return self.tear if self.tear is not None else tear_of_slant(camera, stride)

    def stride_of(self, width: int, height: int) -> int:
        """The stride, in pixels, for a map of this size."""
        return self.stride if self.stride is not None else stride_for(width, height, self.max_vertices)
