# SPDX-License-Identifier: Apache-2.0
"""Whole frames by the device path, on the CPU: the maps of the ordinary path, in order, in arrays of one's own; and when it is not taken."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthbridge.engines.camera import CameraIntrinsics, CameraSource
from depthbridge.engines.cancel import CancelToken
from depthbridge.engines.device_path import frames
from depthbridge.engines.device_path.frames import FRAMES_AT_ONCE, device_frames
from depthbridge.engines.device_path.lanes import Lanes
from depthbridge.engines.errors import CancelledError, ModelError
from depthbridge.engines.model_spec import InputPolicy, ResizeMethod
from depthbridge.engines.model_store import resolve
from support import onnx_models as models
from support.device import Both, assert_same_maps

Build = Callable[[Path], Path]
SMALL = InputPolicy(ResizeMethod.UPPER_BOUND_RESIZE, 126)
DYNAMIC: tuple[models.Dim, models.Dim] = ("height", "width")


def picture(width: int = 160, height: int = 96, seed: int = 0) -> np.ndarray:
    """Blocks, a bright top (sky to the small graphs) and noise; no two seeds alike."""
    rng = np.random.default_rng(seed)
    blocks = np.kron(rng.integers(0, 180, (4, 5, 3)), np.ones((height // 4 + 1, width // 5 + 1, 1)))[:height, :width]
    blocks[: height // 3] += 70
    return np.clip(blocks + rng.normal(0, 3, blocks.shape), 0, 255).astype(np.uint8)


def broken_below(path: Path) -> Path:
    """``sqrt(mean)``: NaN wherever the picture is darker than average."""
    graph = models.Graph("image", ["batch", 3, "h", "w"])
    graph.output(graph.node("Sqrt", [graph.mean()], "root"), "depth", ["batch", 1, "h", "w"])
    return graph.save(path)


def metric_batch(path: Path) -> Path:
    """DA3METRIC with a batch axis."""
    graph = models.Graph("image", ["batch", 3, "h", "w"])
    mean = graph.mean()
    value = graph.node("Mul", [mean, graph.scalar("quarter", 0.25)], "log_depth")
    graph.output(graph.node("Exp", [value], "exp"), "depth", ["batch", 1, "h", "w"])
    over = graph.node("Sub", [mean, graph.scalar("one", 1.0)], "over")
    graph.output(graph.node("Relu", [graph.node("Mul", [over, graph.scalar("ten", 10.0)], "steep")], "relu"), "sky", ["batch", 1, "h", "w"])
    return graph.save(path)


GRAPHS: dict[str, Build] = {
    "da2-relative": lambda folder: models.da2_relative(folder / "depth_anything_v2.onnx"),
    "da2-relative-half": lambda folder: models.da2_relative(folder / "depth_anything_v2_fp16.onnx", dtype=models.HALF),
    "da2-relative-rank-4-old": lambda folder: models.da2_relative(folder / "depth_anything_v2.onnx", rank=4, opset=11),
    "da2-metric": lambda folder: models.da2_metric(folder / "indoor.onnx"),
    "da3-metric": lambda folder: models.da3_single(folder / "da3metric.onnx", size=DYNAMIC),
    "da3-metric-fixed": lambda folder: models.da3_single(folder / "da3metric.onnx", size=(98, 126)),
    "da3-mono-without-sky": lambda folder: models.da3_single(folder / "da3mono.onnx", size=DYNAMIC, sky=False),
    "da3-main": lambda folder: models.da3_main(folder / "da3-small.onnx"),
    "da3-main-external": lambda folder: models.da3_main(folder / "da3-small.onnx", external="weights.bin"),
    "bytes": lambda folder: models.nhwc_bytes(folder / "bytes.onnx"),
    "one-size-alone": lambda folder: models.runs_only_at(folder / "da3.onnx", 280, 504),
    "answers-in-one-size": lambda folder: models.answers_only_in(folder / "depth_anything_v2.onnx", 42, 70),
    "broken": lambda folder: broken_below(folder / "da3.onnx"),
}


@pytest.mark.parametrize("camera", [None, CameraIntrinsics.from_vertical_fov(50, 160, 96)], ids=["no camera", "camera"])
@pytest.mark.parametrize("method", list(ResizeMethod))
@pytest.mark.parametrize("graph", GRAPHS)
def test_every_kind_of_graph_gives_the_ordinary_paths_map(
    graph: str, method: ResizeMethod, camera: CameraIntrinsics | None, tmp_path: Path
) -> None:
    with Both(GRAPHS[graph](tmp_path), InputPolicy(method, 126)) as both:
        if (graph, method) == ("answers-in-one-size", ResizeMethod.UPPER_BOUND_CROP):  # a window of a map of its own size
            assert not both.frames.learn([picture()], [1.0], [both.engine.estimate(picture(), camera).values], (None, None))
            assert "the input policy crops" in " ".join(both.way.notes)
            return
        for seed in (0, 1):  # the second meets buffers that the first has used
            (ordinary,), (device,) = both.maps([picture(seed=seed)], camera)
            assert_same_maps(device, ordinary)
            assert device.valid.any()


@settings(max_examples=15, deadline=None)
@given(width=st.integers(40, 700), height=st.integers(40, 500), seed=st.integers(0, 9))
def test_pictures_of_every_size_by_the_embedded_model(mini: Both, width: int, height: int, seed: int) -> None:
    (ordinary,), (device,) = mini.maps([picture(width, height, seed)], CameraIntrinsics.from_vertical_fov(60, width, height))
    assert_same_maps(device, ordinary)


@pytest.fixture(scope="module")
def mini() -> Iterator[Both]:
    found = resolve("depthbridge-mini")
    with Both(found.path, SMALL, found.spec) as both:
        yield both


@pytest.mark.parametrize("count", [2, 5])
def test_pictures_that_share_a_run_keep_their_own_maps(count: int, tmp_path: Path) -> None:
    with Both(metric_batch(tmp_path / "da3metric.onnx"), SMALL) as both:
        ordinary, device = both.maps([picture(seed=seed) for seed in range(count)], CameraIntrinsics.from_vertical_fov(50, 160, 96))
        for mine, theirs in zip(device, ordinary, strict=True):
            assert_same_maps(mine, theirs)


def test_frames_under_way_together_come_back_in_order_and_unmixed(tmp_path: Path) -> None:
    """Three share the device at a time; each has the map it has alone, also long after the next ones have passed through the same buffers."""
    pictures = [picture(seed=seed) for seed in range(12)]
    with Both(GRAPHS["da3-main"](tmp_path), SMALL) as both:
        both.maps(pictures[:1])
        alone = [both.engine.estimate(pixels).values for pixels in pictures]
        model_is_free, waits = threading.Event(), []
        both.frames._lanes._threads[1].submit(model_is_free.wait)
        sender = threading.Thread(target=lambda: waits.extend(both.way.start([each], [None], [CameraSource.NONE], None) for each in pictures))
        sender.start()
        sender.join(0.5)  # as many go up as will
        went_up = len(waits)
        model_is_free.set()
        sender.join()
        assert went_up <= FRAMES_AT_ONCE
        got = [wait()[0].values for wait in waits if wait is not None]
    assert len(got) == len(alone)
    for mine, theirs in zip(got, alone, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-2)
    assert not any(np.shares_memory(a, b) for place, a in enumerate(got) for b in got[place + 1 :])


def test_the_factor_of_each_frame_is_its_own(tmp_path: Path) -> None:
    with Both(GRAPHS["da3-metric"](tmp_path), SMALL) as both:
        (wide,), _ = both.maps([picture()], CameraIntrinsics.from_vertical_fov(80, 160, 96))
        lenses = [CameraIntrinsics.from_vertical_fov(angle, 160, 96) for angle in (80, 20, 80, 40)]
        waits = [both.way.start([picture()], [lens], [CameraSource.GIVEN], None) for lens in lenses]
        for wait, lens in zip(waits, lenses, strict=True):
            assert wait is not None
            assert wait()[0].values == pytest.approx(wide.values * lens.fx / lenses[0].fx, rel=1e-2)


def test_an_engine_takes_it_from_the_second_frame_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the CPU it is put there by hand; on a GPU the engine has it by itself."""
    with Both(metric_batch(tmp_path / "da3metric.onnx"), SMALL) as both:
        engine, runs = both.engine, []
        run = engine._runtime.run
        monkeypatch.setattr(engine._runtime, "run", lambda *given: (runs.append(1), run(*given))[1])
        engine._device = both.way
        lens = CameraIntrinsics.from_vertical_fov(50, 160, 96)
        maps = [engine.estimate(picture(), lens) for _ in range(3)]
        assert len(runs) == 1
        assert_same_maps(maps[2], maps[0])
        pictures = [picture(seed=seed) for seed in range(4)]
        first, runs[:] = engine.estimate_batch(pictures, [lens] * 4), []
        for mine, theirs in zip(engine.estimate_batch(pictures, [lens] * 4), first, strict=True):
            assert_same_maps(mine, theirs)
        assert not runs
        assert engine.estimate(picture(), resolution="network").values.shape == (70, 126) and len(runs) == 1
        assert both.frames.learn([picture(80, 60)], [1.0], [np.zeros((60, 80), np.float32)], (None, None)) is False
        assert any("prepared on the CPU" in note for note in engine.info.notes)


