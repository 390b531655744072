# SPDX-License-Identifier: Apache-2.0
"""How far a graph in lower precision is from the original, on real pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..cancel import CancelToken
from ..recognise import Recognised
from ..runtimes.runtime import Runtime
from .recording import Picture, Recorded, record

# Next to zero a ratio says nothing: what is nearer to it than this part of the map's typical value counts as that large.
_FLOOR = 0.01


@dataclass(frozen=True, slots=True)
class Agreement:
    """Relative deviations of depth: the median of each picture, that of all their pixels together, and whether every value was finite."""

    by_picture: tuple[float, ...]
    median: float
    finite: bool

    @property
    def worst(self) -> float:
        """The median of the picture that suffers most."""
        return max(self.by_picture)


def compare(
    reference: Runtime, other: Runtime, recognised: Recognised, path: Path, pictures: Sequence[Picture], *, cancel: CancelToken | None = None
) -> Agreement:
    """``other`` against ``reference`` on the same pictures (at least one). Raises ``RuntimeError`` when ``other`` cannot run what
    ``reference`` ran, and otherwise as an engine's ``estimate``."""
    return agreement(record(reference, recognised, path, pictures, cancel), other, recognised, cancel=cancel)


def agreement(
    records: Iterable[Recorded], other: Runtime, recognised: Recognised, *, rescale: bool = False, cancel: CancelToken | None = None
) -> Agreement:
    """As :func:`compare`, with runs recorded before. ``rescale`` forgives each map one factor, as those who use relative depth do."""
    output = recognised.signature.depth.name
    deviations: list[npt.NDArray[np.float64]] = []
    finite = True
    for recorded in records:
        (answer,) = other.run(recorded.feeds, [output], cancel)
        wanted, got = recorded.depth.astype(np.float64), np.asarray(answer).astype(np.float64)
        if got.shape != wanted.shape or not np.isfinite(got[np.isfinite(wanted)]).all():
            finite = False
            deviations.append(np.array([np.inf]))
            continue
        deviations.append(_deviation(wanted, got, rescale))
    return Agreement(tuple(float(np.median(part)) for part in deviations), float(np.median(np.concatenate(deviations))), finite)


def _deviation(wanted: npt.NDArray[np.float64], got: npt.NDArray[np.float64], rescale: bool) -> npt.NDArray[np.float64]:
    """``|got - wanted| / |wanted|`` of every pixel that is finite in ``wanted``."""
    sane = np.isfinite(wanted)
    wanted, got = wanted[sane], got[sane]
    if wanted.size == 0:
        return np.zeros(1)
    size = np.abs(wanted)
    typical = float(np.median(size)) or float(size.max()) or 1.0
    clear = np.abs(got) > _FLOOR * typical
    if rescale and clear.any():
        got = got * np.median(wanted[clear] / got[clear])
    return np.asarray(np.abs(got - wanted) / np.maximum(size, _FLOOR * typical), dtype=np.float64)
