# SPDX-License-Identifier: Apache-2.0
"""What a model, two priors and a stranger's estimate are worth on one picture, and on many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from ...engines.depth_edges import boundary_f1, edge_f1
from ...engines.depth_map import SKY_THRESHOLD, DepthKind
from ...engines.depth_metrics import Alignment, align, depth_errors, sky_iou
from ...engines.recognise import CANONICAL_FOCAL_PX
from . import priors
from .evaluation_sets import Sample
from .mini_model import Estimate, MiniModel
from .scenes import FloatArray
from .shading import HORIZON_CANONICAL, Picture

GUESSES = ("model", "row", "constant", "shuffled")


@dataclass(frozen=True)
class Score:
    """How one guess does on one picture: with one median scale (`aligned`), and as it comes."""

    aligned: float
    unaligned: float
    delta1: float
    delta1_unaligned: float


@dataclass(frozen=True)
class Judged:
    """One picture: what it is, and how model, priors and a stranger's estimate do on it."""

    group: str
    cue: str
    model: Score
    row: Score
    constant: Score
    shuffled: Score
    edges: float
    boundary: float
    sky_accuracy: float
    sky_overlap: float
    sky_share: float
    trust: float
    """AbsRel (one scale) of the more confident half of the ground over that of all of it; NaN without a confidence."""


def canonical_truth(picture: Picture) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """True canonical depth (H, W), and where it counts: ground nearer than the horizon."""
    truth = picture.depth_m * np.float32(CANONICAL_FOCAL_PX / picture.focal_px)
    return truth, (truth > 0) & (truth <= HORIZON_CANONICAL)


def score(guess: FloatArray, truth: FloatArray, seen: npt.NDArray[np.bool_]) -> Score:
    """Scores of an (H, W) guess against truth over the pixels `seen`."""
    plain = depth_errors(guess, truth, seen)
    scaled = depth_errors(align(guess, truth, DepthKind.METRIC, Alignment.SCALE, seen), truth, seen)
    return Score(scaled.abs_rel, plain.abs_rel, scaled.delta1, plain.delta1)


def trust(estimate: Estimate, truth: FloatArray, seen: npt.NDArray[np.bool_]) -> float:
    """How much better the more confident half is: below 1, or the confidence says nothing."""
    if estimate.confidence is None:
        return float("nan")
    scaled = align(estimate.depth, truth, DepthKind.METRIC, Alignment.SCALE, seen)
    sure = seen & (estimate.confidence >= np.median(estimate.confidence[seen]))
    return depth_errors(scaled, truth, sure).abs_rel / depth_errors(scaled, truth, seen).abs_rel


def judge(model: MiniModel, samples: Iterable[Sample]) -> list[Judged]:
    """Scores every picture; a picture's stranger is the previous picture of the same size (the first gets the last)."""
    rows = list(samples)
    guesses = [model.estimate(row.picture.rgb) for row in rows]
    by_size: dict[tuple[int, ...], list[int]] = {}
    for index, row in enumerate(rows):
        by_size.setdefault(row.picture.sky.shape, []).append(index)
    stranger = {at: same[place - 1] for same in by_size.values() for place, at in enumerate(same)}
    return [_judged(row, guesses[index], guesses[stranger[index]]) for index, row in enumerate(rows)]


def _judged(row: Sample, own: Estimate, strange: Estimate) -> Judged:
    truth, seen = canonical_truth(row.picture)
    sky, bands = own.sky >= SKY_THRESHOLD, priors.read_bands(row.prior)
    height, width = truth.shape
    return Judged(
        row.group,
        row.cue,
        score(own.depth, truth, seen),
        score(priors.row_prior(height, width, bands), truth, seen),
        score(priors.constant_prior(height, width, bands), truth, seen),
        score(strange.depth, truth, seen),
        edge_f1(own.depth, truth, seen),
        boundary_f1(own.depth, truth, seen),
        float(np.mean(sky != seen)),
        sky_iou(sky, ~seen),
        float(np.mean(~seen)),
        trust(own, truth, seen),
    )


@dataclass(frozen=True)
class GuessFigures:
    """Means over pictures of one guess, and the median of AbsRel after one scale."""

    absrel: float
    absrel_median: float
    delta1: float
    absrel_unaligned: float
    delta1_unaligned: float


@dataclass(frozen=True)
class Summary:
    """The figures of some pictures. `ratio`: the model's AbsRel after one scale over the better prior's; `shuffled_ratio`: the stranger's."""

    pictures: int
    guesses: dict[str, GuessFigures]
    ratio: float
    shuffled_ratio: float
    edges: float
    boundary: float
    sky_accuracy: float
    sky_accuracy_where_sky: float
    sky_overlap: float
    trust: float

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def mean(values: Iterable[float]) -> float:
    """Of the numbers that are numbers; NaN where none is."""
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def summary(judged: Sequence[Judged]) -> Summary:
    guesses: dict[str, GuessFigures] = {}
    for name in GUESSES:
        scores: list[Score] = [getattr(each, name) for each in judged]
        guesses[name] = GuessFigures(
            mean(s.aligned for s in scores),
            float(np.median([s.aligned for s in scores])),
            mean(s.delta1 for s in scores),
            mean(s.unaligned for s in scores),
            mean(s.delta1_unaligned for s in scores),
        )
    better = min(guesses["row"].absrel, guesses["constant"].absrel)
    return Summary(
        len(judged),
        guesses,
        guesses["model"].absrel / better,
        guesses["shuffled"].absrel / better,
        mean(each.edges for each in judged),
        mean(each.boundary for each in judged),
        mean(each.sky_accuracy for each in judged),
        mean(each.sky_accuracy for each in judged if each.sky_share > 0.01),
        mean(each.sky_overlap for each in judged if each.sky_share > 0.01),
        mean(each.trust for each in judged),
    )
