# SPDX-License-Identifier: Apache-2.0
"""One frame's way across the device: its tensors, which stay, and the three runs that are bound to them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..buffers import BufferPool
from ..cancel import CancelToken
from ..preprocess import InputPlan
from ..runtimes.pinned import pin
from .tensors import Place, bind_input, run_bound

if TYPE_CHECKING:
    from .route import Route

_Pixels = npt.NDArray[np.uint8]
_FloatMap = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class FinishedFrame:
    """What became of one picture, at its own size: ``values`` (H,W) float32 in the unit that the factor gave, 0 where ``valid`` is False, and
    the layers the model has. Times in milliseconds: upload and input, the model, layers and download; those of a batch count whole for each
    of its pictures."""

    plan: InputPlan
    values: _FloatMap
    valid: npt.NDArray[np.bool_]
    sky: _FloatMap | None
    confidence: _FloatMap | None
    intrinsics: npt.NDArray[np.generic] | None
    extrinsics: npt.NDArray[np.generic] | None
    prepare_ms: float
    infer_ms: float
    finish_ms: float


class Slot:
    """Buffers for ``route.count`` pictures of one size. Its three methods run in this order, each in its own thread; a slot holds one batch
    at a time."""

    def __init__(self, route: Route, graph_id: int, pool: BufferPool) -> None:
        self._route, self._graph_id, self._pool = route, graph_id, pool
        place, plan, count = route.place, route.plan, route.count
        width, height = plan.source
        self._host = np.empty((count, height, width, 3), np.uint8)
        self._pinned = place.kind == "cuda" and pin(self._host, place.index)
        self._frame = place.tensor((count, height, 3 * width), np.uint8)
        self._tensor = place.tensor(route.tensor_shape, route.tensor_dtype)
        self._factor = place.tensor((count, 1, 1, 1), np.float32)
        self._raw = route.model_outputs()
        self._before = route.before.io_binding()
        self._model = route.model.io_binding()
        self._after = route.after.io_binding()
        self._bind()
        self._times = [0.0, 0.0]

    def _bind(self) -> None:
        route, place = self._route, self._route.place
        bind_input(self._before, "frame", self._frame, place)
        for name, tensor in route.input_maps.items():
            bind_input(self._before, name, tensor, place)
        self._before.bind_ortvalue_output("tensor", self._tensor)
        bind_input(self._model, route.image_name, self._tensor, place, route.image_shape)
        for name, tensor in self._raw.items():
            self._model.bind_ortvalue_output(name, tensor)
        for layer, name in route.layers.items():
            bind_input(self._after, layer, self._raw[name], place, (route.count, 1, *route.grid))
        bind_input(self._after, "factor", self._factor, place)
        for name, tensor in route.output_maps.items():
            bind_input(self._after, name, tensor, place)
        for name, tensor in route.output_counts.items():
            bind_input(self._after, name, tensor, Place("cpu", 0))

    def upload(self, pictures: Sequence[_Pixels], factors: Sequence[float]) -> None:
        """The frames go up, and become the model's input."""
        started = time.perf_counter()
        source = pictures[0][None] if not self._pinned and len(pictures) == 1 else self._staged(pictures)
        self._frame.update_inplace(source.reshape(self._frame.shape()))
        self._factor.update_inplace(np.array(factors, np.float32).reshape(-1, 1, 1, 1))
        run_bound(self._route.before, self._before)
        self._times[0] = (time.perf_counter() - started) * 1e3

    def infer(self, cancel: CancelToken | None) -> None:
        """The model runs."""
        started = time.perf_counter()
        run_bound(self._route.model, self._model, self._graph_id, cancel)
        self._times[1] = (time.perf_counter() - started) * 1e3

    def download(self) -> list[FinishedFrame]:
        """The layers become those of the pictures, and come down into arrays of the caller's own."""
        started = time.perf_counter()
        route = self._route
        width, height = route.plan.source
        shape = (route.count, 1, height, width)
        floats = {name: self._pool.take(shape, np.float32) for name in route.float_outputs}
        valid = self._pool.take(shape, np.bool_)
        arrays: dict[str, npt.NDArray[Any]] = {**floats, "valid": valid}
        for name, array in arrays.items():
            kind = np.uint8 if array.dtype == np.bool_ else array.dtype.type
            self._after.bind_output(name, "cpu", 0, kind, list(shape), array.ctypes.data)
        run_bound(route.after, self._after)
        facts = {role: self._raw[name].numpy() for role, name in route.facts.items()}
        took = (time.perf_counter() - started) * 1e3

        def one(place: int) -> FinishedFrame:
            matrices = {role: value[place : place + 1] if value.shape[0] == route.count else value for role, value in facts.items()}
            return FinishedFrame(
                plan=route.plan,
                values=floats["values"][place, 0],
                valid=valid[place, 0],
                sky=floats["full_sky"][place, 0] if "full_sky" in floats else None,
                confidence=floats["full_confidence"][place, 0] if "full_confidence" in floats else None,
                intrinsics=matrices.get("intrinsics"),
                extrinsics=matrices.get("extrinsics"),
                prepare_ms=self._times[0],
                infer_ms=self._times[1],
                finish_ms=took,
            )

        return [one(place) for place in range(route.count)]

    def _staged(self, pictures: Sequence[_Pixels]) -> _Pixels:
        for place, pixels in enumerate(pictures):
            np.copyto(self._host[place], pixels)
        return self._host
