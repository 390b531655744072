# SPDX-License-Identifier: Apache-2.0
"""One frame as HTML: photo with outlines and distances, depth with its scale, truth beside it, the numbers below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....engines.depth_map import DepthMap
from ....engines.errors import DepthbridgeError
from ....engines.export.color_map import ColorScale
from ...measuring.outline_colours import object_colour
from .frames import AccuracyNumbers, ReportFrame, ReportPictures
from .markup import escaped, metres, number, percent, shown
from .pictures import DepthPicture, Outline, depth_picture, outlines, photo, truth_picture
from .tables import objects_of

_TITLES = {"metric": "Depth, estimated", "relative": "Relative depth (no unit)", "disparity": "Disparity (larger is nearer)"}


def card(order: int, frame: ReportFrame, reason: str, frame_place: int) -> str:
    """The frame's ``<article>``. ``frame_place``: of its name among the page's texts, by which the tables find it."""
    head = f'<h3 class="name">{escaped(frame.name)}</h3>{_badges(frame, reason)}'
    try:
        body = _pictures(frame, frame.pictures()) if frame.pictures is not None else ""
    except DepthbridgeError as error:
        body = f'<p class="problem">Its pictures cannot be shown: {escaped(str(error))}</p>'
    return f'<article class="card" id="frame-{order}" data-frame="{frame_place}"><header>{head}</header>{body}</article>\n'


def _badges(frame: ReportFrame, reason: str) -> str:
    badges = [f'<span class="badge">{escaped(reason)}</span>'] if reason else []
    if frame.record.get("mask_flip_suspected") is True:
        badges.append('<span class="badge warn">mask upside down?</span>')
    if frame.accuracy is not None:
        badges.append(f'<span class="numbers">{accuracy_text(frame.accuracy)}</span>')
    return "".join(badges)


def accuracy_text(accuracy: AccuracyNumbers) -> str:
    """The three numbers in one line of HTML, those that are known."""
    parts = [
        f"AbsRel {percent(number(accuracy.abs_rel))}",
        f"RMSE {metres(number(accuracy.rmse_m))}",
        f"δ &lt; 1.25 {percent(number(accuracy.delta1))}",
    ]
    return " · ".join(parts)


def _pictures(frame: ReportFrame, pictures: ReportPictures) -> str:
    uri, width, height = photo(pictures.image)
    drawn = outlines(pictures.mask, pictures.mask_values, width, height)
    unit = frame.record.get("unit")
    shapes, tags = [], []
    for place, (record, outline) in enumerate(zip(objects_of(frame.record), drawn, strict=False)):
        if outline is not None:
            shapes.append(_shape(place, record, outline, str(unit)))
            tags.append(_tag(place, record, outline, str(unit)))
    size = f'width="{width}" height="{height}"'
    return (
        f'<div class="photo" data-width="{width}" data-height="{height}">'
        f'<img src="{uri}" {size} alt="{escaped(frame.name)}" decoding="async">'
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="outlines"><g transform="translate(.5 .5)">{"".join(shapes)}</g></svg>'
        f'<div class="tags">{"".join(tags)}</div></div>{_depths(pictures.depth, pictures)}'
    )


def _depths(depth: DepthMap | None, pictures: ReportPictures) -> str:
    scale = ColorScale.for_map(depth) if depth is not None else None
    figures = []
    if depth is not None:
        figures.append(_depth_figure(depth_picture(depth.values, depth.valid, scale), _TITLES[depth.kind.value]))
    if pictures.depth_true_m is not None:
        figures.append(_depth_figure(truth_picture(pictures.depth_true_m, scale), "Depth, true"))
    return f'<div class="depths">{"".join(figures)}</div>' if figures else ""


def _depth_figure(picture: DepthPicture, title: str) -> str:
    ticks = "".join(f"<span>{escaped(label)}</span>" for label in picture.labels)
    bar = f'<div class="bar"></div><div class="ticks">{ticks}</div>' if ticks else "<p>No pixel has a depth.</p>"
    image = f'<img src="{picture.uri}" width="{picture.width}" height="{picture.height}" alt="{title}" decoding="async">'
    return f"<figure>{image}<figcaption>{title}</figcaption>{bar}</figure>"


def _shape(place: int, record: Mapping[str, Any], outline: Outline, unit: str) -> str:
    title = escaped(f"{_name(record)}: {_sentence(record, unit)}")
    paths = f'<path class="halo" d="{outline.path}"/><path class="line" d="{outline.path}" stroke="{_colour(place, record)}"/>'
    return f'<g data-object="{place}"><title>{title}</title>{paths}</g>'


def _tag(place: int, record: Mapping[str, Any], outline: Outline, unit: str) -> str:
    box = " ".join(map(str, outline.box))
    label = escaped(shown(record.get("category"))[:40] or shown(record.get("id")))
    colour = f'<svg class="dot" viewBox="0 0 8 8" aria-hidden="true"><circle cx="4" cy="4" r="4" fill="{_colour(place, record)}"/></svg>'
    distance = escaped(metres(_median(record), unit))
    return f'<span class="tag" data-object="{place}" data-box="{box}">{colour}<i>{label}</i> <b>{distance}</b></span>'


def _colour(place: int, record: Mapping[str, Any]) -> str:
    """The object's own, as in overlay pictures; that of its place for an id that is neither number nor text."""
    own = record.get("id")
    red, green, blue = object_colour(own if isinstance(own, (int, str)) else place)
    return f"#{red:02x}{green:02x}{blue:02x}"


def _name(record: Mapping[str, Any]) -> str:
    return f"{shown(record.get('category'))} {shown(record.get('id'))}".strip()


def _sentence(record: Mapping[str, Any], unit: str) -> str:
    median = _median(record)
    true = record.get("distance_true")
    known = number(true.get("median")) if isinstance(true, Mapping) else None
    if median is None:
        return shown(record.get("reason")) or "no distance"
    if known is None:
        return metres(median, unit)
    relative = percent(number(record.get("distance_error_relative")), signed=True)
    return f"{metres(median, unit)} (true {metres(known)}{f', {relative}' if relative else ''})"


def _median(record: Mapping[str, Any]) -> float | None:
    for key in ("distance", "disparity"):
        spread = record.get(key)
        if isinstance(spread, Mapping):
            return number(spread.get("median"))
    return None
