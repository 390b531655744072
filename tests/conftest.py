# SPDX-License-Identifier: Apache-2.0
"""Fixtures that several test files share, and a Blender profile of the tests' own."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator

import pytest

from support.model_host import ModelHost, serving

# Blender reads this once, when bpy is imported, and this file is read before any test module: no test meets the user's own profile.
os.environ["BLENDER_USER_RESOURCES"] = tempfile.mkdtemp(prefix="depthbridge-blender-profile-")
atexit.register(shutil.rmtree, os.environ["BLENDER_USER_RESOURCES"], ignore_errors=True)
# Likewise the user's cache. And one runtime for all who do not ask for another: which one is fastest is measured, and not the same everywhere.
os.environ["DEPTHBRIDGE_CACHE"] = tempfile.mkdtemp(prefix="depthbridge-cache-")
atexit.register(shutil.rmtree, os.environ["DEPTHBRIDGE_CACHE"], ignore_errors=True)
os.environ["DEPTHBRIDGE_RUNTIME"] = "onnxruntime"
# A shell's background jobs ignore Ctrl+C, and so would every program that the tests start and stop.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelHost]:
    """A download host on this machine, reached past any proxy."""
    monkeypatch.setenv("no_proxy", "*")
    with serving() as running:
        yield running
