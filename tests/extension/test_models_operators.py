# SPDX-License-Identifier: Apache-2.0
"""Downloading and adding models through the operators of the installed extension, from a real host on this machine."""

from __future__ import annotations

import importlib
import threading
import time
from pathlib import Path
from typing import Any

import bpy
import pytest

from depthbridge.engines.catalog import CATALOG_FILE
from support import onnx_models as models
from support.disks import small_disk
from support.fetching import onnx_bytes
from support.model_host import ModelHost

PATH = "/owner/repo/model.onnx"


@pytest.fixture
def folder(extension: str, tmp_path: Path) -> Path:
    """The folder for models that the preferences name, and Blender allowed to go online."""
    bpy.context.preferences.addons[extension].preferences.models_folder = str(tmp_path / "models")
    bpy.context.preferences.system.use_online_access = True
    return tmp_path / "models"


@pytest.fixture
def catalogue(extension: str, host: ModelHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The installed extension reads a copy of the real catalogue in which every file lies on ``host``."""
    text = CATALOG_FILE.read_text(encoding="utf-8")
    lines = [f'url = "{host.address}{PATH}"' if line.startswith("url = ") else line for line in text.splitlines()]
    path = tmp_path / "catalog.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    module = importlib.import_module(f"{extension}.engines.catalog")
    monkeypatch.setattr(module.load_catalog, "__defaults__", (path,))
    return extension


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()) if folder.exists() else []


def refused(call: Any, **arguments: Any) -> str:
    with pytest.raises(RuntimeError) as caught:
        call(**arguments)
    told = str(caught.value)
    assert "Traceback" not in told and "should not" not in told, told
    return told


def offered(extension: str) -> list[str]:
    """The models that the sidebar lists as installed."""
    return [model.id for model in importlib.import_module(f"{extension}.addon.ui.model_list").MODELS.installed]


# ---- download ----------------------------------------------------------------------------------------------------------


def test_a_download_is_checked_installed_and_listed(catalogue: str, host: ModelHost, folder: Path, tmp_path: Path) -> None:
    content = onnx_bytes(tmp_path)
    host.put_repository(PATH, content)
    assert bpy.ops.depthbridge.fetch_model(model_id="da2-small") == {"FINISHED"}
    assert (folder / "da2-small" / "model.onnx").read_bytes() == content
    assert "da2-small" in offered(catalogue)
    bpy.context.scene.depthbridge.model = "da2-small"


def test_offline_nothing_is_asked_of_the_network(catalogue: str, host: ModelHost, folder: Path) -> None:
    bpy.context.preferences.system.use_online_access = False
    told = refused(bpy.ops.depthbridge.fetch_model, model_id="da2-small")
    assert "Allow Online Access" in told
    assert host.asked == [] and files(folder) == []


@pytest.mark.parametrize("model_id", ["da2-large", "da2-metric-indoor-small"])
def test_a_limiting_or_unclear_licence_has_to_be_agreed_to(
    catalogue: str, host: ModelHost, folder: Path, tmp_path: Path, model_id: str
) -> None:
    host.put_repository(PATH, onnx_bytes(tmp_path))
    told = refused(bpy.ops.depthbridge.fetch_model, model_id=model_id)
    assert "licence" in told and "accept_licence=True" in told
    assert host.asked == [] and files(folder) == []
    assert bpy.ops.depthbridge.fetch_model(model_id=model_id, accept_licence=True) == {"FINISHED"}
    # Agreed to once, and not for the next one.
    assert "licence" in refused(bpy.ops.depthbridge.fetch_model, model_id=model_id)


@pytest.mark.parametrize(
    ("model_id", "told"),
    [("da2-smal", "did you mean da2-small"), ("", "no model ''"), ("depthbridge-mini", "comes with Depthbridge"), ("da3mono-large", "cannot be fetched")],
)
def test_what_cannot_be_downloaded_is_one_sentence(catalogue: str, host: ModelHost, folder: Path, model_id: str, told: str) -> None:
    assert told in refused(bpy.ops.depthbridge.fetch_model, model_id=model_id)
    assert files(folder) == []


def test_a_host_without_the_file_is_one_sentence(catalogue: str, host: ModelHost, folder: Path) -> None:
    assert f"{host.address}{PATH}" in refused(bpy.ops.depthbridge.fetch_model, model_id="da2-small") and host.asked
    assert files(folder) == []


def test_a_page_of_text_is_no_model(catalogue: str, host: ModelHost, folder: Path) -> None:
    host.put(PATH, b"<html>please log in</html>" * 100)
    assert "not an ONNX model" in refused(bpy.ops.depthbridge.fetch_model, model_id="da2-small")
    assert files(folder) == [] and "da2-small" not in offered(catalogue)


def test_a_full_disk_is_one_sentence(catalogue: str, host: ModelHost, tmp_path: Path) -> None:
    bpy.context.preferences.system.use_online_access = True
    host.put_repository(PATH, onnx_bytes(tmp_path, weights=400_000))
    with small_disk(tmp_path / "disk", "size=1m") as disk:
        bpy.context.preferences.addons[catalogue].preferences.models_folder = str(disk / "models")
        assert "free some space" in refused(bpy.ops.depthbridge.fetch_model, model_id="da2-small")
        assert files(disk / "models") == []


# ---- the thread --------------------------------------------------------------------------------------------------------


def test_a_stopped_download_installs_nothing_and_is_resumed(catalogue: str, host: ModelHost, folder: Path, tmp_path: Path) -> None:
    content = onnx_bytes(tmp_path, weights=400_000)
    arrived = len(content) // 3
    # The line breaks; before it is tried again there is time to stop.
    host.put_repository(PATH, content, cut_after=[arrived])
    fetching = importlib.import_module(f"{catalogue}.addon.jobs.model_fetch")
    errors = importlib.import_module(f"{catalogue}.engines.errors")
    state = fetching.FetchState("da2-small")

    def stop_when_it_breaks() -> None:
        while state.done < arrived:
            time.sleep(0.005)
        state.stop()

    watcher = threading.Thread(target=stop_when_it_breaks, daemon=True)
    watcher.start()
    with pytest.raises(errors.CancelledError):
        fetching.fetch_model(state, folder)
    watcher.join()
    assert (state.done, state.total) == (arrived, len(content)) and state.fraction == pytest.approx(1 / 3, abs=1e-3)
    assert not (folder / "da2-small" / "model.onnx").exists()
    lists = importlib.import_module(f"{catalogue}.addon.ui.model_list")
    lists.MODELS.refresh(folder)
    assert "da2-small" not in offered(catalogue)
    assert bpy.ops.depthbridge.fetch_model(model_id="da2-small") == {"FINISHED"}
    assert (folder / "da2-small" / "model.onnx").read_bytes() == content
    assert host.ranges_asked(PATH) == [None, f"bytes={arrived}-"]


def test_what_a_progress_bar_says(extension: str) -> None:
    fetching = importlib.import_module(f"{extension}.addon.jobs.model_fetch")
    state = fetching.FetchState("da2-small")
    assert (state.text, state.fraction, state.seconds_left) == ("Asking the host", 0.0, None)
    state.report(3_000_000, None)
    assert (state.text, state.fraction) == ("3.0 MB", 0.0)
    state.report(25_000_000, 100_000_000)
    assert state.text == "25% of 100.0 MB" and state.fraction == 0.25
    state.report(100_000_000, 100_000_000)
    assert state.text == "Checking 100.0 MB" and state.fraction == 1.0
    state.stop()
    assert state.text == "Stopping"


def test_two_downloads_at_once_are_refused(catalogue: str, host: ModelHost, folder: Path) -> None:
    operators = importlib.import_module(f"{catalogue}.addon.ui.model_operators")
    operators.FetchModel.running = importlib.import_module(f"{catalogue}.addon.jobs.model_fetch").FetchState("da2-base")
    try:
        assert "da2-base is being downloaded" in refused(bpy.ops.depthbridge.fetch_model, model_id="da2-small")
        assert host.asked == []
        assert bpy.ops.depthbridge.cancel_fetch() == {"FINISHED"} and operators.FetchModel.running.stopped
    finally:
        operators.FetchModel.running = None
    assert "Nothing is being downloaded" in refused(bpy.ops.depthbridge.cancel_fetch)


# ---- a file of one's own -----------------------------------------------------------------------------------------------


def test_an_own_file_is_copied_and_can_be_built_with(catalogue: str, folder: Path, tmp_path: Path) -> None:
    own = tmp_path / "Mine Own.onnx"
    models.da2_metric(own)
    assert bpy.ops.depthbridge.add_model(filepath=str(own)) == {"FINISHED"}
    assert "mine-own" in offered(catalogue)
    settings = bpy.context.scene.depthbridge
    settings.model, settings.max_vertices = "mine-own", 2000
    bpy.ops.depthbridge.build(filepath=str(Path(__file__).resolve().parents[2] / "models" / "samples" / "room.jpg"))
    assert bpy.context.view_layer.objects.active["depthbridge_model"] == "mine-own"


def test_an_id_is_taken_once_unless_it_is_replaced(catalogue: str, folder: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.onnx"
    models.da2_metric(own)
    bpy.ops.depthbridge.add_model(filepath=str(own), model_id="mine")
    installed = files(folder)
    assert "installed already" in refused(bpy.ops.depthbridge.add_model, filepath=str(own), model_id="mine")
    assert files(folder) == installed
    assert bpy.ops.depthbridge.add_model(filepath=str(own), model_id="mine", replace_existing=True) == {"FINISHED"}


@pytest.mark.parametrize(
    ("name", "content", "more", "told"),
    [
        ("gone.onnx", None, {}, "does not exist"),
        ("text.onnx", b"no model at all", {}, "text.onnx"),
        ("", None, {}, "No file is chosen"),
    ],
)
def test_what_is_no_model_is_refused(
    catalogue: str, folder: Path, tmp_path: Path, name: str, content: bytes | None, more: dict[str, Any], told: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert told in refused(bpy.ops.depthbridge.add_model, filepath=str(tmp_path / name) if name else "", **more)
    assert files(folder) == []


def test_numbers_of_another_family_are_refused(catalogue: str, folder: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.onnx"
    models.da2_metric(own)
    told = refused(bpy.ops.depthbridge.add_model, filepath=str(own), family="da2-relative", canonical_focal_px=300.0)
    assert "canonical" in told and files(folder) == []
