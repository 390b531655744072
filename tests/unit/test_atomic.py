# SPDX-License-Identifier: Apache-2.0
"""Outputs appear whole or not at all: missing, read-only and full folders, taken names, interrupted writers."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from depthbridge.engines.atomic import atomic_folder_contents, atomic_path, make_folder
from depthbridge.engines.errors import OutputError
from support.disks import small_disk


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "size=64k") as disk:
        yield disk


def test_the_target_appears_whole_and_alone(tmp_path: Path) -> None:
    target = tmp_path / "map.npz"
    with atomic_path(target) as temporary:
        assert temporary.parent == tmp_path and temporary.suffix == ".npz" and not temporary.exists()
        temporary.write_bytes(b"whole")
        assert not target.exists()
    assert _names(tmp_path) == ["map.npz"]
    assert target.read_bytes() == b"whole"
    ordinary = tmp_path / "ordinary"
    ordinary.write_bytes(b"")
    assert target.stat().st_mode == ordinary.stat().st_mode


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), RuntimeError("writer broke"), ValueError("no")])
def test_a_broken_writer_leaves_nothing(tmp_path: Path, interruption: BaseException) -> None:
    with pytest.raises(type(interruption)), atomic_path(tmp_path / "map.npz") as temporary:
        temporary.write_bytes(b"half")
        raise interruption
    assert _names(tmp_path) == []


def test_a_writer_that_wrote_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="nothing was written"), atomic_path(tmp_path / "map.npz"):
        pass
    assert _names(tmp_path) == []


def test_an_existing_file_is_kept_unless_asked(tmp_path: Path) -> None:
    target = tmp_path / "map.npz"
    target.write_bytes(b"mine")
    with pytest.raises(OutputError, match="exists already"), atomic_path(target) as temporary:
        temporary.write_bytes(b"new")
    assert target.read_bytes() == b"mine" and _names(tmp_path) == ["map.npz"]
    with pytest.raises(RuntimeError), atomic_path(target, overwrite=True) as temporary:
        temporary.write_bytes(b"new")
        raise RuntimeError
    assert target.read_bytes() == b"mine"
    with atomic_path(target, overwrite=True) as temporary:
        temporary.write_bytes(b"new")
    assert target.read_bytes() == b"new" and _names(tmp_path) == ["map.npz"]


def test_a_file_that_appeared_meanwhile_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "map.npz"
    with pytest.raises(OutputError, match="exists already"), atomic_path(target) as temporary:
        temporary.write_bytes(b"new")
        target.write_bytes(b"of another program")
    assert target.read_bytes() == b"of another program" and _names(tmp_path) == ["map.npz"]


def test_what_is_not_a_folder_or_not_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    for target, words in (
        (tmp_path / "missing" / "map.npz", "does not exist"),
        (tmp_path / "file" / "map.npz", "is a file, not a folder"),
        (tmp_path / "folder", "it is a folder"),
        (tmp_path / ("x" * 300 + ".npz"), "too long"),
    ):
        with pytest.raises(OutputError, match=words) as caught, atomic_path(target) as temporary:
            temporary.write_bytes(b"whole")
        assert "\n" not in str(caught.value)
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OutputError, match="not a folder"):
            make_folder(folder)
    assert _names(tmp_path) == ["file", "folder"]


def test_an_error_about_another_file_passes(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "map.npz") as temporary:
        temporary.write_bytes(Path(tmp_path / "input.png").read_bytes())


def test_a_full_disk(mounted: Path) -> None:
    with pytest.raises(OutputError, match="disk is full"), atomic_path(mounted / "map.npz") as temporary:
        temporary.write_bytes(bytes(200_000))
    assert _names(mounted) == []


def test_a_read_only_folder(mounted: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(mounted)], check=True)
    ran = False
    with pytest.raises(OutputError, match="read-only"), atomic_path(mounted / "map.npz"):
        ran = True
    assert not ran, "an unwritable folder is told before the work"
    with pytest.raises(OutputError, match="read-only"), atomic_folder_contents(mounted):
        pass
    with pytest.raises(OutputError, match="read-only"):
        make_folder(mounted / "below")


def test_a_file_size_limit(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from depthbridge.engines.atomic import atomic_path\n"
        "from depthbridge.engines.errors import OutputError\n"
        "try:\n"
        "    with atomic_path(Path(sys.argv[1])) as temporary: temporary.write_bytes(bytes(200_000))\n"
        "except OutputError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "map.npz")],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536)),
    )
    assert "larger than the system allows" in done.stdout
    assert _names(tmp_path) == []


def test_a_set_of_files_appears_together(tmp_path: Path) -> None:
    out = tmp_path / "made" / "on demand"
    with pytest.raises(OutputError, match="does not exist"), atomic_folder_contents(out):
        pass
    make_folder(out)
    with atomic_folder_contents(out) as staging:
        (staging / "a").write_bytes(b"a")
        (staging / "b").write_bytes(b"b")
        assert [path for path in out.iterdir() if path != staging] == []
    assert _names(out) == ["a", "b"]


def test_a_set_of_files_vanishes_together(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"mine")
    with pytest.raises(OutputError, match="exists already"), atomic_folder_contents(tmp_path) as staging:
        (staging / "a").write_bytes(b"a")
        (staging / "b").write_bytes(b"b")
    assert _names(tmp_path) == ["b"] and (tmp_path / "b").read_bytes() == b"mine"
    with pytest.raises(RuntimeError), atomic_folder_contents(tmp_path, overwrite=True) as staging:
        (staging / "b").write_bytes(b"b")
        raise RuntimeError
    assert _names(tmp_path) == ["b"] and (tmp_path / "b").read_bytes() == b"mine"
    with atomic_folder_contents(tmp_path, overwrite=True) as staging:
        (staging / "a").write_bytes(b"a")
        (staging / "b").write_bytes(b"b")
    assert _names(tmp_path) == ["a", "b"] and (tmp_path / "b").read_bytes() == b"b"
