# SPDX-License-Identifier: Apache-2.0
"""A log that a flood of one event does not fill."""

from __future__ import annotations

import logging
import time


class SeldomLog:
    """Passes the first message of each ``topic`` on, and then one every ``every_s`` seconds, which says how many it stands for."""

    def __init__(self, log: logging.Logger, every_s: float = 10.0) -> None:
        self._log = log
        self._every_s = every_s
        self._held: dict[str, tuple[float, int]] = {}

    def say(self, topic: str, message: str, *, level: int = logging.WARNING, error: BaseException | None = None) -> None:
        """``error``: its traceback is shown along with the message."""
        last, held = self._held.get(topic, (float("-inf"), 0))
        now = time.monotonic()
        if now - last < self._every_s:
            self._held[topic] = (last, held + 1)
            return
        self._held[topic] = (now, 0)
        self._log.log(level, "%s%s", message, f" ({held} more since the last such line)" if held else "", exc_info=error)
