# SPDX-License-Identifier: Apache-2.0
"""The package's editor code, used on mono as a user would: Inspectors, menus, the status window. Unity's editor itself is a stub."""

from __future__ import annotations

import json
import re
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from depthbridge.unity_bridge.serving.server import BridgeServer
from support.bridge_peers import LOOPBACK
from support.colour_depth import ColourDepth
from support.mono import PACKAGE, ROOT, compile_cs, run_mono, sources
from support.unity_play import RESOURCES, UNITY_TESTS, PlayBuild, build_play

EDITOR = PACKAGE / "Editor"
Use = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> PlayBuild:
    build = build_play(tmp_path_factory.mktemp("editor"))
    shipped = [build.core, build.engine, build.components]
    stubs = compile_cs(build.folder / "UnityEditor.dll", sources(UNITY_TESTS / "editor" / "stubs"), references=[build.engine])
    editor = compile_cs(build.folder / "Depthbridge.Unity.Editor.dll", sources(EDITOR), references=[*shipped, stubs])
    harness = sources(UNITY_TESTS / "editor" / "harness")
    compile_cs(build.folder / "Editor.exe", harness, references=[*shipped, stubs, editor])
    return build


@pytest.fixture
def use(build: PlayBuild, tmp_path: Path) -> Use:
    """What a scenario of the harness saw. Nobody listens to the editor afterwards, and no texture is left."""
    (tmp_path / "Assets").mkdir()

    def run(scenario: str, folder: Path = build.folder, **options: Any) -> dict[str, Any]:
        given = [f"{name}={value}" for name, value in {"project": tmp_path, **options}.items()]
        done = run_mono(folder / "Editor.exe", scenario, str(RESOURCES), *given)
        assert done.returncode == 0 and not done.stderr, done.stdout + done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        assert not [line for line in report["log"] if line.startswith("exception")], report["log"]
        assert report["left"] == "0 0 0", "listeners to reloads, to play mode, render textures"
        return report

    return run


# ---- the client's Inspector ------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop", ["reload", "play"])
def test_the_connection_test_finds_a_server_and_stops_with_the_editor(use: Use, stop: str) -> None:
    with BridgeServer(ColourDepth(), bind=LOOPBACK) as server:
        report = use("ClientInspector", endpoint=server.endpoint, stop=stop)
        port = server.endpoint.rsplit(":", 1)[1]
    assert "button: Test connection" in report["before"]
    (found,) = [line for line in report["after"] if line.startswith("info: ")]
    assert server.endpoint in found and "ms" in found
    assert report["copied"] == f"depthbridge serve --bind tcp://127.0.0.1:{port}"
    assert not [line for line in report["stopped"] if line.startswith(("info", "error")) or "Testing" in line], "stopped and forgotten"
    assert report["updates"].split()[0] == report["updates"].split()[1] != "0", "through SerializedObject: undo works"
    assert report["many"] == ["properties: without m_Script"], "many at once: the settings alone"


def test_the_connection_test_never_blocks_the_editor(use: Use) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and says nothing: a test lasts as long as it may
        endpoint = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        report = use("ClientInspector", endpoint=endpoint, stop="reload")
    assert "disabled button: Testing..." in report["during"] and report["repaints"], "it was drawn while the test ran"
    (said,) = [line for line in report["after"] if line.startswith("error: ")]
    assert endpoint in said


def test_a_server_on_another_machine_is_told_what_to_do(use: Use) -> None:
    report = use("ClientInspector", endpoint="tcp://192.0.2.1:5577", stop="reload")  # nobody's address
    (said,) = [line for line in report["after"] if line.startswith("error: ")]
    assert "tcp://192.0.2.1:5577" in said
    assert report["copied"] == "depthbridge serve --bind tcp://0.0.0.0:5577 --token-file token.txt"
    assert [line for line in report["after"] if "on 192.0.2.1" in line and "first line of token.txt" in line]


@pytest.mark.parametrize(
    ("endpoint", "command"),
    [
        ("tcp://127.0.0.1:5577", "depthbridge serve"),
        ("tcp://localhost:6000", "depthbridge serve --bind tcp://127.0.0.1:6000"),
        ("tcp://[::1]:6000", "depthbridge serve --bind tcp://[::1]:6000"),
        ("nonsense", None),
        ("tcp://127.0.0.1", None),
    ],
)
def test_the_command_starts_the_server_that_the_endpoint_means(use: Use, endpoint: str, command: str | None) -> None:
    report = use("ClientInspector", endpoint=endpoint, stop="reload")
    shown = [line.removeprefix("selectable: ") for line in report["before"] if line.startswith("selectable: ")]
    assert shown == ([command] if command else [])
    if not command:
        assert "label: The endpoint must read tcp://host:port, such as tcp://127.0.0.1:5577." in report["before"]


