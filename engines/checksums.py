# SPDX-License-Identifier: Apache-2.0
"""Checksums of files: what a host publishes of one is asked before anything is downloaded."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path

from .errors import DownloadError
from .file_hash import hash_file
from .web import Response, RetryPolicy, TransientWebError, host_of, open_url, raise_for_status

_CHUNK = 1 << 20
_DIGEST_NAMES = {"sha-256": "sha256", "sha256": "sha256", "sha-512": "sha512", "sha512": "sha512", "md5": "md5"}
_STRONGEST_FIRST = ("sha256", "sha512", "git-blob-sha1", "md5")


@dataclass(frozen=True, slots=True)
class Checksum:
    """``algorithm`` is sha256, sha512, md5 or git-blob-sha1; ``source`` says who published it and how."""

    algorithm: str
    hexdigest: str
    source: str = field(compare=False)

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hexdigest}"

    def matches(self, path: Path) -> bool:
        """Whether the file at ``path`` has this checksum."""
        return hash_file(path, self.algorithm) == self.hexdigest


@dataclass(frozen=True, slots=True)
class Published:
    """What a host says of a file. ``checksum`` is None when it publishes none, and ``note`` then says so in a sentence.

    ``size`` is in bytes; ``revision`` is the commit that a repository host served it from.
    """

    url: str
    size: int | None
    checksum: Checksum | None
    revision: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class GitHubHost:
    """GitHub's web address and the address of its interface, which knows the checksums of release files."""

    web: str = "https://github.com"
    api: str = "https://api.github.com"


def ask_host(url: str, *, timeout_s: float, retry: RetryPolicy, github: GitHubHost) -> Published:
    """Size and checksum of the file at ``url`` as its host publishes them: one HEAD request (and one to GitHub's interface).

    Only what the host of ``url`` itself says counts: redirects to another host (a delivery network) are followed for the size alone.
    Raises :class:`DownloadError` when there is no such file or the host cannot be reached.
    """
    failures = 0
    while True:
        try:
            return _ask_once(url, timeout_s, github)
        except TransientWebError as error:
            failures += 1
            if failures >= retry.attempts:
                raise
            retry.wait(failures, error, lambda: False)


def _ask_once(url: str, timeout_s: float, github: GitHubHost) -> Published:
    release = _github_release(url, github)
    with open_url(url, method="HEAD", timeout_s=timeout_s, stop_at=_is_repository_answer) as response:
        same_host = host_of(response.url) == host_of(url)
        if response.status >= 400:
            # A host may refuse HEAD, and a delivery network may accept its signed address for GET only: the download will tell.
            if response.status not in (405, 501) and same_host:
                raise_for_status(response)
            answer = Published(url, None, None)
        else:
            checksum = _header_checksum(response) if same_host else None
            answer = Published(url, _size(response), checksum, response.headers.get("X-Repo-Commit"))
    if answer.checksum is None and release is not None:
        answer = _ask_github(answer, release, timeout_s)
    if answer.checksum is None and not answer.note:
        answer = Published(url, answer.size, None, answer.revision, f"{host_of(url)} publishes no checksum for this file.")
    return answer


def _is_repository_answer(response: Response) -> bool:
    """Hugging Face redirects to a delivery network and tells size and checksum in the headers of that first answer only."""
    return "X-Linked-Etag" in response.headers


def _size(response: Response) -> int | None:
    text = response.headers.get("X-Linked-Size")
    if text is None and response.status == 200:
        text = response.headers.get("Content-Length")
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def _header_checksum(response: Response) -> Checksum | None:
    host, headers = host_of(response.url), response.headers
    if "X-Linked-Etag" in headers or "X-Repo-Commit" in headers:
        name = "X-Linked-Etag" if "X-Linked-Etag" in headers else "ETag"
        tag = headers.get(name, "").removeprefix("W/").strip('"').lower()
        # A large file's tag is its SHA-256; a small one's is git's own name for it.
        if re.fullmatch(r"[0-9a-f]{64}", tag):
            return Checksum("sha256", tag, f"{host}, {name}")
        if re.fullmatch(r"[0-9a-f]{40}", tag):
            return Checksum("git-blob-sha1", tag, f"{host}, {name}")
    found: dict[str, Checksum] = {}
    for name in ("Repr-Digest", "Digest"):
        for part in headers.get(name, "").split(","):
            algorithm, _, value = part.strip().partition("=")
            _add_base64(found, _DIGEST_NAMES.get(algorithm.strip().lower()), value.strip(":"), f"{host}, {name}")
    _add_base64(found, "md5", headers.get("Content-MD5", ""), f"{host}, Content-MD5")
    return next((found[algorithm] for algorithm in _STRONGEST_FIRST if algorithm in found), None)


def _add_base64(found: dict[str, Checksum], algorithm: str | None, text: str, source: str) -> None:
    if algorithm is None or algorithm in found or not text:
        return
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return
    if len(raw) == hashlib.new(algorithm, usedforsecurity=False).digest_size:
        found[algorithm] = Checksum(algorithm, raw.hex(), source)


@dataclass(frozen=True, slots=True)
class _Release:
    api_url: str
    asset: str


def _github_release(url: str, github: GitHubHost) -> _Release | None:
    """Where GitHub's interface describes the file, when ``url`` is web/OWNER/REPOSITORY/releases/download/TAG/FILE."""
    if not url.startswith(github.web + "/"):
        return None
    parts = urllib.parse.urlsplit(url).path.strip("/").split("/")
    if len(parts) != 6 or parts[2:4] != ["releases", "download"]:
        return None
    owner, repository, _, _, tag, asset = parts
    return _Release(f"{github.api}/repos/{owner}/{repository}/releases/tags/{tag}", urllib.parse.unquote(asset))


def _ask_github(answer: Published, release: _Release, timeout_s: float) -> Published:
    """Adds the digest that GitHub computed when it received the file; files received before June 2025 have none."""
    host = host_of(release.api_url)
    try:
        headers = {"Accept": "application/vnd.github+json"}
        with open_url(release.api_url, headers=headers, timeout_s=timeout_s) as response:
            raise_for_status(response)
            text = b"".join(iter(lambda: response.read(_CHUNK), b""))
        assets = json.loads(text)["assets"]
        asset = next((item for item in assets if item.get("name") == release.asset), None)
        digest = str((asset or {}).get("digest") or "")
        size = (asset or {}).get("size")
    except (DownloadError, ValueError, KeyError, TypeError, AttributeError) as error:
        # Asking is limited to some 60 times an hour without a login: no reason to refuse a file that may have no checksum anyway.
        return Published(answer.url, answer.size, None, None, f"{host} could not be asked for a checksum ({str(error).rstrip('.')}).")
    size = size if type(size) is int else answer.size
    found = re.fullmatch(r"sha256:([0-9a-f]{64})", digest)
    if found is None:
        return Published(answer.url, size, None, None, f"{host} has no checksum for this file.")
    return Published(answer.url, size, Checksum("sha256", found[1], f"{host}, digest of the release file"))
