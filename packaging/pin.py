# SPDX-License-Identifier: Apache-2.0
"""Choosing the wheels anew: the newest of each package inside its range, for every platform and Python, written to wheels.toml."""

from __future__ import annotations

import hashlib
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..engines.atomic import atomic_path
from . import wheels
from .errors import PackagingError
from .extension import ROOT

# Blender's platform -> the oldest systems it runs on, as pip names them, widest last.
PIP_PLATFORMS: Mapping[str, Sequence[str]] = {
    "linux-x64": ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"),
    "windows-x64": ("win_amd64",),
    "macos-arm64": ("macosx_14_0_arm64", "macosx_13_0_arm64", "macosx_11_0_arm64", "macosx_10_15_universal2"),
}
PYTHONS: Mapping[str, Sequence[str]] = {
    "linux-x64": (*wheels.BLENDERS_PYTHONS, "3.14"),  # 3.14 is what Linux distributions build Blender with
    "windows-x64": wheels.BLENDERS_PYTHONS,
    "macos-arm64": wheels.BLENDERS_PYTHONS,
}


def requirements(platform: str) -> list[str]:
    """What a zip for ``platform`` needs, as pip reads it, with the ranges of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    known = [*project["dependencies"], *project["optional-dependencies"]["cpu"]]
    needed = [line for line in known if line.startswith(("opencv-python-headless", "pillow", "pyzmq", "onnxruntime"))]
    return [*needed, "onnxruntime-directml==1.24.4"] if platform == "windows-x64" else needed


def pin(target: Path = wheels.PINS) -> None:
    """Ask pip for every wheel and write ``target``; the comment at its head stays. Raises :class:`PackagingError`, writing nothing."""
    comment = [line for line in target.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    lines = [*comment]
    for platform, pythons in PYTHONS.items():
        with tempfile.TemporaryDirectory() as folder:
            for python in pythons:
                for requirement in requirements(platform):
                    _download(requirement, platform, python, Path(folder))
            lines += ["", f"[{platform}]"]
            lines += [f'"{file.name}" = "{hashlib.sha256(file.read_bytes()).hexdigest()}"' for file in sorted(Path(folder).iterdir())]
    with atomic_path(target, overwrite=True) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def _download(requirement: str, platform: str, python: str, folder: Path) -> None:
    pair = wheels.version_pair(python)
    reasons = []
    for abi in ("abi3", f"cp{pair[0]}{pair[1]}"):  # the stable ABI where it is published: one wheel for every later Python
        try:
            return wheels.pip_download(requirement, PIP_PLATFORMS[platform], pair, abi, folder)
        except PackagingError as error:
            reasons.append(str(error))
    raise PackagingError(reasons[-1])
