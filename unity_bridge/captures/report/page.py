# SPDX-License-Identifier: Apache-2.0
"""The page, put together piece by piece: it is never in memory as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .cards import accuracy_text, card
from .choose import ALL, WORST, Candidate
from .frames import AccuracyNumbers, ReportAbout
from .gather import Gathered, class_table
from .markup import escaped, metres, number, percent, script_json
from .tables import Table
from .template import framed, resource

_OWN_SCRIPTS = "cards.js", "main.js"
_LISTED = 8
"""Failed frames and notes named at the top; all of them stand in the table of frames."""

_CAMERAS = {"given": "given", "exif": "from EXIF", "model": "the model's own", "assumed": "assumed", "none": "none"}


def page(found: Gathered, about: ReportAbout) -> Iterator[str]:
    """The file's text in pieces, the pictures loaded one after the other."""
    chosen = found.shortlist.chosen()
    has_truth = any(value is not None for value in found.objects.numbers("relative"))
    parts: dict[str, str | Iterable[str]] = {
        "title": escaped(about.title),
        "about": _about(found, about),
        "tables_title": "Tables",
        "tiles": _tiles(found, about),
        "alerts": _alerts(found),
        "plots_title": "Errors" if has_truth else "Distances",
        "plots_hint": "Measured against the true depth beside the pictures. The plots follow the filters of the table."
        if has_truth
        else "No true depth lies beside the pictures, so nothing is said of errors. The plots follow the filters of the table.",
        "pictures_hint": _pictures_hint(chosen, found),
        "cards": (card(item.order, item.frame, reason, found.texts.place(item.frame.name)) for item, reason in chosen),
        "footer": "Made by Depthbridge. Distances are planar, along the optical axis; ranges are along each pixel's ray. "
        "Numbers of accuracy as in Eigen et al. 2014.",
        "data": _data(found, class_table(found, about), chosen),
    }
    script = "".join(resource(name) for name in _OWN_SCRIPTS)
    yield from framed(resource("page.html"), parts, style="", script=script)


def _data(found: Gathered, classes: Table, chosen: list[tuple[Candidate, str]]) -> Iterator[str]:
    shown = {str(found.texts.place(item.frame.name)): f"frame-{item.order}" for item, _ in chosen}
    yield f'{{"unit":{script_json(found.unit)},"cards":{script_json(shown)},"tables":{{'
    for place, (name, table) in enumerate((("objects", found.objects), ("frames", found.frames), ("classes", classes))):
        yield f'{"," if place else ""}"{name}":'
        yield from table.json_parts()
    yield f'}},"texts":{script_json(found.texts.values)}}}'


def _about(found: Gathered, about: ReportAbout) -> str:
    cameras = ", ".join(
        f"{_CAMERAS.get(name, name)}{f' ({count})' if len(found.cameras) > 1 else ''}" for name, count in sorted(found.cameras.items())
    )
    facts = {
        "Capture": about.capture,
        "Layout": about.layout,
        "Model": about.model or found.model,
        "Camera": cameras,
        "Unit": {"m": "metres", "relative": "relative: up to one scale", "disparity": "disparity: larger is nearer"}.get(found.unit, found.unit),
    }
    items = "".join(f"<div><dt>{name}</dt><dd>{escaped(value)}</dd></div>" for name, value in facts.items() if value)
    return f'<dl class="facts">{items}</dl>'


def _tiles(found: Gathered, about: ReportAbout) -> str:
    tiles = [
        _tile(f"{found.frames.count:,}", "frames", f"{len(found.failed):,} failed" if found.failed else "none failed", bool(found.failed)),
        _tile(f"{found.objects.count:,}", "objects", f"{found.without:,} without a distance" if found.without else "all with a distance"),
    ]
    if about.accuracy is not None:
        tiles += _accuracy_tiles(about.accuracy)
    if about.whole_frame is not None:
        tiles.append(f'<div class="tile wide"><b>Whole frames</b><span>{accuracy_text(about.whole_frame)}</span></div>')
    if found.suspected:
        tiles.append(_tile(f"{len(found.suspected):,}", "masks upside down?", "see below", True))
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _accuracy_tiles(accuracy: AccuracyNumbers) -> list[str]:
    pixels = f"{accuracy.pixels:,} pixels of objects"
    return [
        _tile(percent(number(accuracy.abs_rel)) or "–", "AbsRel", f"mean |error| / truth, {pixels}"),
        _tile(metres(number(accuracy.rmse_m)), "RMSE", "root mean square error"),
        _tile(percent(number(accuracy.delta1)) or "–", "δ < 1.25", "pixels within a factor of 1.25"),
    ]


def _tile(value: str, name: str, below: str, warn: bool = False) -> str:
    return f'<div class="tile{" warn" if warn else ""}"><b>{escaped(value)}</b> {escaped(name)}<span>{escaped(below)}</span></div>'


def _alerts(found: Gathered) -> str:
    failed = [f'<li><b class="name">{escaped(name)}</b> {escaped(sentence)}</li>' for name, sentence in found.failed]
    suspected = [f'<li><b class="name">{escaped(name)}</b></li>' for name in found.suspected]
    notes = [f"<li>{escaped(note)}{f' ({count:,} frames)' if count > 1 else ''}</li>" for note, count in found.notes.items()]
    return (
        _alert("problem", f"{len(failed):,} frames could not be used", failed)
        + _alert("problem", f"In {len(suspected):,} frames the mask seems upside down against the picture: their distances are wrong", suspected)
        + _alert("", f"Notes ({len(notes):,})", notes)
    )


def _alert(kind: str, title: str, items: list[str]) -> str:
    if not items:
        return ""
    more = f"<li>… and {len(items) - _LISTED:,} more: see the table of frames</li>" if len(items) > _LISTED else ""
    opened = " open" if kind else ""
    title = title.replace("1 frames", "1 frame") if len(items) == 1 else title
    return f'<details class="alert {kind}"{opened}><summary>{escaped(title)}</summary><ul>{"".join(items[:_LISTED])}{more}</ul></details>'


def _pictures_hint(chosen: list[tuple[Candidate, str]], found: Gathered) -> str:
    if not chosen:
        return "No frame has pictures."
    what = "Outlines carry the median distance of each object; depth is bright where near."
    if all(reason == ALL for _, reason in chosen):
        return f"All {len(chosen):,} frames that were measured. {what}"
    worst = sum(reason == WORST for _, reason in chosen)
    which = f"{worst} with the largest errors and {len(chosen) - worst} evenly spaced" if worst else "evenly spaced"
    return f"{len(chosen):,} of the {found.shortlist.count:,} frames that were measured: {which}. The tables hold all. {what}"
