# SPDX-License-Identifier: Apache-2.0
"""A training log as a picture: what the network got right on unseen pictures, over the pictures shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 720, 300, 44, 16, 24, 36
_LINES = (
    ("absrel_aligned", "AbsRel, one scale", "#1f77b4"),
    ("absrel", "AbsRel, no scale", "#d62728"),
    ("edge_f1", "depth-edge F1", "#2ca02c"),
)


def write_curve(log: Path, out: Path) -> None:
    """Draws the rows of a log.jsonl as SVG; where it resumed earlier than the last row, the later rows win."""
    rows = {int(row["step"]): row for row in map(json.loads, log.read_text().splitlines())}
    ordered = [rows[step] for step in sorted(rows)]
    shown, total = [], 0.0
    for before, row in zip([0, *sorted(rows)[:-1]], ordered, strict=True):
        total += (row["step"] - before) * row["batch"]
        shown.append(total)
    out.write_text(curve_svg(ordered, shown))


def curve_svg(rows: list[dict[str, Any]], shown: list[float]) -> str:
    """`shown`: pictures shown up to each row. Values above 1 are drawn at 1."""
    most = max(shown)

    def place(x: float, y: float) -> str:
        across = _LEFT + (_WIDTH - _LEFT - _RIGHT) * x / most
        return f"{across:.1f},{_HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * min(max(y, 0), 1):.1f}"

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="11">',
             f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>']  # fmt: skip
    for tenth in range(0, 11, 2):
        start, end = place(0, tenth / 10), place(most, tenth / 10)
        parts.append(f'<polyline points="{start} {end}" stroke="#ddd"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{float(start.split(",")[1]) + 4}" text-anchor="end">{tenth / 10:.1f}</text>')
    for number, (key, label, colour) in enumerate(_LINES):
        points = " ".join(place(x, row[key]) for x, row in zip(shown, rows, strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts.append(f'<text x="{_LEFT + 8 + 150 * number}" y="15" fill="{colour}">{label}</text>')
    marks = [i for i in range(1, len(rows)) if rows[i]["factor"] != rows[i - 1]["factor"]]
    parts += [f'<polyline points="{place(shown[i - 1], 0)} {place(shown[i - 1], 1)}" stroke="#999" stroke-dasharray="4"/>' for i in marks]
    parts.append(f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 12}" text-anchor="end">{most:,.0f} pictures shown</text></svg>\n')
    return "\n".join(parts)
