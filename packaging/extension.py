# SPDX-License-Identifier: Apache-2.0
"""``python3 run.py extension``: one zip that Blender installs in one drop."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from . import builder, stage, wheels
from .errors import PackagingError

ROOT = Path(__file__).resolve().parents[1]
PLATFORMS = ("linux-x64", "windows-x64", "macos-arm64")


@dataclass(frozen=True)
class Variant:
    """Which zip: for whom, with what inside. ``python`` None means those of Blender's own builds; ``fallback`` leaves the engine out."""

    platform: str
    runtime: str = "cpu"
    python: str | None = None
    fallback: bool = False

    def __post_init__(self) -> None:
        if self.platform not in PLATFORMS:
            raise PackagingError(f"There is no zip for the platform {self.platform!r}; choose one of {', '.join(PLATFORMS)}.")
        if self.runtime not in wheels.RUNTIMES:
            raise PackagingError(f"There is no runtime {self.runtime!r}; choose one of {', '.join(wheels.RUNTIMES)}.")
        if self.runtime == "directml" and self.platform != "windows-x64":
            raise PackagingError(f"DirectML is Windows's: --runtime directml goes with --platform windows-x64, not with {self.platform}.")
        if self.fallback and (self.python is not None or self.runtime != "cpu"):
            raise PackagingError("--fallback is for any Python and has no runtime; leave --python and --runtime out.")

    def file_name(self, version: str) -> str:
        """``depthbridge-0.1.0-linux_x64.zip``, with ``-directml``, ``-py314`` or ``-fallback`` where it is not the usual one."""
        suffix = f"-{self.runtime}" if self.runtime != "cpu" else ""
        suffix += f"-py{self.python.replace('.', '')}" if self.python else ""
        suffix += "-fallback" if self.fallback else ""
        return f"depthbridge-{version}-{self.platform.replace('-', '_')}{suffix}.zip"

    def wheels(self) -> list[wheels.Wheel]:
        """The pinned wheels that go in."""
        available = wheels.pinned()[self.platform]
        if self.fallback:
            return wheels.choose_for_any_python(available)
        return wheels.choose(available, [self.python] if self.python else wheels.BLENDERS_PYTHONS, self.runtime)


def build(variant: Variant, out: Path, cache: Path, *, untracked: bool = False) -> Path:
    """Build and validate the zip of ``variant`` in the folder ``out``; the same checkout gives the same bytes.

    An earlier zip of that name is replaced, and only by a valid one. Raises :class:`PackagingError`.
    """
    import depthbridge

    files = stage.shipped_files(ROOT, untracked=untracked)
    fetched = [wheels.fetch(wheel, cache) for wheel in variant.wheels()]
    out.mkdir(parents=True, exist_ok=True)
    target = out / variant.file_name(depthbridge.__version__)
    with tempfile.TemporaryDirectory(dir=out, prefix=".building-") as folder:
        staged = Path(folder, "depthbridge")
        staged.mkdir()
        stage.stage(ROOT, files, fetched, variant.platform, staged)
        unproven = Path(folder, target.name)
        builder.build(staged, unproven)
        builder.validate(unproven)
        unproven.replace(target)
    return target


def default_cache() -> Path:
    """Where downloaded wheels are kept between builds."""
    return platformdirs.user_cache_path("depthbridge", appauthor=False) / "wheels"
