# SPDX-License-Identifier: Apache-2.0
"""What ``blender -c depthbridge`` calls, of the installed extension: bpy as a module has no command line of its own."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import bpy
import pytest

MODELS = Path(__file__).resolve().parents[2] / "models"
ROOM, MINI = MODELS / "samples" / "room.jpg", MODELS / "depthbridge-mini.onnx"


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


def test_the_command_finds_the_models_that_the_sidebar_downloads(
    extension: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    command = importlib.import_module(f"{extension}.addon.batch.command_line")
    monkeypatch.delenv("DEPTHBRIDGE_MODELS", raising=False)
    preferences = bpy.context.preferences.addons[extension].preferences
    for folder, model_id in ((tmp_path / "elsewhere", "theirs"), (tmp_path / "chosen", "mine")):
        preferences.models_folder = str(folder)
        assert bpy.ops.depthbridge.add_model(filepath=str(MINI), model_id=model_id) == {"FINISHED"}
    words = ["build", str(ROOM), "--out", str(tmp_path / "out"), "--save", "exr", "--force", "--model"]
    capfd.readouterr()
    assert command.run([*words, "mine"]) == 0
    assert json.loads(capfd.readouterr().out)["model"] == "mine"
    assert bpy.context.preferences.addons[extension].preferences.models_folder == str(tmp_path / "chosen")
    assert command.run([*words, "theirs"]) == 2
    # A folder named in the command, or in the environment, goes before it.
    assert command.run([*words, "theirs", "--models-dir", str(tmp_path / "elsewhere")]) == 0
    monkeypatch.setenv("DEPTHBRIDGE_MODELS", str(tmp_path / "elsewhere"))
    assert command.run([*words, "theirs"]) == 0