def test_the_commands_are_of_the_command_line_as_it_is() -> None:
    """Options that the Inspectors show exist."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources(EDITOR))
    for name in ("serve", "annotate"):
        options = (ROOT / "cli" / f"{name}.py").read_text(encoding="utf-8")
        lines = [line for line in code.splitlines() if f"depthbridge {name}" in line or (name == "serve" and "--bind" in line)]
        for option in {found for line in lines for found in re.findall(r"--[a-z-]+", line)}:
            assert f'"{option}"' in options, option


# ---- the other Inspectors --------------------------------------------------------------------------------------


def test_the_capture_shows_true_intrinsics_and_what_is_in_the_way(use: Use) -> None:
    report = use("CaptureInspector")
    assert [line for line in report["no_camera"] if line.startswith("error: There is no camera")]
    assert "label: fx, fy | 888.89, 888.89 px" in report["physical"], "the gate's, not the sensor's"
    assert "label: cx, cy | 256.00, 265.33 px, from the upper left" in report["physical"]
    assert "label: Vertical field of view | 22.90 degrees" in report["physical"]
    boxes = {
        name: [line for line in report[name] if line.startswith(("error", "warning", "info"))]
        for name in ("physical", "stretched", "orthographic")
    }
    kinds = {name: [line.split()[:3] for line in lines] for name, lines in boxes.items()}
    assert kinds["physical"] == [["info:", "Frames", "are"], ["warning:", "Nothing", "is"]]
    assert kinds["stretched"] == [["warning:", "Pixels", "are"], ["info:", "Planar", "depth"]]
    assert kinds["orthographic"][0] == ["error:", "The", "camera"] and kinds["orthographic"][1] == ["error:", "Meters", "Per"]
    assert report["camera_restored"] and "Depthbridge intrinsics" not in report["objects"]
    assert not report["log"], "nothing is logged for what the Inspector shows"


def test_the_dataset_shows_where_it_goes_and_how_far_it_is(use: Use, tmp_path: Path) -> None:
    report = use("DatasetInspector")
    folder = tmp_path / "Captures" / "capture"
    assert f"label: Goes to | {folder}" in report["edit"] and {"disabled button: Begin", "disabled button: Open folder"} <= set(report["edit"])
    assert f'selectable: depthbridge annotate "{folder}" --out "{folder}_annotated" --report' in report["edit"]
    assert [line for line in report["capturing"] if re.fullmatch(r"progress: 0\.\d\d \| capturing: \d of 4", line)]
    assert "button: End" in report["capturing"]
    assert "progress: 1.00 | complete: 4 of 4" in report["complete"] and folder.is_dir()


def test_the_window_shows_every_client_its_answers_and_its_errors(use: Use) -> None:
    with BridgeServer(ColourDepth(), bind=LOOPBACK) as server:
        good = use("Status", endpoint=server.endpoint, model="")
        bad = use("Status", endpoint=server.endpoint, model="another-model")
    assert [line for line in good["empty"] if "No loaded scene has a Depth Bridge Client" in line]
    assert f"label: camera | {server.endpoint}" in good["edit"] and "label: State | connects in play mode" in good["edit"]
    assert good["forgotten"] == good["empty"], "the objects of edit mode are gone"
    play = good["play"]
    assert "label: State | Ready" in play and [line for line in play if line.startswith("label: Model | ") and "metric" in line]
    assert [line for line in play if re.fullmatch(r"label: Round trip \| \d+\.\d ms", line)]
    assert [line for line in play if line.startswith("label: panel (") and line.endswith(" | 2.50 m")]
    assert [line for line in good["capture"] if line.startswith("label: panel (")]
    (error,) = [line for line in bad["play"] if line.startswith("error: ")]
    assert "another-model" in error and "(unknown_model)" in error and "label: Last answer | none yet" in bad["play"]


# ---- menus -----------------------------------------------------------------------------------------------------


def test_the_menus_do_what_they_say(use: Use, build: PlayBuild, tmp_path: Path) -> None:
    folder = tmp_path / "with_sample"
    folder.mkdir()
    for each in [*build.folder.glob("*.dll"), build.folder / "Editor.exe"]:
        shutil.copy2(each, folder)
    references = [folder / each.name for each in (build.core, build.engine, build.components)]
    compile_cs(folder / "Depthbridge.Samples.SelfTest.dll", sources(PACKAGE / "Samples~" / "SelfTest"), references=references)
    report = use("Menus", folder)
    assert len(report["paths"]) == 6
    assert [line for line in report["without_camera"] if "MainCamera" in line] == report["without_camera"] != []
    assert report["on_camera"] == ["DepthBridgeClient", "DepthCapture", "DistanceOverlay"], "once each"
    assert report["made"] and report["undo"].count("Add DepthObject") == 2
    assert report["undo"] == [
        "Add DepthBridgeClient", "Add DepthCapture", "Add DistanceOverlay", "Add DepthObject", "Add DepthObject", "Add capture camera",
    ]  # fmt: skip
    written = json.loads((tmp_path / "new" / "camera_intrinsics.json").read_text(encoding="utf-8"))
    assert (written["width"], written["height"]) == (640, 360) and written["focal_length_y"] == pytest.approx(311.769, abs=1e-3)
    assert [line for line in report["orthographic"] if "orthographic" in line and "perspective" in line]
    assert report["playing"] and set(report["self_test"]) == {"Depthbridge self-test"}, "in a scene of its own"


def test_the_self_tests_menu_says_how_to_import_it(use: Use) -> None:
    report = use("SelfTestNotImported")
    assert [line for line in report["said"] if "Package Manager" in line and "Self-Test" in line]
    assert report["objects"] == ["the user's"]


# ---- as code ---------------------------------------------------------------------------------------------------


def test_the_editor_code_holds_no_static_state() -> None:
    """With domain reload off a static would live on."""
    for path in sources(EDITOR):
        text = path.read_text(encoding="utf-8")
        assert text.startswith("// SPDX-License-Identifier: Apache-2.0\n") and len(text.splitlines()) < 400
        for number, line in enumerate(text.splitlines(), 1):
            words = line.split("//")[0].split("=")[0].split()
            assert not ("static" in words and "(" not in line and line.rstrip().endswith(";")), f"{path.name}:{number}"
        for word in ("InitializeOnLoad", "FindObjectsOfType", "FindObjectsByType", "async void", "Thread.Sleep", ".Join("):
            assert word not in text, f"{path.name} has {word}"
        for name in re.findall(r"class (\w+) : EditorWindow", text):
            assert path.stem == name


def test_inspectors_for_all_three_components(build: PlayBuild) -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources(EDITOR))
    assert set(re.findall(r"CustomEditor\(typeof\((\w+)\)\)", code)) == {"DepthBridgeClient", "DepthCapture", "BatchDatasetCapture"}
    assert code.count("[CanEditMultipleObjects]") == 3


def test_every_member_of_unitys_that_is_used_was_reviewed(build: PlayBuild) -> None:
    shipped = [build.core, build.engine, build.components]
    assemblies = [build.folder / "Depthbridge.Unity.Editor.dll"]
    for name in ("BoxesOnCubes", "SelfTest"):
        files = sources(PACKAGE / "Samples~" / name)
        assemblies.append(compile_cs(build.folder / f"Depthbridge.Samples.{name}.dll", files, references=shipped))
    program = compile_cs(build.folder / "Members.exe", [UNITY_TESTS / "members" / "Members.cs"])
    tables = [UNITY_TESTS / "stubs" / "signatures.txt", UNITY_TESTS / "editor" / "signatures.txt"]
    runtimes, own = (
        {line.split(" | ")[0] for line in table.read_text(encoding="utf-8").splitlines() if " | " in line and line[0] != "#"} for table in tables
    )
    used = set()
    for assembly in assemblies:
        done = run_mono(program, str(assembly), str(build.engine))
        assert done.returncode == 0, done.stderr
        used |= {line for line in done.stdout.splitlines() if " = " not in line}
    assert used - runtimes - own == set(), "read the scripting reference of 2021.3 and 6000.x, then add these to editor/signatures.txt"
    assert own - used == set(), "no longer used: take these out of editor/signatures.txt"
