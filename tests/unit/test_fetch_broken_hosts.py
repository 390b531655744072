# SPDX-License-Identifier: Apache-2.0
"""Fetching from a real server that cuts the line, lies about length, changes content, and answers 404, 416 and worse."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from depthbridge.engines.errors import DownloadCancelledError, DownloadError
from support.fetching import fetch, onnx_bytes, settings, spec
from support.model_host import ModelHost, serving

ROUTE = "/m/model.onnx"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


def part(store: Path) -> Path:
    return store / "tiny" / "model.onnx.part"


# ---- cut lines -----------------------------------------------------------------------------------------------------


def test_a_cut_line_is_resumed_where_it_broke(host: ModelHost, tmp_path: Path, store: Path) -> None:
    content = onnx_bytes(tmp_path)
    url = host.put_repository(ROUTE, content, cut_after=[1000, 500])
    assert fetch(spec(url), store).read_bytes() == content
    assert host.ranges_asked(ROUTE) == [None, "bytes=1000-", "bytes=1500-"]
    last = [asked for asked in host.asked if asked.path == "/cdn" + ROUTE][-1]
    assert last.headers["If-Range"] == '"v1"'


@given(cuts=st.lists(st.integers(1, 30_000), max_size=6), ranges=st.booleans(), chunked=st.booleans())
@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_wherever_the_line_breaks_the_content_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], ranges: bool, chunked: bool
) -> None:
    folder = tmp_path_factory.mktemp("cuts")
    content = onnx_bytes(folder)
    with serving() as host:
        # A server that starts over each time must get further each time, or it would rightly be given up.
        url = host.put_repository(ROUTE, content, cut_after=cuts if ranges else sorted(set(cuts)), ranges=ranges, chunked=chunked)
        assert fetch(spec(url), folder / "store").read_bytes() == content


def test_a_line_that_always_breaks_is_given_up_and_the_part_is_kept(host: ModelHost, tmp_path: Path, store: Path) -> None:
    content = onnx_bytes(tmp_path)
    url = host.put_repository(ROUTE, content, cut_after=[1000, 0, 0, 0, 0])
    with pytest.raises(DownloadError, match=rf"Only 1000 of {len(content)} bytes .* goes on from there"):
        fetch(spec(url), store)
    assert part(store).read_bytes() == content[:1000]
    assert not (store / "tiny" / "model.onnx").exists()
    host.files["/cdn" + ROUTE].cut_after.clear()
    assert fetch(spec(url), store).read_bytes() == content
    assert host.ranges_asked(ROUTE)[-1] == "bytes=1000-"
    assert not part(store).exists()


def test_a_server_without_ranges_starts_over(host: ModelHost, tmp_path: Path, store: Path) -> None:
    content = onnx_bytes(tmp_path)
    url = host.put_repository(ROUTE, content, cut_after=[1000, 2000], ranges=False)
    assert fetch(spec(url), store).read_bytes() == content
    assert host.ranges_asked(ROUTE) == [None, "bytes=1000-", "bytes=2000-"]


def test_another_part_than_was_asked_for_is_not_taken(host: ModelHost, tmp_path: Path, store: Path) -> None:
    content = onnx_bytes(tmp_path)
    url = host.put(ROUTE, content, cut_after=[1000], shift=[-10])
    assert fetch(spec(url), store).read_bytes() == content
    assert host.ranges_asked(ROUTE) == [None, "bytes=1000-", None]


def test_a_silent_server_is_asked_again(host: ModelHost, tmp_path: Path, store: Path) -> None:
    content = onnx_bytes(tmp_path)
    url = host.put_repository(ROUTE, content, silence_s=[3.0])
    assert fetch(spec(url), store, using=settings(timeout_s=0.5)).read_bytes() == content
    assert len(host.ranges_asked(ROUTE)) == 2


def test_a_host_that_is_not_there_is_one_sentence(store: Path) -> None:
    with pytest.raises(DownloadError, match=r"127\.0\.0\.1:9 cannot be reached .* check the network"):
        fetch(spec("http://127.0.0.1:9/model.onnx"), store)
    assert not store.exists()


# ---- lengths that lie ----------------------------------------------------------------------------------------------


def test_a_shorter_length_than_published_is_refused(host: ModelHost, tmp_path: Path, store: Path) -> None:
    content = onnx_bytes(tmp_path)
    url = host.put_repository(ROUTE, content, promise=len(content) - 100)
    with pytest.raises(DownloadError, match=rf"is {len(content)} bytes .* but {len(content) - 100} bytes are offered"):
        fetch(spec(url), store)
    assert not store.exists()


def test_a_longer_length_than_published_is_refused(host: ModelHost, tmp_path: Path, store: Path) -> None:
    content = onnx_bytes(tmp_path)
    url = host.put_repository(ROUTE, content, promise=len(content) + 100)
    with pytest.raises(DownloadError, match=rf"but {len(content) + 100} bytes are offered"):
        fetch(spec(url), store)
    assert not store.exists()


def test_more_bytes_than_published_are_refused(host: ModelHost, tmp_path: Path, store: Path) -> None:
    content = onnx_bytes(tmp_path)
    url = host.put_repository(ROUTE, content)
    host.files["/cdn" + ROUTE].content += b"and more"
    host.files["/cdn" + ROUTE].chunked = True
    with pytest.raises(DownloadError, match=rf"more than the {len(content)} bytes"):
        fetch(spec(url), store)
    assert not store.exists()


def test_a_promise_the_host_cannot_keep_ends(host: ModelHost, tmp_path: Path, store: Path) -> None:
    # HEAD and GET both promise 100 bytes too many; asked for the rest, the host admits that there is none.
    content = onnx_bytes(tmp_path)
    url = host.put(ROUTE, content, promise=len(content) + 100)
    with pytest.raises(DownloadError, match=rf"but {len(content)} bytes are offered"):
        fetch(spec(url), store)
    assert not store.exists()


# ---- content that changes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("if_range", [True, False], ids=["told by If-Range", "told by the new tag alone"])
def test_content_that_changes_after_a_cut_is_never_mixed(host: ModelHost, tmp_path: Path, store: Path, if_range: bool) -> None:
    old, new = onnx_bytes(tmp_path, seed=1), onnx_bytes(tmp_path, seed=2)
    url = host.put(ROUTE, old, cut_after=[20_000], become=[(new, '"v2"')], if_range=if_range)
    assert fetch(spec(url), store).read_bytes() == new


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_without_a_strong_tag_or_checksum_nothing_is_resumed(host: ModelHost, tmp_path: Path, store: Path, etag: str | None) -> None:
    old, new = onnx_bytes(tmp_path, seed=1), onnx_bytes(tmp_path, seed=2)
    url = host.put(ROUTE, old, etag=etag, cut_after=[20_000], become=[(new, etag)], if_range=False)
    assert fetch(spec(url), store).read_bytes() == new
    assert host.ranges_asked(ROUTE) == [None, None]


def test_content_that_changes_after_its_checksum_was_read_is_refused(host: ModelHost, tmp_path: Path, store: Path) -> None:
    old, new = onnx_bytes(tmp_path, seed=1), onnx_bytes(tmp_path, seed=2)
    url = host.put_repository(ROUTE, old, cut_after=[20_000], become=[(new, '"v2"')])
    with pytest.raises(DownloadError, match="checksum that its host publishes"):
        fetch(spec(url), store)
    assert not store.exists()


def test_a_part_of_another_content_is_dropped(host: ModelHost, tmp_path: Path, store: Path) -> None:
    old, new = onnx_bytes(tmp_path, seed=1), onnx_bytes(tmp_path, seed=2)
    with pytest.raises(DownloadError):
        fetch(spec(host.put_repository(ROUTE, old, cut_after=[1000, 0, 0, 0])), store)
    host.asked.clear()
    assert fetch(spec(host.put_repository(ROUTE, new)), store).read_bytes() == new
    assert host.ranges_asked(ROUTE) == [None]


def test_a_damaged_part_costs_one_fresh_start(host: ModelHost, tmp_path: Path, store: Path) -> None:
    content = onnx_bytes(tmp_path)
    url = host.put_repository(ROUTE, content, cut_after=[1000, 0, 0, 0])
    with pytest.raises(DownloadError):
        fetch(spec(url), store)
    part(store).write_bytes(b"\0" * 1000)
    host.asked.clear()
    host.files["/cdn" + ROUTE].cut_after.clear()
    assert fetch(spec(url), store).read_bytes() == content
    assert host.ranges_asked(ROUTE) == ["bytes=1000-", None]


# ---- statuses ------------------------------------------------------------------------------------------------------


def test_404_is_one_sentence_with_the_address(host: ModelHost, store: Path) -> None:
    with pytest.raises(DownloadError, match=r"^There is no file at http://127\.0\.0\.1:\d+/m/gone\.onnx \(HTTP 404\)[^.]*\.$"):
        fetch(spec(f"{host.address}/m/gone.onnx"), store)
    assert not store.exists()


@pytest.mark.parametrize(("status", "said"), [(404, "no file at"), (403, "refuses"), (418, "HTTP 418")])
def test_a_refusal_is_not_repeated(host: ModelHost, tmp_path: Path, store: Path, status: int, said: str) -> None:
    url = host.put_repository(ROUTE, onnx_bytes(tmp_path), statuses=[status])
    with pytest.raises(DownloadError, match=said):
        fetch(spec(url), store)
    assert len(host.ranges_asked(ROUTE)) == 1
    assert not store.exists()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(host: ModelHost, tmp_path: Path, store: Path, status: int) -> None:
    content = onnx_bytes(tmp_path)
    url = host.put_repository(ROUTE, content, statuses=[status, status])
    assert fetch(spec(url), store).read_bytes() == content
    host.put_repository(ROUTE, onnx_bytes(tmp_path, seed=3), statuses=[status] * 9)
    with pytest.raises(DownloadError, match=f"HTTP {status}"):
        fetch(spec(url, model_id="other"), store)


def test_416_for_a_whole_part_means_whole(host: ModelHost, tmp_path: Path, store: Path) -> None:
    # No length anywhere: only by asking for more does one learn that there is no more.
    content = onnx_bytes(tmp_path)
    url = host.put(ROUTE, content, chunked=True, cut_after=[len(content)])
    assert fetch(spec(url), store).read_bytes() == content
    assert host.ranges_asked(ROUTE) == [None, f"bytes={len(content)}-"]


def test_416_for_anything_else_starts_over(host: ModelHost, tmp_path: Path, store: Path) -> None:
    old, new = onnx_bytes(tmp_path, seed=1), onnx_bytes(tmp_path, seed=2, weights=2_000)
    url = host.put(ROUTE, old, chunked=True, cut_after=[20_000], become=[(new, '"v2"')], if_range=False)
    assert fetch(spec(url), store).read_bytes() == new
    assert host.ranges_asked(ROUTE) == [None, "bytes=20000-", None]


def test_a_part_longer_than_the_file_starts_over(host: ModelHost, tmp_path: Path, store: Path) -> None:
    content = onnx_bytes(tmp_path)
    url = host.put_repository(ROUTE, content, cut_after=[1000, 0, 0, 0])
    with pytest.raises(DownloadError):
        fetch(spec(url), store)
    part(store).write_bytes(content + b"more")
    host.asked.clear()
    host.files["/cdn" + ROUTE].cut_after.clear()
    assert fetch(spec(url), store).read_bytes() == content
    assert host.ranges_asked(ROUTE) == [None]


# ---- addresses -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/model.onnx", "data:,x", "model.onnx", "http:///model.onnx"])
def test_only_http_addresses_are_fetched(store: Path, url: str) -> None:
    with pytest.raises(DownloadError, match="no http or https address"):
        fetch(spec(url), store)


def test_a_redirect_to_a_local_file_is_refused(host: ModelHost, tmp_path: Path, store: Path) -> None:
    secret = tmp_path / "secret.onnx"
    secret.write_bytes(onnx_bytes(tmp_path))
    with pytest.raises(DownloadError, match="no http or https address"):
        fetch(spec(host.put(ROUTE, b"", redirect_to=secret.as_uri())), store)


def test_redirects_in_a_circle_end(host: ModelHost, store: Path) -> None:
    with pytest.raises(DownloadError, match="redirects more than"):
        fetch(spec(host.put(ROUTE, b"", redirect_to=ROUTE)), store)


def test_an_encrypted_address_may_not_become_an_open_one() -> None:
    from depthbridge.engines.web import _check_scheme

    _check_scheme("https://other.example/x", "http://host.example/x")
    with pytest.raises(DownloadError, match="unencrypted"):
        _check_scheme("http://host.example/x", "https://host.example/x")


# ---- stopping ------------------------------------------------------------------------------------------------------


def test_a_stopped_download_goes_on_later(host: ModelHost, tmp_path: Path, store: Path) -> None:
    content = onnx_bytes(tmp_path, weights=500_000)
    url = host.put_repository(ROUTE, content)
    arrived: list[int] = []
    with pytest.raises(DownloadCancelledError, match="goes on from there"):
        fetch(spec(url), store, progress=lambda done, _: arrived.append(done), cancelled=lambda: arrived[-1:] > [100_000])
    kept = part(store).stat().st_size
    assert 100_000 < kept < len(content)
    assert fetch(spec(url), store).read_bytes() == content
    assert host.ranges_asked(ROUTE) == [None, f"bytes={kept}-"]


def test_ctrl_c_keeps_the_part(host: ModelHost, tmp_path: Path, store: Path) -> None:
    content = onnx_bytes(tmp_path, weights=500_000)
    url = host.put_repository(ROUTE, content)

    def interrupt(done: int, _: int | None) -> None:
        if done > 100_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(spec(url), store, progress=interrupt)
    assert sorted(path.name for path in (store / "tiny").iterdir()) == ["model.onnx.part", "model.onnx.part.json"]
    assert fetch(spec(url), store).read_bytes() == content


# ---- proxies -------------------------------------------------------------------------------------------------------


def test_the_proxy_of_the_environment_is_used(host: ModelHost, tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", host.address)
    content = onnx_bytes(tmp_path)
    host.put(ROUTE, content)
    assert fetch(spec(f"http://models.invalid{ROUTE}"), store).read_bytes() == content
    assert {asked.path for asked in host.asked} == {f"http://models.invalid{ROUTE}"}
