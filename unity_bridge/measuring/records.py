# SPDX-License-Identifier: Apache-2.0
"""What a request says of an object before anything is measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..results import ObjectId


@dataclass(frozen=True, slots=True)
class ObjectRecord:
    """One object to be measured: the pixels of an integer mask that have ``mask_value``.

    ``record`` goes into the answer verbatim (:data:`~..results.PASSED_THROUGH`). ``known_distance_m``: its true planar distance at the median
    of its pixels, in metres, to fit the map by. ``by_colour``: the mask was coded by colour; ``mask_value`` stands only for a place in the list,
    and the answer does not show it.
    """

    id: ObjectId
    mask_value: int
    record: Mapping[str, Any] = field(default_factory=dict)
    known_distance_m: float | None = None
    by_colour: bool = False
