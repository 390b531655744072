# SPDX-License-Identifier: Apache-2.0
"""What of Unity's API the shipped components use is a list that somebody has read: the stubs cannot drift away from Unity unseen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.mono import CORE, PACKAGE, compile_cs, run_mono, sources
from support.unity_play import UNITY_TESTS, PlayBuild, build_play

TABLE = UNITY_TESTS / "stubs" / "signatures.txt"
VERSIONS = re.compile(r"2021\.3-6000\.x")


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> PlayBuild:
    return build_play(tmp_path_factory.mktemp("signatures"))


def shipped_code() -> str:
    files = [path for path in sources(PACKAGE / "Runtime") if CORE not in path.parents]
    return "\n".join(line.split("//")[0] for path in files for line in path.read_text(encoding="utf-8").splitlines())


def table() -> tuple[set[str], dict[str, str]]:
    """The members that are allowed, and the words that are not, with the reason."""
    allowed, avoided = set(), {}
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        parts = [part.strip() for part in line.split(" | ")]
        if line.startswith("! "):
            avoided[parts[0][2:]] = parts[1]
        elif line and not line.startswith("#"):
            assert VERSIONS.fullmatch(parts[1]) and len(parts) <= 3, line
            allowed.add(parts[0])
    return allowed, avoided


def used_members(build: PlayBuild) -> set[str]:
    """From the compiled assembly; of enum constants, which leave no trace there, those that the source names."""
    program = compile_cs(build.folder / "Members.exe", [UNITY_TESTS / "members" / "Members.cs"])
    done = run_mono(program, str(build.components), str(build.engine))
    assert done.returncode == 0, done.stderr
    code = shipped_code()
    members = set()
    for line in done.stdout.splitlines():
        constant, is_constant, _ = line.partition(" = ")
        if not is_constant or re.search(rf"\b{re.escape(constant)}\b", code):
            members.add(line)
    return members


def test_every_used_member_was_reviewed_and_every_reviewed_one_is_used(build: PlayBuild) -> None:
    allowed, _ = table()
    used = used_members(build)
    assert len(used) > 200
    assert used - allowed == set(), "read the scripting reference of 2021.3 and 6000.x, then add these to signatures.txt"
    assert allowed - used == set(), "no longer used: take these out of signatures.txt"


def test_what_breaks_in_some_version_or_pipeline_is_not_used() -> None:
    _, avoided = table()
    code = shipped_code()
    assert len(avoided) > 8
    assert [f"{word}: {reason}" for word, reason in avoided.items() if re.search(rf"\b{word}\b", code)] == []


def test_the_components_hold_no_static_state_and_one_stop() -> None:
    """With domain reload off a static would live on into the next play."""
    for path in sources(PACKAGE / "Runtime"):
        if CORE in path.parents:
            continue
        code = path.read_text(encoding="utf-8")
        for number, line in enumerate(code.splitlines(), 1):
            words = line.split("//")[0].split("=")[0].split()
            if "static" in words and "(" not in line and line.rstrip().endswith(";"):
                assert "readonly" in words, f"{path.name}:{number} is a static that can change"
        for word in ("async void", "dynamic ", "Activator.", ".GetMethod(", "new Thread(", "Socket"):
            assert word not in code, f"{path.name} has {word}"


def test_stubs_stay_in_the_tests() -> None:
    shipped = {path.relative_to(PACKAGE) for path in PACKAGE.rglob("*") if "stub" in path.name.lower()}
    assert shipped == set(), shipped


def test_files_are_named_after_their_component() -> None:
    """Unity finds a MonoBehaviour's script by the file's name."""
    for path in sources(PACKAGE / "Runtime"):
        for name in re.findall(r"class (\w+) : MonoBehaviour", path.read_text(encoding="utf-8")):
            assert path.name == f"{name}.cs", path
    assert Path(PACKAGE / "Runtime" / "Capture" / "DepthCapture.cs").exists()
