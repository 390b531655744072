# SPDX-License-Identifier: Apache-2.0
"""What the engine asks of an inference runtime: tensors in, tensors out, nothing about depth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..cancel import CancelToken


class Runtime(Protocol):
    """An opened model."""

    @property
    def name(self) -> str:
        """The library, such as ``onnxruntime``, with its version."""
        ...

    @property
    def device(self) -> str:
        """Where it really runs: ``cpu``, ``cuda:0``, ``directml``, ``coreml``."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the user, such as why a faster device was not used."""
        ...

    def run(
        self, feeds: dict[str, npt.NDArray[np.generic]], outputs: Sequence[str], cancel: CancelToken | None = None
    ) -> list[npt.NDArray[np.generic]]:
        """The named outputs. Raises :class:`RuntimeError` when the graph cannot run on these shapes, ``ModelError`` once it is closed, and
        ``CancelledError`` when ``cancel`` was called meanwhile: as soon as the library looks up from its work."""
        ...

    def close(self) -> None:
        """Frees the model; calling it twice does nothing."""
        ...
