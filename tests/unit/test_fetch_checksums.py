# SPDX-License-Identifier: Apache-2.0
"""Which checksum a host publishes, and that none is ever made up."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from pathlib import Path

import pytest

from depthbridge.engines.checksums import Published, ask_host
from depthbridge.engines.errors import DownloadError
from depthbridge.engines.fetch import plan_fetch
from depthbridge.engines.file_hash import hash_file
from depthbridge.engines.model_lock import read_lock
from support.fetching import fetch, onnx_bytes, settings, spec
from support.model_host import ModelHost

CONTENT = b"twelve bytes"


def ask(host: ModelHost, url: str) -> Published:
    using = settings(host.address)
    return ask_host(url, timeout_s=10, retry=using.download.retry, github=using.github)


def digest64(algorithm: str) -> str:
    return base64.b64encode(hashlib.new(algorithm, CONTENT).digest()).decode()


def test_git_names_files_as_we_compute(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content in (b"", b"hello\n", bytes(range(256)) * 50):
        path.write_bytes(content)
        done = subprocess.run(["git", "hash-object", "--no-filters", str(path)], capture_output=True, text=True, check=True)
        assert hash_file(path, "git-blob-sha1") == done.stdout.strip()
    path.write_bytes(b"hello\n")
    assert hash_file(path, "git-blob-sha1") == "ce013625030ba8dba906f756967f9e9ca394464a"
    assert hash_file(path) == "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"


def test_a_repository_host_names_large_files_by_sha256(host: ModelHost) -> None:
    published = ask(host, host.put_repository("/r/model.onnx", CONTENT))
    assert str(published.checksum) == f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
    assert (published.size, published.revision) == (len(CONTENT), "c0ffee")
    # Known from the first answer: the delivery network was not even asked.
    assert [asked.path for asked in host.asked] == ["/r/model.onnx"]


def test_a_repository_host_names_small_files_as_git_does(host: ModelHost, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    tag = hash_file(tmp_path / "file", "git-blob-sha1")
    published = ask(host, host.put("/r/small", CONTENT, etag=f'"{tag}"', headers={"X-Repo-Commit": "c0ffee"}))
    assert str(published.checksum) == f"git-blob-sha1:{tag}"
    assert published.checksum is not None and published.checksum.matches(tmp_path / "file")


@pytest.mark.parametrize(
    ("header", "value", "expected"),
    [
        ("Repr-Digest", f"sha-256=:{digest64('sha256')}:", "sha256"),
        ("Repr-Digest", f"md5=:{digest64('md5')}:, sha-512=:{digest64('sha512')}:", "sha512"),
        ("Digest", f"SHA-256={digest64('sha256')},MD5={digest64('md5')}", "sha256"),
        ("Content-MD5", digest64("md5"), "md5"),
    ],
)
def test_standard_headers_are_read(host: ModelHost, tmp_path: Path, header: str, value: str, expected: str) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    checksum = ask(host, host.put("/f", CONTENT, headers={header: value})).checksum
    assert checksum is not None and checksum.algorithm == expected and header in checksum.source
    assert checksum.matches(tmp_path / "file")
    (tmp_path / "file").write_bytes(CONTENT + b"!")
    assert not checksum.matches(tmp_path / "file")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Digest": "sha-256=not base64"},
        {"Digest": "sha-256=c2hvcnQ="},
        {"Digest": "crc32c=AAAAAA=="},
        {"X-Linked-Etag": '"not hex"'},
        {"Content-MD5": "c2hvcnQ="},
    ],
)
def test_no_checksum_is_made_up(host: ModelHost, headers: dict[str, str]) -> None:
    # An ETag that looks like a SHA-256 is none, unless a repository host says so.
    published = ask(host, host.put("/f", CONTENT, etag=f'"{hashlib.sha256(CONTENT).hexdigest()}"', headers=headers))
    if "X-Linked-Etag" not in headers:
        assert published.size == len(CONTENT)
    assert published.checksum is None
    assert published.note.endswith("publishes no checksum for this file.")


def test_a_release_files_digest_is_asked_of_githubs_interface(host: ModelHost, tmp_path: Path) -> None:
    content = onnx_bytes(tmp_path)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    url = host.put_release("model.onnx", content, digest)
    path = fetch(spec(url), tmp_path / "store", using=settings(host.address))
    lock = read_lock(path.parent)
    assert lock is not None and lock.pins[0].host_checksum == digest
    assert "digest of the release file" in lock.pins[0].checksum_source
    host.put_release("wrong.onnx", content, f"sha256:{'0' * 64}")
    with pytest.raises(DownloadError, match="checksum that its host publishes"):
        wrong = f"{host.address}/owner/repo/releases/download/v1/wrong.onnx"
        fetch(spec(wrong, model_id="wrong"), tmp_path / "store", using=settings(host.address))


def test_a_release_file_from_before_digests_has_none(host: ModelHost) -> None:
    published = ask(host, host.put_release("model.onnx", CONTENT, None))
    assert published.checksum is None and published.size == len(CONTENT)
    assert published.note.endswith("has no checksum for this file.")


def test_an_interface_that_refuses_is_said(host: ModelHost) -> None:
    url = host.put_release("model.onnx", CONTENT, f"sha256:{'0' * 64}")
    host.files["/api/repos/owner/repo/releases/tags/v1"].statuses = [403]
    published = ask(host, url)
    assert published.checksum is None and published.size == len(CONTENT)
    assert "could not be asked for a checksum" in published.note and "403" in published.note


@pytest.mark.parametrize("status", [405, 501])
def test_a_host_that_refuses_head_still_delivers(host: ModelHost, tmp_path: Path, status: int) -> None:
    content = onnx_bytes(tmp_path)
    url = host.put("/m/model.onnx", content, head_status=status)
    plan = plan_fetch(spec(url), tmp_path / "store", settings=settings())
    assert plan.bytes_to_download is None
    assert fetch(spec(url), tmp_path / "store").read_bytes() == content


def test_a_delivery_network_that_refuses_head_is_no_obstacle(host: ModelHost, tmp_path: Path) -> None:
    host.put("/cdn/model.onnx", CONTENT, head_status=403)
    published = ask(host, host.put("/model.onnx", b"", redirect_to=f"{host.other_address}/cdn/model.onnx"))
    assert published.size is None and published.checksum is None
