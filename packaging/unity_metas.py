# SPDX-License-Identifier: Apache-2.0
"""The ``.meta`` files of the Unity package: Unity ignores what has none in a package that it may not write to, and finds assets by their GUID.

A GUID is the MD5 of the asset's path in the package, so that it never changes by itself, and two checkouts agree.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path("unity_bridge", "com.depthbridge.unity")

_DEFAULT = "DefaultImporter:\n  externalObjects: {}\n"
_IMPORTERS = {
    ".cs": "MonoImporter:\n  externalObjects: {}\n  serializedVersion: 2\n  defaultReferences: []\n  executionOrder: 0\n"
    "  icon: {instanceID: 0}\n",
    ".asmdef": "AssemblyDefinitionImporter:\n  externalObjects: {}\n",
    ".md": "TextScriptImporter:\n  externalObjects: {}\n",
    ".json": "TextScriptImporter:\n  externalObjects: {}\n",
    ".shader": "ShaderImporter:\n  externalObjects: {}\n  defaultTextures: []\n  nonModifiableTextures: []\n",
    ".hlsl": "ShaderIncludeImporter:\n  externalObjects: {}\n",
    ".cginc": "ShaderIncludeImporter:\n  externalObjects: {}\n",
}
_TAIL = "  userData: \n  assetBundleName: \n  assetBundleVariant: \n"


def guid(relative: str) -> str:
    """32 hexadecimal digits for the asset at this path, seen from the package's folder, with forward slashes."""
    return hashlib.md5(f"com.depthbridge.unity/{relative}".encode(), usedforsecurity=False).hexdigest()


def meta_text(relative: str, *, folder: bool) -> str:
    """The whole file."""
    name = relative.rsplit("/", 1)[-1]
    suffix = Path(name).suffix
    if folder:
        importer = f"folderAsset: yes\n{_DEFAULT}"
    elif relative == "package.json":
        importer = "PackageManifestImporter:\n  externalObjects: {}\n"
    else:
        importer = _IMPORTERS.get(suffix, _DEFAULT)
    return f"fileFormatVersion: 2\nguid: {guid(relative)}\n{importer}{_TAIL}"


def wanted(package: Path) -> dict[Path, str]:
    """Every ``.meta`` file that the package must have, with its text. Folders whose names end in ``~`` and hidden things have none."""
    found = {}
    for asset in _assets(package):
        relative = asset.relative_to(package).as_posix()
        found[asset.with_name(asset.name + ".meta")] = meta_text(relative, folder=asset.is_dir())
    return found


def write(package: Path) -> list[Path]:
    """Bring the files in line: write what is missing or differs, remove those whose asset is gone. The paths that were touched."""
    files = wanted(package)
    touched = []
    for path, text in files.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8", newline="\n")
            touched.append(path)
    for path in sorted(package.rglob("*.meta")):
        if path not in files and not _hidden(path.relative_to(package)):
            path.unlink()
            touched.append(path)
    return touched


def _assets(package: Path) -> Iterator[Path]:
    for path in sorted(package.rglob("*")):
        if path.suffix == ".meta" or _hidden(path.relative_to(package)):
            continue
        if path.is_dir() and not any(child.is_file() and not _hidden(child.relative_to(package)) for child in path.rglob("*")):
            continue  # git has no empty folders
        yield path


def _hidden(relative: Path) -> bool:
    return any(part.endswith("~") or part.startswith(".") for part in relative.parts)
