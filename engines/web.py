# SPDX-License-Identifier: Apache-2.0
"""HTTP as fetching a model needs it: no hidden redirects, time limits, every failure one sentence.

Built on the standard library's urllib because the same code runs inside Blender, where every further library is a wheel to ship; it
honours the proxy environment variables and the system's certificates.
"""

from __future__ import annotations

import http.client
import string
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from ssl import SSLCertVerificationError
from types import TracebackType
from typing import Self

from .errors import DownloadCancelledError, DownloadError

_REDIRECTS = (301, 302, 303, 307, 308)
_MAX_REDIRECTS = 8
# What a busy or briefly broken server answers; asking again later may succeed.
_TRANSIENT_STATUSES = (408, 425, 429, 500, 502, 503, 504)

Cancelled = Callable[[], bool]
"""Asked often; True stops the work."""


class TransientWebError(DownloadError):
    """A failure that may pass when tried again: a cut line, a time-out, a busy server."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """``attempts`` in a row without progress before giving up; waits double from ``first_wait_s`` up to ``longest_wait_s``."""

    attempts: int = 5
    first_wait_s: float = 1.0
    longest_wait_s: float = 20.0

    def wait(self, failures: int, error: TransientWebError, cancelled: Cancelled) -> None:
        """Waits after the ``failures``-th failure in a row, or as long as the server asked. Raises when cancelled meanwhile."""
        seconds = min(self.first_wait_s * 2.0 ** (failures - 1), self.longest_wait_s)
        if error.retry_after_s is not None:
            seconds = min(max(seconds, error.retry_after_s), self.longest_wait_s)
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            stop_if(cancelled)
            time.sleep(min(left, 0.1))


def stop_if(cancelled: Cancelled) -> None:
    """Raises :class:`DownloadCancelledError` when ``cancelled()`` is true."""
    if cancelled():
        raise DownloadCancelledError("The download was stopped; what had arrived is kept, and the next fetch goes on from there.")


class Response:
    """An answer whose body has not been read yet; a context manager that closes the connection."""

    def __init__(self, raw: http.client.HTTPResponse | urllib.error.HTTPError, url: str) -> None:
        self._raw = raw
        self.url = url
        self.status: int = raw.status or 0
        self.headers: Message = raw.headers

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._raw.close()

    def read(self, most: int) -> bytes:
        """What has arrived, at most ``most`` bytes; b"" at the end. Raises :class:`TransientWebError` when the line is cut."""
        try:
            # read1 returns what is there, so that progress and cancelling do not wait for a slow line to fill the buffer.
            return self._raw.read1(most)
        except (OSError, http.client.HTTPException) as error:
            raise TransientWebError(f"The connection to {host_of(self.url)} broke ({_reason(error)}).") from error


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Leaves redirects to :func:`open_url`, which must see the headers of each."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


def open_url(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 30.0,
    stop_at: Callable[[Response], bool] = lambda _: False,
) -> Response:
    """Sends a request and follows redirects, except one that ``stop_at`` accepts, which is returned as it is.

    Any status comes back; :func:`raise_for_status` judges it. Raises :class:`DownloadError` for an address that is not http(s), a
    redirect from https to http, a bad certificate, or too many redirects; :class:`TransientWebError` when the host cannot be reached.
    """
    opener = urllib.request.build_opener(_NoRedirects)
    current = url
    for _ in range(_MAX_REDIRECTS + 1):
        _check_scheme(current, url)
        # Some hosts redirect to addresses with spaces or letters beyond ASCII, which http.client refuses.
        request = urllib.request.Request(urllib.parse.quote(current, safe=string.punctuation), method=method)
        for name, value in {"User-Agent": "depthbridge", "Accept-Encoding": "identity", **(headers or {})}.items():
            request.add_header(name, value)
        response = _send(opener, request, current, timeout_s)
        location = response.headers.get("Location")
        if response.status not in _REDIRECTS or location is None or stop_at(response):
            return response
        with response:
            current = urllib.parse.urljoin(current, location)
    raise DownloadError(f"{url} redirects more than {_MAX_REDIRECTS} times; the address is broken.")


def raise_for_status(response: Response) -> None:
    """Raises for every status from 400 on: :class:`TransientWebError` where trying again may help, else :class:`DownloadError`."""
    status, url = response.status, response.url
    if status < 400:
        return
    if status in _TRANSIENT_STATUSES:
        raise TransientWebError(f"{host_of(url)} is busy or out of order (HTTP {status}); try again later.", _retry_after(response))
    if status in (404, 410):
        raise DownloadError(f"There is no file at {url} (HTTP {status}); its owner may have moved it.")
    if status in (401, 403):
        raise DownloadError(f"The host refuses {url} (HTTP {status}): the file is private or gone; look at the address in a browser.")
    raise DownloadError(f"The host answers HTTP {status} for {url}; open the address in a browser to see why.")


def host_of(url: str) -> str:
    """The host's name, for messages and comparisons."""
    return urllib.parse.urlsplit(url).netloc.lower()


def _check_scheme(url: str, first: str) -> None:
    scheme = urllib.parse.urlsplit(url).scheme.lower()
    if scheme not in ("http", "https") or not host_of(url):
        raise DownloadError(f"{url} is no http or https address; models are fetched from these only.")
    if scheme == "http" and urllib.parse.urlsplit(first).scheme.lower() == "https":
        raise DownloadError(f"{first} redirects to the unencrypted {url}; that is refused.")


def _send(opener: urllib.request.OpenerDirector, request: urllib.request.Request, url: str, timeout_s: float) -> Response:
    try:
        return Response(opener.open(request, timeout=timeout_s), url)
    except urllib.error.HTTPError as answer:
        return Response(answer, url)
    except (OSError, http.client.HTTPException) as error:
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(cause, SSLCertVerificationError):
            raise DownloadError(
                f"The certificate of {host_of(url)} cannot be trusted ({cause.verify_message}); "
                "check the clock, the proxy and the system's certificates."
            ) from error
        raise TransientWebError(f"{host_of(url)} cannot be reached ({_reason(cause)}); check the network and the proxy.") from error
    except ValueError as error:
        raise DownloadError(f"{url} is not an address that can be asked ({error}).") from error


def _reason(error: object) -> str:
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, http.client.IncompleteRead):
        return "the data ended too early"
    return str(error) or type(error).__name__


def _retry_after(response: Response) -> float | None:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isascii() and value.isdigit() else None
