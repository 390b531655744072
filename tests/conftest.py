# SPDX-License-Identifier: Apache-2.0
"""Fixtures that several test files share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.model_host import ModelHost, serving


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelHost]:
    """A download host on this machine, reached past any proxy."""
    monkeypatch.setenv("no_proxy", "*")
    with serving() as running:
        yield running
