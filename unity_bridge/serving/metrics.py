# SPDX-License-Identifier: Apache-2.0
"""A server's numbers as Prometheus text over HTTP. A registry of its own: nothing of the process's other users is in it."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from ..errors import BridgeError
from ..framing import Kind
from .access import BindAddress

if TYPE_CHECKING:
    from .server import ServerStatus

_STAGE_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_BATCH_BUCKETS = (1, 2, 3, 4, 5, 6, 7, 8)
_KINDS = {int(kind): kind.name.lower() for kind in Kind}
_ADDRESS = re.compile(r"(\[[^\[\]]+\]|[^:\[\]/]*):(\d{1,5})")


class ServerMetrics:
    """Hears of every answer (:class:`~.counters.Observer`), and asks ``watch()`` for the rest whenever it is read."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        self._requests = Counter(
            "depthbridge_requests", "Requests answered, by kind and by ok or the error's code.", ("kind", "code"), registry=self.registry
        )
        self._stages = Histogram(
            "depthbridge_stage_seconds",
            "Time that accepted frames spent in each stage; queue is all waiting.",
            ("stage",),
            buckets=_STAGE_BUCKETS_S,
            registry=self.registry,
        )
        self._batches = Histogram(
            "depthbridge_batch_frames", "Frames that shared a frame's inference.", buckets=_BATCH_BUCKETS, registry=self.registry
        )
        ProcessCollector(registry=self.registry)  # memory, processor time, open files; on Linux

    def watch(self, status: Callable[[], ServerStatus]) -> None:
        """Where the numbers of the moment come from."""
        self.registry.register(_Moment(status))

    def request(self, kind: int, status: str) -> None:
        """A request was answered."""
        self._requests.labels(_KINDS.get(kind, "unknown"), status).inc()

    def frame(self, timing_ms: Mapping[str, float], batch: int | None) -> None:
        """An accepted frame was answered."""
        for stage, value in timing_ms.items():
            self._stages.labels(stage).observe(value / 1000.0)
        if batch is not None:
            self._batches.observe(batch)


class _Moment:
    """What is read off the server when somebody asks."""

    def __init__(self, status: Callable[[], ServerStatus]) -> None:
        self._status = status

    def describe(self) -> Iterator[Metric]:
        """Nothing: the names are this project's alone."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        status = self._status()
        gauges = {
            "queue_length": ("Accepted frames that wait for the engine.", status.waiting),
            "in_flight": ("Frames accepted and not yet answered.", status.in_flight),
            "clients": ("Connections that are up.", status.clients),
        }
        counters = {
            "received": ("Messages received.", status.counters.received),
            "garbage": ("Messages dropped unanswered.", status.counters.garbage),
            "client_gone": ("Answers whose client had left.", status.counters.client_gone),
            "turned_away": ("Connections refused for their keys.", status.turned_away),
        }
        for name, (text, value) in gauges.items():
            yield GaugeMetricFamily(f"depthbridge_{name}", text, value=value)
        for name, (text, value) in counters.items():
            yield CounterMetricFamily(f"depthbridge_{name}", text, value=value)


@dataclass(frozen=True, slots=True)
class MetricsAddress:
    """Where the numbers are served: a host, and a port, 0 for any free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> MetricsAddress:
        """``:PORT`` (on 127.0.0.1) or ``HOST:PORT``. Raises :class:`BridgeError` for anything else."""
        found = _ADDRESS.fullmatch(text)
        if found is None or int(found[2]) > 65535:
            raise BridgeError(f"The address {text!r} of the metrics is not understood; write it as :9577 or 127.0.0.1:9577.")
        return cls(found[1].strip("[]") or "127.0.0.1", int(found[2]))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def check_apart(self, bind: BindAddress) -> None:
        """Raises :class:`BridgeError` where it is the address that the server itself binds to."""
        host, _, port = bind.text.removeprefix("tcp://").rpartition(":")
        own, other = self._number, host.strip("[]")
        if port.isdigit() and int(port) == self.port != 0 and (_covers(own, other) or _covers(other, own)):
            raise BridgeError(f"The address {self} of the metrics is that of --bind, {bind.text}; give --metrics a port of its own.")

    def warning(self) -> str | None:
        """One sentence when others than this machine reach it, else None."""
        try:
            if ipaddress.ip_address(self._number).is_loopback:
                return None
        except ValueError:
            return None  # it is nobody's address, which is told when it is bound to
        return f"Whoever reaches {self} can read the metrics, without token or encryption; write --metrics :PORT for this machine alone."

    @property
    def _number(self) -> str:
        """The host as it is bound to; itself when nobody knows it."""
        try:
            return str(socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)[0][4][0])
        except (OSError, UnicodeError):
            return self.host


def _covers(one: str, other: str) -> bool:
    """Whether a socket at that host leaves no room for one at the other, on the same port."""
    return one in (other, "::") or (one in ("*", "0.0.0.0") and ":" not in other)


class MetricsServer:
    """Serves ``metrics`` at ``url`` until the block ends. Raises :class:`BridgeError` when the address cannot be had."""

    def __init__(self, metrics: ServerMetrics, address: MetricsAddress) -> None:
        try:
            self._server, self._thread = start_http_server(address.port, address.host, registry=metrics.registry)
        except OSError as error:
            raise BridgeError(
                f"The address {address} of the metrics cannot be used ({error.strerror or error}); choose another --metrics."
            ) from error
        host = f"[{address.host}]" if ":" in address.host else address.host
        self.url = f"http://{host}:{self._server.server_port}/metrics"

    def close(self) -> None:
        """Stop. May be called again."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()
