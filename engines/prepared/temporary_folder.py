# SPDX-License-Identifier: Apache-2.0
"""Folders for what cannot be kept: they go when the process ends."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

from ..atomic import writing_to


def temporary_folder() -> Path:
    """A new, empty folder that is removed when the process ends. Raises :class:`~..errors.OutputError` where none can be made."""
    with writing_to(Path(tempfile.gettempdir())):
        folder = Path(tempfile.mkdtemp(prefix="depthbridge-prepared-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
