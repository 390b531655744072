# SPDX-License-Identifier: Apache-2.0
"""The line of a running server: how fast, how busy, for whom. Only where somebody can see it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.text import Text

if TYPE_CHECKING:
    from ..unity_bridge.serving.server import BridgeServer, ServerStatus

_EVERY_S = 0.5
_RATE_OVER_S = 3.0


def watch(server: BridgeServer, stopped: threading.Event) -> None:
    """Until ``stopped`` is set or the server has ended; with a line on a terminal, and silently elsewhere."""
    console = Console(stderr=True)
    # Waiting in slices: on some systems a signal does not interrupt an endless wait.
    if not console.is_interactive:
        while server.running and not stopped.wait(_EVERY_S):
            pass
        return
    seen = [(time.monotonic(), server.status.frames)]
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while server.running and not stopped.wait(_EVERY_S):
            status = server.status
            seen.append((time.monotonic(), status.frames))
            while len(seen) > 2 and seen[-1][0] - seen[0][0] > _RATE_OVER_S:
                del seen[0]
            rate = (seen[-1][1] - seen[0][1]) / (seen[-1][0] - seen[0][0])
            live.update(Text(status_line(status, rate), overflow="ellipsis", no_wrap=True), refresh=True)


def status_line(status: ServerStatus, frames_per_second: float) -> str:
    """One line; the times are those of the last frames, from their arrival to the answer."""
    total = status.stages["total"]
    times = "no frames yet" if total.p50_ms is None else f"p50 {total.p50_ms:.0f} ms, p99 {total.p99_ms:.0f} ms"
    parts = [f"{frames_per_second:.1f} frames/s", times, f"{status.waiting} waiting", _counted(status.clients, "client")]
    parts.append(_counted(status.counters.errors, "error"))
    return "  ".join(parts)


def _counted(count: int, name: str) -> str:
    return f"{count} {name}" if count == 1 else f"{count} {name}s"
