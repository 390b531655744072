# SPDX-License-Identifier: Apache-2.0
"""A worker's events: in order, one end, nothing after it, whatever the job does; and the progress that a job tells."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from depthbridge.addon.jobs.progress import Course, Pace, Progress, Report, Stage
from depthbridge.addon.jobs.worker import Done, Failed, Worker
from depthbridge.engines.cancel import CancelToken
from depthbridge.engines.errors import CancelledError, ImageError

PATIENCE_S = 20.0


def until(condition: Callable[[], bool]) -> None:
    """Wait for what must come; a test that waits for ever has failed."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.002)


def all_events(worker: Worker[Any]) -> list[Any]:
    events: list[Any] = []
    until(lambda: bool(events.extend(worker.poll()) or any(isinstance(event, Done | Failed) for event in events)))
    return events


def test_progress_then_the_result_and_nothing_after() -> None:
    def job(report: Report, cancel: CancelToken) -> str:
        for fraction in (0.0, 0.5, 1.0):
            report(Progress(Stage.READ, fraction, None))
        return "result"

    worker: Worker[str] = Worker()
    assert not worker.alive
    worker.start(job)
    assert worker.join(PATIENCE_S)
    events = worker.poll()
    assert [type(event) for event in events] == [Progress, Done]
    assert events[0].fraction == 1.0  # of several the last
    assert events[1].result == "result"
    assert worker.poll() == []


def test_a_reason_is_passed_on_as_it_is() -> None:
    def job(report: Report, cancel: CancelToken) -> None:
        raise ImageError("photo.jpg is empty.")

    worker: Worker[None] = Worker()
    worker.start(job)
    (failed,) = all_events(worker)
    assert isinstance(failed.error, ImageError)
    assert failed.trace is None
    assert not failed.cancelled


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ZeroDivisionError("odd\nthing"), r"ZeroDivisionError: odd thing.*report it"),
        (MemoryError(), "memory is full"),
        (SystemExit(3), "SystemExit"),
    ],
)
def test_an_unforeseen_failure_is_one_sentence_and_a_trace_for_the_console(error: BaseException, told: str) -> None:
    def job(report: Report, cancel: CancelToken) -> None:
        raise error

    worker: Worker[None] = Worker()
    worker.start(job)
    (failed,) = all_events(worker)
    assert "\n" not in str(failed.error)
    with pytest.raises(type(failed.error), match=told):
        raise failed.error
    assert failed.trace is not None and type(error).__name__ in failed.trace


def test_a_cancel_is_answered_at_once_whatever_the_thread_does_and_its_result_is_dropped() -> None:
    free = threading.Event()

    def deaf(report: Report, cancel: CancelToken) -> str:
        free.wait(PATIENCE_S)
        report(Progress(Stage.PREPARE, 1.0, 0.0))
        return "too late"

    worker: Worker[str] = Worker()
    worker.start(deaf)
    worker.cancel()
    worker.cancel()
    (failed,) = worker.poll()
    assert worker.alive  # so it was not the end of the work that was told
    assert isinstance(failed.error, CancelledError) and failed.cancelled
    free.set()
    assert worker.join(PATIENCE_S)
    assert worker.poll() == []


def test_a_result_that_nobody_fetched_before_the_cancel_is_dropped() -> None:
    worker: Worker[int] = Worker()
    worker.start(lambda report, cancel: 1)
    assert worker.join(PATIENCE_S)
    worker.cancel()
    (failed,) = worker.poll()
    assert failed.cancelled


def test_the_job_hears_the_cancel() -> None:
    def job(report: Report, cancel: CancelToken) -> None:
        while True:
            cancel.check()
            time.sleep(0.001)

    worker: Worker[None] = Worker()
    worker.start(job)
    worker.cancel()
    assert worker.join(PATIENCE_S)


def test_a_worker_has_one_job() -> None:
    worker: Worker[int] = Worker()
    worker.start(lambda report, cancel: 1)
    with pytest.raises(RuntimeError):
        worker.start(lambda report, cancel: 2)


# ---- progress ----------------------------------------------------------------------------------------------------------


def course_of(pace: Pace, waits: dict[Stage, float]) -> list[Progress]:
    told: list[Progress] = []
    course = Course(tuple(waits), told.append, pace)
    for stage, seconds in waits.items():
        with course.stage(stage):
            time.sleep(seconds)
    return told


def test_a_first_job_knows_no_time_and_says_so() -> None:
    told = course_of(Pace(), dict.fromkeys(Stage, 0.0))
    assert [item.stage for item in told] == list(Stage)
    assert all(item.seconds_left is None for item in told)
    assert told[0].fraction == 0.0


def test_the_next_job_knows_its_time_and_moves_within_a_stage() -> None:
    pace = Pace()
    for stage in Stage:
        pace.record(stage, 0.5)
    told = course_of(pace, {Stage.READ: 0.0, Stage.LOAD: 0.0, Stage.ESTIMATE: 0.3, Stage.PREPARE: 0.0})
    assert told[0].seconds_left == pytest.approx(2.0)
    within = [item for item in told if item.stage is Stage.ESTIMATE]
    assert len(within) > 1
    assert within[0].fraction == pytest.approx(0.5)
    assert within[1].fraction > within[0].fraction
    first, later = within[0].seconds_left, within[1].seconds_left
    assert first == pytest.approx(1.0) and later is not None and later < first


def test_a_job_that_takes_longer_than_expected_does_not_pretend_to_know() -> None:
    pace = Pace()
    for stage in Stage:
        pace.record(stage, 0.05)
    told = course_of(pace, {Stage.READ: 0.3})
    assert told[-1].seconds_left is None


def test_a_failed_stage_measures_nothing() -> None:
    pace = Pace()
    course = Course([Stage.READ], lambda item: None, pace)
    with pytest.raises(ImageError), course.stage(Stage.READ):
        raise ImageError("no")
    assert pace.expected_s(Stage.READ) is None


@given(st.dictionaries(st.sampled_from(list(Stage)), st.floats(0, 1e-4)), st.lists(st.sampled_from(list(Stage)), min_size=1, unique=True))
def test_the_bar_never_falls_and_stays_inside(known: dict[Stage, float], stages: list[Stage]) -> None:
    pace = Pace()
    for stage, seconds in known.items():
        pace.record(stage, seconds)
    fractions = [item.fraction for item in course_of(pace, dict.fromkeys(stages, 0.0))]
    assert fractions == sorted(fractions)
    assert fractions[0] >= 0 and fractions[-1] <= 1
