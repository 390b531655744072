# SPDX-License-Identifier: Apache-2.0
"""Half precision: what the converted graph computes on the CPU, what of it stays float32, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from depthbridge.engines.cancel import CancelToken
from depthbridge.engines.errors import CancelledError, ModelError
from depthbridge.engines.model_paths import SHIPPED_MODELS
from depthbridge.engines.prepared.agreement import compare
from depthbridge.engines.prepared.engine_cache import EngineCache
from depthbridge.engines.prepared.half_graph import is_reduced
from depthbridge.engines.prepared.half_precision import half_precision_file, save
from depthbridge.engines.prepared.recording import check_pictures
from depthbridge.engines.recognise import recognise
from depthbridge.engines.runtimes.onnx_runtime import OnnxRuntime
from depthbridge.engines.runtimes.targets import Precision, RuntimeName, Target
from support import onnx_models as models

MINI = SHIPPED_MODELS / "depthbridge-mini.onnx"
CPU = Target(RuntimeName.ONNXRUNTIME, "cpu", Precision.FP32)
WIDE = 24
"""Channels of the test networks' bodies: more than a last layer has."""


class Body:
    """A network with a body of real layers: pictures to ``WIDE`` channels, what a test adds, and a head that ends as DA3's does."""

    def __init__(self, opset: int = 17) -> None:
        self.graph = models.Graph("image", ["batch", 3, "height", "width"], opset=opset)
        self.random = np.random.default_rng(5)
        self.value = self.conv("image", 3, WIDE)

    def conv(self, value: str, inputs: int, outputs: int, scale: float = 0.3) -> str:
        name = f"conv{len(self.graph.nodes)}"
        weight = self.graph.constant(f"{name}_w", (self.random.standard_normal((outputs, inputs, 3, 3)) * scale / np.sqrt(inputs)).astype(np.float32))
        return self.graph.node("Conv", [value, weight], name, pads=[1, 1, 1, 1])

    def add(self, op: str, *others: str, **attributes: object) -> None:
        self.value = self.graph.node(op, [self.value, *others], f"{op.lower()}{len(self.graph.nodes)}", **attributes)

    def number(self, value: float) -> str:
        return self.graph.scalar(f"number{len(self.graph.weights)}", value)

    def save(self, path: Path, **options: object) -> Path:
        small = self.conv(self.value, WIDE, 1)
        depth = self.graph.node("Exp", [small], "exp")
        self.graph.output(depth, "depth", ["batch", 1, "height", "width"])
        return self.graph.save(path, **options)  # type: ignore[arg-type]


def picture(height: int = 56, width: int = 84) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((1, 3, height, width)).astype(np.float32)