# ---- when it is not taken -------------------------------------------------------------------------------------------


def test_a_size_that_comes_out_otherwise_stays_with_the_ordinary_path(tmp_path: Path) -> None:
    with Both(GRAPHS["da2-metric"](tmp_path), SMALL) as both:
        pixels = picture()
        values = both.engine.estimate(pixels).values
        assert not both.frames.learn([pixels], [1.0], [values * np.float32(1.002)], (None, None))
        assert "came out otherwise" in " ".join(both.way.notes)
        assert not both.frames.wants(160, 96)
        assert both.way.estimate([pixels], [None], [CameraSource.NONE], None) is None
        assert both.frames.wants(96, 160)
        assert both.frames.learn([pixels[:48]], [1.0], [both.engine.estimate(pixels[:48]).values], (None, None))


def test_sizes_that_take_turns_are_not_learned_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "ROUTES_EVER", 6)
    with Both(models.da2_relative(tmp_path / "depth_anything_v2.onnx"), SMALL) as both:
        learned = 0
        for turn in range(20):
            image = picture(160 + 10 * (turn % 5), 96)
            if both.frames.wants(image.shape[1], 96):
                learned += both.frames.learn([image], [1.0], [both.engine.estimate(image).values], (None, None))
        assert learned == 6
        assert "6 sizes were learned" in " ".join(both.way.notes)
        assert both.frames.knows(160, 96)  # the last one learned serves on


