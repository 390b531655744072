# SPDX-License-Identifier: Apache-2.0
"""Many pictures through one engine: while one is in the network, the next is prepared and the one before is finished."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from types import TracebackType
from typing import TypeVar

import numpy as np

from .camera import CameraIntrinsics
from .cancel import CancelToken
from .depth_map import DepthMap
from .engine import DepthEngine, Picture
from .errors import CancelledError
from .images import DecodedImage

AHEAD = 3
"""Pictures under way at once: one in each stage."""
_PIXELS = 50_000_000
"""With more pixels than that under way no further picture is begun: of panoramas there is one at a time."""
_GRACE_S = 0.2

Frame = Picture | tuple[Picture, CameraIntrinsics | None]
_T = TypeVar("_T")
_R = TypeVar("_R")


def estimate_stream(engine: DepthEngine, frames: Iterable[Frame], *, cancel: CancelToken | None = None) -> EstimateStream:
    """The depth map of each of ``frames`` (a picture, or a picture and its camera), in their order.

    What :meth:`DepthEngine.estimate` raises for a picture is raised in its place, and the next ``next()`` goes on with the one after; what
    ``frames`` itself raises ends the stream. ``frames`` is asked from the thread that takes the maps, at most three pictures ahead of it (one
    where pictures are huge):
    each map comes up to two pictures later than from ``estimate``, but more of them a second. Close the stream, or use it as a context
    manager, when not all of it is wanted. Use the engine for nothing else meanwhile. ``cancel`` ends it with ``CancelledError`` within half a
    second.
    """
    return EstimateStream(engine, frames, cancel)


class EstimateStream(Iterator[DepthMap]):
    """See :func:`estimate_stream`."""

    def __init__(self, engine: DepthEngine, frames: Iterable[Frame], cancel: CancelToken | None = None) -> None:
        self._engine = engine
        self._cancel = CancelToken() if cancel is None else cancel
        self._stop = CancelToken()  # set by a cancel, and by close()
        self._linked = ExitStack()
        self._under_way: deque[tuple[int, Future[DepthMap]]] = deque()  # with the picture's pixels
        self._broken: BaseException | None = None
        self._ended = False
        # One thread a stage keeps the order, and pictures at one in each.
        self._stages = [ThreadPoolExecutor(1, thread_name_prefix=f"depthbridge-{name}") for name in ("prepare", "run", "finish")]
        self._linked.enter_context(self._cancel.on_cancel(self._stop.cancel))
        self._frames: Iterator[Frame] | None = iter(frames)  # at last: what cannot be iterated leaves a stream that can be ended

    def __iter__(self) -> EstimateStream:
        return self

    def __next__(self) -> DepthMap:
        if self._ended:
            raise StopIteration
        try:
            self._cancel.check()
            self._fill()
            if self._under_way:
                return self._result(self._under_way.popleft()[1])
        except CancelledError:
            self._end(wait_for_threads=False)
            raise
        self.close()
        raise StopIteration if self._broken is None else self._broken

    def close(self) -> None:
        """Stops what is under way, and its threads; calling it twice does nothing."""
        self._end(wait_for_threads=True)

    def __enter__(self) -> EstimateStream:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        self._end(wait_for_threads=False)

    # ---- inside -------------------------------------------------------------------------------------------------

    def _fill(self) -> None:
        while self._frames is not None and len(self._under_way) < AHEAD and sum(pixels for pixels, _ in self._under_way) < _PIXELS:
            try:
                self._under_way.append(self._start(next(self._frames)))
            except StopIteration:
                self._frames = None
            except Exception as error:  # its turn comes after those that are under way
                self._frames, self._broken = None, error

    def _start(self, frame: Frame) -> tuple[int, Future[DepthMap]]:
        picture, camera = frame if isinstance(frame, tuple) else (frame, None)
        given = picture.rgb if isinstance(picture, DecodedImage) else picture
        pixels = given.size // 3 if isinstance(given, np.ndarray) else 0  # what is no picture is told in its turn
        engine, stop = self._engine, self._stop
        prepare, run, finish = self._stages
        prepared = prepare.submit(lambda: engine.prepare(picture, camera, stop))
        answered = run.submit(_then(prepared, lambda under_way: engine.run(under_way, stop)))
        return pixels, finish.submit(_then(answered, lambda under_way: engine.finish(under_way, stop)))

    def _result(self, future: Future[DepthMap]) -> DepthMap:
        """What became of a picture; as soon as it is there, or soon after a cancel."""
        awake = threading.Event()
        future.add_done_callback(lambda _: awake.set())
        with self._cancel.on_cancel(awake.set):
            awake.wait()
        if self._cancel.cancelled:
            wait([future], _GRACE_S)
        self._cancel.check()
        return future.result()

    def _end(self, *, wait_for_threads: bool) -> None:
        self._ended = True
        self._stop.cancel()
        self._linked.close()
        self._under_way.clear()
        for stage in self._stages:
            stage.shutdown(wait=wait_for_threads, cancel_futures=True)


def _then(before: Future[_T], step: Callable[[_T], _R]) -> Callable[[], _R]:
    """The next stage: it waits for the one before and passes on what that raised."""
    return lambda: step(before.result())
