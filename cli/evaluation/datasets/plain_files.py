# SPDX-License-Identifier: Apache-2.0
"""Which file of a plain folder is what: by the folder it is in, or by the mark at the end of its name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_PICTURES = frozenset((".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"))
_DEPTHS = frozenset((".png", ".tif", ".tiff", ".exr", ".npy", ".npz"))
_FOLDERS = {
    "rgb": ("rgb", "image", "images", "color", "colour"),
    "depth": ("depth", "depths", "gt", "groundtruth"),
    "sky": ("sky",),
}
_MARK = re.compile(r"^(.+)[._-](rgb|image|color|colour|depth|sky)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class NamedFiles:
    """What there is of one name. ``second``: a file that is one too many of its kind."""

    rgb: Path | None
    depth: Path | None
    sky: Path | None
    camera: Path | None
    second: Path | None


def scan_folder(folder: Path) -> dict[str, NamedFiles]:
    """Files of each name; by folders where there is one for pictures and one for depth, else side by side."""
    homes: dict[str, Path] = {}
    for kind, names in _FOLDERS.items():
        existing = [folder / name for name in names if (folder / name).is_dir()]
        if existing:
            homes[kind] = existing[0]
    if homes.keys() >= {"rgb", "depth"}:
        return _by_name((home, file, kind) for kind, home in homes.items() for file in sorted(home.rglob("*")))
    return _by_name((folder, file, _kind(file)) for file in sorted(folder.iterdir()) if file.name != "camera.json")


def _kind(file: Path) -> str:
    mark = _MARK.match(file.stem)
    return mark[2].lower() if mark is not None and mark[2].lower() in ("depth", "sky") else "rgb"


def _by_name(placed: Iterable[tuple[Path, Path, str]]) -> dict[str, NamedFiles]:
    """Of folders, files below them, and the kind they would be."""
    found: dict[str, dict[str, list[Path]]] = {}
    for home, file, kind in placed:
        suffix = file.suffix.lower()
        if suffix == ".json" and kind == "rgb":
            kind = "camera"
        elif suffix not in (_DEPTHS if kind == "depth" else _PICTURES):
            continue
        if file.is_file() and not file.name.startswith("."):
            mark = _MARK.match(file.stem)
            name = file.relative_to(home).with_name(mark[1] if mark is not None else file.stem).as_posix()
            found.setdefault(name, {}).setdefault(kind, []).append(file)
    return {name: _named(kinds) for name, kinds in found.items()}


def _named(kinds: dict[str, list[Path]]) -> NamedFiles:
    rgb, depth, sky, camera = (next(iter(kinds.get(kind, ())), None) for kind in ("rgb", "depth", "sky", "camera"))
    return NamedFiles(rgb, depth, sky, camera, next((files[1] for files in kinds.values() if len(files) > 1), None))
