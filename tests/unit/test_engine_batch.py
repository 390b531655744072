# SPDX-License-Identifier: Apache-2.0
"""Several pictures in one run: each gets what it gets alone, whatever the graph claims about its batch axis."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from depthbridge.engines.camera import CameraIntrinsics
from depthbridge.engines.cancel import CancelToken
from depthbridge.engines.depth_map import DepthMap
from depthbridge.engines.engine import DepthEngine
from depthbridge.engines.errors import CameraError, CancelledError
from support import onnx_models as models

Pixels = npt.NDArray[np.uint8]


def pictures(count: int, width: int = 96, height: int = 64) -> list[Pixels]:
    """Smooth pictures of which no two are alike, turned or not."""
    rows, columns = np.mgrid[0:height, 0:width]
    return [
        np.dstack([(rows * (3 + k) + 17 * k) % 256, (columns * 2 + 40 * k) % 256, (rows + columns) % 200]).astype(np.uint8) for k in range(count)
    ]


def metric_with_batch(path: Path, size: tuple[models.Dim, models.Dim] = ("h", "w")) -> Path:
    """As :func:`models.da3_single`, canonical focal length and sky included, with a batch axis."""
    graph = models.Graph("image", ["batch", 3, *size])
    mean = graph.mean()
    value = graph.node("Mul", [mean, graph.scalar("quarter", 0.25)], "log_depth")
    graph.output(graph.node("Exp", [value], "exp"), "depth", ["batch", 1, *size])
    over = graph.node("Sub", [mean, graph.scalar("one", 1.0)], "over")
    graph.output(graph.node("Relu", [graph.node("Mul", [over, graph.scalar("ten", 10.0)], "steep")], "relu"), "sky", ["batch", 1, *size])
    return graph.save(path)


def runs_of(engine: DepthEngine, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The list that gets how many pictures each run of the graph takes."""
    runs: list[int] = []
    run = engine._runtime.run

    def counted(feeds, outputs, cancel=None):  # type: ignore[no-untyped-def]
        runs.append(next(iter(feeds.values())).shape[0])
        return run(feeds, outputs, cancel)

    monkeypatch.setattr(engine._runtime, "run", counted)
    return runs


def assert_same(got: DepthMap, alone: DepthMap) -> None:
    assert got.values == pytest.approx(alone.values, rel=1e-5)
    assert (got.valid == alone.valid).all() and got.valid.any()
    for name in ("sky", "confidence", "extrinsics"):
        layer = getattr(alone, name)
        assert (getattr(got, name) is None) == (layer is None) and (layer is None or getattr(got, name) == pytest.approx(layer, rel=1e-5))
    assert (got.kind, got.camera, got.camera_source, got.focal_px) == (alone.kind, alone.camera, alone.camera_source, alone.focal_px)


