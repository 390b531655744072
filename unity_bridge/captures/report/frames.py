# SPDX-License-Identifier: Apache-2.0
"""What the report is told: one light record per frame, and pictures only of those that it asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ....engines.depth_map import DepthMap


class AccuracyNumbers(Protocol):
    """Depth against the truth, over ``pixels`` pixels (Eigen et al. 2014): ``abs_rel`` the mean of |error| / truth, ``rmse_m`` in
    metres, ``delta1`` the part (0..1) of the pixels where the larger of estimate / truth and truth / estimate is below 1.25."""

    @property
    def pixels(self) -> int: ...
    @property
    def abs_rel(self) -> float: ...
    @property
    def rmse_m(self) -> float: ...
    @property
    def delta1(self) -> float: ...


@dataclass(frozen=True, slots=True, eq=False)
class ReportPictures:
    """The pictures of one frame, of any size.

    ``image``: uint8 RGB (H,W,3). ``mask``: integers (H,W). ``mask_values``: those of the frame's objects, in their order. ``depth``:
    the estimate, or a reduced preview of it; None when there is none. ``depth_true_m``: float32 (H,W), planar metres, 0 for none; or None.
    """

    image: npt.NDArray[np.uint8]
    mask: npt.NDArray[Any]
    mask_values: tuple[int, ...]
    depth: DepthMap | None = None
    depth_true_m: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ReportFrame:
    """One frame of the run.

    ``record`` is its entry as it was written to ``annotations.json``. ``error``: the sentence of why it has no distances.
    ``object_accuracy``: parallel to the record's objects, or empty. ``pictures`` is called once, after all frames were seen, and only if
    the frame is among those shown; what it raises as a ``DepthbridgeError`` stands on the page in place of the pictures.
    """

    name: str
    record: Mapping[str, Any]
    error: str | None = None
    notes: tuple[str, ...] = ()
    accuracy: AccuracyNumbers | None = None
    object_accuracy: tuple[AccuracyNumbers | None, ...] = ()
    pictures: Callable[[], ReportPictures] | None = None


@dataclass(frozen=True, slots=True)
class ReportAbout:
    """What is true of the whole run. Without a ``model`` the records' own is shown. ``accuracy``: over the pixels of all objects,
    ``whole_frame``: over all pixels with truth, ``classes``: by category."""

    title: str
    capture: str
    layout: str = ""
    model: str = ""
    accuracy: AccuracyNumbers | None = None
    whole_frame: AccuracyNumbers | None = None
    classes: Mapping[str, AccuracyNumbers] = field(default_factory=dict)
