# SPDX-License-Identifier: Apache-2.0
"""The one thread that runs the engine: jobs in by a queue, answers out by another, and an inproc socket that wakes the I/O thread."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from contextlib import suppress

import zmq

from ...engines.depth_map import DepthMap
from ...engines.errors import CancelledError, DepthbridgeError
from ...engines.estimator import Estimator, batch_limit, estimate_all
from ..framing import ErrorCode
from .frames import DecodedFrame, FrameWork
from .headers import RequestError
from .jobs import CANCELLED, Answer, Job, JobQueue
from .seldom import SeldomLog

_log = logging.getLogger(__name__)

WAKE, DRAIN, STOP = b"answers", b"drain", b"stop"
"""What the inbox is told: something is in ``answers``; answer what was accepted, then end; end now."""

_Ready = list[tuple[Job, DecodedFrame]]


class InferWorker:
    """Works through ``queue``, and says :data:`WAKE` at ``inbox`` (an inproc address of ``context``) for each job it put into ``answers``."""

    def __init__(self, engine: Estimator, frames: FrameWork, queue: JobQueue, context: zmq.Context[zmq.Socket[bytes]], inbox: str) -> None:
        self.answers: deque[Answer] = deque()
        self._engine = engine
        self._frames = frames
        self._queue = queue
        self._context = context
        self._inbox = inbox
        self._log = SeldomLog(_log)
        self._thread = threading.Thread(target=self._run, name="depthbridge-infer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, *, abandon: bool, timeout_s: float) -> bool:
        """Finish what is queued (``abandon``: drop it, and stop the engine), then end. False when it is still busy after ``timeout_s``."""
        self._queue.close(abandon=abandon)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        outbox = self._context.socket(zmq.PUSH)
        try:
            outbox.linger = 0
            outbox.connect(self._inbox)
            while jobs := self._queue.next_batch(self._limit_of):
                self._work(jobs, outbox)
                del jobs  # no pixels are kept while waiting for the next ones
        except zmq.Again:
            return  # the I/O thread has closed its end: it stopped without waiting for this answer
        except BaseException:  # what is no error of one frame: nobody would be left to answer the others
            _log.critical("the engine's thread ended, and the server with it", exc_info=True)
            with suppress(zmq.Again):  # it ends already
                outbox.send(STOP, flags=zmq.NOBLOCK)
        finally:
            outbox.close(linger=0)

    def _limit_of(self, job: Job) -> int:
        try:
            return batch_limit(self._engine, *job.size)
        except Exception as error:  # the frame goes alone, and what is wrong with it comes out then
            self._log.say("limit", "The engine failed at saying how many frames it takes at once.", level=logging.ERROR, error=error)
            return 1

    def _work(self, jobs: list[Job], outbox: zmq.Socket[bytes]) -> None:
        """All jobs of a batch; what is wrong with one is its own affair."""
        ready: _Ready = []
        for job in jobs:
            try:
                ready.append((job, self._frames.decode(job)))
            except Exception as error:
                self._hand_over(job, self._refusal(job, error), outbox)
        together = self._estimate_together(ready) if len(ready) > 1 else None
        for place, (job, frame) in enumerate(ready):
            try:
                depth_map = together[place] if together is not None else self._estimate(job, frame)
                answer = self._frames.answer(job, frame, depth_map)
            except Exception as error:  # the server outlives any engine
                answer = self._refusal(job, error)
            self._hand_over(job, answer, outbox)

    def _estimate(self, job: Job, frame: DecodedFrame) -> DepthMap:
        job.cancel.check()
        started = time.monotonic()
        job.batch = 1
        try:
            return self._engine.estimate(frame.image, job.request.camera, cancel=job.cancel)
        finally:
            job.stage_ms["infer"] = (time.monotonic() - started) * 1e3

    def _estimate_together(self, ready: _Ready) -> list[DepthMap] | None:
        """The maps of all; None when that failed, or was given up, and each has to be tried by itself to know whose fault it is."""
        started = time.monotonic()
        try:
            images, cameras = [frame.image for _, frame in ready], [job.request.camera for job, _ in ready]
            maps = estimate_all(self._engine, images, cameras, cancel=self._queue.token)
        except CancelledError:
            return None
        except Exception as error:
            self._log.say("together", f"{len(ready)} frames together failed ({type(error).__name__}); each is tried by itself.")
            return None
        took = (time.monotonic() - started) * 1e3
        for job, _ in ready:
            job.batch, job.stage_ms["infer"] = len(ready), took
        return maps

    def _hand_over(self, job: Job, answer: Answer, outbox: zmq.Socket[bytes]) -> None:
        self._queue.done(job)
        self.answers.append(answer)
        outbox.send(WAKE, flags=zmq.NOBLOCK)

    def _refusal(self, job: Job, error: Exception) -> Answer:
        """The error reply for what went wrong with a job."""
        if isinstance(error, RequestError):
            return Answer.refusing(job, error)
        if isinstance(error, CancelledError):
            return Answer.refusing(job, CANCELLED)
        if isinstance(error, DepthbridgeError):
            return Answer.refusing(job, RequestError(error.code, str(error)))
        self._log.say("failed", "The engine failed on a frame.", level=logging.ERROR, error=error)
        text = f"The engine failed on this frame ({type(error).__name__}); the server's log has the details."
        return Answer.refusing(job, RequestError(ErrorCode.INTERNAL, text))
