# SPDX-License-Identifier: Apache-2.0
"""``python3 run.py extension-repo``: a folder of static files that Blender takes as a repository of extensions.

Blender offers one zip of an id for a platform and a Python, and where two fit it takes whichever the index happens to name first.
So the index holds only zips that exclude each other; what would compete with them has an index of its own in a folder below.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from . import builder
from .errors import PackagingError
from .extension import PLATFORMS, Variant, build

USUAL = ""
DIRECTML = "directml"
ANY_PYTHON = "any-python"

_OURS = re.compile(rf"((({DIRECTML}|{ANY_PYTHON})/)?(index\.json|index\.html|depthbridge-[^/]+\.zip)|{DIRECTML}|{ANY_PYTHON})")


def variants(platforms: Sequence[str] = PLATFORMS) -> dict[str, list[Variant]]:
    """What lies in which folder of the repository, ``""`` being its root."""
    folders: dict[str, list[Variant]] = {USUAL: [Variant(platform) for platform in platforms]}
    if "linux-x64" in platforms:
        folders[USUAL].append(Variant("linux-x64", python="3.14"))
    if "windows-x64" in platforms:
        folders[DIRECTML] = [Variant("windows-x64", runtime="directml")]
    folders[ANY_PYTHON] = [Variant(platform, fallback=True) for platform in platforms]
    return folders


def build_repository(out: Path, cache: Path, platforms: Sequence[str] = PLATFORMS, *, untracked: bool = False) -> Path:
    """Build every zip and the indexes into ``out``, which appears whole or not at all.

    An earlier repository there is replaced. Raises :class:`PackagingError` when ``out`` holds anything else.
    """
    _check_ours(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".repository-") as folder:
        fresh = Path(folder, "fresh")
        for name, wanted in variants(platforms).items():
            place = fresh / name
            for variant in wanted:
                build(variant, place, cache, untracked=untracked)
            said = builder.generate_repository(place)
            if "duplicate" in said:
                raise PackagingError(f"Two zips of the repository compete: {said}")
        if out.exists():
            out.replace(Path(folder, "before"))
        fresh.replace(out)
    return out


def _check_ours(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise PackagingError(f"{out} is a file; name a folder for the repository.")
    strangers = [path for path in out.rglob("*") if not _OURS.fullmatch(path.relative_to(out).as_posix())]
    if strangers:
        raise PackagingError(f"{out} holds {strangers[0].name}, which is not of a repository; name a new folder.")