@pytest.mark.parametrize(
    ("name", "build"),
    [
        ("model.onnx", models.da2_relative),
        ("model_fp16.onnx", lambda path: models.da2_relative(path, dtype=models.HALF)),
        ("depth_anything_v2_vits_indoor.onnx", models.da2_metric),
        ("depth-anything-v3-small.onnx", models.da3_main),
        ("da3metric-large.onnx", metric_with_batch),
        ("da3_metric_traced.onnx", lambda path: metric_with_batch(path, (280, 504))),
    ],
)
def test_a_batch_is_one_run_and_each_picture_gets_what_it_gets_alone(
    name: str, build: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = pictures(5)
    # Each has a camera of its own, one has none.
    cameras = [CameraIntrinsics.from_vertical_fov(40 + 10 * k, 96, 64) if k != 3 else None for k in range(5)]
    with DepthEngine.open(build(tmp_path / name)) as engine:
        alone = [engine.estimate(image, camera) for image, camera in zip(images, cameras, strict=True)]
        assert engine.batch_limit(96, 64) >= 5
        engine.estimate_batch(images[:2])  # the first one tests the graph
        runs = runs_of(engine, monkeypatch)
        got = engine.estimate_batch(images, cameras)
        assert runs == [5] and not engine.info.notes
    assert len({depth.values.tobytes() for depth in alone}) == 5
    for one, reference in zip(got, alone, strict=True):
        assert_same(one, reference)


def test_a_graph_for_one_picture_takes_them_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = pictures(3)
    with DepthEngine.open(models.da3_single(tmp_path / "da3mono.onnx")) as engine:
        assert engine.batch_limit(96, 64) == 1
        runs = runs_of(engine, monkeypatch)
        got = engine.estimate_batch(images)
        assert runs == [1, 1, 1]
        for one, image in zip(got, images, strict=True):
            assert one.values.tobytes() == engine.estimate(image).values.tobytes()


def test_pictures_of_several_sizes_come_back_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wide, tall = pictures(3), pictures(2, 64, 96)
    images = [wide[0], tall[0], wide[1], tall[1], wide[2]]
    with DepthEngine.open(models.da2_relative(tmp_path / "model.onnx")) as engine:
        alone = [engine.estimate(image) for image in images]
        engine.estimate_batch(wide)
        runs = runs_of(engine, monkeypatch)
        for one, reference in zip(engine.estimate_batch(images), alone, strict=True):
            assert_same(one, reference)
        assert runs == [3, 2]
        assert engine.estimate_batch([]) == []


def test_a_batch_is_bounded_in_pictures_and_in_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with DepthEngine.open(models.da2_relative(tmp_path / "model.onnx")) as engine:
        limit = engine.batch_limit(1200, 400)  # a network input of 1554x518 pixels
        assert 1 < limit < 8
        engine.estimate_batch(pictures(2))
        runs = runs_of(engine, monkeypatch)
        engine.estimate_batch(pictures(11, 28, 28))
        engine.estimate_batch(pictures(limit + 1, 1200, 400))
        assert runs == [8, 3, limit, 1]


# ---- graphs that claim more than they can -------------------------------------------------------------------------


def fails_with_several(graph: models.Graph, mean: str) -> str:
    return graph.node("Reshape", [mean, graph.constant("one_map", np.array([1, 1, 518, 784], np.int64))], "reshaped")


def answers_once(graph: models.Graph, mean: str) -> str:
    start, end, axis = (graph.constant(name, np.array([value], np.int64)) for name, value in (("start", 0), ("end", 1), ("axis", 0)))
    return graph.node("Slice", [mean, start, end, axis], "first")


def answers_with_the_first(graph: models.Graph, mean: str) -> str:
    return graph.node("Add", [graph.node("Mul", [mean, graph.scalar("zero", 0.0)], "nothing"), answers_once(graph, mean)], "mixed")


@pytest.mark.parametrize(
    ("fault", "words"), [(fails_with_several, "failed with 2"), (answers_once, "one map"), (answers_with_the_first, "mixes them up")]
)
def test_a_batch_axis_that_is_none_is_found_out(
    fault: Callable[[models.Graph, str], str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = models.Graph("pixel_values", ["batch", 3, "height", "width"])
    value = graph.node("Relu", [graph.node("Add", [fault(graph, graph.mean()), graph.scalar("two", 2.0)], "shifted")], "relu")
    graph.output(graph.squeeze(value, 1, "map"), "predicted_depth", ["batch", "height", "width"])
    images = pictures(3)
    with DepthEngine.open(graph.save(tmp_path / "model.onnx")) as engine:
        alone = [engine.estimate(image) for image in images]
        for one, reference in zip(engine.estimate_batch(images), alone, strict=True):
            assert one.values.tobytes() == reference.values.tobytes()
        assert engine.batch_limit(96, 64) == 1 and words in engine.info.notes[-1]
        runs = runs_of(engine, monkeypatch)
        engine.estimate_batch(images)
        assert runs == [1, 1, 1], "it is tried once"


def test_a_falsely_dynamic_size_does_not_cost_the_batch(tmp_path: Path) -> None:
    graph = models.Graph("image", ["batch", 3, "height", "width"])
    table = graph.constant("position_table", np.zeros((1, 1, 378, 504), np.float32))
    graph.output(graph.node("Exp", [graph.node("Add", [graph.mean(), table], "sum")], "exp"), "depth", ["batch", 1, "height", "width"])
    images = pictures(3)
    with DepthEngine.open(graph.save(tmp_path / "da3.onnx")) as engine:
        got = engine.estimate_batch(images)
        assert engine.batch_limit(96, 64) == 8 and engine.info.fixed_size == (378, 504)
        for one, image in zip(got, images, strict=True):
            assert_same(one, engine.estimate(image))


# ---- errors -------------------------------------------------------------------------------------------------------


def test_a_batch_with_a_camera_of_another_size_is_refused_before_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with DepthEngine.open(models.da2_relative(tmp_path / "model.onnx")) as engine:
        runs = runs_of(engine, monkeypatch)
        with pytest.raises(CameraError, match="this one is 96x64"):
            engine.estimate_batch(pictures(2), [None, CameraIntrinsics.from_vertical_fov(60, 64, 96)])
        with pytest.raises(ValueError, match="shorter"):
            engine.estimate_batch(pictures(2), [None])
        assert runs == []


def test_a_cancelled_batch_stops(tmp_path: Path) -> None:
    token = CancelToken()
    with DepthEngine.open(models.da2_relative(tmp_path / "model.onnx")) as engine:
        assert len(engine.estimate_batch(pictures(2), cancel=token)) == 2
        token.cancel()
        with pytest.raises(CancelledError):
            engine.estimate_batch(pictures(2), cancel=token)
