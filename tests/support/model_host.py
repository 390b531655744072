# SPDX-License-Identifier: Apache-2.0
"""A real HTTP server on this machine that publishes files as model hosts do, and misbehaves as they sometimes do."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass
class Hosted:
    """One file and how it is served. The lists are used up, one entry per GET that sends a body; then the server behaves."""

    content: bytes
    etag: str | None = '"v1"'
    headers: dict[str, str] = field(default_factory=dict)
    """Sent with every good answer of this address."""
    redirect_to: str | None = None
    """Answer 302 to this address, with ``headers``; nothing else is looked at."""
    ranges: bool = True
    """Honour Range. Without: always the whole file, with 200."""
    if_range: bool = True
    """Honour If-Range. Without: the asked part, whatever the content is now."""
    shift: list[int] = field(default_factory=list)
    """Answer a Range so many bytes beside the start that was asked for."""
    cut_after: list[int] = field(default_factory=list)
    """Close the connection after so many bytes of the body."""
    statuses: list[int] = field(default_factory=list)
    """Answer with these statuses instead."""
    become: list[tuple[bytes, str | None]] = field(default_factory=list)
    """After a GET, the content and tag change to these."""
    promise: int | None = None
    """Content-Length of a whole answer, instead of the truth; the connection closes after the true content."""
    chunked: bool = False
    """No Content-Length; the body comes in chunks."""
    head_status: int = 200
    silence_s: list[float] = field(default_factory=list)
    """Wait so long before the body."""


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]


class ModelHost:
    """``files`` maps paths to what is served there; ``asked`` is every request so far."""

    def __init__(self, address: str, other_address: str) -> None:
        self.address = address
        self.other_address = other_address
        """The same server by another host name, as a delivery network would be."""
        self.files: dict[str, Hosted] = {}
        self.asked: list[Asked] = []

    def put(self, path: str, content: bytes, **more: object) -> str:
        """Publishes ``content`` plainly; returns its URL."""
        self.files[path] = Hosted(content, **more)  # type: ignore[arg-type]
        return self.address + path

    def put_repository(self, path: str, content: bytes, **more: object) -> str:
        """Publishes as Hugging Face does: size and SHA-256 in the headers of a redirect to a delivery network, not there."""
        self.files["/cdn" + path] = Hosted(content, **more)  # type: ignore[arg-type]
        linked = {"X-Linked-Etag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Linked-Size": str(len(content)), "X-Repo-Commit": "c0ffee"}
        self.files[path] = Hosted(b"", etag=None, headers=linked, redirect_to=f"{self.other_address}/cdn{path}")
        return self.address + path

    def put_release(self, name: str, content: bytes, digest: str | None) -> str:
        """Publishes as a release file on GitHub: no checksum in headers, a digest (or null) in the interface."""
        asset = {"name": name, "size": len(content), "digest": digest}
        self.put("/api/repos/owner/repo/releases/tags/v1", json.dumps({"assets": [{"name": "other"}, asset]}).encode())
        self.files[f"/storage/{name}"] = Hosted(content)
        return self.put(f"/owner/repo/releases/download/v1/{name}", b"", redirect_to=f"{self.other_address}/storage/{name}")

    def bodies_asked(self, path: str) -> list[Asked]:
        """GET requests for ``path``, or for the delivery network's copy of it."""
        return [asked for asked in self.asked if asked.method == "GET" and asked.path in (path, "/cdn" + path)]

    def ranges_asked(self, path: str) -> list[str | None]:
        """The Range header of each GET that reached the body of ``path``."""
        real = "/cdn" + path if "/cdn" + path in self.files else path
        return [asked.headers.get("Range") for asked in self.asked if asked.method == "GET" and asked.path == real]


class _Handler(BaseHTTPRequestHandler):
    host: ModelHost

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, body: bool) -> None:
        path = urlsplit(self.path).path
        self.host.asked.append(Asked(self.command, self.path, dict(self.headers)))
        file = self.host.files.get(path)
        if file is None:
            self._plain(404)
        elif file.redirect_to is not None:
            self._plain(302, {"Location": file.redirect_to, **file.headers})
        elif not body and file.head_status != 200:
            self._plain(file.head_status)
        elif body and file.statuses:
            self._plain(file.statuses.pop(0), {"Retry-After": "0"})
        else:
            self._file(file, body)
            if body and file.become:
                file.content, file.etag = file.become.pop(0)

    def _plain(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _file(self, file: Hosted, body: bool) -> None:
        start = self._start(file) if body else 0
        if start > 0 and start >= len(file.content):
            self._plain(416, {"Content-Range": f"bytes */{len(file.content)}"})
            return
        self.send_response(206 if start else 200)
        for name, value in file.headers.items():
            self.send_header(name, value)
        if file.etag is not None:
            self.send_header("ETag", file.etag)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(file.content) - 1}/{len(file.content)}")
        if file.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(file.content) - start if start or file.promise is None else file.promise))
        self.end_headers()
        if body:
            self._body(file, start)

    def _start(self, file: Hosted) -> int:
        asked = self.headers.get("Range")
        if asked is None or not file.ranges:
            return 0
        if file.if_range and self.headers.get("If-Range") not in (None, file.etag):
            return 0
        return int(asked.removeprefix("bytes=").removesuffix("-")) + (file.shift.pop(0) if file.shift else 0)

    def _body(self, file: Hosted, start: int) -> None:
        self.close_connection = True
        if file.silence_s:
            time.sleep(file.silence_s.pop(0))
        cut = file.cut_after.pop(0) if file.cut_after else None
        data = file.content[start:] if cut is None else file.content[start : start + cut]
        try:
            if file.chunked:
                for position in range(0, len(data), 4096):
                    piece = data[position : position + 4096]
                    self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                if cut is None:
                    self.wfile.write(b"0\r\n\r\n")
            else:
                self.wfile.write(data)
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the client left, as a cancelled download does


@contextmanager
def serving() -> Iterator[ModelHost]:
    """A host on a free port for the block."""
    handler = type("Handler", (_Handler,), {"protocol_version": "HTTP/1.1"})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    port = server.server_address[1]
    host = ModelHost(f"http://127.0.0.1:{port}", f"http://localhost:{port}")
    handler.host = host  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
