# SPDX-License-Identifier: Apache-2.0
"""``depthbridge serve``: the bridge's server, until it is told to stop."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from .engine_options import EngineOptions, engine_options, open_engine

if TYPE_CHECKING:
    from ..engines.engine import DepthEngine
    from ..unity_bridge.serving.access import Access
    from ..unity_bridge.serving.server import BridgeServer


@click.command(name="serve")
@click.option("--bind", default="tcp://127.0.0.1:5577", show_default=True, metavar="ADDRESS", help="Address and port.")
@click.option("--model", default="depthbridge-mini", show_default=True, metavar="ID|FILE", help="Model id, or a file.")
@engine_options
@click.option("--max-in-flight", default=4, show_default=True, type=click.IntRange(1, 1024), help="Frames in work at once.")
@click.option(
    "--batch-delay-ms",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0, 10_000),
    help="How long a frame waits for others of its size, to share an inference.",
)
@click.option("--max-megapixels", default=36, show_default=True, type=click.IntRange(1, 200), help="Largest picture.")
@click.option("--metrics", metavar="[HOST]:PORT", help="Prometheus text over HTTP; on 127.0.0.1 without a host.")
@click.option("--token-file", type=click.Path(path_type=Path), help="Its first line is what every request must carry.")
@click.option("--curve", type=click.Path(path_type=Path), metavar="FOLDER", help="Encrypt, with the keys in this folder; made where missing.")
def command(
    bind: str,
    model: str,
    options: EngineOptions,
    max_in_flight: int,
    batch_delay_ms: float,
    max_megapixels: int,
    metrics: str | None,
    token_file: Path | None,
    curve: Path | None,
) -> None:
    """Answer frames with the distances of their objects, and pictures with depth maps, over ZeroMQ.

    Distances in metres take a metric model, or known distances in the request; maps are answered by any, and are what Blender's remote engine
    asks for. An address that other machines reach needs --token-file or --curve. Stops on Ctrl-C or SIGTERM, after answering what it has
    accepted; a second signal stops at once.
    """
    from ..unity_bridge.serving.access import bind_address, unencrypted_warning
    from ..unity_bridge.serving.metrics import MetricsAddress, MetricsServer, ServerMetrics
    from ..unity_bridge.serving.payloads import ServerLimits
    from ..unity_bridge.serving.server import BridgeServer

    # Whatever can be told before a model is loaded for nothing.
    access = _access(token_file, curve)
    address = bind_address(bind, access)
    warnings = [unencrypted_warning(address, access)]
    metrics_at = MetricsAddress.parse(metrics) if metrics is not None else None
    if metrics_at is not None:
        metrics_at.check_apart(address)
        warnings.append(metrics_at.warning())
    numbers = ServerMetrics() if metrics_at is not None else None
    limits = ServerLimits.for_pixels(max_megapixels * 1_000_000)
    with open_engine(model, options) as engine, ExitStack() as metrics_server:
        engine.warm_up(batches=batch_delay_ms > 0)  # a model that cannot run is told now, and the first frame waits no longer than the others
        server = BridgeServer(
            engine, bind, max_in_flight=max_in_flight, batch_delay_ms=batch_delay_ms, limits=limits, access=access, observer=numbers
        )
        lines = [*warnings, *_about(engine, batch_delay_ms)]
        if numbers is not None and metrics_at is not None:
            numbers.watch(lambda: server.status)
            lines.insert(0, f"metrics at {metrics_server.enter_context(MetricsServer(numbers, metrics_at)).url}")
        server.start()
        stopped = _stop_on_signal()
        runs_on = f"{engine.info.runtime}, {engine.info.device}, {engine.info.precision}"
        _say(f"serving {engine.model_id} ({runs_on}) at {server.endpoint}; Ctrl-C stops it.")
        for line in filter(None, lines):
            _say(line)
        _serve(server, stopped)


def _serve(server: BridgeServer, stopped: threading.Event) -> None:
    """Until ``stopped`` is set."""
    from ..unity_bridge.errors import BridgeError
    from .server_line import watch

    try:
        watch(server, stopped)
    finally:
        crashed = not server.running
        finished = server.stop()
    if crashed:
        raise BridgeError("The server ended unexpectedly; its log above says why.")
    busy = "" if finished else ", with one frame unfinished: the engine was still busy with it"
    _say(f"stopped after {server.counters.answered} answers{busy}.")


def _say(line: str) -> None:
    click.echo(f"depthbridge: {line}", err=True)


def _access(token_file: Path | None, curve: Path | None) -> Access:
    from ..unity_bridge.serving.access import Access, others_may_read
    from ..unity_bridge.serving.keys import open_keys
    from ..unity_bridge.tokens import read_token

    token = None
    if token_file is not None:
        token = read_token(token_file)
        if others_may_read(token_file):
            _say(f"every user of this machine can read the token in {token_file}; keep it to yourself with: chmod 600 {token_file}")
    if curve is None:
        return Access(token)
    opened = open_keys(curve)
    if opened.for_client:
        made = "keys were made; " if opened.made else ""
        _say(f"{made}a client needs these two files: {' and '.join(str(path) for path in opened.for_client)}")
    return Access(token, opened.keys)


def _about(engine: DepthEngine, batch_delay_ms: float) -> list[str]:
    """What whoever starts the server should know of its model."""
    from ..engines.depth_map import DepthKind

    lines = list(engine.info.notes)
    if engine.kind is not DepthKind.METRIC:
        lines.insert(
            0,
            f"{engine.model_id} gives {engine.kind} depth, which has no metres: objects are answered in metres only where a request has known "
            "distances; choose a metric model for others.",
        )
    if batch_delay_ms > 0 and engine.batch_limit(504, 280) == 1:
        lines.append(f"{engine.model_id} takes one picture at a time, so that frames do not wait for others; --batch-delay-ms changes nothing.")
    return lines


def _stop_on_signal() -> threading.Event:
    """An event that the first signal to stop sets; the second one ends the process in the usual way."""
    stopped = threading.Event()
    # Windows has SIGBREAK (Ctrl-Break, and a console that is closed) besides.
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]

    def stop(number: int, frame: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_DFL)
        stopped.set()

    for number in numbers:
        signal.signal(number, stop)
    return stopped
