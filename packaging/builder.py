# SPDX-License-Identifier: Apache-2.0
"""Blender's own builder, a program of the standard library that comes with the bpy wheel; nothing here imports bpy.

What it packs depends on modification times, permissions, the order of folders and its version; :func:`settle` ends that.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

from .errors import PackagingError

_PROGRAM = "*/scripts/addons_core/bl_pkg/cli/blender_ext.py"
_TAGS = "*/scripts/modules/_bpy_internal/extensions/tags.py"


_MANIFEST = "blender_manifest.toml"


def build(folder: Path, target: Path) -> None:
    """Pack the staged ``folder`` as the zip ``target``; the same files give the same bytes."""
    packed = target.with_name(f"packed-{target.name}")
    _run("build", "--source-dir", str(folder), "--output-filepath", str(packed), "--valid-tags", str(_find(_TAGS)))
    settle(packed, target)
    packed.unlink()


def settle(source: Path, target: Path) -> None:
    """Write the entries of the zip ``source`` into ``target``: each once, the manifest first, in one order, of one date and one mode."""
    with zipfile.ZipFile(source) as packed, zipfile.ZipFile(target, "w") as settled:
        for name in sorted(set(packed.namelist()), key=lambda name: (name != _MANIFEST, name)):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, wherever it is built
            entry.external_attr = 0o100644 << 16
            # Wheels are zips already.
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(".whl") else zipfile.ZIP_DEFLATED
            settled.writestr(entry, packed.read(name), compresslevel=9)


def validate(target: Path) -> None:
    """Have Blender judge a zip or a folder, its tags included (without the list of tags wrong ones pass)."""
    _run("validate", "--valid-tags", str(_find(_TAGS)), str(target))


def generate_repository(folder: Path) -> str:
    """Write ``index.json`` and ``index.html`` beside the zips in ``folder``. Returns what Blender says of them."""
    return _run("server-generate", "--repo-dir", str(folder), "--html")


def _find(pattern: str) -> Path:
    found = importlib.util.find_spec("bpy")
    places = list(found.submodule_search_locations or []) if found else []
    for place in places:
        for path in Path(place).glob(pattern):
            return path
    raise PackagingError("Blender's builder is missing: it comes with the bpy module, which `python3 run.py` installs.")


def _run(*words: str) -> str:
    done = subprocess.run([sys.executable, "-I", str(_find(_PROGRAM)), *words], capture_output=True, text=True)
    said = "\n".join(line for line in (done.stdout + done.stderr).splitlines() if line.strip())
    if done.returncode != 0 or any(line.startswith(("ERROR", "FATAL_ERROR", "Error")) for line in said.splitlines()):
        raise PackagingError(f"Blender's builder refuses ({words[0]}): {said}")
    return said