def run(path: Path, image: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return [np.asarray(value) for value in session.run(None, {session.get_inputs()[0].name: image})]


def types_of(path: Path) -> dict[str, int]:
    """Value -> element type, by onnx's own inference."""
    model = onnx.shape_inference.infer_shapes(onnx.load(path), strict_mode=True)
    infos = (*model.graph.value_info, *model.graph.input, *model.graph.output)
    return {info.name: info.type.tensor_type.elem_type for info in infos} | {weight.name: weight.data_type for weight in model.graph.initializer}


def computes_in(path: Path, op: str) -> set[int]:
    """The element types of the first inputs of all nodes of that operation."""
    types = types_of(path)
    return {types[node.input[0]] for node in onnx.load(path).graph.node if node.op_type == op}


def close(path: Path, half: Path, image: np.ndarray, within: float = 0.01) -> None:
    for wanted, got in zip(run(path, image), run(half, image), strict=True):
        assert got.dtype == wanted.dtype == np.float32 and got.shape == wanted.shape and np.isfinite(got).all()
        assert np.median(np.abs(got - wanted) / np.maximum(np.abs(wanted), 1e-6)) < within


# ---- what comes out -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return half_precision_file(MINI, EngineCache(tmp_path_factory.mktemp("cache")))


def test_the_shipped_model_takes_two_bytes_a_weight_and_agrees(mini: Path) -> None:
    weights = sum(int(np.prod(weight.dims)) for weight in onnx.load(MINI).graph.initializer)
    assert mini.stat().st_size < 2.4 * weights  # some stay float32
    onnx.checker.check_model(onnx.load(mini), full_check=True)  # the order of the nodes, too
    for height, width in ((280, 504), (504, 280), (518, 518), (14, 14)):
        image = picture(height, width)
        for wanted, got in zip(run(MINI, image), run(mini, image), strict=True):
            assert got.dtype == np.float32 and got.shape == wanted.shape
            assert np.median(np.abs(got - wanted)) < 0.003 * np.median(np.abs(wanted)) + 1e-4
    original, converted = onnx.load(MINI), onnx.load(mini)
    for part in ("input", "output"):
        assert [str(info) for info in getattr(original.graph, part)] == [str(info) for info in getattr(converted.graph, part)]
    assert {entry.key: entry.value for entry in converted.metadata_props} == {entry.key: entry.value for entry in original.metadata_props}


def test_layers_are_float16_and_what_would_suffer_is_float32(mini: Path) -> None:
    for op in ("LayerNormalization", "Softmax", "Exp", "Sigmoid", "Sin", "Cos"):
        assert computes_in(mini, op) == {TensorProto.FLOAT}, op
    types = types_of(mini)
    layers = [node for node in onnx.load(mini).graph.node if node.op_type in ("Conv", "MatMul")]
    halves = [node for node in layers if types[node.input[0]] == TensorProto.FLOAT16]
    assert len(halves) >= len(layers) - 3  # the last layer; positions


def test_the_last_layer_is_float32_though_the_others_are_not(tmp_path: Path) -> None:
    """A logarithm of depth that is rounded to float16 is depth off by a thousandth."""
    body = Body()
    body.add("Relu")
    half = half_precision_file(body.save(tmp_path / "tiny.onnx"), None)
    types = types_of(half)
    first, last = (node for node in onnx.load(half).graph.node if node.op_type == "Conv")
    assert types[first.input[0]] == types[first.input[1]] == TensorProto.FLOAT16
    assert types[last.input[0]] == types[last.input[1]] == types[last.output[0]] == TensorProto.FLOAT


def test_no_value_is_rounded_between_two_float32_operations(mini: Path) -> None:
    nodes = onnx.load(mini).graph.node
    makers = {name: node for node in nodes for name in node.output}
    types = types_of(mini)
    for node in nodes:
        if node.op_type == "Cast" and node.attribute[0].i == TensorProto.FLOAT and types[node.input[0]] == TensorProto.FLOAT16:
            maker = makers[node.input[0]]
            assert maker.op_type != "Cast" or types[maker.input[0]] != TensorProto.FLOAT, node.name


def test_it_agrees_on_real_pictures(mini: Path) -> None:
    recognised = recognise(MINI)
    found = compare(OnnxRuntime(MINI, CPU), OnnxRuntime(mini, CPU), recognised, MINI, check_pictures())
    assert found.finite and len(found.by_picture) == 3 and 0 < found.median < 0.001 and found.worst < 0.005


def stored_in_half(path: Path, also_read_as_it_is: bool = False) -> Path:
    """The file with its first layer's weights in float16 behind a Cast."""
    model = onnx.load(path)
    weight = next(weight for weight in model.graph.initializer if weight.name == "conv0_w")
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), "stored"))
    model.graph.node.insert(0, helper.make_node("Cast", ["stored"], ["conv0_w"], to=TensorProto.FLOAT))
    if also_read_as_it_is:
        model.graph.node.append(helper.make_node("Identity", ["stored"], ["stored_again"]))
    onnx.save(model, path)
    return path


def test_weights_that_are_only_stored_in_half_are_no_reduced_graph(tmp_path: Path) -> None:
    """The shipped model's are: otherwise it would be called converted already, and run in float32 for ever."""
    body = Body()
    body.add("Relu")
    path = stored_in_half(body.save(tmp_path / "tiny.onnx"))
    assert not is_reduced(onnx.load(path))
    half = half_precision_file(path, None)
    types = types_of(half)
    first = next(node for node in onnx.load(half).graph.node if node.op_type == "Conv")
    assert half != path and types[first.input[0]] == types[first.input[1]] == TensorProto.FLOAT16
    close(path, half, picture())


