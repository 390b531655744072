# SPDX-License-Identifier: Apache-2.0
"""The page's file, put together piece by piece."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ....unity_bridge.captures.report.markup import escaped, script_json
from ....unity_bridge.captures.report.tables import COUNT, LENGTH, PART, TEXT, Column, Table, Texts
from ....unity_bridge.captures.report.template import framed, resource
from ..candidates import ALIGNMENTS, Candidate
from ..figures import FIGURES
from ..pictures import Shown
from ..results import result
from ..run import Row, Run
from ..terminal import NOT_ALIKE, figure_text
from ..totals import Totals
from .cards import card

_LISTED = 8
_ALWAYS = frozenset({"frame", "label", "abs_rel"})


def write_page(path: Path, run: Run, totals: Mapping[str, Totals], chosen: Sequence[Shown], data_set: str) -> None:
    """Write the page to ``path``, which does not exist yet; it needs nothing outside it."""
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        file.writelines(_page(run, totals, chosen, data_set))


def _page(run: Run, totals: Mapping[str, Totals], chosen: Sequence[Shown], data_set: str) -> Iterator[str]:
    texts = Texts()
    table, problems = _table(run, texts)
    parts: dict[str, str | Iterable[str]] = {
        "title": escaped(f"{data_set}: errors of depth"),
        "about": _about(run),
        "tables_title": "Table",
        "totals": _totals(run, totals),
        "alerts": _alert("problem", "Estimates that failed", problems.failed)
        + _alert("", "Pictures without a pixel that counts", problems.empty),
        "plots_hint": "The first plot follows the filters of the table; the others are over all pixels that count, of all pictures.",
        "legend": _legend(run),
        "pictures_hint": "Each model's largest and smallest AbsRel. Depth is bright where near, on the truth's scale; in the error, red is too "
        "far, blue too near, white right; grey has no depth, or is not compared.",
        "columns": {1: "one", 2: "two"}.get(len(run.candidates), "more"),
        "cards": (card(shown, run.candidates, texts.place(shown.name)) for shown in chosen),
        "footer": "Made by Depthbridge. Depth is planar, along the optical axis. Errors as in Eigen et al. 2014, each picture counting once.",
        "data": _data(run, totals, chosen, table, texts),
    }
    page, style, script = (resource(name, __package__) for name in ("page.html", "page.css", "evaluation.js"))
    yield from framed(page, parts, style=style, script=script)


class _Problems:
    """Sentences about estimates that failed and pictures without truth."""

    def __init__(self) -> None:
        self.failed: list[str] = []
        self.empty: list[str] = []

    def see(self, candidate: Candidate, row: Row, *, first: bool) -> None:
        name = f'<li><b class="name">{escaped(row.name)}</b>'
        if row.error is not None:
            self.failed.append(f"{name} with {escaped(candidate.label)}: {escaped(row.error)}</li>")
        elif first and not row.counted:
            self.empty.append(f"{name}</li>")


def _table(run: Run, texts: Texts) -> tuple[Table, _Problems]:
    columns = (
        Column("frame", "Picture", TEXT),
        Column("label", "Model", TEXT),
        *(Column(figure.key, figure.title, LENGTH, figure.meaning) for figure in FIGURES),
        Column("scale", "Scale", LENGTH, "Median of truth / estimate as the model gave it"),
        Column("coverage", "Coverage", PART, "Share of the counted pixels for which the model says a depth"),
        Column("counted", "Pixels", COUNT, "Pixels that count in this picture"),
        Column("note", "Note", TEXT),
    )
    table, problems = Table(columns, texts, _ALWAYS), _Problems()
    for place, candidate in enumerate(run.candidates):
        for row in run.rows(candidate):
            problems.see(candidate, row, first=place == 0)
            note = row.error or "; ".join(row.notes)
            table.add({"frame": row.name, "label": candidate.label, "note": note, "counted": row.counted, **result(row)})
    return table, problems


def _data(run: Run, totals: Mapping[str, Totals], chosen: Sequence[Shown], table: Table, texts: Texts) -> Iterator[str]:
    models = [
        {
            "label": texts.place(candidate.label),
            "ranges": [[each.near_m, each.far_m, each.pixels, each.abs_rel, each.bias] for each in totals[candidate.label].by_depth()],
        }
        for candidate in run.candidates
    ]
    cards = {str(texts.place(shown.name)): f"picture-{shown.place}" for shown in chosen}
    yield f'{{"models":{script_json(models)},"cards":{script_json(cards)},"table":'
    yield from table.json_parts()
    yield f',"texts":{script_json(texts.values)}}}'


def _about(run: Run) -> str:
    facts = {
        "Layout": run.dataset.layout,
        "Protocol": run.dataset.protocol,
        "Pictures": f"{len(run.names):,} of {len(run.dataset.names()):,}",
        "Camera": "" if run.fov_vertical_deg is None else f"{run.fov_vertical_deg:g} degrees vertical where the data set says none",
    }
    items = "".join(f"<div><dt>{name}</dt><dd>{escaped(value)}</dd></div>" for name, value in facts.items() if value)
    return f'<dl class="facts">{items}</dl>'


def _totals(run: Run, totals: Mapping[str, Totals]) -> str:
    """The table in plain HTML; the best of several models is marked, where they are aligned alike."""
    heads = "".join(f'<th scope="col" title="{escaped(each.meaning)}">{each.title} {"↓" if each.less else "↑"}</th>' for each in FIGURES)
    best = {}
    alike = len({candidate.alignment for candidate in run.candidates}) == 1
    for figure in FIGURES:
        known = [total for each in totals.values() if (total := each.total(figure.key)) is not None]
        if len(set(known)) > 1 and alike:
            best[figure.key] = min(known) if figure.less else max(known)
    rows = []
    for place, candidate in enumerate(run.candidates):
        mine, cells = totals[candidate.label], []
        for figure in FIGURES:
            total, text = mine.total(figure.key), figure_text(mine.total(figure.key))
            shown = f"<b>{text}</b>" if total is not None and best.get(figure.key) == total else text
            cells.append(f"<td>{shown}<small>{figure_text(mine.median(figure.key))}</small></td>")
        rows.append(f'<tr><td class="text">{_name(run, candidate, place)}</td>{"".join(cells)}<td>{mine.pictures:,}</td></tr>')
    return (
        f'<div class="totals"><table><thead><tr><th class="text" scope="col">Model</th>{heads}<th scope="col">Pictures</th></tr></thead>'
        f'<tbody>{"".join(rows)}</tbody></table></div>'
        '<p class="hint">Large: mean over the pictures that have the figure (of sky: all pictures together); small: median.'
        f"{'' if alike else f' {NOT_ALIKE}'}</p>"
    )


def _name(run: Run, candidate: Candidate, place: int) -> str:
    ran = ", ".join(f"{each['runtime']} {each['device']} {each['precision']}" for each in run.runtimes(candidate))
    what = f"{candidate.kind}; {ALIGNMENTS[candidate.alignment]}. {ran}. SHA-256 {candidate.sha256[:12]}…"
    return f'<span class="swatch c{place % 8}"></span><span class="name">{escaped(candidate.label)}</span><small>{escaped(what)}</small>'


def _legend(run: Run) -> str:
    items = (f'<span><i class="swatch c{place % 8}"></i>{escaped(each.label)}</span>' for place, each in enumerate(run.candidates))
    return f'<p class="legend">{"".join(items)}</p>' if len(run.candidates) > 1 else ""


def _alert(kind: str, title: str, items: list[str]) -> str:
    if not items:
        return ""
    more = f"<li>… and {len(items) - _LISTED:,} more: see evaluation.json</li>" if len(items) > _LISTED else ""
    opened = " open" if kind else ""
    listed = "".join(items[:_LISTED]) + more
    return f'<details class="alert {kind}"{opened}><summary>{title}: {len(items):,}</summary><ul>{listed}</ul></details>'
