# SPDX-License-Identifier: Apache-2.0
"""run.py before there is an environment: what it picks, and what it says when there is nothing to pick."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """run.py and pyproject.toml alone, in a folder with a blank in its name."""
    folder = tmp_path / "a checkout"
    folder.mkdir()
    for name in ("run.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    return folder


def run(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", f"import sys, run; {code}"], cwd=folder, capture_output=True, text=True, timeout=120)


def test_no_fitting_interpreter_is_one_sentence_and_leaves_nothing(checkout: Path) -> None:
    result = run(checkout, "run.FITTING = ('3.99', '3.98'); sys.exit(run.main(['demo']))")
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "CPython 3.99 or 3.98" in result.stderr
    assert "install one" in result.stderr
    assert sorted(path.name for path in checkout.iterdir() if path.name != "__pycache__") == ["pyproject.toml", "run.py"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--python", "3.12", "demo"],
        ["--runtime", "tpu", "demo"],
        ["--with", "everything", "demo"],
        ["--nonsense"],
        ["--python"],
        ["--blender", "3.6", "demo"],
        ["--blender", "4.2", "--python", "3.13", "demo"],
    ],
)
def test_bad_options_are_one_sentence(arguments: list[str], checkout: Path) -> None:
    result = run(checkout, f"sys.exit(run.main({arguments!r}))")
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1


def test_it_finds_this_interpreter(checkout: Path) -> None:
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    result = run(checkout, f"path, version = run.find_interpreter([{own!r}]); print(version); print(path)")
    assert result.stdout.splitlines()[0] == own


def test_a_shim_that_does_not_start_is_passed_over(checkout: Path, tmp_path: Path) -> None:
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    shims = tmp_path / "shims"
    shims.mkdir()
    shim = shims / f"python{own}"
    shim.write_text("#!/bin/sh\necho 'version is not selected' >&2\nexit 127\n")
    shim.chmod(0o755)
    code = f"import os; os.environ['PATH'] = {str(shims)!r} + os.pathsep + os.environ['PATH']; sys.executable = None; print(run.find_interpreter([{own!r}]))"
    assert str(shim) not in run(checkout, code).stdout


def test_an_environment_of_another_python_is_left_alone(checkout: Path) -> None:
    """A .venv that is not ours to use keeps its files, and the message says so."""
    mine = checkout / ".venv"
    mine.mkdir()
    (mine / "pyvenv.cfg").write_text("home = /nowhere\n")
    (mine / "notes.txt").write_text("keep me")
    result = run(checkout, "run.FITTING = ('3.99',); sys.exit(run.main(['demo']))")
    assert "left alone" in result.stderr
    assert (mine / "notes.txt").read_text() == "keep me"


def test_a_second_start_installs_nothing(checkout: Path) -> None:
    """The stamp of the same project file and extras is enough; another project file is not."""
    code = (
        "import os, json, hashlib; os.makedirs('.venv');"
        "digest = hashlib.sha256(open('pyproject.toml', 'rb').read()).hexdigest();"
        "json.dump({'pyproject': digest, 'root': run.ROOT, 'extras': ['cpu', 'blender']}, open('.venv/depthbridge-install.json', 'w'));"
        "calls = []; run.run_pip = lambda command: calls.append(command[-1]) or True;"
        "run.install('.venv', ['cpu']); print(len(calls));"
        "run.install('.venv', ['cpu', 'dev']); print(calls[-1].split('[')[1]);"
        "open('pyproject.toml', 'a').write('\\n'); run.install('.venv', ['cpu']); print(len(calls))"
    )
    assert run(checkout, code).stdout.splitlines() == ["0", "blender,cpu,dev]", "2"]


RECORD = (
    "calls = []; run.find_interpreter = lambda versions: ('python', versions[0]);"
    "run.subprocess.call = lambda command, **named: calls.append(command) or 0;"
    "run.install = lambda folder, extras: calls.append([run.os.path.basename(folder), *extras]) or 'python'; {}; print(*calls, sep='\\n')"
)


@pytest.mark.parametrize(
    ("options", "folder", "extra"),
    [
        (["--blender", "4.2"], ".venv-blender-4.2", "blender42"),
        (["--blender", "4.5"], ".venv", "blender"),
        (["--blender", "5.2"], ".venv", "blender"),
        ([], ".venv", "blender"),
    ],
)
def test_the_oldest_blender_has_an_environment_of_its_own(options: list[str], folder: str, extra: str, checkout: Path) -> None:
    """Its numpy is pinned, and two versions of bpy cannot share one."""
    lines = run(checkout, RECORD.format(f"run.main([*{options!r}, 'scene', 'photo.jpg'])")).stdout.splitlines()
    assert lines[-2] == str([folder, "cpu", extra])


def test_more_extras_are_installed_beside_the_usual_ones(checkout: Path) -> None:
    lines = run(checkout, RECORD.format("run.main(['--with', 'evaluate', '--with', 'training', 'evaluate', 'data'])")).stdout.splitlines()
    assert lines[-2] == str([".venv", "cpu", "blender", "evaluate", "training"])


def test_a_broken_environment_of_the_oldest_blender_is_not_replaced_by_a_shared_one(checkout: Path) -> None:
    (checkout / ".venv-blender-4.2").mkdir()
    (checkout / ".venv-blender-4.2" / "pyvenv.cfg").write_text("home = /nowhere\n")
    lines = run(checkout, RECORD.format("run.main(['--blender', '4.2', 'demo'])")).stdout.splitlines()
    assert ".venv-blender-4.2-depthbridge" in lines[-2]


@pytest.mark.parametrize("command", ["extension", "extension-repo"])
def test_packaging_gets_its_own_words(command: str, checkout: Path) -> None:
    """Also those that run.py itself knows: there --python means the Python that the zip is for."""
    lines = run(checkout, RECORD.format(f"run.main([{command!r}, '--platform', 'linux-x64', '--python', '3.14'])")).stdout.splitlines()
    assert lines[-1] == str(["python", "-m", "depthbridge.packaging.main", command, "--platform", "linux-x64", "--python", "3.14"])


def test_the_demo_and_the_tests_are_not_taken_for_packaging(checkout: Path) -> None:
    assert "depthbridge.cli.main" in run(checkout, RECORD.format("run.main(['demo'])")).stdout


def test_results_of_an_earlier_demo_stay(checkout: Path) -> None:
    for name in ("demo-out", "demo-out-2"):
        (checkout / name).mkdir()
        (checkout / name / "scene.blend").write_text("mine")
    (checkout / "demo-out-3").mkdir()
    assert run(checkout, "print(run.free_folder('demo-out'))").stdout.strip() == "demo-out-3"


def test_help_works_on_any_python() -> None:
    """The oldest Python here must get past the syntax."""
    for name in ("python3.6", "python3.8", "python3", sys.executable):
        found = shutil.which(name)
        if found:
            probe = subprocess.run([found, "-c", "pass"], capture_output=True)
            if probe.returncode == 0:
                result = subprocess.run([found, str(ROOT / "run.py"), "--help"], capture_output=True, text=True, env={**os.environ})
                assert "run.py demo" in result.stdout, found
