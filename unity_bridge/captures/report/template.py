# SPDX-License-Identifier: Apache-2.0
"""What every page is made of: the files beside this module, and a template filled piece by piece."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files

import numpy as np

from ....engines.export.color_map import ramp
from .markup import csp_hash

_SHARED_SCRIPTS = ("table.js", "plots.js", "appearance.js")


def filled(template: str, parts: Mapping[str, str | Iterable[str]]) -> Iterator[str]:
    """The template with its ``${names}`` replaced, once: what is put in is not looked through again."""
    for place, piece in enumerate(re.split(r"\$\{(\w+)\}", template)):
        if place % 2 == 0:
            yield piece
        elif isinstance(part := parts[piece], str):
            yield part
        else:
            yield from part


def framed(sections: str, parts: Mapping[str, str | Iterable[str]], *, style: str, script: str) -> Iterator[str]:
    """A whole page: ``frame.html`` around the template ``sections``, both filled with ``parts``.

    ``style`` follows ``page.css``, ``script`` the scripts that all pages share; nothing else may run in the page.
    """
    style, script = _style_sheet() + style, _script(script)
    frame = {"style": style, "style_hash": csp_hash(style), "script": script, "script_hash": csp_hash(script)}
    yield from filled(resource("frame.html"), {**parts, **frame, "sections": filled(sections, parts)})


def _style_sheet() -> str:
    """``page.css`` with the colours of depth in it."""
    stops = ",".join("#{:02x}{:02x}{:02x}".format(*colour) for colour in ramp(np.linspace(1, 0, 17)).tolist())
    return resource("page.css").replace("/*ramp*/", stops)


def _script(own: str) -> str:
    return '"use strict";(() => {\n' + "".join(resource(name) for name in _SHARED_SCRIPTS) + own + "})();"


def resource(name: str, package: str = __name__.rpartition(".")[0]) -> str:
    """The text of a file in a package, this one by default."""
    return files(package).joinpath(name).read_text(encoding="utf-8")
