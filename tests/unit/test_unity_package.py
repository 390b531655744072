# SPDX-License-Identifier: Apache-2.0
"""The Unity package as Unity's package manager and importer see it: manifest, assemblies, ``.meta`` files. The C# itself is in ``tests/unity``."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from depthbridge import __version__
from depthbridge.packaging.unity_metas import guid, wanted, write
from support.mono import PACKAGE, ROOT

ASSEMBLIES = sorted(PACKAGE.rglob("*.asmdef"))


def tracked() -> set[Path]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", str(PACKAGE)]
    return {ROOT / line for line in subprocess.check_output(command, cwd=ROOT, text=True).split("\0") if line}


def test_every_asset_has_its_meta_and_no_meta_is_left_over() -> None:
    files = wanted(PACKAGE)
    wrong = [str(path.relative_to(PACKAGE)) for path, text in files.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    assert not wrong, "run: python3 run.py unity-metas"
    orphans = {path for path in tracked() if path.suffix == ".meta"} - set(files)
    assert not orphans, "run: python3 run.py unity-metas"
    ignored = set(files) - tracked()
    assert not ignored, "git ignores these, and a package without them is ignored by Unity"


def test_guids_are_unlike_and_of_unitys_form() -> None:
    guids = [re.search(r"^guid: ([0-9a-f]{32})$", text, re.M) for text in wanted(PACKAGE).values()]
    assert all(guids)
    assert len({found[1] for found in guids if found}) == len(guids)


def test_metas_follow_their_files(tmp_path: Path) -> None:
    (tmp_path / "Runtime").mkdir()
    (tmp_path / "Runtime" / "A.cs").write_text("class A {}")
    (tmp_path / "Samples~").mkdir()
    (tmp_path / "Samples~" / "B.cs").write_text("class B {}")
    (tmp_path / "Empty").mkdir()
    assert {path.name for path in write(tmp_path)} == {"Runtime.meta", "A.cs.meta"}
    assert f"guid: {guid('Runtime/A.cs')}" in (tmp_path / "Runtime" / "A.cs.meta").read_text()
    assert "folderAsset: yes" in (tmp_path / "Runtime.meta").read_text()
    assert write(tmp_path) == []
    (tmp_path / "Runtime" / "A.cs").rename(tmp_path / "Runtime" / "C.cs")
    assert {path.name for path in write(tmp_path)} == {"A.cs.meta", "C.cs.meta"}


def test_the_manifest_is_what_the_package_manager_takes() -> None:
    manifest = json.loads((PACKAGE / "package.json").read_text(encoding="utf-8"))
    assert manifest["name"] == PACKAGE.name and re.fullmatch(r"[a-z0-9.-]{1,214}", manifest["name"])
    assert manifest["version"] == __version__ and manifest["unity"] == "2021.3" and manifest["license"] == "Apache-2.0"
    assert all(name.startswith("com.unity.modules.") for name in manifest["dependencies"]), "nothing outside Unity's own modules"
    for sample in manifest["samples"]:
        assert any((PACKAGE / sample["path"]).rglob("*.cs")), sample["path"]
    changelog = (PACKAGE / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{__version__}]" in changelog


@pytest.mark.parametrize("path", ASSEMBLIES, ids=lambda path: path.stem)
def test_assemblies_know_what_they_may(path: Path) -> None:
    assembly = json.loads(path.read_text(encoding="utf-8"))
    names = {json.loads(other.read_text(encoding="utf-8"))["name"] for other in ASSEMBLIES}
    assert assembly["name"] == path.stem
    own = {name for name in assembly["references"] if name.startswith("Depthbridge.")}
    assert own <= names
    allowed = {
        "Depthbridge.Core": set(),
        "Depthbridge.Unity": {"Depthbridge.Core"},
        "Depthbridge.Unity.Editor": {"Depthbridge.Core", "Depthbridge.Unity"},
        "Depthbridge.Core.Tests": {"Depthbridge.Core"},
        "Depthbridge.Unity.Tests": {"Depthbridge.Core", "Depthbridge.Unity"},
        "Depthbridge.Samples.BoxesOnCubes": {"Depthbridge.Core", "Depthbridge.Unity"},
        "Depthbridge.Samples.SelfTest": {"Depthbridge.Core", "Depthbridge.Unity"},
    }
    assert own == allowed[assembly["name"]]
    assert assembly["noEngineReferences"] == (assembly["name"] == "Depthbridge.Core")
    assert not assembly["allowUnsafeCode"]
    if "Tests" in assembly["name"]:
        assert assembly["defineConstraints"] == ["UNITY_INCLUDE_TESTS"]
    elif "Editor" not in assembly["name"]:
        assert assembly["excludePlatforms"] == ["WebGL"], "WebGL has neither sockets nor threads"


def test_the_core_does_not_know_unity() -> None:
    told = [path.name for path in sorted((PACKAGE / "Runtime" / "Core").rglob("*.cs")) if re.search(r"\bUnity(Engine|Editor)\b", path.read_text(encoding="utf-8"))]
    assert not told


def test_only_tests_and_samples_lie_outside_the_shipped_assemblies() -> None:
    homes = {path.parent for path in ASSEMBLIES}
    stray = [
        str(path.relative_to(PACKAGE))
        for path in sorted(PACKAGE.rglob("*.cs"))
        if not homes & set(path.parents) and "Samples~" not in path.parts
    ]
    assert not stray
