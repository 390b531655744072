# SPDX-License-Identifier: Apache-2.0
"""Small and read-only file systems: root ignores permission bits, so only a mount is full or read-only for everyone."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, options: str) -> Iterator[Path]:
    """A file system of its own at ``folder`` (tmpfs; ``options`` such as ``size=64k``). Where it may not be mounted the test is skipped, but in
    continuous integration (``CI`` is set) it fails."""
    folder.mkdir()
    give_up = pytest.fail if os.environ.get("CI") else pytest.skip
    try:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, text=True)
    except FileNotFoundError:
        give_up("no mount command here")
    if mounted.returncode:
        give_up(f"needs the right to mount: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
