# SPDX-License-Identifier: Apache-2.0
"""A Python that holds Blender and what Blender itself needs, and nothing of this project's: what a user's Blender is like."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class BareBlender:
    """``python`` sees bpy and its dependencies alone; ``profile`` is the folder of Blender's user settings and extensions."""

    python: Path
    profile: Path

    def run(self, code: str) -> subprocess.CompletedProcess[str]:
        """Run ``code`` with ``bpy`` and ``NAME`` at hand; what it prints counts from the last line that Blender itself prints."""
        words = {"BLENDER_USER_RESOURCES": str(self.profile)}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "DEPTHBRIDGE"))}
        start = "import bpy, sys, json, addon_utils\nfrom pathlib import Path\nNAME = 'bl_ext.user_default.depthbridge'\n"
        # Not by way of Python's end: after a glTF export Blender 4.2's module frees Python classes when Python is gone, and crashes.
        end = "\nimport os\nsys.stdout.flush()\nsys.stderr.flush()\nos._exit(0)"
        return subprocess.run([self.python, "-c", start + code + end], env={**kept, **words}, capture_output=True, text=True, timeout=240)

    def install(self, archive: Path, then: str = "") -> subprocess.CompletedProcess[str]:
        """Install and enable ``archive`` as a drop on the window does, then run more code in the same process."""
        call = f"bpy.ops.extensions.package_install_files(filepath={str(archive)!r}, repo='user_default', enable_on_install=True)\n"
        return self.run(call + then)


def bare_blender(folder: Path) -> BareBlender:
    """Make one in ``folder``, of links to what this environment has."""
    venv.create(folder / "python", with_pip=False, symlinks=os.name != "nt")
    python = folder / "python" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "python" / ("Lib/site-packages" if os.name == "nt" else f"lib/{version}/site-packages")
    for distribution in _with_dependencies("bpy", "cattrs"):
        for entry in {file.parts[0] for file in distribution.files or () if file.parts[0] not in ("..", "__pycache__")}:
            if not (packages / entry).exists():
                (packages / entry).symlink_to(Path(str(distribution.locate_file(entry))).resolve())
    (folder / "profile").mkdir()
    return BareBlender(python, folder / "profile")


def _with_dependencies(*names: str) -> list[importlib.metadata.Distribution]:
    found: dict[str, importlib.metadata.Distribution] = {}
    open_names = list(names)
    while open_names:
        name = open_names.pop()
        if name in found:
            continue
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # a requirement of another platform, or cattrs, which only the newer bpy needs
        found[name] = distribution
        for line in distribution.requires or ():
            if "extra ==" not in line:
                open_names.append(re.split(r"[ <>=!~;\[(]", line, maxsplit=1)[0])
    return list(found.values())
