# SPDX-License-Identifier: Apache-2.0
"""Many pictures through one engine at once: in their order, as each alone, a few at a time, and stopped when nobody wants more."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthbridge.engines import stream as stream_module
from depthbridge.engines.camera import CameraIntrinsics, CameraSource
from depthbridge.engines.cancel import CancelToken
from depthbridge.engines.engine import DepthEngine
from depthbridge.engines.errors import CameraError, CancelledError, ImageError
from depthbridge.engines.images import DecodedImage
from depthbridge.engines.stream import AHEAD, EstimateStream, estimate_stream
from support import onnx_models as models

Pixels = npt.NDArray[np.uint8]


def pictures(count: int, width: int = 60, height: int = 40) -> list[Pixels]:
    return [np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8) for seed in range(count)]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DepthEngine]:
    with DepthEngine.open(models.da3_main(tmp_path_factory.mktemp("stream") / "da3.onnx")) as opened:
        yield opened


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("depthbridge-")}


@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["fine", "fine", "fine", "wrong camera", "no picture", "None"])), max_size=9))
@settings(deadline=None, max_examples=25)
def test_maps_and_errors_come_in_their_order_as_one_by_one(engine: DepthEngine, items: list[tuple[int, str]]) -> None:
    sizes = [(60, 40), (40, 60), (61, 40)]
    frames: list[object] = []
    for kind, state in items:
        picture = pictures(5, *sizes[kind % 3])[kind]
        size = (picture.shape[1], picture.shape[0])
        camera = CameraIntrinsics.from_vertical_fov(50, *((999, 99) if state == "wrong camera" else size)) if kind % 2 else None
        if state == "wrong camera" and camera is None:
            camera = CameraIntrinsics.from_vertical_fov(50, 999, 99)
        frames.append((None if state == "None" else picture.astype(np.float32) if state == "no picture" else picture, camera))
    stream = estimate_stream(engine, frames)  # type: ignore[arg-type]
    for frame, (_, state) in zip(frames, items, strict=True):
        if state == "fine":
            depth, alone = next(stream), engine.estimate(*frame)  # type: ignore[misc]
            assert np.array_equal(depth.values, alone.values) and np.array_equal(depth.valid, alone.valid)
            assert (depth.camera, depth.camera_source, depth.kind) == (alone.camera, alone.camera_source, alone.kind)
            assert depth.stage_ms is not None
        else:
            with pytest.raises(CameraError if state == "wrong camera" else ImageError):
                next(stream)
    assert list(stream) == []
    assert not threads()


def test_pictures_come_alone_or_with_their_camera_or_with_their_files(engine: DepthEngine) -> None:
    picture = pictures(1)[0]
    camera, exif = CameraIntrinsics.from_vertical_fov(50, 60, 40), CameraIntrinsics.from_vertical_fov(30, 60, 40)
    got = list(estimate_stream(engine, [picture, (picture, camera), DecodedImage(picture, exif, "p"), (picture, None)]))
    assert [depth.camera_source for depth in got] == [CameraSource.MODEL, CameraSource.GIVEN, CameraSource.EXIF, CameraSource.MODEL]
    assert (got[1].camera, got[2].camera) == (camera, exif)


def test_a_few_pictures_are_held_and_no_more(engine: DepthEngine) -> None:
    asked: list[int] = []
    alive: list[weakref.ref[Pixels]] = []

    def source() -> Iterator[Pixels]:
        for seed in range(12):
            asked.append(seed)
            picture = pictures(1)[0] + np.uint8(seed)
            alive.append(weakref.ref(picture))
            yield picture
            del picture

    with estimate_stream(engine, source()) as stream:
        assert asked == []  # nothing before the first map is wanted
        for taken in range(1, 11):
            next(stream)
            assert len(asked) <= taken + AHEAD - 1
            time.sleep(0.005)
            gc.collect()
            assert sum(one() is not None for one in alive) <= AHEAD + 1


def test_huge_pictures_are_under_way_one_at_a_time(engine: DepthEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "_PIXELS", 60 * 40)
    asked: list[int] = []

    def source() -> Iterator[Pixels]:
        for picture in pictures(4):
            asked.append(1)
            yield picture

    with estimate_stream(engine, source()) as stream:
        for taken in range(1, 5):
            next(stream)
            assert len(asked) == taken


def test_what_the_source_raises_comes_after_its_pictures(engine: DepthEngine) -> None:
    def source() -> Iterator[Pixels]:
        yield from pictures(2)
        raise OSError("the disk is gone")

    stream = estimate_stream(engine, source())
    next(stream), next(stream)
    with pytest.raises(OSError, match="the disk is gone"):
        next(stream)
    assert list(stream) == [] and not threads()


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_what_cannot_be_iterated_is_a_type_error_and_nothing_more(engine: DepthEngine) -> None:
    with pytest.raises(TypeError, match="not iterable"):
        estimate_stream(engine, 5)  # type: ignore[arg-type]
    gc.collect()


@pytest.mark.parametrize("way", ["close", "with", "forget"])
def test_a_stream_that_is_left_stops_its_threads(engine: DepthEngine, way: str) -> None:
    stream = estimate_stream(engine, pictures(50))
    next(stream)
    assert threads()
    if way == "close":
        stream.close()
        stream.close()
        assert next(stream, None) is None
    elif way == "with":
        with stream:
            next(stream)
    else:
        del stream
        gc.collect()
        deadline = time.monotonic() + 20
        while threads() and time.monotonic() < deadline:
            time.sleep(0.01)
    assert not threads()
    assert engine.estimate(pictures(1)[0]).valid.all()


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_cancel_ends_the_stream_at_once(when: str, tmp_path: Path) -> None:
    """Though the network would need minutes for its picture."""
    cancel = CancelToken()
    bright = [np.full((40, 60, 3), 255, np.uint8)] * 5
    with DepthEngine.open(models.slow_when_bright(tmp_path / "m.onnx")) as slow:
        stream: EstimateStream = estimate_stream(slow, bright, cancel=cancel)
        if when == "before":
            cancel.cancel()
        else:
            threading.Timer(0.3, cancel.cancel).start()
        started = time.monotonic()
        with pytest.raises(CancelledError):
            next(stream)
        assert time.monotonic() - started < 20  # the graph alone would take far longer
        assert next(stream, None) is None
        stream.close()
        assert not threads()


def test_a_size_that_is_found_out_on_the_way_serves_the_pictures_behind(tmp_path: Path) -> None:
    """They were prepared for the size that the graph claimed to take."""
    with DepthEngine.open(models.runs_only_at(tmp_path / "da3.onnx", 378, 504)) as found_out:
        got = list(estimate_stream(found_out, pictures(4)))
        assert found_out.info.fixed_size == (378, 504)
        for depth, picture in zip(got, pictures(4), strict=True):
            assert np.array_equal(depth.values, found_out.estimate(picture).values)
