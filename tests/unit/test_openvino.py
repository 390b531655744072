# SPDX-License-Identifier: Apache-2.0
"""OpenVINO on this processor: what it answers beside ONNX Runtime, what it keeps, and that it stops, frees and refuses as it should."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from depthbridge.engines.cancel import CancelToken
from depthbridge.engines.engine import DepthEngine
from depthbridge.engines.errors import CancelledError, ModelError, RuntimeUnavailableError
from depthbridge.engines.images import decode_image
from depthbridge.engines.model_paths import SHIPPED_MODELS
from depthbridge.engines.prepared.engine_cache import EngineCache
from depthbridge.engines.runtimes.onnx_runtime import OnnxRuntime
from depthbridge.engines.runtimes.openvino_runtime import OpenVinoRuntime, cpu_has_bf16
from depthbridge.engines.runtimes.runtime import Runtime
from depthbridge.engines.runtimes.targets import Precision, RuntimeName, Target
from support import onnx_models
from support.onnx_models import HALF, Graph

if importlib.util.find_spec("openvino") is None:
    pytest.skip("openvino is not installed", allow_module_level=True)

_MINI = SHIPPED_MODELS / "depthbridge-mini.onnx"
_FP32 = Target(RuntimeName.OPENVINO, "cpu", Precision.FP32)
_BF16 = Target(RuntimeName.OPENVINO, "cpu", Precision.BF16)

Array = np.ndarray[Any, Any]


def open_runtime(name: RuntimeName, path: Path) -> Runtime:
    if name is RuntimeName.OPENVINO:
        return OpenVinoRuntime(path, _FP32)
    return OnnxRuntime(path, Target(RuntimeName.ONNXRUNTIME, "cpu", Precision.FP32))


def open_engine(path: Path | str, runtime: str = "openvino", precision: str = "fp32") -> DepthEngine:
    return DepthEngine.open(path, runtime=runtime, device="cpu", precision=precision, cache=None)


def noise(height: int = 56, width: int = 84, seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


# ---- the same numbers ---------------------------------------------------------------------------------------------------

_GRAPHS: dict[str, Callable[[Path], Path]] = {
    **{f"da2 opset {opset}": (lambda path, opset=opset: onnx_models.da2_relative(path, opset=opset)) for opset in (9, 11, 13, 17, 18, 20)},
    **{f"half opset {opset}": (lambda path, opset=opset: onnx_models.da2_relative(path, dtype=HALF, opset=opset)) for opset in (9, 13, 20)},
    "rank 4": lambda path: onnx_models.da2_relative(path, rank=4, name=("input", "output"), shape=(56, 84), batch=1, opset=11),
    "da2 metric": onnx_models.da2_metric,
    "sky": onnx_models.da3_single,
    "views": onnx_models.da3_main,
    "weights beside it": lambda path: onnx_models.da3_main(path, external=path.name + "_data"),
    "bytes, channels last": onnx_models.nhwc_bytes,
    "runs at one size": lambda path: onnx_models.runs_only_at(path, 280, 504),
    "answers in one size": lambda path: onnx_models.answers_only_in(path, 56, 84),
    "the embedded model": lambda path: _MINI,
}


@pytest.mark.parametrize("graph", _GRAPHS)
def test_every_kind_of_graph_answers_as_in_onnx_runtime(graph: str, tmp_path: Path) -> None:
    path = _GRAPHS[graph](tmp_path / "model.onnx")
    maps = []
    for runtime in ("onnxruntime", "openvino"):
        with open_engine(path, runtime) as engine:
            found = engine.estimate(noise(), resolution="network")
            assert engine.info.runtime.startswith(runtime)
            layers = (found.values, found.sky, found.confidence, found.extrinsics)
            maps.append((*layers, found.camera, found.valid, found.kind, engine.info.fixed_size, engine.info.notes))
    loose = 2e-3 if "half" in graph else 2e-5  # half precision has eleven bits
    for expected, got in zip(maps[0][:4], maps[1][:4], strict=True):
        assert (expected is None) == (got is None)
        if expected is not None:
            np.testing.assert_allclose(got, expected, rtol=loose, atol=loose)
    assert maps[0][4] == maps[1][4] and maps[0][6:] == maps[1][6:]
    assert maps[0][5].mean() == pytest.approx(maps[1][5].mean(), abs=0.01)


def test_batches_answer_as_single_pictures(tmp_path: Path) -> None:
    runtime = open_runtime(RuntimeName.OPENVINO, onnx_models.da2_relative(tmp_path / "model.onnx"))
    pictures = np.random.default_rng(0).standard_normal((8, 3, 28, 42)).astype(np.float32)
    alone = [runtime.run({"pixel_values": picture[None]}, ["predicted_depth"])[0].copy() for picture in pictures]
    for count in (1, 2, 8, 3, 1):
        together = runtime.run({"pixel_values": pictures[:count]}, ["predicted_depth"])[0]
        np.testing.assert_allclose(together, np.concatenate(alone[:count]), rtol=1e-5)
    with open_engine(tmp_path / "model.onnx") as engine:
        assert engine.batch_limit(84, 56) > 1
        views = [noise(seed=seed) for seed in range(3)]
        for view, found in zip(views, engine.estimate_batch(views), strict=True):
            np.testing.assert_allclose(found.values, engine.estimate(view).values, rtol=1e-5)
        assert not engine.info.notes


def test_a_position_table_is_resized_as_in_onnx_runtime_and_not_by_folding(tmp_path: Path) -> None:
    graph = Graph("image", [1, 3, 28, 42])
    table = graph.constant("table", np.random.default_rng(0).standard_normal((1, 1, 9, 9)).astype(np.float32))
    sizes = graph.constant("sizes", np.array([1, 1, 28, 42], np.int64))
    resized = graph.node("Resize", [table, "", "", sizes], "resized", mode="cubic", cubic_coeff_a=-0.75)
    graph.output(graph.node("Add", [graph.mean(), resized], "sum"), "depth", [1, 1, 28, 42])
    path = graph.save(tmp_path / "model.onnx")
    feeds = {"image": np.random.default_rng(1).random((1, 3, 28, 42), dtype=np.float32)}
    found = [open_runtime(name, path) for name in (RuntimeName.ONNXRUNTIME, RuntimeName.OPENVINO)]
    expected, got = (runtime.run(feeds, ["depth"])[0] for runtime in found)
    np.testing.assert_allclose(got, expected, atol=1e-5)
    kinds = [node.get_rt_info()["layerType"].astype(str) for node in compiled_of(found[1]).get_runtime_model().get_ops()]
    assert "Interpolate" in kinds  # folded, it would be gone: at 15 s for a table of a real model


def compiled_of(runtime: Runtime) -> Any:
    assert isinstance(runtime, OpenVinoRuntime) and runtime._opened is not None
    return runtime._opened.request.get_compiled_model()


# ---- what was asked for ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bf16() -> None:
    if not cpu_has_bf16():
        pytest.skip("this processor has no BF16")


def test_bf16_is_bf16_and_within_a_percent(bf16: None) -> None:
    photo = decode_image(SHIPPED_MODELS / "samples" / "photo.jpg").rgb
    with open_engine("depthbridge-mini") as exact, open_engine("depthbridge-mini", precision="bf16") as quick:
        expected, got = exact.estimate(photo).values, quick.estimate(photo).values
        assert exact.info.precision == Precision.FP32 and quick.info.precision == Precision.BF16
    off = np.abs(got / expected - 1)
    assert 1e-4 < np.median(off) < 0.01


def test_threads_are_as_many_as_asked_for() -> None:
    assert compiled_of(OpenVinoRuntime(_MINI, _FP32, threads=1)).get_property("INFERENCE_NUM_THREADS") == 1


@pytest.mark.parametrize("target", [Target(RuntimeName.OPENVINO, "cuda:0", Precision.FP32), Target(RuntimeName.OPENVINO, "cpu", Precision.FP16)])
def test_what_it_cannot_do_is_refused_in_a_sentence(target: Target) -> None:
    with pytest.raises(RuntimeUnavailableError, match=f"{target.device if target.device != 'cpu' else target.precision}; use"):
        OpenVinoRuntime(_MINI, target)


def test_bf16_is_refused_where_the_processor_has_none() -> None:
    if cpu_has_bf16():
        pytest.skip("this processor has BF16")
    with pytest.raises(RuntimeUnavailableError, match="does not compute in bf16"):
        OpenVinoRuntime(_MINI, _BF16)


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(RuntimeUnavailableError, match="`openvino` extra"):
        OpenVinoRuntime(_MINI, _FP32)


def test_a_file_it_cannot_load_is_told_in_one_line(tmp_path: Path) -> None:
    graph = Graph("image", [1, 3, 28, 42])
    graph.output(graph.mean(), "depth", [1, 1, 28, 42])
    path = graph.save(tmp_path / "model.onnx")
    path.write_bytes(path.read_bytes().replace(b"ReduceMean", b"ReducePean"))
    with pytest.raises(ModelError, match=r"model\.onnx cannot be loaded by openvino 20\d\d\S*: .*ReducePean") as caught:
        OpenVinoRuntime(path, _FP32)
    assert "\n" not in str(caught.value) and "Exception from" not in str(caught.value)


# ---- running --------------------------------------------------------------------------------------------------------------


def test_a_failure_is_one_line_that_says_what_is_wrong(tmp_path: Path) -> None:
    path = onnx_models.da2_relative(tmp_path / "model.onnx", shape=(28, 42))
    runtime, wrong = open_runtime(RuntimeName.OPENVINO, path), np.zeros((1, 3, 42, 42), np.float32)
    for feeds, outputs in (({"pixel_values": wrong}, ["predicted_depth"]), ({"other": wrong[:, :, :28]}, ["predicted_depth"])):
        with pytest.raises(RuntimeError, match=r"42.42|other") as caught:
            runtime.run(feeds, outputs)
        assert "\n" not in str(caught.value) and "Exception from" not in str(caught.value)
    assert runtime.run({"pixel_values": wrong[:, :, :28]}, ["predicted_depth"])[0].shape == (1, 28, 42)  # it goes on


def test_a_closed_engine_says_so() -> None:
    runtime = OpenVinoRuntime(_MINI, _FP32)
    runtime.close()
    runtime.close()
    with pytest.raises(ModelError, match="closed"):
        runtime.run({"image": np.zeros((1, 3, 28, 28), np.float32)}, ["depth"])


def test_neither_inputs_nor_outputs_are_copied() -> None:
    runtime = OpenVinoRuntime(_MINI, _FP32)
    picture = np.random.default_rng(0).random((1, 3, 280, 504), dtype=np.float32)
    first, second = (runtime.run({"image": picture}, ["depth"])[0] for _ in range(2))
    assert first.ctypes.data == second.ctypes.data
    assert runtime._opened is not None
    assert runtime._opened.request.get_tensor("image").data.ctypes.data == picture.ctypes.data


def chain(path: Path, length: int = 150) -> Path:
    """``length`` convolutions of 32 channels: many operations, each of them short."""
    graph = Graph("image", [1, 3, "height", "width"])
    kernel = graph.constant("kernel", np.random.default_rng(0).standard_normal((32, 32, 3, 3)).astype(np.float32) * 0.08)
    first = graph.constant("first", np.ones((32, 3, 1, 1), np.float32))
    value = graph.node("Conv", ["image", first], "wide")
    for place in range(length):
        value = graph.node("Relu", [graph.node("Conv", [value, kernel], f"conv_{place}", pads=[1] * 4)], f"relu_{place}")
    graph.output(graph.node("ReduceMean", [value], "narrow", axes=[1], keepdims=1), "depth", [1, 1, "height", "width"])
    return graph.save(path)


class _Watched(CancelToken):
    """Tells when there is something to stop."""

    def __init__(self) -> None:
        super().__init__()
        self.stoppable = threading.Event()

    @contextmanager
    def on_cancel(self, stop: Callable[[], None]) -> Iterator[None]:
        with super().on_cancel(stop):
            self.stoppable.set()
            yield


@pytest.mark.parametrize("name", [RuntimeName.ONNXRUNTIME, RuntimeName.OPENVINO])
def test_a_cancel_ends_the_run_and_the_next_one_is_right(name: RuntimeName, tmp_path: Path) -> None:
    runtime = open_runtime(name, chain(tmp_path / "model.onnx"))
    small, large = (np.random.default_rng(0).random((1, 3, side, side), dtype=np.float32) for side in (28, 700))
    expected = runtime.run({"image": small}, ["depth"])[0].copy()
    token = _Watched()

    def stop() -> None:
        token.stoppable.wait()
        threading.Event().wait(0.05)
        token.cancel()

    thread = threading.Thread(target=stop)
    thread.start()
    with pytest.raises(CancelledError):
        runtime.run({"image": large}, ["depth"], token)
    thread.join()
    np.testing.assert_array_equal(runtime.run({"image": small}, ["depth"], CancelToken())[0], expected)


def fits_one_table(path: Path) -> Path:
    """Declared dynamic, but in its middle stands a table for 28x28: any other size fails half-way through."""
    graph = Graph("image", [1, 3, "height", "width"])
    kernel = graph.constant("kernel", np.random.default_rng(0).standard_normal((3, 3, 3, 3)).astype(np.float32))
    value = "image"
    for place in range(8):
        value = graph.node("Relu", [graph.node("Conv", [value, kernel], f"conv_{place}", pads=[1] * 4)], f"relu_{place}")
        if place == 4:
            value = graph.node("Add", [value, graph.constant("table", np.ones((1, 3, 28, 28), np.float32))], "sum")
    graph.output(value, "depth", [1, 3, "height", "width"])
    return graph.save(path)


@pytest.mark.parametrize("name", [RuntimeName.ONNXRUNTIME, RuntimeName.OPENVINO])
def test_a_run_that_fails_leaves_the_next_one_right(name: RuntimeName, tmp_path: Path) -> None:
    runtime = open_runtime(name, fits_one_table(tmp_path / "model.onnx"))
    fitting, wrong = (np.random.default_rng(0).random((1, 3, height, 28), dtype=np.float32) for height in (28, 42))
    expected = open_runtime(RuntimeName.ONNXRUNTIME, tmp_path / "model.onnx").run({"image": fitting}, ["depth"])[0]
    for _ in range(3):
        for _ in range(2):
            with pytest.raises(RuntimeError):
                runtime.run({"image": wrong}, ["depth"])
        np.testing.assert_allclose(runtime.run({"image": fitting}, ["depth"])[0], expected, rtol=1e-4)


# ---- what is kept ---------------------------------------------------------------------------------------------------------


def test_what_was_compiled_opens_again_and_answers_to_the_bit(tmp_path: Path) -> None:
    cache, told = EngineCache(tmp_path), list[str]()
    picture = np.random.default_rng(0).random((1, 3, 56, 84), dtype=np.float32)
    answers = []
    for kept in (None, cache, cache):
        runtime = OpenVinoRuntime(_MINI, _FP32, cache=kept, progress=told.append)
        answers.append([value.copy() for value in runtime.run({"image": picture}, ["depth", "sky"])])
    assert len(told) == 1 and len(cache.entries()) == 1
    for answer in answers[1:]:
        for expected, got in zip(answers[0], answer, strict=True):
            np.testing.assert_array_equal(got, expected)


def test_precisions_are_kept_apart(tmp_path: Path, bf16: None) -> None:
    cache = EngineCache(tmp_path)
    picture = {"image": np.random.default_rng(0).random((1, 3, 56, 84), dtype=np.float32)}
    found = {}
    for target in (_FP32, _BF16, _FP32, _BF16):
        found.setdefault(target.precision, []).append(OpenVinoRuntime(_MINI, target, cache=cache).run(picture, ["depth"])[0].copy())
    assert len(cache.entries()) == 2
    for first, again in found.values():
        np.testing.assert_array_equal(first, again)
    assert not np.array_equal(found[Precision.FP32][0], found[Precision.BF16][0])


@pytest.mark.parametrize("kept", ["nothing", "zeros", "another library's", "half of it"])
def test_what_the_library_refuses_is_made_anew(kept: str, tmp_path: Path) -> None:
    cache = EngineCache(tmp_path)
    picture = {"image": np.random.default_rng(0).random((1, 3, 56, 84), dtype=np.float32)}
    expected = OpenVinoRuntime(_MINI, _FP32, cache=cache).run(picture, ["depth"])[0].copy()
    (entry,) = cache.entries()
    (blob,) = [path for path in entry.folder.iterdir() if path.suffix == ".blob"]
    good = blob.read_bytes()
    bad = {"nothing": b"", "zeros": bytes(len(good)), "another library's": b"ftrt" * 5000, "half of it": good[: len(good) // 2]}[kept]
    cache.discard(entry.key)
    cache.obtain(entry.key, lambda folder: (folder / blob.name).write_bytes(bad))  # whole, as far as the cache can tell
    told: list[str] = []
    np.testing.assert_array_equal(OpenVinoRuntime(_MINI, _FP32, cache=cache, progress=told.append).run(picture, ["depth"])[0], expected)
    assert len(told) == 1
    OpenVinoRuntime(_MINI, _FP32, cache=cache, progress=told.append)
    assert len(told) == 1 and blob.read_bytes() != bad


def test_a_cancel_before_compiling_leaves_nothing(tmp_path: Path) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(CancelledError):
        OpenVinoRuntime(_MINI, _FP32, cache=EngineCache(tmp_path), cancel=token)
    assert EngineCache(tmp_path).entries() == []


# ---- memory ---------------------------------------------------------------------------------------------------------------

_PROGRAM = """
import gc, sys
from pathlib import Path
import numpy as np, psutil
from depthbridge.engines.prepared.engine_cache import EngineCache
from depthbridge.engines.runtimes.openvino_runtime import OpenVinoRuntime
from depthbridge.engines.runtimes.targets import Precision, RuntimeName, Target
path, target = Path(sys.argv[1]), Target(RuntimeName.OPENVINO, "cpu", Precision.FP32)
pictures = [{"image": np.random.default_rng(0).random((1, 3, *size), dtype=np.float32)} for size in ((280, 504), (56, 98))]
def used():
    gc.collect()
    return psutil.Process().memory_info().rss / 1e6
