# SPDX-License-Identifier: Apache-2.0
"""The one thread that runs the engine: jobs in by a queue, finished replies out by an inproc socket that wakes the I/O thread."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import zmq

from ..engines.errors import DepthbridgeError
from ..engines.estimator import Estimator
from .framing import ErrorCode, pack_header, pack_prefix
from .headers import RequestError
from .measure import MaskObjects, measure_objects, require_metric
from .payloads import InferRequest, ServerLimits
from .results import StageTiming

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReplyTo:
    """Where an answer goes: the frames before the prefix (routing id, a REQ client's empty one), the kind and the id to mirror."""

    route: tuple[bytes, ...]
    kind: int
    request_id: bytes

    def frames(self, header: bytes) -> list[bytes]:
        return [*self.route, pack_prefix(self.kind), self.request_id, header]


@dataclass(frozen=True, slots=True)
class Job:
    """One accepted infer request. ``received_at`` is :func:`time.monotonic`."""

    reply_to: ReplyTo
    request: InferRequest
    received_at: float


def error_header(code: str, message: str, retryable: bool) -> bytes:
    """The header of an error reply."""
    return pack_header({"status": "error", "error": {"code": str(code), "message": message, "retryable": retryable}})


class InferWorker:
    """Runs jobs one after the other and pushes ``[b"reply", frames...]`` to ``inbox`` (an inproc address of ``context``)."""

    def __init__(self, engine: Estimator, limits: ServerLimits, context: zmq.Context[zmq.Socket[bytes]], inbox: str) -> None:
        self._engine = engine
        self._limits = limits
        self._context = context
        self._inbox = inbox
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._abandon = threading.Event()
        self._thread = threading.Thread(target=self._run, name="depthbridge-infer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Queue a job. The caller bounds how many there are."""
        self._jobs.put(job)

    def stop(self, *, abandon: bool, timeout_s: float) -> bool:
        """Finish what is queued (``abandon``: only the job that runs), then end. False when it is still busy after ``timeout_s``."""
        if abandon:
            self._abandon.set()
        self._jobs.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        outbox = self._context.socket(zmq.PUSH)
        try:
            outbox.linger = 0
            outbox.connect(self._inbox)
            while (job := self._jobs.get()) is not None and not self._abandon.is_set():
                header = self._answer(job)
                frames: Sequence[bytes] = job.reply_to.frames(header)
                del job  # its pixels are not kept while waiting for the next one
                try:
                    outbox.send_multipart([b"reply", *frames], flags=zmq.NOBLOCK)
                except zmq.Again:
                    return  # the I/O thread has closed its end: it stopped without waiting for this answer
        finally:
            outbox.close(linger=0)

    def _answer(self, job: Job) -> bytes:
        try:
            return self._measure(job)
        except RequestError as error:
            return error_header(error.code, error.message, error.retryable)
        except DepthbridgeError as error:
            return error_header(error.code, str(error), False)
        except Exception as error:  # the server outlives any engine
            _log.exception("the engine failed on a frame")
            return error_header(
                ErrorCode.INTERNAL,
                f"The engine failed on this frame ({type(error).__name__}); the server's log has the details.",
                False,
            )

    def _measure(self, job: Job) -> bytes:
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
        image, mask = request.decode_image(), MaskObjects.of(request.decode_mask())
        count = len(mask.ids)
        if count > self._limits.max_objects:
            raise RequestError(
                ErrorCode.TOO_LARGE,
                f"The mask holds {count} different ids and at most {self._limits.max_objects} objects are measured; "
                "is it a picture of colours, or antialiased?",
            )
        decoded = time.monotonic()
        depth_map = self._engine.estimate(image, request.camera)
        require_metric(depth_map)
        if depth_map.values.shape != mask.shape:
            raise ValueError(f"the engine answered {depth_map.values.shape} for an image of {mask.shape}")
        inferred = time.monotonic()
        objects = measure_objects(depth_map, mask)
        measured = time.monotonic()
        result = msgspec.json.encode(
            {
                "model": depth_map.model_id,
                "unit": depth_map.kind.unit,
                "camera_source": str(depth_map.camera_source),
                "width": depth_map.width,
                "height": depth_map.height,
                "objects": [item.to_json() for item in objects],
            }
        )
        timing = StageTiming(
            queue=waited * 1e3,
            decode=(decoded - started) * 1e3,
            infer=(inferred - decoded) * 1e3,
            measure=(measured - inferred) * 1e3,
            encode=(time.monotonic() - measured) * 1e3,
        )
        return _ok_header(result, timing)


def _ok_header(result: bytes, timing: StageTiming) -> bytes:
    header: dict[str, Any] = {"status": "ok", "timing_ms": timing.to_json(), "result": msgspec.Raw(result)}
    return msgspec.json.encode(header)


