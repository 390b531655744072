# SPDX-License-Identifier: Apache-2.0
"""Memory of an NVIDIA card, by its driver (:mod:`.cuda_driver`): what TensorRT leaves to its caller, and its package brings nothing for. Never
executed by this project.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import RuntimeUnavailableError
from .cuda_driver import cuda_driver
from .pinned import pin

_NON_BLOCKING = 1  # CU_STREAM_NON_BLOCKING

_Array = npt.NDArray[np.generic]


@dataclass(slots=True)
class _Room:
    """Memory on the card: its address, and how many bytes it has."""

    address: int
    size: int


class CudaMemory:
    """Named pieces of memory on the card ``index``, and a stream that copies to and from them in order.

    Every thread calls :meth:`use` before it does anything else. Raises :class:`RuntimeUnavailableError` when there is no such card.
    """

    def __init__(self, index: int) -> None:
        self._driver: Any = cuda_driver()
        if self._driver is None:
            raise RuntimeUnavailableError("No driver for an NVIDIA card answers here; install it, or use --device cpu.")
        self._index = index
        self._device, self._context, self._stream = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_void_p()
        self._rooms: dict[str, _Room] = {}
        self._host: dict[str, npt.NDArray[np.uint8]] = {}
        try:
            self._call("cuInit", 0)
            self._call("cuDeviceGet", ctypes.byref(self._device), index)
        except RuntimeError as error:
            raise RuntimeUnavailableError(f"The device cuda:{index} does not answer: {error}; use another, or --device cpu.") from error
        # The one that the CUDA runtime, and so TensorRT, takes for this card.
        self._call("cuDevicePrimaryCtxRetain", ctypes.byref(self._context), self._device)
        self.use()
        self._call("cuStreamCreate", ctypes.byref(self._stream), _NON_BLOCKING)

    @property
    def stream(self) -> int:
        """The stream's handle."""
        return self._stream.value or 0

    def use(self) -> None:
        """Makes the card that of the calling thread."""
        self._call("cuCtxSetCurrent", self._context)

    def room(self, name: str, size: int) -> int:
        """The address of at least ``size`` bytes on the card: the same ones each time, unless more are wanted than before."""
        found = self._rooms.get(name)
        if found is None or found.size < size:
            self._free(name)
            address = ctypes.c_uint64()
            self._call("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(max(size, 1)))
            found = self._rooms[name] = _Room(address.value, size)
        return found.address

    def upload(self, name: str, array: _Array) -> int:
        """Copies ``array`` (C-contiguous) to the card and returns where it lies there."""
        address = self.room(name, array.nbytes)
        source = ctypes.c_void_p(array.ctypes.data)
        self._call("cuMemcpyHtoDAsync_v2", ctypes.c_uint64(address), source, ctypes.c_size_t(array.nbytes), self._stream)
        return address

    def download(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> _Array:
        """The array that lies at ``name``, in memory that is used again by the next download of that name; valid after :meth:`wait`."""
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        host = self._host.get(name)
        if host is None or host.nbytes < size:
            host = self._host[name] = np.empty(max(size, 1), np.uint8)
            pin(host, self._index)
        address = ctypes.c_uint64(self._rooms[name].address)
        self._call("cuMemcpyDtoHAsync_v2", ctypes.c_void_p(host.ctypes.data), address, ctypes.c_size_t(size), self._stream)
        return host[:size].view(dtype).reshape(shape)

    def wait(self) -> None:
        """Until everything asked for so far is done."""
        self._call("cuStreamSynchronize", self._stream)

    def close(self) -> None:
        """Gives everything back; calling it twice does nothing."""
        if not self._context.value:
            return
        self.use()
        self._call("cuStreamSynchronize", self._stream)
        for name in list(self._rooms):
            self._free(name)
        self._host.clear()
        self._call("cuStreamDestroy_v2", self._stream)
        self._call("cuDevicePrimaryCtxRelease_v2", self._device)
        self._context = ctypes.c_void_p()

    def _free(self, name: str) -> None:
        found = self._rooms.pop(name, None)
        if found is not None:
            self._call("cuMemFree_v2", ctypes.c_uint64(found.address))

    def _call(self, function: str, *arguments: object) -> None:
        """Raises :class:`RuntimeError` with the driver's own words when the call fails: each returns 0 when it went well."""
        call: Callable[..., int] = getattr(self._driver, function)
        result = call(*arguments)
        if result:
            text = ctypes.c_char_p()
            self._driver.cuGetErrorString(result, ctypes.byref(text))
            raise RuntimeError(f"CUDA: {(text.value or b'unknown error').decode()} ({function})")
