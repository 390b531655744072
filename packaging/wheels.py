# SPDX-License-Identifier: Apache-2.0
"""Which wheels a zip carries, and how they come here: by pip, and only with the bytes that wheels.toml names."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import PackagingError

PINS = Path(__file__).with_name("wheels.toml")
RUNTIMES: Mapping[str, str] = {"cpu": "onnxruntime", "directml": "onnxruntime_directml"}
BLENDERS_PYTHONS = ("3.11", "3.13")
"""The Pythons of Blender's own builds: 4.2 to 5.0, and 5.1 on."""

_NAME = re.compile(r"(?P<package>[^-]+)-(?P<version>[^-]+)-cp(?P<floor>3\d+)-(?P<abi>[^-]+)-(?P<platforms>[^-]+)\.whl")


@dataclass(frozen=True)
class Wheel:
    """One file of wheels.toml. ``platforms`` are pip's (``manylinux_2_28_x86_64``), ``floor`` the Python it was built for."""

    file: str
    sha256: str
    package: str
    version: str
    floor: tuple[int, int]
    abi: str
    platforms: tuple[str, ...]

    @property
    def any_later_python(self) -> bool:
        """Built against the stable ABI: ``floor`` and every later Python can load it."""
        return self.abi == "abi3"

    def fits(self, python: str) -> bool:
        asked = version_pair(python)
        return asked >= self.floor if self.any_later_python else asked == self.floor


def version_pair(python: str) -> tuple[int, int]:
    """``"3.11"`` as ``(3, 11)``. Raises :class:`PackagingError` for anything else."""
    if not re.fullmatch(r"3\.\d{1,2}", python):
        raise PackagingError(f"{python!r} is no version of Python; write it like 3.13.")
    major, minor = python.split(".")
    return int(major), int(minor)


def parse(file: str, sha256: str) -> Wheel:
    """A wheel from its file name. Raises :class:`PackagingError` when the name is not one that Blender and pip read alike."""
    match = _NAME.fullmatch(file)
    if match is None or not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise PackagingError(f"wheels.toml names {file!r} with {sha256!r}, which is not a wheel's file name and its SHA-256.")
    floor = match["floor"]
    return Wheel(
        file, sha256, match["package"], match["version"], (int(floor[0]), int(floor[1:])), match["abi"], tuple(match["platforms"].split("."))
    )


def pinned(pins: Path = PINS) -> dict[str, list[Wheel]]:
    """Every wheel of wheels.toml, by Blender's name of the platform."""
    tables = tomllib.loads(pins.read_text(encoding="utf-8"))
    return {platform: [parse(file, digest) for file, digest in sorted(files.items())] for platform, files in tables.items()}


def choose(wheels: Iterable[Wheel], pythons: Sequence[str], runtime: str) -> list[Wheel]:
    """The wheels of a full zip: for each of ``pythons`` one of each package, with the one ``runtime``.

    Raises :class:`PackagingError` when a Python would be left without one.
    """
    others = set(RUNTIMES.values()) - {RUNTIMES[runtime]}
    candidates = [wheel for wheel in wheels if wheel.package not in others]
    chosen: dict[str, Wheel] = {}
    for python in pythons:
        for package in (RUNTIMES[runtime], "opencv_python_headless", "pillow", "pyzmq"):
            fitting = [wheel for wheel in candidates if wheel.package == package and wheel.fits(python)]
            if not fitting:
                raise PackagingError(f"wheels.toml names no {package} for Python {python} on this platform; --fallback builds a zip without.")
            best = max(fitting, key=lambda wheel: wheel.floor)
            chosen[best.file] = best
    return [chosen[file] for file in sorted(chosen)]


def choose_for_any_python(wheels: Iterable[Wheel]) -> list[Wheel]:
    """The wheels of a fallback zip: those of the stable ABI alone."""
    return [wheel for wheel in wheels if wheel.any_later_python]


def fetch(wheel: Wheel, cache: Path) -> Path:
    """The wheel's file in ``cache``, downloaded by pip when it is absent or has other bytes.

    Raises :class:`PackagingError` when pip has none, or one of other bytes than wheels.toml says; that file is not kept.
    """
    kept = cache / wheel.file
    if kept.is_file() and _sha256(kept) == wheel.sha256:
        return kept
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        pip_download(f"{wheel.package}=={wheel.version}", wheel.platforms, wheel.floor, wheel.abi, Path(folder))
        got = Path(folder, wheel.file)
        if not got.is_file():
            raise PackagingError(f"pip found another file than {wheel.file}; `python3 run.py extension --pin` chooses anew.")
        digest = _sha256(got)
        if digest != wheel.sha256:
            raise PackagingError(f"{wheel.file} has the SHA-256 {digest}, wheels.toml says {wheel.sha256}; it was not kept.")
        got.replace(kept)
    return kept


def pip_download(requirement: str, platforms: Sequence[str], python: tuple[int, int], abi: str, folder: Path) -> None:
    """Have pip put the one wheel into ``folder``, for a platform and a Python that need not be this one's."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "download", "--no-deps", "--only-binary=:all:"]
    command += [word for platform in platforms for word in ("--platform", platform)]
    command += ["--python-version", f"{python[0]}.{python[1]}", "--implementation", "cp", "--abi", abi, "--dest", str(folder), requirement]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        reasons = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")] or [done.stderr.strip()]
        raise PackagingError(f"pip has no {requirement} for {', '.join(platforms)}: {reasons[-1].removeprefix('ERROR: ')}")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
