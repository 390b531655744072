# SPDX-License-Identifier: Apache-2.0
"""Frames on the device: one upload, one download, and everything between them where the model runs."""

from __future__ import annotations

import itertools
import queue
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from ..buffers import BufferPool
from ..cancel import CancelToken
from ..errors import ModelError, RuntimeUnavailableError
from ..model_spec import InputPolicy, ModelSpec
from ..preprocess import plan_input
from ..runtimes.onnx_runtime import OnnxRuntime
from ..runtimes.pinned import pin
from ..signature import Signature
from .graphs import AfterForm, BeforeForm, after, before
from .lanes import Lanes
from .route import NotOnDeviceError, Route
from .slot import FinishedFrame, Slot
from .tensors import NO_GRAPH, Place, open_small

if TYPE_CHECKING:
    import onnxruntime

_Pixels = npt.NDArray[np.uint8]

FRAMES_AT_ONCE = 3
"""One that goes up, one in the model, one that comes down."""
_ROUTES_KEPT = 4
ROUTES_EVER = 32
"""Sizes that are learned, at most: learning one again and again, because many take turns, would cost more than the ordinary path, and what
was captured for one that was given up stays in the library's memory."""
# The law of the two paths: the same depth within a thousandth. Half precision rounds no differently on either.
_SAME_DEPTH = 1e-3


