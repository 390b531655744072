# SPDX-License-Identifier: Apache-2.0
"""What is in the zip, that it is the same every time, and that Blender's own builder judges it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from depthbridge.packaging import builder, stage
from depthbridge.packaging.errors import PackagingError
from depthbridge.packaging.extension import ROOT, Variant, build, default_cache

# What a zip holds beside its wheels, as a pattern of shell globs apart from the code that stages it.
EXPECTED = (
    "blender_manifest.toml",
    "__init__.py",
    "LICENSES/Apache-2.0.txt",
    "LICENSES/CC0-1.0.txt",
    "LICENSES/GPL-3.0-or-later.txt",
    "models/__init__.py",
    "models/catalog.toml",
    "models/depthbridge-mini.onnx",
)
EXPECTED_FOLDERS = {"addon": "**/*.py", "engines": "**/*.py", "unity_bridge": "*.py"}


@pytest.fixture(autouse=True)
def empty_file() -> None:
    """Nothing here happens in the Blender of this process: the extension need not be installed in it."""


def without_wheels(archive: Path) -> set[str]:
    with zipfile.ZipFile(archive) as opened:
        return {name for name in opened.namelist() if not name.startswith("wheels/")}


def a_checkout(folder: Path) -> Path:
    """A small repository with what ships and what does not."""
    for name in (*EXPECTED, "addon/panel.py", "engines/export/exr.py", "unity_bridge/client.py", "unity_bridge/com.depthbridge.unity/Editor.py",
                 "models/training/train.py", "models/CARD.md", "cli/main.py", "tests/unit/test_a.py", "addon/notes.md", "run.py"):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    for command in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    (folder / "addon" / "draft.py").write_text("")
    (folder / "addon" / "__pycache__").mkdir()
    (folder / "addon" / "__pycache__" / "panel.cpython-313.pyc").write_text("")
    return folder


def test_the_zip_holds_what_ships_and_nothing_else(extension_zip: Path) -> None:
    listed = {path.relative_to(ROOT).as_posix() for folder, glob in EXPECTED_FOLDERS.items() for path in (ROOT / folder).glob(glob)}
    ignored = subprocess.run(["git", "check-ignore", "--", *listed], cwd=ROOT, capture_output=True, text=True).stdout.split()
    assert without_wheels(extension_zip) == {*EXPECTED, *listed} - set(ignored)


def test_only_tracked_files_are_staged(tmp_path: Path) -> None:
    files = stage.shipped_files(a_checkout(tmp_path))
    assert set(files) == {*EXPECTED, "addon/panel.py", "engines/export/exr.py", "unity_bridge/client.py"} - {"blender_manifest.toml"}


def test_a_tracked_file_that_is_gone_is_named(tmp_path: Path) -> None:
    (a_checkout(tmp_path) / "addon" / "panel.py").unlink()
    with pytest.raises(PackagingError, match=r"addon/panel\.py is tracked and gone"):
        stage.shipped_files(tmp_path)


def test_a_folder_that_is_no_checkout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackagingError, match="no git checkout"):
        stage.shipped_files(tmp_path)


def test_two_builds_have_the_same_bytes(tmp_path: Path) -> None:
    """In another time zone, under another umask, from a copy whose files were written at another time and in another order."""
    code = (
        "import os, sys; os.umask(int(sys.argv[3], 8)); from pathlib import Path; from depthbridge.packaging import extension;"
        "extension.ROOT = Path(sys.argv[1]);"
        "extension.build(extension.Variant('linux-x64', fallback=True), Path(sys.argv[2]), extension.default_cache(), untracked=True)"
    )
    built = []
    source, files = ROOT, ["blender_manifest.toml", *stage.shipped_files(ROOT, untracked=True)]
    for zone, umask, written in (("UTC", "022", 1_600_000_000), ("Pacific/Kiritimati", "077", 1_000_000_000)):
        copy, out = tmp_path / zone / "copy", tmp_path / zone / "out"
        for file in files:
            (copy / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / file, copy / file)
            os.utime(copy / file, (written, written))
        subprocess.run(["git", "init", "-q"], cwd=copy, check=True)
        subprocess.run([sys.executable, "-c", code, str(copy), str(out), umask], env={**os.environ, "TZ": zone}, check=True)
        built += [path.read_bytes() for path in out.iterdir()]
        source, files = copy, files[::-1]
    assert len(built) == 2 and built[0] == built[1]


def test_each_file_is_there_once_and_in_one_order(extension_zip: Path) -> None:
    with zipfile.ZipFile(extension_zip) as opened:
        names = opened.namelist()
    assert names == ["blender_manifest.toml", *sorted(set(names[1:]))]


def test_the_manifest_names_every_wheel_and_the_platform(full_zip: Path) -> None:
    with zipfile.ZipFile(full_zip) as opened:
        manifest = tomllib.loads(opened.read("blender_manifest.toml").decode())
        inside = sorted("./" + name for name in opened.namelist() if name.startswith("wheels/"))
    assert sorted(manifest["wheels"]) == inside
    names = [Path(wheel).name for wheel in inside]
    for package in ("onnxruntime", "pillow", "pyzmq"):
        assert sum(name.startswith(f"{package}-") for name in names) == 2, names
    assert sum(name.startswith("opencv_python_headless-") for name in names) == 1
    assert not any(name.startswith(("numpy", "msgspec")) for name in names)
    assert len(manifest["platforms"]) == 1
    assert set(manifest["permissions"]) == {"files", "network"}


def staged(folder: Path, **changes: str) -> Path:
    """The extension without wheels, staged, with words of its manifest changed."""
    folder.mkdir()
    stage.stage(ROOT, stage.shipped_files(ROOT, untracked=True), [], "linux-x64", folder)
    manifest = folder / "blender_manifest.toml"
    text = manifest.read_text().replace("wheels = [\n]\n", "")
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    manifest.write_text(text)
    return folder


def test_blender_accepts_the_manifest_and_refuses_a_wrong_tag(tmp_path: Path) -> None:
    builder.validate(staged(tmp_path / "right"))
    with pytest.raises(PackagingError, match="AI"):
        builder.validate(staged(tmp_path / "wrong", Pipeline="AI"))
    with pytest.raises(PackagingError, match="AI"):
        builder.build(staged(tmp_path / "built", Pipeline="AI"), tmp_path / "wrong.zip")
    assert not (tmp_path / "wrong.zip").exists()


def test_a_wheel_that_is_not_what_was_pinned_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip is asked for the real wheel; only what we expect of it is changed. Nothing is kept, nothing built."""
    from depthbridge.packaging import wheels

    smallest = min(Variant("linux-x64", fallback=True).wheels(), key=lambda wheel: wheel.package == "opencv_python_headless")
    wrong = wheels.parse(smallest.file, "0" * 64)
    with pytest.raises(PackagingError, match=f"wheels.toml says {'0' * 64}"):
        wheels.fetch(wrong, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_damaged_wheel_in_the_cache_is_fetched_again(tmp_path: Path) -> None:
    from depthbridge.packaging import wheels

    smallest = min(Variant("linux-x64", fallback=True).wheels(), key=lambda wheel: wheel.package == "opencv_python_headless")
    (tmp_path / smallest.file).write_bytes(b"cut short")
    assert wheels.fetch(smallest, tmp_path).stat().st_size > 100_000


def test_an_unknown_version_is_one_sentence_of_pips(tmp_path: Path) -> None:
    from depthbridge.packaging import wheels

    with pytest.raises(PackagingError, match=r"pip has no pyzmq==0\.0\.99") as caught:
        wheels.fetch(wheels.parse("pyzmq-0.0.99-cp312-abi3-win_amd64.whl", "0" * 64), tmp_path)
    assert "\n" not in str(caught.value)


def test_a_version_that_differs_is_refused(tmp_path: Path) -> None:
    copy = a_checkout(tmp_path / "copy")
    (copy / "__init__.py").write_text('__version__ = "9.9.9"\n')
    (copy / "blender_manifest.toml").write_text((ROOT / "blender_manifest.toml").read_text())
    with pytest.raises(PackagingError, match=r"9\.9\.9"):
        stage.manifest(copy, [], "linux-x64")


def test_an_earlier_zip_stays_when_a_build_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fallback_zip: Path) -> None:
    variant = Variant("linux-x64", fallback=True)
    kept = tmp_path / fallback_zip.name.replace(fallback_zip.name.split("-")[2], "linux_x64")
    kept.write_bytes(b"an earlier build")
    manifest = tmp_path / "root" / "blender_manifest.toml"
    shutil.copytree(ROOT / "LICENSES", tmp_path / "root" / "LICENSES")
    manifest.write_text((ROOT / "blender_manifest.toml").read_text().replace('"Pipeline"', '"AI"'))
    shutil.copyfile(ROOT / "__init__.py", tmp_path / "root" / "__init__.py")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path / "root", check=True)
    monkeypatch.setattr("depthbridge.packaging.extension.ROOT", tmp_path / "root")
    with pytest.raises(PackagingError, match="AI"):
        build(variant, tmp_path, default_cache(), untracked=True)
    assert kept.read_bytes() == b"an earlier build"
    assert sorted(path.name for path in tmp_path.iterdir()) == [kept.name, "root"]


def test_bad_wishes_are_one_sentence() -> None:
    for words, said in {
        ("linux-arm64",): "no zip for the platform 'linux-arm64'",
        ("linux-x64", "directml"): "DirectML is Windows's",
        ("windows-x64", "tpu"): "no runtime 'tpu'",
        ("linux-x64", "cpu", "3.13", True): "leave --python",
    }.items():
        with pytest.raises(PackagingError, match=said) as caught:
            Variant(*words)
        assert "\n" not in str(caught.value)
    with pytest.raises(PackagingError, match=r"Python 3\.14"):
        Variant("windows-x64", python="3.14").wheels()
    with pytest.raises(PackagingError, match="no version of Python"):
        Variant("linux-x64", python="newest").wheels()
