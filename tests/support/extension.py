# SPDX-License-Identifier: Apache-2.0
"""The extension's zips for the tests, built from the working tree, new files included."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

from depthbridge.packaging.extension import Variant, build, default_cache

NAME = "bl_ext.user_default.depthbridge"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
PLATFORM = {"Linux": "linux-x64", "Windows": "windows-x64", "Darwin": "macos-arm64"}[platform.system()]


def build_zip(variant: Variant, folder: Path) -> Path:
    """Build ``variant`` into ``folder``. Files that git does not know yet go in too, so that they are tried before they are committed."""
    return build(variant, folder, default_cache(), untracked=True)
