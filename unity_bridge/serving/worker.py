# SPDX-License-Identifier: Apache-2.0
"""The one thread that runs the engine: jobs in by a queue, finished replies out by an inproc socket that wakes the I/O thread."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import zmq

from ...engines.camera import CameraSource
from ...engines.cancel import CancelToken
from ...engines.depth_map import DepthMap
from ...engines.errors import CancelledError, DepthbridgeError
from ...engines.estimator import Estimator
from ..framing import ErrorCode, pack_header, pack_prefix
from ..maps import map_to_wire
from ..measuring.measure import MaskObjects, measure_objects, require_metric
from ..results import StageTiming
from .headers import RequestError
from .payloads import InferRequest, ServerLimits

_log = logging.getLogger(__name__)

CANCELLED = RequestError(ErrorCode.CANCELLED, "The request was cancelled by its client.", retryable=True)


@dataclass(frozen=True, slots=True)
class ReplyTo:
    """Where an answer goes: the frames before the prefix (routing id, a REQ client's empty one), the kind and the id to mirror."""

    route: tuple[bytes, ...]
    kind: int
    request_id: bytes

    def frames(self, header: bytes, payloads: Sequence[Any] = ()) -> list[Any]:
        """All frames of the answer. ``payloads`` are not copied."""
        return [*self.route, pack_prefix(self.kind), self.request_id, header, *payloads]


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One accepted infer request. ``received_at`` is :func:`time.monotonic`."""

    reply_to: ReplyTo
    request: InferRequest
    received_at: float
    cancel: CancelToken = field(default_factory=CancelToken)

    def is_of(self, client: bytes, request_id: bytes) -> bool:
        return self.reply_to.route[0] == client and self.reply_to.request_id == request_id


def error_header(error: RequestError) -> bytes:
    """The header of an error reply."""
    return pack_header({"status": "error", "error": {"code": str(error.code), "message": error.message, "retryable": error.retryable}})


class InferWorker:
    """Runs jobs one after the other and pushes ``[b"reply", frames...]`` to ``inbox`` (an inproc address of ``context``)."""

    def __init__(self, engine: Estimator, limits: ServerLimits, context: zmq.Context[zmq.Socket[bytes]], inbox: str) -> None:
        self._engine = engine
        self._limits = limits
        self._context = context
        self._inbox = inbox
        self._changed = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._running: Job | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="depthbridge-infer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Queue a job. The caller bounds how many there are."""
        with self._changed:
            self._waiting.append(job)
            self._changed.notify()

    def cancel(self, client: bytes, request_id: bytes) -> tuple[list[Job], bool]:
        """Take back what a client asked for: the jobs that were waiting, which the caller answers, and whether one in work was told to stop,
        which answers itself."""
        with self._changed:
            dropped = [job for job in self._waiting if job.is_of(client, request_id)]
            self._waiting = deque(job for job in self._waiting if job not in dropped)
            running = self._running
        if running is None or not running.is_of(client, request_id):
            return dropped, False
        running.cancel.cancel()
        return dropped, True

    def stop(self, *, abandon: bool, timeout_s: float) -> bool:
        """Finish what is queued (``abandon``: drop it, and stop the engine), then end. False when it is still busy after ``timeout_s``."""
        with self._changed:
            self._closed = True
            running = None
            if abandon:
                self._waiting.clear()
                running = self._running
            self._changed.notify()
        if running is not None:
            running.cancel.cancel()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _next(self) -> Job | None:
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            self._running = self._waiting.popleft() if self._waiting else None
            return self._running

    def _run(self) -> None:
        outbox = self._context.socket(zmq.PUSH)
        try:
            outbox.linger = 0
            outbox.connect(self._inbox)
            while (job := self._next()) is not None:
                frames = job.reply_to.frames(*self._answer(job))
                with self._changed:
                    self._running = None  # before the answer leaves: what has been answered cannot be cancelled
                try:
                    # Maps are handed over, not copied: nobody changes them, and they are freed once they have left.
                    outbox.send_multipart([b"reply", *frames], flags=zmq.NOBLOCK, copy=False)
                except zmq.Again:
                    return  # the I/O thread has closed its end: it stopped without waiting for this answer
                del job, frames  # no pixels are kept while waiting for the next ones
        finally:
            outbox.close(linger=0)

    def _answer(self, job: Job) -> tuple[bytes, Sequence[Any]]:
        """Header and payloads."""
        try:
            return self._work(job)
        except RequestError as error:
            return error_header(error), ()
        except CancelledError:
            return error_header(CANCELLED), ()
        except DepthbridgeError as error:
            return error_header(RequestError(error.code, str(error))), ()
        except Exception as error:  # the server outlives any engine
            _log.exception("the engine failed on a frame")
            text = f"The engine failed on this frame ({type(error).__name__}); the server's log has the details."
            return error_header(RequestError(ErrorCode.INTERNAL, text)), ()

    def _work(self, job: Job) -> tuple[bytes, Sequence[Any]]:
        request = job.request
        started = time.monotonic()
        waited = started - job.received_at
        if request.deadline_s is not None and waited > request.deadline_s:
            raise RequestError(
                ErrorCode.DEADLINE_EXCEEDED,
                f"The request waited {waited * 1000:.0f} ms and its deadline was {request.deadline_s * 1000:.0f} ms; "
                "send fewer at once, or give a later deadline.",
                retryable=True,
            )
        image, mask = request.decode_image(), self._objects_of(request)
        decoded = time.monotonic()
        depth_map = self._estimate(job, image)
        inferred = time.monotonic()
        result: dict[str, Any] = {
            "model": depth_map.model_id,
            "unit": depth_map.kind.unit,
            "camera_source": str(depth_map.camera_source),
            "width": depth_map.width,
            "height": depth_map.height,
        }
        if mask is not None:
            require_metric(depth_map)
            result["objects"] = [item.to_json() for item in measure_objects(depth_map, mask)]
        measured = time.monotonic()
        header: dict[str, Any] = {"status": "ok"}
        payloads: Sequence[Any] = ()
        if request.depth:
            wire = map_to_wire(depth_map)
            result["depth"], header["payloads"], payloads = wire.about, wire.payloads, wire.layers
        encoded = msgspec.json.encode(result)
        timing = StageTiming(
            queue=waited * 1e3,
            decode=(decoded - started) * 1e3,
            infer=(inferred - decoded) * 1e3,
            measure=(measured - inferred) * 1e3,
            encode=(time.monotonic() - measured) * 1e3,
        )
        header |= {"timing_ms": timing.to_json(), "result": msgspec.Raw(encoded)}
        return msgspec.json.encode(header), payloads

    def _objects_of(self, request: InferRequest) -> MaskObjects | None:
        mask = request.decode_mask()
        if mask is None:
            return None
        objects = MaskObjects.of(mask.values)
        if len(objects.ids) > self._limits.max_objects:
            raise RequestError(
                ErrorCode.TOO_LARGE,
                f"The mask holds {len(objects.ids)} different ids and at most {self._limits.max_objects} objects are measured; "
                "is it a picture of colours, or antialiased?",
            )
        return objects

    def _estimate(self, job: Job, image: Any) -> DepthMap:
        request = job.request
        depth_map = self._engine.estimate(image, request.camera, cancel=job.cancel)
        job.cancel.check()  # nobody waits for this any more, though it was too late to stop the engine
        if depth_map.values.shape != image.shape[:2]:
            raise ValueError(f"the engine answered {depth_map.values.shape} for an image of {image.shape[:2]}")
        if depth_map.camera_source is CameraSource.GIVEN and request.camera_source is not CameraSource.GIVEN:
            return replace(depth_map, camera_source=request.camera_source)
        return depth_map
