# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings changed for the length of a block and put back afterwards, however it ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any


@contextmanager
def overridden(settings: Sequence[tuple[Any, str, Any]]) -> Iterator[None]:
    """Give each property (owner, name, value) its value; all of them are back when the block ends."""
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in settings]
    try:
        for owner, name, value in settings:
            setattr(owner, name, value)
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)
