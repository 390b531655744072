# SPDX-License-Identifier: Apache-2.0
"""The hash of a file. It stands alone, so that who runs a model loads nothing that speaks HTTP, as :mod:`.checksums` does."""

from __future__ import annotations

import hashlib
from pathlib import Path

_CHUNK = 1 << 20


def hash_file(path: Path, algorithm: str = "sha256") -> str:
    """Hex digest of the file at ``path``. "git-blob-sha1" is git's name for a file: SHA-1 over its size and content."""
    if algorithm == "git-blob-sha1":
        digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    else:
        digest = hashlib.new(algorithm, usedforsecurity=algorithm != "md5")
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
