# SPDX-License-Identifier: Apache-2.0
"""INT8: calibrated on pictures, measured on others, run by both runtimes of the processor."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image

from depthbridge.engines.cancel import CancelToken
from depthbridge.engines.errors import CancelledError, ModelError
from depthbridge.engines.model_paths import SHIPPED_MODELS
from depthbridge.engines.prepared.agreement import agreement
from depthbridge.engines.prepared.engine_cache import EngineCache
from depthbridge.engines.prepared.int8 import Int8Result, int8_file
from depthbridge.engines.prepared.recording import Recorded, record
from depthbridge.engines.recognise import recognise
from depthbridge.engines.runtimes.onnx_runtime import OnnxRuntime
from depthbridge.engines.runtimes.openvino_runtime import OpenVinoRuntime
from depthbridge.engines.runtimes.targets import Precision, RuntimeName, Target
from support import onnx_models as models
from support.sample_pictures import pictures_in

MINI = SHIPPED_MODELS / "depthbridge-mini.onnx"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EngineCache, list[Path], Int8Result]]:
    folder = tmp_path_factory.mktemp("int8")
    cache, pictures = EngineCache(folder / "cache"), pictures_in(folder / "pictures")
    yield cache, pictures, int8_file(MINI, pictures, cache)


def test_its_loss_is_measured_on_pictures_it_was_not_calibrated_on(kept: tuple[EngineCache, list[Path], Int8Result]) -> None:
    _, pictures, result = kept
    assert result.calibrated_on == 5 and [name for name, _ in result.by_picture] == ["p1.png", "p4.png"]
    assert len(pictures) == 7
    assert 1e-4 < result.loss < 0.1 and all(0 < loss < 0.1 for _, loss in result.by_picture)


def test_the_loss_told_is_that_of_the_file(kept: tuple[EngineCache, list[Path], Int8Result]) -> None:
    _, pictures, result = kept
    spoilt = [np.asarray(Image.open(path).convert("RGB")) for path in (pictures[1], pictures[4])]
    reference = OnnxRuntime(MINI, Target(RuntimeName.ONNXRUNTIME, "cpu", Precision.FP32))
    quantised = OnnxRuntime(result.path, Target(RuntimeName.ONNXRUNTIME, "cpu", Precision.INT8))
    medians = []
    for recorded in record(reference, recognise(MINI), MINI, spoilt):
        (got,) = quantised.run(recorded.feeds, ["depth"])
        medians.append(float(np.median(np.abs(np.asarray(got, np.float64) / recorded.depth - 1))))
    assert medians == pytest.approx([loss for _, loss in result.by_picture], rel=1e-3)


def test_its_layers_are_int8_but_for_the_last(kept: tuple[EngineCache, list[Path], Int8Result]) -> None:
    _, _, result = kept
    graph = onnx.load(result.path).graph
    makers = {name: node.op_type for node in graph.node for name in node.output}
    weights = {weight.name for weight in graph.initializer}
    layers = [node for node in graph.node if node.op_type == "Conv" or (node.op_type == "MatMul" and makers.get(node.input[1]) == "DequantizeLinear")]
    quantised = [node for node in layers if makers.get(node.input[0]) == "DequantizeLinear" and makers.get(node.input[1]) == "DequantizeLinear"]
    (plain,) = [node for node in layers if node not in quantised]
    (shape,) = [list(weight.dims) for weight in graph.initializer if weight.name == plain.input[1]]
    assert shape[0] == 3 and plain.input[1] in weights and len(quantised) > 40
    assert result.path.stat().st_size < 1.5 * sum(int(np.prod(weight.dims)) for weight in onnx.load(MINI).graph.initializer)


def test_openvinos_own_form_is_no_worse(kept: tuple[EngineCache, list[Path], Int8Result]) -> None:
    """OpenVINO computes ONNX Runtime's form wrong."""
    cache, pictures, result = kept
    other = int8_file(MINI, pictures, cache, runtime=RuntimeName.OPENVINO)
    assert other.path != result.path and [name for name, _ in other.by_picture] == [name for name, _ in result.by_picture]
    assert 1e-4 < other.loss < 0.02
    runtime = OpenVinoRuntime(other.path, Target(RuntimeName.OPENVINO, "cpu", Precision.INT8))
    reference = OnnxRuntime(MINI, Target(RuntimeName.ONNXRUNTIME, "cpu", Precision.FP32))
    shown = [np.asarray(Image.open(pictures[place]).convert("RGB")) for place in (1, 4)]
    found = agreement(record(reference, recognise(MINI), MINI, shown), runtime, recognise(MINI))
    runtime.close()
    assert found.by_picture == pytest.approx([loss for _, loss in other.by_picture], rel=0.05)


