# SPDX-License-Identifier: Apache-2.0
"""Folders that cannot be written and disks that are full: one sentence, nothing half-written. Real file systems, also for root."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from depthbridge.engines.errors import OutputError
from depthbridge.engines.fetch import fetch as fetch_planned
from depthbridge.engines.fetch import plan_fetch
from depthbridge.engines.model_import import AddRequest, add_model
from support.disks import small_disk
from support.fetching import fetch, onnx_bytes, settings, spec
from support.model_host import ModelHost


def test_a_folder_below_a_file_is_refused(host: ModelHost, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    wanted = spec(host.put("/m/model.onnx", onnx_bytes(tmp_path)))
    with pytest.raises(OutputError, match=r"Cannot write .*file"):
        fetch(wanted, tmp_path / "file" / "store")
    assert (tmp_path / "file").read_text() == "mine"
    assert host.ranges_asked("/m/model.onnx") == []


def test_a_read_only_file_system_is_refused(host: ModelHost, tmp_path: Path) -> None:
    wanted = spec(host.put("/m/model.onnx", onnx_bytes(tmp_path)))
    (tmp_path / "built.onnx").write_bytes(onnx_bytes(tmp_path))
    with small_disk(tmp_path / "disk", "ro,size=1m") as disk:
        with pytest.raises(OutputError, match="the folder is read-only"):
            fetch(wanted, disk / "store")
        with pytest.raises(OutputError, match="the folder is read-only"):
            add_model(AddRequest(tmp_path / "built.onnx"), disk / "store")
    assert host.ranges_asked("/m/model.onnx") == []


def test_what_cannot_fit_is_refused_before_it_is_downloaded(host: ModelHost, tmp_path: Path) -> None:
    content = onnx_bytes(tmp_path, weights=100_000)
    with small_disk(tmp_path / "disk", "size=64k") as disk:
        with pytest.raises(OutputError, match=rf"{len(content)} more bytes are needed and \d+ are free"):
            fetch(spec(host.put_repository("/m/model.onnx", content)), disk / "store")
        assert list(disk.iterdir()) == []


def test_a_disk_that_fills_up_keeps_nothing(host: ModelHost, tmp_path: Path) -> None:
    # The length is not told, so that only writing shows it.
    content = onnx_bytes(tmp_path, weights=100_000)
    with small_disk(tmp_path / "disk", "size=64k") as disk:
        with pytest.raises(OutputError, match="the disk is full"):
            fetch(spec(host.put("/m/model.onnx", content, chunked=True)), disk / "store")
        assert list(disk.iterdir()) == []


def test_adding_to_a_full_disk_keeps_nothing(tmp_path: Path) -> None:
    source = tmp_path / "own.onnx"
    source.write_bytes(onnx_bytes(tmp_path, weights=100_000))
    with small_disk(tmp_path / "disk", "size=64k") as disk:
        with pytest.raises(OutputError, match="the disk is full"):
            add_model(AddRequest(source), disk / "store")
        assert list(disk.iterdir()) == []


LIMITED = """
import resource, sys
from pathlib import Path
from depthbridge.engines.errors import OutputError
from support.disks import small_disk
from support.fetching import fetch, spec
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    fetch(spec(sys.argv[1]), Path(sys.argv[2]))
except OutputError as error:
    print(error)
    sys.exit(3)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
def test_a_file_that_may_not_grow_keeps_nothing(host: ModelHost, tmp_path: Path) -> None:
    # Needs no rights: the system refuses the write as a full disk would.
    url = host.put_repository("/m/model.onnx", onnx_bytes(tmp_path))
    tests = Path(__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-c", LIMITED, url, str(tmp_path / "store")], cwd=tests, capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    assert done.stdout.startswith("Cannot write ") and done.stdout.count("\n") == 1
    assert not (tmp_path / "store").exists()


def test_an_installed_model_survives_a_full_disk(host: ModelHost, tmp_path: Path) -> None:
    first, second = onnx_bytes(tmp_path, weights=2_000), onnx_bytes(tmp_path, weights=100_000)
    with small_disk(tmp_path / "disk", "size=64k") as disk:
        path = fetch(spec(host.put("/m/model.onnx", first)), disk)
        host.put("/m/model.onnx", second, etag='"v2"', chunked=True)
        plan = plan_fetch(spec(f"{host.address}/m/model.onnx"), disk, accept_change=True, settings=settings())
        with pytest.raises(OutputError, match="the disk is full"):
            fetch_planned(plan)
        assert path.read_bytes() == first
        assert sorted(item.name for item in path.parent.iterdir()) == ["depthbridge.lock.json", "model.onnx"]
