# SPDX-License-Identifier: Apache-2.0
"""The installed extension, driven through the operators that a user has. A missing bpy is a failure and not a skip."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bpy  # first: it makes addon_utils importable
import pytest

ROOT = Path(__file__).resolve().parents[2]
REPOSITORY = "user_default"
NAME = f"bl_ext.{REPOSITORY}.depthbridge"


@pytest.fixture(scope="session")
def extension() -> str:
    """The package name of the extension, installed and enabled in this process's own profile."""
    import addon_utils

    folder = Path(bpy.utils.user_resource("EXTENSIONS", path=REPOSITORY, create=True))
    link = folder / "depthbridge"
    if not link.exists():
        link.symlink_to(ROOT, target_is_directory=True)
    assert addon_utils.enable(NAME, default_set=True) is not None, "the extension cannot be enabled; the lines above say why"
    return NAME


@pytest.fixture(autouse=True)
def empty_file(extension: str) -> Iterator[None]:
    """bpy is one program for the whole process: each test starts from an empty factory file, the extension on, its preferences untouched."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    if extension not in bpy.context.preferences.addons:
        bpy.ops.preferences.addon_enable(module=extension)
    preferences = bpy.context.preferences.addons[extension].preferences
    if preferences is not None:
        for name in preferences.bl_rna.properties.keys():
            if name not in ("rna_type", "bl_idname"):
                preferences.property_unset(name)
    yield
