# SPDX-License-Identifier: Apache-2.0
"""``depthbridge serve``: the bridge's server, until it is told to stop."""

from __future__ import annotations

import signal
import threading
from types import FrameType

import click


@click.command(name="serve")
@click.option("--bind", default="tcp://127.0.0.1:5577", show_default=True, metavar="ADDRESS", help="Loopback address and port.")
@click.option("--model", default="depthbridge-mini", show_default=True, metavar="ID|FILE", help="Model id, or a file.")
@click.option("--device", default="auto", show_default=True, help="Where the model runs.")
@click.option("--max-in-flight", default=4, show_default=True, type=click.IntRange(1, 1024), help="Frames in work at once.")
@click.option("--max-megapixels", default=36, show_default=True, type=click.IntRange(1, 200), help="Largest picture.")
def command(bind: str, model: str, device: str, max_in_flight: int, max_megapixels: int) -> None:
    """Answer frames with the distances of their objects, and pictures with depth maps, over ZeroMQ.

    Distances take a metric model; maps are answered by any, and are what Blender's remote engine asks for. Stops on Ctrl-C or SIGTERM, after
    answering what it has accepted; a second signal stops at once.
    """
    from ..engines.depth_map import DepthKind
    from ..engines.engine import DepthEngine
    from ..unity_bridge.errors import BridgeError
    from ..unity_bridge.serving.payloads import ServerLimits
    from ..unity_bridge.serving.server import BridgeServer, loopback_address

    loopback_address(bind)  # before a model is loaded for nothing
    limits = ServerLimits.for_pixels(max_megapixels * 1_000_000)
    with DepthEngine.open(model, device=device) as engine:
        engine.warm_up()  # a model that cannot run is told now, and the first frame does not wait longer than the others
        server = BridgeServer(engine, bind, max_in_flight=max_in_flight, limits=limits)
        server.start()
        stopped = _stop_on_signal()
        click.echo(f"depthbridge: serving {engine.model_id} ({engine.info.device}) at {server.endpoint}; Ctrl-C stops it.", err=True)
        if engine.kind is not DepthKind.METRIC:
            click.echo(
                f"depthbridge: {engine.model_id} gives {engine.kind} depth, which has no metres: depth maps are answered, distances of objects "
                "are refused; choose a metric model for those.",
                err=True,
            )
        try:
            # Waiting in slices: on some systems a signal does not interrupt an endless wait.
            while server.running and not stopped.wait(0.5):
                pass
        finally:
            crashed = not server.running
            finished = server.stop()
        if crashed:
            raise BridgeError("The server ended unexpectedly; its log above says why.")
        answered = server.counters.answered
    busy = "" if finished else ", with one frame unfinished: the engine was still busy with it"
    click.echo(f"depthbridge: stopped after {answered} answers{busy}.", err=True)


def _stop_on_signal() -> threading.Event:
    """An event that the first SIGINT or SIGTERM sets; the second one ends the process in the usual way."""
    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        stopped.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    return stopped
