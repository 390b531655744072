# SPDX-License-Identifier: Apache-2.0
"""Arrays whose memory is used again: a map of eight megabytes costs more to be given fresh pages than to be filled."""

from __future__ import annotations

import math
import threading
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

_Scalar = TypeVar("_Scalar", bound=np.generic)

KEPT_BYTES = 160 << 20
"""Memory a pool keeps for later, at most: five frames of 1080p in flight, each with depth and sky. What is in use is not counted."""

_ALIGNMENT = 64  # a cache line, and the widest vector


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """Memory of ``size`` bytes from the aligned address ``start``."""

    memory: npt.NDArray[np.uint8]
    start: int
    size: int

    @classmethod
    def new(cls, size: int) -> _Block:
        memory = np.empty(size + _ALIGNMENT, dtype=np.uint8)
        address = int(memory.ctypes.data)
        return cls(memory, address + -address % _ALIGNMENT, size)


class BufferPool:
    """Gives out uninitialised arrays, and their memory again once nobody can see it any more.

    Nothing is ever given back by hand: an array of the pool holds a lease, every view of it holds the array, and the memory returns when Python
    destroys the lease. So an array that a caller keeps, whole or in part, is never written again. From any thread.
    """

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._limit = kept_bytes
        self._idle: deque[_Block] = deque()
        # Leases end wherever a last reference goes, also in the garbage collector inside of `take`: they append here and take no lock.
        self._returned: deque[_Block] = deque()
        self._lock = threading.Lock()
        self.misses = 0
        # Told of memory when it is made: a device's copies are faster into memory that is locked into place.
        self.on_new_memory: Callable[[npt.NDArray[np.uint8]], object] | None = None

    def take(self, shape: tuple[int, ...], dtype: type[_Scalar]) -> npt.NDArray[_Scalar]:
        """An array with C order and any content, aligned to 64 bytes. ``misses`` counts those that needed new memory."""
        kind = np.dtype(dtype)
        size = math.prod(shape) * kind.itemsize
        with self._lock:
            self._collect()
            block = self._pick(size)
            if block is None:
                self.misses += 1
        if block is None:
            block = _Block.new(size)
            if self.on_new_memory is not None:
                self.on_new_memory(block.memory)
        return np.asarray(_Lease(self, block, shape, kind))

    @property
    def kept_bytes(self) -> int:
        """How much memory waits to be used again."""
        with self._lock:
            self._collect()
            return sum(block.size for block in self._idle)

    def close(self) -> None:
        """Frees what waits, and what is in use as soon as that ends."""
        with self._lock:
            self._limit = 0
            self._collect()

    def _pick(self, size: int) -> _Block | None:
        # The latest first: it is the likeliest to be in a cache.
        for place in range(len(self._idle) - 1, -1, -1):
            if self._idle[place].size == size:
                block = self._idle[place]
                del self._idle[place]
                return block
        return None

    def _collect(self) -> None:
        while self._returned:
            self._idle.append(self._returned.popleft())
        kept = sum(block.size for block in self._idle)
        while kept > self._limit:
            kept -= self._idle.popleft().size

    def _return(self, block: _Block) -> None:
        self._returned.append(block)
        # Without waiting: whoever holds the lock may be this very thread. Then the next one to come collects.
        if self._lock.acquire(blocking=False):
            try:
                self._collect()
            finally:
                self._lock.release()


class _Lease:
    """What an array of the pool stands on. numpy keeps it as the array's ``base``: it lives as long as the array or any view."""

    __slots__ = ("__array_interface__", "__weakref__", "_block", "_pool")

    def __init__(self, pool: BufferPool, block: _Block, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._pool = weakref.ref(pool)
        self._block = block
        self.__array_interface__ = {"version": 3, "shape": shape, "typestr": dtype.str, "data": (block.start, False)}

    def __del__(self) -> None:
        pool = self._pool()
        if pool is not None:
            pool._return(self._block)
