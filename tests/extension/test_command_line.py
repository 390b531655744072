# SPDX-License-Identifier: Apache-2.0
"""What ``blender -c depthbridge`` calls, of the installed extension: bpy as a module has no command line of its own."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import bpy
import pytest

ROOM = Path(__file__).resolve().parents[2] / "models" / "samples" / "room.jpg"


def test_the_installed_command_builds_with_the_embedded_model(extension: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    # Without glTF: bpy 4.2 as a module crashes when the process ends after an export of it. The same files are tried without the zip.
    command = importlib.import_module(f"{extension}.addon.batch.command_line")
    out = tmp_path / "out"
    words = ["build", str(ROOM), str(tmp_path / "missing.png"), "--out", str(out), "--save", "blend,ply,exr", "--max-vertices", "20000"]
    capfd.readouterr()
    assert command.run([*words, "--backfill"]) == 1
    said = capfd.readouterr()
    built, failed = (json.loads(line) for line in said.out.splitlines())
    assert (built["status"], built["model"], failed["status"]) == ("built", "depthbridge-mini", "failed")
    assert "does not exist" in said.err
    assert sorted(path.name for path in out.iterdir()) == ["room.blend", "room.exr", "room.ply"]
    assert extension in bpy.context.preferences.addons  # each input starts from an empty file, not from another Blender
    assert command.run(words[:2] + words[3:]) == 0
    assert json.loads(capfd.readouterr().out)["status"] == "skipped"
    assert command.run(["build", str(ROOM)]) == 2
    assert capfd.readouterr().out == ""


def test_the_command_is_known_to_blender(extension: str) -> None:
    command = importlib.import_module(f"{extension}.addon.batch.command_line")
    assert len(command._handles) == 1
    command.unregister_more()
    assert command._handles == []
    command.register_more()
