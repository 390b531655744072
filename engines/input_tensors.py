# SPDX-License-Identifier: Apache-2.0
"""Input tensors that wait to be filled again."""

from __future__ import annotations

import threading

from .model_spec import ResizeMethod
from .preprocess import InputPlan, InputTensor
from .signature import Signature

_KEPT = 3
"""Tensors kept for later: one is filled while another runs, and a third serves a second size or a batch."""
_KEPT_BYTES = 192 << 20
"""Their memory, at most."""


class InputTensors:
    """Lends each tensor to one picture at a time. One that is not given back, because its run failed, is forgotten. From any thread."""

    def __init__(self, method: ResizeMethod, signature: Signature) -> None:
        self._method = method
        self._signature = signature
        self._idle: list[tuple[int, InputTensor]] = []
        self._lock = threading.Lock()

    def take(self, plan: InputPlan, count: int = 1) -> InputTensor:
        """A tensor for ``count`` pictures of that plan, to be filled."""
        with self._lock:
            for place in range(len(self._idle) - 1, -1, -1):
                if self._idle[place][0] == count and self._idle[place][1].plan == plan:
                    return self._idle.pop(place)[1]
        return InputTensor(plan, self._method, self._signature, count)

    def give_back(self, tensor: InputTensor) -> None:
        """Call it when nothing reads the tensor any more."""
        with self._lock:
            self._idle.append((int(tensor.tensor.shape[0]), tensor))
            while len(self._idle) > _KEPT or sum(kept.nbytes for _, kept in self._idle) > _KEPT_BYTES:
                self._idle.pop(0)

    def clear(self) -> None:
        """Frees those that wait."""
        with self._lock:
            self._idle.clear()
