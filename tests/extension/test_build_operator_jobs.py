# SPDX-License-Identifier: Apache-2.0
"""Builds that go on: stopped, doubled, overtaken by a file load; and engines that are not what they seem."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from PIL import Image

from depthbridge.engines.model_import import AddRequest, add_model
from depthbridge.engines.model_spec import Family
from support.blend_data import contents
from support.onnx_models import da2_relative, slow_when_bright

NAME = "bl_ext.user_default.depthbridge"


@pytest.fixture
def models(tmp_path: Path, extension: str) -> Path:
    """A folder of models that the preferences name."""
    folder = tmp_path / "models"
    folder.mkdir()
    bpy.context.preferences.addons[extension].preferences.models_folder = str(folder)
    return folder


@pytest.fixture
def slow(models: Path, tmp_path: Path) -> Any:
    """Settings of a build that takes minutes."""
    add_model(AddRequest(slow_when_bright(tmp_path / "slow.onnx"), "slow", Family.DA3_MONO), models)
    bpy.ops.depthbridge.refresh_models()
    Image.fromarray(np.full((64, 64, 3), 255, np.uint8)).save(tmp_path / "bright.png")
    settings = bpy.context.scene.depthbridge
    settings.filepath, settings.model = str(tmp_path / "bright.png"), "slow"
    return settings


def _begin() -> Any:
    """A build that goes on as the window's does, begun without a window."""
    from bl_ext.user_default.depthbridge.addon.jobs.progress import Pace
    from bl_ext.user_default.depthbridge.addon.ui.build_operators import Build
    from bl_ext.user_default.depthbridge.addon.ui.requests import wanted_from
    from bl_ext.user_default.depthbridge.addon.ui.running_build import RunningBuild

    Build.running = RunningBuild(wanted_from(bpy.context), Pace())
    return Build.running


@pytest.fixture
def running(slow: Any) -> Iterator[Any]:
    job = _begin()
    until(lambda: job.poll() is not None or job.stage == "Estimating depth")
    assert job.stage == "Estimating depth"
    yield job
    job.end()
    _forget()


def _forget() -> None:
    from bl_ext.user_default.depthbridge.addon.ui.build_operators import Build

    Build.running = None


def until(reached: Any) -> None:
    """Wait for it; a test that waits for ever is stopped by pytest."""
    while not reached():
        time.sleep(0.01)


def job_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("depthbridge") and thread.is_alive()]


def test_stopping_ends_the_inference_and_leaves_nothing(running: Any) -> None:
    before = contents()
    bpy.ops.depthbridge.cancel()
    end = running.poll()
    assert end is not None and end.cancelled and running.stage == "Stopping"
    running.over()
    until(lambda: not job_threads())  # minutes, were it not stopped
    assert contents() == before


def test_a_second_build_is_refused_while_one_goes_on(running: Any) -> None:
    before = contents()
    with pytest.raises(RuntimeError, match="A build is going on already"):
        bpy.ops.depthbridge.build()
    assert contents() == before and running.poll() is None, "the first one goes on"


def test_loading_a_file_stops_the_build(running: Any) -> None:
    from bl_ext.user_default.depthbridge.addon.ui.build_operators import Build

    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert Build.running is None
    until(lambda: not job_threads())
    assert not bpy.ops.depthbridge.cancel.poll()


def test_switching_the_extension_off_stops_the_build(running: Any, extension: str) -> None:
    bpy.ops.preferences.addon_disable(module=extension)
    try:
        until(lambda: not job_threads())
        assert not hasattr(bpy.context.scene, "depthbridge")
    finally:
        bpy.ops.preferences.addon_enable(module=extension)


def test_temporary_files_go_with_the_job(slow: Any) -> None:
    image = bpy.data.images.load(slow.filepath)
    image.pack()
    slow.source, slow.image = "IMAGE", image
    job = _begin()
    try:
        folder = job._wanted.scratch.path
        assert list(folder.iterdir())
    finally:
        job.end()
        _forget()
    assert not folder.exists()


# ---- engines -----------------------------------------------------------------------------------------------------------


def _build_refused() -> str:
    before = contents()
    with pytest.raises(RuntimeError) as caught:
        bpy.ops.depthbridge.build()
    assert contents() == before
    assert "should not" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("content", [b"", b"garbage", None], ids=["emptied", "garbage", "gone"])
def test_a_model_file_swapped_for_garbage(slow: Any, models: Path, content: bytes | None) -> None:
    file = next(models.rglob("*.onnx"))
    if content is None:
        file.unlink()
    else:
        # Of the same size, so that only its content gives it away.
        file.write_bytes((content * file.stat().st_size)[: file.stat().st_size])
    told = _build_refused()
    assert "slow" in told


def test_a_model_that_is_not_here_any_more(slow: Any, models: Path) -> None:
    import shutil

    shutil.rmtree(models / "slow")
    bpy.ops.depthbridge.refresh_models()
    assert "not installed here" in _build_refused()


def test_a_remote_engine_that_is_not_there(slow: Any, extension: str) -> None:
    bpy.context.preferences.addons[extension].preferences.remote = "tcp://127.0.0.1:9"
    assert "tcp://127.0.0.1:9" in _build_refused()
    with pytest.raises(RuntimeError, match=r"tcp://127.0.0.1:9"):
        bpy.ops.depthbridge.test_remote()


def test_a_choice_of_model_keeps_its_meaning_whatever_else_comes_and_goes(slow: Any, models: Path, tmp_path: Path) -> None:
    for name in ("aaa", "zzz"):
        add_model(AddRequest(da2_relative(tmp_path / f"{name}.onnx"), name, Family.DA2_RELATIVE), models)
    bpy.ops.depthbridge.refresh_models()
    assert slow.model == "slow"
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "kept.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "kept.blend"))
    assert bpy.context.scene.depthbridge.model == "slow"
