# SPDX-License-Identifier: Apache-2.0
"""``depthbridge scene`` up to the door of Blender."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from depthbridge.cli.scene import command
from depthbridge.engines.errors import RuntimeUnavailableError


def test_without_bpy_one_sentence_names_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What the import system itself records of a module that is not there.
    monkeypatch.setitem(sys.modules, "bpy", None)
    (tmp_path / "photo.png").write_bytes(b"a picture")
    error = CliRunner().invoke(command, [str(tmp_path / "photo.png"), "--out", str(tmp_path / "out")]).exception
    assert isinstance(error, RuntimeUnavailableError)
    assert "3.11 or 3.13" in str(error)
    assert "depthbridge[blender]" in str(error)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]


def test_its_help_is_the_batchs_and_needs_no_bpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bpy", None)
    result = CliRunner().invoke(command, ["--help"])
    assert result.exit_code == 0
    assert result.output.startswith("usage: depthbridge scene")
    assert "--max-vertices" in result.output