def once(cache):
    runtime = OpenVinoRuntime(path, target, cache=cache)
    gc.collect()
    for picture in pictures:
        runtime.run(picture, ["depth", "sky"])
    return runtime
"""


def measured(program: str, *arguments: str) -> list[float]:
    """The numbers that ``program`` prints in a process of its own: a fault in native code ends that one."""
    done = subprocess.run([sys.executable, "-c", _PROGRAM + program, str(_MINI), *arguments], capture_output=True, text=True)
    assert done.returncode == 0, f"ended with {done.returncode}: {done.stderr[-2000:]}"
    return [float(word) for word in done.stdout.split()]


@pytest.mark.parametrize("kept", [False, True])
def test_opening_and_closing_gives_the_memory_back(kept: bool, tmp_path: Path) -> None:
    """The least of the last ten of twenty openings: allocators keep some tens of MB for a while and give them back, a leak only grows."""
    program = (
        "cache = EngineCache(Path(sys.argv[2])) if len(sys.argv) > 2 else None\n"
        "for turn in range(23):\n"
        "    once(cache).close()\n"
        "    if turn == 2 or turn > 12: print(used())\n"
    )
    before, *after = measured(program, *([str(tmp_path)] if kept else []))
    assert len(after) == 10 and min(after) - before < 50


def test_two_thousand_runs_need_no_more_than_the_first(tmp_path: Path) -> None:
    """The least of ten readings, as above."""
    program = (
        "runtime = once(EngineCache(Path(sys.argv[2])))\nfor turn in range(2001):\n    runtime.run(pictures[turn % 20 > 0], ['depth', 'sky'])\n"
        "    if turn == 200 or turn > 1000 and turn % 100 == 0: print(used())\n"
    )
    before, *after = measured(program, str(tmp_path))
    assert len(after) == 10 and min(after) - before < 8


def test_an_engine_from_the_cache_outlives_what_opened_it(tmp_path: Path) -> None:
    program = (
        "cache = EngineCache(Path(sys.argv[2]))\nonce(cache).close()\nruntime = once(cache)\n"
        "opened, cache = runtime._opened, None\nruntime.close()\ngc.collect()\n"
        "junk = [np.ones(1_000_000) for _ in range(40)]\n"
        "print(float(np.isfinite(opened.request.infer(pictures[0], share_inputs=True)['depth']).all()))\n"
    )
    assert measured(program, str(tmp_path)) == [1.0]