def test_without_pictures_it_is_what_was_made_before(kept: tuple[EngineCache, list[Path], Int8Result]) -> None:
    cache, pictures, result = kept
    told: list[str] = []
    assert int8_file(MINI, (), cache, progress=told.append) == result == int8_file(MINI, pictures, cache, progress=told.append)
    assert told == []


def test_never_made_it_says_how(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path)
    for kept_or_not in (cache, None):
        with pytest.raises(ModelError, match="engines build MODEL --int8 FOLDER"):
            int8_file(MINI, (), kept_or_not)
    assert cache.entries() == []


def test_other_pictures_make_another(tmp_path: Path) -> None:
    path = small_network(tmp_path / "small.onnx")
    cache, pictures = EngineCache(tmp_path / "cache"), pictures_in(tmp_path / "pictures", 4)
    first = int8_file(path, pictures, cache)
    told: list[str] = []
    second = int8_file(path, pictures[:2], cache, progress=told.append)
    assert first.calibrated_on == 3 and second.calibrated_on == 1 and any("Quantising" in line for line in told)
    assert len(cache.entries()) == 1


def test_it_takes_two_pictures_that_can_be_read(tmp_path: Path) -> None:
    pictures = [*pictures_in(tmp_path / "pictures", 1), tmp_path / "broken.png", tmp_path / "missing.png"]
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(ModelError, match=r"at least two pictures.*1 could be read"):
        int8_file(MINI, pictures, None)


def test_a_reduced_file_is_refused(tmp_path: Path) -> None:
    path = models.da2_relative(tmp_path / "half.onnx", dtype=models.HALF)
    with pytest.raises(ModelError, match="reduced precision already"):
        int8_file(path, pictures_in(tmp_path / "pictures", 2), None)


@pytest.mark.parametrize("opset", [11, 13, 18])
def test_old_and_new_opsets(tmp_path: Path, opset: int) -> None:
    path = small_network(tmp_path / "small.onnx", opset)
    result = int8_file(path, pictures_in(tmp_path / "pictures", 3), None)
    assert 0 < result.loss < 0.1
    onnxruntime.InferenceSession(str(result.path), providers=["CPUExecutionProvider"])


def test_relative_depth_may_be_scaled_before_it_is_judged(tmp_path: Path) -> None:
    class Doubled:
        name, device, precision, notes = "doubled", "cpu", Precision.INT8, ()

        def run(self, feeds, outputs, cancel=None):  # type: ignore[no-untyped-def]
            return [feeds["depth"] * 2]

        def close(self) -> None: ...

    depth = np.random.default_rng(0).uniform(1, 5, (1, 1, 8, 8)).astype(np.float32)
    recognised = recognise(models.da3_single(tmp_path / "mono.onnx"))
    records = [Recorded({"depth": depth}, depth)]
    assert agreement(records, Doubled(), recognised, rescale=True).median == pytest.approx(0, abs=1e-6)
    assert agreement(records, Doubled(), recognised).median == pytest.approx(1)


def test_cancel_leaves_nothing(tmp_path: Path) -> None:
    cache, cancel = EngineCache(tmp_path / "cache"), CancelToken()

    told: list[str] = []

    def say(text: str) -> None:
        told.append(text)
        if "Quantising" in text:
            cancel.cancel()

    with pytest.raises(CancelledError):
        int8_file(MINI, pictures_in(tmp_path / "pictures", 3), cache, progress=say, cancel=cancel)
    assert cache.entries() == [] and list((cache.folder / "engines").iterdir()) == []
    assert "Quantising" in told[-1], "it went on"


def small_network(path: Path, opset: int = 17) -> Path:
    """Two layers of 24 channels and a head as DA3's."""
    random = np.random.default_rng(3)
    graph = models.Graph("image", [1, 3, "height", "width"], opset=opset)
    value = "image"
    for number, (inputs, outputs) in enumerate(((3, 24), (24, 24), (24, 1))):
        weight = graph.constant(f"w{number}", (random.standard_normal((outputs, inputs, 3, 3)) * 0.2 / np.sqrt(inputs)).astype(np.float32))
        value = graph.node("Conv", [value, weight], f"conv{number}", pads=[1, 1, 1, 1])
        if number < 2:
            value = graph.node("Relu", [value], f"relu{number}")
    graph.output(graph.node("Exp", [value], "exp"), "depth", [1, 1, "height", "width"])
    return graph.save(path)