def test_weights_that_something_reads_in_float16_are(tmp_path: Path) -> None:
    body = Body()
    body.add("Relu")
    assert is_reduced(onnx.load(stored_in_half(body.save(tmp_path / "tiny.onnx"), also_read_as_it_is=True)))


@pytest.mark.parametrize("opset", [11, 13, 17, 18, 20])
def test_old_and_new_opsets(tmp_path: Path, opset: int) -> None:
    body = Body(opset)
    body.add("Relu")
    body.add("Concat", body.conv(body.value, WIDE, WIDE), axis=1)
    body.value = body.conv(body.value, 2 * WIDE, WIDE)
    if opset >= 17:
        body.add("Transpose", perm=[0, 2, 3, 1])
        body.add("LayerNormalization", body.graph.constant("gamma", np.ones(WIDE, np.float32)), body.graph.constant("beta", np.zeros(WIDE, np.float32)))
        body.add("Transpose", perm=[0, 3, 1, 2])
    if opset >= 20:
        body.add("Gelu")
    path = body.save(tmp_path / "tiny.onnx")
    half = half_precision_file(path, None)
    close(path, half, picture())
    assert computes_in(half, "Relu") == {TensorProto.FLOAT16}
    assert {item.version for item in onnx.load(half).opset_import if item.domain == ""} == {opset}


@pytest.mark.parametrize("opset", [11, 17, 18])
def test_a_normalisation_exported_in_parts_stays_float32(tmp_path: Path, opset: int) -> None:
    """Variances of values around 300 are beyond float16."""
    body = Body(opset)
    body.add("Mul", body.number(300.0))
    source = body.value

    def mean(value: str, name: str) -> str:
        if opset >= 18:
            return body.graph.node("ReduceMean", [value, body.graph.constant(f"{name}_axes", np.array([1], np.int64))], name, keepdims=1)
        return body.graph.node("ReduceMean", [value], name, axes=[1], keepdims=1)

    body.value = centred = body.graph.node("Sub", [source, mean(source, "mu")], "centred")
    square = body.graph.node("Pow", [centred, body.number(2.0)], "square") if opset != 17 else body.graph.node("Mul", [centred, centred], "square")
    deviation = body.graph.node("Sqrt", [body.graph.node("Add", [mean(square, "variance"), body.number(1e-6)], "eps")], "deviation")
    body.add("Div", deviation)
    path = body.save(tmp_path / "tiny.onnx")
    half = half_precision_file(path, None)
    close(path, half, picture())
    for op in ("ReduceMean", "Sub", "Pow", "Sqrt", "Div"):
        assert computes_in(half, op) <= {TensorProto.FLOAT}, op
    types = types_of(half)
    assert all(types[name] == TensorProto.FLOAT for name in types if name in ("square", "eps", "variance", "centred"))


@pytest.mark.parametrize("opset", [11, 13, 18])
def test_resize_keeps_its_scales_float32(tmp_path: Path, opset: int) -> None:
    body = Body(opset)
    roi = body.graph.node("Constant", [], "roi", value=numpy_helper.from_array(np.zeros(0, np.float32)))
    scales = body.graph.node("Constant", [], "scales", value=numpy_helper.from_array(np.array([1, 1, 1.5, 1.5], np.float32)))
    body.add("Resize", roi, scales, mode="linear", coordinate_transformation_mode="half_pixel")
    path = body.save(tmp_path / "tiny.onnx")
    half = half_precision_file(path, None)
    close(path, half, picture())
    types = types_of(half)
    (node,) = [node for node in onnx.load(half).graph.node if node.op_type == "Resize"]
    assert types[node.input[0]] == TensorProto.FLOAT16 and types[node.input[2]] == TensorProto.FLOAT


