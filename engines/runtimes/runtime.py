# SPDX-License-Identifier: Apache-2.0
"""What the engine asks of an inference runtime: tensors in, tensors out, nothing about depth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..cancel import CancelToken
from .targets import Precision


class Runtime(Protocol):
    """An opened model. One thread at a time: a second one waits until the first has left :meth:`run`."""

    @property
    def name(self) -> str:
        """The library, such as ``onnxruntime``, with its version."""
        ...

    @property
    def device(self) -> str:
        """Where it really runs: ``cpu``, ``cuda:0``, ``directml``, ``coreml``."""
        ...

    @property
    def precision(self) -> Precision:
        """What it computes in, ``fp32`` also standing for "as the file says"."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the user, such as why a faster device was not used."""
        ...

    def run(
        self, feeds: dict[str, npt.NDArray[np.generic]], outputs: Sequence[str], cancel: CancelToken | None = None
    ) -> list[npt.NDArray[np.generic]]:
        """The named outputs, in that order.

        **They may be the runtime's own buffers: they are valid until the next** ``run`` **or** ``close``; who keeps them copies them. ``feeds``
        (C-contiguous) may be reused as soon as this returned. Raises :class:`RuntimeError` when the graph cannot run on these shapes,
        ``ModelError`` once it is closed, and ``CancelledError`` when ``cancel`` was called meanwhile: as soon as the library looks up from
        its work.
        """
        ...

    def close(self) -> None:
        """Frees the model; calling it twice does nothing."""
        ...
