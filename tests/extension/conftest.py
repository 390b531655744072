# SPDX-License-Identifier: Apache-2.0
"""The installed extension, driven through the operators that a user has. A missing bpy is a failure and not a skip."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bpy
import pytest

from depthbridge.packaging.extension import Variant
from support.extension import NAME, PLATFORM, PYTHON, build_zip


@pytest.fixture(scope="session")
def extension_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The extension as run.py builds it from this working tree, with the wheels of the running Python alone."""
    return build_zip(Variant(PLATFORM, python=PYTHON), tmp_path_factory.mktemp("extension"))


@pytest.fixture(scope="session")
def full_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a user of this platform downloads: wheels for every Python of Blender's own builds."""
    return build_zip(Variant(PLATFORM), tmp_path_factory.mktemp("full"))


@pytest.fixture(scope="session")
def fallback_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a user of any other Python downloads: no engine."""
    return build_zip(Variant(PLATFORM, fallback=True), tmp_path_factory.mktemp("fallback"))


@pytest.fixture(scope="session")
def extension(extension_zip: Path) -> str:
    """The package name of the extension, installed and enabled in this process's own profile."""
    bpy.ops.extensions.package_install_files(filepath=str(extension_zip), repo="user_default", enable_on_install=True)
    assert NAME in bpy.context.preferences.addons, "the extension cannot be enabled; the lines above say why"
    return NAME


@pytest.fixture(autouse=True)
def empty_file(extension: str) -> Iterator[None]:
    """bpy is one program for the whole process: each test starts from an empty factory file, the extension on, its preferences untouched."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    if extension not in bpy.context.preferences.addons:
        bpy.ops.preferences.addon_enable(module=extension)
    preferences = bpy.context.preferences.addons[extension].preferences
    if preferences is not None:
        for prop in preferences.bl_rna.properties:
            if prop.identifier not in ("rna_type", "bl_idname"):
                preferences.property_unset(prop.identifier)
    yield