def test_sizes_are_computed_in_float32(tmp_path: Path) -> None:
    """float16 has no 4098 + 1: a picture that wide would come back narrower."""
    body = Body()
    shape = body.graph.node("Shape", ["image"], "shape")
    sides = body.graph.node("Slice", [shape, *[body.graph.constant(f"at{value}", np.array([value], np.int64)) for value in (2, 4)]], "sides")
    scaled = body.graph.node("Mul", [body.graph.node("Cast", [sides], "as_float", to=TensorProto.FLOAT), body.number(1.5)], "scaled")
    whole = body.graph.node("Cast", [body.graph.node("Floor", [scaled], "floor")], "whole", to=TensorProto.INT64)
    sizes = body.graph.node("Concat", [body.graph.constant("front", np.array([1, WIDE], np.int64)), whole], "sizes", axis=0)
    body.value = body.graph.node("Resize", [body.value, "", "", sizes], "resized", mode="nearest")
    path = body.save(tmp_path / "tiny.onnx")
    half = half_precision_file(path, None)
    close(path, half, picture(14, 2734))  # 4101 wide
    assert computes_in(half, "Floor") == {TensorProto.FLOAT} and TensorProto.FLOAT16 in computes_in(half, "Conv")


def test_a_tiny_constant_of_a_float32_operation_is_kept(tmp_path: Path) -> None:
    """As the epsilon of a normalisation; float16 begins at 6e-8."""
    body = Body()
    tiny = body.graph.node("Constant", [], "tiny", value=numpy_helper.from_array(np.array(1e-10, np.float32)))
    variance = body.graph.node("ReduceMean", [body.graph.node("Sub", [body.value, body.value], "nothing")], "variance", axes=[1], keepdims=1)
    body.add("Div", body.graph.node("Sqrt", [body.graph.node("Add", [variance, tiny], "eps")], "deviation"))
    body.add("Mul", body.number(1e-5))
    path = body.save(tmp_path / "tiny.onnx")
    close(path, half_precision_file(path, None), picture())


def test_values_beyond_float16_stay_float32(tmp_path: Path) -> None:
    """The CPU runtime would hide the overflow, computing in float32; onnx's own evaluator has a real float16."""
    body = Body()
    body.add("Mul", body.number(3000.0))
    body.add("Reshape", body.graph.constant("same", np.array([0, 0, 0, -1], np.int64)))
    body.add("Mul", body.number(3000.0))
    body.add("Transpose", perm=[0, 1, 3, 2])
    body.add("Mul", body.number(1e-7))
    body.add("Transpose", perm=[0, 1, 3, 2])
    path = body.save(tmp_path / "tiny.onnx")
    half = half_precision_file(path, None)
    image = picture()
    (wanted,) = run(path, image)
    (got,) = ReferenceEvaluator(onnx.load(half)).run(None, {"image": image})
    assert np.isfinite(got).all() and np.median(np.abs(got - wanted) / wanted) < 0.01
    assert TensorProto.FLOAT16 in computes_in(half, "Conv")


def test_the_inputs_of_one_value_by_several_float32_operations_is_cast_once(tmp_path: Path) -> None:
    body = Body()
    first, second = (body.graph.node("Softmax", [body.value], f"softmax{axis}", axis=axis) for axis in (1, 3))
    body.value = body.graph.node("Add", [first, second], "sum")
    path = body.save(tmp_path / "tiny.onnx")
    half = half_precision_file(path, None)
    close(path, half, picture())
    casts = [tuple(node.input) for node in onnx.load(half).graph.node if node.op_type == "Cast"]
    assert len(casts) == len(set(casts))


def test_weights_beside_the_file(tmp_path: Path) -> None:
    body = Body()
    body.value = body.conv(body.value, WIDE, WIDE)
    path = body.save(tmp_path / "tiny.onnx", external="tiny.onnx_data")
    half = half_precision_file(path, None)
    assert [file.name for file in half.parent.iterdir()] == ["tiny.onnx"]
    close(path, half, picture())


