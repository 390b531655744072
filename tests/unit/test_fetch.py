# SPDX-License-Identifier: Apache-2.0
"""Fetching from a real server that behaves: content, pins, weights beside the graph, and what an installed model is refused or spared."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from depthbridge.engines.errors import DownloadError, ModelError
from depthbridge.engines.fetch import fetch as fetch_planned
from depthbridge.engines.fetch import plan_fetch
from depthbridge.engines.model_lock import LOCK_NAME, read_lock
from depthbridge.engines.model_store import FileState, Origin, installed, resolve, verify
from support.fetching import fetch, onnx_bytes, settings, spec, split_model
from support.model_host import ModelHost


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# ---- the plain way -------------------------------------------------------------------------------------------------


def test_a_fetched_model_is_whole_pinned_and_usable(host: ModelHost, tmp_path: Path) -> None:
    content = onnx_bytes(tmp_path)
    url = host.put_repository("/tiny/model.onnx", content)
    seen: list[tuple[int, int | None]] = []
    path = fetch(spec(url), tmp_path / "store", progress=lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == content
    assert names(tmp_path / "store") == [f"tiny/{LOCK_NAME}", "tiny/model.onnx"]
    assert seen[-1] == (len(content), len(content))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    lock = read_lock(path.parent)
    assert lock is not None
    (pin,) = lock.pins
    assert (pin.url, pin.sha256, pin.size, pin.revision) == (url, sha256(content), len(content), "c0ffee")
    assert pin.host_checksum == f"sha256:{sha256(content)}" and not pin.trusted_on_first_use
    assert "X-Linked-Etag" in pin.checksum_source
    assert [check.state for check in verify("tiny", tmp_path / "store")] == [FileState.OK]


def test_a_fetched_catalogue_model_resolves_by_its_id(host: ModelHost, tmp_path: Path) -> None:
    fetch(spec(host.put_repository("/x/model.onnx", onnx_bytes(tmp_path)), model_id="da2-small"), tmp_path)
    found = resolve("DA2-Small", tmp_path)
    assert found.path == tmp_path / "da2-small" / "model.onnx"
    assert found.spec is not None and found.spec.title == "Depth Anything V2 Small"
    assert [model.origin for model in installed(tmp_path) if model.id == "da2-small"] == [Origin.FETCHED]


def test_what_arrives_must_have_the_published_checksum(host: ModelHost, tmp_path: Path) -> None:
    content = onnx_bytes(tmp_path, seed=1)
    url = host.put_repository("/tiny/model.onnx", content)
    host.files["/cdn/tiny/model.onnx"].content = onnx_bytes(tmp_path, seed=2)
    with pytest.raises(DownloadError, match="checksum that its host publishes") as error:
        fetch(spec(url), tmp_path / "store")
    assert url in str(error.value)
    assert not (tmp_path / "store").exists()


def test_a_delivery_network_vouches_for_nothing(host: ModelHost, tmp_path: Path) -> None:
    # Its checksum would follow whatever it delivers; only the host that was asked counts.
    content = onnx_bytes(tmp_path)
    host.put("/cdn/model.onnx", content, headers={"X-Linked-Etag": f'"{sha256(content)}"'})
    url = host.put("/model.onnx", b"", redirect_to=f"{host.other_address}/cdn/model.onnx")
    plan = plan_fetch(spec(url), tmp_path, settings=settings())
    assert plan.files[0].published.checksum is None and plan.files[0].published.size == len(content)
    assert "publishes no checksum" in plan.files[0].published.note


# ---- pins ----------------------------------------------------------------------------------------------------------


def test_a_changed_checksum_is_refused_before_downloading_and_taken_on_request(host: ModelHost, tmp_path: Path) -> None:
    first, second = onnx_bytes(tmp_path, seed=1), onnx_bytes(tmp_path, seed=2)
    path = fetch(spec(host.put_repository("/m/model.onnx", first)), tmp_path)
    changed = spec(host.put_repository("/m/model.onnx", second))
    downloads = len(host.ranges_asked("/m/model.onnx"))
    with pytest.raises(DownloadError, match=r"no longer what was pinned.*--accept-change"):
        fetch(changed, tmp_path)
    assert len(host.ranges_asked("/m/model.onnx")) == downloads
    assert path.read_bytes() == first
    assert fetch(changed, tmp_path, accept_change=True).read_bytes() == second
    lock = read_lock(path.parent)
    assert lock is not None and lock.pins[0].sha256 == sha256(second)


def test_without_a_published_checksum_the_first_content_is_pinned_and_said_to_be(host: ModelHost, tmp_path: Path) -> None:
    first, second = onnx_bytes(tmp_path, seed=1), onnx_bytes(tmp_path, seed=2)
    assert len(first) == len(second)
    url = host.put("/m/model.onnx", first)
    fetched = fetch_planned(plan_fetch(spec(url), tmp_path, settings=settings()))
    assert fetched.lock.pins[0].trusted_on_first_use
    assert any("publishes no checksum" in note and "trusted as it arrived first" in note for note in fetched.notes)
    host.put("/m/model.onnx", second, etag='"v2"')
    fetched.path.unlink()
    with pytest.raises(DownloadError, match=r"no longer what was pinned"):
        fetch(spec(url), tmp_path)
    assert names(tmp_path / "tiny") == [LOCK_NAME]
    assert fetch(spec(url), tmp_path, accept_change=True).read_bytes() == second


def test_accepting_a_change_looks_again_where_no_checksum_tells(host: ModelHost, tmp_path: Path) -> None:
    first, second = onnx_bytes(tmp_path, seed=1), onnx_bytes(tmp_path, seed=2)
    url = host.put("/m/model.onnx", first)
    fetch(spec(url), tmp_path)
    host.put("/m/model.onnx", second, etag='"v2"')
    assert fetch(spec(url), tmp_path, accept_change=True).read_bytes() == second


def test_a_changed_size_is_refused_before_downloading(host: ModelHost, tmp_path: Path) -> None:
    url = host.put("/m/model.onnx", onnx_bytes(tmp_path))
    fetch(spec(url), tmp_path)
    host.put("/m/model.onnx", onnx_bytes(tmp_path, weights=9_000))
    with pytest.raises(DownloadError, match=r"it had \d+ bytes and has \d+ now"):
        plan_fetch(spec(url), tmp_path, settings=settings())


def test_an_intact_model_is_not_downloaded_again_and_a_damaged_one_is(host: ModelHost, tmp_path: Path) -> None:
    content = onnx_bytes(tmp_path)
    wanted = spec(host.put_repository("/m/model.onnx", content))
    path = fetch(wanted, tmp_path)
    assert fetch(wanted, tmp_path) == path
    assert len(host.ranges_asked("/m/model.onnx")) == 1
    path.write_bytes(content[:-1] + b"!")
    assert [check.state for check in verify("tiny", tmp_path)] == [FileState.CHANGED]
    assert fetch(wanted, tmp_path).read_bytes() == content
    assert len(host.ranges_asked("/m/model.onnx")) == 2


def test_a_damaged_pin_file_is_told(host: ModelHost, tmp_path: Path) -> None:
    wanted = spec(host.put("/m/model.onnx", onnx_bytes(tmp_path)))
    path = fetch(wanted, tmp_path)
    (path.parent / LOCK_NAME).write_text('{"format": 1, "model": "tiny", "files": [{}]}')
    with pytest.raises(ModelError, match=LOCK_NAME):
        plan_fetch(wanted, tmp_path, settings=settings())


def test_a_file_of_the_users_own_is_never_overwritten(host: ModelHost, tmp_path: Path) -> None:
    content = onnx_bytes(tmp_path)
    wanted = spec(host.put_repository("/m/model.onnx", content))
    own = tmp_path / "tiny" / "model.onnx"
    own.parent.mkdir()
    own.write_bytes(b"my own work")
    with pytest.raises(ModelError, match="is in the way"):
        fetch(wanted, tmp_path)
    assert own.read_bytes() == b"my own work"
    # The published file itself, copied there by hand, is taken as it is.
    own.write_bytes(content)
    fetch(wanted, tmp_path)
    assert host.ranges_asked("/m/model.onnx") == []
    assert [check.state for check in verify("tiny", tmp_path)] == [FileState.OK]


# ---- weights beside the graph --------------------------------------------------------------------------------------


@pytest.mark.parametrize("listed", [True, False], ids=["in the catalogue", "only in the graph"])
def test_external_weights_follow_the_graph(host: ModelHost, tmp_path: Path, listed: bool) -> None:
    graph, data = split_model(tmp_path)
    urls = [host.put_repository("/m/onnx/model.onnx", graph), host.put_repository("/m/onnx/model.onnx_data", data)]
    wanted = spec(*urls if listed else urls[:1])
    seen: list[tuple[int, int | None]] = []
    path = fetch(wanted, tmp_path / "store", progress=lambda done, total: seen.append((done, total)))
    assert (path.parent / "model.onnx_data").read_bytes() == data
    assert seen[-1] == (len(graph) + len(data),) * 2
    assert [pin.path for pin in (read_lock(path.parent) or pytest.fail()).pins] == ["model.onnx", "model.onnx_data"]
    # The second time, weights that only the graph names are known from the pins, and guarded like the others.
    host.put_repository("/m/onnx/model.onnx_data", data[::-1])
    with pytest.raises(DownloadError, match=r"model\.onnx_data of tiny is no longer what was pinned"):
        fetch(wanted, tmp_path / "store")


@pytest.mark.parametrize("location", ["../evil.bin", "/etc/evil", "a/../../evil", "C:\\evil", "..\\evil"])
def test_weights_outside_the_folder_are_refused(host: ModelHost, tmp_path: Path, location: str) -> None:
    graph, _ = split_model(tmp_path, location)
    with pytest.raises(ModelError, match="not a plain name inside its folder"):
        fetch(spec(host.put_repository("/m/model.onnx", graph)), tmp_path / "store")
    assert not (tmp_path / "store").exists() and not (tmp_path / "evil.bin").exists()


def test_missing_weights_install_nothing(host: ModelHost, tmp_path: Path) -> None:
    graph, _ = split_model(tmp_path)
    with pytest.raises(DownloadError, match=r"no file at .*/m/model\.onnx_data"):
        fetch(spec(host.put_repository("/m/model.onnx", graph)), tmp_path / "store")
    assert not (tmp_path / "store" / "tiny" / "model.onnx").exists()
    assert installed(tmp_path / "store")[-1:] == () or installed(tmp_path / "store")[-1].id != "tiny"


def test_a_page_of_text_is_no_model(host: ModelHost, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="not an ONNX model"):
        fetch(spec(host.put("/m/model.onnx", b"<html>Please sign in</html>")), tmp_path / "store")
    assert not (tmp_path / "store").exists()


# ---- one at a time -------------------------------------------------------------------------------------------------


def test_two_at_once_are_kept_apart(host: ModelHost, tmp_path: Path) -> None:
    content = onnx_bytes(tmp_path)
    wanted = spec(host.put_repository("/m/model.onnx", content))
    plan = plan_fetch(wanted, tmp_path, settings=settings())
    inside, leave = threading.Event(), threading.Event()

    def hold(done: int, total: int | None) -> None:
        inside.set()
        assert leave.wait(20)

    first = threading.Thread(target=fetch_planned, args=(plan,), kwargs={"progress": hold})
    first.start()
    assert inside.wait(20)
    try:
        with pytest.raises(ModelError, match="already being fetched"):
            fetch_planned(plan)
        other = "import sys; from pathlib import Path; from depthbridge.engines.file_lock import exclusive\n"
        other += "with exclusive(Path(sys.argv[1])) as ours: sys.exit(0 if ours else 7)"
        lock_file = next(path for path in plan.folder.iterdir() if path.name.startswith(".depthbridge-busy"))
        assert subprocess.run([sys.executable, "-c", other, str(lock_file)]).returncode == 7
    finally:
        leave.set()
        first.join()
    assert (plan.folder / "model.onnx").read_bytes() == content
    assert fetch(wanted, tmp_path).read_bytes() == content
    assert names(plan.folder) == [LOCK_NAME, "model.onnx"]


def test_a_lock_left_by_a_killed_program_stops_nobody(host: ModelHost, tmp_path: Path) -> None:
    wanted = spec(host.put_repository("/m/model.onnx", onnx_bytes(tmp_path)))
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / ".depthbridge-busy").touch()
    fetch(wanted, tmp_path)
    assert names(tmp_path / "tiny") == [LOCK_NAME, "model.onnx"]


# ---- what has nothing to fetch -------------------------------------------------------------------------------------


def test_a_model_nobody_publishes_says_how_to_get_it(tmp_path: Path) -> None:
    from depthbridge.engines.catalog import load_catalog

    with pytest.raises(ModelError, match="models add FILE --id da3mono-large"):
        plan_fetch(load_catalog().get("da3mono-large"), tmp_path)
    with pytest.raises(ModelError, match="nothing to fetch"):
        plan_fetch(load_catalog().embedded, tmp_path)


def test_a_model_added_by_hand_is_not_replaced_by_a_fetch(host: ModelHost, tmp_path: Path) -> None:
    wanted = spec(host.put("/m/model.onnx", onnx_bytes(tmp_path)))
    path = fetch(wanted, tmp_path)
    lock = json.loads((path.parent / LOCK_NAME).read_text())
    lock["files"][0]["url"] = ""
    (path.parent / LOCK_NAME).write_text(json.dumps(lock))
    with pytest.raises(ModelError, match="file of your own"):
        plan_fetch(wanted, tmp_path, settings=settings())
