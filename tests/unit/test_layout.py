# SPDX-License-Identifier: Apache-2.0
"""The house keeps its rules: who may import whom, what loads when, a licence line in every file."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("addon", "cli", "engines", "models", "packaging", "unity_bridge")

# Package -> what of the project it may import, and which third-party modules are its alone.
MAY_IMPORT = {
    "engines": {"engines", "models"},
    "unity_bridge": {"unity_bridge", "engines"},
    "addon": {"addon", "engines", "unity_bridge"},
    "cli": {"cli", "addon", "engines", "unity_bridge"},
    "models": {"models", "engines"},
    "packaging": {"packaging", "engines"},
}
OWNERS = {
    "bpy": {"addon", "models/training"},
    "bpy_extras": {"addon"},
    "mathutils": {"addon", "models/training"},
    "zmq": {"unity_bridge"},
    "torch": {"models/training"},
    "onnx": {"engines", "models/training"},
    "onnxruntime": {"engines", "models/training"},
    "openvino": {"engines", "models/training"},
    "tensorrt": {"engines"},
    "click": {"cli", "models/training", "packaging"},
    "rich": {"cli", "models/training"},
}


def tracked(*patterns: str) -> list[Path]:
    """Files git knows, or would know: the tests run in a checkout."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listing = subprocess.check_output(command, cwd=ROOT, text=True)
    return [ROOT / line for line in listing.splitlines() if (ROOT / line).is_file()]


def modules() -> list[Path]:
    return [path for path in tracked("*.py") if path.relative_to(ROOT).parts[0] in PACKAGES]


def imports(path: Path) -> list[str]:
    """Absolute names of everything a module imports, `depthbridge.` for the project's own, also inside functions."""
    names: list[str] = []
    package = ["depthbridge", *path.relative_to(ROOT).parent.parts]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            names += [f"{module}.{alias.name}" for alias in node.names]
    return names


def test_dependencies_point_one_way() -> None:
    broken = []
    for path in modules():
        home = path.relative_to(ROOT).parts[0]
        for name in imports(path):
            parts = name.split(".")
            if parts[0] == "depthbridge" and len(parts) > 1 and parts[1] in PACKAGES and parts[1] not in MAY_IMPORT[home]:
                broken.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not broken


def test_the_addon_knows_only_the_bridges_client() -> None:
    reached = {name for path in modules() if path.relative_to(ROOT).parts[0] == "addon" for name in imports(path) if ".unity_bridge" in name}
    assert all(name.startswith("depthbridge.unity_bridge.client") for name in reached)


def test_third_parties_stay_at_their_door() -> None:
    broken = []
    for path in modules():
        home = path.relative_to(ROOT).as_posix()
        for name in imports(path):
            owners = OWNERS.get(name.split(".")[0])
            if owners is not None and not any(home.startswith(owner + "/") for owner in owners):
                broken.append(f"{home} imports {name}")
    assert not broken


def test_packaging_does_not_hide_the_package_of_that_name() -> None:
    """pytest needs PyPI's ``packaging``; without an ``__init__.py`` our folder gives way to it, wherever Python is started."""
    code = "import packaging.version, depthbridge.packaging.main; print(packaging.__file__ is not None)"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).strip() == "True"


def test_shipped_code_never_imports_the_training_code() -> None:
    broken = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules()
        if "training" not in path.parts
        for name in imports(path)
        if "models.training" in name
    ]
    assert not broken


@pytest.mark.parametrize("module", ["depthbridge.engines", "depthbridge.engines.engine", "depthbridge.engines.images", "depthbridge.cli.main"])
def test_importing_loads_no_runtime(module: str) -> None:
    heavy = ("bpy", "zmq", "torch", "onnxruntime", "openvino", "tensorrt", "trimesh", "onnx")
    code = f"import {module}, sys; print([name for name in {heavy!r} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_running_a_model_loads_nothing_that_speaks_http() -> None:
    code = "import depthbridge.engines.stream, sys; print([name for name in ('http.client', 'urllib.request', 'ssl') if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_importing_the_client_needs_no_msgspec() -> None:
    code = "import depthbridge.unity_bridge.client, sys; print('msgspec' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


def test_every_file_names_its_licence() -> None:
    wrong = []
    for path in tracked("*.py", ".ci/run", "*.toml", "*.cs", "*.shader", "*.hlsl", "*.cginc", "*.css", "*.js"):
        relative = path.relative_to(ROOT)
        if relative.name == "pyproject.toml":
            continue
        licence = "GPL-3.0-or-later" if relative.parts[0] == "addon" else "Apache-2.0"
        head = path.read_text(encoding="utf-8").splitlines()[:2]
        if not any(line.endswith(f"SPDX-License-Identifier: {licence}") for line in head):
            wrong.append(str(relative))
    assert not wrong


def test_modules_can_be_read_in_one_sitting() -> None:
    long = []
    for path in [*modules(), *tracked("run.py")]:
        source = path.read_text(encoding="utf-8")
        if len(source.splitlines()) > 400:
            long.append(f"{path.relative_to(ROOT)}: {len(source.splitlines())} lines")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and (node.end_lineno or 0) - node.lineno >= 60:
                long.append(f"{path.relative_to(ROOT)}: {node.name} has {(node.end_lineno or 0) - node.lineno + 1} lines")
    assert not long


def test_every_package_folder_is_in_pyproject() -> None:
    import tomllib

    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    found = {".".join(("depthbridge", *path.relative_to(ROOT).parent.parts)) for path in modules() if path.name == "__init__.py"}
    assert found | {"depthbridge"} == listed