def test_a_graph_too_large_for_one_file_keeps_its_weights_beside_it(tmp_path: Path) -> None:
    save(onnx, onnx.load(MINI), tmp_path / "large.onnx", max_inline_bytes=1_000_000)
    assert (tmp_path / "large.onnx").stat().st_size < 1_000_000 < (tmp_path / "large.onnx_data").stat().st_size
    np.testing.assert_array_equal(run(tmp_path / "large.onnx", picture())[0], run(MINI, picture())[0])


def test_weights_listed_as_inputs_as_old_exporters_did(tmp_path: Path) -> None:
    path = Body(11).save(tmp_path / "tiny.onnx")
    model = onnx.load(path)
    model.ir_version = 3
    for weight in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(weight.name, weight.data_type, list(weight.dims)))
    onnx.save(model, path)
    half = half_precision_file(path, None)
    assert [info.name for info in onnx.load(half).graph.input] == ["image"]
    close(path, half, picture())


def test_an_output_that_the_graph_also_reads(tmp_path: Path) -> None:
    body = Body()
    body.value = body.graph.node("Exp", [body.conv(body.value, WIDE, 1)], "exp")
    body.graph.outputs.append(helper.make_tensor_value_info("exp", TensorProto.FLOAT, ["batch", 1, "height", "width"]))
    body.graph.output(body.graph.node("Relu", [body.graph.node("Sub", ["exp", body.number(1.0)], "over")], "sky_relu"), "sky", ["batch", 1, "height", "width"])
    path = body.graph.save(tmp_path / "tiny.onnx")
    close(path, half_precision_file(path, None), picture())


# ---- when it is made ----------------------------------------------------------------------------------------------------


def test_it_is_made_once_and_kept(tmp_path: Path) -> None:
    cache, told = EngineCache(tmp_path / "cache"), []
    path = Body().save(tmp_path / "tiny.onnx")
    first = half_precision_file(path, cache, progress=told.append)
    count = len(told)
    assert count >= 3 and any("Comparing" in line for line in told)
    assert half_precision_file(path, cache, progress=told.append) == first and len(told) == count
    assert cache.folder in first.parents and [entry.key.precision for entry in cache.entries()] == ["fp16"]
    Body(18).save(path)
    assert half_precision_file(path, cache) != first


@pytest.mark.parametrize("kept", [True, False])
def test_a_float16_file_is_left_alone(tmp_path: Path, kept: bool) -> None:
    path = models.da2_relative(tmp_path / "half.onnx", dtype=models.HALF)
    cache = EngineCache(tmp_path / "cache") if kept else None
    assert half_precision_file(path, cache) == path == half_precision_file(path, cache)


def test_a_file_with_a_float16_body_is_left_alone(tmp_path: Path, mini: Path) -> None:
    """Traced under autocast: inputs and outputs float32, casts inside."""
    assert half_precision_file(mini, None) == mini


def test_cancel_leaves_nothing(tmp_path: Path) -> None:
    cache, cancel = EngineCache(tmp_path / "cache"), CancelToken()
    path = Body().save(tmp_path / "tiny.onnx")

    def say(text: str) -> None:
        if "float32 on three" in text:
            cancel.cancel()

    with pytest.raises(CancelledError):
        half_precision_file(path, cache, progress=say, cancel=cancel)
    assert cache.entries() == [] and list((cache.folder / "engines").iterdir()) == []


# ---- what is refused ----------------------------------------------------------------------------------------------------


def test_what_is_off_by_more_than_a_hundredth_is_refused(tmp_path: Path) -> None:
    """Two large weights that differ by less than float16 can tell."""
    body = Body()
    weights = np.zeros((WIDE, WIDE, 3, 3), np.float32)
    weights[:, 0, 1, 1], weights[:, 1, 1, 1] = 100.01, -100.0
    twice = body.graph.node("Concat", [name := body.conv("image", 3, 1), name, body.conv(body.value, WIDE, WIDE - 2)], "twice", axis=1)
    body.value = body.graph.node("Conv", [twice, body.graph.constant("cancelling", weights)], "cancelled", pads=[1, 1, 1, 1])
    body.add("Mul", body.number(30.0))
    path = body.save(tmp_path / "tiny.onnx")
    cache = EngineCache(tmp_path / "cache")
    with pytest.raises(ModelError, match=r"tiny\.onnx in half precision is off by .*%.*--precision fp32"):
        half_precision_file(path, cache)
    assert cache.entries() == []


