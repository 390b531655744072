# SPDX-License-Identifier: Apache-2.0
"""The few pictures that are shown: which went worst and best, and small images of picture, truth, estimate and error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ...engines.depth_map import DepthKind
from ...engines.export.color_map import NO_DEPTH_GREY, ColorScale
from ...unity_bridge.captures.report.markup import data_uri
from ...unity_bridge.captures.report.pictures import DepthPicture, depth_picture, photo
from .candidates import Candidate, OneEngine
from .results import result
from .run import PICTURE_ERRORS, Row, Run
from .samples import BoolArray, FloatArray, Sample
from .scoring import aligned_depth
from .totals import Totals

MOST = 24
"""So many pictures are shown at most."""
ERROR_FACTOR = 2.0
"""The error's colours end where the estimate is this many times the truth, or that part of it."""

_SIDE = 400
_QUALITY = 82
_TOO_NEAR, _RIGHT, _TOO_FAR = np.array([[33, 102, 172], [247, 247, 247], [178, 24, 43]], np.float64)


@dataclass(frozen=True, slots=True)
class Shot:
    """One model on one picture: estimate and error as images, or the sentence why there are none."""

    label: str
    figures: Mapping[str, Any]
    estimate: DepthPicture | None = None
    error_uri: str = ""
    problem: str = ""


@dataclass(slots=True)
class Shown:
    """A picture on the page. ``why``: "worst of ..." and the like. Its images stand in ``photo_uri`` and ``truth`` once it was read."""

    place: int
    name: str
    why: tuple[str, ...]
    photo_uri: str = ""
    photo_size: tuple[int, int] = (0, 0)
    truth: DepthPicture | None = None
    shots: dict[str, Shot] = field(default_factory=dict)


def kept_per_model(models: int) -> int:
    """How many of each model's worst, and as many of its best, are within :data:`MOST`."""
    return max(1, MOST // (2 * models))


def choose(run: Run, totals: Mapping[str, Totals]) -> list[Shown]:
    """Each model's worst pictures, by turns, then the best; a picture once, with all it is chosen for."""
    several = len(run.candidates) > 1
    whys: dict[int, list[str]] = {}
    for word in ("worst", "best"):
        ranked = [_half(totals[candidate.label], word) for candidate in run.candidates]
        for turn in zip_longest(*ranked):
            for candidate, place in zip(run.candidates, turn, strict=True):
                if place is not None:
                    whys.setdefault(place, []).append(f"among the {word}" + (f" of {candidate.label}" if several else ""))
    return [Shown(place, run.names[place], tuple(why)) for place, why in list(whys.items())[:MOST]]


def _half(totals: Totals, word: str) -> list[int]:
    """Of few pictures none is among the worst and the best at once."""
    return totals.worst()[: (totals.pictures + 1) // 2] if word == "worst" else totals.best()[: totals.pictures // 2]


def take_pictures(run: Run, chosen: Sequence[Shown], engines: OneEngine) -> None:
    """Estimate the chosen pictures again and keep small images. What cannot be shown says why; the model that is open goes first."""
    for candidate in reversed(run.candidates):
        engine = engines.of(candidate) if chosen else None
        for shown in chosen:
            row = run.row(candidate, shown.name)
            try:
                sample, camera = run.load(shown.name)
                _show_truth(shown, sample)
                if row.score is None or engine is None:
                    shown.shots[candidate.label] = Shot(candidate.label, {}, problem=row.error or "")
                    continue
                depth = engine.estimate(sample.rgb, camera)
                metres, compared = aligned_depth(sample, depth, candidate.alignment, run.dataset.clamp_m)
                shown.shots[candidate.label] = _shot(candidate, row, sample, metres, compared, depth.kind.holds(depth.values))
            except PICTURE_ERRORS as error:
                shown.shots[candidate.label] = Shot(candidate.label, {}, problem=str(error))


def _show_truth(shown: Shown, sample: Sample) -> None:
    if not shown.photo_uri:
        shown.photo_uri, *size = photo(_shrunk(sample.rgb))
        shown.photo_size = (size[0], size[1])
        shown.truth = depth_picture(sample.depth_m, sample.depth_m > 0, _scale_of(sample))


def _shot(
    candidate: Candidate, row: Row, sample: Sample, metres: npt.NDArray[np.float64], compared: BoolArray, told: BoolArray
) -> Shot:
    values: FloatArray = np.where(told, metres, 1).astype(np.float32)
    estimate = depth_picture(values, told, _scale_of(sample))
    return Shot(candidate.label, result(row), estimate, error_picture(metres, sample.depth_m, compared))


def _scale_of(sample: Sample) -> ColorScale | None:
    """The truth's own scale of colours, which its estimates share."""
    values = sample.depth_m[sample.counted if sample.counted.any() else sample.depth_m > 0]
    if not values.size:
        return None
    far, near = np.percentile(1 / values.astype(np.float64), (2, 98))
    return ColorScale(DepthKind.METRIC, float(far), float(near))


def error_picture(estimate: npt.NDArray[np.float64], truth: FloatArray, compared: BoolArray) -> str:
    """JPEG data URI: white where the estimate is right, red where it is too far, blue where too near; grey where nothing is compared."""
    stride = max(1, max(truth.shape) // (2 * _SIDE))
    d, t, seen = (each[::stride, ::stride] for each in (estimate, truth, compared))
    colours = np.full((*seen.shape, 3), NO_DEPTH_GREY, np.uint8)
    colours[seen] = error_colours(np.log(d[seen] / t[seen]))
    done, content = cv2.imencode(".jpg", np.ascontiguousarray(_shrunk(colours)[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise ValueError(f"a picture of shape {colours.shape} cannot be encoded")
    return data_uri(content.tobytes(), "image/jpeg")


def error_colours(log_ratios: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Colours (N, 3) of ln(d / t), (N,)."""
    place = np.clip(log_ratios / np.log(ERROR_FACTOR), -1, 1)[:, None]
    ends = np.where(place < 0, _TOO_NEAR, _TOO_FAR)
    return np.asarray(np.rint(_RIGHT + np.abs(place) * (ends - _RIGHT)), np.uint8)


def _shrunk(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    height, width = image.shape[:2]
    factor = _SIDE / max(height, width)
    if factor >= 1:
        return image
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
