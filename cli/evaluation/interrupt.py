# SPDX-License-Identifier: Apache-2.0
"""Ctrl+C that is not lost."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def remembering_interrupts() -> Iterator[Callable[[], None]]:
    """Yields a function that raises ``KeyboardInterrupt`` once Ctrl+C was pressed in the block, for a loop to call now and then.

    Python raises it by itself, but drops it where it strikes inside a finalizer (each map that is let go runs one), and a run of hours would go
    on. Outside the main thread, and where the program has a handler of its own that cannot be called, it does nothing.
    """
    previous = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(previous):
        yield lambda: None
        return
    heard = threading.Event()

    def hear(number: int, frame: FrameType | None) -> None:
        heard.set()
        previous(number, frame)

    def check() -> None:
        if heard.is_set():
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, hear)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, previous)
