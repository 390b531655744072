# SPDX-License-Identifier: Apache-2.0
"""The figures of the card as Markdown."""

from __future__ import annotations

from collections.abc import Callable

from .judging import Summary
from .stability import Stability

_GUESSES = {"model": "the model", "row": "row-mean prior", "constant": "constant prior", "shuffled": "the model, shuffled pictures"}


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def guesses(found: Summary) -> str:
    """Model, priors and the stranger on one set."""
    header = ("guess", "AbsRel, one scale", "its median", "delta1", "AbsRel, no scale", "delta1, no scale")
    rows = []
    for key, label in _GUESSES.items():
        g = found.guesses[key]
        rows.append((label, *(f"{v:.3f}" for v in (g.absrel, g.absrel_median, g.delta1, g.absrel_unaligned, g.delta1_unaligned))))
    return table(header, rows)


def model_report(
    name: str, whole: dict[str, Summary], parts: dict[str, Summary], steady: dict[str, Stability], milliseconds: float, megabytes: float
) -> str:
    """Everything about one model."""
    pieces = [f"# {name}: {megabytes:.2f} MB, {milliseconds:.0f} ms per 280x504 picture on two threads\n"]
    for label, found in whole.items():
        pieces.append(f"{label} ({found.pictures} pictures)\n\n{guesses(found)}")
    header = ("", *whole)
    lines: dict[str, Callable[[Summary], str]] = {
        "AbsRel over the better prior's": lambda s: f"{s.ratio:.3f}",
        "the same with shuffled pictures": lambda s: f"{s.shuffled_ratio:.3f}",
        "depth-edge F1": lambda s: f"{s.edges:.3f}",
        "boundary F1 (Depth Pro)": lambda s: f"{s.boundary:.3f}",
        "sky accuracy at 0.3": lambda s: f"{s.sky_accuracy:.4f}",
        "sky accuracy, only pictures with sky": lambda s: f"{s.sky_accuracy_where_sky:.4f}",
        "sky IoU, only pictures with sky": lambda s: f"{s.sky_overlap:.3f}",
        "AbsRel of the more confident half, over all": lambda s: f"{s.trust:.2f}",
    }
    rows = [(label, *(show(found) for found in whole.values())) for label, show in lines.items()]
    rows.append(("change when moved by a pixel", *(f"{each.shifted:.2%}" for each in steady.values())))
    rows.append(("change when what the network sees is a tenth smaller", *(f"{each.resized:.2%}" for each in steady.values())))
    rows.append(("change when the picture given to the engine is a tenth smaller", *(f"{each.resized_in_use:.2%}" for each in steady.values())))
    pieces.append(table(header, rows))
    header = ("kind of scene", "pictures", "AbsRel, one scale", "row-mean prior", "AbsRel, no scale", "depth-edge F1")
    pieces.append(
        table(
            header,
            [
                (label, str(s.pictures), f"{s.guesses['model'].absrel:.3f}", f"{s.guesses['row'].absrel:.3f}",
                 f"{s.guesses['model'].absrel_unaligned:.3f}", f"{s.edges:.3f}")
                for label, s in parts.items()
            ],
        )
    )  # fmt: skip
    return "\n".join(pieces)


def side_by_side(models: dict[str, dict[str, Summary]]) -> str:
    """Models and priors over all sets: AbsRel after one scale, and over the better prior's."""
    sets = list(next(iter(models.values())))
    rows = [
        (name, *(f"{whole[each].guesses['model'].absrel:.3f} ({whole[each].ratio:.2f}x)" for each in sets)) for name, whole in models.items()
    ]
    first = next(iter(models.values()))
    rows += [(_GUESSES[key], *(f"{first[each].guesses[key].absrel:.3f}" for each in sets)) for key in ("row", "constant")]
    return table(("AbsRel, one scale (over the better prior's)", *sets), rows)
