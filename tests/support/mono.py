# SPDX-License-Identifier: Apache-2.0
"""The package's C# outside Unity: compiled by mono's mcs in the language that Unity 2021.3 and mcs share, run by mono, tested by NUnit.

Debian's packages are mono-mcs, mono-runtime, nunit-console, libnunit-cil-dev and libzmq5; with CI set their absence is a failure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "unity_bridge" / "com.depthbridge.unity"
CORE = PACKAGE / "Runtime" / "Core"
LANGUAGE = "7.2"
"""The newest that mcs knows, and what Unity 2021.3 has in any case."""
_TOOLS = ("mcs", "mono", "nunit-console")


def require_mono() -> None:
    """Skip the test, or fail it under CI, when a tool is missing."""
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        text = f"{', '.join(missing)} not found; apt install mono-mcs mono-runtime nunit-console libnunit-cil-dev libzmq5"
        pytest.fail(text) if os.environ.get("CI") else pytest.skip(text)


def sources(*folders: Path) -> list[Path]:
    """Every C# file below, sorted."""
    return sorted(path for folder in folders for path in folder.rglob("*.cs"))


def compile_cs(
    out: Path, files: Iterable[Path], *, references: Sequence[Path] = (), defines: Sequence[str] = (), nunit: bool = False, options: Sequence[str] = ()
) -> Path:
    """An assembly (``.dll``) or program (``.exe``). Fails the test with the compiler's words; a warning fails it, too."""
    require_mono()
    command = ["mcs", f"-langversion:{LANGUAGE}", "-warnaserror", "-optimize", "-debug", f"-out:{out}"]
    command += [f"-target:{'exe' if out.suffix == '.exe' else 'library'}"]
    command += [f"-r:{reference}" for reference in references] + [f"-d:{name}" for name in defines] + list(options)
    command += ["-pkg:nunit"] if nunit else []
    done = subprocess.run([*command, *map(str, files)], capture_output=True, text=True)
    assert done.returncode == 0, f"{out.name} does not compile:\n{done.stdout}{done.stderr}"
    for reference in references:  # mono looks for assemblies beside the one it runs
        if reference.parent != out.parent:
            shutil.copy2(reference, out.parent)
    return out


def run_mono(program: Path, *arguments: str, timeout_s: float = 120.0, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The finished process; its status is the caller's to judge."""
    command = ["mono", "--debug", str(program), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, env={**os.environ, **(environment or {})})


@dataclass(frozen=True)
class NUnitResult:
    """How many test cases passed, and what was said of each that did not."""

    passed: int
    failures: tuple[str, ...]


def run_nunit(assembly: Path, *, timeout_s: float = 300.0, environment: Mapping[str, str] | None = None) -> NUnitResult:
    """Run all tests of a compiled assembly; cases that are ignored or not runnable count as failures."""
    report = assembly.with_suffix(".xml")
    command = ["nunit-console", "-nologo", "-noshadow", f"-xml:{report}", str(assembly)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=timeout_s, cwd=assembly.parent, env={**os.environ, **(environment or {})}
    )
    assert report.exists(), f"NUnit did not run:\n{done.stdout}{done.stderr}"
    cases = list(ElementTree.parse(report).getroot().iter("test-case"))
    failures = tuple(
        f"{case.get('name')}: {' '.join(case.itertext()).strip() or case.get('result')}" for case in cases if case.get("result") != "Success"
    )
    return NUnitResult(len(cases) - len(failures), failures)
