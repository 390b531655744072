# SPDX-License-Identifier: Apache-2.0
"""What is known of a model before it is opened: its family, what its numbers mean, how its input is made, where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .depth_map import DepthKind


class Family(StrEnum):
    """The families differ in what the raw output means; their normalisation is the same."""

    DA2_RELATIVE = "da2-relative"
    """Depth Anything (1 and 2), relative: disparity."""
    DA2_METRIC = "da2-metric"
    """Depth Anything V2 fine-tuned on Hypersim (indoor) or Virtual KITTI 2 (outdoor): metres."""
    DA3_MAIN = "da3"
    """Depth Anything 3 SMALL to GIANT: relative depth, confidence, predicted cameras."""
    DA3_METRIC = "da3-metric"
    """Depth for a canonical focal length; metres = raw * processed focal / canonical focal."""
    DA3_MONO = "da3-mono"
    """Relative depth and sky."""
    DA3_NESTED = "da3-nested"
    """GIANT and METRIC in one, aligned inside."""
    UNKNOWN = "unknown"
    """Nothing says what the numbers mean; they are taken as relative depth."""

    @property
    def kind(self) -> DepthKind:
        """What this family's output is once everything it needs is known."""
        if self is Family.DA2_RELATIVE:
            return DepthKind.DISPARITY
        if self in (Family.DA2_METRIC, Family.DA3_METRIC, Family.DA3_NESTED):
            return DepthKind.METRIC
        return DepthKind.RELATIVE


class ResizeMethod(StrEnum):
    """How a picture becomes the network's input."""

    DA2_LOWER_BOUND = "da2_lower_bound"
    UPPER_BOUND_RESIZE = "upper_bound_resize"
    UPPER_BOUND_CROP = "upper_bound_crop"
    LOWER_BOUND_RESIZE = "lower_bound_resize"
    LOWER_BOUND_CROP = "lower_bound_crop"


@dataclass(frozen=True, slots=True)
class InputPolicy:
    """``method`` towards ``process_res`` pixels; a graph with a fixed size is obeyed instead."""

    method: ResizeMethod
    process_res: int

    @classmethod
    def for_family(cls, family: Family) -> InputPolicy:
        """The upstream default: DA2 lower bound 518, DA3 upper bound 504."""
        if family in (Family.DA2_RELATIVE, Family.DA2_METRIC):
            return cls(ResizeMethod.DA2_LOWER_BOUND, 518)
        return cls(ResizeMethod.UPPER_BOUND_RESIZE, 504)


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a published model. ``path`` is its name below the model's folder, ``url`` where its owner publishes it.

    ``about_bytes`` is the size as published, good for a list only; ``checked`` is False while nobody on this project has seen the file.
    """

    path: str
    url: str
    about_bytes: int | None = None
    checked: bool = False


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One entry of the catalogue, or what was worked out for a user's own file.

    ``parameters`` is a count; ``canonical_focal_px`` is set for families that need the focal length;
    ``trace_size`` is (height, width) in pixels that a graph was exported at, where it is known; ``files`` is empty where no
    ONNX file is known to be published, and ``how_to_get`` then says how to bring one's own. The first of ``files`` is the graph, the
    others hold its weights. ``output``, the notes and ``how_to_get`` are sentences for the user.
    """

    id: str
    title: str
    family: Family
    input: InputPolicy
    parameters: int | None
    licence: str
    licence_note: str = ""
    canonical_focal_px: float | None = None
    max_depth_m: float | None = None
    trace_size: tuple[int, int] | None = None
    files: tuple[ModelFile, ...] = ()
    how_to_get: str = ""
    embedded: bool = False
    output: str = ""
    parameters_note: str = ""
    source_note: str = ""

    @property
    def kind(self) -> DepthKind:
        return self.family.kind
