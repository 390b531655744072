# SPDX-License-Identifier: Apache-2.0
"""Answers that were sent and have not left, as their clients do not read them, or not yet. ZeroMQ's own limit counts messages of any size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import zmq

_SMALL = 64 * 1024
"""Answers up to this size are not followed: a thousand of them, ZeroMQ's limit, are no load."""


class UnreadAnswers:
    """For the thread that owns the ROUTER."""

    def __init__(self) -> None:
        self._waiting: list[tuple[bytes, zmq.MessageTracker, int]] = []

    def follow(self, frames: Sequence[Any]) -> list[Any]:
        """The frames of an answer, the first of which is the client's routing id, to be sent in place of these: not copied, and counted until
        they have left."""
        sizes = [memoryview(frame).nbytes for frame in frames]
        if sum(sizes) <= _SMALL:
            return list(frames)
        largest = sizes.index(max(sizes))
        followed = zmq.Frame(frames[largest], track=True, copy=False, copy_threshold=0)
        assert isinstance(followed.tracker, zmq.MessageTracker)
        self._waiting.append((bytes(frames[0]), followed.tracker, sum(sizes)))
        return [*frames[:largest], followed, *frames[largest + 1 :]]

    def any(self) -> bool:
        """Whether anything waits."""
        self._forget_done()
        return bool(self._waiting)

    def bytes_of(self, client: bytes) -> int:
        """What waits for this client."""
        self._forget_done()
        return sum(size for owner, _, size in self._waiting if owner == client)

    def _forget_done(self) -> None:
        self._waiting = [entry for entry in self._waiting if not entry[1].done]
