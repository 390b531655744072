# SPDX-License-Identifier: Apache-2.0
"""A cancel stops what runs, whatever it is doing, and leaves the engine ready for the next picture."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from depthbridge.engines.cancel import CancelToken, call_stoppable
from depthbridge.engines.engine import DepthEngine
from depthbridge.engines.errors import CancelledError, DownloadCancelledError, DownloadError, ImageError
from depthbridge.engines.runtimes.onnx_runtime import OnnxRuntime
from depthbridge.engines.runtimes.targets import Precision, RuntimeName, Target
from support import onnx_models as models

CPU = Target(RuntimeName.ONNXRUNTIME, "cpu", Precision.FP32)
DARK = np.full((280, 504, 3), 60, np.uint8)
BRIGHT = np.full((280, 504, 3), 240, np.uint8)
DARK_DEPTH = float(np.exp(models.expected_mean(np.array([60, 60, 60])) / 4))
LONG_S = 10
"""Many times what stopping takes, and far less than the slow graph."""


def workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "depthbridge-stoppable"]


@contextmanager
def cancelled_after(seconds: float) -> Iterator[CancelToken]:
    token = CancelToken()
    timer = threading.Timer(seconds, token.cancel)
    timer.start()
    yield token
    timer.join()


# ---- the token ------------------------------------------------------------------------------------------------------


def test_a_token_is_asked_and_stays_cancelled() -> None:
    token = CancelToken()
    token.check()
    assert not token.cancelled
    token.cancel()
    token.cancel()
    assert token.cancelled
    with pytest.raises(CancelledError):
        token.check()


def test_stop_is_called_by_cancel_while_the_block_runs_and_only_then() -> None:
    token, calls = CancelToken(), []
    with token.on_cancel(lambda: calls.append("left before")):
        pass
    with token.on_cancel(lambda: calls.append("outer")), token.on_cancel(lambda: calls.append("inner")):
        assert calls == []
        token.cancel()
        assert calls == ["outer", "inner"]
        token.cancel()
    with token.on_cancel(lambda: calls.append("cancelled before")):
        assert calls == ["outer", "inner", "cancelled before"]
    assert len(calls) == 3


def test_a_block_does_not_end_while_its_stop_is_being_called() -> None:
    token, entered, release, ended = CancelToken(), threading.Event(), threading.Event(), threading.Event()

    def stop() -> None:
        entered.set()
        release.wait(LONG_S)

    def block() -> None:
        with token.on_cancel(stop):
            threading.Thread(target=token.cancel).start()
            entered.wait(LONG_S)
        ended.set()

    threading.Thread(target=block).start()
    assert entered.wait(LONG_S)
    assert not ended.wait(0.2)
    release.set()
    assert ended.wait(LONG_S)


def test_a_stopped_download_is_cancelled_work_and_a_download_that_failed() -> None:
    error = DownloadCancelledError("Stopped.")
    assert isinstance(error, CancelledError) and isinstance(error, DownloadError)
    assert error.code == CancelledError.code == "cancelled"


# ---- work that does not look up -------------------------------------------------------------------------------------


def test_results_and_errors_come_through() -> None:
    assert call_stoppable(lambda: 7, CancelToken()) == 7

    def fail() -> None:
        raise ImageError("broken")

    with pytest.raises(ImageError, match="broken"):
        call_stoppable(fail, CancelToken())


def test_work_that_never_looks_up_is_left_to_itself() -> None:
    release = threading.Event()
    with cancelled_after(0.05) as token, pytest.raises(CancelledError):
        call_stoppable(lambda: release.wait(LONG_S), token)
    assert workers(), "it ended by itself"
    release.set()
    for thread in workers():
        thread.join(LONG_S)
        assert not thread.daemon and not thread.is_alive()


def test_work_that_ends_although_cancelled_is_cancelled() -> None:
    token = CancelToken()
    with pytest.raises(CancelledError):
        call_stoppable(token.cancel, token)


def test_nothing_starts_once_cancelled() -> None:
    token, started = CancelToken(), []
    token.cancel()
    with pytest.raises(CancelledError):
        call_stoppable(lambda: started.append(1), token)
    assert not started


# ---- the engine -----------------------------------------------------------------------------------------------------


def test_a_run_ends_because_it_was_cancelled_and_the_engine_goes_on(tmp_path: Path) -> None:
    with DepthEngine.open(models.slow_when_bright(tmp_path / "da3.onnx")) as engine:
        for _ in range(2):
            with cancelled_after(0.3) as token, pytest.raises(CancelledError):
                engine.estimate(BRIGHT, cancel=token)
            for thread in workers():  # the run itself, and not only the wait for it
                thread.join(LONG_S)
                assert not thread.is_alive(), "the run went on"
            assert engine.estimate(DARK, cancel=CancelToken()).values == pytest.approx(DARK_DEPTH, rel=1e-4)


def test_a_runtime_tells_a_cancel_from_a_graph_that_cannot_run(tmp_path: Path) -> None:
    """The engine would try another size after the one and not after the other."""
    runtime = OnnxRuntime(models.slow_when_bright(tmp_path / "da3.onnx", only_at=(28, 28)), CPU)
    with cancelled_after(0.3) as token, pytest.raises(CancelledError):
        runtime.run({"image": np.full((1, 3, 28, 28), 2, np.float32)}, ["depth"], token)
    with pytest.raises(RuntimeError):
        runtime.run({"image": np.full((1, 3, 14, 14), 2, np.float32)}, ["depth"], CancelToken())
    assert runtime.run({"image": np.zeros((1, 3, 28, 28), np.float32)}, ["depth"], CancelToken())[0] == pytest.approx(1)


def test_the_search_for_a_size_does_not_swallow_a_cancel(tmp_path: Path) -> None:
    with DepthEngine.open(models.slow_when_bright(tmp_path / "da3.onnx", only_at=(378, 504))) as engine:
        with cancelled_after(0.3) as token, pytest.raises(CancelledError):
            engine.estimate(BRIGHT, cancel=token)
        for thread in workers():
            thread.join(LONG_S)
            assert not thread.is_alive(), "the run went on"
        assert engine.info.fixed_size == (None, None), "nothing was found out by a run that did not end"
        assert engine.estimate(DARK).values == pytest.approx(DARK_DEPTH, rel=1e-4)


def test_a_token_cancelled_before_runs_nothing(tmp_path: Path) -> None:
    token = CancelToken()
    token.cancel()
    path = models.slow_when_bright(tmp_path / "da3.onnx")
    with pytest.raises(CancelledError):
        DepthEngine.open(path, cancel=token)
    with DepthEngine.open(path, cancel=CancelToken()) as engine:
        with pytest.raises(CancelledError):
            engine.estimate(BRIGHT, cancel=token)
        with pytest.raises(CancelledError):
            engine.warm_up(cancel=token)
        assert not workers()


def test_a_batch_stops_in_the_middle_of_a_picture(tmp_path: Path) -> None:
    with DepthEngine.open(models.slow_when_bright(tmp_path / "da3.onnx")) as engine:
        assert all(depth.valid.all() for depth in engine.estimate_batch([DARK, DARK], cancel=CancelToken()))
        with cancelled_after(0.3) as token, pytest.raises(CancelledError):
            engine.estimate_batch([DARK, BRIGHT, DARK], cancel=token)
        for thread in workers():
            thread.join(LONG_S)
            assert not thread.is_alive(), "the run went on"
        assert engine.estimate(DARK).values == pytest.approx(DARK_DEPTH, rel=1e-4)
