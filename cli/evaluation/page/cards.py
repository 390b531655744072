# SPDX-License-Identifier: Apache-2.0
"""One picture as HTML: picture and truth, then each model's estimate and error."""

from __future__ import annotations

from collections.abc import Sequence

from ....unity_bridge.captures.report.markup import escaped
from ....unity_bridge.captures.report.pictures import DepthPicture
from ..candidates import Candidate
from ..pictures import ERROR_FACTOR, Shot, Shown
from ..terminal import figure_text


def card(shown: Shown, candidates: Sequence[Candidate], text_place: int) -> str:
    """The picture's ``<article>``. ``text_place``: of its name among the page's texts, by which the table finds it."""
    badges = "".join(f'<span class="badge">{escaped(why)}</span>' for why in shown.why)
    figures = [_photo(shown), _depth(shown.truth, "Truth")] if shown.truth is not None else []
    for candidate in candidates:
        shot = shown.shots.get(candidate.label)
        if shot is not None:
            figures += [_estimate(shot), _error(shot)] if shot.estimate is not None else [_problem(shot)]
    return (
        f'<article class="card" id="picture-{shown.place}" data-frame="{text_place}"><header><h3 class="name">{escaped(shown.name)}</h3>'
        f'{badges}</header><div class="shots">{"".join(figures)}</div></article>\n'
    )


def _photo(shown: Shown) -> str:
    width, height = shown.photo_size
    return f'<figure><img src="{shown.photo_uri}" width="{width}" height="{height}" alt="Picture"><figcaption>Picture</figcaption></figure>'


def _depth(picture: DepthPicture, title: str) -> str:
    ticks = "".join(f"<span>{escaped(label)}</span>" for label in picture.labels)
    bar = f'<div class="bar"></div><div class="ticks">{ticks}</div>' if ticks else ""
    size = f'width="{picture.width}" height="{picture.height}"'
    return f'<figure><img src="{picture.uri}" {size} alt="{escaped(title)}"><figcaption>{escaped(title)}</figcaption>{bar}</figure>'


def _estimate(shot: Shot) -> str:
    assert shot.estimate is not None
    return _depth(shot.estimate, shot.label)


def _error(shot: Shot) -> str:
    assert shot.estimate is not None
    figures = shot.figures
    text = f"AbsRel {figure_text(figures.get('abs_rel'))} · RMSE {figure_text(figures.get('rmse'))} · δ1 {figure_text(figures.get('delta1'))}"
    size = f'width="{shot.estimate.width}" height="{shot.estimate.height}"'
    bar = f'<div class="errors"></div><div class="ticks"><span>1/{ERROR_FACTOR:g}</span><span>right</span><span>× {ERROR_FACTOR:g}</span></div>'
    image = f'<img src="{shot.error_uri}" {size} alt="Error of {escaped(shot.label)}">'
    return f"<figure>{image}<figcaption>{escaped(text)}</figcaption>{bar}</figure>"


def _problem(shot: Shot) -> str:
    return f'<p class="problem">{escaped(shot.label)}: {escaped(shot.problem)}</p>'