class _Overflowing:
    """A runtime that makes one value infinite, as one that computes in a narrower type than this processor's may."""

    name, device, precision, notes = "narrow", "cpu", Precision.FP16, ()

    def __init__(self, path: Path) -> None:
        self._inner = OnnxRuntime(path, CPU)
        self.closed = False

    def run(self, feeds, outputs, cancel=None):  # type: ignore[no-untyped-def]
        (depth,) = self._inner.run(feeds, outputs, cancel)
        depth = np.array(depth)
        depth[0, 0, 0, 0] = np.inf
        return [depth]

    def close(self) -> None:
        self.closed = True


def test_the_comparison_is_made_where_the_graph_will_run(tmp_path: Path) -> None:
    opened = []

    def open_half(path: Path) -> _Overflowing:
        opened.append(_Overflowing(path))
        return opened[-1]

    path = Body().save(tmp_path / "tiny.onnx")
    with pytest.raises(ModelError, match="not finite"):
        half_precision_file(path, None, open_half=open_half)
    assert len(opened) == 1 and opened[0].closed


def test_a_graph_that_cannot_be_converted_is_a_sentence(tmp_path: Path) -> None:
    """The converter puts the casts of an operation inside a loop outside it."""
    body = Body()
    inner = helper.make_graph(
        [helper.make_node("Identity", ["go_on"], ["go_on_out"]), helper.make_node("Softmax", ["state"], ["state_out"], axis=1)],
        "body",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, None),
        ],
        [helper.make_tensor_value_info("go_on_out", TensorProto.BOOL, []), helper.make_tensor_value_info("state_out", TensorProto.FLOAT, None)],
    )
    rounds = body.graph.constant("rounds", np.array(2, np.int64))
    body.value = body.graph.node("Loop", [rounds, "", body.graph.node("Softmax", [body.value], "soft", axis=1)], "worn", body=inner)
    path = body.save(tmp_path / "loop.onnx")
    with pytest.raises(ModelError, match=r"^loop\.onnx in half precision does not run \(.*\); use --precision fp32\.$"):
        half_precision_file(path, None)


def test_without_onnx_it_says_what_to_install(tmp_path: Path) -> None:
    path = Body().save(tmp_path / "tiny.onnx")
    code = (
        "import sys; sys.modules['onnx'] = None; from pathlib import Path\n"
        "from depthbridge.engines.prepared.half_precision import half_precision_file\n"
        "from depthbridge.engines.errors import RuntimeUnavailableError\n"
        "try: half_precision_file(Path(sys.argv[1]), None)\n"
        "except RuntimeUnavailableError as error: print(error)"
    )
    assert "pip install onnx" in subprocess.check_output([sys.executable, "-c", code, str(path)], text=True)


def test_importing_loads_no_library_and_converting_leaves_no_trace(tmp_path: Path) -> None:
    """ONNX Runtime's converters put a folder on the search path and rely on it later: theirs and anybody's next import must work all the same."""
    path = Body().save(tmp_path / "tiny.onnx")
    code = (
        "import sys; from pathlib import Path; from depthbridge.engines.prepared import half_precision, int8, stale\n"
        "from depthbridge.engines.prepared.onnxruntime_tools import import_tool\n"
        "print([name for name in ('onnx', 'onnxruntime', 'openvino') if name in sys.modules])\n"
        "before = list(sys.path); half_precision.half_precision_file(Path(sys.argv[1]), None)\n"
        "import_tool('onnxruntime.quantization'); print(sys.path == before)\n"
        "import onnxruntime.transformers, fusion_utils; print('found')"
    )
    assert subprocess.check_output([sys.executable, "-c", code, str(path)], text=True).split("\n")[:3] == ["[]", "True", "found"]
