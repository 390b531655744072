# SPDX-License-Identifier: Apache-2.0
"""The package's manual names things as they are: fields, menus, members, samples, commands."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from depthbridge.unity_bridge.framing import PROTOCOL_MINOR
from support.mono import CORE, PACKAGE, ROOT, sources

MANUAL = PACKAGE / "Documentation~" / "depthbridge.md"
COMPONENTS = (
    "DepthBridgeClient", "DepthCapture", "DepthObject", "DistanceOverlay", "BatchDatasetCapture", "CameraIntrinsicsExporter",
)  # fmt: skip


def manual() -> str:
    return MANUAL.read_text(encoding="utf-8")


def code(folder: Path) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sources(folder))


def section(title: str) -> str:
    found = re.search(rf"^### {re.escape(title)}\n(.*?)(?=^##)", manual(), re.S | re.M)
    assert found, title
    return found[1]


def as_in_the_inspector(name: str) -> str:
    """_maxInFlight: Max In Flight."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name.lstrip("_"))
    return words[0].upper() + words[1:]


@pytest.mark.parametrize("component", COMPONENTS)
def test_every_field_of_a_component_is_in_its_table_and_no_other(component: str) -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources(PACKAGE / "Runtime") if path.name.split(".")[0] == component)
    menu = re.search(r'AddComponentMenu\("Depthbridge/([^"]+)"\)', text)
    assert menu
    declared = re.findall(r"\[SerializeField\](?:\s*\[(?:[^\[\]\"]|\"[^\"]*\")*\])*\s*private [\w<>, ]+ (_\w+)", text)
    assert len(declared) == text.count("[SerializeField]") > 0
    rows = re.findall(r"^\| ([A-Z][\w ,]*?) \|", section(menu[1]), re.M)
    assert {name for row in rows for name in row.split(", ")} == {as_in_the_inspector(name) for name in declared}


@pytest.mark.parametrize(
    "page", ["README.md", "Documentation~/depthbridge.md", "Samples~/SelfTest/README.md", "Samples~/BoxesOnCubes/README.md"]
)
def test_menus_that_are_named_exist(page: str) -> None:
    text = (PACKAGE / page).read_text(encoding="utf-8")
    paths = {path.replace("/", " > ") for path in re.findall(r'MenuItem\("([^"]+)"', code(PACKAGE / "Editor"))}
    named = set(re.findall(r"\*((?:Tools|GameObject) > Depthbridge > [^*]+)\*", text))
    assert named <= paths
    if page.endswith("depthbridge.md"):
        assert all(path.rsplit(" > ", 1)[1] in text for path in paths)


def test_members_that_are_named_exist() -> None:
    public = set(re.findall(r"\b[A-Z]\w+\b", "\n".join(re.findall(r"^\s*public .*|^\s+[A-Z]\w+,?$", code(PACKAGE / "Runtime"), re.M))))
    words = {word for span in re.findall(r"`([^`\n]+)`", manual()) for word in re.findall(r"(?<![\w/.\"-])[A-Z][a-z]\w+", span)}
    unitys = {"Application", "Time", "Graphics", "Camera", "Failed", "Captures", "LateUpdate", "Packages"}
    assert words - public - unitys - {"Depthbridge"} == set()


def test_every_member_of_an_answer_is_named() -> None:
    for name in ("DepthAnswer", "ObjectDistance", "Spread", "StageTiming", "OrientedExtent"):
        text = next(CORE.rglob(f"{name}.cs")).read_text(encoding="utf-8")
        for member in re.findall(r"public [\w<>\[\]?]+ (\w+) \{ get;", text):
            wanted = member.lower() if name == "StageTiming" else member
            if (name, member) not in {("DepthAnswer", "Width"), ("DepthAnswer", "Height")}:
                assert re.search(rf"\b{wanted}\b", manual()), f"{name}.{member}"


def test_defaults_are_those_of_the_code() -> None:
    for path in sources(PACKAGE / "Runtime"):
        text = path.read_text(encoding="utf-8")
        menu = re.search(r"partial class (\w+)|class (\w+) : MonoBehaviour", text)
        if not menu or "[SerializeField]" not in text:
            continue
        name = as_in_the_inspector(menu[1] or menu[2])
        for field, value in re.findall(r"private [\w<>]+ (_\w+) = ([\d.]+)f?;", text):
            row = re.search(rf"^\| (?:[\w ]+, )?{as_in_the_inspector(field)}(?:, [\w ]+)? \| ([^|]*) \|", section(name), re.M)
            assert row and value in row[1].split(", "), (name, field, value)


def test_commands_and_the_protocols_version() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (MANUAL, PACKAGE / "README.md", *(PACKAGE / "Samples~").rglob("README.md")))
    for command in re.findall(r"depthbridge (\w+)((?: [^`\n#]*)?)", text):
        if not (ROOT / "cli" / f"{command[0]}.py").exists():
            assert command[0] in {"models"}, command
            continue
        options = (ROOT / "cli" / f"{command[0]}.py").read_text(encoding="utf-8")
        for option in re.findall(r"--[a-z-]+", command[1]):
            assert f'"{option}"' in options, command
    assert f"0.{PROTOCOL_MINOR}" in text
    codes = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8") + code(CORE)
    for found in re.findall(r"^\| `(\w+)`", manual().split("## Messages and remedies")[1], re.M):
        assert found in codes, found


def test_links_and_samples_are_there() -> None:
    for page in (PACKAGE / "README.md", MANUAL, PACKAGE / "Documentation~" / "index.md"):
        text = page.read_text(encoding="utf-8")
        for target, anchor in re.findall(r"\]\(([\w~./-]*)(?:#([\w-]+))?\)", text):
            linked = page.parent / target if target else page
            assert linked.exists(), target
            if anchor:
                headings = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.M)
                assert anchor in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}, anchor
    samples = json.loads((PACKAGE / "package.json").read_text(encoding="utf-8"))["samples"]
    for sample in samples:
        assert f"*{sample['displayName']}*" in manual() and (PACKAGE / sample["path"] / "README.md").exists()
    assert "?path=/unity_bridge/com.depthbridge.unity" in manual()
