# SPDX-License-Identifier: Apache-2.0
"""The one door through which names, sentences and numbers enter the page: what is text stays text."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
import re
from collections.abc import Iterable
from typing import Any

_MAX_TEXT = 300
# Control characters have no look, lone surrogates no UTF-8, and direction overrides would turn the text around them.
_UNSHOWABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def shown(value: object) -> str:
    """``value`` as a reader sees it: text as it is, anything else as JSON; at most 300 characters."""
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False, default=str)
    text = _UNSHOWABLE.sub("\ufffd", text)
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…"


def escaped(value: object) -> str:
    """:func:`shown`, for HTML text and double-quoted attributes."""
    return html.escape(shown(value), quote=True)


def number(value: object) -> float | None:
    """A finite number out of JSON, or None for whatever else stands there."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def script_json(data: Any) -> str:
    """JSON that may stand in a script element: there ``<`` would begin a tag, ``</script>`` among them."""
    return json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def json_numbers(values: Iterable[float | None], *, digits: int) -> str:
    """A JSON list of numbers in so many significant digits, ``null`` for None: as short as a table of many thousand rows needs them."""
    return "[" + ",".join("null" if value is None else f"{value:.{digits}g}" for value in values) + "]"


def data_uri(content: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def csp_hash(content: str) -> str:
    """What a Content-Security-Policy calls an inline script or style: with it, no other one runs."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def metres(value: float | None, unit: str = "m") -> str:
    """Three decimals below 10, two below 100, one above, and the unit."""
    if value is None:
        return "no distance"
    decimals = 3 if abs(value) < 10 else 2 if abs(value) < 100 else 1
    return f"{value:.{decimals}f}{' m' if unit == 'm' else ''}"


def percent(fraction: float | None, *, signed: bool = False) -> str:
    """A part of one in percent with one decimal; empty for None."""
    return "" if fraction is None else f"{100 * fraction:{'+' if signed else ''}.1f} %"