class DeviceRuntime(Protocol):
    """What a runtime of ONNX Runtime gives beyond :class:`~..runtimes.runtime.Runtime`."""

    @property
    def device(self) -> str:
        """``cpu``, ``cuda:0``."""
        ...

    @property
    def session(self) -> onnxruntime.InferenceSession:
        """The open session. Raises ``ModelError`` once it is closed."""
        ...

    @property
    def cuda_graph(self) -> bool:
        """Whether runs of others on it may be captured as CUDA graphs."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    """A size that is ready: its slots, of which those lie in ``free`` that no frame is in."""

    free: queue.SimpleQueue[Slot]


class DeviceFrames:
    """The device path of one opened model. A size has to be learned, with a picture that the ordinary path has done, before it is known; a
    size that cannot be done, or comes out otherwise, stays with the ordinary path, and ``notes`` says why.

    Safe for several threads: pictures that arrive together overlap, three at a time.
    """

    def __init__(
        self, runtime: DeviceRuntime, signature: Signature, spec: ModelSpec, policy: InputPolicy, pool: BufferPool | None = None
    ) -> None:
        self._runtime, self._signature, self._spec, self._policy = runtime, signature, spec, policy
        self._pool = BufferPool() if pool is None else pool
        self._place = Place.of(runtime.device)
        if self._place.kind == "cuda":
            self._pool.on_new_memory = partial(pin, device_index=self._place.index)
        self._graph_ids = itertools.count(1)
        self._lanes: Lanes[list[FinishedFrame]] = Lanes(("upload", "model", "download"))
        self._small: dict[BeforeForm | AfterForm, onnxruntime.InferenceSession] = {}
        self._kept: OrderedDict[tuple[int, int, int], _Kept] = OrderedDict()
        self._refused: set[tuple[int, int, int]] = set()
        self._learned = 0
        self._lock = threading.Lock()
        self._closed = False
        self.notes: dict[str, None] = {}

    def knows(self, width: int, height: int, count: int = 1) -> bool:
        """Whether ``count`` pictures of that size can be given to :meth:`estimate`."""
        with self._lock:
            return (width, height, count) in self._kept

    def wants(self, width: int, height: int, count: int = 1) -> bool:
        """Whether it is worth calling :meth:`learn` for that size: it is neither known nor refused, and there were not too many."""
        size = (width, height, count)
        with self._lock:
            return not self._closed and self._learned < ROUTES_EVER and size not in self._kept and size not in self._refused

    def learn(
        self,
        pictures: Sequence[_Pixels],
        factors: Sequence[float],
        references: Sequence[npt.NDArray[np.float32]],
        fixed_size: tuple[int | None, int | None],
    ) -> bool:
        """Makes ready for that many pictures of that size, and keeps the way only if it gives ``references``: the values (H,W) that the
        ordinary path gave for ``pictures`` with ``factors``. ``fixed_size`` is what that found of the graph. Whether the size is known now."""
        height, width = pictures[0].shape[:2]
        size = (width, height, len(pictures))
        kept, why = None, ""
        # A graph that cannot be captured, or comes out otherwise when it is replayed, still runs one operation after the other.
        for captured in (True, False) if self._runtime.cuda_graph else (False,):
            try:
                kept = self._try(pictures, factors, references, fixed_size, captured)
                break
            except (NotOnDeviceError, RuntimeError, RuntimeUnavailableError) as error:
                why = str(error).rstrip(".")
                self.notes[f"Not captured as a CUDA graph: {why}." if captured else f"Frames are prepared on the CPU: {why}."] = None
        if kept is None:
            with self._lock:
                self._refused.add(size)
            return False
        with self._lock:
            self._learned += 1
            if self._learned == ROUTES_EVER:
                self.notes[f"Frames of further sizes are prepared on the CPU: {ROUTES_EVER} sizes were learned."] = None
            self._kept[size] = kept
            while len(self._kept) > _ROUTES_KEPT:
                self._kept.popitem(last=False)
        return True

    def estimate(self, pictures: Sequence[_Pixels], factors: Sequence[float], cancel: CancelToken | None = None) -> list[FinishedFrame]:
        """What becomes of pictures of one size that is known; ``factors`` is what the depth of each is multiplied by: 1, or the processed over
        the canonical focal length. Raises :class:`ModelError` and ``CancelledError``."""
        return self.start(pictures, factors, cancel).result()

    def start(
        self, pictures: Sequence[_Pixels], factors: Sequence[float], cancel: CancelToken | None = None
    ) -> Future[list[FinishedFrame]]:
        """As :meth:`estimate`, without waiting for the result; it waits while three are under way. The pictures must stay as they are until
        the result is there."""
        height, width = pictures[0].shape[:2]
        size = (width, height, len(pictures))
        with self._lock:
            if self._closed:
                raise ModelError("The engine is closed; open it again.")
            kept = self._kept[size]
            self._kept.move_to_end(size)
        return self._submit(kept, pictures, factors, cancel)

    def close(self) -> None:
        """Lets frames that are under way come down, then frees everything; calling it twice does nothing."""
        with self._lock:
            self._closed = True
        self._lanes.close()
        self._kept.clear()
        self._small.clear()

    # ---- inside -------------------------------------------------------------------------------------------------

    def _try(
        self,
        pictures: Sequence[_Pixels],
        factors: Sequence[float],
        references: Sequence[npt.NDArray[np.float32]],
        fixed_size: tuple[int | None, int | None],
        captured: bool,
    ) -> _Kept:
        height, width = pictures[0].shape[:2]
        # In the model's own thread: what its library keeps for a thread is made once.
        kept = self._lanes.call(1, lambda: self._make_ready(width, height, len(pictures), fixed_size, captured))
        for _ in range(2 * FRAMES_AT_ONCE if captured else 1):  # every slot captures at first, and replays then
            found = self._submit(kept, pictures, factors, None).result()
            for frame, reference in zip(found, references, strict=True):
                _check_same(frame, reference)
        return kept

    def _make_ready(self, width: int, height: int, count: int, fixed_size: tuple[int | None, int | None], captured: bool) -> _Kept:
        plan = plan_input(width, height, self._policy, fixed_size)
        route = Route(self._runtime.session, self._signature, self._spec, self._policy, plan, count, self._place, self._session_for)
        free: queue.SimpleQueue[Slot] = queue.SimpleQueue()
        for _ in range(FRAMES_AT_ONCE):
            free.put(Slot(route, next(self._graph_ids) if captured else NO_GRAPH, self._pool))
        return _Kept(free)

    def _session_for(self, form: BeforeForm | AfterForm) -> onnxruntime.InferenceSession:
        if form not in self._small:
            self._small[form] = open_around(form, self._place)
        return self._small[form]

    def _submit(
        self, kept: _Kept, pictures: Sequence[_Pixels], factors: Sequence[float], cancel: CancelToken | None
    ) -> Future[list[FinishedFrame]]:
        slot = kept.free.get()

        def upload() -> None:
            _check(cancel)
            slot.upload(pictures, factors)

        def infer() -> None:
            _check(cancel)
            slot.infer(cancel)

        def download() -> list[FinishedFrame]:
            _check(cancel)
            return slot.download()

        try:
            return self._lanes.submit((upload, infer), download, lambda: kept.free.put(slot))
        except RuntimeError as error:  # its threads have ended
            kept.free.put(slot)
            raise ModelError("The engine is closed; open it again.") from error


def open_around(form: BeforeForm | AfterForm, place: Place) -> onnxruntime.InferenceSession:
    """The session of the small graph of that form."""
    return open_small(before(form) if isinstance(form, BeforeForm) else after(form), place)


def device_frames(
    runtime: object, signature: Signature, spec: ModelSpec, policy: InputPolicy, pool: BufferPool
) -> DeviceFrames | None:
    """The device path of a model that ONNX Runtime runs on an NVIDIA GPU; None for every other runtime: the ordinary path is theirs."""
    if not isinstance(runtime, OnnxRuntime) or not runtime.device.startswith("cuda"):
        return None
    if spec.canonical_focal_px is not None and signature.intrinsics is not None:
        return None  # the factor would depend on the model's own answer
    return DeviceFrames(runtime, signature, spec, policy, pool)


def _check(cancel: CancelToken | None) -> None:
    if cancel is not None:
        cancel.check()


def _check_same(frame: FinishedFrame, reference: npt.NDArray[np.float32]) -> None:
    """Raises :class:`NotOnDeviceError` when the median relative difference is over a thousandth."""
    both = frame.valid & np.isfinite(reference) & (reference != 0)
    if not both.any():
        raise NotOnDeviceError("it gave nothing that could be compared with the ordinary path")
    off = float(np.median(np.abs(frame.values[both] - reference[both]) / np.abs(reference[both])))
    if not off <= _SAME_DEPTH:
        raise NotOnDeviceError(f"on the device it came out otherwise (by {off:.2%} in the median)")
