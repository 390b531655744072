# SPDX-License-Identifier: Apache-2.0
"""The folder that Blender's builder packs: the tracked files that ship, the wheels, and a manifest that names the wheels.

A copy and not the checkout itself: ``paths_exclude_pattern`` as a white-list ships wrong files (negation wins whatever the order), and
``paths`` makes the builder of Blender 4.2 pack each wheel twice.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from .errors import PackagingError

MANIFEST = "blender_manifest.toml"
SHIPPED = (
    r"__init__\.py",
    r"LICENSES/[^/]+\.txt",
    r"addon/.+\.py",
    r"engines/.+\.py",
    r"unity_bridge/[^/]+\.py",
    r"models/[^/]+\.(py|toml|onnx)",
)
"""What of the repository is the extension, apart from its manifest: full matches of paths from the root."""


def shipped_files(root: Path, *, untracked: bool = False) -> list[str]:
    """Paths from ``root``, sorted, of the tracked files that ship; with ``untracked`` also of those git does not ignore.

    Raises :class:`PackagingError` where git does not answer (no checkout), or where a tracked file is gone.
    """
    command = ["git", "ls-files", "-z", "--cached", *(["--others", "--exclude-standard"] if untracked else [])]
    try:
        listing = subprocess.run(command, cwd=root, capture_output=True, check=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise PackagingError(f"{root} is no git checkout, and only tracked files are packed; clone the repository and build there.") from error
    pattern = re.compile("|".join(SHIPPED))
    files = sorted({line for line in listing.split("\0") if pattern.fullmatch(line)}, key=PurePosixPath)
    gone = [file for file in files if not (root / file).is_file()]
    if gone and not untracked:
        raise PackagingError(f"{', '.join(gone)} is tracked and gone; restore it or commit its removal.")
    return [file for file in files if file not in gone]


def stage(root: Path, files: Sequence[str], wheels: Sequence[Path], platform: str, folder: Path) -> None:
    """Copy ``files`` of ``root`` and the wheels into the empty ``folder``, with the manifest of a zip for ``platform``."""
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / file, folder / file)
    (folder / "wheels").mkdir()
    for wheel in wheels:
        shutil.copyfile(wheel, folder / "wheels" / wheel.name)
    text = manifest(root, [f"./wheels/{wheel.name}" for wheel in wheels], platform)
    (folder / MANIFEST).write_text(text, encoding="utf-8", newline="\n")


def manifest(root: Path, wheels: Sequence[str], platform: str) -> str:
    """The text of the root's manifest with the platform and the wheels added.

    Raises :class:`PackagingError` when its version is not the package's.
    """
    text = (root / MANIFEST).read_text(encoding="utf-8")
    version = tomllib.loads(text)["version"]
    found = re.search(r'^__version__ = "(.+)"$', (root / "__init__.py").read_text(encoding="utf-8"), re.MULTILINE)
    if found is None or found[1] != version:
        raise PackagingError(f"{MANIFEST} says version {version}, __init__.py {found[1] if found else 'nothing'}; make them one.")
    head, bracket, tables = text.partition("\n[")
    added = [f"platforms = [{json.dumps(platform)}]", f"wheels = {_toml_list(wheels)}"]
    return "\n".join([head.rstrip("\n"), *added, bracket + tables])


def _toml_list(items: Sequence[str]) -> str:
    return "[\n" + "".join(f"  {json.dumps(item)},\n" for item in items) + "]"
