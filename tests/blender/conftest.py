# SPDX-License-Identifier: Apache-2.0
"""Every test here runs in real Blender. A missing bpy is a failure and not a skip: these tests are the only proof of the add-on."""

from __future__ import annotations

from collections.abc import Iterator

import bpy
import pytest


@pytest.fixture(autouse=True)
def empty_file() -> Iterator[None]:
    """bpy is one program for the whole process: each test starts from an empty file of factory settings."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    yield