def test_a_graph_whose_output_is_not_one_map_a_picture_is_refused(tmp_path: Path) -> None:
    graph = models.Graph("image", ["batch", 3, "h", "w"])
    graph.output(graph.node("Concat", [graph.mean(), "mean"], "two", axis=1), "depth", ["batch", 2, "h", "w"])
    with Both(graph.save(tmp_path / "two.onnx"), SMALL) as both:
        assert not both.frames.learn([picture()], [1.0], [np.ones((96, 160), np.float32)], (None, None))
        assert "has the shape" in " ".join(both.way.notes)


def test_only_an_nvidia_gpu_has_a_device_path(tmp_path: Path) -> None:
    with Both(GRAPHS["da2-metric"](tmp_path), SMALL) as both:
        assert both.engine._device is None
        recognised = both.frames._signature, both.frames._spec, SMALL
        assert device_frames(both.engine._runtime, *recognised, both.engine._pool) is None
        assert device_frames(object(), *recognised, both.engine._pool) is None


# ---- stopping -------------------------------------------------------------------------------------------------------


def test_a_cancelled_frame_gives_its_place_back(tmp_path: Path) -> None:
    with Both(GRAPHS["da2-metric"](tmp_path), SMALL) as both:
        (ordinary,), _ = both.maps([picture()])
        cancelled = CancelToken()
        cancelled.cancel()
        for _ in range(2 * FRAMES_AT_ONCE):
            with pytest.raises(CancelledError):
                both.way.estimate([picture()], [None], [CameraSource.NONE], cancelled)
        after = both.way.estimate([picture()], [None], [CameraSource.NONE], None)
        assert after is not None
        assert_same_maps(after[0], ordinary)


def test_closing_lets_frames_come_down_first(tmp_path: Path) -> None:
    both = Both(GRAPHS["da2-metric"](tmp_path), SMALL)
    both.maps([picture()])
    wait = both.way.start([picture()], [None], [CameraSource.NONE], None)
    both.way.close()
    both.way.close()
    assert wait is not None and wait()[0].valid.any()
    with pytest.raises(ModelError, match="closed"):
        both.frames.estimate([picture()], [1.0])
    both.engine.close()


def test_a_stage_runs_in_the_same_thread_for_every_job() -> None:
    """CUDA graphs are captured for a thread; from another one they would be captured again."""
    lanes: Lanes[str] = Lanes(("one", "two"))
    met: list[tuple[int, str]] = []

    def note(stage: int) -> str:
        met.append((stage, threading.current_thread().name))
        return threading.current_thread().name

    jobs = [lanes.submit((lambda: note(0),), lambda: note(1), lambda: None) for _ in range(20)]
    assert len({job.result() for job in jobs}) == 1
    lanes.close()
    assert [len({name for stage, name in met if stage == wanted}) for wanted in (0, 1)] == [1, 1]
    assert len({name for _, name in met}) == 2


def test_an_error_in_a_stage_is_its_jobs_alone() -> None:
    lanes: Lanes[int] = Lanes(("one", "two"))
    ended: list[int] = []

    def stage(number: int) -> None:
        if number == 1:
            raise ValueError("broken")

    jobs = [
        lanes.submit((lambda number=number: stage(number),), lambda number=number: number, lambda number=number: ended.append(number))
        for number in range(3)
    ]
    assert jobs[0].result() == 0 and jobs[2].result() == 2
    with pytest.raises(ValueError, match="broken"):
        jobs[1].result()
    lanes.close()
    assert sorted(ended) == [0, 1, 2]
